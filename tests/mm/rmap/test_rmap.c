/* SPDX-License-Identifier: MIT */
/* From pages to their entries. */
#include "../pt/pt_fixture.h"

struct found {
    unsigned nr;
    struct mm *mm[8];
    u64 addr[8];
};

static int note(void *ctx, struct vma *vma, u64 addr)
{
    struct found *f = ctx;
    f->mm[f->nr] = vma->mm;
    f->addr[f->nr++] = addr;
    return 0;
}

static int stop_at_once(void *ctx, struct vma *vma, u64 addr)
{
    ++*(unsigned *)ctx;
    return 42;
}

static void anonymous_page_finds_all(void **state)
{
    struct mm *mm = scene_start(), *child;
    struct vma *vma = scene_map(mm, BASE, 10, RW_FLAGS);
    scene_touch_all(vma);
    struct page *page = pfn_to_page(pte_pfn(scene_entry(mm, BASE + 7 * PAGE_SIZE)));
    assert_int_equal(mm_fork(mm, &child), 0);
    scene_unmap(mm, BASE + 4 * PAGE_SIZE, 1); /* the page is in the upper half now */
    struct found f = {0};
    assert_int_equal(rmap_walk(page, note, &f), 0);
    assert_int_equal(f.nr, 2);
    assert_int_equal(f.addr[0], BASE + 7 * PAGE_SIZE);
    assert_int_equal(f.addr[1], BASE + 7 * PAGE_SIZE);
    assert_true((f.mm[0] == mm && f.mm[1] == child) || (f.mm[0] == child && f.mm[1] == mm));
    unsigned calls = 0;
    assert_int_equal(rmap_walk(page, stop_at_once, &calls), 42);
    assert_int_equal(calls, 1);
    mm_put(child);
    scene_end(mm);
}

static void unmap_takes_every_entry(void **state)
{
    struct mm *mm = scene_start(), *child[3];
    struct vma *vma = scene_map(mm, BASE, 2, RW_FLAGS);
    scene_touch_all(vma);
    struct page *page = pfn_to_page(pte_pfn(scene_entry(mm, BASE)));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(mm_fork(mm, &child[i]), 0);
    page_get(page);
    assert_int_equal(rmap_unmap(page), 4);
    assert_int_equal(page->mapcount, -1);
    assert_int_equal(page_refs(page), 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(pte_none(scene_entry(child[i], BASE)));
        assert_int_equal(rss_sum(child[i], RSS_ANON), 1);
        scene_check(child[i]);
    }
    assert_int_equal(rmap_unmap(page), 0);
    page_put(page);
    for (unsigned i = 0; i < 3; i++)
        mm_put(child[i]);
    scene_end(mm);
}

static void a_page_of_nobody_finds_nothing(void **state)
{
    struct mm *mm = scene_start();
    struct vma *vma = scene_map(mm, BASE, 1, RW_FLAGS);
    struct page *page = scene_touch(vma, BASE);
    page_get(page);
    scene_unmap(mm, BASE, 1);
    machine_settle(); /* its anon_vma is gone */
    struct found f = {0};
    assert_int_equal(rmap_walk(page, note, &f), 0);
    assert_int_equal(f.nr, 0);
    page_put(page);
    struct page *kernel = alloc_page(GFP_KERNEL);
    assert_int_equal(rmap_walk(kernel, note, &f), 0);
    assert_int_equal(f.nr, 0);
    page_put(kernel);
    scene_end(mm);
}

static void offsets_beyond_16_tib(void **state)
{
    struct host_config cfg = {.seed = 1, .levels = 5};
    struct mm *mm = scene_start_cfg(&cfg);
    u64 base = 1UL << 50;
    struct vma *vma = scene_map(mm, base, (40UL << 40) >> PAGE_SHIFT, RW_FLAGS | VM_NORESERVE);
    struct page *page = scene_touch(vma, base + (33UL << 40));
    struct found f = {0};
    rmap_walk(page, note, &f);
    assert_int_equal(f.nr, 3); /* 1, 17, 33 TiB: the entry decides */
    assert_int_equal(f.addr[2], base + (33UL << 40));
    page_get(page);
    assert_int_equal(rmap_unmap(page), 1);
    page_put(page);
    scene_end(mm);
}

static int fork_and_exit(void *arg)
{
    struct mm *parent = arg, *child;
    for (unsigned i = 0; i < 10; i++) {
        if (mm_fork(parent, &child))
            return 1;
        mm_put(child);
    }
    return 0;
}

static int walk_often(void *arg)
{
    struct page *page = arg;
    for (unsigned i = 0; i < 60; i++) {
        struct found f = {0};
        rmap_walk(page, note, &f);
        if (f.nr == 0 || f.nr > 3)
            return 1;
    }
    return 0;
}

static void walks_beside_forks(void **state)
{
    for (u64 seed = 1; seed <= 10; seed++) {
        struct host_config cfg = {.seed = seed, .cpus = 3, .switch_permille = 300};
        struct mm *mm = scene_start_cfg(&cfg);
        struct page *page = scene_touch(scene_map(mm, BASE, 1, RW_FLAGS), BASE);
        struct host_thread *t[] = {host_thread_start(fork_and_exit, mm, "forker", 0),
                                   host_thread_start(fork_and_exit, mm, "forker", 1),
                                   host_thread_start(walk_often, page, "walker", 2)};
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(host_thread_join(t[i]), 0);
        scene_end(mm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anonymous_page_finds_all),
        cmocka_unit_test(unmap_takes_every_entry),
        cmocka_unit_test(a_page_of_nobody_finds_nothing),
        cmocka_unit_test(offsets_beyond_16_tib),
        cmocka_unit_test(walks_beside_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
