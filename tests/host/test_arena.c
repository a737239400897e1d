/* SPDX-License-Identifier: MIT */
/* Physical memory of the hosted machine: ranges, holes, the memory map, the vmalloc window, a fresh core each time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <host/machine.h>
#include <mm/page.h>
#include <port/mmu.h>
#include <port/pte.h>

static const struct host_config with_hole = {
    .nr_ranges = 2,
    .nodes = 2,
    .ranges = {{0, 4UL << 20, 0, MEM_FREE}, {1UL << 32, 4UL << 20, 1, MEM_FREE}},
};

/* Runs fn in a child and returns the signal that ended it, 0 for none. */
static int signal_of(void (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(98);
        host_machine_start(&with_hole);
        fn();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void touch_ram(void)
{
    *(volatile u8 *)phys_to_virt((4UL << 20) - 1) = 1;
    *(volatile u8 *)phys_to_virt(1UL << 32) = 1;
}

static void touch_hole(void)
{
    *(volatile u8 *)phys_to_virt(64UL << 20) = 1;
}

static void touch_unpopulated_map(void)
{
    *(volatile u32 *)&memmap[(1UL << 20) + 5].flags = 1;
}

static void touch_populated_map(void)
{
    if (mem_memmap_populate(1UL << 20, (1UL << 20) + 1024))
        abort();
    *(volatile u32 *)&memmap[(1UL << 20) + 5].flags = 1;
}

static void touch_window(void)
{
    u64 start, end;
    mem_vmalloc_range(&start, &end);
    *(volatile u8 *)start = 1;
}

/* Tables for one page of the window, by hand, in frames 0x100 and up. */
static void map_window(u64 va, pfn_t pfn, u64 bits)
{
    phys_t table = mmu_kernel_root();
    for (unsigned level = pt_levels(); level > 1; level--) {
        pte_t *p = (pte_t *)phys_to_virt(table) + pt_index(va, level);
        if (!pte_present(*p))
            pte_store(p, pte_make(0x100 + level, PTE_P | PTE_RW));
        table = pte_pfn(*p) << PAGE_SHIFT;
    }
    pte_store((pte_t *)phys_to_virt(table) + pt_index(va, 1),
              bits ? pte_make(pfn, bits) : (pte_t){0});
}

static void write_read_only_window(void)
{
    u64 start, end;
    mem_vmalloc_range(&start, &end);
    map_window(start, 0x200, PTE_P);
    *(volatile u8 *)start = 1;
}

static void use_window_after_flush(void)
{
    u64 start, end;
    mem_vmalloc_range(&start, &end);
    map_window(start, 0x200, PTE_P | PTE_RW);
    *(volatile u8 *)start = 1;
    map_window(start, 0, 0);
    mmu_flush_kernel(start, start + PAGE_SIZE);
    *(volatile u8 *)start = 1;
}

static void only_ram_can_be_touched(void **state)
{
    assert_int_equal(signal_of(touch_ram), 0);
    assert_int_equal(signal_of(touch_populated_map), 0);
    assert_int_equal(signal_of(touch_hole), SIGSEGV);
    assert_int_equal(signal_of(touch_unpopulated_map), SIGSEGV);
    assert_int_equal(signal_of(touch_window), SIGSEGV);
    assert_int_equal(signal_of(write_read_only_window), SIGSEGV);
    assert_int_equal(signal_of(use_window_after_flush), SIGSEGV);
}

static void window_shows_the_frame(void **state)
{
    u64 start, end;
    host_machine_start(&with_hole);
    mem_vmalloc_range(&start, &end);
    map_window(start, 0x200, PTE_P | PTE_RW);
    *(volatile u8 *)(start + 5) = 42;
    assert_int_equal(*(u8 *)phys_to_virt((0x200UL << PAGE_SHIFT) + 5), 42);
    map_window(start, 0x201, PTE_P | PTE_RW);
    *(volatile u8 *)(start + 5) = 43; /* no flush yet: still the old frame, as through a TLB */
    assert_int_equal(*(u8 *)phys_to_virt((0x200UL << PAGE_SHIFT) + 5), 43);
    mmu_flush_kernel(start, start + PAGE_SIZE);
    *(volatile u8 *)(start + 5) = 44;
    assert_int_equal(*(u8 *)phys_to_virt((0x201UL << PAGE_SHIFT) + 5), 44);
    host_machine_stop();
}

static void ranges_are_those_asked_for(void **state)
{
    const struct mem_range *r;
    host_machine_start(&with_hole);
    assert_int_equal(mem_ranges(&r), 3);
    assert_int_equal(r[0].kind, MEM_RESERVED);
    assert_int_equal(r[0].size + r[1].size, 4UL << 20);
    assert_int_equal(r[1].base, r[0].size);
    assert_int_equal(r[2].node, 1);
    assert_int_equal(mem_nr_nodes(), 2);
    assert_int_equal(mem_node_distance(0, 0), 10);
    assert_int_equal(mem_node_distance(0, 1), 20);
    host_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ram_can_be_touched),
        cmocka_unit_test(window_shows_the_frame),
        cmocka_unit_test(ranges_are_those_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
