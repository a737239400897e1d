/* SPDX-License-Identifier: MIT */
/*
 * Disks and their partitions: the list of block devices, /proc/partitions, /proc/diskstats, /sys/block.
 *
 *   driver ── disk_add ── list, /dev/NAME ── partition_scan ── list, /dev/NAMEn
 *
 * Invariants
 *  K1. The list only grows at its end: readers need no lock. A partition that a rescan no longer finds stays, with no sectors.
 *
 * Locks: disk_lock (mutex) for changes; claim_lock for holders.
 */
#include <kernel/block.h>
#include <lib/errno.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <mm/writeback.h>
#include <port/clock.h>
#include <port/log.h>

#define MAX_PARTITIONS 15u /* a disk has 16 minor numbers */

static struct block_dev *devices, **tail = &devices;
static struct mutex disk_lock = MUTEX_INIT(disk_lock);
static struct mutex claim_lock = MUTEX_INIT(claim_lock);

struct block_dev *block_next(struct block_dev *d)
{
    return d ? load_acquire(&d->next) : load_acquire(&devices);
}

struct block_dev *block_find(u32 major, u32 minor)
{
    struct block_dev *d = NULL;
    while ((d = block_next(d)))
        if (d->major == major && d->minor == minor && d->sectors)
            return d;
    return NULL;
}

static bool is_claimed(struct block_dev *d, const void *holder)
{
    struct block_dev *p = NULL;
    if (d->holder && d->holder != holder)
        return true;
    if (d->parent)
        return d->parent->holder && d->parent->holder != holder;
    while ((p = block_next(p)))
        if (p->parent == d && p->holder && p->holder != holder)
            return true;
    return false;
}

int block_claim(struct block_dev *d, void *holder)
{
    mutex_lock(&claim_lock);
    int err = is_claimed(d, holder) ? -EBUSY : 0;
    if (!err)
        d->holder = holder;
    mutex_unlock(&claim_lock);
    return err;
}

void block_release(struct block_dev *d, void *holder)
{
    mutex_lock(&claim_lock);
    if (d->holder == holder)
        d->holder = NULL;
    mutex_unlock(&claim_lock);
}

/* ---- /sys/block/NAME ---- */

static void show_size(struct seq *s, void *arg)
{
    seq_printf(s, "%lu\n", ((struct block_dev *)arg)->sectors);
}
static void show_ro(struct seq *s, void *arg)
{
    seq_printf(s, "%d\n", ((struct block_dev *)arg)->read_only);
}
static void show_dev(struct seq *s, void *arg)
{
    const struct block_dev *d = arg;
    seq_printf(s, "%u:%u\n", d->major, d->minor);
}
static void show_start(struct seq *s, void *arg)
{
    seq_printf(s, "%lu\n", ((struct block_dev *)arg)->start);
}
static void show_part(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", ((struct block_dev *)arg)->part);
}
static void show_logical(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", ((struct block_dev *)arg)->block_size);
}
static void show_physical(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", ((struct block_dev *)arg)->physical_size);
}
static void show_write_cache(struct seq *s, void *arg)
{
    seq_puts(s, ((struct block_dev *)arg)->write_cache ? "write back\n" : "write through\n");
}
static void show_discard_max(struct seq *s, void *arg)
{
    const struct block_dev *d = arg;
    seq_printf(s, "%lu\n", d->can_discard ? d->max_discard << SECTOR_SHIFT : 0);
}
static void show_max_sectors(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", BLOCK_MAX_SECTORS / 2);
}
static void show_read_ahead(struct seq *s, void *arg)
{
    seq_printf(s, "%lu\n", (u64)READ_ONCE(((struct block_dev *)arg)->bdi->ra_pages) * (PAGE_SIZE / 1024));
}
static int store_read_ahead(const char *text, size_t n, void *arg)
{
    u64 kib;
    const char *end;
    if (!n)
        return 0; /* nothing written to a file of /sys changes nothing */
    if (str_parse_u64(text, 10, &kib, &end) || (*end && *end != '\n'))
        return -EINVAL;
    if (kib > U32_MAX)
        return -ERANGE;
    WRITE_ONCE(((struct block_dev *)arg)->bdi->ra_pages, (u32)(kib / (PAGE_SIZE / 1024)));
    return 0;
}
static void show_one(struct seq *s, void *arg)
{
    seq_puts(s, "1\n");
}
static void show_zero(struct seq *s, void *arg)
{
    seq_puts(s, "0\n");
}

/* The numbers of /proc/diskstats: reads, writes, under way, discards, flushes. */
static void put_stat(struct seq *s, const struct block_dev *d)
{
    static const enum bio_op both[] = {BIO_READ, BIO_WRITE};
    const struct block_stat *t = &d->stat;
    u64 total = 0;
    for (u32 i = 0; i < NR_BIO_OPS; i++)
        total += t->ns[i];
    for (u32 i = 0; i < 2; i++)
        seq_printf(s, "%lu 0 %lu %lu ", t->ios[both[i]], t->sectors[both[i]], t->ns[both[i]] / 1000000);
    u64 busy = t->busy_ns + (READ_ONCE(t->in_flight) ? clock_ns() - READ_ONCE(t->busy_since) : 0);
    seq_printf(s, "%lu %lu %lu ", t->in_flight, busy / 1000000, total / 1000000);
    seq_printf(s, "%lu 0 %lu %lu ", t->ios[BIO_DISCARD], t->sectors[BIO_DISCARD], t->ns[BIO_DISCARD] / 1000000);
    seq_printf(s, "%lu %lu\n", t->ios[BIO_FLUSH], t->ns[BIO_FLUSH] / 1000000);
}
static void show_stat(struct seq *s, void *arg)
{
    put_stat(s, arg);
}

/* The path of a device's file or folder in /sys; never freed, as devices are. NULL: no memory. */
static char *sys_path(const struct block_dev *d, const char *file)
{
    char *path = kmalloc(96, GFP_KERNEL);
    if (path && d->parent)
        fmt_print(path, 96, "/sys/block/%s/%s/%s", d->parent->name, d->name, file);
    else if (path)
        fmt_print(path, 96, "/sys/block/%s/%s", d->name, file);
    return path;
}

static void show_in_sys(struct block_dev *d)
{
    static const struct {
        const char *name;
        void (*show)(struct seq *s, void *arg);
        u32 kind; /* 1 disks, 2 partitions, 3 both */
    } files[] = {{"size", show_size, 3},
                 {"ro", show_ro, 3},
                 {"dev", show_dev, 3},
                 {"stat", show_stat, 3},
                 {"start", show_start, 2},
                 {"partition", show_part, 2},
                 {"removable", show_zero, 1},
                 {"queue/logical_block_size", show_logical, 1},
                 {"queue/hw_sector_size", show_logical, 1},
                 {"queue/physical_block_size", show_physical, 1},
                 {"queue/minimum_io_size", show_physical, 1},
                 {"queue/optimal_io_size", show_zero, 1},
                 {"queue/max_sectors_kb", show_max_sectors, 1},
                 {"queue/read_ahead_kb", show_read_ahead, 1},
                 {"queue/rotational", show_one, 1},
                 {"queue/write_cache", show_write_cache, 1},
                 {"queue/discard_max_bytes", show_discard_max, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char *path = files[i].kind & (d->parent ? 2u : 1u) ? sys_path(d, files[i].name) : NULL;
        bool writable = files[i].show == show_read_ahead;
        if (path)
            proc_register(&(struct proc_file){.path = path,
                                              .mode = writable ? 0644 : 0444,
                                              .show = files[i].show,
                                              .store = writable ? store_read_ahead : NULL,
                                              .arg = d});
    }
}

/* ---- registration ---- */

static int publish(struct block_dev *d)
{
    int err = bdev_attach(d);
    if (err)
        return err;
    store_release(tail, d);
    tail = &d->next;
    show_in_sys(d);
    return dev_register(d->name, S_IFBLK | 0660, d->major, d->minor, &bdev_fops, d);
}

static struct block_dev *find_part(struct block_dev *disk, u32 number)
{
    struct block_dev *p = NULL;
    while ((p = block_next(p)))
        if (p->parent == disk && p->part == number)
            return p;
    return NULL;
}

static int add_part(struct block_dev *disk, const struct partition *found)
{
    struct block_dev *p = find_part(disk, found->number);
    bool fresh = !p;
    if (fresh && !(p = kzalloc(sizeof(*p), GFP_KERNEL)))
        return -ENOMEM;
    if (fresh) {
        *p = (struct block_dev){.major = disk->major,
                                .minor = disk->minor + found->number,
                                .block_size = disk->block_size,
                                .physical_size = disk->physical_size,
                                .read_only = disk->read_only,
                                .write_cache = disk->write_cache,
                                .can_discard = disk->can_discard,
                                .can_write_zeroes = disk->can_write_zeroes,
                                .max_segs = disk->max_segs,
                                .max_discard = disk->max_discard,
                                .parent = disk,
                                .part = found->number};
        u32 n = (u32)str_len(disk->name);
        bool digit = disk->name[n - 1] >= '0' && disk->name[n - 1] <= '9';
        fmt_print(p->name, sizeof(p->name), "%s%s%u", disk->name, digit ? "p" : "", found->number);
    }
    p->start = found->start;
    p->sectors = found->sectors;
    if (!fresh) {
        p->inode->mapping.size = block_bytes(p);
        return dev_node_add(p->name, S_IFBLK | 0660, p->major, p->minor);
    }
    int err = publish(p);
    if (err && !p->inode)
        kfree(p);
    return err;
}

static int read_sectors(void *ctx, u64 sector, void *buf, u32 n)
{
    struct bio_seg seg = {virt_to_phys(buf), n * SECTOR_SIZE};
    return block_io(ctx, BIO_READ, sector, 0, &seg, 1);
}

/* disk_lock held. */
static int scan(struct block_dev *disk)
{
    struct partition found[MAX_PARTITIONS];
    struct page *page = alloc_page(GFP_KERNEL);
    int err = 0;
    if (!page)
        return -ENOMEM;
    u32 n = partition_scan(read_sectors, disk, disk->sectors, disk->block_size, page_to_virt(page), found, MAX_PARTITIONS);
    page_put(page);
    for (u32 i = 0; i < n && !err; i++)
        if (found[i].number <= MAX_PARTITIONS)
            err = add_part(disk, &found[i]);
    return err;
}

int disk_add(struct block_dev *d)
{
    mutex_lock(&disk_lock);
    int err = publish(d);
    if (!err)
        err = scan(d);
    mutex_unlock(&disk_lock);
    log_print(LOG_INFO, "%s: %lu sectors of %u bytes%s\n", d->name, d->sectors, SECTOR_SIZE, d->read_only ? ", read-only" : "");
    return err;
}

int disk_rescan(struct block_dev *d)
{
    struct block_dev *p = NULL;
    int err = d->parent ? -EINVAL : 0;
    mutex_lock(&disk_lock);
    while (!err && (p = block_next(p)))
        if (p->parent == d && READ_ONCE(p->openers))
            err = -EBUSY;
    for (p = NULL; !err && (p = block_next(p));)
        if (p->parent == d && p->sectors) {
            p->sectors = p->inode->mapping.size = 0; /* K1 */
            dev_node_remove(p->name);
        }
    if (!err)
        err = scan(d);
    mutex_unlock(&disk_lock);
    return err;
}

/* ---- /proc ---- */

static void show_partitions(struct seq *s, void *arg)
{
    struct block_dev *d = NULL;
    if (block_next(NULL))
        seq_puts(s, "major minor  #blocks  name\n\n");
    while ((d = block_next(d)))
        if (d->sectors)
            seq_printf(s, "%4u  %7u %10lu %s\n", d->major, d->minor, d->sectors / 2, d->name);
}

static void show_diskstats(struct seq *s, void *arg)
{
    struct block_dev *d = NULL;
    while ((d = block_next(d))) {
        if (!d->sectors)
            continue;
        seq_printf(s, "%4u %7u %s ", d->major, d->minor, d->name);
        put_stat(s, d);
    }
}

void block_boot(void)
{
    proc_register(&(struct proc_file){.path = "/proc/partitions", .mode = 0444, .show = show_partitions});
    proc_register(&(struct proc_file){.path = "/proc/diskstats", .mode = 0444, .show = show_diskstats});
}
