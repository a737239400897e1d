/* SPDX-License-Identifier: MIT */
/* A thread that waits for events of many files: poll.c. */
#ifndef KERNEL_IPC_POLLER_H
#define KERNEL_IPC_POLLER_H
#include <kernel/poll.h>
#include <arch/uaccess.h>

#define POLL_INLINE 8
#define POLL_CHUNK  30
struct poller;
struct poll_entry {
    struct waitq_callback cb;
    struct poller *poller;
};
struct poll_chunk {
    struct poll_chunk *next;
    unsigned nr;
    struct poll_entry entry[POLL_CHUNK];
};
struct poller {
    struct poll_table pt;
    struct task *task;
    u64 deadline;
    unsigned nr;
    bool triggered, no_memory;
    struct poll_chunk *chunks;
    struct poll_entry first[POLL_INLINE];
};
/* deadline: clock_ns, ~0 for ever. */
void poller_begin(struct poller *p, u64 deadline);
/* 0: something may have changed, 1: the deadline has passed, -ERESTARTNOHAND: a signal, -ENOMEM. */
int poller_sleep(struct poller *p);
void poller_end(struct poller *p);

/* A user's relative struct timespec as a deadline: 0 do not wait, ~0 (no timespec) for ever. 0, -EFAULT, -EINVAL. */
int poll_timeout(u64 user_ts, u64 *deadline);
#endif
