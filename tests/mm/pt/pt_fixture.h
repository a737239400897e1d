/* SPDX-License-Identifier: MIT */
/* An address space on a hosted machine whose entries the test makes by hand, as the faults would. */
#ifndef TESTS_PT_FIXTURE_H
#define TESTS_PT_FIXTURE_H
#include "../../common/machine.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/rmap.h>
#include <mm/shmem.h>

#define BASE     0x40000000UL /* 2 MiB and 1 GiB aligned */
#define RW_FLAGS (VM_READ | VM_WRITE)

#define assert_null_text(text)                                                                     \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (text_)                                                                                 \
            fail_msg("%s", text_);                                                                 \
    } while (0)

static inline struct mm *scene_start_cfg(const struct host_config *cfg)
{
    machine_up_config(cfg);
    struct mm *mm = mm_alloc();
    assert_non_null(mm);
    return mm;
}
static inline struct mm *scene_start(void)
{
    struct host_config cfg = {.seed = 1};
    return scene_start_cfg(&cfg);
}
static inline void scene_check(struct mm *mm)
{
    assert_null_text(pt_validate(mm));
    assert_null_text(pt_validate_sharing());
    assert_null_text(rmap_validate_all());
    assert_null_text(lru_validate());
}
/* The end of mm and of the machine: nothing of any address space may be left. */
static inline void scene_end(struct mm *mm)
{
    scene_check(mm);
    host_mm_load(NULL);
    host_mm_unload_all(mm);
    mm_put(mm);
    machine_settle();
    assert_null_text(rmap_validate_all());
    assert_int_equal(stat_sum(NR_PAGETABLE), 0);
    assert_int_equal(stat_sum(NR_ANON_MAPPED), 0);
    assert_int_equal(stat_sum(NR_FILE_MAPPED), 0);
    assert_int_equal(stat_sum(NR_INACTIVE_ANON) + stat_sum(NR_ACTIVE_ANON), 0);
    machine_down();
}

static inline struct vma *scene_map_file(struct mm *mm, u64 addr, u64 pages, u64 flags,
                                         struct address_space *m, u64 pgoff)
{
    struct vma_request req = {.addr = addr,
                              .len = pages << PAGE_SHIFT,
                              .flags = flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_NORESERVE,
                              .pgoff = pgoff,
                              .mapping = m,
                              .fixed = true};
    mmap_write_lock(mm);
    s64 at = vma_map(mm, &req);
    mmap_write_unlock(mm);
    assert_int_equal(at, addr);
    return vma_find(mm, addr);
}
static inline struct vma *scene_map(struct mm *mm, u64 addr, u64 pages, u64 flags)
{
    return scene_map_file(mm, addr, pages, flags, NULL, addr >> PAGE_SHIFT);
}

static inline void scene_install(struct vma *vma, u64 addr, pte_t e)
{
    pte_t *p = pt_alloc(vma->mm, addr);
    assert_non_null(p);
    pt_lock(pt_table_page(p));
    assert_true(pte_none(pte_load(p)));
    pt_install(p, e);
    if (!pte_special(e))
        pt_count(pt_table_page(p), page_rss_kind(pfn_to_page(pte_pfn(e))), 1);
    pt_unlock(pt_table_page(p));
}
/* What an anonymous write fault does (a read fault of an area that may not be written, too). */
static inline struct page *scene_touch(struct vma *vma, u64 addr)
{
    struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE | GFP_ZERO);
    assert_non_null(page);
    assert_int_equal(anon_vma_prepare(vma), 0);
    rmap_add_new_anon(page, vma, addr);
    u64 bits = vma->flags & VM_WRITE ? PTE_RW | PTE_D : 0;
    scene_install(vma, addr, pte_make(page_to_pfn(page), vma->prot | bits));
    rss_add(vma->mm, RSS_ANON, 1);
    return page;
}
static inline void scene_touch_all(struct vma *vma)
{
    for (u64 a = vma_start(vma); a < vma_end(vma); a += PAGE_SIZE)
        scene_touch(vma, a);
}
static inline void scene_zero_page(struct vma *vma, u64 addr)
{
    scene_install(vma, addr, pte_make(zero_pfn, vma->prot | PTE_SPECIAL));
}
/* A page of the cache, mapped as a fault would; write: with PTE_RW and D. */
static inline struct page *scene_map_cached(struct vma *vma, u64 addr, bool write)
{
    bool major = false;
    struct page *page = cache_get(vma->mapping, vma_index(vma, addr), &major);
    assert_false(IS_ERR(page));
    rmap_add(page);
    scene_install(vma, addr, pte_make(page_to_pfn(page), vma->prot | (write ? PTE_RW | PTE_D : 0)));
    rss_add(vma->mm, page_rss_kind(page), 1);
    return page;
}
static inline pte_t scene_entry(struct mm *mm, u64 addr)
{
    pte_t *p = pt_find(mm, addr);
    return p ? pte_load(p) : (pte_t){0};
}
static inline void scene_zap(struct vma *vma, u64 start, u64 end)
{
    struct gather g;
    gather_begin(&g, vma->mm, false);
    pt_zap_range(&g, vma, start, end);
    gather_end(&g);
}
static inline void scene_unmap(struct mm *mm, u64 addr, u64 pages)
{
    mmap_write_lock(mm);
    assert_int_equal(vma_unmap(mm, addr, pages << PAGE_SHIFT), 0);
    mmap_write_unlock(mm);
}
#endif
