/* SPDX-License-Identifier: MIT */
/* remap_file_pages moves the window of a shared area; reaping drops private pages and leaves shared ones. */
#include "../../common/scene.h"

static struct scene s;

static int up(void **state)
{
    scene_up(&s);
    return 0;
}

static int down(void **state)
{
    scene_down(&s);
    return 0;
}

static s64 remap(unsigned page, unsigned n, u64 pgoff)
{
    return sys_mm_remap_file_pages(s.mm, scene_addr(page), n * PAGE_SIZE, 0, pgoff, 0);
}

static u8 load(unsigned page)
{
    u8 v = 0;
    assert_int_equal(host_load_u8(scene_addr(page), &v), 0);
    return v;
}

static void the_window_moves(void **state)
{
    scene_make(&s, "SSSS");
    for (unsigned i = 0; i < 4; i++)
        host_store_u8(scene_addr(i), (u8)(i + 1));
    assert_int_equal(remap(0, 2, 2), 0);
    assert_int_equal(load(0), 3);
    assert_int_equal(load(1), 4);
    assert_int_equal(load(2), 3);
    host_store_u8(scene_addr(0), 9);
    assert_int_equal(load(2), 9); /* one page, twice */
    assert_int_equal(s.mm->map_count, 2);
    assert_int_equal(remap(0, 2, 0), 0);
    assert_scene(&s, "SSSS");
    assert_int_equal(s.mm->map_count, 1);
}

static void refusals(void **state)
{
    scene_make(&s, "SS|AA|F.S");
    assert_int_equal(remap(0, 0, 0), -EINVAL);
    assert_int_equal(remap(2, 1, 0), -EINVAL); /* private */
    assert_int_equal(remap(4, 1, 0), -EINVAL);
    assert_int_equal(remap(5, 1, 0), -EINVAL); /* nothing there */
    assert_int_equal(remap(1, 2, 0), -EINVAL); /* runs into another */
    assert_int_equal(remap(6, 2, 0), -EINVAL);
    assert_int_equal(remap(0, 1, 1UL << 32), -EOVERFLOW);
    assert_int_equal(remap(0, 2, U64_MAX), -EINVAL);
    assert_int_equal(sys_mm_remap_file_pages(s.mm, scene_addr(0), PAGE_SIZE, 1, 0, 0), -EINVAL);
    assert_int_equal(sys_mm_mseal(s.mm, scene_addr(0), PAGE_SIZE, 0), 0);
    assert_int_equal(remap(0, 1, 1), -EPERM);
}

static void reaping(void **state)
{
    scene_make(&s, "AA|SS");
    for (unsigned i = 0; i < 4; i++)
        host_store_u8(scene_addr(i), 5);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 2);
    mm_reap(s.mm);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 0);
    assert_int_equal(rss_sum(s.mm, RSS_SHMEM) + rss_sum(s.mm, RSS_FILE), 2);
    assert_true(s.mm->flags & MMF_UNSTABLE);
    assert_scene(&s, "AA|SS");
}

/* Commit charge goes with what an area grows and shrinks by, in place and on a move. */
static void growing_is_charged(void **state)
{
    scene_make(&s, "AA..AA");
    s64 before = commit_total();
    assert_int_equal(host_mremap(scene_addr(0), 2 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0), scene_addr(0));
    assert_int_equal(commit_total(), before + 2);
    s64 at = host_mremap(scene_addr(0), 4 * PAGE_SIZE, 7 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0);
    assert_true(at > 0);
    assert_int_equal(commit_total(), before + 5);
    assert_int_equal(host_mremap((u64)at, 7 * PAGE_SIZE, PAGE_SIZE, 0, 0), at);
    assert_int_equal(commit_total(), before - 1);
    assert_int_equal(host_munmap((u64)at, PAGE_SIZE), 0);
    assert_int_equal(commit_total(), before - 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {T(the_window_moves), T(refusals), T(reaping), T(growing_is_charged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
