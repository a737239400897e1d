/* SPDX-License-Identifier: MIT */
/*
 * Requests to block devices: checked and moved to the disk, counted, handed to the driver, waited for.
 *
 *   bio_submit: range and rights ── partition -> disk ── counted ── driver->submit ... bio_complete: counted, batch told
 *
 * Invariants
 *  B1. A batch's pending is the number of its bios submitted and not complete: the waiter's stack, on which all of them lie, is
 *      left only at 0, and only after the last completer has let go of the batch's lock.
 *
 * Locks: bio_batch.lock.
 */
#include <kernel/block.h>
#include <kernel/task.h>
#include <mm/stat.h>
#include <port/clock.h>
#include <port/log.h>

void bio_batch_init(struct bio_batch *b)
{
    spin_init(&b->lock, RANK_KERNEL_LEAF);
    waitq_init(&b->wait);
    b->pending = 0;
    b->err = 0;
}

static void batch_done(struct bio_batch *b, int err)
{
    u64 flags = spin_lock_irqsave(&b->lock);
    if (err && !b->err)
        b->err = err;
    ASSERT(b->pending); /* B1 */
    b->pending--;
    if (!b->pending)
        waitq_wake_all(&b->wait);
    spin_unlock_irqrestore(&b->lock, flags);
}

static bool batch_is_done(struct bio_batch *b)
{
    u64 flags = spin_lock_irqsave(&b->lock);
    bool done = !b->pending;
    spin_unlock_irqrestore(&b->lock, flags);
    return done;
}

int bio_batch_wait(struct bio_batch *b)
{
    bool io = sched_set_iowait(true);
    waitq_wait(&b->wait, batch_is_done(b));
    sched_set_iowait(io);
    return b->err;
}

static void finish(struct bio *bio, int err)
{
    if (bio->end)
        bio->end(bio, err);
    else
        batch_done(bio->batch, err);
}

static inline void add(u64 *counter, u64 n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void count_start(struct block_dev *d, u64 now)
{
    if (__atomic_fetch_add(&d->stat.in_flight, 1, __ATOMIC_RELAXED) == 0)
        WRITE_ONCE(d->stat.busy_since, now);
}

static void count_end(struct block_dev *d, const struct bio *bio, u64 now)
{
    add(&d->stat.ios[bio->op], 1);
    add(&d->stat.sectors[bio->op], bio->nr_sectors);
    add(&d->stat.ns[bio->op], now - bio->start_ns);
    u64 since = READ_ONCE(d->stat.busy_since);
    if (__atomic_sub_fetch(&d->stat.in_flight, 1, __ATOMIC_RELAXED) == 0 && now > since)
        add(&d->stat.busy_ns, now - since);
}

void bio_complete(struct bio *bio, int err)
{
    u64 now = clock_ns();
    struct block_dev *d = bio->dev;
    count_end(d, bio, now);
    if (d->parent)
        count_end(d->parent, bio, now);
    finish(bio, err);
}

/* 0, or why the device need not be asked. */
static int check(struct bio *bio)
{
    const struct block_dev *d = bio->dev;
    u64 bytes = 0;
    if (bio->op == BIO_READ || bio->op == BIO_WRITE) {
        ASSERT(bio->nr_segs && bio->nr_segs <= d->max_segs);
        for (u32 i = 0; i < bio->nr_segs; i++)
            bytes += bio->segs[i].len;
        bio->nr_sectors = bytes >> SECTOR_SHIFT;
    }
    if (bio->op != BIO_READ && d->read_only)
        return bio->op == BIO_FLUSH ? 0 : -EROFS;
    if (bio->op == BIO_FLUSH)
        return 0;
    u64 block = d->block_size >> SECTOR_SHIFT;
    if ((bytes | (bio->sector | bio->nr_sectors) << SECTOR_SHIFT) & (d->block_size - 1))
        return -EINVAL;
    if (bio->sector > d->sectors || bio->nr_sectors > d->sectors - bio->sector || bio->nr_sectors < block)
        return -EIO;
    if ((bio->op == BIO_DISCARD && !d->can_discard) || (bio->op == BIO_WRITE_ZEROES && !d->can_write_zeroes))
        return -EOPNOTSUPP;
    return 0;
}

void bio_submit_alone(struct bio *bio)
{
    struct block_dev *d = bio->dev, *disk = d->parent ? d->parent : d;
    int err = check(bio);
    if (err) {
        finish(bio, err);
        return;
    }
    if (bio->op == BIO_READ) {
        stat_event_add(PGPGIN, bio->nr_sectors);
        current_task()->io_read_bytes += bio->nr_sectors << SECTOR_SHIFT;
    } else if (bio->op == BIO_WRITE) {
        stat_event_add(PGPGOUT, bio->nr_sectors);
    }
    bio->start_ns = clock_ns();
    count_start(d, bio->start_ns);
    if (d->parent)
        count_start(disk, bio->start_ns);
    if (bio->op == BIO_FLUSH && !disk->write_cache)
        bio_complete(bio, 0);
    else
        disk->driver->submit(disk, bio);
}

void bio_submit(struct bio *bio, struct bio_batch *batch)
{
    u64 flags = spin_lock_irqsave(&batch->lock);
    batch->pending++;
    spin_unlock_irqrestore(&batch->lock, flags);
    bio->batch = batch;
    bio_submit_alone(bio);
}

int block_io(struct block_dev *d, enum bio_op op, u64 sector, u64 nr_sectors, const struct bio_seg *segs, u32 nr_segs)
{
    struct bio_batch batch;
    struct bio bio = {.dev = d, .op = op, .sector = sector, .nr_sectors = nr_sectors, .segs = segs, .nr_segs = nr_segs};
    bio_batch_init(&batch);
    bio_submit(&bio, &batch);
    return bio_batch_wait(&batch);
}

int block_flush(struct block_dev *d)
{
    return block_io(d, BIO_FLUSH, 0, 0, NULL, 0);
}
