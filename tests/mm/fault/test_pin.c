/* SPDX-License-Identifier: MIT */
/* Pins (mm/pin.h): the program and whoever pinned a page see each other's writes, and nobody else does. */
#include "../../common/machine.h"
#include <mm/pin.h>
#include <mm/rmap.h>

#define RW   (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define BASE 0x7f0000000000UL
#define PAGES 32UL

static struct mm *space;

static void up(u64 share)
{
    machine_up(16, 1, 1);
    sysctl_fork_share = share;
    space = host_mm_new();
    host_mm_switch(space);
    assert_int_equal(host_mmap(BASE, PAGES * PAGE_SIZE, RW,
                               UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0),
                     BASE);
    for (u64 i = 0; i < PAGES; i++)
        assert_int_equal(host_store_u8(BASE + i * PAGE_SIZE, (u8)(i + 1)), 0);
}

static void down(void)
{
    host_mm_exit(space);
    machine_down();
}

static struct page *pin_one(struct mm *mm, u64 addr, u32 flags)
{
    struct page *page = NULL;
    assert_int_equal(pin_user_pages(mm, addr, 1, flags, &page), 1);
    assert_machine_valid();
    return page;
}

static void unpin(struct page *page)
{
    unpin_user_pages(&page, 1, false);
}

static u8 load(u64 at)
{
    u8 v = 0xee;
    assert_int_equal(host_load_u8(at, &v), 0);
    return v;
}

static u8 *bytes(struct page *page)
{
    return page_to_virt(page);
}

static struct mm *fork_child(void)
{
    int err;
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    assert_machine_valid();
    return child;
}

/* Writes of either are the other's. */
static void assert_together(struct page *page, u64 at)
{
    static u8 n = 100;
    assert_int_equal(host_store_u8(at + 9, ++n), 0);
    assert_int_equal(bytes(page)[9], n);
    bytes(page)[10] = ++n;
    assert_int_equal(load(at + 10), n);
}

static void a_pin_survives_protection(void **state)
{
    up(0);
    struct page *page = pin_one(space, BASE, FAULT_WRITE);
    assert_int_equal(host_mprotect(BASE, PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(host_mprotect(BASE, PAGE_SIZE, RW), 0);
    assert_together(page, BASE);
    unpin(page);
    down();
}

/* The parent keeps its page, the child gets a copy at once; with tables that could be shared, and without. */
static void the_parent_keeps_its_page(void **state)
{
    for (u64 share = 0; share <= 1; share++) {
        up(share);
        struct page *page = pin_one(space, BASE, FAULT_WRITE);
        struct mm *child = fork_child();
        assert_together(page, BASE);
        host_mm_switch(child);
        assert_int_equal(load(BASE), 1);
        assert_int_equal(load(BASE + 9), 0);
        assert_int_equal(load(BASE + PAGE_SIZE), 2);
        assert_int_equal(host_store_u8(BASE, 77), 0);
        assert_int_equal(rss_sum(child, RSS_ANON), PAGES);
        host_mm_switch(space);
        assert_int_equal(load(BASE), 1);
        host_mm_exit(child);
        assert_together(page, BASE);
        unpin(page);
        /* Once unpinned it is shared like any other. */
        child = fork_child();
        assert_int_equal(host_store_u8(BASE, 5), 0);
        host_mm_switch(child);
        assert_int_equal(load(BASE), 1);
        host_mm_switch(space);
        host_mm_exit(child);
        down();
    }
}

/* A page that is shared when it is pinned, even for reading, becomes the program's own first. */
static void a_shared_page_is_unshared(void **state)
{
    for (u64 share = 0; share <= 1; share++) {
        up(share);
        struct mm *child = fork_child();
        struct page *page = pin_one(space, BASE, 0);
        assert_int_equal(page->mapcount, 0);
        assert_int_equal(bytes(page)[0], 1);
        assert_together(page, BASE);
        host_mm_switch(child);
        assert_int_equal(load(BASE + 9), 0);
        host_mm_switch(space);
        host_mm_exit(child);
        assert_together(page, BASE);
        unpin(page);
        down();
    }
}

/* What a child holds on to must not show it what its parent writes later. */
static void a_child_sees_no_later_secret(void **state)
{
    for (u64 share = 0; share <= 1; share++)
        for (int pinned = 0; pinned < 2; pinned++) {
            up(share);
            struct mm *child = fork_child();
            struct page *page;
            s64 n = pinned ? pin_user_pages(child, BASE, 1, 0, &page) : gup(child, BASE, 1, 0, &page);
            assert_int_equal(n, 1);
            host_mm_switch(child);
            assert_int_equal(host_munmap(BASE, PAGES * PAGE_SIZE), 0);
            host_mm_switch(space);
            assert_int_equal(host_store_u8(BASE, 99), 0);
            assert_int_equal(bytes(page)[0], 1);
            if (pinned)
                unpin(page);
            else
                page_put(page);
            host_mm_exit(child);
            down();
        }
}

/* So many plain references as a pin has, on a page that is shared, are no pin. */
static void many_references_are_no_pin(void **state)
{
    static struct page *page[PIN_BIAS + 8];
    up(0);
    unpin(pin_one(space, BASE, FAULT_WRITE)); /* leaves PG_pinned behind */
    struct mm *child = fork_child();
    for (u32 i = 0; i < ARRAY_SIZE(page); i++)
        assert_int_equal(gup(child, BASE, 1, 0, &page[i]), 1);
    host_mm_switch(child);
    assert_int_equal(host_munmap(BASE, PAGE_SIZE), 0);
    host_mm_switch(space);
    assert_int_equal(host_store_u8(BASE, 99), 0);
    assert_int_equal(bytes(page[0])[0], 1);
    for (u32 i = 0; i < ARRAY_SIZE(page); i++)
        page_put(page[i]);
    host_mm_exit(child);
    down();
}

static void the_zero_page_is_no_place_to_stay(void **state)
{
    up(0);
    assert_int_equal(host_madvise(BASE, PAGE_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(load(BASE), 0);
    struct page *page = pin_one(space, BASE, 0);
    assert_ptr_equal(page, zero_page);
    unpin(page);
    page = pin_one(space, BASE, PIN_LONGTERM);
    assert_ptr_not_equal(page, zero_page);
    assert_together(page, BASE);
    unpin(page);
    down();
}

static void a_file_page_for_long_is_a_copy(void **state)
{
    up(0);
    struct host_file *file = host_file_new(PAGE_SIZE, false);
    file->disk[0] = 3;
    struct map_file mf = host_map_file(file);
    u64 at = BASE + 100 * PAGE_SIZE, shared = BASE + 200 * PAGE_SIZE;
    assert_int_equal(host_mmap(at, PAGE_SIZE, RW, UAPI_MAP_PRIVATE | UAPI_MAP_FIXED, &mf, 0), at);
    assert_int_equal(host_mmap(shared, PAGE_SIZE, RW, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &mf, 0), shared);
    struct page *page = pin_one(space, at, 0);
    assert_non_null(page_mapping(page));
    unpin(page);
    page = pin_one(space, at, PIN_LONGTERM);
    assert_true(page_is_anon(page));
    assert_int_equal(bytes(page)[0], 3);
    assert_together(page, at);
    unpin(page);
    page = pin_one(space, shared, FAULT_WRITE);
    bytes(page)[0] = 4;
    unpin_user_pages(&page, 1, true);
    assert_int_equal(host_msync(shared, PAGE_SIZE, UAPI_MS_SYNC), 0);
    assert_int_equal(file->disk[0], 4);
    assert_int_equal(pin_user_pages(space, shared, 1, FAULT_WRITE | PIN_LONGTERM, &page), -14);
    host_file_put(file);
    down();
}

static void errors(void **state)
{
    struct page *page[4];
    up(0);
    assert_int_equal(pin_user_pages(space, 0x1000, 1, 0, page), -14);
    assert_int_equal(host_munmap(BASE + 2 * PAGE_SIZE, PAGE_SIZE), 0);
    assert_int_equal(pin_user_pages(space, BASE, 4, FAULT_WRITE, page), 2);
    unpin_user_pages(page, 2, true);
    assert_int_equal(host_mprotect(BASE, PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(pin_user_pages(space, BASE, 1, FAULT_WRITE, page), -14);
    down();
}

/* The program unmaps what is pinned: the page lives until the pin goes. */
static void a_pin_outlives_the_mapping(void **state)
{
    up(0);
    struct page *page = pin_one(space, BASE, FAULT_WRITE);
    assert_int_equal(host_munmap(BASE, PAGES * PAGE_SIZE), 0);
    assert_int_equal(bytes(page)[0], 1);
    unpin(page);
    down();
}

/* fork that finds no memory for the copies leaves nothing behind, and the parent as it was. */
static void fork_fails(void **state)
{
    up(0);
    struct page *page = pin_one(space, BASE, FAULT_WRITE);
    for (u64 n = 1;; n++) {
        int err;
        host_fail_nth(FAIL_PAGE_ALLOC, n, true);
        struct mm *child = host_fork(&err);
        host_fail_none();
        assert_machine_valid();
        assert_together(page, BASE);
        if (child) {
            host_mm_exit(child);
            break;
        }
        assert_int_equal(err, -12);
        assert_true(n < 100);
    }
    unpin(page);
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pin_survives_protection),   cmocka_unit_test(the_parent_keeps_its_page),
        cmocka_unit_test(a_shared_page_is_unshared),   cmocka_unit_test(a_child_sees_no_later_secret),
        cmocka_unit_test(many_references_are_no_pin),  cmocka_unit_test(the_zero_page_is_no_place_to_stay),
        cmocka_unit_test(a_file_page_for_long_is_a_copy), cmocka_unit_test(errors),
        cmocka_unit_test(a_pin_outlives_the_mapping),  cmocka_unit_test(fork_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
