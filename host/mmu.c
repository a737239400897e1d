/* SPDX-License-Identifier: MIT */
/*
 * Accesses of simulated programs:
 *
 *   access ─ TLB ── hit ── oracle ── bytes of the arena
 *             └─ miss ── walk of the tables (A, D) ── fill ── again
 *                          └─ no ── mm_fault() ── again, or VM_FAULT_* to the caller
 *
 * The walk checks P, RW, US and XD at every level, as long mode with NXE and WP does (SDM vol. 3, 4.6). A write through an
 * entry that has no D yet walks again to set it.
 */
#include <host/explore.h>
#include <host/mmu.h>
#include <host/poison.h>
#include <host/sched_internal.h>
#include <mm/fault.h>
#include <mm/page.h>
#include <port/log.h>
#include <string.h>

u32 (*host_fault_handler)(struct mm *mm, u64 addr, u32 flags);

struct host_walk host_walk(phys_t root, u64 va, enum host_access_kind kind, bool set_bits)
{
    struct host_walk w;
again:
    w = (struct host_walk){.write = true, .exec = true};
    bool user = true;
    phys_t table = root;
    for (unsigned level = pt_levels();; level--) {
        pte_t *p = (pte_t *)phys_to_virt(table) + pt_index(va, level);
        pte_t e = pte_load(p);
        host_explore_note(p, set_bits);
        host_poison_check(p);
        bool leaf = level == 1 || (level <= 3 && pte_huge(e));
        if (!pte_present(e))
            return w;
        w.write &= pte_write(e);
        w.exec &= !(e.v & PTE_XD);
        user &= !!(e.v & PTE_US);
        u64 set = PTE_A;
        if (leaf) {
            w.error = PF_PRESENT;
            if (!user || (kind == HOST_WRITE && !w.write) || (kind == HOST_EXEC && !w.exec))
                return w;
            if (kind == HOST_WRITE)
                set |= PTE_D;
        }
        if (set_bits && (e.v & set) != set) {
            pte_t was = e;
            if (!pte_cmpxchg(p, &was, (pte_t){e.v | set}))
                goto again;
            e.v |= set;
        }
        if (leaf) {
            w.ok = true;
            w.level = (u8)level;
            w.key = (u8)(e.v >> PTE_PKEY_SHIFT & 15);
            w.pfn = pte_pfn(e) & ~((pt_span(level) >> PAGE_SHIFT) - 1);
            w.dirty = pte_dirty(e);
            return w;
        }
        table = pte_pfn(e) << PAGE_SHIFT;
    }
}

/* ---- the oracle ---- */

/* The frame was freed since the entry was filled. A page that truncation took out of its file has no owner, but lives. */
static bool frame_changed(const struct tlb_entry *e, u64 va)
{
    if (!e->counted)
        return false;
    const struct page *page = pfn_to_page(e->pfn + ((va - e->va) >> PAGE_SHIFT));
    u64 owner = READ_ONCE(page->owner);
    return page_refs(page) <= 0 ||
           (owner && (owner != e->owner || READ_ONCE(page->index) != e->index));
}

/* Another thread may be between changing an entry and flushing it. */
static bool others_in_core(void)
{
    struct host_thread *t;
    list_for_each_entry (t, &host_threads, all)
        if (t != host_current && t->state != HT_DONE && (t->core_depth || t->nosleep))
            return true;
    return false;
}

static void check_stale(const struct tlb_entry *e, u64 va, enum host_access_kind kind)
{
    struct host_tlb *t = &host_tlbs[cpu_id()];
    struct host_walk w = host_walk(t->mm->mmu.root, va, HOST_READ, false);
    const char *why = NULL;
    if (!w.ok)
        why = "nothing is mapped there";
    else if (w.pfn + ((va & (pt_span(w.level) - 1)) >> PAGE_SHIFT) !=
             e->pfn + ((va - e->va) >> PAGE_SHIFT))
        why = "another frame is mapped there";
    else if (w.key != e->key)
        why = "it has another protection key";
    else if (kind == HOST_WRITE && !w.write)
        why = "it is read-only";
    else if (kind == HOST_WRITE && !w.dirty)
        why = "its dirty bit was taken";
    else if (kind == HOST_EXEC && !w.exec)
        why = "it is not executable";
    if (!why)
        return;
    if (host_machine.cfg.threads)
        return; /* the tables move under our feet: only fibers can judge */
    if (!frame_changed(e, va) && others_in_core()) {
        host_mmu_stats.stale_legal++;
        return;
    }
    panic("stale TLB entry used: cpu %u, address %#lx, frame %#lx: %s%s. A flush was forgotten",
          cpu_id(), va, e->pfn + ((va - e->va) >> PAGE_SHIFT), why,
          frame_changed(e, va) ? ", and the frame was freed" : "");
}

/* ---- accesses ---- */

/* Not seen by ThreadSanitizer: programs may race as they like. */
static void raw_copy(void *dst, const void *src, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* PKRU counts at every access, whatever the TLB holds. */
static bool key_denies(unsigned key, enum host_access_kind kind)
{
    u32 rights = host_current->pkru >> 2 * key;
    return host_pt_pkeys && kind != HOST_EXEC && rights & (kind == HOST_WRITE ? PKRU_AD | PKRU_WD : PKRU_AD);
}

u32 mmu_pkru(void)
{
    return host_pt_pkeys ? host_current->pkru : 0;
}

void mmu_set_pkru(u32 v)
{
    host_current->pkru = v;
}

static bool entry_allows(const struct tlb_entry *e, enum host_access_kind kind)
{
    return !key_denies(e->key, kind) && (kind == HOST_READ || (kind == HOST_WRITE ? e->write && e->dirty : e->exec));
}

static void fill(struct host_tlb *t, u64 va, const struct host_walk *w)
{
    struct tlb_entry e = {.va = va & ~(pt_span(w->level) - 1), .pfn = w->pfn, .level = w->level};
    e.key = w->key;
    e.write = w->write;
    e.exec = w->exec;
    e.dirty = w->dirty;
    const struct page *page = pfn_to_page(w->pfn);
    if (w->level == 1 && w->pfn < host_machine.max_pfn && page_refs(page) > 0) {
        e.counted = true;
        e.owner = READ_ONCE(page->owner);
        e.index = READ_ONCE(page->index);
    }
    tlb_fill(t, &e);
}

static void bump(u64 *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* The byte of the arena for va, with the CPU's TLB locked; or NULL and *error, unlocked. */
static u8 *translate(u64 va, enum host_access_kind kind, u32 *error)
{
    struct host_tlb *t = &host_tlbs[cpu_id()];
    host_explore_note(t, true);
    tlb_lock(t);
    struct tlb_entry *e = tlb_find(t, va);
    if (e && entry_allows(e, kind)) {
        bump(&host_mmu_stats.hits);
        check_stale(e, va, kind);
    } else {
        bump(&host_mmu_stats.misses);
        struct host_walk w = host_walk(t->mm->mmu.root, va, kind, true);
        if (w.ok && key_denies(w.key, kind)) {
            w.ok = false;
            w.error = PF_PRESENT | PF_PKEY;
        }
        if (!w.ok) {
            *error =
                w.error | (kind == HOST_WRITE ? PF_WRITE : 0) | (kind == HOST_EXEC ? PF_EXEC : 0);
            tlb_unlock(t);
            return NULL;
        }
        fill(t, va, &w);
        e = tlb_find(t, va);
    }
    u64 off = va - e->va;
    return host_frame(e->pfn + (off >> PAGE_SHIFT)) + (off & ~PAGE_MASK);
}

/* Resolves the fault; 0 or VM_FAULT_*. */
static u32 fault(u64 va, u32 error, bool user)
{
    u32 flags = (error & PF_WRITE ? FAULT_WRITE : 0) | (error & PF_EXEC ? FAULT_EXEC : 0) |
                (error & PF_PRESENT ? FAULT_PRESENT : 0) | (error & PF_PKEY ? FAULT_PKEY : 0) | (user ? FAULT_USER : 0);
    bump(&host_mmu_stats.faults);
    /* The failed walk's entry, if any, is gone from the TLB, as on a real CPU. */
    mmu_flush_page_local(va);
    host_core_enter();
    u32 r = host_fault_handler(host_current->mm, va, flags);
    host_core_exit();
    return r & VM_FAULT_ERROR;
}

/* Not a legal user address: what the CPU reports as a fault at once. */
static bool beyond_user(u64 va)
{
    return va >= host_current->mm->task_size;
}

static u8 *reach(u64 va, enum host_access_kind kind, bool user, u32 *result)
{
    for (;;) {
        u32 error = 0;
        if (user)
            host_user_point();
        if (beyond_user(va)) {
            *result = VM_FAULT_MAPERR;
            return NULL;
        }
        u8 *p = translate(va, kind, &error);
        if (p)
            return p;
        *result = fault(va, error, user);
        if (*result)
            return NULL;
    }
}

u32 host_access(u64 va, void *buf, size_t n, enum host_access_kind kind, bool user, size_t *done)
{
    u8 *b = buf;
    size_t left = n;
    u32 result = 0;
    if (!host_current->mm)
        panic("an access to user memory without an address space");
    while (left) {
        size_t step = min(left, (size_t)(PAGE_SIZE - (va & (PAGE_SIZE - 1))));
        u8 *p = reach(va, kind, user, &result);
        if (!p)
            break;
        if (kind == HOST_WRITE)
            raw_copy(p, b, step);
        else
            raw_copy(b, p, step);
        tlb_unlock(&host_tlbs[cpu_id()]);
        va += step;
        b += step;
        left -= step;
    }
    if (done)
        *done = n - left;
    return result;
}

u32 host_access_cmpxchg(u64 va, u32 *old, u32 new_value, bool user)
{
    u32 result = 0;
    u8 *p = reach(va, HOST_WRITE, user, &result);
    if (!p)
        return result;
    __atomic_compare_exchange_n((u32 *)p, old, new_value, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    tlb_unlock(&host_tlbs[cpu_id()]);
    return 0;
}

void host_core_enter(void)
{
    host_current->core_depth++;
}

void host_core_exit(void)
{
    host_current->core_depth--;
}
