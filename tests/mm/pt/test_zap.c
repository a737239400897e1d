/* SPDX-License-Identifier: MIT */
/* Emptying entries and giving pages back through the gather. */
#include "pt_fixture.h"

static struct address_space file;

static void pages_come_back(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1024, RW_FLAGS);
    scene_touch_all(vma);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1024);
    u64 free = phys_free_all();
    scene_zap(vma, BASE, BASE + 1024 * PAGE_SIZE);
    assert_int_equal(phys_free_all(), free + 1024);
    assert_int_equal(rss_sum(mm, RSS_ANON), 0);
    assert_int_equal(stat_sum(NR_ANON_MAPPED), 0);
    assert_int_equal(stat_sum(NR_INACTIVE_ANON), 0);
    assert_int_equal(mm->pgtables_bytes, 4 * PAGE_SIZE); /* the area is still there */
    scene_end(mm);
}

static void only_the_range_is_emptied(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 2048, RW_FLAGS);
    scene_touch_all(vma);
    scene_zap(vma, BASE + 3 * PAGE_SIZE, BASE + 1500 * PAGE_SIZE);
    assert_int_equal(rss_sum(mm, RSS_ANON), 3 + 548);
    assert_true(pte_present(scene_entry(mm, BASE + 2 * PAGE_SIZE)));
    assert_true(pte_none(scene_entry(mm, BASE + 3 * PAGE_SIZE)));
    assert_true(pte_none(scene_entry(mm, BASE + 1499 * PAGE_SIZE)));
    assert_true(pte_present(scene_entry(mm, BASE + 1500 * PAGE_SIZE)));
    scene_end(mm);
}

static void sparse_areas_and_holes(void **state)
{
    struct mm *mm = scene_start();
    u64 pages = 4UL << 18; /* 4 GiB */
    struct vma *vma = scene_map(mm, BASE, pages, RW_FLAGS);
    for (u64 i = 0; i < pages; i += 70001)
        scene_touch(vma, BASE + (i << PAGE_SHIFT));
    scene_check(mm);
    scene_zap(vma, BASE + PAGE_SIZE, BASE + (pages << PAGE_SHIFT));
    assert_int_equal(rss_sum(mm, RSS_ANON), 1);
    scene_zap(vma, BASE, BASE + (pages << PAGE_SHIFT));
    scene_zap(vma, BASE, BASE + (pages << PAGE_SHIFT)); /* nothing left: nothing happens */
    assert_int_equal(rss_sum(mm, RSS_ANON), 0);
    scene_end(mm);
}

static void gather_lives_without_memory(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 3000, RW_FLAGS);
    scene_touch_all(vma);
    u64 free = phys_free_all();
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    scene_zap(vma, BASE, BASE + 3000 * PAGE_SIZE);
    assert_true(host_fail_hits(FAIL_PAGE_ALLOC) > 0);
    host_fail_none();
    assert_int_equal(phys_free_all(), free + 3000);
    scene_end(mm);
}

static void gather_takes_chunks_and_flushes_when_full(void **state)
{
    struct mm *mm = scene_start();
    u64 pages = GATHER_BATCH + (GATHER_CHUNKS + 2) * 511;
    struct vma *vma = scene_map(mm, BASE, pages, RW_FLAGS);
    host_mm_load(mm);
    scene_touch_all(vma);
    u64 free = phys_free_all(), flushes = host_mmu_stats.flushes;
    scene_zap(vma, BASE, BASE + (pages << PAGE_SHIFT));
    assert_int_equal(host_mmu_stats.flushes, flushes + 2);
    assert_int_equal(phys_free_all(), free + pages);
    scene_end(mm);
}

static void zero_page_is_not_counted(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 10, RW_FLAGS);
    s32 refs = page_refs(zero_page);
    for (unsigned i = 0; i < 10; i++)
        scene_zero_page(vma, BASE + i * PAGE_SIZE);
    scene_check(mm);
    assert_int_equal(rss_total(mm), 0);
    scene_zap(vma, BASE, BASE + 10 * PAGE_SIZE);
    assert_int_equal(page_refs(zero_page), refs);
    assert_true(pte_none(scene_entry(mm, BASE)));
    scene_end(mm);
}

static void dirty_bit_reaches_the_page(void **state)
{
    struct mm *mm = scene_start();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *vma = scene_map_file(mm, BASE, 2, RW_FLAGS | VM_SHARED | VM_MAYSHARE, &file, 0);
    struct page *clean = scene_map_cached(vma, BASE, false),
                *dirty = scene_map_cached(vma, BASE + PAGE_SIZE, true);
    page_clear(clean, PG_dirty);
    page_clear(dirty, PG_dirty);
    scene_check(mm);
    assert_int_equal(rss_sum(mm, RSS_SHMEM), 2);
    assert_int_equal(stat_sum(NR_FILE_MAPPED), 2);
    scene_zap(vma, BASE, BASE + 2 * PAGE_SIZE);
    assert_false(page_test(clean, PG_dirty));
    assert_true(page_test(dirty, PG_dirty));
    assert_int_equal(page_refs(dirty), 1); /* the cache's */
    assert_int_equal(rss_total(mm), 0);
    scene_unmap(mm, BASE, 2);
    mapping_destroy(&file);
    scene_end(mm);
}

static void private_copies_can_be_spared(void **state)
{
    struct mm *mm = scene_start();
    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *vma = scene_map_file(mm, BASE, 3, RW_FLAGS, &file, 0);
    scene_map_cached(vma, BASE, false);
    scene_touch(vma, BASE + PAGE_SIZE);
    scene_map_cached(vma, BASE + 2 * PAGE_SIZE, false);
    struct gather g;
    gather_begin(&g, mm, false);
    pt_zap_mapping(&g, vma, BASE, BASE + 3 * PAGE_SIZE, false);
    gather_end(&g);
    assert_int_equal(rss_sum(mm, RSS_SHMEM), 0);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1);
    assert_true(pte_present(scene_entry(mm, BASE + PAGE_SIZE)));
    scene_check(mm);
    scene_unmap(mm, BASE, 3);
    mapping_destroy(&file);
    scene_end(mm);
}

static void page_survives_its_last_mapping_while_referenced(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1, RW_FLAGS);
    struct page *page = scene_touch(vma, BASE);
    page_get(page);
    scene_zap(vma, BASE, BASE + PAGE_SIZE);
    assert_int_equal(page_refs(page), 1);
    assert_int_equal(page->mapcount, -1);
    assert_true(page_test(page, PG_lru));
    u64 free = phys_free_all();
    page_put(page);
    assert_int_equal(phys_free_all(), free + 1);
    scene_end(mm);
}

static void no_cpu_keeps_a_translation(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 100, RW_FLAGS);
    u64 word = 0;
    host_mm_load(mm);
    scene_touch_all(vma);
    for (u64 a = BASE; a < BASE + 100 * PAGE_SIZE; a += PAGE_SIZE)
        assert_int_equal(host_access(a, &word, 8, HOST_WRITE, true, NULL), 0);
    u64 one = stat_event_sum(NR_TLB_LOCAL_FLUSH_ONE), all = stat_event_sum(NR_TLB_LOCAL_FLUSH_ALL);
    scene_zap(vma, BASE + 10 * PAGE_SIZE, BASE + 12 * PAGE_SIZE);
    assert_int_equal(stat_event_sum(NR_TLB_LOCAL_FLUSH_ONE), one + 2);
    scene_zap(vma, BASE, BASE + 100 * PAGE_SIZE);
    assert_int_equal(stat_event_sum(NR_TLB_LOCAL_FLUSH_ALL), all + 1);
    for (unsigned level = 0; level < 3; level++)
        for (unsigned s = 0; s < TLB_SETS; s++)
            for (unsigned w = 0; w < TLB_WAYS; w++)
                assert_int_equal(host_tlbs[0].e[level][s][w].level, 0);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_back),
        cmocka_unit_test(only_the_range_is_emptied),
        cmocka_unit_test(sparse_areas_and_holes),
        cmocka_unit_test(gather_lives_without_memory),
        cmocka_unit_test(gather_takes_chunks_and_flushes_when_full),
        cmocka_unit_test(zero_page_is_not_counted),
        cmocka_unit_test(dirty_bit_reaches_the_page),
        cmocka_unit_test(private_copies_can_be_spared),
        cmocka_unit_test(page_survives_its_last_mapping_while_referenced),
        cmocka_unit_test(no_cpu_keeps_a_translation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
