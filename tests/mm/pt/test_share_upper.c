/* SPDX-License-Identifier: MIT */
/* Level-2 tables that fork shares: what they cost, what they keep, and how several generations take them apart. */
#include "pt_fixture.h"
#include <mm/fault.h>
#include <mm/sys.h>
#include <uapi/mman.h>

#define TABLES 64u /* level-1 tables of a sparse GiB: one page in each */

static struct address_space file;

static u64 at(unsigned table)
{
    return BASE + table * PMD_SIZE;
}

/* An area of 1 GiB with a page in each of n level-1 tables. */
static struct mm *sparse_parent(unsigned n)
{
    struct mm *mm = scene_start();
    sysctl_fork_share = 1;
    struct vma *vma = scene_map(mm, BASE, PUD_SIZE / PAGE_SIZE, RW_FLAGS);
    for (unsigned i = 0; i < n; i++)
        scene_touch(vma, at(i));
    return mm;
}

static struct mm *fork_of(struct mm *mm)
{
    struct mm *child;
    assert_int_equal(mm_fork(mm, &child), 0);
    scene_check(mm);
    scene_check(child);
    return child;
}

static void write_to(struct mm *mm, u64 addr)
{
    assert_int_equal(mm_fault(mm, addr, FAULT_WRITE | FAULT_USER), 0);
}

static void put_child(struct mm *child)
{
    mm_put(child);
    machine_settle();
}

static u64 copies(void)
{
    return stat_event_sum(PT_UNSHARE);
}

static void one_table_stands_for_all_below(void **state)
{
    struct mm *mm = sparse_parent(TABLES);
    u64 links = stat_event_sum(PT_SHARE);
    s64 tables = stat_sum(NR_PAGETABLE);
    struct mm *child = fork_of(mm);
    assert_int_equal(stat_event_sum(PT_SHARE) - links, 1);
    assert_int_equal(stat_sum(NR_PAGETABLE) - tables, pt_levels() - 2); /* root and what leads to level 2 */
    assert_int_equal(rss_sum(child, RSS_ANON), TABLES);
    assert_int_equal(child->pgtables_bytes, mm->pgtables_bytes);
    assert_int_equal(pt_sharers(vma_find(mm, BASE), at(5)), 2);
    put_child(child);
    assert_int_equal(rss_sum(mm, RSS_ANON), TABLES);
    scene_end(mm);
}

/* What others lost meanwhile is not counted twice: the kept sum is void. */
static void sums_follow_what_is_lost(void **state)
{
    struct mm *mm = sparse_parent(TABLES), *a = fork_of(mm), *b = fork_of(a);
    struct page *page = pfn_to_page(pte_pfn(scene_entry(mm, at(3))));
    page_get(page);
    assert_int_equal(rmap_unmap(page), 1);
    page_put(page);
    struct mm *all[] = {mm, a, b};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rss_sum(all[i], RSS_ANON), TABLES - 1);
        scene_check(all[i]);
    }
    struct mm *c = fork_of(b);
    assert_int_equal(rss_sum(c, RSS_ANON), TABLES - 1);
    put_child(b);
    put_child(mm);
    put_child(c);
    assert_int_equal(rss_sum(a, RSS_ANON), TABLES - 1);
    scene_end(a);
}

static void generations_take_it_apart_in_any_order(void **state)
{
    for (unsigned order = 0; order < 24; order++) {
        struct mm *mm[4];
        mm[0] = sparse_parent(8);
        mm[1] = fork_of(mm[0]);
        write_to(mm[1], at(1)); /* its own level 2, and one level 1 */
        mm[2] = fork_of(mm[1]);
        mm[3] = fork_of(mm[0]);
        write_to(mm[2], at(2));
        write_to(mm[3], at(7) + PAGE_SIZE); /* a new page in a table that three of them share */
        write_to(mm[0], at(20));            /* and a new table */
        for (unsigned i = 0; i < 4; i++)
            scene_check(mm[i]);
        assert_int_equal(rss_sum(mm[3], RSS_ANON), 9);
        assert_int_equal(rss_sum(mm[0], RSS_ANON), 9);
        assert_int_equal(rss_sum(mm[1], RSS_ANON), 8);
        unsigned left[4] = {0, 1, 2, 3}, n = order;
        for (unsigned k = 4; k > 1; k--) {
            unsigned pick = n % k;
            n /= k;
            put_child(mm[left[pick]]);
            left[pick] = left[k - 1];
            for (unsigned i = 0; i < k - 1; i++)
                scene_check(mm[left[i]]);
        }
        write_to(mm[left[0]], at(1));
        scene_end(mm[left[0]]);
    }
}

static void munmap_gives_up_what_it_covers(void **state)
{
    struct mm *mm = sparse_parent(TABLES), *child = fork_of(mm);
    u64 before = copies();
    scene_unmap(child, BASE, PUD_SIZE / PAGE_SIZE);
    assert_int_equal(copies(), before);
    assert_int_equal(rss_sum(child, RSS_ANON), 0);
    assert_int_equal(child->pgtables_bytes, 0);
    scene_check(child);
    put_child(child);
    child = fork_of(mm);
    scene_unmap(child, at(3), 3 * 512); /* three tables of one that is copied */
    assert_int_equal(copies(), before + 1);
    assert_int_equal(rss_sum(child, RSS_ANON), TABLES - 3);
    scene_check(child);
    scene_check(mm);
    put_child(child);
    scene_end(mm);
}

/* The parent's area does not come to the child and has no entry, but a table: the child must get rid of it. */
static void an_empty_table_of_an_area_that_stays_behind(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        struct mm *mm = scene_start();
        sysctl_fork_share = 1;
        struct vma *low = scene_map(mm, BASE, 512, RW_FLAGS | VM_DONTCOPY);
        struct vma *high = scene_map(mm, at(4), 512, RW_FLAGS);
        scene_touch(low, BASE);
        scene_zap(low, BASE, BASE + PAGE_SIZE);
        scene_touch_all(high);
        struct mm *child = fork_of(mm);
        assert_int_equal(child->pgtables_bytes, mm->pgtables_bytes);
        if (i) {
            write_to(child, at(4));
            scene_unmap(child, at(4), 512);
            assert_int_equal(child->pgtables_bytes, 0);
            scene_check(child);
        }
        put_child(child);
        scene_end(mm);
    }
}

/* All sharers leave before any of them flushes: the last reference empties both levels. */
static void abandoned_at_once(void **state)
{
    struct mm *mm = sparse_parent(TABLES), *child = fork_of(mm);
    struct gather g[2];
    struct mm *both[] = {mm, child};
    for (unsigned i = 0; i < 2; i++) {
        gather_begin(&g[i], both[i], false);
        pt_zap_range(&g[i], vma_find(both[i], BASE), BASE, BASE + PUD_SIZE);
        assert_int_equal(rss_sum(both[i], RSS_ANON), 0);
    }
    assert_int_equal(stat_sum(NR_ANON_MAPPED), TABLES);
    gather_end(&g[0]);
    gather_end(&g[1]);
    assert_int_equal(stat_sum(NR_ANON_MAPPED), 0);
    put_child(child);
    scene_end(mm);
}

static void a_shared_file_in_the_gigabyte_leaves_level_1(void **state)
{
    struct mm *mm = sparse_parent(4);
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    scene_unmap(mm, at(100), 512);
    struct vma *vma = scene_map_file(mm, at(100), 10, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    struct mm *child = fork_of(mm);
    put_child(child);
    scene_map_cached(vma, at(100), true); /* from now on the child's tables must differ */
    u64 links = stat_event_sum(PT_SHARE);
    child = fork_of(mm);
    assert_int_equal(stat_event_sum(PT_SHARE) - links, 4);
    assert_int_equal(rss_sum(child, RSS_SHMEM), 0);
    assert_int_equal(rss_sum(child, RSS_ANON), 4);
    put_child(child);
    scene_unmap(mm, at(100), 10);
    mapping_destroy(&file);
    scene_end(mm);
}

static void every_allocation_on_the_way_may_fail(void **state)
{
    struct mm *mm = sparse_parent(4), *child = fork_of(mm);
    for (unsigned n = 1; n <= 2; n++) { /* level 2, level 1 */
        host_fail_nth(FAIL_PAGE_ALLOC, n, true);
        assert_int_equal(mm_fault(child, BASE, FAULT_WRITE | FAULT_USER), VM_FAULT_OOM);
        host_fail_none();
        scene_check(child);
        scene_check(mm);
    }
    struct mm *second = fork_of(mm);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_int_equal(sys_mm_madvise(mm, at(1), PMD_SIZE, UAPI_MADV_DONTNEED), -EAGAIN); /* the whole table, of a shared one */
    host_fail_none();
    assert_int_equal(rss_sum(mm, RSS_ANON), 4);
    assert_int_equal(sys_mm_madvise(mm, at(1), PMD_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(rss_sum(mm, RSS_ANON), 3);
    assert_int_equal(rss_sum(child, RSS_ANON), 4);
    assert_int_equal(rss_sum(second, RSS_ANON), 4);
    scene_check(mm);
    put_child(second);
    put_child(child);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_table_stands_for_all_below),
        cmocka_unit_test(sums_follow_what_is_lost),
        cmocka_unit_test(generations_take_it_apart_in_any_order),
        cmocka_unit_test(munmap_gives_up_what_it_covers),
        cmocka_unit_test(an_empty_table_of_an_area_that_stays_behind),
        cmocka_unit_test(abandoned_at_once),
        cmocka_unit_test(a_shared_file_in_the_gigabyte_leaves_level_1),
        cmocka_unit_test(every_allocation_on_the_way_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
