/* SPDX-License-Identifier: MIT */
/*
 * mm_boot: with every allocation failing in turn, with hardly any memory, with many CPUs and nodes.
 */
#include "../../common/machine.h"
#include <lib/errno.h>

static void nth_allocation_fails(void **state)
{
    for (unsigned point = FAIL_PAGE_ALLOC; point <= FAIL_SLAB_ALLOC; point++) {
        unsigned failures = 0;
        for (unsigned nth = 1;; nth++) {
            const struct host_config cfg = {.seed = 1, .cpus = 2, .ram = 16 << 20};
            host_machine_start(&cfg);
            host_fail_nth(point, nth, true);
            int err = mm_boot();
            u64 hits = host_fail_hits(point);
            host_fail_none();
            if (err) {
                assert_int_equal(err, -ENOMEM);
                failures++;
            } else if (hits >= nth) {
                assert_null(slab_validate()); /* it could do without */
            }
            assert_null(phys_validate());
            host_machine_stop();
            if (hits < nth)
                break;
        }
        assert_true(failures > 2);
    }
}

/* Too little memory is an error, not a crash; a little more is enough. */
static void from_nothing_to_enough(void **state)
{
    bool booted = false;
    for (u64 kib = 64; kib <= 4096; kib += 64) {
        const struct host_config cfg = {.seed = 1, .cpus = 1, .ram = kib << 10};
        host_machine_start(&cfg);
        int err = mm_boot();
        assert_true(err == 0 || err == -ENOMEM);
        if (booted)
            assert_int_equal(err, 0);
        booted = err == 0;
        if (booted) {
            const char *bad = phys_validate();
            if (bad)
                fail_msg("%lu KiB: %s", kib, bad);
            assert_null(slab_validate());
        }
        host_machine_stop();
    }
    assert_true(booted);
}

static void sixty_four_cpus_on_sixteen_nodes(void **state)
{
    struct host_config cfg = {.seed = 3, .cpus = 64, .nodes = 16, .nr_ranges = 16};
    for (unsigned n = 0; n < 16; n++)
        cfg.ranges[n] = (struct mem_range){(u64)n << 24, 1 << 24, n, MEM_FREE};
    for (unsigned cpu = 0; cpu < 64; cpu++)
        cfg.cpu_node[cpu] = (u8)(cpu / 4);
    machine_up_config(&cfg);
    struct page *page[64];
    for (unsigned cpu = 0; cpu < 64; cpu++) {
        host_thread_move(cpu);
        page[cpu] = alloc_page(GFP_KERNEL);
        assert_int_equal(page_node(page[cpu]), cpu / 4);
        void *obj = kmalloc(100, GFP_KERNEL);
        assert_int_equal(page_node(page_head(virt_to_page(obj))), cpu / 4);
        kfree(obj);
    }
    for (unsigned cpu = 0; cpu < 64; cpu++) {
        host_thread_move(63 - cpu);
        free_pages(page[cpu], 0);
    }
    machine_down();
}

/* CPUs of a node without memory are served by the nearest. */
static void node_without_memory(void **state)
{
    struct host_config cfg = {.seed = 3, .cpus = 2, .nodes = 2, .nr_ranges = 1};
    cfg.ranges[0] = (struct mem_range){0, 32 << 20, 0, MEM_FREE};
    cfg.cpu_node[1] = 1;
    machine_up_config(&cfg);
    host_thread_move(1);
    struct page *page = alloc_page(GFP_KERNEL);
    assert_non_null(page);
    assert_int_equal(page_node(page), 0);
    free_pages(page, 0);
    page = alloc_pages(GFP_KERNEL, 3);
    free_pages(page, 3);
    void *obj = kmalloc(100, GFP_KERNEL);
    assert_non_null(obj);
    kfree(obj);
    assert_null(alloc_pages_node(1, GFP_KERNEL | GFP_THISNODE | GFP_NOWARN, 0));
    machine_down();
}

/* More ranges than a zone keeps track of: what does not fit is filled in at boot. */
static void many_small_ranges(void **state)
{
    struct host_config cfg = {.seed = 3, .cpus = 1, .nr_ranges = 16};
    u64 pages = 0;
    for (unsigned i = 0; i < 16; i++) {
        cfg.ranges[i] = (struct mem_range){((u64)i * 13 + 1) << 20, (8UL << 20) + (i * 4096UL), 0,
                                           i % 5 == 4 ? MEM_RESERVED : MEM_FREE};
        pages += cfg.ranges[i].size >> PAGE_SHIFT;
    }
    machine_up_config(&cfg);
    assert_int_equal(phys_present(), pages);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(from_nothing_to_enough),
        cmocka_unit_test(sixty_four_cpus_on_sixteen_nodes),
        cmocka_unit_test(node_without_memory),
        cmocka_unit_test(many_small_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
