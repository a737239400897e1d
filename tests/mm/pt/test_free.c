/* SPDX-License-Identifier: MIT */
/* Tables go with the last area they cover, not before. */
#include "pt_fixture.h"

static void tables_go_with_the_hole(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 3 * 512, RW_FLAGS);
    scene_touch_all(vma);
    assert_int_equal(mm->pgtables_bytes, 5 * PAGE_SIZE);
    scene_unmap(mm, BASE, 3 * 512);
    assert_int_equal(mm->pgtables_bytes, 0);
    scene_end(mm);
}

static void neighbours_keep_their_tables(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 3 * 512, RW_FLAGS);
    scene_touch_all(vma);
    /* A hole from the middle of the first table to the middle of the last. */
    scene_unmap(mm, BASE + 256 * PAGE_SIZE, 2 * 512);
    assert_int_equal(mm->pgtables_bytes, 4 * PAGE_SIZE);
    scene_check(mm);
    /* The rest of the first table: nothing is left below it. */
    scene_unmap(mm, BASE, 256);
    assert_int_equal(mm->pgtables_bytes, 3 * PAGE_SIZE);
    scene_check(mm);
    scene_unmap(mm, BASE + 1280 * PAGE_SIZE, 256);
    assert_int_equal(mm->pgtables_bytes, 0);
    scene_end(mm);
}

static void untouched_neighbour_counts(void **state)
{
    struct mm *mm = scene_start();
    struct vma *a = scene_map(mm, BASE, 1, RW_FLAGS);
    scene_map(mm, BASE + 2 * PAGE_SIZE, 1, VM_READ);
    scene_touch(a, BASE);
    scene_unmap(mm, BASE, 1);
    assert_int_equal(mm->pgtables_bytes, 3 * PAGE_SIZE); /* another may be on the way to it */
    scene_unmap(mm, BASE + 2 * PAGE_SIZE, 1);
    assert_int_equal(mm->pgtables_bytes, 0);
    scene_end(mm);
}

static void the_top_of_the_space(void **state)
{
    struct mm *mm = scene_start();
    u64 top = mm->task_size;
    struct vma *vma = scene_map(mm, top - 4 * PAGE_SIZE, 4, RW_FLAGS);
    scene_touch_all(vma);
    scene_unmap(mm, top - 4 * PAGE_SIZE, 4);
    assert_int_equal(mm->pgtables_bytes, 0);
    scene_end(mm);
}

static void exit_frees_scattered_tables(void **state)
{
    for (u32 levels = 4; levels <= 5; levels++) {
        struct host_config cfg = {.seed = 1, .levels = levels};
        struct mm *mm = scene_start_cfg(&cfg);
        host_mm_load(mm);
        for (unsigned bit = 16; bit < 47; bit++)
            scene_touch_all(scene_map(mm, 1UL << bit, 2, RW_FLAGS));
        scene_end(mm);
    }
}

/* Areas are mapped and unmapped at random; a model says which pages hold entries. */
static void random_holes(void **state)
{
    struct mm *mm = scene_start();
    struct rand r;
    rand_init(&r, 7);
    bool mapped[64] = {false};
    for (unsigned step = 0; step < 600; step++) {
        unsigned i = (unsigned)(rand_below(&r, 64)), n = 1 + (unsigned)(rand_below(&r, 8));
        if (i + n > 64)
            n = 64 - i;
        u64 addr = BASE + i * 192UL * PAGE_SIZE;
        if (mapped[i]) {
            scene_unmap(mm, addr, n * 192UL);
            for (unsigned k = i; k < i + n; k++)
                mapped[k] = false;
        } else {
            struct vma *vma = scene_map(mm, addr, 192, RW_FLAGS);
            for (u64 a = addr; a < addr + 192 * PAGE_SIZE; a += 11 * PAGE_SIZE)
                scene_touch(vma, a);
            mapped[i] = true;
        }
        if (step % 20 == 0)
            scene_check(mm);
    }
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_go_with_the_hole),
        cmocka_unit_test(neighbours_keep_their_tables),
        cmocka_unit_test(untouched_neighbour_counts),
        cmocka_unit_test(the_top_of_the_space),
        cmocka_unit_test(exit_frees_scattered_tables),
        cmocka_unit_test(random_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
