/* SPDX-License-Identifier: MIT */
/*
 * virtio devices (OASIS virtio 1.2), over PCI and memory-mapped registers, with split rings. Bodies in kernel/dev/virtio*.c.
 *
 *   struct virtio_dev ── transport (pci, mmio) ── registers
 *        └ struct virtq ── desc / avail / used rings ── completion callback, in interrupt context
 *
 * Locks: virtq->lock, irqsave. Callbacks run with it held and may wake wait queues.
 */
#ifndef KERNEL_VIRTIO_H
#define KERNEL_VIRTIO_H
#include <port/lock.h>
#include <port/page.h>
#include <port/sched.h>

enum virtio_id { VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5, VIRTIO_ID_9P = 9 };

struct virtio_dev;
struct virtq;

struct virtio_transport {
    u8 (*get_status)(struct virtio_dev *d);
    void (*set_status)(struct virtio_dev *d, u8 v);
    u64 (*get_features)(struct virtio_dev *d);
    void (*set_features)(struct virtio_dev *d, u64 v);
    void (*read_config)(struct virtio_dev *d, unsigned offset, void *out, unsigned n);
    /* Tells the device where the queue's rings are. 0 or -errno. */
    int (*setup_queue)(struct virtio_dev *d, struct virtq *q);
    unsigned (*queue_max)(struct virtio_dev *d, unsigned index);
    void (*notify)(struct virtio_dev *d, struct virtq *q);
};

struct virtio_dev {
    const struct virtio_transport *ops;
    unsigned id; /* enum virtio_id */
    bool legacy; /* rings given by page number, no FEATURES_OK */
    u64 features;
    void *priv;       /* the transport's */
    struct virtq *queues; /* those set up, linked by next */
};

struct vring_desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

/* What a request is made of: device-readable pieces first, then device-writable ones. Any RAM of the kernel. */
struct virtio_buf {
    phys_t addr;
    u32 len;
};

/* Called for each request that the device has finished: its token and the bytes written. q->lock held, interrupts off. */
typedef void virtq_done_fn(struct virtq *q, void *token, u32 written);

struct virtq {
    struct virtio_dev *dev;
    struct virtq *next;
    u16 index, size, nr_free, free_head, last_used;
    spinlock_t lock;
    struct vring_desc *desc;
    volatile u16 *avail; /* flags, idx, ring[size] */
    volatile u16 *used;  /* flags, idx, then {u32 id, len} */
    phys_t desc_pa, avail_pa, used_pa;
    virtq_done_fn *done;
    void *ctx;           /* the driver's */
    void **token;        /* by head descriptor */
    void *notify_reg;    /* the transport's */
    struct waitq space;  /* woken when descriptors come free */
};

#define VIRTIO_F_VERSION_1 (1UL << 32)
/* Resets the device and agrees on (wanted & offered) features, in d->features. 0, or -ENODEV when the device refuses. */
int virtio_begin(struct virtio_dev *d, u64 wanted);
/* The device goes live: after all queues are set up. */
void virtio_ready(struct virtio_dev *d);
/* A queue of at most max entries. NULL when out of memory or the device lacks it. */
struct virtq *virtq_create(struct virtio_dev *d, unsigned index, unsigned max, virtq_done_fn *done, void *ctx);
/* Queues a request and tells the device. 0, or -ENOSPC when descriptors are short (q->space wakes). Never sleeps; any context. */
int virtq_submit(struct virtq *q, const struct virtio_buf *bufs, unsigned n_out, unsigned n_in, void *token);
/* Transports call this when the device has interrupted. */
void virtq_interrupt(struct virtq *q);

/* Finds devices and starts their drivers. Boot CPU, threads may be started. */
void virtio_boot(void);
/* Called by transports for each device found. */
void virtio_device_found(struct virtio_dev *d);
void virtio_pci_scan(void);
void virtio_mmio_scan(void);

/* Drivers. 0 or -errno. */
int virtio_9p_probe(struct virtio_dev *d);
int virtio_blk_probe(struct virtio_dev *d);
int virtio_rng_probe(struct virtio_dev *d);
int virtio_console_probe(struct virtio_dev *d);
#endif
