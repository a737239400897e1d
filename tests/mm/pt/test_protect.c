/* SPDX-License-Identifier: MIT */
/* mprotect on entries: which rights stay, which return, and who is flushed. */
#include "pt_fixture.h"

static void protect(struct mm *mm, u64 start, u64 pages, u64 flags)
{
    mmap_write_lock(mm);
    struct vma_fill fill;
    assert_int_equal(vma_protect(mm, start, start + (pages << PAGE_SHIFT), flags, -1, &fill), 0);
    mmap_write_unlock(mm);
    scene_check(mm);
}

static void write_goes_and_returns(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 4, RW_FLAGS);
    for (unsigned i = 0; i < 3; i++)
        scene_touch(vma, BASE + i * PAGE_SIZE);
    scene_zero_page(vma, BASE + 3 * PAGE_SIZE);
    protect(mm, BASE, 4, VM_READ);
    for (unsigned i = 0; i < 3; i++) {
        pte_t e = scene_entry(mm, BASE + i * PAGE_SIZE);
        assert_true(pte_present(e) && pte_dirty(e) && !pte_write(e));
    }
    struct page *page = pfn_to_page(pte_pfn(scene_entry(mm, BASE + PAGE_SIZE)));
    page_get(page); /* somebody else has this one: only a fault may decide */
    protect(mm, BASE, 4, RW_FLAGS);
    assert_true(pte_write(scene_entry(mm, BASE)));
    assert_false(pte_write(scene_entry(mm, BASE + PAGE_SIZE)));
    assert_true(pte_write(scene_entry(mm, BASE + 2 * PAGE_SIZE)));
    assert_false(pte_write(scene_entry(mm, BASE + 3 * PAGE_SIZE)));
    page_put(page);
    scene_end(mm);
}

static void none_keeps_the_page(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 2, RW_FLAGS);
    struct page *page = scene_touch(vma, BASE);
    scene_zero_page(vma, BASE + PAGE_SIZE);
    protect(mm, BASE, 2, 0);
    pte_t e = scene_entry(mm, BASE);
    assert_false(pte_present(e));
    assert_true(pte_mapped(e) && pte_dirty(e));
    assert_ptr_equal(pfn_to_page(pte_pfn(e)), page);
    assert_int_equal(page->mapcount, 0);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1);
    /* A fork of it, and its end. */
    struct mm *child;
    assert_int_equal(mm_fork(mm, &child), 0);
    assert_true(pte_mapped(scene_entry(child, BASE)) && !pte_present(scene_entry(child, BASE)));
    scene_check(child);
    mm_put(child);
    protect(mm, BASE, 2, VM_READ | VM_EXEC);
    e = scene_entry(mm, BASE);
    assert_true(pte_present(e) && !(e.v & PTE_XD) && !pte_write(e));
    assert_true(pte_special(scene_entry(mm, BASE + PAGE_SIZE)));
    protect(mm, BASE, 2, 0);
    scene_unmap(mm, BASE, 2);
    scene_end(mm);
}

static void shared_pages_ask_first(void **state)
{
    struct mm *mm = scene_start(), *child;
    struct vma *vma = scene_map(mm, BASE, 2, RW_FLAGS);
    scene_touch_all(vma);
    assert_int_equal(mm_fork(mm, &child), 0);
    protect(mm, BASE, 2, VM_READ);
    protect(mm, BASE, 2, RW_FLAGS);
    assert_false(pte_write(scene_entry(mm, BASE)));
    mm_put(child);
    protect(mm, BASE, 2, VM_READ);
    protect(mm, BASE, 2, RW_FLAGS);
    assert_true(pte_write(scene_entry(mm, BASE)));
    scene_end(mm);
}

static void only_lost_rights_flush(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1000, RW_FLAGS);
    u64 word = 0;
    scene_touch_all(vma);
    host_mm_load(mm);
    assert_int_equal(host_access(BASE, &word, 8, HOST_WRITE, true, NULL), 0);
    u64 flushes = host_mmu_stats.flushes;
    protect(mm, BASE, 1000, VM_READ);
    assert_int_equal(host_mmu_stats.flushes, flushes + 1);
    assert_null(tlb_find(&host_tlbs[0], BASE));
    assert_int_equal(host_access(BASE, &word, 8, HOST_READ, true, NULL), 0);
    protect(mm, BASE, 1000, RW_FLAGS);
    assert_int_equal(host_mmu_stats.flushes, flushes + 1);
    protect(mm, BASE, 1000, RW_FLAGS | VM_EXEC);
    assert_int_equal(host_mmu_stats.flushes, flushes + 1);
    protect(mm, BASE, 1000, RW_FLAGS);
    assert_int_equal(host_mmu_stats.flushes, flushes + 2);
    scene_end(mm);
}

static void shared_memory_is_writable_at_once(void **state)
{
    static struct address_space file;
    struct mm *mm = scene_start();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *vma = scene_map_file(mm, BASE, 1, VM_READ | VM_SHARED | VM_MAYSHARE, &file, 0);
    scene_map_cached(vma, BASE, false);
    protect(mm, BASE, 1, RW_FLAGS);
    assert_int_equal(!!pte_write(scene_entry(mm, BASE)), !!(vma_find(mm, BASE)->prot & PTE_RW));
    scene_unmap(mm, BASE, 1);
    mapping_destroy(&file);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_goes_and_returns),
        cmocka_unit_test(none_keeps_the_page),
        cmocka_unit_test(shared_pages_ask_first),
        cmocka_unit_test(only_lost_rights_flush),
        cmocka_unit_test(shared_memory_is_writable_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
