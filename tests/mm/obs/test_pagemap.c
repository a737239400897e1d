/* SPDX-License-Identifier: MIT */
/* pagemap, clear_refs and PAGEMAP_SCAN, with copied and with shared tables; kpageflags and kpagecount. */
#include "../../common/machine.h"
#include <lib/errno.h>
#include <mm/obs.h>
#include <mm/obs_mm.h>
#include <mm/pagemap_scan.h>
#include <mm/pin.h>

#define SOFT_DIRTY BIT(55)
#define EXCLUSIVE  BIT(56)
#define FILE_PAGE  BIT(61)
#define PRESENT    BIT(63)
#define STATE(w)   ((w) & ~(BIT(55) - 1))

static u64 word(struct mm *mm, u64 addr)
{
    u64 w;
    obs_pagemap(mm, addr, 1, true, &w);
    return w;
}

static void store(u64 addr)
{
    assert_int_equal(host_store_u8(addr, 1), 0);
}

static struct mm *start(u64 share)
{
    machine_up(64, 2, 1);
    sysctl_fork_share = share;
    struct mm *mm = host_mm_new();
    host_mm_switch(mm);
    return mm;
}

static void finish(struct mm *mm)
{
    assert_machine_valid();
    host_mm_exit(mm);
    machine_down();
}

static void bits_of_each_state(void **state)
{
    struct mm *mm = start(0);
    u8 v;
    u64 at = (u64)host_mmap_anon(4 * PAGE_SIZE);
    assert_int_equal(word(mm, at), SOFT_DIRTY);
    assert_int_equal(word(mm, 0x1000), 0);
    store(at);
    assert_int_equal(STATE(word(mm, at)), PRESENT | EXCLUSIVE | SOFT_DIRTY);
    assert_int_equal(word(mm, at) & (BIT(55) - 1), pte_pfn(pte_load(pt_find(mm, at))));
    u64 hidden;
    obs_pagemap(mm, at, 1, false, &hidden);
    assert_int_equal(hidden, PRESENT | EXCLUSIVE | SOFT_DIRTY);
    assert_int_equal(host_load_u8(at + PAGE_SIZE, &v), 0);
    assert_int_equal(word(mm, at + PAGE_SIZE), PRESENT | SOFT_DIRTY | zero_pfn);
    struct host_file *f = host_file_new(PAGE_SIZE, false);
    struct map_file mf = host_map_file(f);
    u64 file = (u64)host_mmap(0, PAGE_SIZE, UAPI_PROT_READ, UAPI_MAP_SHARED, &mf, 0);
    assert_int_equal(host_load_u8(file, &v), 0);
    assert_int_equal(STATE(word(mm, file)), PRESENT | EXCLUSIVE | FILE_PAGE | SOFT_DIRTY);
    host_munmap(file, PAGE_SIZE);
    host_file_put(f);
    finish(mm);
}

/* What one process forgets the other keeps, and both learn of their own writes only. */
static void soft_dirty_is_each_ones_own(u64 share)
{
    struct mm *mm = start(share);
    u64 at = (u64)host_mmap_anon(40 * PAGE_SIZE);
    for (unsigned i = 0; i < 40; i++)
        store(at + i * PAGE_SIZE);
    int err;
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    assert_int_equal(mm_clear_refs(child, 4), 0);
    assert_int_equal(STATE(word(child, at)), PRESENT);
    assert_int_equal(STATE(word(mm, at)), PRESENT | SOFT_DIRTY);
    assert_int_equal(mm_clear_refs(mm, 4), 0);
    assert_int_equal(STATE(word(mm, at)), PRESENT);
    store(at + PAGE_SIZE);
    assert_int_equal(STATE(word(mm, at + PAGE_SIZE)), PRESENT | EXCLUSIVE | SOFT_DIRTY);
    assert_int_equal(STATE(word(child, at + PAGE_SIZE)), PRESENT | EXCLUSIVE);
    host_mm_switch(child);
    store(at + PAGE_SIZE);
    store(at + 2 * PAGE_SIZE);
    assert_int_equal(STATE(word(child, at + PAGE_SIZE)), PRESENT | EXCLUSIVE | SOFT_DIRTY);
    assert_int_equal(STATE(word(mm, at + 2 * PAGE_SIZE)), PRESENT | EXCLUSIVE);
    assert_int_equal(STATE(word(child, at + 3 * PAGE_SIZE)), PRESENT);
    host_mm_switch(mm);
    host_mm_exit(child);
    finish(mm);
}

static void soft_dirty_after_fork(void **state)
{
    soft_dirty_is_each_ones_own(0);
    soft_dirty_is_each_ones_own(1);
}

/* Writes that must not get past a watched entry: mprotect there and back, mremap, shared memory, new areas. */
static void soft_dirty_and_other_calls(void **state)
{
    struct mm *mm = start(1);
    u64 at = (u64)host_mmap_anon(8 * PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++)
        store(at + i * PAGE_SIZE);
    mm_clear_refs(mm, 4);
    host_mprotect(at, 8 * PAGE_SIZE, UAPI_PROT_READ);
    host_mprotect(at, 8 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE);
    assert_int_equal(STATE(word(mm, at)), PRESENT | EXCLUSIVE);
    store(at);
    assert_int_equal(STATE(word(mm, at)), PRESENT | EXCLUSIVE | SOFT_DIRTY);
    assert_int_equal(word(mm, at + 5 * PAGE_SIZE), 0);
    mm_clear_refs(mm, 4);
    u64 to = (u64)host_mremap(at, 8 * PAGE_SIZE, 16 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, at - (1 << 24));
    assert_int_equal(STATE(word(mm, to)), PRESENT | EXCLUSIVE | SOFT_DIRTY);
    host_munmap(to, 16 * PAGE_SIZE);
    struct host_file *f = host_file_new(4 * PAGE_SIZE, true);
    struct map_file mf = host_map_file(f);
    u64 sh = (u64)host_mmap(0, 4 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED, &mf, 0);
    u8 v;
    store(sh);
    mm_clear_refs(mm, 4);
    assert_int_equal(host_load_u8(sh + PAGE_SIZE, &v), 0);
    assert_false(word(mm, sh + PAGE_SIZE) & SOFT_DIRTY);
    store(sh);
    store(sh + PAGE_SIZE);
    assert_true(word(mm, sh) & SOFT_DIRTY && word(mm, sh + PAGE_SIZE) & SOFT_DIRTY);
    host_munmap(sh, 4 * PAGE_SIZE);
    host_file_put(f);
    /* a neighbour that is clean grows */
    at = (u64)host_mmap_anon(2 * PAGE_SIZE);
    mm_clear_refs(mm, 4);
    assert_int_equal(word(mm, at), 0);
    u64 low = (u64)host_mmap_anon(PAGE_SIZE);
    assert_int_equal(low, at - PAGE_SIZE);
    assert_int_equal(mm->map_count, 1);
    assert_int_equal(word(mm, low), SOFT_DIRTY);
    assert_int_equal(word(mm, at), SOFT_DIRTY);
    finish(mm);
}

static u64 referenced(struct mm *mm)
{
    static char text[16384];
    struct seq s;
    seq_init(&s, text, sizeof(text) - 1);
    obs_smaps_rollup(&s, mm);
    text[s.len] = 0;
    return strtoul(strstr(text, "Referenced:") + 11, NULL, 10);
}

static void references(void **state)
{
    struct mm *mm = start(1);
    u64 at = (u64)host_mmap_anon(8 * PAGE_SIZE);
    for (unsigned i = 0; i < 8; i++)
        store(at + i * PAGE_SIZE);
    assert_int_equal(referenced(mm), 32);
    assert_int_equal(mm_clear_refs(mm, 3), 0);
    assert_int_equal(referenced(mm), 32);
    assert_int_equal(mm_clear_refs(mm, 2), 0);
    assert_int_equal(referenced(mm), 0);
    store(at);
    assert_int_equal(referenced(mm), 4);
    assert_int_equal(mm_clear_refs(mm, 1), 0);
    assert_int_equal(referenced(mm), 0);
    assert_int_equal(mm_clear_refs(mm, 0), -EINVAL);
    assert_int_equal(mm_clear_refs(mm, 6), -EINVAL);
    host_munmap(at, 8 * PAGE_SIZE);
    assert_int_equal(mm_clear_refs(mm, 5), 0);
    assert_int_equal(mm->hiwater_rss, 0);
    finish(mm);
}

/* The copy of a shared table may fail: the caller hears of it, nothing is lost. */
static void clearing_may_fail(void **state)
{
    struct mm *mm = start(1);
    u64 at = (u64)host_mmap_anon(40 * PAGE_SIZE);
    for (unsigned i = 0; i < 40; i++)
        store(at + i * PAGE_SIZE);
    int err;
    struct mm *child = host_fork(&err);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_int_equal(mm_clear_refs(mm, 4), -ENOMEM);
    host_fail_none();
    assert_true(word(child, at) & SOFT_DIRTY);
    assert_int_equal(mm_clear_refs(mm, 4), 0);
    assert_true(word(child, at) & SOFT_DIRTY);
    assert_false(word(mm, at) & SOFT_DIRTY);
    host_mm_exit(child);
    finish(mm);
}

/* Who pinned a page writes to it without a fault: it stays dirty, and writable. */
static void pinned_pages_stay_dirty(void **state)
{
    struct mm *mm = start(1);
    struct page *page;
    u64 at = (u64)host_mmap_anon(4 * PAGE_SIZE);
    store(at);
    store(at + PAGE_SIZE);
    assert_int_equal(pin_user_pages(mm, at, 1, FAULT_WRITE, &page), 1);
    assert_int_equal(mm_clear_refs(mm, 4), 0);
    assert_true(word(mm, at) & SOFT_DIRTY);
    assert_false(word(mm, at + PAGE_SIZE) & SOFT_DIRTY);
    unpin_user_pages(&page, 1, true);
    assert_int_equal(mm_clear_refs(mm, 4), 0);
    assert_false(word(mm, at) & SOFT_DIRTY);
    finish(mm);
}

static void scanning(void **state)
{
    struct mm *mm = start(0);
    struct page_region r[4];
    static u64 entries[PAGEMAP_SCAN_BATCH];
    u64 at = (u64)host_mmap_anon(600 * PAGE_SIZE);
    at = ALIGN_UP(at, PAGE_SIZE);
    store(at + 2 * PAGE_SIZE);
    store(at + 3 * PAGE_SIZE);
    store(at + 590 * PAGE_SIZE);
    struct pagemap_scan s = {.buf = r, .room = 4, .entries = entries};
    s.arg = (struct pm_scan_arg){.size = sizeof(s.arg), .start = at, .end = at + 600 * PAGE_SIZE, .max_pages = U64_MAX,
                                 .category_mask = PAGE_IS_PRESENT, .return_mask = PAGE_IS_ALL};
    assert_int_equal(pagemap_scan_check(&s.arg), 0);
    assert_int_equal(pagemap_scan_range(&s, mm, at), 0);
    assert_int_equal(s.used, 2);
    assert_int_equal(s.found, 3);
    assert_int_equal(r[0].start, at + 2 * PAGE_SIZE);
    assert_int_equal(r[0].end, at + 4 * PAGE_SIZE);
    assert_int_equal(r[0].categories, PAGE_IS_PRESENT | PAGE_IS_WRITTEN | PAGE_IS_SOFT_DIRTY);
    s.used = s.found = 0;
    s.room = 1;
    assert_int_equal(pagemap_scan_range(&s, mm, at), -ENOSPC);
    assert_int_equal(s.arg.walk_end, at + 590 * PAGE_SIZE);
    s.used = s.found = 0;
    s.room = 4;
    s.arg.max_pages = 1;
    assert_int_equal(pagemap_scan_range(&s, mm, at), -ENOSPC);
    assert_int_equal(s.arg.walk_end, at + 3 * PAGE_SIZE);
    s.arg.max_pages = U64_MAX;
    s.arg.category_inverted = PAGE_IS_PRESENT;
    s.used = s.found = 0;
    assert_int_equal(pagemap_scan_range(&s, mm, at), 0);
    assert_int_equal(s.used, 3);
    assert_int_equal(s.found, 597);
    s.arg.return_mask = 0x100;
    assert_int_equal(pagemap_scan_check(&s.arg), -EINVAL);
    s.arg.return_mask = 0;
    s.arg.flags = 4;
    assert_int_equal(pagemap_scan_check(&s.arg), -EINVAL);
    finish(mm);
}

static void frames(void **state)
{
    struct mm *mm = start(1);
    u64 at = (u64)host_mmap_anon(20 * PAGE_SIZE);
    for (unsigned i = 0; i < 20; i++)
        store(at + i * PAGE_SIZE);
    pfn_t pfn = word(mm, at) & (BIT(55) - 1);
    assert_int_equal(obs_kpagecount(pfn), 1);
    assert_true((obs_kpageflags(pfn) & (BIT(11) | BIT(12) | BIT(14))) == (BIT(11) | BIT(12) | BIT(14)));
    int err;
    struct mm *child = host_fork(&err);
    assert_int_equal(obs_kpagecount(pfn), 2);
    host_mm_exit(child);
    assert_int_equal(obs_kpageflags(zero_pfn) & BIT(24), BIT(24));
    assert_int_equal(obs_kpageflags(pt_table_at(mm, at) - memmap) & BIT(26), BIT(26));
    assert_int_equal(obs_kpageflags(obs_kpage_end()), BIT(20));
    u64 free = 0;
    for (pfn_t p = 0; p < obs_kpage_end(); p++)
        free += obs_kpageflags(p) == BIT(10);
    assert_int_equal(free, phys_free());
    finish(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_of_each_state), cmocka_unit_test(soft_dirty_after_fork),
        cmocka_unit_test(soft_dirty_and_other_calls), cmocka_unit_test(references),
        cmocka_unit_test(clearing_may_fail), cmocka_unit_test(pinned_pages_stay_dirty), cmocka_unit_test(scanning), cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
