/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk (virtio 1.2, 5.2): disks vda, vdb, ... with a queue per CPU where the device has them.
 *
 *   request on the ring:  header {type, sector} | data or ranges ... | status byte
 *
 * Invariants
 *  1. Headers and status bytes come from a pool made with the queue: a request never waits for memory, so that writing pages out
 *     can free some. Free ones are linked by next; every other one is on the ring or about to be.
 *
 * Locks: vqueue.lock (irqsave) guards the pool. Completion runs under the virtq's lock and takes vqueue.lock inside it.
 */
#include <kernel/block.h>
#include <kernel/virtio.h>
#include <lib/errno.h>
#include <lib/fmt.h>
#include <mm/slab.h>
#include <port/cpu.h>
#include <port/log.h>

#define F_SEG_MAX      (1UL << 2)
#define F_RO           (1UL << 5)
#define F_BLK_SIZE     (1UL << 6)
#define F_FLUSH        (1UL << 9)
#define F_TOPOLOGY     (1UL << 10)
#define F_MQ           (1UL << 12)
#define F_DISCARD      (1UL << 13)
#define F_WRITE_ZEROES (1UL << 14)

#define C_CAPACITY     0
#define C_SEG_MAX      12
#define C_BLK_SIZE     20
#define C_PHYSICAL_EXP 24
#define C_NUM_QUEUES   34
#define C_MAX_DISCARD  36

enum request_type { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum request_status { S_OK, S_IOERR, S_UNSUPP };

#define QUEUE_MAX  256
#define MAX_QUEUES 16
#define MAX_SEGS   64 /* of one request: a ring of 256 holds at least three of them */

struct request {
    struct {
        u32 type, reserved;
        u64 sector;
    } header;
    struct {
        u64 sector;
        u32 nr_sectors, flags;
    } range; /* of a discard */
    u8 status;
    struct bio *bio;
    struct request *next;
};

struct vqueue {
    struct virtq *q;
    spinlock_t lock;
    struct request *free, *pool;
};

struct vblk {
    struct virtio_dev *dev;
    u32 nr_queues;
    struct vqueue queue[MAX_QUEUES];
    struct block_dev disk;
};

static u32 nr_disks;

static struct request *take(struct vqueue *v)
{
    u64 flags = spin_lock_irqsave(&v->lock);
    struct request *r = v->free;
    if (r)
        v->free = r->next;
    spin_unlock_irqrestore(&v->lock, flags);
    return r;
}

static void give(struct vqueue *v, struct request *r)
{
    u64 flags = spin_lock_irqsave(&v->lock);
    r->next = v->free;
    v->free = r;
    spin_unlock_irqrestore(&v->lock, flags);
}

static void done(struct virtq *q, void *token, u32 written)
{
    struct request *r = token;
    struct bio *bio = r->bio;
    int err = r->status == S_OK ? 0 : r->status == S_UNSUPP ? -EOPNOTSUPP : -EIO;
    give(q->ctx, r);
    bio_complete(bio, err);
}

static const enum request_type type_of[NR_BIO_OPS] = {[BIO_READ] = T_IN,
                                                      [BIO_WRITE] = T_OUT,
                                                      [BIO_DISCARD] = T_DISCARD,
                                                      [BIO_WRITE_ZEROES] = T_WRITE_ZEROES,
                                                      [BIO_FLUSH] = T_FLUSH};

/* False when the ring or the pool has no room now. */
static bool try_submit(struct vqueue *v, struct bio *bio, u64 sector)
{
    struct request *r = take(v);
    if (!r)
        return false;
    struct virtio_buf buf[MAX_SEGS + 2];
    u32 n = 0, n_out = 1;
    r->bio = bio;
    r->status = 0xff;
    r->header.type = type_of[bio->op];
    r->header.reserved = 0;
    r->header.sector = bio->op == BIO_READ || bio->op == BIO_WRITE ? sector : 0;
    buf[n++] = (struct virtio_buf){virt_to_phys(&r->header), sizeof(r->header)};
    if (bio->op == BIO_DISCARD || bio->op == BIO_WRITE_ZEROES) {
        r->range.sector = sector;
        r->range.nr_sectors = (u32)bio->nr_sectors;
        r->range.flags = 0;
        buf[n++] = (struct virtio_buf){virt_to_phys(&r->range), sizeof(r->range)};
        n_out = 2;
    }
    for (u32 i = 0; i < bio->nr_segs; i++)
        buf[n++] = (struct virtio_buf){bio->segs[i].addr, bio->segs[i].len};
    if (bio->op == BIO_WRITE)
        n_out += bio->nr_segs;
    buf[n++] = (struct virtio_buf){virt_to_phys(&r->status), 1};
    if (virtq_submit(v->q, buf, n_out, n - n_out, r) == 0)
        return true;
    give(v, r);
    return false;
}

static void submit(struct block_dev *d, struct bio *bio)
{
    struct vblk *b = d->priv;
    struct vqueue *v = &b->queue[cpu_id() % b->nr_queues];
    u64 sector = bio->sector + bio->dev->start;
    waitq_wait(&v->q->space, try_submit(v, bio, sector));
}

static struct block_driver driver = {.name = "virtblk", .major = 254, .submit = submit};

static int queue_init(struct vblk *b, u32 index)
{
    struct vqueue *v = &b->queue[index];
    spin_init(&v->lock, RANK_KERNEL_LEAF);
    v->q = virtq_create(b->dev, index, QUEUE_MAX, done, v);
    if (!v->q)
        return -ENOMEM;
    u32 n = max(v->q->size / 3u, 1u);
    v->pool = kzalloc(n * sizeof(*v->pool), GFP_KERNEL);
    if (!v->pool)
        return -ENOMEM;
    for (u32 i = 0; i < n; i++)
        give(v, &v->pool[i]);
    return 0;
}

static u32 read32(struct virtio_dev *d, unsigned offset)
{
    u32 v = 0;
    d->ops->read_config(d, offset, &v, sizeof(v));
    return v;
}

static void read_geometry(struct virtio_dev *d, struct block_dev *disk)
{
    u8 exponent = 0;
    d->ops->read_config(d, C_CAPACITY, &disk->sectors, sizeof(disk->sectors));
    disk->block_size = d->features & F_BLK_SIZE ? read32(d, C_BLK_SIZE) : SECTOR_SIZE;
    if (disk->block_size < SECTOR_SIZE || disk->block_size > PAGE_SIZE || (disk->block_size & (disk->block_size - 1)))
        disk->block_size = SECTOR_SIZE;
    if (d->features & F_TOPOLOGY)
        d->ops->read_config(d, C_PHYSICAL_EXP, &exponent, 1);
    disk->physical_size = disk->block_size << min(exponent, (u8)8);
    disk->max_segs = MAX_SEGS;
    if (d->features & F_SEG_MAX)
        disk->max_segs = min(disk->max_segs, max(read32(d, C_SEG_MAX), 1u));
    disk->read_only = d->features & F_RO;
    disk->write_cache = d->features & F_FLUSH;
    disk->can_discard = d->features & F_DISCARD;
    disk->can_write_zeroes = d->features & F_WRITE_ZEROES;
    disk->max_discard = d->features & F_DISCARD ? read32(d, C_MAX_DISCARD) : 0;
}

int virtio_blk_probe(struct virtio_dev *d)
{
    int err = virtio_begin(d, F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_MQ | F_DISCARD | F_WRITE_ZEROES);
    if (err)
        return err;
    if (nr_disks >= 26)
        return -ENOSPC;
    struct vblk *b = kzalloc(sizeof(*b), GFP_KERNEL);
    if (!b)
        return -ENOMEM;
    u16 queues = 1;
    if (d->features & F_MQ)
        d->ops->read_config(d, C_NUM_QUEUES, &queues, 2);
    b->dev = d;
    u32 want = min(min((u32)queues, (u32)cpumask_weight(cpu_online_mask())), (u32)MAX_QUEUES);
    while (b->nr_queues < want && !queue_init(b, b->nr_queues))
        b->nr_queues++;
    if (!b->nr_queues) {
        d->ops->set_status(d, 0); /* the device lets go of what it was given */
        return -ENOMEM;
    }
    read_geometry(d, &b->disk);
    for (u32 i = 0; i < b->nr_queues; i++)
        b->disk.max_segs = min(b->disk.max_segs, b->queue[i].q->size - 2u);
    b->disk.driver = &driver;
    b->disk.priv = b;
    b->disk.major = driver.major;
    b->disk.minor = nr_disks * 16;
    fmt_print(b->disk.name, sizeof(b->disk.name), "vd%c", 'a' + (int)nr_disks);
    nr_disks++;
    virtio_ready(d);
    return disk_add(&b->disk);
}
