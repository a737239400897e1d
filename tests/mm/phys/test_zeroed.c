/* SPDX-License-Identifier: MIT */
/* Pages of zeros that come back as zeros. */
#include "../../common/machine.h"

static bool all_zero(struct page *page)
{
    static const u8 zeros[PAGE_SIZE];
    return !memcmp(page_to_virt(page), zeros, PAGE_SIZE);
}

static void they_are_used_again_without_clearing(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = alloc_zeroed_page(GFP_KERNEL);
    assert_true(all_zero(page));
    assert_int_equal(page_refs(page), 1);
    u64 free = phys_free_all();
    free_zeroed_page(page);
    assert_int_equal(phys_free_all(), free + 1);
    assert_ptr_equal(alloc_zeroed_page(GFP_KERNEL), page);
    assert_int_equal(page_refs(page), 1);
    /* Freed otherwise it loses its privilege. */
    memset(page_to_virt(page), 1, PAGE_SIZE);
    free_pages(page, 0);
    assert_null(phys_validate());
    for (unsigned i = 0; i < 3; i++) {
        page = alloc_zeroed_page(GFP_KERNEL);
        assert_true(all_zero(page));
        memset(page_to_virt(page), 1, PAGE_SIZE);
        free_pages(page, 0);
    }
    machine_down();
}

static void more_than_the_stack_holds(void **state)
{
    struct page *pages[3 * PCP_ZEROED_MAX];
    machine_up(16, 2, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        pages[i] = alloc_zeroed_page(GFP_KERNEL);
        assert_true(all_zero(pages[i]));
    }
    u64 free = phys_free_all();
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        free_zeroed_page(pages[i]);
    assert_int_equal(phys_free_all(), free + ARRAY_SIZE(pages));
    assert_null(phys_validate());
    pcp_drain_local();
    assert_null(phys_validate());
    pages[0] = alloc_zeroed_page(GFP_KERNEL);
    free_zeroed_page(pages[0]);
    pcp_drain_all();
    assert_int_equal(phys_free_all(), phys_free());
    machine_down();
}

static void a_dirty_one_is_noticed(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = alloc_zeroed_page(GFP_KERNEL);
    u64 *word = page_to_virt(page);
    word[100] = 1;
    free_zeroed_page(page);
    assert_non_null(phys_validate());
    mem_unpoison(word, PAGE_SIZE);
    word[100] = 0;
    assert_null(phys_validate());
    machine_down();
}

static void they_may_fail(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = alloc_zeroed_page(GFP_KERNEL);
    for (unsigned i = 0; i < 2; i++) { /* with an empty stack and with one page in it */
        host_fail_nth(FAIL_PAGE_ALLOC, 1, false);
        assert_null(alloc_zeroed_page(GFP_KERNEL));
        assert_int_equal(host_fail_hits(FAIL_PAGE_ALLOC), 1);
        host_fail_none();
        if (page)
            free_zeroed_page(page);
        page = NULL;
    }
    machine_down();
}

/* When all else is used up, what lies on the stacks is found. */
static void the_last_pages(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = alloc_zeroed_page(GFP_KERNEL), *list = NULL, *p;
    free_zeroed_page(page);
    while ((p = alloc_page(GFP_MEMALLOC | GFP_NOWARN))) {
        *(struct page **)page_to_virt(p) = list;
        list = p;
    }
    assert_int_equal(phys_free_all(), 0);
    while ((p = list)) {
        list = *(struct page **)page_to_virt(p);
        page_put(p);
    }
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_used_again_without_clearing),
        cmocka_unit_test(more_than_the_stack_holds),
        cmocka_unit_test(a_dirty_one_is_noticed),
        cmocka_unit_test(they_may_fail),
        cmocka_unit_test(the_last_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
