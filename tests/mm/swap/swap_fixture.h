/* SPDX-License-Identifier: MIT */
/* Swapping out by hand, as reclaim does it, and looking at what became of it. */
#ifndef TESTS_SWAP_FIXTURE_H
#define TESTS_SWAP_FIXTURE_H
#include "../pt/pt_fixture.h"
#include <host/swap.h>
#include <mm/swap.h>
#include <mm/sys.h>
#include <mm/validate.h>
#include <uapi/mman.h>

static struct host_swap disk;

static inline struct mm *swap_start_with(const struct host_swap_config *cfg)
{
    struct mm *mm = scene_start();
    assert_int_equal(host_swap_on(&disk, cfg), 0);
    return mm;
}
static inline struct mm *swap_start(u64 pages)
{
    return swap_start_with(&(struct host_swap_config){.pages = pages, .prio = -1});
}
static inline void swap_check(void)
{
    assert_null_text(mm_validate_all());
}
static inline void swap_end(struct mm *mm)
{
    swap_check();
    host_mm_load(NULL);
    host_mm_unload_all(mm);
    mm_put(mm);
    machine_settle();
    swap_check();
    assert_int_equal(host_swap_off(&disk), 0);
    machine_settle();
    machine_down();
}

static inline struct page *page_at(struct mm *mm, u64 addr)
{
    pte_t e = scene_entry(mm, addr);
    return pte_mapped(e) && !pte_special(e) ? pfn_to_page(pte_pfn(e)) : NULL;
}
static inline bool is_swapped(struct mm *mm, u64 addr)
{
    return pte_swap(scene_entry(mm, addr));
}
/* Up to swap_write; the page stays referenced. */
static inline int swap_out_page(struct page *page, struct swap_plug *plug)
{
    page_get(page);
    page_lock(page);
    int err = page_test(page, PG_swapcache) ? 0 : swap_add(page);
    if (!err) {
        rmap_unmap(page);
        err = swap_write(page, plug);
    }
    page_unlock(page);
    return err;
}
/* The rest, when it is clean. True: the page is free. */
static inline bool swap_release_page(struct page *page)
{
    page_lock(page);
    bool gone = page_test(page, PG_swapcache) && swap_remove(page, 0);
    page_unlock(page);
    page_put(page);
    return gone;
}
static inline bool swap_out(struct mm *mm, u64 addr)
{
    struct page *page = page_at(mm, addr);
    assert_non_null(page);
    if (swap_out_page(page, NULL)) {
        page_put(page);
        return false;
    }
    return swap_release_page(page);
}
static inline void swap_out_range(struct mm *mm, u64 addr, u64 pages)
{
    for (u64 i = 0; i < pages; i++)
        assert_true(swap_out(mm, addr + (i << PAGE_SHIFT)));
}

static inline void put_value(struct mm *mm, u64 addr, u64 value)
{
    u32 tries = 0;
    host_mm_load(mm);
    while (host_access(addr, &value, 8, HOST_WRITE, false, NULL)) {
        assert_int_equal(mm_fault(mm, addr, FAULT_WRITE | FAULT_USER) & VM_FAULT_ERROR, 0);
        assert_true(++tries < 5);
    }
    host_mm_load(NULL);
}
static inline u64 get_value(struct mm *mm, u64 addr)
{
    u64 value = 0;
    u32 tries = 0;
    host_mm_load(mm);
    while (host_access(addr, &value, 8, HOST_READ, false, NULL)) {
        assert_int_equal(mm_fault(mm, addr, FAULT_USER) & VM_FAULT_ERROR, 0);
        assert_true(++tries < 5);
    }
    host_mm_load(NULL);
    return value;
}
static inline void put_values(struct mm *mm, u64 addr, u64 pages, u64 first)
{
    for (u64 i = 0; i < pages; i++)
        put_value(mm, addr + (i << PAGE_SHIFT), first + i);
}
static inline void assert_values(struct mm *mm, u64 addr, u64 pages, u64 first)
{
    for (u64 i = 0; i < pages; i++)
        assert_int_equal(get_value(mm, addr + (i << PAGE_SHIFT)), first + i);
}
#endif
