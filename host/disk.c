/* SPDX-License-Identifier: MIT */
/* The bad block device: host/disk.h. */
#include <host/disk.h>
#include <errno.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/sched.h>
#include <stdlib.h>
#include <string.h>

struct disk_version {
    u64 sector;
    u8 data[DISK_SECTOR];
};

/* A request is about to be served: 0, or why not. *part: of n sectors, how many before the power fails. */
static int begin(struct host_disk *d, u64 n, u64 *part)
{
    *part = n;
    if (d->request_ns) {
        struct waitq nobody;
        waitq_init(&nobody);
        waitq_wait_until(&nobody, false, clock_ns() + d->request_ns);
    } else {
        sched_yield_cpu();
    }
    if (d->off)
        return *part = 0, -EIO;
    d->requests++;
    if (d->requests == d->cut_at) {
        d->off = true;
        *part = n ? rand_below(&d->rand, n + 1) : 0;
        return -EIO;
    }
    if (d->requests == d->fail_at || (d->fail_every && d->requests % d->fail_every == 0))
        return *part = 0, -EIO;
    return 0;
}

static void doubt(struct host_disk *d, u64 sector, const u8 *data)
{
    if (d->nr_doubt == d->cap_doubt) {
        d->cap_doubt = d->cap_doubt ? d->cap_doubt * 2 : 64;
        d->doubt = realloc(d->doubt, d->cap_doubt * sizeof(*d->doubt));
        if (!d->doubt)
            panic("no memory for a disk");
    }
    struct disk_version *v = &d->doubt[d->nr_doubt++];
    v->sector = sector;
    memcpy(v->data, data, DISK_SECTOR);
    memcpy(d->current + sector * DISK_SECTOR, data, DISK_SECTOR);
}

static u64 sectors_of(const struct host_disk *d, u64 index, unsigned n)
{
    return min((u64)n * PAGE_SIZE, d->size - index * PAGE_SIZE) / DISK_SECTOR;
}

static int read_pages(struct address_space *m, struct page **pages, unsigned n)
{
    struct host_disk *d = m->host;
    u64 part;
    int err = begin(d, 0, &part);
    if (err)
        return err;
    for (unsigned i = 0; i < n; i++) {
        u64 pos = (u64)pages[i]->index * PAGE_SIZE, bytes = min(PAGE_SIZE, d->size - pos);
        memcpy(page_to_virt(pages[i]), d->current + pos, bytes);
        memset((u8 *)page_to_virt(pages[i]) + bytes, 0, PAGE_SIZE - bytes);
        page_set(pages[i], PG_uptodate);
    }
    return 0;
}

static int write_pages(struct address_space *m, struct page **pages, unsigned n)
{
    struct host_disk *d = m->host;
    u64 first = (u64)pages[0]->index * PAGE_SIZE / DISK_SECTOR, part;
    int err = begin(d, sectors_of(d, pages[0]->index, n), &part);
    for (u64 i = 0; i < part; i++) {
        if (!d->room)
            return -ENOSPC;
        d->room -= d->room != U64_MAX;
        doubt(d, first + i, (u8 *)page_to_virt(pages[i * DISK_SECTOR / PAGE_SIZE]) + i * DISK_SECTOR % PAGE_SIZE);
    }
    return err;
}

static const struct mapping_ops disk_ops = {.read_pages = read_pages, .write_pages = write_pages};

struct host_disk *host_disk_new(u64 size, u64 seed)
{
    struct host_disk *d = aligned_alloc(64, ALIGN_UP(sizeof(*d), 64UL));
    if (!d)
        panic("no memory for a disk");
    memset(d, 0, sizeof(*d));
    d->size = size;
    d->stable = calloc(1, size);
    d->current = calloc(1, size);
    if (!d->stable || !d->current)
        panic("no memory for a disk");
    d->room = U64_MAX;
    rand_init(&d->rand, seed);
    return d;
}

void host_disk_free(struct host_disk *d)
{
    free(d->stable);
    free(d->current);
    free(d->doubt);
    free(d);
}

void host_disk_open(struct host_disk *d)
{
    mapping_init(&d->mapping, &disk_ops, d, 0);
    d->mapping.size = d->size;
}

void host_disk_close(struct host_disk *d)
{
    mapping_destroy(&d->mapping);
}

int host_disk_flush(struct host_disk *d)
{
    u64 part;
    int err = begin(d, 0, &part);
    if (err || d->lies)
        return err;
    for (u64 i = 0; i < d->nr_doubt; i++)
        memcpy(d->stable + d->doubt[i].sector * DISK_SECTOR, d->doubt[i].data, DISK_SECTOR);
    d->nr_doubt = 0;
    return 0;
}

int host_disk_fsync(struct host_disk *d)
{
    int err = cache_sync(&d->mapping, 0, U64_MAX), e = host_disk_flush(d);
    return err ? err : e;
}

/* Of each sector any version may be what the medium holds: the last one that the dice allow, in any order of the sectors. */
void host_disk_restart(struct host_disk *d)
{
    for (u64 i = 0; i < d->nr_doubt; i++)
        if (rand_below(&d->rand, 2))
            memcpy(d->stable + d->doubt[i].sector * DISK_SECTOR, d->doubt[i].data, DISK_SECTOR);
    d->nr_doubt = 0;
    d->off = false;
    d->cut_at = 0;
    memcpy(d->current, d->stable, d->size);
}
