/* SPDX-License-Identifier: MIT */
/* Where a new area may lie: hints that just fit, the guard gap below a stack, limits that are reached exactly, and areas joined. */
#include "../../common/machine.h"

#define RW   (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define ANON (UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS)
#define BASE 0x7f0000000000UL
#define P(n) (BASE + (n) * PAGE_SIZE)

static struct mm *space;

static int up(void **state)
{
    machine_up(16, 1, 1);
    space = host_mm_new();
    host_mm_switch(space);
    return 0;
}

static int down(void **state)
{
    assert_machine_valid();
    host_mm_exit(space);
    machine_down();
    return 0;
}

static void map_at(u64 at, u64 pages, u64 flags)
{
    assert_int_equal(host_mmap(at, pages * PAGE_SIZE, RW, ANON | UAPI_MAP_FIXED | flags, NULL, 0), at);
}

static void a_hint_that_just_fits(void **state)
{
    map_at(P(0), 2, 0);
    map_at(P(4), 2, 0);
    assert_int_equal(host_mmap(P(2), 2 * PAGE_SIZE, UAPI_PROT_READ, ANON, NULL, 0), P(2));
    assert_int_equal(host_munmap(P(2), 2 * PAGE_SIZE), 0);
    assert_int_not_equal(host_mmap(P(2), 3 * PAGE_SIZE, UAPI_PROT_READ, ANON, NULL, 0), P(2));
}

/* Below a stack 256 pages stay free, whether an address is hinted at or looked for. */
static void the_guard_gap_of_a_stack(void **state)
{
    const u64 low = 0x40000000UL; /* where MAP_32BIT looks first */
    map_at(low + 300 * PAGE_SIZE, 1, UAPI_MAP_GROWSDOWN);
    assert_int_equal(host_mmap(0, 44 * PAGE_SIZE, RW, ANON | UAPI_MAP_32BIT, NULL, 0), low);
    s64 next = host_mmap(0, PAGE_SIZE, RW, ANON | UAPI_MAP_32BIT, NULL, 0);
    assert_int_equal(next, low + 301 * PAGE_SIZE);
    map_at(P(1000), 1, UAPI_MAP_GROWSDOWN);
    assert_int_equal(host_mmap(P(743), PAGE_SIZE, RW, ANON, NULL, 0), P(743));
    assert_int_not_equal(host_mmap(P(744), PAGE_SIZE, RW, ANON, NULL, 0), P(744));
}

static void limits_are_exact(void **state)
{
    map_at(P(0), 2, 0);
    space->rlimit.data = 5 * PAGE_SIZE;
    assert_true(host_mmap_anon(3 * PAGE_SIZE) > 0);
    assert_int_equal(host_mmap_anon(PAGE_SIZE), -12);
    space->rlimit.data = U64_MAX;
    space->rlimit.as = 7 * PAGE_SIZE;
    assert_true(host_mmap_anon(2 * PAGE_SIZE) > 0);
    assert_int_equal(host_mmap_anon(PAGE_SIZE), -12);
    space->rlimit.as = U64_MAX;
}

/* The lower of two areas absorbs the upper, which alone has pages: they must still be found from their frames. */
static void who_absorbs_pages_finds_them(void **state)
{
    map_at(P(0), 4, 0);
    assert_int_equal(host_mprotect(P(0), 2 * PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(host_store_u8(P(2), 1), 0);
    assert_int_equal(host_mprotect(P(0), 2 * PAGE_SIZE, RW), 0);
    assert_int_equal(space->map_count, 1);
    assert_machine_valid();
    struct vma *vma = vma_find(space, P(0));
    struct page *page;
    assert_non_null(vma->anon_vma);
    assert_int_equal(gup(space, P(2), 1, 0, &page), 1);
    assert_ptr_equal(page_anon_vma(page), vma->anon_vma);
    page_put(page);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_hint_that_just_fits),
        T(the_guard_gap_of_a_stack),
        T(limits_are_exact),
        T(who_absorbs_pages_finds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
