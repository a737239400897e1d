/* SPDX-License-Identifier: MIT */
/*
 * Timers of each CPU over its one-shot interrupt (kernel/time.h).
 * The hardware is set only when the earliest deadline becomes earlier; one that fires too early finds nothing to do and is set
 * again, which is cheaper than setting it at every cancel.
 */
#include "heap.h"
#include <arch/cpu.h>
#include <arch/timer.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/log.h>

struct timer_cpu {
    spinlock_t lock; /* irqsave */
    struct timer *root;
    u64 programmed; /* U64_MAX: hardware stopped */
    bool ready;
} __aligned_to(64);
static struct timer_cpu timer_cpus[NR_CPUS];

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
    *t = (struct timer){.fn = fn, .cpu = -1};
}

/* tc->lock held, on its own CPU. */
static void program(struct timer_cpu *tc)
{
    u64 want = tc->root ? tc->root->deadline : U64_MAX;
    if (!tc->ready) {
        tc->ready = true;
        tc->programmed = U64_MAX;
    }
    if (want < tc->programmed) {
        tc->programmed = want;
        arch_timer_program(want);
    }
}

/* Locks the heap that t is in, if any. */
static struct timer_cpu *lock_heap(struct timer *t, u64 *flags)
{
    for (;;) {
        s32 cpu = READ_ONCE(t->cpu);
        if (cpu < 0)
            return NULL;
        struct timer_cpu *tc = &timer_cpus[cpu];
        *flags = spin_lock_irqsave(&tc->lock);
        if (t->cpu == cpu)
            return tc;
        spin_unlock_irqrestore(&tc->lock, *flags);
    }
}

void timer_start(struct timer *t, u64 deadline)
{
    u64 flags;
    struct timer_cpu *old = lock_heap(t, &flags);
    if (old) {
        if (t->queued) {
            heap_remove(&old->root, t);
            t->queued = false;
        }
        if (t->running &&
            old != &timer_cpus[cpu_id()]) { /* its function runs there: keep it there */
            t->deadline = deadline;
            t->queued = true;
            heap_insert(&old->root, t);
            spin_unlock_irqrestore(&old->lock, flags);
            return;
        }
        spin_unlock_irqrestore(&old->lock, flags);
    }
    flags = irq_save();
    struct timer_cpu *tc = &timer_cpus[cpu_id()];
    spin_lock(&tc->lock);
    t->deadline = deadline;
    t->cpu = (s32)cpu_id();
    t->queued = true;
    heap_insert(&tc->root, t);
    program(tc);
    spin_unlock_irqrestore(&tc->lock, flags);
}

bool timer_cancel(struct timer *t)
{
    for (;;) {
        u64 flags;
        struct timer_cpu *tc = lock_heap(t, &flags);
        if (!tc)
            return false;
        bool queued = t->queued;
        if (queued) {
            heap_remove(&tc->root, t);
            t->queued = false;
        }
        bool wait = t->running && tc != &timer_cpus[cpu_id()];
        if (!t->running)
            t->cpu = -1;
        spin_unlock_irqrestore(&tc->lock, flags);
        if (!wait)
            return queued;
        while (READ_ONCE(t->running))
            cpu_relax();
        if (queued)
            return true;
    }
}

void timer_interrupt(void)
{
    struct timer_cpu *tc = &timer_cpus[cpu_id()];
    spin_lock(&tc->lock);
    tc->programmed = U64_MAX;
    u64 now = clock_ns();
    while (tc->root && tc->root->deadline <= now) {
        struct timer *t = tc->root;
        heap_remove(&tc->root, t);
        t->queued = false;
        t->running = true;
        spin_unlock(&tc->lock);
        t->fn(t);
        spin_lock(&tc->lock);
        /* t's memory belongs to its owner again once running is false, unless fn queued it anew. */
        WRITE_ONCE(t->running, false);
        if (!tc->root || tc->root->deadline > now)
            now = clock_ns();
    }
    program(tc);
    spin_unlock(&tc->lock);
}

u64 timer_next_deadline(void)
{
    u64 flags = irq_save();
    struct timer_cpu *tc = &timer_cpus[cpu_id()];
    spin_lock(&tc->lock);
    u64 d = tc->root ? tc->root->deadline : U64_MAX;
    spin_unlock_irqrestore(&tc->lock, flags);
    return d;
}
