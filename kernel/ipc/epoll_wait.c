/* SPDX-License-Identifier: MIT */
/* epoll_wait, epoll_pwait, epoll_pwait2: sleep until a set has something to report, then report it. */
#include "ipc.h"
#include "poller.h"
#include "epoll.h"
#include <kernel/syscall.h>
#include <port/clock.h>

struct user_events {
    u64 addr;
};

static int put_event(void *ctx, const struct epoll_event_k *ev)
{
    struct user_events *u = ctx;
    if (copy_to_user(u->addr, ev, sizeof(*ev)))
        return -EFAULT;
    u->addr += sizeof(*ev);
    return 0;
}

static inline bool ep_has_ready(struct eventpoll *ep)
{
    return READ_ONCE(ep->ready.next) != &ep->ready;
}

/* deadline: 0 do not wait, ~0 for ever. */
static s64 ep_wait(struct eventpoll *ep, u64 user, u32 max, u64 deadline)
{
    for (;;) {
        s64 n = 0;
        if (ep_has_ready(ep)) {
            struct user_events u = {user};
            mutex_lock(&ep->mtx);
            n = ep_collect(ep, max, put_event, &u);
            mutex_unlock(&ep->mtx);
        }
        if (n || !deadline)
            return n;
        s64 res = waitq_wait_timeout(&ep->wait, ep_has_ready(ep), deadline);
        if (res < 0) {
            waitq_wake_one(&ep->wait); /* the wake-up may have been meant for us alone */
            return -EINTR;
        }
        if (res == 0)
            deadline = 0; /* one last look */
    }
}

static s64 do_epoll_wait(int fd, u64 user, s32 max, u64 deadline)
{
    if (max <= 0 || max > (s32)(0x7fffffff / sizeof(struct epoll_event_k)))
        return -EINVAL;
    if (!user_addr_ok(user))
        return -EFAULT;
    struct fdref r = fd_borrow(fd);
    if (!r.file)
        return -EBADF;
    struct eventpoll *ep = file_epoll(r.file);
    s64 res = ep ? ep_wait(ep, user, (u32)max, deadline) : -EINVAL;
    fd_return(r);
    return res;
}

static u64 deadline_ms(s32 ms)
{
    return ms < 0 ? U64_MAX : ms == 0 ? 0 : clock_ns() + (u64)ms * 1000000;
}

static s64 do_epoll_pwait(int fd, u64 user, s32 max, u64 deadline, u64 mask, u64 mask_size)
{
    int err = signal_set_user_mask(mask, mask_size);
    if (err)
        return err;
    s64 res = do_epoll_wait(fd, user, max, deadline);
    signal_restore_user_mask(res == -EINTR);
    return res;
}

SYSCALL(epoll_wait)
{
    return do_epoll_wait((int)a0, a1, (s32)a2, deadline_ms((s32)a3));
}
SYSCALL(epoll_pwait)
{
    return do_epoll_pwait((int)a0, a1, (s32)a2, deadline_ms((s32)a3), a4, a5);
}
SYSCALL(epoll_pwait2)
{
    u64 deadline;
    int err = poll_timeout(a3, &deadline);
    return err ? err : do_epoll_pwait((int)a0, a1, (s32)a2, deadline, a4, a5);
}
