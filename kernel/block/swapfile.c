/* SPDX-License-Identifier: MIT */
/*
 * Swap on block devices: swapon(2), swapoff(2), /proc/swaps, and the transfers of the core's areas (mm/swap.h).
 *
 *   page 0    mkswap's header: version, last page, bad pages, label, "SWAPSPACE2" in its last ten bytes
 *   page n    slot n
 *
 *   swap_io (up to 32 neighbouring slots) ── bios of at most max_segs pieces ── the last one done ── swap_io_done
 *
 * A file system whose files are not on one device in known places can't hold swap files; none of ours is of that kind (9P, tmpfs,
 * overlay), so files are refused as Linux refuses theirs: EINVAL.
 *
 * Locks: swap_mutex over swapon and swapoff, and for who reads the list of them.
 */
#include "../fs/internal.h"
#include <kernel/block.h>
#include <kernel/swapfile.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <lib/errno.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <port/log.h>

#define SWAP_FLAG_PRIO_MASK     0x7fffu
#define SWAP_FLAG_PREFER        0x8000u
#define SWAP_FLAG_DISCARD       0x10000u
#define SWAP_FLAG_DISCARD_ONCE  0x20000u
#define SWAP_FLAG_DISCARD_PAGES 0x40000u
#define SWAP_FLAGS_VALID        0x7ffffu

#define PAGE_SECTORS (PAGE_SIZE >> SECTOR_SHIFT)

struct header {
    u8 boot[1024];
    u32 version, last_page, nr_bad;
    u8 uuid[16];
    char label[16];
    u32 padding[117];
    u32 bad[(PAGE_SIZE - 1536 - 10) / 4];
    char fill[2], magic[10];
};
BUILD_ASSERT(sizeof(struct header) == PAGE_SIZE);

struct swap_file {
    struct file *file;
    struct block_dev *dev;
    struct swap_area *area;
    struct swap_file *next; /* by number of the area */
    bool thread, stop;      /* discards; may end */
    struct waitq stopped;
};

static struct mutex swap_mutex = MUTEX_INIT(swap_mutex);
static struct swap_file *swap_files;

/* ---- transfers ---- */

struct transfer {
    struct swap_io *io;
    u32 left; /* bios */
    int err;
    struct bio_seg seg[SWAP_IO_PAGES];
    struct swap_bio {
        struct bio bio;
        struct transfer *transfer;
    } part[]; /* one for each max_segs slots */
};

static u32 bios_of(const struct block_dev *d)
{
    return DIV_ROUND_UP(SWAP_IO_PAGES, min(d->max_segs, (u32)SWAP_IO_PAGES));
}

static void bio_done(struct bio *bio, int err)
{
    struct transfer *t = container_of(bio, struct swap_bio, bio)->transfer;
    const struct block_dev *d = bio->dev;
    if (err) {
        log_print(LOG_ALERT, "%s-error on swap-device (%u:%u:%lu)\n", bio->op == BIO_WRITE ? "Write" : "Read", d->major, d->minor,
                  bio->sector);
        WRITE_ONCE(t->err, err);
    }
    if (__atomic_sub_fetch(&t->left, 1, __ATOMIC_ACQ_REL) == 0)
        swap_io_done(t->io, t->err);
}

static void submit(struct swap_area *a, struct swap_io *io)
{
    struct swap_file *f = a->home;
    struct transfer *t = (struct transfer *)io->home;
    u32 most = min(f->dev->max_segs, (u32)SWAP_IO_PAGES), n = DIV_ROUND_UP(io->n, most);
    t->io = io;
    t->err = 0;
    t->left = n;
    for (u32 i = 0; i < io->n; i++)
        t->seg[i] = (struct bio_seg){page_to_phys(io->pages[i]), PAGE_SIZE};
    for (u32 i = 0; i < n; i++) {
        t->part[i].transfer = t;
        t->part[i].bio = (struct bio){.dev = f->dev,
                                      .op = io->write ? BIO_WRITE : BIO_READ,
                                      .sector = (io->first + (u64)i * most) * PAGE_SECTORS,
                                      .segs = t->seg + i * most,
                                      .nr_segs = min(io->n - i * most, most),
                                      .end = bio_done};
    }
    for (u32 i = 0; i < n; i++) /* the last one may complete before we are back: then t is somebody else's */
        bio_submit_alone(&t->part[i].bio);
}

static int discard_range(struct block_dev *d, u64 first, u64 n)
{
    u64 at = first * PAGE_SECTORS, end = (first + n) * PAGE_SECTORS, most = max(d->max_discard, (u64)PAGE_SECTORS);
    int err = 0;
    most = ALIGN_DOWN(most, PAGE_SECTORS);
    for (u64 len; at < end && !err; at += len) {
        len = min(end - at, most);
        err = block_io(d, BIO_DISCARD, at, len, NULL, 0);
    }
    return err;
}

static void discard(struct swap_area *a, u64 first, u64 n)
{
    struct swap_file *f = a->home;
    discard_range(f->dev, first, n); /* a device that will not is no worse than one that can't */
}

static int discarder(void *arg)
{
    struct swap_file *f = arg;
    struct swap_area *a = f->area;
    for (;;) {
        waitq_wait(&a->discard_wait, swap_wants_discard(a) || READ_ONCE(f->stop));
        if (READ_ONCE(f->stop))
            break;
        swap_discard_some(a);
    }
    store_release(&f->thread, false);
    waitq_wake_all(&f->stopped);
    return 0;
}

static const struct swap_ops plain_ops = {.submit = submit}, discard_ops = {.submit = submit, .discard = discard};

/* ---- swapon ---- */

/* Slots of the area, or 0 with a line in the log. */
static u64 check_header(const struct header *h, u64 pages)
{
    if (memcmp(h->magic, "SWAPSPACE2", 10)) {
        log_print(LOG_ERR, "Unable to find swap-space signature\n");
        return 0;
    }
    if (h->version != 1) {
        log_print(LOG_WARN, "Unable to handle swap header version %u\n", h->version);
        return 0;
    }
    if (!h->last_page) {
        log_print(LOG_WARN, "Empty swap-file\n");
        return 0;
    }
    u64 max = (u64)h->last_page + 1;
    if (max > SWAP_MAX_SLOTS) {
        log_print(LOG_WARN, "Truncating oversized swap area, only using %luk out of %luk\n", SWAP_MAX_SLOTS * 4, max * 4);
        max = SWAP_MAX_SLOTS;
    }
    if (pages && max > pages) {
        log_print(LOG_WARN, "Swap area shorter than signature indicates\n");
        return 0;
    }
    if (h->nr_bad > ARRAY_SIZE(h->bad))
        return 0;
    for (u32 i = 0; i < h->nr_bad; i++)
        if (!h->bad[i] || h->bad[i] > h->last_page)
            return 0;
    return max;
}

/* Bad pages of the header that lie within the area, to its front. */
static u32 bad_within(struct header *h, u64 max)
{
    u32 n = 0;
    for (u32 i = 0; i < h->nr_bad; i++)
        if (h->bad[i] < max)
            h->bad[n++] = h->bad[i];
    return n;
}

static struct swap_area *make_area(struct swap_file *f, u32 flags)
{
    struct block_dev *d = f->dev;
    struct header *h = kmalloc(sizeof(*h), GFP_KERNEL);
    if (!h)
        return ERR_PTR(-ENOMEM);
    ssize_t n = file_read_kernel(f->file, h, sizeof(*h), 0);
    u64 max = n == sizeof(*h) ? check_header(h, block_bytes(d) >> PAGE_SHIFT) : 0;
    struct swap_area *a = ERR_PTR(n < 0 ? n : -EINVAL);
    if (max) {
        bool all = (flags & SWAP_FLAG_DISCARD) && d->can_discard, once = flags & SWAP_FLAG_DISCARD_ONCE;
        bool pages = all && !once;
        struct swap_setup setup = {.max = max,
                                   .bad = h->bad,
                                   .nr_bad = bad_within(h, max),
                                   .discard = pages,
                                   .ops = pages ? &discard_ops : &plain_ops,
                                   .io_size = sizeof(struct transfer) + bios_of(d) * sizeof(struct swap_bio),
                                   .home = f};
        if (all && (once || !(flags & SWAP_FLAG_DISCARD_PAGES))) {
            int err = discard_range(d, 1, max - 1);
            if (err)
                log_print(LOG_ERR, "swapon: discard_swap(%p): %d\n", (void *)f, err);
        }
        a = swap_area_alloc(&setup);
        if (a == ERR_PTR(-EINVAL))
            log_print(LOG_WARN, "Empty swap-file\n");
    }
    kfree(h);
    return a;
}

static struct swap_file *find_by_device(const struct block_dev *d)
{
    struct swap_file *f = swap_files;
    while (f && f->dev != d)
        f = f->next;
    return f;
}

static void insert(struct swap_file *f)
{
    struct swap_file **p = &swap_files;
    while (*p && (*p)->area->type < f->area->type)
        p = &(*p)->next;
    f->next = *p;
    *p = f;
}

/* What was opened, under swap_mutex. Takes file over on success. */
static int swap_on(struct file *file, const char *name, u32 flags)
{
    struct swap_file *f;
    if (file->ops != &bdev_fops)
        return -EINVAL; /* no file whose place on a device is known */
    if (find_by_device(file->priv))
        return -EBUSY;
    f = kzalloc(sizeof(*f), GFP_KERNEL);
    if (!f)
        return -ENOMEM;
    f->file = file;
    f->dev = file->priv;
    waitq_init(&f->stopped);
    f->area = make_area(f, flags);
    if (IS_ERR(f->area)) {
        int err = (int)PTR_ERR(f->area);
        kfree(f);
        return err;
    }
    f->thread = f->area->flags & SWAP_AREA_DISCARD;
    if (f->thread && !kthread_start(discarder, f, "swapdiscard")) {
        swap_area_free(f->area);
        kfree(f);
        return -ENOMEM;
    }
    WRITE_ONCE(f->dev->swap, true);
    swap_area_enable(f->area, flags & SWAP_FLAG_PREFER ? (s32)(flags & SWAP_FLAG_PRIO_MASK) : -1);
    insert(f);
    const char *discards = !(flags & SWAP_FLAG_DISCARD) || !f->dev->can_discard          ? ""
                           : flags & SWAP_FLAG_DISCARD_ONCE                                ? "Ds"
                           : flags & SWAP_FLAG_DISCARD_PAGES                               ? "Dc"
                                                                                           : "Dsc";
    log_print(LOG_INFO, "Adding %luk swap on %s.  Priority:%d extents:1 across:%luk %s\n", f->area->pages * 4, name,
              f->area->prio, f->area->pages * 4, discards);
    return 0;
}

SYSCALL(swapon)
{
    u32 flags = (u32)a1;
    if (flags & ~SWAP_FLAGS_VALID)
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    char *name = getname(a0, false);
    if (IS_ERR(name))
        return PTR_ERR(name);
    struct file *file = file_open(name, O_RDWR | O_EXCL, 0);
    s64 err = PTR_ERR(file);
    if (!IS_ERR(file)) {
        mutex_lock(&swap_mutex);
        err = swap_on(file, name, flags);
        mutex_unlock(&swap_mutex);
        if (err)
            file_put(file);
    }
    putname(name);
    return err;
}

/* ---- swapoff ---- */

static int swap_off(struct swap_file *f)
{
    struct swap_file **p = &swap_files;
    int err = swap_area_disable(f->area);
    if (err)
        return err;
    if (f->thread) {
        WRITE_ONCE(f->stop, true);
        waitq_wake_all(&f->area->discard_wait);
        waitq_wait(&f->stopped, !load_acquire(&f->thread));
    }
    while (*p != f)
        p = &(*p)->next;
    *p = f->next;
    swap_area_free(f->area);
    WRITE_ONCE(f->dev->swap, false);
    file_put(f->file);
    kfree(f);
    return 0;
}

SYSCALL(swapoff)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    char *name = getname(a0, false);
    if (IS_ERR(name))
        return PTR_ERR(name);
    struct file *file = file_open(name, O_RDWR, 0);
    s64 err = PTR_ERR(file);
    if (!IS_ERR(file)) {
        mutex_lock(&swap_mutex);
        struct swap_file *f = file->ops == &bdev_fops ? find_by_device(file->priv) : NULL;
        err = f ? swap_off(f) : -EINVAL;
        mutex_unlock(&swap_mutex);
        file_put(file);
    }
    putname(name);
    return err;
}

/* ---- /proc/swaps ---- */

void swaps_show(struct seq *s, void *arg)
{
    char *name = kmalloc(PAGE_SIZE, GFP_KERNEL);
    if (!name)
        return;
    seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    mutex_lock(&swap_mutex);
    for (struct swap_file *f = swap_files; f; f = f->next) {
        u64 size = f->area->pages * 4, used = READ_ONCE(f->area->inuse) * 4;
        struct path at = {f->file->mount, f->file->dentry};
        if (path_text(&at, name, PAGE_SIZE) < 0)
            continue;
        size_t line = s->len;
        for (const char *c = name; *c; c++) {
            if (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\\')
                seq_printf(s, "\\%03o", (u8)*c);
            else
                seq_putc(s, *c);
        }
        u32 len = (u32)(s->len - line);
        seq_printf(s, "%*spartition\t%lu\t%s%lu\t%s%d\n", len < 40 ? (int)(40 - len) : 1, " ", size, size < 10000000 ? "\t" : "", used,
                   used < 10000000 ? "\t" : "", f->area->prio);
    }
    mutex_unlock(&swap_mutex);
    kfree(name);
}
