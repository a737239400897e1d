/* SPDX-License-Identifier: MIT */
/* The areas over a file. */
#include "../pt/pt_fixture.h"

static struct address_space file;

static unsigned areas(void)
{
    unsigned n = 0;
    struct list_head *l;
    list_for_each (l, &file.i_mmap)
        n++;
    return n;
}

static void links_follow_areas(void **state)
{
    struct mm *mm = scene_start(), *child;
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    scene_map_file(mm, BASE, 8, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    scene_map_file(mm, BASE + PMD_SIZE, 8, RW_FLAGS, &file, 0);
    assert_int_equal(areas(), 2);
    assert_int_equal(file.i_mmap_writable, 1);
    scene_unmap(mm, BASE + 4 * PAGE_SIZE, 1);
    assert_int_equal(areas(), 3);
    assert_int_equal(file.i_mmap_writable, 2);
    assert_int_equal(mm_fork(mm, &child), 0);
    assert_int_equal(areas(), 6);
    mm_put(child);
    assert_int_equal(areas(), 3);
    scene_unmap(mm, BASE, 1024);
    assert_int_equal(areas(), 0);
    assert_int_equal(file.i_mmap_writable, 0);
    mapping_destroy(&file);
    scene_end(mm);
}

static void truncation_reaches_every_area(void **state)
{
    struct mm *mm = scene_start(), *other = mm_alloc();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *shared = scene_map_file(mm, BASE, 8, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    struct vma *shifted = scene_map_file(other, BASE, 8, RW_FLAGS, &file, 4);
    for (u64 i = 0; i < 8; i++)
        scene_map_cached(shared, BASE + i * PAGE_SIZE, true);
    for (u64 i = 0; i < 6; i++)
        scene_map_cached(shifted, BASE + i * PAGE_SIZE, false);
    scene_touch(shifted, BASE + 6 * PAGE_SIZE);
    scene_touch(shifted, BASE + 7 * PAGE_SIZE);
    host_mm_load(mm);
    u64 word;
    assert_int_equal(host_access(BASE + 5 * PAGE_SIZE, &word, 8, HOST_READ, true, NULL), 0);

    mapping_unmap_range(&file, 5, 10, false);
    assert_null(tlb_find(&host_tlbs[0], BASE + 5 * PAGE_SIZE));
    for (u64 i = 0; i < 8; i++)
        assert_int_equal(pte_none(scene_entry(mm, BASE + i * PAGE_SIZE)), i >= 5);
    for (u64 i = 0; i < 8; i++) /* offsets 4..11; private copies stay */
        assert_int_equal(pte_none(scene_entry(other, BASE + i * PAGE_SIZE)), i >= 1 && i < 6);
    scene_check(mm);
    scene_check(other);
    mapping_unmap_range(&file, 10, U64_MAX, true);
    assert_true(pte_none(scene_entry(other, BASE + 6 * PAGE_SIZE)));
    assert_true(pte_none(scene_entry(other, BASE + 7 * PAGE_SIZE)));
    scene_check(other);
    scene_unmap(mm, BASE, 8);
    mm_put(other);
    mapping_destroy(&file);
    scene_end(mm);
}

static int count_areas(void *ctx, struct vma *vma, u64 addr)
{
    ++*(unsigned *)ctx;
    assert_int_equal(vma_index(vma, addr), 2);
    return 0;
}

static void cached_page_finds_its_entries(void **state)
{
    struct mm *mm = scene_start();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *a = scene_map_file(mm, BASE, 8, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    struct vma *b = scene_map_file(mm, BASE + PMD_SIZE, 8, VM_READ, &file, 2);
    scene_map_file(mm, BASE + 2 * PMD_SIZE, 8, VM_READ, &file, 3);
    struct page *page = scene_map_cached(a, BASE + 2 * PAGE_SIZE, true);
    assert_ptr_equal(scene_map_cached(b, BASE + PMD_SIZE, false), page);
    unsigned n = 0;
    rmap_walk(page, count_areas, &n);
    assert_int_equal(n, 2);
    page_clear(page, PG_dirty);
    page_get(page);
    assert_int_equal(rmap_unmap(page), 2);
    assert_true(page_test(page, PG_dirty));
    assert_int_equal(page->mapcount, -1);
    assert_int_equal(page_refs(page), 2); /* ours and the cache's */
    page_put(page);
    scene_check(mm);
    scene_unmap(mm, BASE, 3 * 512);
    mapping_destroy(&file);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_follow_areas),
        cmocka_unit_test(truncation_reaches_every_area),
        cmocka_unit_test(cached_page_finds_its_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
