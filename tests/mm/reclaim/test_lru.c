/* SPDX-License-Identifier: MIT */
/* Membership of the lruvec and the end of pages. */
#include "../../common/machine.h"

static struct page *new_page(u32 flags)
{
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);
    assert_non_null(page);
    page_init_flags(page, flags);
    lru_add(page);
    return page;
}

static void flags_name_the_list(void **state)
{
    const struct {
        u32 flags;
        enum node_stat gauge;
    } kinds[] = {
        {1u << PG_swapbacked, NR_INACTIVE_ANON},
        {1u << PG_swapbacked | 1u << PG_active, NR_ACTIVE_ANON},
        {0, NR_INACTIVE_FILE},
        {1u << PG_active, NR_ACTIVE_FILE},
        {1u << PG_unevictable, NR_UNEVICTABLE},
        {1u << PG_unevictable | 1u << PG_swapbacked | 1u << PG_active, NR_UNEVICTABLE},
    };
    machine_up(16, 1, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        s64 before = stat_sum(kinds[i].gauge);
        struct page *a = new_page(kinds[i].flags), *b = new_page(kinds[i].flags);
        assert_int_equal(stat_sum(kinds[i].gauge), before + 2);
        assert_null(lru_validate());
        lru_remove(a);
        assert_false(page_test(a, PG_lru));
        assert_int_equal(stat_sum(kinds[i].gauge), before + 1);
        page_put(a);
        page_put(b);
        assert_int_equal(stat_sum(kinds[i].gauge), before);
        assert_null(lru_validate());
    }
    machine_down();
}

static void second_touch_activates(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = new_page(0), *locked = new_page(1u << PG_unevictable);
    u64 events = stat_event_sum(PGACTIVATE);
    lru_mark_accessed(page);
    assert_true(page_test(page, PG_referenced) && !page_test(page, PG_active));
    lru_mark_accessed(page);
    assert_true(!page_test(page, PG_referenced) && page_test(page, PG_active));
    assert_int_equal(stat_sum(NR_ACTIVE_FILE), 1);
    assert_int_equal(stat_event_sum(PGACTIVATE), events + 1);
    for (unsigned i = 0; i < 3; i++)
        lru_mark_accessed(locked);
    assert_false(page_test(locked, PG_active));
    lru_mark_accessed(page);
    lru_mark_accessed(page);
    assert_int_equal(stat_event_sum(PGACTIVATE), events + 1);
    assert_null(lru_validate());
    page_put(page);
    page_put(locked);
    machine_down();
}

static void batch_frees_what_nobody_holds(void **state)
{
    machine_up(16, 1, 1);
    struct page *pages[512], *kept[512];
    unsigned nr_kept = 0;
    u64 free = phys_free_all();
    for (unsigned i = 0; i < 512; i++) {
        pages[i] = i % 5 == 4 ? alloc_page(GFP_KERNEL)
                              : new_page(i % 2   ? 1u << PG_swapbacked
                                         : i % 3 ? 1u << PG_active
                                                 : 0);
        if (i % 7 == 0) {
            page_get(pages[i]);
            kept[nr_kept++] = pages[i];
        }
    }
    /* In an order that visits the shards again and again. */
    for (unsigned i = 0; i < 512; i++) {
        unsigned j = i * 37 % 512;
        struct page *t = pages[i];
        pages[i] = pages[j];
        pages[j] = t;
    }
    page_put_batch(pages, 512);
    assert_int_equal(phys_free_all(), free - nr_kept);
    assert_null(lru_validate());
    for (unsigned i = 0; i < nr_kept; i++)
        assert_int_equal(page_refs(kept[i]), 1);
    page_put_batch(kept, nr_kept);
    assert_int_equal(phys_free_all(), free);
    machine_down();
}

static void compound_pages_go_whole(void **state)
{
    machine_up(16, 1, 1);
    u64 free = phys_free_all();
    struct page *big = alloc_pages(GFP_KERNEL | GFP_COMP, 3), *small = new_page(0),
                *other = new_page(0);
    struct page *batch[] = {small, big, other};
    page_put_batch(batch, 3);
    assert_int_equal(phys_free_all(), free);
    big = alloc_pages(GFP_KERNEL | GFP_COMP, 5);
    page_put(big);
    assert_int_equal(phys_free_all(), free);
    machine_down();
}

static void the_validator_sees(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = new_page(0), *other = new_page(0);
    page_set(page, PG_active);
    assert_non_null(lru_validate());
    page_clear(page, PG_active);
    page_clear(page, PG_lru);
    assert_non_null(lru_validate());
    page_set(page, PG_lru);
    cpu_local()->zone_lru[page_zone_slot(page)][LRU_INACTIVE_FILE]++;
    assert_non_null(lru_validate());
    cpu_local()->zone_lru[page_zone_slot(page)][LRU_INACTIVE_FILE]--;
    page->refcount = 0;
    assert_non_null(lru_validate());
    page->refcount = 1;
    u32 home = page->flags;
    page->flags ^= 1u << PAGE_NODE_SHIFT;
    assert_non_null(lru_validate());
    page->flags = home;
    u32 prev = other->prev;
    other->prev = 1;
    assert_non_null(lru_validate());
    other->prev = prev;
    assert_null(lru_validate());
    page_put(page);
    page_put(other);
    machine_down();
}

static int churn(void *arg)
{
    struct page *pages[40];
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 40; i++)
            pages[i] = new_page(i % 2 ? 1u << PG_swapbacked : 0);
        for (unsigned i = 0; i < 80; i++)
            lru_mark_accessed(pages[i * 7 % 40]);
        page_put_batch(pages, 40);
    }
    return 0;
}

static void shards_under_many_cpus(void **state)
{
    for (u64 seed = 1; seed <= 5; seed++) {
        struct host_thread *t[4];
        machine_up(16, 4, seed);
        for (u32 i = 0; i < 4; i++)
            t[i] = host_thread_start(churn, NULL, "churn", i);
        for (u32 i = 0; i < 4; i++)
            host_thread_join(t[i]);
        machine_down();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_name_the_list),
        cmocka_unit_test(second_touch_activates),
        cmocka_unit_test(batch_frees_what_nobody_holds),
        cmocka_unit_test(compound_pages_go_whole),
        cmocka_unit_test(the_validator_sees),
        cmocka_unit_test(shards_under_many_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
