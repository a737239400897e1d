/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (virtio 1.2, 2.7) and the start of a device (3.1).
 *
 *   one allocation:  desc[size] | avail | pad to 4096 | used      (the legacy layout, which serves the modern interface too)
 *
 * Invariants
 *  1. nr_free is the length of the free chain that starts at free_head.
 *  2. token[h] is set exactly while the chain with head h belongs to the device.
 *
 * Locks: q->lock, irqsave.
 */
#include <kernel/virtio.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <port/log.h>

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED      128
#define DESC_NEXT          1
#define DESC_WRITE         2

int virtio_begin(struct virtio_dev *d, u64 wanted)
{
    d->ops->set_status(d, 0);
    while (d->ops->get_status(d))
        cpu_relax();
    d->ops->set_status(d, STATUS_ACKNOWLEDGE);
    d->ops->set_status(d, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    u64 offered = d->ops->get_features(d);
    if (!d->legacy)
        wanted |= VIRTIO_F_VERSION_1;
    d->features = offered & wanted;
    if (!d->legacy && !(d->features & VIRTIO_F_VERSION_1))
        goto refuse;
    d->ops->set_features(d, d->features);
    if (d->legacy)
        return 0;
    d->ops->set_status(d, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    if (d->ops->get_status(d) & STATUS_FEATURES_OK)
        return 0;
refuse:
    d->ops->set_status(d, STATUS_FAILED);
    return -ENODEV;
}

void virtio_ready(struct virtio_dev *d)
{
    d->ops->set_status(d, (u8)(d->ops->get_status(d) | STATUS_DRIVER_OK));
}

static void lay_out(struct virtq *q, void *mem, phys_t pa)
{
    size_t avail = sizeof(struct vring_desc) * q->size;
    size_t used = ALIGN_UP(avail + 2 * (3 + (size_t)q->size), PAGE_SIZE);
    q->desc = mem;
    q->avail = (volatile u16 *)((char *)mem + avail);
    q->used = (volatile u16 *)((char *)mem + used);
    q->desc_pa = pa;
    q->avail_pa = pa + avail;
    q->used_pa = pa + used;
    for (u16 i = 0; i < q->size; i++)
        q->desc[i].next = (u16)(i + 1);
    q->nr_free = q->size;
}

struct virtq *virtq_create(struct virtio_dev *d, unsigned index, unsigned max, virtq_done_fn *done, void *ctx)
{
    unsigned size = d->ops->queue_max(d, index);
    if (!size)
        return NULL;
    if (!d->legacy) /* a legacy device fixes the size */
        size = min(size, max);
    struct virtq *q = kzalloc(sizeof(*q), GFP_KERNEL);
    void **token = kzalloc(sizeof(void *) * size, GFP_KERNEL);
    size_t bytes = ALIGN_UP(18 * (size_t)size + 6, PAGE_SIZE) + ALIGN_UP(8 * (size_t)size + 6, PAGE_SIZE);
    unsigned order = bytes > PAGE_SIZE ? ilog2_u64(bytes - 1) - PAGE_SHIFT + 1 : 0;
    struct page *page = alloc_pages(GFP_KERNEL | GFP_ZERO, order);
    if (!q || !token || !page)
        goto fail;
    q->dev = d;
    q->index = (u16)index;
    q->size = (u16)size;
    q->token = token;
    q->done = done;
    q->ctx = ctx;
    spin_init(&q->lock, RANK_KERNEL_LEAF);
    waitq_init(&q->space);
    lay_out(q, page_to_virt(page), page_to_phys(page));
    if (d->ops->setup_queue(d, q))
        goto fail;
    q->next = d->queues;
    d->queues = q;
    return q;
fail:
    if (page)
        free_pages(page, order);
    kfree(token);
    kfree(q);
    return NULL;
}

int virtq_submit(struct virtq *q, const struct virtio_buf *bufs, unsigned n_out, unsigned n_in, void *token)
{
    unsigned n = n_out + n_in;
    u64 flags = spin_lock_irqsave(&q->lock);
    if (q->nr_free < n) {
        spin_unlock_irqrestore(&q->lock, flags);
        return -ENOSPC;
    }
    u16 head = q->free_head, at = head;
    for (unsigned i = 0; i < n; i++) {
        struct vring_desc *desc = &q->desc[at];
        desc->addr = bufs[i].addr;
        desc->len = bufs[i].len;
        desc->flags = (u16)((i + 1 < n ? DESC_NEXT : 0) | (i >= n_out ? DESC_WRITE : 0));
        at = desc->next;
    }
    q->free_head = at;
    q->nr_free = (u16)(q->nr_free - n);
    q->token[head] = token;
    u16 idx = q->avail[1];
    q->avail[2 + idx % q->size] = head;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the device sees the entry before the index */
    q->avail[1] = (u16)(idx + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    q->dev->ops->notify(q->dev, q);
    spin_unlock_irqrestore(&q->lock, flags);
    return 0;
}

static void release_chain(struct virtq *q, u16 head)
{
    u16 at = head, n = 1;
    while (q->desc[at].flags & DESC_NEXT) {
        at = q->desc[at].next;
        n++;
    }
    q->desc[at].next = q->free_head;
    q->free_head = head;
    q->nr_free = (u16)(q->nr_free + n);
}

void virtq_interrupt(struct virtq *q)
{
    u64 flags = spin_lock_irqsave(&q->lock);
    bool any = false;
    while (q->last_used != q->used[1]) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the entry is read after the index */
        const volatile u32 *entry = (const volatile u32 *)(q->used + 2) + 2 * (q->last_used % q->size);
        u32 head = entry[0], written = entry[1];
        q->last_used++;
        if (head >= q->size || !q->token[head]) {
            log_print(LOG_ERR, "virtio: device %u queue %u returned a request (%u) that is not its own\n", q->dev->id, q->index,
                      head);
            continue;
        }
        void *token = q->token[head];
        q->token[head] = NULL;
        release_chain(q, (u16)head);
        q->done(q, token, written);
        any = true;
    }
    spin_unlock_irqrestore(&q->lock, flags);
    if (any)
        waitq_wake_all(&q->space);
}

void virtio_device_found(struct virtio_dev *d)
{
    int err;
    switch (d->id) {
    case VIRTIO_ID_BLOCK:
        err = virtio_blk_probe(d);
        break;
    case VIRTIO_ID_9P:
        err = virtio_9p_probe(d);
        break;
    case VIRTIO_ID_RNG:
        err = virtio_rng_probe(d);
        break;
    case VIRTIO_ID_CONSOLE:
        err = virtio_console_probe(d);
        break;
    default:
        log_print(LOG_INFO, "virtio: no driver for device type %u\n", d->id);
        return;
    }
    if (err)
        log_print(LOG_WARN, "virtio: device type %u does not start: error %d\n", d->id, err);
}

void virtio_boot(void)
{
    virtio_pci_scan();
    virtio_mmio_scan();
}
