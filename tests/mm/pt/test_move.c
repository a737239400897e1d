/* SPDX-License-Identifier: MIT */
/* mremap's moves: whole tables and single entries, and what happens when memory is short. */
#include "pt_fixture.h"

#define TARGET (BASE + PUD_SIZE)

/* An area at `to` that is a copy of vma, as mremap makes it: same pages of the same anon_vma. */
static struct vma *target_of(struct vma *vma, u64 to)
{
    struct mm *mm = vma->mm;
    struct vma_request req = {
        .addr = to, .len = vma_pages(vma) << PAGE_SHIFT, .flags = vma->flags, .fixed = true};
    mmap_write_lock(mm);
    assert_int_equal(vma_map(mm, &req), to);
    struct vma *copy = vma_find(mm, to);
    copy->pgoff = vma->pgoff;
    anon_vma_clone(copy, vma);
    mmap_write_unlock(mm);
    return copy;
}

static u64 move(struct vma *from, struct vma *to)
{
    struct mm *mm = from->mm;
    mmap_write_lock(mm);
    vma_write_lock(from);
    vma_write_lock(to);
    u64 done =
        pt_move_range(from, vma_start(from), to, vma_start(to), vma_pages(from) << PAGE_SHIFT);
    mmap_write_unlock(mm);
    return done;
}

static void moved_from_to(u64 from, u64 to, u64 pages, unsigned step)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, from, pages, RW_FLAGS);
    pfn_t pfn[4096];
    host_mm_load(mm);
    for (u64 i = 0; i < pages; i += step)
        pfn[i] = page_to_pfn(scene_touch(vma, from + (i << PAGE_SHIFT)));
    u64 word = 0;
    assert_int_equal(host_access(from, &word, 8, HOST_WRITE, true, NULL), 0);
    struct vma *copy = target_of(vma, to);
    assert_int_equal(move(vma, copy), pages << PAGE_SHIFT);
    assert_null(tlb_find(&host_tlbs[0], from));
    for (u64 i = 0; i < pages; i++) {
        pte_t e = scene_entry(mm, to + (i << PAGE_SHIFT));
        assert_true(pte_none(scene_entry(mm, from + (i << PAGE_SHIFT))));
        if (i % step)
            assert_true(pte_none(e));
        else
            assert_true(pte_write(e) && pte_dirty(e) && pte_pfn(e) == pfn[i]);
    }
    scene_check(mm);
    scene_unmap(mm, from, pages);
    scene_check(mm);
    assert_int_equal(rss_sum(mm, RSS_ANON), (pages + step - 1) / step);
    scene_end(mm);
}

static void whole_tables(void **state)
{
    moved_from_to(BASE, TARGET, 4 * 512, 1);
    moved_from_to(BASE, TARGET, 4 * 512, 700);
}

static void single_entries(void **state)
{
    moved_from_to(BASE, TARGET + PAGE_SIZE, 3 * 512, 1);
    moved_from_to(BASE + 5 * PAGE_SIZE, TARGET + 3 * PAGE_SIZE, 1000, 3);
    moved_from_to(BASE + 5 * PAGE_SIZE, TARGET + 5 * PAGE_SIZE, 2000, 1); /* both */
    moved_from_to(BASE, BASE + 3 * PAGE_SIZE, 2, 1);                      /* in one table */
}

static void tables_move_as_they_are(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1024, RW_FLAGS);
    scene_touch_all(vma);
    pte_t *table = pt_find(mm, BASE + PMD_SIZE);
    struct vma *copy = target_of(vma, TARGET);
    s64 bytes = mm->pgtables_bytes;
    assert_int_equal(move(vma, copy), 2 * PMD_SIZE);
    assert_ptr_equal(pt_find(mm, TARGET + PMD_SIZE), table);
    assert_null(pt_find(mm, BASE));
    assert_int_equal(mm->pgtables_bytes, bytes + PAGE_SIZE); /* the target's level 2 */
    scene_end(mm);
}

static void an_empty_table_at_the_target_is_used(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 512, RW_FLAGS);
    scene_touch_all(vma);
    struct vma *copy = target_of(vma, TARGET);
    pte_t *table = pt_alloc(mm, TARGET);
    assert_int_equal(move(vma, copy), PMD_SIZE);
    assert_ptr_equal(pt_find(mm, TARGET), table);
    assert_true(pte_present(scene_entry(mm, TARGET)));
    scene_end(mm);
}

static void short_of_memory(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 2048, RW_FLAGS);
    scene_touch_all(vma);
    struct vma *copy = target_of(vma, TARGET + PAGE_SIZE);
    host_fail_nth(FAIL_PAGE_ALLOC, 4, true); /* level 2, two tables, no third */
    u64 done = move(vma, copy);
    host_fail_none();
    assert_true(done > 0 && done < 4 * PMD_SIZE);
    scene_check(mm);
    for (u64 a = 0; a < 4 * PMD_SIZE; a += PAGE_SIZE) {
        assert_int_equal(pte_present(scene_entry(mm, BASE + a)), a >= done);
        assert_int_equal(pte_present(scene_entry(mm, TARGET + PAGE_SIZE + a)), a < done);
    }
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_tables),
        cmocka_unit_test(single_entries),
        cmocka_unit_test(tables_move_as_they_are),
        cmocka_unit_test(an_empty_table_at_the_target_is_used),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
