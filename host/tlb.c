/* SPDX-License-Identifier: MIT */
/*
 * The TLB of each virtual CPU: three set-associative arrays, for pages of 4 KiB, 2 MiB and 1 GiB, filled round-robin.
 * An entry stays until it is flushed, evicted, or another address space is loaded. A CPU that goes idle keeps its space
 * loaded, and its bit in ctx->cpus, as a real one does.
 *
 * Locks: with pthreads a TLB has a spin word, held also while an access goes through an entry, so that a flush on
 * another CPU returns only when no access uses what it dropped. On fibers nothing can come between.
 */
#include <host/explore.h>
#include <host/mmu.h>
#include <host/sched_internal.h>
#include <mm/mm.h>
#include <port/log.h>
#include <string.h>

struct host_tlb host_tlbs[NR_CPUS];
struct host_mmu_stats host_mmu_stats;
void (*host_flush_listener)(struct mmu_ctx *ctx, u64 start, u64 end);
u32 host_pt_levels = 4;
bool host_pt_1g = true, host_pt_pkeys;

void tlb_lock(struct host_tlb *t)
{
    if (host_machine.cfg.threads)
        while (__atomic_exchange_n(&t->lock, 1, __ATOMIC_ACQUIRE))
            pth_yield();
}

void tlb_unlock(struct host_tlb *t)
{
    if (host_machine.cfg.threads)
        __atomic_store_n(&t->lock, 0, __ATOMIC_RELEASE);
}

static unsigned set_of(u64 va, unsigned level)
{
    return (va >> (PAGE_SHIFT + 9 * (level - 1))) % TLB_SETS;
}

struct tlb_entry *tlb_find(struct host_tlb *t, u64 va)
{
    for (unsigned level = 1; level <= 3; level++)
        for (unsigned w = 0; w < TLB_WAYS; w++) {
            struct tlb_entry *e = &t->e[level - 1][set_of(va, level)][w];
            if (e->level && va - e->va < pt_span(level))
                return e;
        }
    return NULL;
}

void tlb_fill(struct host_tlb *t, const struct tlb_entry *e)
{
    struct tlb_entry *old = tlb_find(t, e->va);
    if (old && old->level == e->level) {
        *old = *e;
        return;
    }
    unsigned set = set_of(e->va, e->level);
    u8 *way = &t->next_way[e->level - 1][set];
    t->e[e->level - 1][set][*way % TLB_WAYS] = *e;
    ++*way;
}

/* Drops what overlaps [start,end); only counts when dry. Returns how many. */
static u32 drop_range(struct host_tlb *t, u64 start, u64 end, bool dry)
{
    u32 n = 0;
    for (unsigned level = 1; level <= 3; level++)
        for (unsigned s = 0; s < TLB_SETS; s++)
            for (unsigned w = 0; w < TLB_WAYS; w++) {
                struct tlb_entry *e = &t->e[level - 1][s][w];
                if (!e->level || e->va >= end || e->va + pt_span(level) <= start)
                    continue;
                n++;
                if (!dry)
                    e->level = 0;
            }
    return n;
}

/* Is this the flush that the configuration wants lost? */
static bool lose_this_flush(struct mmu_ctx *ctx, u64 start, u64 end)
{
    u32 n = 0, c;
    if (!host_machine.cfg.drop_flush_nth)
        return false; /* saves the count */
    for_each_cpu (c, cpumask_load(&ctx->cpus))
        n += drop_range(&host_tlbs[c], start, end, true);
    return n && ++host_mmu_stats.flushes_that_drop == host_machine.cfg.drop_flush_nth;
}

void mmu_flush(struct mmu_ctx *ctx, u64 start, u64 end, bool freed_tables)
{
    u32 c;
    host_point();
    if (start >= end)
        panic("mmu_flush of [%#lx,%#lx)", start, end);
    if (lose_this_flush(ctx, start, end))
        return;
    __atomic_fetch_add(&host_mmu_stats.flushes, 1, __ATOMIC_RELAXED);
    if (host_flush_listener)
        host_flush_listener(ctx, start, end);
    for_each_cpu (c, cpumask_load(&ctx->cpus)) {
        struct host_tlb *t = &host_tlbs[c];
        if (host_exploring)
            host_point_at(t, true);
        tlb_lock(t);
        u32 n = t->mm && &t->mm->mmu == ctx ? drop_range(t, start, end, false) : 0;
        tlb_unlock(t);
        __atomic_fetch_add(&host_mmu_stats.entries_dropped, n, __ATOMIC_RELAXED);
        if (c != cpu_id())
            host_point(); /* the next CPU's interrupt comes later */
    }
}

void mmu_flush_page_local(u64 addr)
{
    struct host_tlb *t = &host_tlbs[cpu_id()];
    tlb_lock(t);
    drop_range(t, addr, addr + 1, false);
    tlb_unlock(t);
}

/* Loads mm on a CPU; sched lock held or the CPU is the caller's. */
static void load(u32 cpu, struct mm *mm)
{
    struct host_tlb *t = &host_tlbs[cpu];
    if (t->mm == mm)
        return;
    if (mm)
        cpumask_set_atomic(&mm->mmu.cpus, cpu);
    tlb_lock(t);
    struct mm *old = t->mm;
    drop_range(t, 0, U64_MAX, false);
    t->mm = mm;
    tlb_unlock(t);
    if (old)
        cpumask_clear_atomic(&old->mmu.cpus, cpu);
}

void host_mmu_dispatch(u32 cpu, struct host_thread *t)
{
    if (t->mm)
        load(cpu, t->mm);
}

void host_mm_load(struct mm *mm)
{
    host_sched_lock();
    host_current->mm = mm;
    load(cpu_id(), mm);
    host_sched_unlock();
}

static bool runs_on(u32 cpu, struct mm *mm)
{
    return host_cpus[cpu].cur && host_cpus[cpu].cur->mm == mm;
}

static void unload(struct mm *mm, bool idle_only)
{
    host_sched_lock();
    for (u32 c = 0; c < host_nr_cpus; c++)
        if (host_tlbs[c].mm == mm && !(idle_only && runs_on(c, mm)))
            load(c, NULL);
    host_sched_unlock();
}

void host_mm_unload_all(struct mm *mm)
{
    unload(mm, false);
}

void host_mm_unload_idle(struct mm *mm)
{
    unload(mm, true);
}

void host_mmu_start(void)
{
    memset(host_tlbs, 0, sizeof(host_tlbs));
    memset(&host_mmu_stats, 0, sizeof(host_mmu_stats));
}

void host_mmu_stop(void)
{
    for (u32 c = 0; c < NR_CPUS; c++)
        if (host_tlbs[c].mm && !host_machine.crashed)
            panic("machine stopped with an address space loaded on cpu %u", c);
}
