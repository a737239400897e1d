/* SPDX-License-Identifier: MIT */
/* tee: the second pipe gets references to the pages of the first; nothing is copied. */
#include "ipc.h"
#include <kernel/pipe.h>
#include <kernel/syscall.h>
#include <mm/page.h>

#define SPLICE_F_NONBLOCK 2u

/* Both locks held. Bytes shared, at most n. */
static u64 share(struct pipe *from, struct pipe *to, u64 n)
{
    u64 done = 0;
    for (u32 i = from->tail; i != from->head && done < n && to->head - to->tail < to->nr_slots;
         i++) {
        struct pipe_buf *src = &from->slots[i & (from->nr_slots - 1)];
        struct pipe_buf copy = *src;
        copy.len = (u32)min((u64)copy.len, n - done);
        src->flags |= PIPE_BUF_SHARED; /* neither side may append to the page now */
        copy.flags |= PIPE_BUF_SHARED;
        page_get(copy.page);
        to->slots[to->head & (to->nr_slots - 1)] = copy;
        WRITE_ONCE(to->head, to->head + 1);
        done += copy.len;
    }
    return done;
}

static void lock_both(struct pipe *a, struct pipe *b)
{
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

static s64 do_tee(struct pipe *from, struct pipe *to, u64 n, bool nonblock)
{
    for (;;) {
        mutex_lock(&from->lock);
        s64 res = pipe_wait_readable(from, nonblock);
        mutex_unlock(&from->lock);
        if (res <= 0)
            return res;
        mutex_lock(&to->lock);
        res = pipe_wait_room(to, nonblock);
        mutex_unlock(&to->lock);
        if (res <= 0)
            return res;
        lock_both(from, to);
        u64 done = share(from, to, n);
        mutex_unlock(&from->lock);
        mutex_unlock(&to->lock);
        if (done) {
            waitq_wake_one(&to->rd_wait);
            return (s64)done;
        }
    }
}

SYSCALL(tee)
{
    if ((u32)a3 & ~15u)
        return -EINVAL;
    if (!a2)
        return 0;
    struct fdref in = fd_borrow((int)a0), out = fd_borrow((int)a1);
    s64 res = -EBADF;
    if (in.file && out.file && (in.file->mode & FMODE_READ) && (out.file->mode & FMODE_WRITE)) {
        struct pipe *from = file_pipe(in.file), *to = file_pipe(out.file);
        bool nonblock =
            (a3 & SPLICE_F_NONBLOCK) || ((in.file->flags | out.file->flags) & O_NONBLOCK);
        res = from && to && from != to ? do_tee(from, to, a2, nonblock) : -EINVAL;
    }
    if (in.file)
        fd_return(in);
    if (out.file)
        fd_return(out);
    return res;
}
