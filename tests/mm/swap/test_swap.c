/* SPDX-License-Identifier: MIT */
/* Out and in again: one page, many, read, written, shared by fork; and what becomes of slots. */
#include "swap_fixture.h"

#define N 40

static void a_page_goes_and_comes(void **state)
{
    struct mm *mm = swap_start(64);
    scene_map(mm, BASE, 4, RW_FLAGS);
    put_value(mm, BASE, 7);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1);
    assert_true(swap_out(mm, BASE));
    assert_true(is_swapped(mm, BASE));
    assert_int_equal(rss_sum(mm, RSS_ANON), 0);
    assert_int_equal(rss_sum(mm, RSS_SWAP), 1);
    assert_int_equal(swap_free_pages(), 63);
    assert_int_equal(stat_sum(NR_SWAPCACHE), 0);
    swap_check();
    u64 major = stat_event_sum(PGMAJFAULT);
    assert_int_equal(get_value(mm, BASE), 7);
    assert_int_equal(stat_event_sum(PGMAJFAULT), major + 1);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1);
    assert_int_equal(rss_sum(mm, RSS_SWAP), 0);
    swap_check();
    swap_end(mm);
}

static void a_page_that_was_read_keeps_its_slot(void **state)
{
    struct mm *mm = swap_start(64);
    scene_map(mm, BASE, 1, RW_FLAGS);
    put_value(mm, BASE, 7);
    assert_true(swap_out(mm, BASE));
    get_value(mm, BASE);
    struct page *page = page_at(mm, BASE);
    assert_true(page_test(page, PG_swapcache));
    assert_false(page_test(page, PG_dirty));
    assert_true(pte_write(scene_entry(mm, BASE)));
    assert_false(pte_dirty(scene_entry(mm, BASE)));
    swap_check();
    /* out again: nothing to write */
    u64 writes = disk.writes;
    page_get(page);
    page_lock(page);
    rmap_unmap(page);
    assert_int_equal(swap_write(page, NULL), 0);
    page_unlock(page);
    assert_true(swap_release_page(page));
    assert_int_equal(disk.writes, writes);
    assert_int_equal(get_value(mm, BASE), 7);
    /* written to without a fault: D says so */
    put_value(mm, BASE, 8);
    page = page_at(mm, BASE);
    assert_true(pte_dirty(scene_entry(mm, BASE)));
    page_get(page);
    page_lock(page);
    rmap_unmap(page);
    assert_true(page_test(page, PG_dirty));
    assert_int_equal(swap_write(page, NULL), 0);
    page_unlock(page);
    assert_true(swap_release_page(page));
    assert_int_equal(disk.writes, writes + 1);
    assert_int_equal(get_value(mm, BASE), 8);
    swap_end(mm);
}

static void a_writer_gives_the_slot_up(void **state)
{
    struct mm *mm = swap_start(64);
    scene_map(mm, BASE, 1, RW_FLAGS);
    put_value(mm, BASE, 7);
    assert_true(swap_out(mm, BASE));
    put_value(mm, BASE + 8, 9);
    assert_int_equal(get_value(mm, BASE), 7);
    assert_false(page_test(page_at(mm, BASE), PG_swapcache));
    assert_int_equal(swap_free_pages(), 64);
    swap_end(mm);
}

static void neighbours_come_along(void **state)
{
    struct mm *mm = swap_start(256);
    scene_map(mm, BASE, N, RW_FLAGS);
    put_values(mm, BASE, N, 100);
    swap_out_range(mm, BASE, N);
    assert_int_equal(swap_free_pages(), 256 - N);
    swap_check();
    u64 major = stat_event_sum(PGMAJFAULT);
    assert_values(mm, BASE, N, 100);
    assert_in_range(stat_event_sum(PGMAJFAULT) - major, N / 8, N / 4);
    assert_in_range(stat_event_sum(SWAP_RA_HIT), N / 2, N);
    swap_check();
    swap_end(mm);
}

static void unmapping_frees_slots(void **state)
{
    struct mm *mm = swap_start(256);
    scene_map(mm, BASE, N, RW_FLAGS);
    put_values(mm, BASE, N, 100);
    swap_out_range(mm, BASE, N);
    get_value(mm, BASE + 3 * PAGE_SIZE); /* some of them are cached now, some mapped */
    scene_unmap(mm, BASE, N / 2);
    assert_int_equal(swap_free_pages(), 256 - N / 2);
    swap_check();
    scene_unmap(mm, BASE, N);
    assert_int_equal(swap_free_pages(), 256);
    assert_int_equal(rss_sum(mm, RSS_SWAP), 0);
    swap_end(mm);
}

static void no_slot_no_swap(void **state)
{
    struct mm *mm = swap_start(2);
    scene_map(mm, BASE, 4, RW_FLAGS);
    put_values(mm, BASE, 4, 1);
    assert_true(swap_out(mm, BASE));
    assert_true(swap_out(mm, BASE + PAGE_SIZE));
    assert_int_equal(swap_free_pages(), 0);
    struct page *page = page_at(mm, BASE + 2 * PAGE_SIZE);
    assert_int_equal(swap_out_page(page, NULL), -ENOSPC);
    page_put(page);
    assert_values(mm, BASE, 4, 1);
    swap_end(mm);
}

static void family(u64 share)
{
    struct mm *mm = swap_start(256), *child;
    sysctl_fork_share = share;
    scene_map(mm, BASE, N, RW_FLAGS);
    put_values(mm, BASE, N, 100);
    swap_out_range(mm, BASE, N / 2);
    assert_int_equal(mm_fork(mm, &child), 0);
    swap_check();
    assert_int_equal(rss_sum(child, RSS_SWAP), N / 2);
    assert_int_equal(rss_sum(child, RSS_ANON), N / 2);
    for (u64 i = N / 2; i < N; i++) /* the entries of both */
        assert_true(swap_out(child, BASE + (i << PAGE_SHIFT)));
    swap_check();
    assert_int_equal(rss_sum(mm, RSS_SWAP), N);
    assert_int_equal(rss_sum(child, RSS_SWAP), N);
    assert_int_equal(rss_sum(mm, RSS_ANON), 0);
    put_value(child, BASE, 500);
    put_value(child, BASE + (N - 1) * PAGE_SIZE, 501);
    swap_check();
    assert_values(mm, BASE, N, 100);
    assert_int_equal(get_value(child, BASE), 500);
    assert_int_equal(get_value(child, BASE + (N - 1) * PAGE_SIZE), 501);
    assert_values(child, BASE + PAGE_SIZE, N - 2, 101);
    swap_check();
    put_values(mm, BASE, N, 200);
    assert_values(child, BASE + PAGE_SIZE, N - 2, 101);
    host_mm_unload_all(child);
    mm_put(child);
    machine_settle();
    swap_check();
    assert_values(mm, BASE, N, 200);
    swap_end(mm);
}

static void parent_and_child_copied(void **state)
{
    family(0);
}

static void parent_and_child_shared(void **state)
{
    family(1);
}

static void swapoff_brings_all_back(void **state)
{
    struct mm *mm = swap_start(256), *child;
    scene_map(mm, BASE, N, RW_FLAGS);
    put_values(mm, BASE, N, 100);
    swap_out_range(mm, BASE, N);
    assert_int_equal(mm_fork(mm, &child), 0);
    get_value(mm, BASE);
    assert_int_equal(host_swap_off(&disk), 0);
    assert_int_equal(rss_sum(mm, RSS_SWAP) + rss_sum(child, RSS_SWAP), 0);
    assert_int_equal(swap_total_pages(), 0);
    swap_check();
    assert_values(mm, BASE, N, 100);
    assert_values(child, BASE, N, 100);
    host_mm_unload_all(child);
    mm_put(child);
    host_mm_unload_all(mm);
    mm_put(mm);
    machine_settle();
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_goes_and_comes),
        cmocka_unit_test(a_page_that_was_read_keeps_its_slot),
        cmocka_unit_test(a_writer_gives_the_slot_up),
        cmocka_unit_test(neighbours_come_along),
        cmocka_unit_test(unmapping_frees_slots),
        cmocka_unit_test(no_slot_no_swap),
        cmocka_unit_test(parent_and_child_copied),
        cmocka_unit_test(parent_and_child_shared),
        cmocka_unit_test(swapoff_brings_all_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
