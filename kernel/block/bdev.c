/* SPDX-License-Identifier: MIT */
/*
 * Block devices as files: read, written and mapped through a page cache of their own (Buffers in /proc/meminfo), whatever node
 * they were opened by. Disk and partition have separate caches, as on Linux.
 *
 * Invariants
 *  V1. The cache of a device is empty while nobody has it open: the last close writes it back and drops it, so that a disk
 *      changed by other means (a partition of it, the host) is seen anew.
 *
 * Locks: open_lock for openers; the inode's lock serialises writers.
 */
#include "../fs/direct.h"
#include "../fs/internal.h"
#include <arch/uaccess.h>
#include <kernel/block.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/sys.h>
#include <mm/writeback.h>
#include <port/uaccess.h>
#include <uapi/blkdev.h>

static struct superblock *bdev_sb;
static struct mutex open_lock = MUTEX_INIT(open_lock);
static const struct fs_type bdev_type = {.name = "bdev"};

static struct block_dev *dev_of(struct file *f)
{
    return f->priv;
}

/* ---- the cache ---- */

/* One bio at most max_segs pages long; the device may end within the last one. */
static int page_io(struct block_dev *d, enum bio_op op, struct page **pages, u32 n)
{
    struct bio_seg seg[64];
    u64 at = (u64)pages[0]->index << PAGE_SHIFT, size = block_bytes(d);
    if (at >= size)
        return -EIO;
    for (u32 i = 0; i < n; i++)
        seg[i] = (struct bio_seg){page_to_phys(pages[i]), PAGE_SIZE};
    u64 end = at + (u64)n * PAGE_SIZE;
    if (end > size) {
        u32 left = (u32)(size - (end - PAGE_SIZE));
        seg[n - 1].len = left;
        memset((char *)page_to_virt(pages[n - 1]) + left, 0, PAGE_SIZE - left);
    }
    return block_io(d, op, at >> SECTOR_SHIFT, 0, seg, n);
}

static int read_pages(struct address_space *m, struct page **pages, unsigned n)
{
    struct block_dev *d = ((struct inode *)m->host)->priv;
    u32 most = min(d->max_segs, 64u);
    int result = 0;
    for (unsigned i = 0; i < n; i += most) {
        u32 part = min(n - i, most);
        int err = page_io(d, BIO_READ, pages + i, part);
        for (unsigned k = i; k < i + part && !err; k++)
            page_set(pages[k], PG_uptodate);
        if (err && !result)
            result = err;
    }
    return result;
}

static int write_pages(struct address_space *m, struct page **pages, unsigned n)
{
    struct block_dev *d = ((struct inode *)m->host)->priv;
    u32 most = min(d->max_segs, 64u);
    int result = 0;
    for (unsigned i = 0; i < n; i += most) {
        int err = page_io(d, BIO_WRITE, pages + i, min(n - i, most));
        result = result ? result : err;
    }
    return result;
}

static int bdev_sync_all(struct superblock *sb)
{
    struct block_dev *d = NULL;
    int err = 0;
    while ((d = block_next(d))) {
        int e = d->parent || !d->openers ? 0 : block_flush(d);
        err = err ? err : e;
    }
    return err;
}
static const struct sb_ops bdev_sb_ops = {.sync = bdev_sync_all};

static void give_async(struct async_reads *pool, struct async_read *a)
{
    u64 flags = spin_lock_irqsave(&pool->lock);
    a->next = pool->free;
    pool->free = a;
    spin_unlock_irqrestore(&pool->lock, flags);
}

static void async_end(struct bio *bio, int err)
{
    struct async_read *a = container_of(bio, struct async_read, bio);
    struct page *page[WRITE_PAGES_MAX];
    u32 n = bio->nr_segs;
    for (u32 i = 0; i < n; i++)
        page[i] = pfn_to_page(a->seg[i].addr >> PAGE_SHIFT);
    give_async(bio->dev->async, a);
    for (u32 i = 0; i < n; i++) {
        if (!err)
            page_set(page[i], PG_uptodate);
        page_unlock(page[i]);
    }
}

/* The pages stay in the cache while they are locked. The last one of the device may be short: left to who can clear its tail. */
static bool begin_read(struct address_space *m, struct page **pages, unsigned n)
{
    struct block_dev *d = ((struct inode *)m->host)->priv;
    u64 at = (u64)pages[0]->index << PAGE_SHIFT;
    if (!d->async || n > d->max_segs || at + (u64)n * PAGE_SIZE > block_bytes(d))
        return false;
    u64 flags = spin_lock_irqsave(&d->async->lock);
    struct async_read *a = d->async->free;
    if (a)
        d->async->free = a->next;
    spin_unlock_irqrestore(&d->async->lock, flags);
    if (!a)
        return false;
    for (u32 i = 0; i < n; i++)
        a->seg[i] = (struct bio_seg){page_to_phys(pages[i]), PAGE_SIZE};
    a->bio = (struct bio){.dev = d, .op = BIO_READ, .sector = at >> SECTOR_SHIFT, .segs = a->seg, .nr_segs = n, .end = async_end};
    bio_submit_alone(&a->bio);
    return true;
}

/* Without memory for it, a disk reads ahead while its reader waits. */
static struct async_reads *async_new(void)
{
    struct async_reads *pool = kzalloc(sizeof(*pool), GFP_KERNEL);
    if (!pool)
        return NULL;
    spin_init(&pool->lock, RANK_KERNEL_LEAF);
    for (int i = 0; i < NR_ASYNC_READS; i++) {
        struct async_read *a = kmalloc(sizeof(*a), GFP_KERNEL);
        if (a)
            give_async(pool, a);
    }
    return pool;
}

/* What the files of a disk and its partitions share. 0 or -ENOMEM. */
static int disk_bdi(struct block_dev *d)
{
    struct backing_dev *b = kmalloc(sizeof(*b), GFP_KERNEL);
    if (!b)
        return -ENOMEM;
    backing_dev_init(b, d->name);
    b->io_pages = BLOCK_MAX_SECTORS >> (PAGE_SHIFT - SECTOR_SHIFT);
    if (backing_dev_start(b)) {
        kfree(b);
        return -ENOMEM;
    }
    d->bdi = b;
    d->async = async_new();
    return 0;
}

static const struct mapping_ops bdev_mapping_ops = {.read_pages = read_pages, .begin_read = begin_read, .write_pages = write_pages};

int bdev_attach(struct block_dev *d)
{
    if (d->parent) {
        d->bdi = d->parent->bdi;
        d->async = d->parent->async;
    } else if (!d->bdi) {
        int err = disk_bdi(d);
        if (err)
            return err;
    }
    if (!bdev_sb)
        bdev_sb = sb_alloc(&bdev_type, &bdev_sb_ops, 0);
    if (!bdev_sb)
        return -ENOMEM;
    struct inode *i = inode_alloc(bdev_sb, S_IFBLK | 0600, &bdev_mapping_ops, AS_BLOCKDEV);
    if (!i)
        return -ENOMEM;
    i->priv = d;
    i->mapping.bdi = d->bdi;
    i->mapping.size = block_bytes(d);
    d->inode = i;
    return 0;
}

/* ---- the file ---- */

static int bdev_open(struct file *f)
{
    struct block_dev *d = dev_of(f);
    if (!d->sectors)
        return -ENXIO;
    if (f->flags & O_EXCL) {
        int err = block_claim(d, f);
        if (err)
            return err;
    }
    f->mode |= FMODE_NOWAIT;
    mutex_lock(&open_lock);
    d->openers++;
    mutex_unlock(&open_lock);
    return 0;
}

static void bdev_release(struct file *f)
{
    struct block_dev *d = dev_of(f);
    struct address_space *m = &d->inode->mapping;
    block_release(d, f);
    mutex_lock(&open_lock);
    if (d->openers == 1) { /* V1 */
        int err = cache_sync(m, 0, ~0UL);
        if (err)
            log_print(LOG_ERR, "%s: writing back at the last close: error %d\n", d->name, err);
        cache_truncate(m, 0);
        m->size = block_bytes(d);
    }
    d->openers--;
    mutex_unlock(&open_lock);
}

static int direct_move(void *ctx, bool write, u64 pos, const struct bio_seg *seg, u32 n, u32 bytes, u32 *done)
{
    int err = block_io(ctx, write ? BIO_WRITE : BIO_READ, pos >> SECTOR_SHIFT, 0, seg, n);
    *done = err ? 0 : bytes;
    return err;
}

static ssize_t direct(struct file *f, const struct iobuf *b, size_t n, u64 *pos, bool write)
{
    struct block_dev *d = dev_of(f);
    struct direct_io io = {&d->inode->mapping, d->block_size - 1, d->max_segs, direct_move, d};
    return direct_rw(&io, b, n, pos, write);
}

static ssize_t bdev_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct address_space *m = &dev_of(f)->inode->mapping;
    u64 size = READ_ONCE(m->size); /* a read is cut before readahead sees its length */
    if (*pos >= size)
        return 0;
    n = min(n, (size_t)(size - *pos));
    if (unlikely(f->flags & O_DIRECT) && !b->kernel)
        return direct(f, b, n, pos, false);
    return cached_read(m, f->ra, b, n, pos);
}

static ssize_t bdev_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct block_dev *d = dev_of(f);
    u64 size = block_bytes(d), from = *pos;
    if (d->read_only)
        return -EPERM;
    if (READ_ONCE(d->swap))
        return -ETXTBSY;
    if (!n)
        return 0;
    if (from >= size)
        return -ENOSPC;
    if (b->nowait && !(f->flags & O_DIRECT))
        return -EOPNOTSUPP;
    n = min(n, (size_t)(size - from));
    mutex_lock(&d->inode->lock);
    ssize_t done = -ENOTBLK;
    if (unlikely(f->flags & O_DIRECT) && !b->kernel)
        done = direct(f, b, n, pos, true);
    if (done == -ENOTBLK)
        done = cached_write(&d->inode->mapping, b, n, pos);
    mutex_unlock(&d->inode->lock);
    if (done > 0 && (f->flags & O_DSYNC)) {
        int err = f->ops->fsync(f, from, *pos - 1, true);
        if (err)
            return err;
    }
    return done;
}

static s64 bdev_lseek(struct file *f, s64 off, int whence)
{
    u64 size = block_bytes(dev_of(f));
    return lseek_within(f, off, whence, size, size);
}

static int bdev_mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset)
{
    *out = (struct map_file){.mapping = &dev_of(f)->inode->mapping,
                             .ops = &file_vma_ops,
                             .file = f,
                             .readable = f->mode & FMODE_READ,
                             .writable = f->mode & FMODE_WRITE,
                             .executable = !(f->mount && (f->mount->flags & MS_NOEXEC)),
                             .max_size = 0x7fffffffffffffffUL};
    return 0;
}

static int bdev_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    struct block_dev *d = dev_of(f);
    int err = cache_sync(&d->inode->mapping, start, end), e = block_flush(d);
    return err ? err : e;
}

/* Whole blocks of [off, off + len) read as zeros from now on, or hold nothing in particular (discard). Cached pages go. */
static int drop_range(struct block_dev *d, enum bio_op op, u64 off, u64 len)
{
    u64 size = block_bytes(d), most = op == BIO_DISCARD ? d->max_discard : 1UL << 15;
    if ((off | len) & (d->block_size - 1) || !len)
        return -EINVAL;
    if (off >= size || len > size - off)
        return -EINVAL;
    if (!(op == BIO_DISCARD ? d->can_discard : d->can_write_zeroes))
        return -EOPNOTSUPP;
    most = max(ALIGN_DOWN(most, d->block_size >> SECTOR_SHIFT), (u64)(d->block_size >> SECTOR_SHIFT));
    struct address_space *m = &d->inode->mapping;
    mutex_lock(&d->inode->lock);
    int err = cache_sync(m, off, off + len - 1);
    if (!err)
        err = cache_punch(m, off, off + len);
    for (u64 at = off >> SECTOR_SHIFT, end = (off + len) >> SECTOR_SHIFT; at < end && !err;) {
        u64 n = min(end - at, most);
        err = block_io(d, op, at, n, NULL, 0);
        at += n;
    }
    mutex_unlock(&d->inode->lock);
    return err;
}

/* Zeros without the device's help, through the cache. The inode's lock is taken. */
static int write_zeros(struct block_dev *d, u64 off, u64 len)
{
    const char *zeros = page_to_virt(zero_page);
    ssize_t n = 1;
    mutex_lock(&d->inode->lock);
    for (u64 at = off; at < off + len && n > 0; at += (u64)n)
        n = cache_write_kernel(&d->inode->mapping, at, zeros, min(PAGE_SIZE - (at & ~PAGE_MASK), off + len - at));
    mutex_unlock(&d->inode->lock);
    return n < 0 ? (int)n : 0;
}

static int bdev_fallocate(struct file *f, int mode, u64 off, u64 len)
{
    struct block_dev *d = dev_of(f);
    u64 size = block_bytes(d);
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (off >= size || (off + len >= size && off + len != size && !(mode & FALLOC_FL_KEEP_SIZE)))
        return -EINVAL;
    len = min(len, size - off);
    if ((off | len) & (d->block_size - 1))
        return -EINVAL;
    bool zero = (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE;
    if (!zero && mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return -EOPNOTSUPP;
    int err = drop_range(d, BIO_WRITE_ZEROES, off, len);
    return err == -EOPNOTSUPP && zero ? write_zeros(d, off, len) : err;
}

static s64 put32(u64 arg, u32 v)
{
    return put_user(v, arg) ? -EFAULT : 0;
}
static s64 put64(u64 arg, u64 v)
{
    return put_user(v, arg) ? -EFAULT : 0;
}

static s64 range_ioctl(struct file *f, enum bio_op op, u64 arg)
{
    u64 range[2];
    if (!(f->mode & FMODE_WRITE))
        return -EBADF;
    if (copy_from_user(range, arg, sizeof(range)))
        return -EFAULT;
    return drop_range(dev_of(f), op, range[0], range[1]);
}

static s64 set_read_only(struct block_dev *d, u64 arg)
{
    s32 on;
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    if (get_user(on, arg))
        return -EFAULT;
    d->read_only = on != 0;
    return 0;
}

static s64 set_readahead(struct block_dev *d, u64 sectors)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    WRITE_ONCE(d->bdi->ra_pages, (u32)(sectors << SECTOR_SHIFT >> PAGE_SHIFT));
    return 0;
}

static s64 flush_buffers(struct block_dev *d)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    int err = cache_sync(&d->inode->mapping, 0, ~0UL);
    cache_invalidate(&d->inode->mapping, 0, ~0UL);
    return err;
}

static s64 bdev_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct block_dev *d = dev_of(f);
    switch (cmd) {
    case BLKGETSIZE64:
        return put64(arg, block_bytes(d));
    case BLKGETSIZE:
        return put64(arg, d->sectors);
    case BLKSSZGET:
        return put32(arg, d->block_size);
    case BLKPBSZGET:
    case BLKIOMIN:
        return put32(arg, d->physical_size);
    case BLKIOOPT:
    case BLKALIGNOFF:
    case BLKDISCARDZEROES:
        return put32(arg, 0);
    case BLKBSZGET:
        return put32(arg, PAGE_SIZE);
    case BLKROTATIONAL: {
        u16 one = 1;
        return put_user(one, arg) ? -EFAULT : 0;
    }
    case BLKROGET:
        return put32(arg, d->read_only);
    case BLKROSET:
        return set_read_only(d, arg);
    case BLKRAGET:
    case BLKFRAGET:
        return arg ? put64(arg, (u64)READ_ONCE(d->bdi->ra_pages) * (PAGE_SIZE >> SECTOR_SHIFT)) : -EINVAL;
    case BLKRASET:
    case BLKFRASET:
        return set_readahead(d, arg);
    case BLKSECTGET: {
        u16 sectors = (u16)BLOCK_MAX_SECTORS;
        return put_user(sectors, arg) ? -EFAULT : 0;
    }
    case BLKFLSBUF:
        return flush_buffers(d);
    case BLKDISCARD:
        return range_ioctl(f, BIO_DISCARD, arg);
    case BLKZEROOUT:
        return range_ioctl(f, BIO_WRITE_ZEROES, arg);
    case BLKRRPART:
        return capable(CAP_SYS_ADMIN) ? disk_rescan(d) : -EACCES;
    default:
        return -ENOTTY;
    }
}

const struct file_ops bdev_fops = {.read = bdev_read,
                                   .write = bdev_write,
                                   .lseek = bdev_lseek,
                                   .mmap = bdev_mmap,
                                   .fsync = bdev_fsync,
                                   .direct = true,
                                   .fallocate = bdev_fallocate,
                                   .ioctl = bdev_ioctl,
                                   .open = bdev_open,
                                   .release = bdev_release};
