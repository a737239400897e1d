/* SPDX-License-Identifier: MIT */
/*
 * The software MMU over tables that the test writes by hand: permissions at each level, A and D, sizes of pages, five
 * levels, entries that stay until they are flushed, and the oracle that notices the use of a stale one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <host/machine.h>
#include <host/mmu.h>
#include <host/thread.h>
#include <mm/fault.h>
#include <mm/page.h>

#define VA    0x7f1234567000UL
#define FRAME 0x300UL /* pfn of the page that VA maps */
#define LEAF  (PTE_P | PTE_RW | PTE_US)

static struct mm space;
static phys_t next_table;
static u32 last_flags, nr_faults;

static u32 no_fault(struct mm *mm, u64 addr, u32 flags)
{
    last_flags = flags;
    nr_faults++;
    return VM_FAULT_ACCERR;
}

/* The entry of the given level for va; tables on the way are made. */
static pte_t *entry(u64 va, unsigned level)
{
    phys_t table = space.mmu.root;
    for (unsigned l = pt_levels();; l--) {
        pte_t *p = (pte_t *)phys_to_virt(table) + pt_index(va, l);
        if (l == level)
            return p;
        if (!pte_present(*p)) {
            pte_store(p, pte_make(next_table >> PAGE_SHIFT, PTE_P | PTE_RW | PTE_US));
            next_table += PAGE_SIZE;
        }
        table = pte_pfn(*p) << PAGE_SHIFT;
    }
}

static void up(struct host_config cfg)
{
    cfg.seed = 1;
    cfg.ram = 16UL << 20;
    host_machine_start(&cfg);
    host_fault_handler = no_fault;
    assert_int_equal(mem_memmap_populate(0, 4096), 0);
    space = (struct mm){.task_size = 1UL << (cfg.levels == 5 ? 56 : 47)};
    space.mmu.root = 0x100000;
    next_table = 0x101000;
    for (pfn_t p = 0; p < 4096; p++)
        memmap[p].refcount = 1;
    nr_faults = 0;
    host_mm_load(&space);
}

static void down(void)
{
    if (!host_machine.crashed)
        host_mm_load(NULL);
    host_machine_stop();
}

static void map(u64 va, pfn_t pfn, u64 bits)
{
    pte_store(entry(va, 1), pte_make(pfn, bits));
}

static u32 access_byte(enum host_access_kind kind)
{
    u8 b = 0x5a;
    return host_access(VA, &b, 1, kind, true, NULL);
}

static void bits_are_set_as_hardware_does(void **state)
{
    for (u32 levels = 4; levels <= 5; levels++) {
        up((struct host_config){.levels = levels});
        map(VA, FRAME, LEAF);
        assert_int_equal(access_byte(HOST_READ), 0);
        assert_int_equal(entry(VA, 1)->v & (PTE_A | PTE_D), PTE_A);
        for (unsigned l = 2; l <= levels; l++)
            assert_int_equal(entry(VA, l)->v & (PTE_A | PTE_D), PTE_A);
        assert_int_equal(access_byte(HOST_WRITE), 0);
        assert_int_equal(entry(VA, 1)->v & (PTE_A | PTE_D), PTE_A | PTE_D);
        assert_int_equal(*(u8 *)phys_to_virt(FRAME << PAGE_SHIFT), 0x5a);
        assert_int_equal(nr_faults, 0);
        down();
    }
}

static void permissions_are_those_of_all_levels(void **state)
{
    for (unsigned level = 1; level <= 4; level++) {
        up((struct host_config){0});
        map(VA, FRAME, LEAF);
        u64 whole = entry(VA, level)->v;
        entry(VA, level)->v = whole & ~PTE_RW;
        assert_int_equal(access_byte(HOST_READ), 0);
        assert_int_equal(access_byte(HOST_WRITE), VM_FAULT_ACCERR);
        assert_int_equal(last_flags, FAULT_USER | FAULT_WRITE | FAULT_PRESENT);
        entry(VA, level)->v = whole | PTE_XD;
        assert_int_equal(access_byte(HOST_WRITE), 0);
        assert_int_equal(access_byte(HOST_EXEC), VM_FAULT_ACCERR);
        assert_int_equal(last_flags, FAULT_USER | FAULT_EXEC | FAULT_PRESENT);
        entry(VA, level)->v = whole & ~PTE_US;
        mmu_flush(&space.mmu, 0, U64_MAX, false);
        assert_int_equal(access_byte(HOST_READ), VM_FAULT_ACCERR);
        assert_int_equal(last_flags, FAULT_USER | FAULT_PRESENT);
        entry(VA, level)->v = whole & ~PTE_P;
        assert_int_equal(access_byte(HOST_WRITE), VM_FAULT_ACCERR);
        assert_int_equal(last_flags, FAULT_USER | FAULT_WRITE);
        down();
    }
}

static void huge_leaves(void **state)
{
    up((struct host_config){0});
    u8 b;
    *(u8 *)phys_to_virt(0x812345) = 77;
    pte_store(entry(VA & PMD_MASK, 2), pte_make(0x800, LEAF | PTE_PS));
    assert_int_equal(host_access((VA & PMD_MASK) + 0x12345, &b, 1, HOST_READ, true, NULL), 0);
    assert_int_equal(b, 77);
    u64 misses = host_mmu_stats.misses;
    assert_int_equal(host_access((VA & PMD_MASK) + 0x1ff000, &b, 1, HOST_READ, true, NULL), 0);
    assert_int_equal(host_mmu_stats.misses, misses); /* one entry covers all */
    u64 giga = 0x100000000000UL;
    pte_store(entry(giga, 3), pte_make(0, LEAF | PTE_PS));
    assert_int_equal(host_access(giga + 0x812345, &b, 1, HOST_READ, true, NULL), 0);
    assert_int_equal(b, 77);
    mmu_flush(&space.mmu, giga + 0x5000000, giga + 0x5001000,
              false); /* a page of it: the whole entry goes */
    misses = host_mmu_stats.misses;
    assert_int_equal(host_access(giga + 0x812345, &b, 1, HOST_READ, true, NULL), 0);
    assert_int_equal(host_mmu_stats.misses, misses + 1);
    down();
}

static void accesses_cross_pages(void **state)
{
    up((struct host_config){0});
    char text[] = "across the boundary of a page", back[sizeof(text)];
    map(VA, FRAME, LEAF);
    map(VA + PAGE_SIZE, FRAME + 7, LEAF);
    u64 at = VA + PAGE_SIZE - 10;
    size_t done;
    assert_int_equal(host_access(at, text, sizeof(text), HOST_WRITE, true, NULL), 0);
    assert_int_equal(host_access(at, back, sizeof(back), HOST_READ, true, NULL), 0);
    assert_string_equal(text, back);
    assert_memory_equal(phys_to_virt((FRAME + 7) << PAGE_SHIFT), text + 10, sizeof(text) - 10);
    pte_store(entry(VA + PAGE_SIZE, 1), (pte_t){0});
    mmu_flush(&space.mmu, VA, VA + 2 * PAGE_SIZE, false);
    assert_int_equal(host_access(at, back, sizeof(back), HOST_READ, true, &done), VM_FAULT_ACCERR);
    assert_int_equal(done, 10);
    assert_int_equal(host_access(1UL << 47, back, 1, HOST_READ, true, NULL), VM_FAULT_MAPERR);
    down();
}

/* ---- stale entries ---- */

static void use_after_unmap(void *arg)
{
    bool flush = arg;
    map(VA, FRAME, LEAF);
    access_byte(HOST_WRITE);
    pte_store(entry(VA, 1), (pte_t){0});
    if (flush)
        mmu_flush(&space.mmu, VA, VA + PAGE_SIZE, false);
    access_byte(HOST_READ);
}

static void use_after_protect(void *arg)
{
    map(VA, FRAME, LEAF);
    access_byte(HOST_WRITE);
    pte_store(entry(VA, 1), pte_make(FRAME, PTE_P | PTE_US | PTE_A | PTE_D));
    access_byte(HOST_READ); /* fine: reading is still allowed */
    access_byte(HOST_WRITE);
}

static void use_after_replace(void *arg)
{
    map(VA, FRAME, LEAF);
    access_byte(HOST_READ);
    map(VA, FRAME + 1, LEAF);
    access_byte(HOST_READ);
}

static void use_after_clean(void *arg)
{
    map(VA, FRAME, LEAF);
    access_byte(HOST_WRITE);
    entry(VA, 1)->v &= ~PTE_D;
    access_byte(HOST_WRITE);
}

static void expect_stale(void (*fn)(void *), void *arg, const char *part)
{
    up((struct host_config){.cpus = 2});
    const char *text = host_catch_panic(fn, arg);
    if (!part) {
        assert_null(text);
    } else {
        assert_non_null(text);
        assert_non_null(strstr(text, "stale TLB entry"));
        assert_non_null(strstr(text, part));
    }
    down();
}

static void oracle_sees_stale_use(void **state)
{
    expect_stale(use_after_unmap, NULL, "nothing is mapped");
    expect_stale(use_after_unmap, (void *)1, NULL);
    expect_stale(use_after_protect, NULL, "read-only");
    expect_stale(use_after_replace, NULL, "another frame");
    expect_stale(use_after_clean, NULL, "dirty bit");
}

static void lost_flush(void *arg)
{
    use_after_unmap((void *)1);
}

static void oracle_sees_a_dropped_flush(void **state)
{
    up((struct host_config){.cpus = 2, .drop_flush_nth = 1});
    const char *text = host_catch_panic(lost_flush, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "stale TLB entry"));
    down();
}

/* While a thread is inside the core it may be on its way to the flush; a freed frame is no one's to use all the same. */
static volatile bool inside, leave_now;

static int stay_in_core(void *arg)
{
    host_core_enter();
    inside = true;
    while (!leave_now)
        cpu_relax();
    host_core_exit();
    return 0;
}

static void use_while_another_is_inside(void *arg)
{
    struct host_thread *t = host_thread_start(stay_in_core, NULL, "changer", 1);
    while (!inside)
        cpu_relax();
    use_after_unmap(NULL); /* legal: the flush may be coming */
    assert_true(host_mmu_stats.stale_legal > 0);
    if (arg) {
        memmap[FRAME].refcount = 0;
        access_byte(HOST_READ);
    }
    leave_now = true;
    host_thread_join(t);
}

static void oracle_knows_the_legal_window(void **state)
{
    inside = leave_now = false;
    expect_stale(use_while_another_is_inside, NULL, NULL);
    inside = leave_now = false;
    expect_stale(use_while_another_is_inside, (void *)1, "frame was freed");
}

/* ---- several CPUs ---- */

static int touch_once(void *arg)
{
    host_mm_load(&space);
    u32 r = access_byte(HOST_READ);
    host_current->mm = NULL;
    return (int)r;
}

static void flush_reaches_the_cpus_of_the_mask(void **state)
{
    up((struct host_config){.cpus = 4});
    map(VA, FRAME, LEAF);
    for (u32 c = 1; c < 4; c++)
        assert_int_equal(host_thread_join(host_thread_start(touch_once, NULL, "toucher", c)), 0);
    access_byte(HOST_READ);
    assert_int_equal(cpumask_load(&space.mmu.cpus).bits, 15); /* idle CPUs keep the space loaded */
    u64 before = host_mmu_stats.entries_dropped;
    mmu_flush(&space.mmu, VA, VA + PAGE_SIZE, false);
    assert_int_equal(host_mmu_stats.entries_dropped, before + 4);
    host_mm_unload_all(&space);
    assert_int_equal(cpumask_load(&space.mmu.cpus).bits, 0);
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_set_as_hardware_does),
        cmocka_unit_test(permissions_are_those_of_all_levels),
        cmocka_unit_test(huge_leaves),
        cmocka_unit_test(accesses_cross_pages),
        cmocka_unit_test(oracle_sees_stale_use),
        cmocka_unit_test(oracle_sees_a_dropped_flush),
        cmocka_unit_test(oracle_knows_the_legal_window),
        cmocka_unit_test(flush_reaches_the_cpus_of_the_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
