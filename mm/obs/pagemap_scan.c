/* SPDX-License-Identifier: MIT */
/*
 * PAGEMAP_SCAN: which pages of a range are of the wanted categories, as ranges of equal categories.
 *
 *   page's categories ^ category_inverted   must have all of category_mask, and one of category_anyof_mask if that has any
 *   reported                                categories & return_mask; neighbours that agree become one range
 *
 * What has no entry counts as written to: nothing protects it. Areas of device memory are passed over, and areas whose
 * writes cannot be tracked when tracking is asked for: it takes userfaultfd's asynchronous write-protection. With
 * PM_SCAN_WP_MATCHING what matched and was written to is protected anew, after it was reported and before the caller reads it.
 *
 * Locks: mmap_lock for reading. The entries of 2 MiB are read first and judged then: a page that is written to in between is
 * found by the next scan.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/obs_mm.h>
#include <mm/pagemap_scan.h>
#include <mm/pt.h>
#include <mm/uffd.h>
#include <mm/vma.h>

int pagemap_scan_check(struct pm_scan_arg *a)
{
    u64 categories = a->category_inverted | a->category_mask | a->category_anyof_mask | a->return_mask;
    if (a->size != sizeof(*a) || a->flags & ~(u64)(PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC) ||
        categories & ~(u64)PAGE_IS_ALL || !IS_ALIGNED(a->start, PAGE_SIZE))
        return -EINVAL;
    return 0;
}

static bool is_wanted(const struct pagemap_scan *s, u64 categories)
{
    categories ^= s->arg.category_inverted;
    return (categories & s->arg.category_mask) == s->arg.category_mask &&
           (!s->arg.category_anyof_mask || categories & s->arg.category_anyof_mask);
}

/* Into the last region, or a new one. False: there is no room. */
static bool append(struct pagemap_scan *s, u64 start, u64 end, u64 categories)
{
    struct page_region *last = s->used ? &s->buf[s->used - 1] : NULL;
    if (last && last->end == start && last->categories == categories) {
        last->end = end;
        return true;
    }
    if (s->used == s->room)
        return false;
    s->buf[s->used++] = (struct page_region){start, end, categories};
    return true;
}

/* [start,*end) matches: as much of it as max_pages and room allow, up to the *end on return. 0 or -ENOSPC. */
static int put_range(struct pagemap_scan *s, u64 start, u64 *end, u64 categories)
{
    u64 left = s->arg.max_pages - s->found, pages = (*end - start) >> PAGE_SHIFT;
    int err = 0;
    if (!s->buf)
        return 0;
    if (pages > left) {
        pages = left;
        err = -ENOSPC;
    }
    if ((pages || !err) && !append(s, start, start + (pages << PAGE_SHIFT), categories & s->arg.return_mask)) {
        pages = 0;
        err = -ENOSPC;
    }
    s->found += pages;
    *end = start + (pages << PAGE_SHIFT);
    if (err)
        s->arg.walk_end = *end;
    return err;
}

/* [start,end) was taken: it is write-protected if it was written to and that is asked for. */
static int take_range(struct pagemap_scan *s, struct vma *vma, u64 start, u64 end, u64 categories)
{
    if (start == end || !(s->arg.flags & PM_SCAN_WP_MATCHING) || !(categories & PAGE_IS_WRITTEN))
        return 0;
    return pt_wp_protect(vma, start, end, true);
}

/* Pages of equal categories: counted, reported and protected if they match. */
static int scan_run(struct pagemap_scan *s, struct vma *vma, u64 start, u64 end, u64 categories)
{
    if (!is_wanted(s, categories))
        return 0;
    int err = put_range(s, start, &end, categories), failed = take_range(s, vma, start, end, categories);
    return failed ? failed : err;
}

static u64 page_categories(const struct vma *vma, pte_t e)
{
    u64 c = e.v & PTE_UFFD_WP ? 0 : PAGE_IS_WRITTEN;
    if (pte_none(e))
        return c;
    if (e.v & PTE_SOFT_DIRTY)
        c |= PAGE_IS_SOFT_DIRTY;
    if (!pte_mapped(e))
        return c | PAGE_IS_SWAPPED;
    c |= PAGE_IS_PRESENT;
    if (pte_pfn(e) == zero_pfn)
        c |= PAGE_IS_PFNZERO;
    else if (!pte_special(e) && !(vma->flags & VM_PFNMAP) && !page_is_anon(pfn_to_page(pte_pfn(e))))
        c |= PAGE_IS_FILE;
    return c;
}

struct block {
    u64 start, *entries;
};

static int note_entry(void *ctx, u64 addr, unsigned level, pte_t e)
{
    struct block *b = ctx;
    b->entries[(addr - b->start) >> PAGE_SHIFT] = e.v;
    return 0;
}

/* The pages of one table. */
static int scan_table(struct pagemap_scan *s, struct vma *vma, u64 start, u64 end)
{
    struct block b = {start, s->entries};
    u64 run = start, run_categories = 0;
    memset(s->entries, 0, ((end - start) >> PAGE_SHIFT) * sizeof(u64));
    pt_for_each(vma->mm, start, end, note_entry, &b);
    run_categories = s->category | page_categories(vma, (pte_t){s->entries[0]});
    for (u64 addr = start + PAGE_SIZE; addr < end; addr += PAGE_SIZE) {
        pte_t e = {s->entries[(addr - start) >> PAGE_SHIFT]};
        u64 c = s->category | page_categories(vma, e);
        if (c != run_categories) {
            int err = scan_run(s, vma, run, addr, run_categories);
            if (err)
                return err;
            run = addr;
            run_categories = c;
        }
    }
    return scan_run(s, vma, run, end, run_categories);
}

/* 1: the area is passed over. */
static int judge_area(struct pagemap_scan *s, const struct vma *vma)
{
    bool allowed = vma->flags & VM_UFFD_WP && uffd_has(vma->uffd, UAPI_UFFD_FEATURE_WP_ASYNC) && uffd_wp_uses_markers(vma);
    if (!allowed && s->arg.flags & PM_SCAN_CHECK_WPASYNC)
        return -EPERM;
    if ((!allowed && s->arg.flags & PM_SCAN_WP_MATCHING) || vma->flags & VM_PFNMAP)
        return 1;
    s->category = (vma->flags & VM_SOFTDIRTY ? PAGE_IS_SOFT_DIRTY : 0) | (allowed ? PAGE_IS_WPALLOWED : 0);
    u64 required = s->arg.category_mask & PAGE_IS_WPALLOWED;
    return ((s->category ^ s->arg.category_inverted) & required) == required ? 0 : 1;
}

static int scan_area(struct pagemap_scan *s, struct vma *vma, u64 start, u64 end)
{
    for (u64 addr = start, next; addr < end; addr = next) {
        next = min((addr | (PMD_SIZE - 1)) + 1, end);
        int err = 0;
        if (pt_table_at(vma->mm, addr))
            err = scan_table(s, vma, addr, next);
        else
            err = scan_run(s, vma, addr, next, s->category | PAGE_IS_WRITTEN);
        if (err)
            return err;
    }
    return 0;
}

int pagemap_scan_range(struct pagemap_scan *s, struct mm *mm, u64 start)
{
    u64 end = min(s->arg.end, mm->task_size);
    int err = 0;
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, start); v && vma_start(v) < end && !err; v = vma_next(v)) {
        err = judge_area(s, v);
        if (!err)
            err = scan_area(s, v, max(start, vma_start(v)), min(end, vma_end(v)));
        if (err > 0)
            err = 0;
    }
    mmap_read_unlock(mm);
    return err;
}
