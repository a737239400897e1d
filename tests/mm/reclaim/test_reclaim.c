/* SPDX-License-Identifier: MIT */
/* What goes when memory runs short, in which order, and what stays. Direct reclaim unless a test starts kswapd. */
#include <host/swap.h>
#include <mm/mlock.h>
#include <mm/reclaim.h>
#include <mm/writeback.h>
#include <port/clock.h>
#include <uapi/mman.h>
#include "../../common/machine.h"

#define MIB (1UL << 20)

static struct mm *mm;
static struct host_swap disk;
static u8 page_bytes[PAGE_SIZE];

static void up(u32 mib)
{
    machine_up(mib, 1, 1);
    mm = host_mm_new();
    host_mm_switch(mm);
    assert_int_equal(reclaim_start(), 0);
}

static void down(void)
{
    assert_null(lru_validate());
    host_mm_exit(mm);
    phys_reclaim_ops = NULL;
    machine_down();
}

static struct host_file *numbered_file(u64 pages)
{
    struct host_file *f = host_file_new(pages * PAGE_SIZE, false);
    for (u64 i = 0; i < pages; i++)
        memset(f->disk + i * PAGE_SIZE, (int)(i * 7 + 1), PAGE_SIZE);
    return f;
}

static void read_page(struct host_file *f, u64 i)
{
    assert_int_equal(cache_read_kernel(&f->mapping, i * PAGE_SIZE, page_bytes, PAGE_SIZE), PAGE_SIZE);
    assert_int_equal(page_bytes[0], (u8)(i * 7 + 1));
    assert_int_equal(page_bytes[PAGE_SIZE - 1], (u8)(i * 7 + 1));
}

static bool cached(struct host_file *f, u64 i)
{
    struct page *page = cache_find(&f->mapping, i);
    if (page)
        page_put(page);
    return page;
}

static u64 reclaim_once(void)
{
    return phys_reclaim_ops->reclaim(0, GFP_HIGHUSER_MOVABLE, 0);
}

static void the_oldest_go_first(void **state)
{
    up(32);
    struct host_file *f = numbered_file(512);
    for (u64 i = 0; i < 512; i++)
        read_page(f, i);
    u64 gone = reclaim_once();
    assert_true(gone >= 32);
    for (u64 i = 0; i < 512; i++)
        assert_int_equal(cached(f, i), i >= gone);
    assert_int_equal(stat_event_sum(PGSTEAL_DIRECT), gone);
    assert_int_equal(stat_event_sum(PGSTEAL_FILE), gone);
    assert_int_equal(f->mapping.nrpages, 512 - gone);
    assert_null(mapping_validate(&f->mapping));
    host_file_put(f);
    down();
}

static void what_was_read_twice_stays_longer(void **state)
{
    up(32);
    struct host_file *f = numbered_file(256);
    for (u64 i = 0; i < 256; i++)
        read_page(f, i);
    for (u64 i = 0; i < 64; i++)
        read_page(f, i); /* the first 64 are active now */
    assert_int_equal(stat_sum(NR_ACTIVE_FILE), 64);
    while (f->mapping.nrpages > 100)
        assert_true(reclaim_once() > 0);
    for (u64 i = 0; i < 64; i++)
        assert_true(cached(f, i));
    host_file_put(f);
    down();
}

/* A page that comes back within the distance begins as active one; one that was away for longer does not. */
static void refaults_activate(void **state)
{
    up(32);
    struct host_file *f = numbered_file(2000);
    for (u64 i = 0; i < 400; i++)
        read_page(f, i);
    for (u64 i = 200; i < 400; i++)
        read_page(f, i); /* 200 active pages: distances up to 200 count */
    u64 gone = reclaim_once();
    assert_true(gone >= 32 && gone <= 150);
    assert_false(cached(f, 0));
    s64 active = stat_sum(NR_ACTIVE_FILE), none = stat_sum(WORKINGSET_REFAULT_FILE);
    read_page(f, 0); /* and a few behind it, read ahead */
    s64 first = stat_sum(WORKINGSET_REFAULT_FILE) - none;
    assert_true(first > 0);
    assert_int_equal(stat_sum(WORKINGSET_ACTIVATE_FILE), first);
    assert_int_equal(stat_sum(NR_ACTIVE_FILE), active + first);
    workingset_age(0, 5000); /* much has come and gone since */
    read_page(f, (u64)first);
    assert_true(stat_sum(WORKINGSET_REFAULT_FILE) > first);
    assert_int_equal(stat_sum(WORKINGSET_ACTIVATE_FILE), first);
    host_file_put(f);
    down();
}

static void shadows_go_with_the_file(void **state)
{
    up(32);
    struct host_file *f = numbered_file(600);
    s64 at = host_mmap_anon(1000 * PAGE_SIZE); /* as many shadows are kept as fit the lists */
    for (u64 i = 0; i < 1000; i++)
        assert_int_equal(host_store_u8((u64)at + i * PAGE_SIZE, 1), 0);
    for (u64 i = 0; i < 600; i++)
        read_page(f, i);
    while (f->mapping.nrpages)
        assert_true(reclaim_once() > 0);
    assert_false(xa_empty(&f->mapping.pages));
    assert_int_equal(cache_invalidate(&f->mapping, 0, 99), 0);
    assert_null(cache_value(&f->mapping, 50));
    assert_non_null(cache_value(&f->mapping, 100));
    assert_int_equal(host_file_truncate(f, 300 * PAGE_SIZE), 0);
    assert_null(cache_value(&f->mapping, 300));
    assert_int_equal(stat_sum(NR_WORKINGSET_NODES), 4);
    host_munmap((u64)at, 1000 * PAGE_SIZE);
    assert_null(mapping_validate(&f->mapping));
    host_file_put(f);
    down();
}

static void shadows_are_bounded(void **state)
{
    up(8);
    struct host_file *f = numbered_file(40000);
    for (u64 i = 0; i < 40000; i++)
        read_page(f, i);
    assert_true(stat_sum(WORKINGSET_NODERECLAIM) > 100);
    assert_true(stat_sum(NR_WORKINGSET_NODES) > 50 && stat_sum(NR_WORKINGSET_NODES) < 2048 / 8 + 100);
    assert_null(mapping_validate(&f->mapping));
    host_file_put(f);
    assert_int_equal(stat_sum(NR_WORKINGSET_NODES), 0);
    down();
}

static void cold_pages_go_first(void **state)
{
    const struct host_swap_config cfg = {.pages = 4096, .prio = -1};
    u8 v;
    up(32);
    assert_int_equal(host_swap_on(&disk, &cfg), 0);
    s64 at = host_mmap_anon(2000 * PAGE_SIZE);
    for (u64 i = 0; i < 2000; i++)
        assert_int_equal(host_store_u8((u64)at + i * PAGE_SIZE, (u8)i), 0);
    assert_int_equal(host_madvise((u64)at + 1000 * PAGE_SIZE, 500 * PAGE_SIZE, UAPI_MADV_COLD), 0);
    for (unsigned i = 0; i < 30 && stat_event_sum(PSWPOUT) < 200; i++)
        reclaim_once();
    u64 out[2] = {0};
    for (u64 i = 0; i < 2000; i++)
        out[i >= 1000 && i < 1500] += pte_swap(pte_load(pt_find(mm, (u64)at + i * PAGE_SIZE)));
    assert_true(out[1] >= 190 && out[0] < out[1] / 4);
    for (u64 i = 0; i < 2000; i++) {
        assert_int_equal(host_load_u8((u64)at + i * PAGE_SIZE, &v), 0);
        assert_int_equal(v, (u8)i);
    }
    host_munmap((u64)at, 2000 * PAGE_SIZE);
    assert_int_equal(host_swap_off(&disk), 0);
    down();
}

static void pinned_and_locked_pages_stay(void **state)
{
    up(32);
    struct host_file *f = numbered_file(64);
    struct map_file mf = host_map_file(f);
    s64 at = host_mmap(0, 64 * PAGE_SIZE, UAPI_PROT_READ, UAPI_MAP_SHARED, &mf, 0);
    assert_true(at > 0);
    u8 v;
    for (u64 i = 0; i < 64; i++)
        assert_int_equal(host_load_u8((u64)at + i * PAGE_SIZE, &v), 0);
    assert_int_equal(host_mlock((u64)at, 16 * PAGE_SIZE, 0), 0);
    struct page *held = cache_find(&f->mapping, 20);
    for (unsigned i = 0; i < 40 && f->mapping.nrpages > 17; i++)
        reclaim_once();
    assert_int_equal(f->mapping.nrpages, 17);
    for (u64 i = 0; i < 16; i++)
        assert_true(cached(f, i));
    page_put(held);
    for (u64 i = 0; i < 64; i++)
        assert_int_equal(host_load_u8((u64)at + i * PAGE_SIZE, &v), 0);
    assert_machine_valid();
    host_munmap((u64)at, 64 * PAGE_SIZE);
    host_file_put(f);
    down();
}

/* Dirty pages are not lost, whether written through a mapping or by write(), and their device gets them. */
static void dirty_pages_are_written_first(void **state)
{
    static struct backing_dev dev;
    up(32);
    struct host_file *f = numbered_file(256);
    backing_dev_init(&dev, "disk");
    f->mapping.bdi = &dev;
    assert_int_equal(backing_dev_start(&dev), 0);
    for (u64 i = 0; i < 256; i++) {
        memset(page_bytes, (int)(i + 3), PAGE_SIZE);
        assert_int_equal(cache_write_kernel(&f->mapping, i * PAGE_SIZE, page_bytes, PAGE_SIZE), PAGE_SIZE);
    }
    for (unsigned i = 0; i < 200 && f->mapping.nrpages; i++) {
        struct waitq nobody;
        reclaim_once();
        waitq_init(&nobody);
        waitq_wait_until(&nobody, false, clock_ns() + 10000000);
    }
    assert_int_equal(f->mapping.nrpages, 0);
    assert_true(stat_event_sum(PGROTATED) > 0);
    for (u64 i = 0; i < 256; i++)
        assert_int_equal(f->disk[i * PAGE_SIZE + 77], (u8)(i + 3));
    host_file_put(f);
    down();
}

static void executable_code_stays_a_round_longer(void **state)
{
    up(32);
    struct host_file *f = numbered_file(128);
    struct map_file mf = host_map_file(f);
    s64 code = host_mmap(0, 64 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_EXEC, UAPI_MAP_PRIVATE, &mf, 0);
    s64 data = host_mmap(0, 64 * PAGE_SIZE, UAPI_PROT_READ, UAPI_MAP_PRIVATE, &mf, 64 * PAGE_SIZE);
    u8 v;
    for (u64 i = 0; i < 64; i++) {
        assert_int_equal(host_load_u8((u64)code + i * PAGE_SIZE, &v), 0);
        assert_int_equal(host_load_u8((u64)data + i * PAGE_SIZE, &v), 0);
    }
    while (f->mapping.nrpages > 112)
        assert_true(reclaim_once() > 0);
    unsigned code_pages = 0;
    for (u64 i = 0; i < 64; i++)
        code_pages += cached(f, i);
    assert_true(code_pages > 60);
    assert_machine_valid();
    host_munmap((u64)code, 64 * PAGE_SIZE);
    host_munmap((u64)data, 64 * PAGE_SIZE);
    host_file_put(f);
    down();
}

static void anonymous_memory_goes_to_swap_and_returns(void **state)
{
    const struct host_swap_config cfg = {.pages = 4096, .prio = -1};
    up(16);
    assert_int_equal(host_swap_on(&disk, &cfg), 0);
    const u64 pages = 6000; /* of 4096 frames */
    s64 at = host_mmap_anon(pages * PAGE_SIZE);
    assert_true(at > 0);
    for (u64 i = 0; i < pages; i++)
        assert_int_equal(host_store_u8((u64)at + i * PAGE_SIZE + i % 4096, (u8)(i * 3 + 1)), 0);
    assert_true(stat_event_sum(PSWPOUT) > 1500);
    for (u64 round = 0; round < 2; round++) {
        for (u64 i = 0; i < pages; i++) {
            u8 v = 0;
            assert_int_equal(host_load_u8((u64)at + i * PAGE_SIZE + i % 4096, &v), 0);
            assert_int_equal(v, (u8)(i * 3 + 1));
        }
    }
    assert_true(stat_event_sum(PSWPIN) > 1500);
    assert_machine_valid();
    assert_null(swap_validate());
    host_munmap((u64)at, pages * PAGE_SIZE);
    assert_int_equal(host_swap_off(&disk), 0);
    down();
}

/* swappiness 0: files first; 200: anonymous memory first. */
static u64 swapped_with(u64 swappiness)
{
    const struct host_swap_config cfg = {.pages = 4096, .prio = -1};
    up(32);
    assert_int_equal(host_swap_on(&disk, &cfg), 0);
    sysctl_swappiness = swappiness;
    s64 at = host_mmap_anon(2000 * PAGE_SIZE);
    for (u64 i = 0; i < 2000; i++)
        assert_int_equal(host_store_u8((u64)at + i * PAGE_SIZE, 1), 0);
    struct host_file *f = numbered_file(2000);
    for (u64 k = 0; k < 2; k++)
        for (u64 i = 0; i < 2000; i++)
            read_page(f, i);
    for (unsigned i = 0; i < 60; i++)
        reclaim_once();
    u64 swapped = stat_event_sum(PSWPOUT);
    host_file_put(f);
    host_munmap((u64)at, 2000 * PAGE_SIZE);
    assert_int_equal(host_swap_off(&disk), 0);
    sysctl_swappiness = 60;
    down();
    return swapped;
}

static void swappiness_weighs(void **state)
{
    u64 none = swapped_with(0), some = swapped_with(60), much = swapped_with(200);
    assert_int_equal(none, 0);
    assert_true(some > 0 && much > some);
}

/* kswapd alone keeps the memory between its marks while a file larger than memory is read. */
static void kswapd_works_between_the_marks(void **state)
{
    up(16);
    struct host_file *f = numbered_file(12000);
    const struct zone *z = &nodes[0]->zone[ZONE_DMA];
    for (u64 i = 0; i < 12000; i++) {
        read_page(f, i);
        if (z->nr_free < z->watermark[WMARK_LOW])
            sched_yield_cpu();
    }
    assert_true(stat_event_sum(PGSTEAL_KSWAPD) > 0 && stat_event_sum(PAGEOUTRUN) > 0);
    assert_true(stat_event_sum(PGSTEAL_KSWAPD) + stat_event_sum(PGSTEAL_DIRECT) > 7000);
    assert_null(mapping_validate(&f->mapping));
    host_file_put(f);
    down();
}

static void nothing_left_is_an_error_not_a_hang(void **state)
{
    struct page *first = NULL;
    up(16);
    for (;;) {
        struct page *page = alloc_page(GFP_KERNEL | GFP_NOWARN);
        if (!page)
            break;
        page->owner = (u64)(uptr)first;
        first = page;
    }
    assert_int_equal(stat_event_sum(PGSTEAL_DIRECT), 0);
    struct page *reserve = alloc_page(GFP_MEMALLOC);
    assert_non_null(reserve);
    page_put(reserve);
    while (first) {
        struct page *next = (struct page *)(uptr)first->owner;
        first->owner = 0;
        page_put(first);
        first = next;
    }
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_first),
        cmocka_unit_test(what_was_read_twice_stays_longer),
        cmocka_unit_test(refaults_activate),
        cmocka_unit_test(shadows_go_with_the_file),
        cmocka_unit_test(shadows_are_bounded),
        cmocka_unit_test(cold_pages_go_first),
        cmocka_unit_test(pinned_and_locked_pages_stay),
        cmocka_unit_test(dirty_pages_are_written_first),
        cmocka_unit_test(executable_code_stays_a_round_longer),
        cmocka_unit_test(anonymous_memory_goes_to_swap_and_returns),
        cmocka_unit_test(swappiness_weighs),
        cmocka_unit_test(kswapd_works_between_the_marks),
        cmocka_unit_test(nothing_left_is_an_error_not_a_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
