/* SPDX-License-Identifier: MIT */
/*
 * fork: the child's area gets the parent's entries.
 *
 *   area                                 entries
 *   private, with an anon_vma            copied; writable ones become read-only in both (copy-on-write)
 *   private or shared, without one       none: faults find the pages in the cache again
 *   PFNMAP, MIXEDMAP                     copied as they are
 *   swapped out                          the swap entry is copied, its slot counts one more
 *   write-protected by userfaultfd       copied with their protection, if the child's area has a userfaultfd, else without
 *
 * A table whose entries would all be copied is shared instead, if it has enough of them (share.c).
 *
 * An entry costs some 25 instructions: the counters of page and mm are added up, tables are locked in pairs, a table
 * without entries is not even looked at, and the loop ends with the last used entry of the parent's table.
 *
 * Invariants
 *  C1. The child's area was linked behind its parent's in anon_vma and i_mmap before (R2 in mm/rmap.h), and both areas are
 *      write-locked, as all of the parent's are, so entries of the parent's can only vanish meanwhile, and a table that it
 *      shares stays.
 *  C2. No CPU runs in the child yet. The parent's CPUs may hold writable translations until the caller's flush, before
 *      which the child does not run.
 *
 * Locks: the child's pt_lock, then the parent's.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/lru.h>
#include <mm/phys.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <port/log.h>

/* The entries of [addr,end), which one table holds, go from s to d. keep_wp: with PTE_UFFD_WP. rss is counted up. */
static void copy_table(pte_t *d, pte_t *s, u64 addr, u64 end, bool cow, bool keep_wp, s64 *rss)
{
    struct page *dst = pt_table_page(d), *src = pt_table_page(s);
    /* The child has not touched the page yet. */
    u64 mask = cow ? ~(PTE_A | PTE_RW) : ~PTE_A;
    if (!keep_wp)
        mask &= ~PTE_UFFD_WP;
    s32 copied = 0;

    pt_lock(dst);
    spin_lock_nested(&src->pt_lock);
    s32 left = src->mapcount;
    for (; left && addr < end; addr += PAGE_SIZE, s++, d++) {
        pte_t e = pte_load(s);
        if (pte_none(e))
            continue;
        left--;
        if (pte_write(e) && cow)
            __atomic_fetch_and(&s->v, ~PTE_RW, __ATOMIC_RELAXED);
        if (unlikely(!(e.v & (PTE_P | PTE_PROTNONE | PTE_SPECIAL)))) {
            swap_dup(pte_to_swp(e));
            rss[RSS_SWAP]++;
            pt_count(dst, RSS_SWAP, 1);
        } else if (!pte_special(e)) {
            struct page *page = pt_page(e);
            page_get(page);
            /* Mapped already by the parent: no first mapping to count. */
            __atomic_fetch_add(&page->mapcount, 1, __ATOMIC_RELAXED);
            enum rss_kind kind = page_is_anon(page) ? RSS_ANON : page_rss_kind(page);
            rss[kind]++;
            pt_count(dst, kind, 1);
        } else if (e.v == PTE_MARKER_WP && !keep_wp) {
            continue;
        }
        pte_store(d, (pte_t){e.v & mask});
        copied++;
    }
    dst->mapcount += copied;
    spin_unlock(&src->pt_lock);
    pt_unlock(dst);
}

/* The same for an mm that has, or had, pinned pages: the child gets a copy of each at once, and the parent keeps its page and
 * its rights to it. 0 or -ENOMEM. */
static __noinline_fn int copy_apart(struct vma *dst, struct vma *src, pte_t *d, pte_t *s, u64 addr, u64 end, s64 *rss)
{
    struct page *dst_table = pt_table_page(d), *src_table = pt_table_page(s);
    bool keep_wp = dst->flags & VM_UFFD_WP;
    u64 gone = PTE_PFN_MASK | PTE_A | (keep_wp ? 0 : PTE_UFFD_WP);
    for (; addr < end; addr += PAGE_SIZE, s++, d++) {
        pt_lock(src_table);
        pte_t e = pte_load(s);
        struct page *page = !pte_mapped(e) || pte_special(e) ? NULL : pt_page(e);
        bool pinned = page && page_is_anon(page) && page_pinned(page);
        if (page && page_is_anon(page) && !pinned && page_test(page, PG_pinned))
            page_clear(page, PG_pinned); /* N2: from now on it is shared */
        pt_unlock(src_table);
        if (!pinned) {
            copy_table(d, s, addr, addr + PAGE_SIZE, true, keep_wp, rss);
            continue;
        }
        struct page *fresh = alloc_page(GFP_HIGHUSER_MOVABLE);
        if (!fresh)
            return -ENOMEM;
        pt_lock(dst_table);
        spin_lock_nested(&src_table->pt_lock);
        e = pte_load(s);
        bool there = !pte_none(e);
        if (there) {
            mem_copy_page(page_to_virt(fresh), page_to_virt(page));
            rmap_add_new_anon(fresh, dst, addr);
            rss[RSS_ANON]++;
            pt_count(dst_table, RSS_ANON, 1);
            pt_install(d, pte_make(page_to_pfn(fresh), (e.v & ~gone) | PTE_D));
        }
        spin_unlock(&src_table->pt_lock);
        pt_unlock(dst_table);
        if (!there)
            page_put(fresh);
    }
    return 0;
}

int pt_copy_range(struct vma *dst, struct vma *src)
{
    if (!src->anon_vma && !(src->flags & (VM_PFNMAP | VM_MIXEDMAP)) && !(dst->flags & VM_UFFD_WP))
        return 0;
    bool cow = (src->flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
    bool pinned = cow && src->mm->flags & MMF_HAS_PINNED;
    u64 end = vma_end(src);
    s64 rss[NR_RSS] = {0};
    int err = 0;
    pte_t *s;

    for (u64 addr = vma_start(src); (s = pt_next(src->mm, &addr, end));) {
        u64 next = pt_step(addr, end, 2);
        unsigned n = (unsigned)((next - addr) >> PAGE_SHIFT);
        unsigned skip = pt_skip_empty(s, 0, n);
        int shared = skip < n && sysctl_fork_share && !pinned ? pt_share_table(dst, src, addr) : 0;
        if (shared < 0) {
            err = shared;
            break;
        }
        if (shared > 0)
            next = pt_step(addr, end, (unsigned)shared + 1);
        if (skip < n && !shared) {
            addr += (u64)skip << PAGE_SHIFT;
            pte_t *d = pt_alloc(dst->mm, addr);
            if (!d) {
                err = -ENOMEM;
                break;
            }
            if (unlikely(pinned))
                err = copy_apart(dst, src, d, s + skip, addr, next, rss);
            else
                copy_table(d, s + skip, addr, next, cow, dst->flags & VM_UFFD_WP, rss);
            if (err)
                break;
        }
        addr = next;
    }
    for (unsigned k = 0; k < NR_RSS; k++)
        if (rss[k])
            rss_add(dst->mm, k, rss[k]);
    return err;
}
