/* SPDX-License-Identifier: MIT */
/* Entries of the kernel's own space. */
#include "pt_fixture.h"

static pte_t kernel_entry(u64 va)
{
    pte_t *t = phys_to_virt(mmu_kernel_root());
    for (unsigned level = pt_levels(); level > 1; level--) {
        pte_t e = pte_load(t + pt_index(va, level));
        if (!pte_present(e))
            return (pte_t){0};
        t = phys_to_virt(e.v & PTE_PFN_MASK);
    }
    return pte_load(t + pt_index(va, 1));
}

static void map_and_unmap(u32 levels)
{
    struct host_config cfg = {.seed = 1, .levels = levels};
    struct page *pages[700];
    u64 start, end;
    host_machine_start(&cfg);
    host_machine_boot();
    mem_vmalloc_range(&start, &end);
    u64 va = end - 1024 * PAGE_SIZE; /* where vmalloc has not been yet */
    for (unsigned i = 0; i < 700; i++)
        pages[i] = alloc_page(GFP_KERNEL);
    assert_int_equal(pt_map_kernel(va, pages, 700, pt_kernel_bits()), 0);
    for (unsigned i = 0; i < 700; i++) {
        pte_t e = kernel_entry(va + i * PAGE_SIZE);
        assert_int_equal(pte_pfn(e), page_to_pfn(pages[i]));
        assert_true(pte_write(e) && !(e.v & PTE_US) && (e.v & PTE_XD));
    }
    assert_true(pte_none(kernel_entry(va + 700 * PAGE_SIZE)));
    pt_unmap_kernel(va, 700);
    for (unsigned i = 0; i < 700; i++)
        assert_true(pte_none(kernel_entry(va + i * PAGE_SIZE)));
    /* New spaces see the kernel's half. */
    struct mm *mm = mm_alloc();
    pte_t *root = phys_to_virt(mm->mmu.root), *kernel = phys_to_virt(mmu_kernel_root());
    assert_memory_equal(root + 256, kernel + 256, PAGE_SIZE / 2);
    mm_put(mm);
    host_machine_stop();
}

static void four_and_five_levels(void **state)
{
    map_and_unmap(4);
    map_and_unmap(5);
}

static void a_failure_leaves_nothing(void **state)
{
    struct host_config cfg = {.seed = 1};
    struct page *pages[2];
    u64 start, end;
    host_machine_start(&cfg);
    host_machine_boot();
    mem_vmalloc_range(&start, &end);
    u64 va = ALIGN_DOWN(end - 1, PUD_SIZE) - PAGE_SIZE; /* the second page needs other tables */
    pages[0] = alloc_page(GFP_KERNEL);
    pages[1] = alloc_page(GFP_KERNEL);
    for (unsigned n = 1; n < 10; n++) {
        host_fail_nth(FAIL_PAGE_ALLOC, n, false);
        int err = pt_map_kernel(va, pages, 2, pt_kernel_bits());
        host_fail_none();
        if (!err) {
            assert_true(n > 1);
            pt_unmap_kernel(va, 2);
            host_machine_stop();
            return;
        }
        assert_int_equal(err, -12);
        assert_true(pte_none(kernel_entry(va)));
        assert_true(pte_none(kernel_entry(va + PAGE_SIZE)));
    }
    fail_msg("never succeeds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_and_five_levels),
        cmocka_unit_test(a_failure_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
