/* SPDX-License-Identifier: MIT */
/*
 * Waiting for several files at once. Bodies in kernel/ipc/{poll,select,epoll,eventfd}.c.
 *
 *   poll(2) ─ poll_table ─ f->ops->poll(f, pt) ─ poll_wait(pt, &queue): a waitq_callback on each queue of each file
 *   an event ─ waitq_wake_*(&queue) ─ the callbacks note it and wake the poller, who asks every file again
 *
 * A file's poll() names its queues with poll_wait() first and then looks at its state, so that no event falls in between.
 * pt may be NULL: the caller only wants to know. A queue must live until the file's release().
 */
#ifndef KERNEL_POLL_H
#define KERNEL_POLL_H
#include <kernel/file.h>
#include <kernel/sched.h>

#define EPOLLIN        0x001u
#define EPOLLPRI       0x002u
#define EPOLLOUT       0x004u
#define EPOLLERR       0x008u
#define EPOLLHUP       0x010u
#define EPOLLNVAL      0x020u
#define EPOLLRDNORM    0x040u
#define EPOLLRDBAND    0x080u
#define EPOLLWRNORM    0x100u
#define EPOLLWRBAND    0x200u
#define EPOLLMSG       0x400u
#define EPOLLRDHUP     0x2000u
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET        (1u << 31)
#define POLL_READABLE  (EPOLLIN | EPOLLRDNORM)
#define POLL_WRITABLE  (EPOLLOUT | EPOLLWRNORM)

struct poll_table {
    void (*queue)(struct poll_table *pt, struct waitq *wq); /* may sleep */
};

/* What the file is ready for now; pt may be NULL. */
static inline u32 file_poll(struct file *f, struct poll_table *pt)
{
    return f->ops->poll ? f->ops->poll(f, pt) : POLL_READABLE | POLL_WRITABLE;
}

/* poll(2) with its timeout as a clock_ns() deadline; 0: do not wait, ~0: for ever. Interrupted: restart_syscall goes on. */
s64 poll_until(u64 user_fds, u32 n, u64 deadline);

/* Called by file_put() for the last reference, before ops->release: takes the file out of every epoll set. May sleep. */
void epoll_file_release_slow(struct file *f);
static inline void epoll_file_release(struct file *f)
{
    if (unlikely(f->epolls.next != &f->epolls || spin_is_locked(&f->epoll_lock)))
        epoll_file_release_slow(f);
}

void poll_boot(void);
#endif
