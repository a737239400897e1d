/* SPDX-License-Identifier: MIT */
/*
 * Tables that fork shares: who copies them, when, and what each change of one sharer means for the others. Each test runs with
 * tables of level 1 shared, and with the one of level 2 above them.
 */
#include "pt_fixture.h"
#include <mm/fault.h>
#include <mm/sys.h>
#include <uapi/mman.h>

static struct address_space file;
static unsigned shared_level;

static struct mm *parent_of(u64 pages)
{
    struct mm *mm = scene_start();
    sysctl_fork_share = shared_level == 1 ? 16 : 1; /* no test has as many tables of level 1 */
    if (pages)
        scene_touch_all(scene_map(mm, BASE, pages, RW_FLAGS));
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

static struct page *table_of(struct mm *mm, u64 addr)
{
    pte_t *p = pt_find(mm, addr);
    return p ? pt_table_page(p) : NULL;
}

static bool same_table(struct mm *a, struct mm *b, u64 addr)
{
    return table_of(a, addr) && table_of(a, addr) == table_of(b, addr);
}

static void write_to(struct mm *mm, u64 addr, u64 value)
{
    host_mm_load(mm);
    u32 tries = 0;
    while (host_access(addr, &value, 8, HOST_WRITE, false, NULL)) {
        assert_int_equal(mm_fault(mm, addr, FAULT_WRITE | FAULT_USER), 0);
        assert_true(++tries < 4);
    }
    host_mm_load(NULL);
}

static u64 read_from(struct mm *mm, u64 addr)
{
    u64 value = 0;
    host_mm_load(mm);
    assert_int_equal(host_access(addr, &value, 8, HOST_READ, false, NULL), 0);
    host_mm_load(NULL);
    return value;
}

static void put_child(struct mm *child)
{
    host_mm_load(NULL);
    host_mm_unload_all(child);
    mm_put(child);
    machine_settle();
}

static void a_fork_copies_no_level_1_table(void **state)
{
    struct mm *mm = parent_of(8 * 512);
    s64 tables = stat_sum(NR_PAGETABLE);
    u64 shares = stat_event_sum(PT_SHARE);
    struct mm *child = fork_of(mm);
    assert_int_equal(stat_event_sum(PT_SHARE) - shares, shared_level == 1 ? 8 : 1);
    assert_true(stat_sum(NR_PAGETABLE) - tables <= 4); /* root and upper levels */
    assert_int_equal(child->pgtables_bytes, mm->pgtables_bytes);
    assert_int_equal(rss_sum(child, RSS_ANON), 8 * 512);
    assert_int_equal(pt_sharers(vma_find(mm, BASE), BASE), 2);
    put_child(child);
    assert_int_equal(pt_sharers(vma_find(mm, BASE), BASE), 1);
    scene_end(mm);
}

static void a_child_that_writes_one_page_copies_one_table_of_each_level(void **state)
{
    struct mm *mm = parent_of(4 * 512);
    for (u64 i = 0; i < 4 * 512; i += 100)
        write_to(mm, BASE + i * PAGE_SIZE, i);
    struct mm *child = fork_of(mm);
    s64 tables = stat_sum(NR_PAGETABLE);
    u64 copies = stat_event_sum(PT_UNSHARE), at = BASE + 600 * PAGE_SIZE;
    write_to(child, at, 7);
    assert_int_equal(stat_event_sum(PT_UNSHARE) - copies, shared_level);
    assert_int_equal(stat_sum(NR_PAGETABLE) - tables, shared_level);
    write_to(child, at + PAGE_SIZE, 7);
    assert_false(same_table(mm, child, at));
    assert_true(same_table(mm, child, BASE) && same_table(mm, child, BASE + 2 * PMD_SIZE));
    assert_int_equal(read_from(child, at), 7);
    assert_int_equal(read_from(mm, at), 600);
    assert_int_equal(read_from(child, BASE + 700 * PAGE_SIZE), 700);
    scene_check(mm);
    scene_check(child);
    write_to(mm, at, 9); /* the last sharer copies no table any more */
    assert_int_equal(stat_event_sum(PT_UNSHARE) - copies, shared_level);
    assert_int_equal(read_from(child, at), 7);
    scene_check(mm);
    put_child(child);
    assert_int_equal(read_from(mm, at), 9);
    scene_end(mm);
}

static void a_parent_that_writes_leaves_the_child_what_was(void **state)
{
    struct mm *mm = parent_of(512);
    write_to(mm, BASE, 1);
    struct mm *child = fork_of(mm);
    write_to(mm, BASE, 2);
    assert_int_equal(read_from(child, BASE), 1);
    assert_int_equal(read_from(mm, BASE), 2);
    scene_check(child);
    put_child(child);
    scene_end(mm);
}

static void who_is_left_keeps_his_pages(void **state)
{
    struct mm *mm = parent_of(512);
    write_to(mm, BASE, 1);
    struct page *page = pfn_to_page(pte_pfn(scene_entry(mm, BASE)));
    put_child(fork_of(mm));
    u64 copies = stat_event_sum(PT_UNSHARE) + stat_event_sum(COW_FAULT);
    write_to(mm, BASE, 2);
    assert_int_equal(stat_event_sum(PT_UNSHARE) + stat_event_sum(COW_FAULT), copies);
    assert_ptr_equal(pfn_to_page(pte_pfn(scene_entry(mm, BASE))), page);
    scene_end(mm);
}

static void any_order_of_exits(void **state)
{
    for (unsigned order = 0; order < 6; order++) {
        struct mm *mm[3];
        static const u8 orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        mm[0] = parent_of(700);
        write_to(mm[0], BASE, 5);
        mm[1] = fork_of(mm[0]);
        mm[2] = fork_of(mm[1]);
        assert_int_equal(pt_sharers(vma_find(mm[2], BASE), BASE), 3);
        if (order & 1)
            write_to(mm[1], BASE, 6);
        put_child(mm[orders[order][0]]);
        put_child(mm[orders[order][1]]);
        struct mm *last = mm[orders[order][2]];
        assert_int_equal(read_from(last, BASE), order & 1 && last == mm[1] ? 6 : 5);
        assert_int_equal(rss_sum(last, RSS_ANON), 700);
        scene_end(last);
    }
}

static void munmap_of_a_part_and_of_all(void **state)
{
    struct mm *mm = parent_of(3 * 512), *child = fork_of(mm);
    u64 copies = stat_event_sum(PT_UNSHARE);
    scene_unmap(child, BASE + 512 * PAGE_SIZE, 512); /* whole table: given up */
    copies += shared_level - 1;
    assert_int_equal(stat_event_sum(PT_UNSHARE), copies);
    assert_int_equal(rss_sum(child, RSS_ANON), 1024);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1536);
    scene_check(mm);
    scene_check(child);
    scene_unmap(child, BASE + 10 * PAGE_SIZE, 10); /* a part: copied */
    assert_int_equal(stat_event_sum(PT_UNSHARE), copies + 1);
    assert_int_equal(rss_sum(child, RSS_ANON), 1014);
    assert_true(pte_mapped(scene_entry(mm, BASE + 10 * PAGE_SIZE)));
    scene_check(mm);
    scene_check(child);
    scene_unmap(child, BASE, 3 * 512);
    assert_int_equal(rss_sum(child, RSS_ANON), 0);
    assert_int_equal(child->pgtables_bytes, 0);
    scene_check(child);
    put_child(child);
    scene_end(mm);
}

static void mprotect_madvise_mremap(void **state)
{
    struct mm *mm = parent_of(2 * 512);
    write_to(mm, BASE + PAGE_SIZE, 3);
    struct mm *child = fork_of(mm), *other = fork_of(mm);
    assert_int_equal(sys_mm_mprotect(child, BASE, 4 * PAGE_SIZE, UAPI_PROT_READ, -1), 0);
    assert_false(same_table(mm, child, BASE));
    assert_true(same_table(mm, child, BASE + PMD_SIZE) && same_table(mm, other, BASE));
    scene_check(child);
    assert_int_equal(sys_mm_madvise(other, BASE, PAGE_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_true(pte_none(scene_entry(other, BASE)) && pte_mapped(scene_entry(mm, BASE)));
    assert_int_equal(rss_sum(other, RSS_ANON), 1023);
    scene_check(other);
    u64 target = BASE + PUD_SIZE;
    assert_int_equal(sys_mm_mremap(mm, BASE + PMD_SIZE, PMD_SIZE, PMD_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED,
                                   target), target);
    assert_true(pte_none(scene_entry(mm, BASE + PMD_SIZE)) && pte_mapped(scene_entry(child, BASE + PMD_SIZE)));
    scene_check(mm);
    scene_check(child);
    assert_int_equal(read_from(child, BASE + PAGE_SIZE), 3);
    put_child(child);
    put_child(other);
    scene_end(mm);
}

static void areas_that_differ_keep_their_table_apart(void **state)
{
    static const u64 apart[] = {VM_DONTCOPY, VM_WIPEONFORK, 0};
    struct mm *mm = parent_of(0);
    for (unsigned i = 0; i < 3; i++) {
        u64 at = BASE + i * PMD_SIZE;
        scene_touch_all(scene_map(mm, at, 100, RW_FLAGS));
        scene_touch_all(scene_map(mm, at + 200 * PAGE_SIZE, 100, RW_FLAGS | apart[i]));
    }
    struct mm *child = fork_of(mm);
    assert_false(same_table(mm, child, BASE) || same_table(mm, child, BASE + PMD_SIZE));
    assert_true(same_table(mm, child, BASE + 2 * PMD_SIZE));
    assert_int_equal(rss_sum(child, RSS_ANON), 400);
    assert_true(pte_none(scene_entry(child, BASE + 200 * PAGE_SIZE)));
    assert_true(pte_none(scene_entry(child, BASE + PMD_SIZE + 200 * PAGE_SIZE)));
    put_child(child);
    scene_end(mm);
}

/* Private file pages beside private copies: what truncation and reclaim take goes from all sharers at once. */
static void truncation_and_rmap_reach_all_sharers(void **state)
{
    struct mm *mm = parent_of(0);
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *vma = scene_map_file(mm, BASE, 200, RW_FLAGS, &file, 0);
    for (unsigned i = 0; i < 150; i++)
        scene_map_cached(vma, BASE + i * PAGE_SIZE, false);
    struct page *own = scene_touch(vma, BASE + 160 * PAGE_SIZE);
    struct mm *a = fork_of(mm), *b = fork_of(a);
    host_mm_load(b);
    u64 word;
    assert_int_equal(host_access(BASE, &word, 8, HOST_READ, false, NULL), 0);
    assert_int_equal(rss_sum(b, RSS_SHMEM), 150);
    mapping_unmap_range(&file, 0, 99, false);
    assert_null(tlb_find(&host_tlbs[0], BASE));
    host_mm_load(NULL);
    struct mm *all[] = {mm, a, b};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rss_sum(all[i], RSS_SHMEM), 50);
        scene_check(all[i]);
    }
    struct page *cached = pfn_to_page(pte_pfn(scene_entry(mm, BASE + 120 * PAGE_SIZE)));
    page_get(cached);
    assert_int_equal(rmap_unmap(cached), 1); /* one entry, three sharers */
    page_put(cached);
    page_get(own);
    assert_int_equal(own->mapcount, 0);
    assert_int_equal(rmap_unmap(own), 1);
    page_put(own);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rss_sum(all[i], RSS_SHMEM), 49);
        assert_int_equal(rss_sum(all[i], RSS_ANON), 0);
        scene_check(all[i]);
        if (i)
            put_child(all[i]);
    }
    scene_unmap(mm, BASE, 200);
    mapping_destroy(&file);
    scene_end(mm);
}

static void every_allocation_of_fork_and_of_unsharing_may_fail(void **state)
{
    struct mm *mm = parent_of(2 * 512), *child = NULL;
    for (unsigned kind = FAIL_PAGE_ALLOC; kind <= FAIL_SLAB_ALLOC; kind++)
        for (unsigned n = 1;; n++) {
            host_fail_nth(kind, n, true);
            int err = mm_fork(mm, &child);
            host_fail_none();
            machine_settle();
            scene_check(mm);
            if (!err) {
                put_child(child);
                break;
            }
            assert_int_equal(err, -12);
        }
    child = fork_of(mm);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_int_equal(mm_fault(child, BASE, FAULT_WRITE | FAULT_USER), VM_FAULT_OOM);
    assert_int_equal(sys_mm_mprotect(child, BASE, PAGE_SIZE, UAPI_PROT_READ, -1), -12);
    assert_int_equal(sys_mm_madvise(child, BASE, PAGE_SIZE, UAPI_MADV_DONTNEED), -EAGAIN);
    mmap_write_lock(child);
    assert_int_equal(vma_unmap(child, BASE + PAGE_SIZE, PAGE_SIZE), -12);
    mmap_write_unlock(child);
    host_fail_none();
    scene_check(child);
    assert_true(same_table(mm, child, BASE));
    assert_int_equal(rss_sum(child, RSS_ANON), 1024);
    scene_unmap(child, BASE + PAGE_SIZE, 1);
    scene_check(child);
    put_child(child);
    scene_end(mm);
}

/* As ptrace and /proc/PID/mem write: into memory of the one, read-only or not, and the other sees nothing of it. */
static void a_forced_write_is_the_writers_own(void **state)
{
    u64 value = 55, seen = 0;
    struct mm *mm = parent_of(2 * 512);
    for (u64 i = 0; i < 3; i++)
        write_to(mm, BASE + i * PAGE_SIZE, i + 1);
    assert_int_equal(sys_mm_mprotect(mm, BASE, 512 * PAGE_SIZE, UAPI_PROT_READ, -1), 0);
    struct mm *child = fork_of(mm);
    assert_true(same_table(mm, child, BASE));
    assert_int_equal(access_remote(mm, BASE, &value, 8, FAULT_WRITE | FAULT_FORCE), 8);
    assert_int_equal(read_from(mm, BASE), 55);
    assert_int_equal(read_from(child, BASE), 1);
    scene_check(mm);
    scene_check(child);
    value = 66;
    assert_int_equal(access_remote(child, BASE + PAGE_SIZE, &value, 8, FAULT_WRITE | FAULT_FORCE), 8);
    assert_int_equal(read_from(mm, BASE + PAGE_SIZE), 2);
    assert_int_equal(read_from(child, BASE + PAGE_SIZE), 66);
    assert_int_equal(access_remote(child, BASE + 600 * PAGE_SIZE, &value, 8, FAULT_WRITE), 8);
    assert_int_equal(access_remote(mm, BASE + 600 * PAGE_SIZE, &seen, 8, 0), 8);
    assert_int_equal(seen, 0);
    scene_check(mm);
    scene_check(child);
    put_child(child);
    scene_end(mm);
}

static void the_switch_turns_it_off(void **state)
{
    struct mm *mm = parent_of(512);
    sysctl_fork_share = 0;
    struct mm *child = fork_of(mm);
    assert_false(same_table(mm, child, BASE));
    sysctl_fork_share = 513;
    struct mm *second = fork_of(mm);
    assert_false(same_table(mm, second, BASE));
    put_child(child);
    put_child(second);
    sysctl_fork_share = 1; /* and back: a shared table is copied once it is off */
    child = fork_of(mm);
    sysctl_fork_share = 0;
    second = fork_of(child);
    assert_true(same_table(mm, child, BASE));
    assert_false(same_table(mm, second, BASE));
    put_child(child);
    put_child(second);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_copies_no_level_1_table),
        cmocka_unit_test(a_child_that_writes_one_page_copies_one_table_of_each_level),
        cmocka_unit_test(a_parent_that_writes_leaves_the_child_what_was),
        cmocka_unit_test(who_is_left_keeps_his_pages),
        cmocka_unit_test(any_order_of_exits),
        cmocka_unit_test(munmap_of_a_part_and_of_all),
        cmocka_unit_test(mprotect_madvise_mremap),
        cmocka_unit_test(areas_that_differ_keep_their_table_apart),
        cmocka_unit_test(truncation_and_rmap_reach_all_sharers),
        cmocka_unit_test(every_allocation_of_fork_and_of_unsharing_may_fail),
        cmocka_unit_test(a_forced_write_is_the_writers_own),
        cmocka_unit_test(the_switch_turns_it_off),
    };
    int failed = 0;
    for (shared_level = 1; shared_level <= 2; shared_level++)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
