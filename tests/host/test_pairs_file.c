/* SPDX-License-Identifier: MIT */
/* Pages of files: faults, reads, write-back, truncation and areas that come and go, all schedules (tests/common/pairs.h). */
#include "../common/pairs.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/rmap.h>
#include <mm/sys.h>

/* A file of four pages; page n begins with the byte n + 1 on the device. */
static void a_file(void)
{
    file = host_file_new(4 * PAGE_SIZE, false);
    for (u32 i = 0; i < 4; i++)
        file->disk[i * PAGE_SIZE] = (u8)(i + 1);
    warm_pages = 0;
}

static void cache_all(void)
{
    u8 v;
    for (u32 i = 0; i < 4; i++)
        must(cache_read_kernel(&file->mapping, i * PAGE_SIZE, &v, 1) == 1, "read");
}

static void shared_map(void)
{
    a_file();
    map_file(P(0), 4, true, false);
}
static void shared_cached(void)
{
    shared_map();
    cache_all();
}
static void shared_dirty(void)
{
    shared_map();
    put(P(0), 0x33);
    warm_pages = 4;
}
/* A file of one page, for what would have too many schedules with more. */
static void one_page(void)
{
    file = host_file_new(PAGE_SIZE, false);
    file->disk[0] = 1;
    warm_pages = 0;
    again_pages = 1;
}
static void one_cached(void)
{
    u8 v;
    one_page();
    must(cache_read_kernel(&file->mapping, 0, &v, 1) == 1, "read");
}
static void one_dirty(void)
{
    one_page();
    map_file(P(0), 1, true, false);
    put(P(0), 0x33);
    warm_pages = 1;
}
static void one_with_child(void)
{
    one_dirty();
    fork_into(1);
}
static void private_map(void)
{
    a_file();
    map_file(P(0), 4, false, false);
}
static void private_cached(void)
{
    private_map();
    cache_all();
}
static void shmem_map(void)
{
    map_file(P(0), 4, true, true);
    warm_pages = 0;
}
static void shmem_touched(void)
{
    shmem_map();
    put(P(0), 1);
    must(host_madvise(P(0), PAGE_SIZE, UAPI_MADV_DONTNEED) == 0, "madvise");
}
static void two_maps(void)
{
    shared_dirty();
    map_file(P(64), 4, true, false);
    put(P(64), 0x33);
}
static void with_child(void)
{
    shared_dirty();
    fork_into(1);
}

static void store_a(void)
{
    host_store_u8(P(0), 0xa);
}
static void store_b(void)
{
    host_store_u8(P(0) + 1, 0xb);
}
static void store_second(void)
{
    host_store_u8(P(1), 0xc);
}
static void load_a(void)
{
    u8 v = 1;
    host_load_u8(P(0), &v);
    must(v <= 1 || v == 0xa || v == 0x33, "a byte that nobody wrote");
}
static void load_all(void)
{
    u8 v;
    for (u32 i = 0; i < 4; i++)
        host_load_u8(P(i), &v);
}
static void unmap_all(void)
{
    must(host_munmap(P(0), 4 * PAGE_SIZE) == 0, "munmap");
}
static void unmap_first(void)
{
    must(host_munmap(P(0), PAGE_SIZE) == 0, "munmap");
}
static void unmap_other(void)
{
    must(host_munmap(P(64), 4 * PAGE_SIZE) == 0, "munmap");
}
static void protect_read(void)
{
    must(host_mprotect(P(0), 4 * PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void move(void)
{
    must(host_mremap(P(0), 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(64)) ==
             (s64)P(64),
         "mremap");
}
static void fork_1(void)
{
    fork_into(1);
}
static void child_exits(void)
{
    struct mm *mm = space[1];
    space[1] = NULL;
    host_mm_exit(mm);
    host_core_enter();
    mm_put(mm);
    host_core_exit();
}
static void dontneed(void)
{
    must(host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_DONTNEED) == 0, "madvise");
}
static void sync_range(void)
{
    s64 r = host_msync(P(0), 4 * PAGE_SIZE, UAPI_MS_SYNC);
    must(r == 0 || r == -12, "msync");
}

/* ---- by the kernel, for other processes ---- */

static void truncate_all(void)
{
    host_core_enter();
    must(host_file_truncate(file, 0) == 0, "truncate");
    host_core_exit();
}
static void truncate_part(void)
{
    host_core_enter();
    must(host_file_truncate(file, PAGE_SIZE + 100) == 0, "truncate");
    host_core_exit();
}
static void punch(void)
{
    host_core_enter();
    must(cache_punch(&file->mapping, 0, 2 * PAGE_SIZE) == 0, "punch");
    host_core_exit();
}
static void read_file(void)
{
    u8 v = 0;
    host_core_enter();
    s64 n = cache_read_kernel(&file->mapping, 0, &v, 1);
    host_core_exit();
    must((n == 0) || (n == 1 && (v <= 1 || v == 0xa || v == 0x33)), "a byte that nobody wrote");
}
static void read_file_too(void)
{
    read_file();
}
static void write_file(void)
{
    u8 page[PAGE_SIZE];
    memset(page, 0x33, sizeof(page));
    host_core_enter();
    must(cache_write_kernel(&file->mapping, 0, page, sizeof(page)) == PAGE_SIZE, "write");
    host_core_exit();
}
static void write_back(void)
{
    host_core_enter();
    must(cache_sync(&file->mapping, 0, U64_MAX) == 0, "sync");
    host_core_exit();
}
static void write_back_too(void)
{
    write_back();
}
static void invalidate(void)
{
    host_core_enter();
    cache_invalidate(&file->mapping, 0, U64_MAX);
    host_core_exit();
}
static void insert_page(void)
{
    bool major = false;
    host_core_enter();
    struct page *page = cache_get(&file->mapping, 0, &major);
    must(!IS_ERR(page), "cache_get");
    must(page_test(page, PG_uptodate), "a page that is not filled yet was handed out");
    page_put(page);
    host_core_exit();
}
static void insert_page_too(void)
{
    insert_page();
}
/* What reclaim does with a clean page: no entry any more, then out of the cache. */
static void reclaim_first(void)
{
    host_core_enter();
    struct page *page = cache_find(&file->mapping, 0);
    if (page) {
        rmap_unmap(page);
        page_put(page);
        cache_invalidate(&file->mapping, 0, 0);
    }
    host_core_exit();
}

/* The frame of the page that goes becomes another file's. */
static struct host_file *other_file;
static void two_files(void)
{
    a_file();
    other_file = host_file_new(4 * PAGE_SIZE, true);
    cache_all();
}
static void truncate_and_reuse(void)
{
    u8 page[PAGE_SIZE];
    memset(page, 0x66, sizeof(page));
    truncate_all();
    host_core_enter();
    for (u32 i = 0; i < 4; i++) /* the first frame that was freed comes last */
        must(cache_write_kernel(&other_file->mapping, i * PAGE_SIZE, page, sizeof(page)) == PAGE_SIZE, "write");
    host_core_exit();
}
static void both_gone(void)
{
    must(!file->mapping.size && other_file->mapping.nrpages == 4, "a page in the wrong file");
    host_file_put(other_file);
}

/* ---- what must hold after ---- */

/* What was stored is in the cache or on the device, and what differs from the device will be written. */
static void nothing_lost(void)
{
    u8 v;
    must(cache_read_kernel(&file->mapping, 0, &v, 1) == 1 && v == 0xa, "a store is lost");
    must(cache_sync(&file->mapping, 0, U64_MAX) == 0, "sync");
    must(file->disk[0] == 0xa, "a store was never written");
}
static void both_written(void)
{
    nothing_lost();
    must(file->disk[1] == 0xb, "a store was never written");
}
static void device_current(void)
{
    u8 v;
    must(cache_read_kernel(&file->mapping, 0, &v, 1) == 1, "read");
    must(cache_sync(&file->mapping, 0, U64_MAX) == 0, "sync");
    must(file->disk[0] == v, "the device is behind");
}
static void nothing_mapped(void)
{
    must(!rss_sum(space[0], RSS_FILE) && !rss_sum(space[0], RSS_ANON) && !rss_sum(space[0], RSS_SHMEM),
         "a truncated page is mapped");
    /* A page beyond the end may be cached, but of zeros. */
    must(cache_truncate(&file->mapping, 4 * PAGE_SIZE) == 0, "truncate");
    for (u32 i = 0; i < 4; i++) {
        u8 v;
        must(cache_read_kernel(&file->mapping, i * PAGE_SIZE, &v, 1) == 1 && !v, "bytes that were cut off came back");
    }
}
static void two_pages_left(void)
{
    must(file->mapping.nrpages <= 2 && rss_total(space[0]) <= 2, "pages beyond the end");
    u8 v = 0;
    must(host_load_u8(P(1) + 200, &v) == 0 && v == 0, "the tail of the last page is not zero");
    must(host_load_u8(P(2), &v) == VM_FAULT_SIGBUS, "there is memory beyond the end");
}
static void private_stored(void)
{
    must(get(P(0)) == 0xa && file->disk[0] == 1, "a private store");
}
static void shmem_stored(void)
{
    must(get(P(0)) == 0xa && get(P(0) + 1) == 0xb, "a store is lost");
}
static void first_holds(void)
{
    must(get(P(0)) == 1 && get(P(3)) == 4, "other bytes than the file's");
}
static void mapped_is_cached(void)
{
    u8 v;
    put(P(0), 0x44);
    must(cache_read_kernel(&file->mapping, 0, &v, 1) == 1 && v == 0x44, "a page is mapped that left its file");
}
static void no_areas(void)
{
    must(list_empty(&file->mapping.i_mmap) && !rss_total(space[0]), "an area is left");
}

static const struct pair pairs[] = {
    {"write fault/write fault", shared_map, {IN(0, store_a), IN(0, store_b)}, both_written, 0},
    {"write fault/write fault, cached", shared_cached, {IN(0, store_a), IN(0, store_b)}, both_written, 0},
    {"read fault/write fault", shared_cached, {IN(0, load_a), IN(0, store_a)}, nothing_lost, 0},
    {"read fault/read fault", private_map, {IN(0, load_a), IN(0, load_all)}, first_holds, 0},
    {"private write/read fault", private_cached, {IN(0, store_a), IN(0, load_all)}, private_stored, 0},
    {"shmem fault/fault", shmem_map, {IN(0, store_a), IN(0, store_b)}, shmem_stored, 0},
    {"fault/munmap", shared_cached, {IN(0, store_a), IN(0, unmap_all)}, no_areas, 0},
    {"fault-around/munmap of a part", private_cached, {IN(0, load_all), IN(0, unmap_first)}, NULL, 0},
    {"fault/mprotect", shared_cached, {IN(0, store_a), IN(0, protect_read)}, NULL, 0},
    {"fault/mremap", shared_cached, {IN(0, store_a), IN(0, move)}, NULL, 0},
    {"fault/DONTNEED", private_cached, {IN(0, store_a), IN(0, dontneed)}, NULL, 0},
    {"fault/fork", private_cached, {IN(0, store_a), IN(0, fork_1)}, private_stored, 0},
    {"truncate/fault", shared_cached, {KERNEL(truncate_all), IN(0, load_a)}, nothing_mapped, 0},
    {"truncate/fault, not cached", shared_map, {KERNEL(truncate_all), IN(0, load_a)}, nothing_mapped, 0},
    {"truncate/write fault", shared_cached, {KERNEL(truncate_all), IN(0, store_a)}, nothing_mapped, 0},
    {"truncate/write fault on a mapped page", shared_dirty, {KERNEL(truncate_all), IN(0, store_b)}, nothing_mapped, 0},
    {"truncate/private write", private_cached, {KERNEL(truncate_all), IN(0, store_a)}, NULL, 0},
    {"truncate to a part/fault", shared_cached, {KERNEL(truncate_part), IN(0, load_all)}, two_pages_left, 0},
    {"truncate/read", shared_cached, {KERNEL(truncate_all), KERNEL(read_file)}, nothing_mapped, 0},
    {"truncate/read, not cached", shared_map, {KERNEL(truncate_all), KERNEL(read_file)}, nothing_mapped, 0},
    {"truncate/munmap", shared_dirty, {KERNEL(truncate_all), IN(0, unmap_all)}, no_areas, 0},
    {"truncate/mremap", shared_dirty, {KERNEL(truncate_all), IN(0, move)}, nothing_mapped, 0},
    {"truncate/fork", shared_dirty, {KERNEL(truncate_all), IN(0, fork_1)}, nothing_mapped, 0},
    {"truncate/exit of a sharer", one_with_child, {KERNEL(truncate_all), IN(1, child_exits)}, nothing_mapped, 0},
    {"truncate/write-back", shared_dirty, {KERNEL(truncate_all), KERNEL(write_back)}, nothing_mapped, 0},
    {"punch/fault", shmem_touched, {KERNEL(punch), IN(0, store_b)}, mapped_is_cached, 0},
    {"write-back/write", shared_dirty, {KERNEL(write_back), IN(0, store_a)}, nothing_lost, 0},
    {"write-back/first write", shared_cached, {KERNEL(write_back), IN(0, store_a)}, nothing_lost, 0},
    {"write-back/write-back", shared_dirty, {KERNEL(write_back), KERNEL(write_back_too)}, device_current, 0},
    {"write-back/write-back/write", one_dirty, {KERNEL(write_back), KERNEL(write_back_too), IN(0, store_a)}, nothing_lost, 0},
    {"write-back/munmap", shared_dirty, {KERNEL(write_back), IN(0, unmap_all)}, device_current, 0},
    {"write-back/mremap", shared_dirty, {KERNEL(write_back), IN(0, move)}, device_current, 0},
    {"write-back/munmap of another view", two_maps, {KERNEL(write_back), IN(0, unmap_other)}, device_current, 0},
    {"write-back/exit of a sharer", with_child, {KERNEL(write_back), IN(1, child_exits)}, device_current, 0},
    {"msync/fault", shared_dirty, {IN(0, sync_range), IN(0, store_second)}, device_current, 0},
    {"write/read", shared_map, {KERNEL(write_file), KERNEL(read_file)}, device_current, 0},
    {"write/fault", shared_cached, {KERNEL(write_file), IN(0, load_a)}, device_current, 0},
    {"find/truncate and reuse", two_files, {KERNEL(read_file), KERNEL(truncate_and_reuse)}, both_gone, 0},
    {"insert/insert", a_file, {KERNEL(insert_page), KERNEL(insert_page_too)}, device_current, 0},
    {"insert/truncate", a_file, {KERNEL(read_file), KERNEL(truncate_all)}, nothing_mapped, 0},
    {"invalidate/read", shared_cached, {KERNEL(invalidate), KERNEL(read_file)}, device_current, 0},
    {"invalidate/fault", shared_cached, {KERNEL(invalidate), IN(0, load_a)}, device_current, 0},
    {"invalidate/truncate", one_cached, {KERNEL(invalidate), KERNEL(truncate_all)}, nothing_mapped, 0},
    {"read/read/invalidate", one_page, {KERNEL(read_file), KERNEL(read_file_too), KERNEL(invalidate)}, device_current, 0},
    {"reclaim/fault", shared_dirty, {KERNEL(reclaim_first), IN(0, store_a)}, nothing_lost, 0},
    {"reclaim/read fault", shared_cached, {KERNEL(reclaim_first), IN(0, load_a)}, device_current, 0},
};

int main(void)
{
    return run_pairs(pairs, ARRAY_SIZE(pairs));
}
