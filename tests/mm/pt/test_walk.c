/* SPDX-License-Identifier: MIT */
/* Walking down and making tables, with four and with five levels, alone and with others. */
#include "pt_fixture.h"

static void tables_are_made_once(u32 levels)
{
    struct host_config cfg = {.seed = 1, .levels = levels};
    struct mm *mm = scene_start_cfg(&cfg);
    scene_map(mm, BASE, 1024, RW_FLAGS);
    assert_null(pt_find(mm, BASE));
    pte_t *p = pt_alloc(mm, BASE);
    assert_non_null(p);
    assert_ptr_equal(pt_alloc(mm, BASE), p);
    assert_ptr_equal(pt_find(mm, BASE), p);
    assert_int_equal(mm->pgtables_bytes, (levels - 1) * PAGE_SIZE);
    assert_int_equal(stat_sum(NR_PAGETABLE), levels);
    /* The neighbour is in the same table, the next 2 MiB in one more. */
    assert_ptr_equal(pt_alloc(mm, BASE + PAGE_SIZE), p + 1);
    assert_non_null(pt_alloc(mm, BASE + PMD_SIZE));
    assert_int_equal(mm->pgtables_bytes, levels * PAGE_SIZE);
    assert_null(pt_find(mm, BASE + 2 * PMD_SIZE));
    assert_null(pt_validate(mm));
    scene_end(mm);
}

static void four_levels(void **state)
{
    tables_are_made_once(4);
}

static void five_levels(void **state)
{
    tables_are_made_once(5);
}

static void high_addresses_of_five_levels(void **state)
{
    struct host_config cfg = {.seed = 1, .levels = 5};
    struct mm *mm = scene_start_cfg(&cfg);
    u64 high = (1UL << 55) + BASE;
    struct vma *low_area = scene_map(mm, BASE, 1, RW_FLAGS),
               *area = scene_map(mm, high, 1, RW_FLAGS);
    scene_touch(low_area, BASE);
    scene_touch(area, high);
    assert_true(pt_find(mm, BASE) != pt_find(mm, high));
    scene_check(mm);
    scene_unmap(mm, high, 1);
    assert_null(pt_find(mm, high));
    assert_int_equal(mm->pgtables_bytes, 4 * PAGE_SIZE);
    scene_end(mm);
}

static void each_table_may_fail(void **state)
{
    struct mm *mm = scene_start();
    scene_map(mm, BASE, 1, RW_FLAGS);
    for (unsigned n = 1; n <= 3; n++) {
        host_fail_nth(FAIL_PAGE_ALLOC, 1, false);
        assert_null(pt_alloc(mm, BASE));
        assert_null(pt_validate(mm));
        host_fail_nth(FAIL_PAGE_ALLOC, 2, false); /* the next level is made, the one below is not */
        assert_true(!pt_alloc(mm, BASE) == (n < 3));
    }
    host_fail_none();
    assert_non_null(pt_alloc(mm, BASE));
    scene_end(mm);
}

static struct mm *shared;

static int alloc_tables(void *arg)
{
    for (u64 i = 0; i < 64; i++) {
        pte_t *p = pt_alloc(shared, BASE + i * PMD_SIZE);
        if (!p || p != pt_find(shared, BASE + i * PMD_SIZE))
            return 1;
    }
    return 0;
}

static void racing_walkers_agree(void **state)
{
    for (u64 seed = 1; seed <= 20; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 4, .switch_permille = 300};
        struct host_thread *t[4];
        shared = scene_start_cfg(&cfg);
        scene_map(shared, BASE, 64 * 512, RW_FLAGS);
        for (u32 i = 0; i < 4; i++)
            t[i] = host_thread_start(alloc_tables, NULL, "walker", i);
        for (u32 i = 0; i < 4; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        assert_int_equal(shared->pgtables_bytes, (2 + 64) * PAGE_SIZE);
        scene_end(shared);
    }
}

static int note_address(void *ctx, u64 addr, unsigned level, pte_t e)
{
    u64 **next = ctx;
    assert_int_equal(level, 1);
    *(*next)++ = addr;
    return addr == BASE + 600 * PMD_SIZE ? 7 : 0;
}

static void for_each_names_leaves_in_order(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1024 * 512, RW_FLAGS);
    const u64 at[] = {BASE, BASE + 5 * PAGE_SIZE, BASE + 3 * PMD_SIZE, BASE + 600 * PMD_SIZE,
                      BASE + 1000 * PMD_SIZE};
    u64 seen[8], *next = seen;
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
        scene_touch(vma, at[i]);
    assert_int_equal(pt_for_each(mm, 0, U64_MAX, note_address, &next), 7);
    assert_int_equal(next - seen, 4);
    assert_memory_equal(seen, at, 4 * sizeof(u64));
    next = seen;
    assert_int_equal(pt_for_each(mm, BASE + PAGE_SIZE, BASE + 4 * PMD_SIZE, note_address, &next),
                     0);
    assert_int_equal(next - seen, 2);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_levels),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(high_addresses_of_five_levels),
        cmocka_unit_test(each_table_may_fail),
        cmocka_unit_test(racing_walkers_agree),
        cmocka_unit_test(for_each_names_leaves_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
