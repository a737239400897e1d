/* SPDX-License-Identifier: MIT */
/* fork: what the child's tables hold, and what the parent's lose. */
#include "pt_fixture.h"

static struct address_space file;

static struct mm *fork_of(struct mm *mm)
{
    struct mm *child;
    sysctl_fork_share = 0; /* test_share.c has the other way */
    assert_int_equal(mm_fork(mm, &child), 0);
    return child;
}

static void pages_are_shared_read_only(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1000, RW_FLAGS);
    for (unsigned i = 0; i < 1000; i += 3)
        scene_touch(vma, BASE + i * PAGE_SIZE);
    scene_zero_page(vma, BASE + PAGE_SIZE);
    struct mm *child = fork_of(mm);
    for (unsigned i = 0; i < 1000; i++) {
        u64 a = BASE + i * PAGE_SIZE;
        pte_t p = scene_entry(mm, a), c = scene_entry(child, a);
        assert_int_equal(pte_pfn(p), pte_pfn(c));
        assert_false(pte_write(p) || pte_write(c) || pte_young(c));
        assert_int_equal(pte_present(p), pte_present(c));
        if (i % 3 == 0) {
            assert_true(pte_dirty(p));
            assert_int_equal(pfn_to_page(pte_pfn(p))->mapcount, 1);
            assert_int_equal(page_refs(pfn_to_page(pte_pfn(p))), 2);
        }
    }
    assert_int_equal(rss_sum(child, RSS_ANON), rss_sum(mm, RSS_ANON));
    assert_int_equal(stat_sum(NR_ANON_MAPPED), 334);
    scene_check(mm);
    scene_check(child);
    mm_put(child);
    scene_check(mm);
    scene_end(mm);
}

static void parent_may_go_first(void **state)
{
    struct mm *mm = scene_start();
    scene_touch_all(scene_map(mm, BASE, 600, RW_FLAGS));
    struct mm *child = fork_of(mm), *grandchild = fork_of(child);
    mm_put(mm);
    scene_check(child);
    mm_put(child);
    assert_int_equal(rss_sum(grandchild, RSS_ANON), 600);
    assert_int_equal(pfn_to_page(pte_pfn(scene_entry(grandchild, BASE)))->mapcount, 0);
    scene_end(grandchild);
}

static void cached_pages_are_left_to_faults(void **state)
{
    struct mm *mm = scene_start();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *shared = scene_map_file(mm, BASE, 4, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    struct vma *clean = scene_map_file(mm, BASE + PMD_SIZE, 4, RW_FLAGS, &file, 0);
    struct vma *mixed = scene_map_file(mm, BASE + 2 * PMD_SIZE, 4, RW_FLAGS, &file, 0);
    scene_map_cached(shared, BASE, true);
    scene_map_cached(clean, BASE + PMD_SIZE, false);
    scene_map_cached(mixed, BASE + 2 * PMD_SIZE, false);
    scene_touch(mixed, BASE + 2 * PMD_SIZE + PAGE_SIZE);
    struct mm *child = fork_of(mm);
    assert_true(pte_none(scene_entry(child, BASE)));
    assert_true(pte_write(scene_entry(mm, BASE)));
    assert_true(pte_none(scene_entry(child, BASE + PMD_SIZE)));
    /* Private copies can only be had from the parent; their neighbours come along. */
    assert_true(pte_present(scene_entry(child, BASE + 2 * PMD_SIZE)));
    assert_true(pte_present(scene_entry(child, BASE + 2 * PMD_SIZE + PAGE_SIZE)));
    assert_int_equal(rss_sum(child, RSS_SHMEM), 1);
    assert_int_equal(rss_sum(child, RSS_ANON), 1);
    scene_check(child);
    mm_put(child);
    scene_unmap(mm, BASE, 3 * 512);
    mapping_destroy(&file);
    scene_end(mm);
}

static void empty_tables_are_not_copied(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 4 * 512, RW_FLAGS);
    scene_touch_all(vma);
    scene_zap(vma, BASE, BASE + 3 * PMD_SIZE);
    struct mm *child = fork_of(mm);
    assert_int_equal(child->pgtables_bytes, 3 * PAGE_SIZE);
    mm_put(child);
    scene_end(mm);
}

static void every_allocation_may_fail(void **state)
{
    struct mm *mm = scene_start(), *child;
    for (unsigned i = 0; i < 3; i++)
        scene_touch_all(scene_map(mm, BASE + i * PUD_SIZE, 1024, i == 1 ? VM_READ : RW_FLAGS));
    for (unsigned kind = FAIL_PAGE_ALLOC; kind <= FAIL_SLAB_ALLOC; kind++)
        for (unsigned n = 1;; n++) {
            sysctl_fork_share = 0;
            host_fail_nth(kind, n, true);
            int err = mm_fork(mm, &child);
            u64 hits = host_fail_hits(kind);
            host_fail_none();
            machine_settle();
            scene_check(mm);
            if (!err) {
                assert_true(hits < n);
                mm_put(child);
                break;
            }
            assert_int_equal(err, -12);
            assert_int_equal(rss_sum(mm, RSS_ANON), 3072);
        }
    scene_end(mm);
}

static void parent_loses_its_writable_translations(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1, RW_FLAGS);
    u64 word = 1;
    scene_touch(vma, BASE);
    host_mm_load(mm);
    assert_int_equal(host_access(BASE, &word, 8, HOST_WRITE, true, NULL), 0);
    struct mm *child = fork_of(mm);
    assert_true(tlb_find(&host_tlbs[0], BASE) == NULL || !tlb_find(&host_tlbs[0], BASE)->write);
    mm_put(child);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_shared_read_only),
        cmocka_unit_test(parent_may_go_first),
        cmocka_unit_test(cached_pages_are_left_to_faults),
        cmocka_unit_test(empty_tables_are_not_copied),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(parent_loses_its_writable_translations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
