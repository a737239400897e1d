/* SPDX-License-Identifier: MIT */
/*
 * Block devices: disks, their partitions, and requests to them. Bodies in kernel/block/; drivers in kernel/dev/.
 *
 *   reader ── bio_batch ─┬─ bio ── partition: sector moved ── disk ── driver->submit ── device
 *                        └─ bio                                                           │ interrupt
 *   reader <── bio_batch_wait <──────────────────── bio_complete <───────────────────────┘
 *
 * A batch is what one thread waits for: it lives on its stack, and so do its bios. Many may be under way at once. Readahead has bios
 * that nobody waits for.
 *
 * Locks: bio_batch.lock, irqsave, innermost. Devices are never removed.
 */
#ifndef KERNEL_BLOCK_H
#define KERNEL_BLOCK_H
#include <kernel/file.h>
#include <kernel/partition.h>

#define SECTOR_SHIFT 9
#define BLOCK_MAX_SECTORS 2560u /* of one read or write that the device is given at best: Linux's figure */

enum bio_op { BIO_READ, BIO_WRITE, BIO_DISCARD, BIO_WRITE_ZEROES, BIO_FLUSH, NR_BIO_OPS };

struct bio_seg { /* a piece of RAM within one frame or several neighbouring ones; a multiple of the device's block */
    phys_t addr;
    u32 len;
};

struct block_dev;

/* Requests that are waited for together. Used by one thread. */
struct bio_batch {
    spinlock_t lock;
    struct waitq wait;
    u32 pending;
    int err; /* of the first that failed */
};

struct bio {
    struct block_dev *dev;
    enum bio_op op;
    u64 sector;     /* of 512 bytes, from the start of dev */
    u64 nr_sectors; /* filled in by bio_submit() for BIO_READ and BIO_WRITE */
    const struct bio_seg *segs; /* BIO_READ, BIO_WRITE: stay until it is complete */
    u32 nr_segs;                /* 1 .. block_max_segs(dev) */
    u64 start_ns;
    struct bio_batch *batch;
    void (*end)(struct bio *bio, int err); /* instead of a batch: called when it is complete, in any context */
};

/* Reads that nobody waits for (mapping_ops.begin_read) take their requests from here: interrupts can't free memory. */
struct async_read {
    struct bio bio;
    struct async_read *next;
    struct bio_seg seg[WRITE_PAGES_MAX];
};
struct async_reads {
    spinlock_t lock; /* irqsave */
    struct async_read *free;
};
#define NR_ASYNC_READS 16

struct block_driver {
    const char *name; /* of the major number, in /proc/devices */
    u32 major;
    /* Hands bio to the device; bio_complete() follows, in any context. May sleep for room. Never fails without bio_complete(). */
    void (*submit)(struct block_dev *d, struct bio *bio);
};

struct block_stat { /* as in /proc/diskstats, by enum bio_op; relaxed atomics */
    u64 ios[NR_BIO_OPS], sectors[NR_BIO_OPS], ns[NR_BIO_OPS];
    u64 in_flight, busy_ns, busy_since;
};

struct block_dev {
    char name[24]; /* "vda", "vda1" */
    u32 major, minor;
    u64 sectors;
    u32 block_size;    /* logical: a power of two, 512 .. 4096 */
    u32 physical_size;
    bool read_only, write_cache;
    bool can_discard, can_write_zeroes;
    u32 max_segs;      /* of one bio */
    u64 max_discard;   /* sectors of one bio */
    const struct block_driver *driver;
    void *priv;               /* the driver's */
    struct block_dev *parent; /* a partition's disk; NULL: a disk */
    u64 start;                /* of a partition, in sectors of the disk */
    u32 part;                 /* its number; 0: a disk */
    struct backing_dev *bdi;  /* the disk's; partitions share it */
    struct async_reads *async; /* likewise; NULL: there was no memory for them */
    struct inode *inode;      /* nameless; its mapping is the device's cache (Buffers) */
    u32 openers;              /* of this device; under open_lock of bdev.c */
    bool swap;                /* in use by swapon: not to be written as a file */
    void *holder;             /* who claimed it (O_EXCL, swap); NULL: nobody */
    struct block_stat stat;
    struct block_dev *next;   /* in the order of registration */
};

static inline u64 block_bytes(const struct block_dev *d)
{
    return d->sectors << SECTOR_SHIFT;
}

/* ---- requests (kernel/block/bio.c) ---- */
void bio_batch_init(struct bio_batch *b);
/* Starts bio as one of batch. A range outside the device, or a write to a read-only one, completes at once with -EIO, -EROFS. May sleep. */
void bio_submit(struct bio *bio, struct bio_batch *batch);
/* Starts bio by itself: bio->end is called, in any case. May sleep. */
void bio_submit_alone(struct bio *bio);
/* Waits until all of the batch are complete. 0, or the first error. Sleeps, not to be interrupted. */
int bio_batch_wait(struct bio_batch *b);
/* By drivers, once for each bio: err 0 or -errno. Any context. */
void bio_complete(struct bio *bio, int err);
/* One request, waited for. */
int block_io(struct block_dev *d, enum bio_op op, u64 sector, u64 nr_sectors, const struct bio_seg *segs, u32 nr_segs);
/* All that was written before is on stable storage. 0 or -errno. */
int block_flush(struct block_dev *d);

/* ---- devices (kernel/block/disk.c) ---- */
/* Announces a disk whose fields up to priv are set, and finds its partitions. Takes d over. 0 or -errno. Sleeps. */
int disk_add(struct block_dev *d);
/* Reads the partition table anew. -EBUSY when a partition is open. */
int disk_rescan(struct block_dev *d);
/* The first (NULL) or next device. Needs no lock. */
struct block_dev *block_next(struct block_dev *d);
struct block_dev *block_find(u32 major, u32 minor);
/* Claims d for holder, against other claims. 0 or -EBUSY. */
int block_claim(struct block_dev *d, void *holder);
void block_release(struct block_dev *d, void *holder);

/* ---- devices as files (kernel/block/bdev.c) ---- */
/* The inode whose mapping caches d. 0 or -ENOMEM. */
int bdev_attach(struct block_dev *d);
extern const struct file_ops bdev_fops;

void block_boot(void);
#endif
