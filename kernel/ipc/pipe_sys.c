/* SPDX-License-Identifier: MIT */
/*
 * Making pipes, their size, and FIFOs: opening a name joins the pipe that the inode holds.
 *
 *   open for   there is a peer          none, O_NONBLOCK     none
 *   reading    at once                  at once              waits for a writer to come
 *   writing    at once                  -ENXIO               waits for a reader to come
 *   both       at once
 */
#include "ipc.h"
#include <kernel/pipe.h>
#include <kernel/syscall.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

static u64 pipe_max_size = 1048576; /* bytes: /proc/sys/fs/pipe-max-size */

s64 fd_publish(struct file *f, u32 fd_flags)
{
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_alloc(f, fd_flags, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

/* Both ends, referenced. */
static int pipe_files(u32 flags, struct file **rd, struct file **wr)
{
    struct pipe *p = pipe_alloc();
    if (IS_ERR(p))
        return (int)PTR_ERR(p);
    struct file *r = file_anon_mode("pipe:[]", S_IFIFO | 0600, &pipe_ops, p, O_RDONLY | flags);
    if (IS_ERR(r)) {
        pipe_free(p);
        return (int)PTR_ERR(r);
    }
    p->nr_files = p->readers = p->r_count = 1;
    r->inode->ipc = p;
    struct file *w = file_anon_clone(r, &pipe_ops, p, O_WRONLY | flags);
    if (IS_ERR(w)) {
        file_put(r);
        return (int)PTR_ERR(w);
    }
    p->nr_files = 2;
    p->writers = p->w_count = 1;
    *rd = r;
    *wr = w;
    return 0;
}

static s64 do_pipe(u64 user_fds, u32 flags)
{
    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    struct file *rd = NULL, *wr = NULL;
    s64 err = pipe_files(flags & ~O_CLOEXEC, &rd, &wr);
    if (err)
        return err;
    u32 fd_flags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
    int fds[2];
    fds[0] = fd_reserve(fd_flags, 0);
    if (fds[0] < 0) {
        err = fds[0];
        goto put;
    }
    fds[1] = fd_reserve(fd_flags, 0);
    if (fds[1] < 0) {
        err = fds[1];
        goto unreserve;
    }
    if (copy_to_user(user_fds, fds, sizeof(fds))) {
        fd_unreserve(fds[1]);
        err = -EFAULT;
        goto unreserve;
    }
    fd_install(fds[0], rd);
    fd_install(fds[1], wr);
    return 0;
unreserve:
    fd_unreserve(fds[0]);
put:
    file_put(rd);
    file_put(wr);
    return err;
}

SYSCALL(pipe)
{
    return do_pipe(a0, 0);
}
SYSCALL(pipe2)
{
    return do_pipe(a0, (u32)a1);
}

static s64 pipe_resize(struct pipe *p, u64 bytes)
{
    if (bytes > 1UL << 31)
        return -EINVAL;
    u64 size = roundup_pow2(max(bytes, PAGE_SIZE));
    if (size > READ_ONCE(pipe_max_size) && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    u32 nr = (u32)(size >> PAGE_SHIFT);
    struct pipe_buf *fresh = kvmalloc(nr * sizeof(*fresh), GFP_KERNEL);
    if (!fresh)
        return -ENOMEM;
    mutex_lock(&p->lock);
    u32 used = p->head - p->tail;
    int err = !pipe_charge(p, nr) ? -EPERM : used > nr ? -EBUSY : 0;
    if (err) {
        if (err == -EBUSY)
            pipe_charge(p, p->nr_slots);
        mutex_unlock(&p->lock);
        kvfree(fresh);
        return err;
    }
    for (u32 i = 0; i < used; i++)
        fresh[i] = p->slots[(p->tail + i) & (p->nr_slots - 1)];
    struct pipe_buf *old = p->slots;
    p->slots = fresh;
    p->tail = 0;
    p->head = used;
    WRITE_ONCE(p->nr_slots, nr);
    mutex_unlock(&p->lock);
    if (old != p->inline_slots)
        kvfree(old);
    waitq_wake_all(&p->wr_wait);
    return (s64)size;
}

s64 pipe_fcntl(struct file *f, u32 cmd, u64 arg)
{
    struct pipe *p = file_pipe(f);
    if (!p)
        return -EBADF;
    if (cmd == F_GETPIPE_SZ)
        return (s64)READ_ONCE(p->nr_slots) << PAGE_SHIFT;
    return pipe_resize(p, (u32)arg);
}

/* ---- FIFOs ---- */
static int fifo_wait(struct file *f, struct pipe *p, struct waitq *wq, const u32 *count)
{
    u32 before = READ_ONCE(*count);
    mutex_unlock(&f->inode->lock);
    int err = waitq_wait_interruptible(wq, READ_ONCE(*count) != before);
    mutex_lock(&f->inode->lock);
    return err;
}

/* inode->lock held; it is given up while waiting. */
static int fifo_join(struct file *f, struct pipe *p)
{
    bool nonblock = f->flags & O_NONBLOCK;
    bool rd = f->mode & FMODE_READ, wr = f->mode & FMODE_WRITE;
    bool unnamed = f->inode->fops == &pipe_ops; /* pipe(2) opened again through /proc/PID/fd: waits for nobody */
    if (!unnamed && wr && !rd && nonblock && !p->readers)
        return -ENXIO;
    mutex_lock(&p->lock);
    p->readers += rd;
    p->r_count += rd;
    p->writers += wr;
    p->w_count += wr;
    bool readers = p->readers, writers = p->writers;
    mutex_unlock(&p->lock);
    if (rd && p->readers == 1)
        waitq_wake_all(&p->wr_wait);
    if (wr && p->writers == 1)
        waitq_wake_all(&p->rd_wait);
    if (unnamed)
        return 0;
    if (rd && !wr && !writers) {
        if (!nonblock)
            return fifo_wait(f, p, &p->rd_wait, &p->w_count);
        f->scratch[0] = p->w_count; /* poll: no hang-up before a writer was there */
    }
    if (wr && !rd && !readers)
        return fifo_wait(f, p, &p->wr_wait, &p->r_count);
    return 0;
}

int fifo_open(struct inode *inode, struct file *f)
{
    mutex_lock(&inode->lock);
    struct pipe *p = inode->ipc;
    if (!p) {
        p = pipe_alloc();
        if (IS_ERR(p)) {
            mutex_unlock(&inode->lock);
            return -ENOMEM;
        }
        inode->ipc = p;
    }
    p->nr_files++;
    f->ops = &pipe_ops;
    f->priv = p;
    u32 r0 = p->r_count, w0 = p->w_count;
    int err = fifo_join(f, p);
    mutex_unlock(&inode->lock);
    if (err) { /* -ENXIO has not joined yet */
        if (err == -ENXIO && p->r_count == r0 && p->w_count == w0)
            f->mode &= ~(FMODE_READ | FMODE_WRITE);
        pipe_ops.release(f);
    }
    return err;
}

/* An inode whose ->ipc is set is in use: by the pipe's files, or by the socket bound to it, which hold references. */
void ipc_inode_evict(struct inode *inode)
{
    ASSERT(!inode->ipc);
}
