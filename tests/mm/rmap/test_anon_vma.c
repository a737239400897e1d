/* SPDX-License-Identifier: MIT */
/* Who shares an anon_vma, how long it lives, and what two who want one at once get. */
#include "../pt/pt_fixture.h"

static unsigned areas_of(struct anon_vma *av)
{
    unsigned n = 0;
    struct list_head *l;
    list_for_each (l, &av->vmas)
        n++;
    assert_int_equal(n, av->refs);
    return n;
}

static void an_area_gets_its_own(void **state)
{
    struct mm *mm = scene_start();
    struct vma *a = scene_map(mm, BASE, 4, RW_FLAGS),
               *b = scene_map(mm, BASE + PUD_SIZE, 4, RW_FLAGS);
    assert_int_equal(anon_vma_prepare(a), 0);
    assert_int_equal(anon_vma_prepare(b), 0);
    assert_non_null(a->anon_vma);
    assert_ptr_not_equal(a->anon_vma, b->anon_vma);
    struct anon_vma *av = a->anon_vma;
    assert_int_equal(anon_vma_prepare(a), 0);
    assert_ptr_equal(a->anon_vma, av);
    assert_int_equal(areas_of(av), 1);
    scene_end(mm);
}

static void neighbours_that_could_merge_share(void **state)
{
    struct mm *mm = scene_start();
    struct vma *low = scene_map(mm, BASE, 4, RW_FLAGS);
    struct vma *mid = scene_map(mm, BASE + 4 * PAGE_SIZE, 4, VM_READ);
    struct vma *high = scene_map(mm, BASE + 8 * PAGE_SIZE, 4, RW_FLAGS);
    anon_vma_prepare(high);
    anon_vma_prepare(mid); /* from above */
    assert_ptr_equal(mid->anon_vma, high->anon_vma);
    anon_vma_prepare(low); /* from above again */
    assert_ptr_equal(low->anon_vma, high->anon_vma);
    assert_int_equal(areas_of(low->anon_vma), 3);
    struct vma *next = scene_map(mm, BASE + 12 * PAGE_SIZE, 4, VM_READ);
    anon_vma_prepare(next); /* from below */
    assert_ptr_equal(next->anon_vma, high->anon_vma);
    scene_end(mm);
}

static void unlike_neighbours_do_not_share(void **state)
{
    struct mm *mm = scene_start();
    struct vma *a = scene_map(mm, BASE, 4, RW_FLAGS);
    struct vma *flags = scene_map(mm, BASE + 4 * PAGE_SIZE, 4, RW_FLAGS | VM_NOHUGEPAGE);
    struct vma *gap = scene_map(mm, BASE - 8 * PAGE_SIZE, 4, VM_READ);
    struct vma *offset = scene_map(mm, BASE - 4 * PAGE_SIZE, 4, RW_FLAGS | VM_NOHUGEPAGE);
    offset->flags = a->flags;
    offset->pgoff += 77; /* as if mremap had brought it */
    anon_vma_prepare(a);
    anon_vma_prepare(flags);
    anon_vma_prepare(gap);
    anon_vma_prepare(offset);
    assert_ptr_not_equal(flags->anon_vma, a->anon_vma);
    assert_ptr_not_equal(offset->anon_vma, a->anon_vma);
    assert_ptr_not_equal(offset->anon_vma, gap->anon_vma);
    scene_end(mm);
}

static void it_lives_as_long_as_its_areas(void **state)
{
    struct mm *mm = scene_start(), *child;
    scene_touch_all(scene_map(mm, BASE, 6, RW_FLAGS));
    assert_int_equal(mm_fork(mm, &child), 0);
    struct anon_vma *av = vma_find(mm, BASE)->anon_vma;
    assert_ptr_equal(vma_find(child, BASE)->anon_vma, av);
    assert_int_equal(areas_of(av), 2);
    scene_unmap(mm, BASE + 2 * PAGE_SIZE, 2); /* two halves */
    assert_int_equal(areas_of(av), 3);
    scene_unmap(mm, BASE, 6);
    machine_settle();
    assert_int_equal(areas_of(av), 1);
    mm_put(child);
    scene_end(mm);
}

static void no_memory(void **state)
{
    struct mm *mm = scene_start();
    struct vma *a = scene_map(mm, BASE, 4, RW_FLAGS);
    host_fail_nth(FAIL_SLAB_ALLOC, 1, false);
    assert_int_equal(anon_vma_prepare(a), -12);
    assert_null(a->anon_vma);
    host_fail_none();
    assert_int_equal(anon_vma_prepare(a), 0);
    scene_end(mm);
}

static struct vma *areas[8];
static struct anon_vma *got[4][8];

static int prepare_all(void *arg)
{
    unsigned me = (unsigned)(uptr)arg;
    for (unsigned i = 0; i < 8; i++) {
        unsigned k = (i * 3 + me) % 8;
        if (anon_vma_prepare(areas[k]))
            return 1;
        got[me][k] = areas[k]->anon_vma;
    }
    return 0;
}

static void racing_preparers_agree(void **state)
{
    for (u64 seed = 1; seed <= 50; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 4, .switch_permille = 400};
        struct host_thread *t[4];
        struct mm *mm = scene_start_cfg(&cfg);
        for (unsigned i = 0; i < 8; i++)
            areas[i] = scene_map(mm, BASE + i * 4 * PAGE_SIZE, 4, i % 2 ? VM_READ : RW_FLAGS);
        for (u32 i = 0; i < 4; i++)
            t[i] = host_thread_start(prepare_all, (void *)(uptr)i, "preparer", i);
        for (u32 i = 0; i < 4; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        for (unsigned k = 0; k < 8; k++) {
            areas_of(areas[k]->anon_vma);
            for (unsigned i = 0; i < 4; i++)
                assert_ptr_equal(got[i][k], areas[k]->anon_vma);
        }
        scene_end(mm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_area_gets_its_own),
        cmocka_unit_test(neighbours_that_could_merge_share),
        cmocka_unit_test(unlike_neighbours_do_not_share),
        cmocka_unit_test(it_lives_as_long_as_its_areas),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(racing_preparers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
