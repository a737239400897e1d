/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks: 16 KiB of vmalloc with an unmapped page next to them. A few free ones wait on each CPU, so that fork and
 * exit map and flush nothing. A dead thread's stack is given back by the thread that runs after it, where nothing may
 * sleep: what does not fit into the CPU's cache goes on a list that the next kstack_alloc() empties, and kstack_trim(), at forks
 * and waits, cuts down; the rest goes when memory is short.
 */
#include "rq.h"
#include <mm/shrinker.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <mm/vma.h>

struct free_stack { /* lives in the stack itself */
    struct free_stack *next;
};
static struct free_stack *surplus;
static u32 nr_surplus;
static spinlock_t surplus_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static void count(s64 kb)
{
    stat_node_add(0, NR_KERNEL_STACK_KB, kb);
}

void *kstack_alloc(void)
{
    u64 flags = irq_save();
    struct rq *rq = this_rq();
    void *stack = rq->nr_stacks ? rq->stacks[--rq->nr_stacks] : NULL;
    irq_restore(flags);
    if (likely(stack))
        return stack;
    flags = spin_lock_irqsave(&surplus_lock);
    if (surplus) {
        stack = surplus;
        surplus = surplus->next;
        nr_surplus--;
    }
    spin_unlock_irqrestore(&surplus_lock, flags);
    if (stack)
        return stack;
    stack = vmalloc(THREAD_STACK_SIZE);
    if (stack)
        count(THREAD_STACK_SIZE / 1024);
    return stack;
}

void kstack_free(void *stack)
{
    u64 flags = irq_save();
    struct rq *rq = this_rq();
    if (likely(rq->nr_stacks < ARRAY_SIZE(rq->stacks))) {
        rq->stacks[rq->nr_stacks++] = stack;
    } else {
        struct free_stack *f = stack;
        spin_lock(&surplus_lock);
        f->next = surplus;
        surplus = f;
        nr_surplus++;
        spin_unlock(&surplus_lock);
    }
    irq_restore(flags);
}

static bool trim_one(void)
{
    u64 flags = spin_lock_irqsave(&surplus_lock);
    struct free_stack *f = surplus;
    if (f) {
        surplus = f->next;
        nr_surplus--;
    }
    spin_unlock_irqrestore(&surplus_lock, flags);
    if (!f)
        return false;
    vfree(f);
    count(-(s64)(THREAD_STACK_SIZE / 1024));
    return true;
}

void kstack_trim(void)
{
    while (unlikely(READ_ONCE(nr_surplus) > 32))
        trim_one();
}

/* Under pressure none is kept but those of the CPUs. */
static u64 surplus_count(struct shrinker *s, unsigned node)
{
    return READ_ONCE(nr_surplus);
}

static u64 surplus_scan(struct shrinker *s, unsigned node, u64 nr, gfp_t gfp)
{
    u64 freed = 0;
    while (freed < nr && trim_one())
        freed++;
    return freed;
}

void kstack_boot(void)
{
    static struct shrinker shrinker = {
        .name = "kstack", .count = surplus_count, .scan = surplus_scan, .seeks = 2, .kswapd_only = true /* vfree sleeps */};
    shrinker_register(&shrinker);
}
