/* SPDX-License-Identifier: MIT */
/*
 * virtio-9p (the "9P transport" device of virtio, as QEMU implements it): one queue, the mount tag in configuration space.
 * Locks: the queue's. Waiting for descriptors and for answers sleeps.
 */
#include "../fs/p9/p9.h"
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

#define F_MOUNT_TAG 1UL
#define TAG_MAX     64

struct p9_channel {
    struct p9_channel *next;
    struct virtq *q;
    char tag[TAG_MAX];
    u32 in_use; /* atomic: a channel carries one session */
};
static struct p9_channel *channels; /* filled at boot only */

struct exchange {
    struct waitq wait;
    u32 written;
    bool done;
};

static void done(struct virtq *q, void *token, u32 written)
{
    struct exchange *x = token;
    x->written = written;
    store_release(&x->done, true);
    waitq_wake_all(&x->wait);
}

struct p9_channel *p9_channel_claim(const char *tag)
{
    long err = -ENOENT;
    for (struct p9_channel *c = channels; c; c = c->next) {
        if (str_cmp(c->tag, tag))
            continue;
        if (!__atomic_exchange_n(&c->in_use, 1, __ATOMIC_ACQUIRE))
            return c;
        err = -EBUSY;
    }
    return ERR_PTR(err);
}

void p9_channel_release(struct p9_channel *c)
{
    __atomic_store_n(&c->in_use, 0, __ATOMIC_RELEASE);
}

s64 p9_channel_exchange(struct p9_channel *c, const struct virtio_buf *bufs, unsigned n_out, unsigned n_in)
{
    struct exchange x = {.done = false};
    waitq_init(&x.wait);
    if (n_out + n_in > c->q->size)
        return -EIO;
    waitq_wait(&c->q->space, virtq_submit(c->q, bufs, n_out, n_in, &x) == 0);
    waitq_wait(&x.wait, load_acquire(&x.done));
    /* done() runs under the queue's lock and may still be waking us: x lives until it has left. */
    spin_unlock_irqrestore(&c->q->lock, spin_lock_irqsave(&c->q->lock));
    return x.written;
}

int virtio_9p_probe(struct virtio_dev *d)
{
    int err = virtio_begin(d, F_MOUNT_TAG);
    if (err)
        return err;
    struct p9_channel *c = kzalloc(sizeof(*c), GFP_KERNEL);
    if (!c)
        return -ENOMEM;
    u16 len;
    d->ops->read_config(d, 0, &len, 2);
    d->ops->read_config(d, 2, c->tag, min(len, (u16)(TAG_MAX - 1)));
    c->q = virtq_create(d, 0, 128, done, c);
    if (!c->q) {
        kfree(c);
        return -ENOMEM;
    }
    virtio_ready(d);
    c->next = channels;
    channels = c;
    return 0;
}
