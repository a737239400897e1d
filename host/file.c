/* SPDX-License-Identifier: MIT */
/* Files of the hosted machine: host/file.h. */
#include <host/file.h>
#include <host/sched_internal.h>
#include <mm/vma.h>
#include <port/failpoint.h>
#include <port/clock.h>
#include <port/log.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static u8 *block_of(struct host_file *f, u64 index, u64 *n)
{
    u64 pos = index << PAGE_SHIFT;
    *n = pos >= f->disk_size ? 0 : min(PAGE_SIZE, f->disk_size - pos);
    return f->disk + pos;
}

/* A device takes its time: others run. */
static int device_delay(void)
{
    sched_yield_cpu();
    return failpoint_hit(FAIL_IO) ? -EIO : 0;
}

static void device_work(u64 ns)
{
    struct waitq nobody;
    waitq_init(&nobody);
    waitq_wait_until(&nobody, false, clock_ns() + ns);
}

/* One page as the device has it. */
static void fill(struct host_file *f, struct page *page)
{
    u64 bytes;
    const u8 *block = block_of(f, page->index, &bytes);
    u8 *to = page_to_virt(page);
    memcpy(to, block, bytes);
    memset(to + bytes, 0, PAGE_SIZE - bytes);
    page_set(page, PG_uptodate);
    __atomic_fetch_add(&f->reads, 1, __ATOMIC_RELAXED);
}

static bool disk_begin_read(struct address_space *m, struct page **pages, unsigned n)
{
    struct host_file *f = m->host;
    if (!f->delayed || f->nr_awaited + n > ARRAY_SIZE(f->awaited))
        return false;
    f->requests++;
    memcpy(f->awaited + f->nr_awaited, pages, n * sizeof(*pages));
    f->nr_awaited += n;
    return true;
}

void host_file_deliver(struct host_file *f, bool good)
{
    for (unsigned i = 0; i < f->nr_awaited; i++) {
        if (good)
            fill(f, f->awaited[i]);
        page_unlock(f->awaited[i]);
    }
    f->nr_awaited = 0;
}

static int disk_read(struct address_space *m, struct page **pages, unsigned n)
{
    struct host_file *f = m->host;
    int err = device_delay();
    if (err)
        return err;
    __atomic_fetch_add(&f->requests, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < n; i++)
        fill(f, pages[i]);
    return 0;
}

static int disk_write(struct address_space *m, struct page **pages, unsigned n)
{
    struct host_file *f = m->host;
    int result = 0;
    for (unsigned i = 0; i < n; i++) {
        u64 bytes;
        int err = device_delay();
        if (f->page_ns)
            device_work(f->page_ns);
        result = result ? result : err;
        if (err)
            continue;
        u8 *block = block_of(f, pages[i]->index, &bytes);
        memcpy(block, page_to_virt(pages[i]), bytes);
        __atomic_fetch_add(&f->writes, 1, __ATOMIC_RELAXED);
    }
    return result;
}

static bool file_try_get(struct address_space *m)
{
    struct host_file *f = m->host;
    s32 refs = __atomic_load_n(&f->refs, __ATOMIC_RELAXED);
    while (refs > 0 && !__atomic_compare_exchange_n(&f->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        ;
    return refs > 0;
}

static void file_put(struct address_space *m)
{
    host_file_put(m->host);
}

static const struct mapping_ops disk_ops = {
    .read_pages = disk_read, .begin_read = disk_begin_read, .write_pages = disk_write, .try_get = file_try_get, .put = file_put};
static const struct mapping_ops memory_ops = {0};

struct host_file *host_file_new(u64 size, bool shmem)
{
    struct host_file *f = aligned_alloc(64, ALIGN_UP(sizeof(*f), 64UL));
    u64 disk_size = page_align_up(size);
    u8 *disk = calloc(1, disk_size + 1);
    if (!f || !disk)
        panic("no memory for a file");
    memset(f, 0, sizeof(*f));
    f->refs = 1;
    f->disk = disk;
    f->disk_size = size;
    f->shmem = shmem;
    mapping_init(&f->mapping, shmem ? &memory_ops : &disk_ops, f, shmem ? AS_SHMEM : 0);
    f->mapping.size = size;
    ra_init(&f->ra, &f->mapping);
    return f;
}

void host_file_put(struct host_file *f)
{
    if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
        return;
    mapping_destroy(&f->mapping);
    host_file_forget(f);
}

void host_file_forget(struct host_file *f)
{
    free(f->disk);
    free(f);
}

int host_file_truncate(struct host_file *f, u64 size)
{
    int err = cache_truncate(&f->mapping, size);
    if (!err && !f->shmem && size < f->disk_size)
        memset(f->disk + size, 0, f->disk_size - size);
    return err;
}

static void area_open(struct vma *vma)
{
    struct host_file *f = vma->file;
    __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
}

static void area_close(struct vma *vma)
{
    host_file_put(vma->file);
}

static struct file_ra_state *area_readahead(struct vma *vma)
{
    return &((struct host_file *)vma->file)->ra;
}

static const struct vma_ops area_ops = {.open = area_open, .close = area_close, .readahead = area_readahead};

struct map_file host_map_file(struct host_file *f)
{
    return (struct map_file){.mapping = &f->mapping,
                             .ops = &area_ops,
                             .file = f,
                             .readable = true,
                             .writable = true,
                             .executable = true,
                             .max_size = 1UL << 43};
}
