/* SPDX-License-Identifier: MIT */
/* Areas and their slots: order, priorities, turns, bad pages, discard, what is on its way while an area ends. */
#include "swap_fixture.h"

static struct host_swap second;

static unsigned in_area(struct mm *mm, u64 addr, u64 pages, const struct host_swap *d)
{
    unsigned n = 0;
    for (u64 i = 0; i < pages; i++) {
        pte_t e = scene_entry(mm, addr + (i << PAGE_SHIFT));
        n += pte_swap(e) && swp_type(pte_to_swp(e)) == d->area->type;
    }
    return n;
}

static void neighbours_get_neighbouring_slots(void **state)
{
    struct mm *mm = swap_start(1000);
    scene_map(mm, BASE, 300, RW_FLAGS);
    put_values(mm, BASE, 300, 1);
    swap_out_range(mm, BASE, 300);
    for (u64 i = 1; i < 300; i++)
        assert_int_equal(swp_offset(pte_to_swp(scene_entry(mm, BASE + i * PAGE_SIZE))),
                         swp_offset(pte_to_swp(scene_entry(mm, BASE + (i - 1) * PAGE_SIZE))) + 1);
    swap_check();
    swap_end(mm);
}

static void the_preferred_one_first(void **state)
{
    struct mm *mm = swap_start(100);
    assert_int_equal(host_swap_on(&second, &(struct host_swap_config){.pages = 40, .prio = 3}), 0);
    assert_int_equal(swap_total_pages(), 140);
    scene_map(mm, BASE, 60, RW_FLAGS);
    put_values(mm, BASE, 60, 1);
    swap_out_range(mm, BASE, 60);
    assert_int_equal(in_area(mm, BASE, 60, &second), 40);
    assert_int_equal(in_area(mm, BASE, 60, &disk), 20);
    swap_check();
    assert_int_equal(host_swap_off(&second), 0);
    assert_int_equal(swap_total_pages(), 100);
    assert_values(mm, BASE, 60, 1);
    swap_end(mm);
}

static void equals_take_turns(void **state)
{
    struct mm *mm = swap_start_with(&(struct host_swap_config){.pages = 600, .prio = 1});
    assert_int_equal(host_swap_on(&second, &(struct host_swap_config){.pages = 600, .prio = 1}), 0);
    scene_map(mm, BASE, 256, RW_FLAGS);
    put_values(mm, BASE, 256, 1);
    swap_out_range(mm, BASE, 256);
    assert_int_equal(in_area(mm, BASE, 256, &second), 128);
    assert_int_equal(in_area(mm, BASE, 256, &disk), 128);
    assert_int_equal(host_swap_off(&second), 0);
    assert_values(mm, BASE, 256, 1);
    swap_end(mm);
}

static void default_priorities_fall(void **state)
{
    struct mm *mm = swap_start(10);
    static struct host_swap third;
    assert_int_equal(disk.area->prio, -2);
    assert_int_equal(host_swap_on(&second, &(struct host_swap_config){.pages = 10, .prio = -1}), 0);
    assert_int_equal(host_swap_on(&third, &(struct host_swap_config){.pages = 10, .prio = -1}), 0);
    assert_int_equal(second.area->prio, -3);
    assert_int_equal(third.area->prio, -4);
    assert_int_equal(host_swap_off(&second), 0);
    assert_int_equal(third.area->prio, -3);
    assert_int_equal(host_swap_off(&third), 0);
    swap_end(mm);
}

static void bad_pages_are_passed_over(void **state)
{
    static const u32 bad[] = {1, 2, 5, 12};
    struct mm *mm = swap_start_with(&(struct host_swap_config){.pages = 8, .prio = -1, .bad = bad, .nr_bad = 4});
    assert_int_equal(swap_total_pages(), 8);
    scene_map(mm, BASE, 9, RW_FLAGS);
    put_values(mm, BASE, 9, 1);
    swap_out_range(mm, BASE, 8);
    assert_false(swap_out(mm, BASE + 8 * PAGE_SIZE));
    for (u64 i = 0; i < 8; i++)
        for (unsigned k = 0; k < 4; k++)
            assert_int_not_equal(swp_offset(pte_to_swp(scene_entry(mm, BASE + i * PAGE_SIZE))), bad[k]);
    swap_check();
    assert_values(mm, BASE, 9, 1);
    swap_end(mm);
}

static void only_bad_pages(void **state)
{
    static const u32 bad[] = {1, 2};
    struct mm *mm = swap_start(8);
    assert_int_equal(host_swap_on(&second, &(struct host_swap_config){.pages = 0, .prio = -1, .bad = bad, .nr_bad = 2}), -EINVAL);
    swap_end(mm);
}

static void so_many_areas(void **state)
{
    struct mm *mm = swap_start(4);
    static struct host_swap many[MAX_SWAP_AREAS];
    for (unsigned i = 1; i < MAX_SWAP_AREAS; i++)
        assert_int_equal(host_swap_on(&many[i], &(struct host_swap_config){.pages = 4, .prio = -1}), 0);
    assert_int_equal(host_swap_on(&many[0], &(struct host_swap_config){.pages = 4, .prio = -1}), -EPERM);
    swap_check();
    for (unsigned i = 1; i < MAX_SWAP_AREAS; i++)
        assert_int_equal(host_swap_off(&many[i]), 0);
    swap_end(mm);
}

static void empty_clusters_are_discarded(void **state)
{
    struct mm *mm = swap_start_with(&(struct host_swap_config){.pages = 1000, .prio = -1, .discard = true});
    scene_map(mm, BASE, 600, RW_FLAGS);
    put_values(mm, BASE, 600, 1);
    swap_out_range(mm, BASE, 600);
    assert_false(swap_wants_discard(disk.area));
    scene_unmap(mm, BASE, 600);
    swap_check();
    assert_true(swap_wants_discard(disk.area));
    while (swap_discard_some(disk.area))
        ;
    assert_in_range(disk.discarded, 511, 512);
    scene_map(mm, BASE, 900, RW_FLAGS);
    put_values(mm, BASE, 900, 1);
    swap_out_range(mm, BASE, 900);
    swap_check();
    assert_values(mm, BASE, 900, 1);
    swap_end(mm);
}

static void adjacent_pages_are_one_transfer(void **state)
{
    struct mm *mm = swap_start(300);
    struct swap_plug plug = {NULL};
    struct page *page[SWAP_IO_PAGES * 2];
    scene_map(mm, BASE, SWAP_IO_PAGES * 2, RW_FLAGS);
    put_values(mm, BASE, SWAP_IO_PAGES * 2, 1);
    for (u64 i = 0; i < SWAP_IO_PAGES * 2; i++) {
        page[i] = page_at(mm, BASE + (i << PAGE_SHIFT));
        assert_int_equal(swap_out_page(page[i], &plug), 0);
        assert_true(page_test(page[i], PG_writeback) || i + 1 == SWAP_IO_PAGES || i + 1 == SWAP_IO_PAGES * 2 || disk.transfers);
    }
    swap_flush(&plug);
    assert_int_equal(disk.transfers, 2);
    assert_int_equal(disk.writes, SWAP_IO_PAGES * 2);
    for (u64 i = 0; i < SWAP_IO_PAGES * 2; i++)
        assert_true(swap_release_page(page[i]));
    assert_values(mm, BASE, SWAP_IO_PAGES * 2, 1);
    swap_end(mm);
}

static void a_page_on_its_way_out_is_found(void **state)
{
    struct mm *mm = swap_start(300);
    scene_map(mm, BASE, 2, RW_FLAGS);
    put_values(mm, BASE, 2, 1);
    struct page *page = page_at(mm, BASE), *other = page_at(mm, BASE + PAGE_SIZE);
    disk.hold = true;
    assert_int_equal(swap_out_page(page, NULL), 0);
    assert_int_equal(swap_out_page(other, NULL), 0);
    assert_true(page_test(page, PG_writeback));
    page_lock(page);
    assert_false(swap_remove(page, 0));
    page_unlock(page);
    u64 major = stat_event_sum(PGMAJFAULT);
    assert_int_equal(get_value(mm, BASE), 1); /* not read from anywhere */
    assert_int_equal(stat_event_sum(PGMAJFAULT), major);
    assert_ptr_equal(page_at(mm, BASE), page);
    put_value(mm, BASE, 77); /* while it is being written */
    scene_unmap(mm, BASE + PAGE_SIZE, 1);
    swap_check();
    assert_int_equal(host_swap_let_go(&disk, 9), 2);
    disk.hold = false;
    assert_false(page_test(page, PG_writeback));
    page_put(page);
    assert_true(swap_release_page(other)); /* nobody wanted it any more */
    assert_true(swap_out(mm, BASE));
    assert_int_equal(get_value(mm, BASE), 77);
    swap_end(mm);
}

static void a_failed_write_keeps_the_page(void **state)
{
    struct mm *mm = swap_start(300);
    scene_map(mm, BASE, 1, RW_FLAGS);
    put_value(mm, BASE, 5);
    struct page *page = page_at(mm, BASE);
    disk.fail_write = true;
    assert_int_equal(swap_out_page(page, NULL), 0);
    assert_true(page_test(page, PG_dirty));
    assert_false(swap_release_page(page));
    assert_int_equal(get_value(mm, BASE), 5);
    disk.fail_write = false;
    swap_check();
    assert_values(mm, BASE, 1, 5);
    swap_end(mm);
}

static void a_failed_read_is_sigbus(void **state)
{
    struct mm *mm = swap_start(300);
    scene_map(mm, BASE, 4, RW_FLAGS);
    put_values(mm, BASE, 4, 5);
    swap_out_range(mm, BASE, 4);
    disk.fail_read = true;
    assert_int_equal(mm_fault(mm, BASE, FAULT_USER) & VM_FAULT_ERROR, VM_FAULT_SIGBUS);
    swap_check();
    disk.fail_read = false;
    assert_values(mm, BASE, 4, 5); /* it was not lost for good */
    swap_end(mm);
}

static void who_holds_a_page_keeps_it(void **state)
{
    struct mm *mm = swap_start(300);
    scene_map(mm, BASE, 1, RW_FLAGS);
    put_value(mm, BASE, 5);
    struct page *page = page_at(mm, BASE);
    page_get(page);
    assert_int_equal(swap_out_page(page, NULL), -EAGAIN);
    assert_true(page_test(page, PG_dirty));
    ((u64 *)page_to_virt(page))[0] = 6; /* through the reference, as a device would */
    page_put(page);
    page_put(page);
    assert_int_equal(get_value(mm, BASE), 6);
    swap_check();
    swap_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_get_neighbouring_slots),
        cmocka_unit_test(the_preferred_one_first),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(default_priorities_fall),
        cmocka_unit_test(bad_pages_are_passed_over),
        cmocka_unit_test(only_bad_pages),
        cmocka_unit_test(so_many_areas),
        cmocka_unit_test(empty_clusters_are_discarded),
        cmocka_unit_test(adjacent_pages_are_one_transfer),
        cmocka_unit_test(a_page_on_its_way_out_is_found),
        cmocka_unit_test(a_failed_write_keeps_the_page),
        cmocka_unit_test(a_failed_read_is_sigbus),
        cmocka_unit_test(who_holds_a_page_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
