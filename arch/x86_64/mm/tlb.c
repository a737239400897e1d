/* SPDX-License-Identifier: MIT */
/*
 * Which space each CPU runs on, and flushing.
 *
 * A flush that concerns other CPUs is a request in the initiator's slot:
 *
 *   initiator                                   target
 *   fills requests[self], pending = targets
 *   sets its bit in target->flush_from ── IPI ─→ takes all bits of flush_from (or finds them, polling)
 *   flushes itself meanwhile                    does each request, clears its bit in pending
 *   waits until pending == 0
 *
 * Invariants
 *  1. A CPU's bit is in ctx->cpus from before it loads the root until after it has loaded another.
 *  2. A CPU that runs a kernel thread keeps the last space (cpu->lazy) until it switches to
 *     another or is asked to flush; then it leaves. So whoever frees a root flushes the whole
 *     space first.
 *  3. A CPU that spins, for a lock or for answers, polls its requests (cpu->polling) and needs no
 *     interrupt, so that two initiators never wait for each other, whatever their interrupt flags.
 * Locks: none. Order: entries are changed, then (full fence) ctx->cpus is read; a switch sets the
 * bit (full fence), then loads the root, so either the initiator sees the bit or the CPU walks
 * the new entries.
 */
#include <arch/mmu.h>
#include <arch/setup.h>
#include <arch/asm.h>
#include <port/cpu.h>
#include <port/log.h>

/* Above this many pages one reload of the root is cheaper than invalidating each (Linux's limit
 * as well). */
#define FLUSH_PAGES_MAX 33

/* About as long as an answer takes when both CPUs really run. */
#define SPINS_MAX 250

struct flush_request {
    struct mmu_ctx *ctx; /* NULL: kernel addresses */
    u64 start, end;
    u64 pending; /* CPUs that have not answered; atomic */
    bool halted; /* the initiator has stopped spinning: the last answer interrupts it */
} __aligned_to(64);
static struct flush_request requests[NR_CPUS];

static inline void load_root(phys_t root)
{
    __asm__ volatile("movq %0, %%cr3" ::"r"(root) : "memory");
}

static inline u64 read_cr4(void)
{
    u64 v;
    __asm__ volatile("movq %%cr4, %0" : "=r"(v));
    return v;
}

static inline void write_cr4(u64 v)
{
    __asm__ volatile("movq %0, %%cr4" ::"r"(v) : "memory");
}

/* Interrupts off meanwhile, so that a request never finds cpu->mmu and the loaded root different. */
static void change_space(struct cpu *cpu, struct mmu_ctx *next)
{
    u64 flags = irq_save();
    struct mmu_ctx *prev = cpu->mmu;
    if (next)
        cpumask_set_atomic(&next->cpus, cpu->id);
    cpu->mmu = next;
    cpu->lazy = false;
    load_root(next ? next->root : mmu_kernel_root());
    if (prev)
        cpumask_clear_atomic(&prev->cpus, cpu->id);
    irq_restore(flags);
}

void mmu_switch(struct mmu_ctx *next)
{
    struct cpu *cpu = this_cpu();
    if (!next)
        cpu->lazy = cpu->mmu;
    else if (cpu->mmu == next)
        cpu->lazy = false;
    else
        change_space(cpu, next);
}

static void flush_user_here(const struct mmu_ctx *ctx, u64 start, u64 end)
{
    struct cpu *cpu = this_cpu();
    if (cpu->mmu != ctx)
        return;
    if (cpu->lazy)
        change_space(cpu, NULL);
    else if (end - start > FLUSH_PAGES_MAX * PAGE_SIZE)
        load_root(ctx->root);
    else
        for (u64 a = start; a < end; a += PAGE_SIZE)
            mmu_flush_page_local(a);
}

static void flush_kernel_here(u64 start, u64 end)
{
    if (end - start <= FLUSH_PAGES_MAX * PAGE_SIZE) {
        for (u64 a = start; a < end; a += PAGE_SIZE)
            mmu_flush_page_local(a);
    } else if (pte_global_bit()) {
        u64 flags = irq_save();
        u64 cr4 = read_cr4();
        write_cr4(cr4 & ~(u64)CR4_PGE);
        write_cr4(cr4);
        irq_restore(flags);
    } else {
        struct mmu_ctx *ctx = this_cpu()->mmu;
        load_root(ctx ? ctx->root : mmu_kernel_root());
    }
}

static void flush_here(const struct flush_request *r)
{
    if (r->ctx)
        flush_user_here(r->ctx, r->start, r->end);
    else
        flush_kernel_here(r->start, r->end);
}

/* Answers what other CPUs want flushed here. Interrupts off. */
void mmu_flush_service(void)
{
    struct cpu *cpu = this_cpu();
    if (!READ_ONCE(cpu->flush_from))
        return;
    cpumask_t from = {__atomic_exchange_n(&cpu->flush_from, 0, __ATOMIC_ACQ_REL)};
    u32 other;
    for_each_cpu (other, from) {
        struct flush_request *r = &requests[other];
        flush_here(r);
        if (!__atomic_and_fetch(&r->pending, ~BIT(cpu->id), __ATOMIC_SEQ_CST) &&
            READ_ONCE(r->halted))
            lapic_send_ipi(cpus[other].apic_id, VECTOR_FLUSH);
    }
}

static void serve_polled(void)
{
    u64 flags = irq_save();
    mmu_flush_service();
    irq_restore(flags);
}

bool mmu_poll_begin(void)
{
    struct cpu *cpu = this_cpu();
    bool was = cpu->polling;
    WRITE_ONCE(cpu->polling, true);
    return was;
}

void mmu_poll(void)
{
    if (READ_ONCE(this_cpu()->flush_from))
        serve_polled();
}

/* The fence pairs with the sender's atomic or: it saw polling, or we see its bit. */
void mmu_poll_end(bool was)
{
    struct cpu *cpu = this_cpu();
    WRITE_ONCE(cpu->polling, was);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    mmu_poll();
}

/*
 * On a host with fewer processors than the guest has CPUs, the answer may be waiting for the very
 * processor that we spin on: give it up until the last answer interrupts us. Requests to this CPU
 * come by interrupt meanwhile.
 */
static void halt_until_answered(struct flush_request *r)
{
    mmu_poll_end(false);
    WRITE_ONCE(r->halted, true);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    irq_disable();
    if (load_acquire(&r->pending))
        cpu_halt();
    else
        irq_enable();
    WRITE_ONCE(r->halted, false);
    mmu_poll_begin();
}

static void flush_others(struct flush_request *r, cpumask_t targets)
{
    u32 self = cpu_id(), other;
    cpumask_t interrupt = CPUMASK_NONE;
    bool was = mmu_poll_begin();
    __atomic_store_n(&r->pending, targets.bits, __ATOMIC_RELEASE);
    /* Where a request waits already, an interrupt is on its way or the CPU polls. */
    for_each_cpu (other, targets)
        if (!__atomic_fetch_or(&cpus[other].flush_from, BIT(self), __ATOMIC_SEQ_CST) &&
            !READ_ONCE(cpus[other].polling))
            cpumask_set(&interrupt, other);
    lapic_send_ipis(interrupt, VECTOR_FLUSH);
    flush_here(r);
    for (unsigned spins = 0; load_acquire(&r->pending); spins++) {
        mmu_poll();
        cpu_relax();
        if (spins >= SPINS_MAX && !was && irq_enabled())
            halt_until_answered(r);
    }
    mmu_poll_end(was);
}

/*
 * An interrupt between filling the slot and the end of the wait never starts a flush of its own
 * (handlers do not change page tables), so the slot is this thread's alone.
 */
static void flush(struct mmu_ctx *ctx, u64 start, u64 end, cpumask_t cpus_of)
{
    struct flush_request *r = &requests[cpu_id()];
    cpumask_t targets = cpumask_andnot(cpus_of, cpumask_of(cpu_id()));
    if (cpumask_empty(targets)) {
        flush_here(&(struct flush_request){.ctx = ctx, .start = start, .end = end});
        return;
    }
    ASSERT(!r->pending);
    r->ctx = ctx;
    r->start = start;
    r->end = end;
    flush_others(r, targets);
}

/* Reloading CR3 and INVLPG both drop the paging-structure caches, so freed_tables needs nothing
 * more. */
void mmu_flush(struct mmu_ctx *ctx, u64 start, u64 end, bool freed_tables)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    flush(ctx, start, end, cpumask_load(&ctx->cpus));
}

void mmu_flush_kernel(u64 start, u64 end)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    flush(NULL, start, end, cpu_online_mask());
}
