/* SPDX-License-Identifier: MIT */
/* Per-CPU lists: order of reuse, drains, other CPUs, and allocations that fail on demand. */
#include "../../common/machine.h"

static u64 pcp_waiting(void)
{
    return phys_free_all() - phys_free();
}

static void last_freed_first_reused(void **state)
{
    machine_up(64, 1, 1);
    struct page *a = alloc_page(GFP_KERNEL), *b = alloc_page(GFP_KERNEL);
    free_pages(a, 0);
    free_pages(b, 0);
    assert_ptr_equal(alloc_page(GFP_KERNEL), b);
    assert_ptr_equal(alloc_page(GFP_KERNEL), a);
    free_pages(a, 0);
    free_pages(b, 0);
    machine_down();
}

static void fresh_pages_rise(void **state)
{
    struct page *pages[256];
    unsigned rising = 0;
    machine_up(64, 1, 1);
    for (unsigned i = 0; i < 256; i++) {
        pages[i] = alloc_page(GFP_HIGHUSER_MOVABLE);
        rising += i && pages[i] == pages[i - 1] + 1;
    }
    assert_true(rising >= 220);
    free_page_batch(pages, 256);
    machine_down();
}

static void drains_leave_nothing(void **state)
{
    struct page *pages[64];
    machine_up(64, 4, 1);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        host_thread_move(cpu);
        for (unsigned i = 0; i < 64; i++)
            pages[i] = alloc_page((i & 1) ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE);
        free_page_batch(pages, 64);
    }
    assert_true(pcp_waiting() >= 4 * 64);
    u64 before = pcp_waiting();
    pcp_drain_local();
    assert_true(pcp_waiting() < before && pcp_waiting() > 0);
    pcp_drain_all();
    assert_int_equal(pcp_waiting(), 0);
    assert_machine_valid();
    machine_down();
}

/* A list never holds more than its share; what is above goes back in one piece. */
static void lists_overflow(void **state)
{
    static struct page *pages[4000];
    machine_up(64, 2, 1);
    for (unsigned i = 0; i < 4000; i++)
        assert_non_null(pages[i] = alloc_page(GFP_HIGHUSER_MOVABLE));
    for (unsigned i = 0; i < 4000; i++) {
        free_pages(pages[i], 0);
        if (i % 100 == 0)
            assert_machine_valid();
    }
    assert_true(pcp_waiting() <= phys_managed() / 8);
    machine_down();
}

static void freed_pages_are_clean_when_they_return(void **state)
{
    machine_up(64, 1, 1);
    struct page *page = alloc_page(GFP_KERNEL);
    page_set(page, PG_uptodate);
    page_set(page, PG_dirty);
    page_set(page, PG_swapbacked);
    page->owner = 0x1234560;
    page->index = 99;
    page_put(page);
    struct page *again = alloc_page(GFP_KERNEL);
    assert_ptr_equal(again, page);
    assert_int_equal(page->flags & PAGE_FLAGS_MASK, 0);
    assert_int_equal(page->owner, 0);
    assert_int_equal(page->index, 0);
    assert_int_equal(page_refs(page), 1);
    page_put(page);
    machine_down();
}

static void zeroed_pages_are_zero(void **state)
{
    machine_up(64, 1, 1);
    struct page *page = alloc_page(GFP_KERNEL);
    memset(page_to_virt(page), 0xa5, PAGE_SIZE);
    free_pages(page, 0);
    page = alloc_page(GFP_KERNEL | GFP_ZERO);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(((u8 *)page_to_virt(page))[i], 0);
    free_pages(page, 0);
    machine_down();
}

/* Every allocation asks the fail point exactly once, and failing it leaves nothing behind. */
static void nth_allocation_fails(void **state)
{
    struct page *pages[40];
    machine_up(64, 1, 1);
    for (unsigned fail = 1; fail <= 40; fail++) {
        host_fail_nth(FAIL_PAGE_ALLOC, fail, false);
        for (unsigned i = 0; i < 40; i++) {
            pages[i] = alloc_pages(GFP_KERNEL, i % 3);
            assert_true(!pages[i] == (i + 1 == fail));
        }
        assert_int_equal(host_fail_hits(FAIL_PAGE_ALLOC), 40);
        host_fail_none();
        for (unsigned i = 0; i < 40; i++)
            if (pages[i])
                free_pages(pages[i], i % 3);
        assert_machine_valid();
    }
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    struct page *page = alloc_page(GFP_KERNEL | GFP_NOFAIL);
    assert_non_null(page);
    free_pages(page, 0);
    machine_down();
}

/* What waits in the lists of other CPUs is found before an allocation that may sleep fails. */
static void last_pages_come_from_other_cpus(void **state)
{
    struct page *list = NULL, *page;
    machine_up(16, 2, 1);
    host_thread_move(1);
    struct page *some[20];
    for (unsigned i = 0; i < 20; i++)
        some[i] = alloc_page(GFP_KERNEL);
    host_thread_move(0);
    while ((page = alloc_page(GFP_NOWAIT | GFP_NOWARN))) {
        page->owner = (u64)(uptr)list;
        list = page;
    }
    host_thread_move(1);
    free_page_batch(some, 20);
    host_thread_move(0);
    assert_null(alloc_page(GFP_NOWAIT | GFP_NOWARN));
    page = alloc_page(GFP_KERNEL);
    assert_non_null(page);
    free_pages(page, 0);
    while (list) {
        page = list;
        list = (struct page *)(uptr)page->owner;
        free_pages(page, 0);
    }
    machine_down();
}

static void failures_are_logged_once_in_a_while(void **state)
{
    machine_up(16, 1, 1);
    for (unsigned i = 0; i < 100; i++) {
        struct page *huge[8];
        unsigned n = 0;
        while (n < 8 && (huge[n] = alloc_pages(GFP_KERNEL, MAX_ORDER)))
            n++;
        assert_true(n < 8);
        while (n--)
            free_pages(huge[n], MAX_ORDER);
    }
    unsigned lines = 0;
    for (const char *p = host_log_text();
         (p = strstr(p, "page allocation failure: order:10, mode:0xcc0(GFP_KERNEL)")); p++)
        lines++;
    assert_true(lines >= 1 && lines <= 10);
    machine_down();
}

static u64 reclaim_calls;
static struct page *hoard[4096];
static unsigned hoarded;

static u64 reclaim_hoard(unsigned node, gfp_t gfp, unsigned order)
{
    reclaim_calls++;
    unsigned n = min(hoarded, 32u);
    for (unsigned i = 0; i < n; i++)
        free_pages(hoard[--hoarded], 0);
    return n;
}

static void reclaim_is_asked(void **state)
{
    static const struct reclaim_ops ops = {.reclaim = reclaim_hoard};
    machine_up(16, 1, 1);
    hoarded = 0;
    while ((hoard[hoarded] = alloc_page(GFP_NOWAIT | GFP_NOWARN)))
        hoarded++;
    reclaim_calls = 0;
    phys_reclaim_ops = &ops;
    struct page *page = alloc_page(GFP_KERNEL);
    assert_non_null(page);
    assert_int_equal(reclaim_calls, 1);
    free_pages(page, 0);
    phys_reclaim_ops = NULL;
    while (hoarded)
        free_pages(hoard[--hoarded], 0);
    machine_down();
}

static void counters_add_up(void **state)
{
    machine_up(64, 2, 1);
    u64 alloc = stat_event_sum(PGALLOC_DMA) + stat_event_sum(PGALLOC_DMA32),
        freed = stat_event_sum(PGFREE);
    u64 hit = stat_event_sum(NUMA_HIT);
    struct page *a = alloc_page(GFP_KERNEL), *b = alloc_pages(GFP_KERNEL, 4);
    assert_int_equal(stat_event_sum(PGALLOC_DMA) + stat_event_sum(PGALLOC_DMA32), alloc + 17);
    assert_int_equal(stat_event_sum(NUMA_HIT), hit + 2);
    free_pages(a, 0);
    free_pages(b, 4);
    assert_int_equal(stat_event_sum(PGFREE), freed + 17);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_freed_first_reused),
        cmocka_unit_test(fresh_pages_rise),
        cmocka_unit_test(drains_leave_nothing),
        cmocka_unit_test(lists_overflow),
        cmocka_unit_test(freed_pages_are_clean_when_they_return),
        cmocka_unit_test(zeroed_pages_are_zero),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(last_pages_come_from_other_cpus),
        cmocka_unit_test(failures_are_logged_once_in_a_while),
        cmocka_unit_test(reclaim_is_asked),
        cmocka_unit_test(counters_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
