/* SPDX-License-Identifier: MIT */
/*
 * eventfd: a 64-bit counter behind a descriptor. read takes it (or 1, EFD_SEMAPHORE) and sleeps while it is 0; write adds and sleeps
 * while the sum would pass 2^64 - 2.
 */
#include "ipc.h"
#include <kernel/poll.h>
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <mm/slab.h>

#define EFD_SEMAPHORE 1u

struct eventfd {
    spinlock_t lock; /* irqsave */
    u64 count;
    bool semaphore;
    u32 id;
    struct waitq wait;
};
static u32 next_id;

static bool try_take(struct eventfd *e, u64 *out)
{
    u64 flags = spin_lock_irqsave(&e->lock);
    *out = e->semaphore && e->count ? 1 : e->count;
    e->count -= *out;
    spin_unlock_irqrestore(&e->lock, flags);
    return *out;
}

static bool try_add(struct eventfd *e, u64 n)
{
    u64 flags = spin_lock_irqsave(&e->lock);
    bool ok = U64_MAX - 1 - e->count >= n;
    if (ok)
        e->count += n;
    spin_unlock_irqrestore(&e->lock, flags);
    return ok;
}

static ssize_t eventfd_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct eventfd *e = f->priv;
    u64 v;
    if (n < sizeof(v))
        return -EINVAL;
    while (!try_take(e, &v)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = waitq_wait_interruptible(&e->wait, READ_ONCE(e->count));
        if (err)
            return err;
    }
    waitq_wake_all(&e->wait);
    return buf_put(buf, 0, &v, sizeof(v)) ? -EFAULT : (ssize_t)sizeof(v);
}

static ssize_t eventfd_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct eventfd *e = f->priv;
    u64 v;
    if (n != sizeof(v))
        return -EINVAL;
    if (buf_get(buf, 0, &v, sizeof(v)))
        return -EFAULT;
    if (v == U64_MAX)
        return -EINVAL;
    while (!try_add(e, v)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = waitq_wait_interruptible(&e->wait, U64_MAX - 1 - READ_ONCE(e->count) >= v);
        if (err)
            return err;
    }
    waitq_wake_all(&e->wait);
    return sizeof(v);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
    struct eventfd *e = f->priv;
    poll_wait(pt, &e->wait);
    u64 count = READ_ONCE(e->count);
    return (count ? EPOLLIN : 0) | (count == U64_MAX ? EPOLLERR : 0) |
           (count < U64_MAX - 1 ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
    kfree(f->priv);
}

static void eventfd_show(struct file *f, struct seq *s)
{
    struct eventfd *e = f->priv;
    seq_printf(s, "eventfd-count: %16lx\neventfd-id: %u\neventfd-semaphore: %d\n",
               READ_ONCE(e->count), e->id, e->semaphore);
}

static const struct file_ops eventfd_ops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .lseek = noop_lseek,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .show_fdinfo = eventfd_show,
};

static s64 eventfd_make(u32 count, u32 flags)
{
    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct eventfd *e = kzalloc(sizeof(*e), GFP_KERNEL);
    if (!e)
        return -ENOMEM;
    spin_init(&e->lock, RANK_KERNEL_LEAF);
    waitq_init(&e->wait);
    e->count = count;
    e->semaphore = flags & EFD_SEMAPHORE;
    e->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
    struct file *f =
        file_anon("anon_inode:[eventfd]", &eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK));
    if (IS_ERR(f))
        kfree(e);
    return fd_publish(f, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

SYSCALL(eventfd)
{
    return eventfd_make((u32)a0, 0);
}
SYSCALL(eventfd2)
{
    return eventfd_make((u32)a0, (u32)a1);
}
