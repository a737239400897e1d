/* SPDX-License-Identifier: MIT */
/*
 * mremap: entries wander from one address to another.
 *
 *   both addresses at the same place of their 2 MiB, no other area in either, nothing else in the table, no table at the
 *   target:  the level-2 entry moves, and the table with it. Else the entries of what both tables have in common move one by one.
 *
 * Invariants
 *  M1. A walker that came from a page (rmap) finds each mapping at one of the two addresses: rmap_lock_vma() keeps walkers
 *      away during each step. It must: a walker that stood in a moved table would flush the wrong address.
 *  M2. Before walkers come back, no CPU holds a translation of the old address.
 *  M3. Counts of used entries move along; mapcounts and rss stay.
 *  M4. Only the areas that are moved from and to, both write-locked, may walk a table that moves as a whole.
 *
 * userfaultfd moves single anonymous pages between areas (pt_move_page): there the page gets the owner and index of its new
 * address, which is possible while the entry is its only user.
 *
 * Locks: both areas write-locked (pt_move_page: mmap_lock for reading); per step rmap_lock_vma(), then the pt_locks of both tables in the order of their pages.
 */
#include "pt_internal.h"
#include <lib/errno.h>
#include <mm/rmap.h>
#include <port/log.h>

static void lock_pair(struct page *a, struct page *b)
{
    if (a == b) {
        pt_lock(a);
        return;
    }
    pt_lock(a < b ? a : b);
    spin_lock_nested(a < b ? &b->pt_lock : &a->pt_lock);
}

static void unlock_pair(struct page *a, struct page *b)
{
    if (a != b)
        spin_unlock(&b->pt_lock);
    spin_unlock(&a->pt_lock);
}

/* Has v the 2 MiB of addr for itself? */
static bool alone(struct vma *v, u64 addr)
{
    u64 base = ALIGN_DOWN(addr, PMD_SIZE);
    const struct vma *prev = vma_prev(v), *next = vma_next(v);
    return (!prev || vma_end(prev) <= base) && (!next || vma_start(next) >= base + PMD_SIZE);
}

/* Less than 2 MiB moves as a table only if nobody looks for soft-dirty entries, which Linux would leave there. */
static bool may_move_whole(struct vma *from, u64 old_addr, struct vma *to, u64 new_addr)
{
    return to->flags & VM_SOFTDIRTY && alone(from, old_addr) && alone(to, new_addr);
}

/* Are all entries of the table among the n from index i on? */
static bool holds_only(const pte_t *table, unsigned i, unsigned n)
{
    return pt_skip_empty(table, 0, i) == i && pt_skip_empty(table, i + n, PT_ENTRIES) == PT_ENTRIES;
}

/* Moves the whole table below entry s, if it holds but the len bytes from old_addr on, to the empty entry d, both of level 2.
 * False: it can't be done so. */
static bool move_table(struct vma *vma, pte_t *s, u64 old_addr, u64 len, pte_t *d)
{
    struct page *src = pt_table_page(s), *dst = pt_table_page(d);
    bool done = false;

    rmap_lock_vma(vma);
    lock_pair(src, dst);
    pte_t e = pte_load(s);
    if (pt_is_own(e) && pte_none(pte_load(d)) &&
        holds_only(pt_below(e), pt_index(old_addr, 1), (unsigned)(len >> PAGE_SHIFT))) {
        pt_mark_seen(src, virt_to_page(pt_below(e)));
        pt_take(s);
        pt_install_table(d, e);
        done = true;
    }
    unlock_pair(src, dst);
    if (done)
        tlb_flush_tables(vma->mm, old_addr, old_addr + len);
    rmap_unlock_vma(vma);
    return done;
}

/* Moves n entries from s on, which lie in one table, to d, likewise. */
static void move_entries(struct vma *vma, pte_t *s, u64 old_addr, pte_t *d, unsigned n)
{
    struct page *src = pt_table_page(s), *dst = pt_table_page(d);
    unsigned first = n, last = 0;
    s32 moved = 0;

    rmap_lock_vma(vma);
    lock_pair(src, dst);
    s32 left = src->mapcount;
    for (unsigned i = 0; left && i < n; i++) {
        if (pte_none(pte_load(s + i)))
            continue;
        ASSERT(pte_none(pte_load(d + i)));
        pte_t e = pte_exchange(s + i, (pte_t){0});
        if (pte_mapped(e) || pte_swap(e))
            e.v |= PTE_SOFT_DIRTY; /* whoever tracks writes finds contents here that he has not seen */
        pte_store(d + i, e);
        if (src != dst && !pte_special(e)) {
            enum rss_kind kind = pt_kind(e);
            pt_count(src, kind, -1);
            pt_count(dst, kind, 1);
        }
        if (!moved++)
            first = i;
        last = i + 1;
        left--;
    }
    src->mapcount -= moved;
    dst->mapcount += moved;
    unlock_pair(src, dst);
    if (moved)
        tlb_flush_range(vma->mm, old_addr + ((u64)first << PAGE_SHIFT),
                        old_addr + ((u64)last << PAGE_SHIFT));
    rmap_unlock_vma(vma);
}

/* One step at most to the next 2 MiB boundary of either address. Bytes done, 0 when out of memory. */
static u64 move_step(struct vma *vma, u64 old_addr, struct vma *new_vma, u64 new_addr, u64 len)
{
    struct mm *mm = vma->mm;
    u64 room = PMD_SIZE - max(old_addr & ~PMD_MASK, new_addr & ~PMD_MASK);
    u64 step = min(len, room);

    if (unlikely(mm->shares_tables)) {
        if (pt_own_range(mm, old_addr, old_addr + step))
            return 0;
        if (pt_state(mm, old_addr) != PT_OWN)
            return step; /* still shared: it holds nothing of ours */
    }
    if (!((old_addr ^ new_addr) & ~PMD_MASK) && (step == PMD_SIZE || may_move_whole(vma, old_addr, new_vma, new_addr))) {
        pte_t *d2 = pt_alloc_level(mm, new_addr, 2);
        if (!d2)
            return 0;
        if (move_table(vma, pt_find_level(mm, old_addr, 2), old_addr, step, d2))
            return step;
    }
    pte_t *d = pt_alloc(mm, new_addr);
    if (!d)
        return 0;
    move_entries(vma, pt_find(mm, old_addr), old_addr, d, (unsigned)(step >> PAGE_SHIFT));
    return step;
}

u64 pt_move_range(struct vma *old_vma, u64 old_addr, struct vma *new_vma, u64 new_addr, u64 len)
{
    struct mm *mm = old_vma->mm;
    u64 delta = new_addr - old_addr, end = old_addr + len, addr = old_addr;

    ASSERT(new_vma->mm == mm);
    /* The page's way to its entries leads through the anon_vma and mapping of both. */
    ASSERT(new_vma->anon_vma == old_vma->anon_vma && new_vma->mapping == old_vma->mapping);
    while (pt_next(mm, &addr, end)) { /* where the tables are, not yet what they hold */
        u64 done = move_step(old_vma, addr, new_vma, addr + delta, end - addr);
        if (!done)
            return addr - old_addr;
        addr += done;
    }
    return len;
}

/* Both tables locked, *from maps a page or the zero page. */
static int move_one(struct vma *dst, pte_t *to, u64 to_addr, struct vma *src, pte_t *from, u64 from_addr)
{
    pte_t e = pte_load(from);
    u64 bits = dst->prot & ~PTE_RW;
    struct page *page = pt_page(e);
    bool zero = pte_special(e);
    if (!zero && page_is_anon(page) && page_test(page, PG_swapcache))
        swap_try_leave(page);
    if (!zero && (!page_is_anon(page) || page_refs(page) != 1))
        return -EBUSY;
    e = pt_take(from);
    tlb_flush_page(src->mm, from_addr);
    if (!zero && page_refs(page) != 1) { /* somebody got hold of it before the entry went */
        pt_install(from, e);
        return -EBUSY;
    }
    if (zero) {
        bits |= PTE_SPECIAL;
    } else {
        rmap_move_anon(page, dst, to_addr);
        pt_count(pt_table_page(from), RSS_ANON, -1);
        pt_count(pt_table_page(to), RSS_ANON, 1);
        bits |= PTE_D | PTE_SOFT_DIRTY | PTE_RW; /* as after mremap; the area is writable */
    }
    pt_install(to, pte_make(pte_pfn(e), bits));
    return 0;
}

int pt_move_page(struct vma *dst, u64 to_addr, struct vma *src, u64 from_addr, bool holes)
{
    struct mm *mm = dst->mm;
    if (!pt_find(mm, from_addr) && !holes)
        return -ENOENT;
    pte_t *from = pt_alloc(mm, from_addr), *to = from ? pt_alloc(mm, to_addr) : NULL;
    if (!to)
        return -ENOMEM;
    int err;
    lock_pair(pt_table_page(from), pt_table_page(to));
    pte_t e = pte_load(from);
    if (!pte_none(pte_load(to)))
        err = -EEXIST;
    else if (pte_none(e))
        err = holes ? 0 : -ENOENT;
    else if (pte_marker(e))
        err = -EFAULT;
    else if (pte_swap(e))
        err = -EAGAIN;
    else
        err = move_one(dst, to, to_addr, src, from, from_addr);
    unlock_pair(pt_table_page(from), pt_table_page(to));
    return err;
}
