/* SPDX-License-Identifier: MIT */
/*
 * RCU. Kernel code is not preempted, so a CPU that switches threads, idles or runs user code is outside every read section.
 *
 *   rcu_call -> next --(a grace period is asked for)--> wait --(it ended)--> done -> fn, in batches
 *
 * A grace period has a number. It starts with `pending` = the CPUs that are online and not idle, each of which takes its own
 * bit out at its next quiescent point; the one that empties the mask ends the period. Idle CPUs that have callbacks waiting
 * are woken by an interrupt then.
 *
 * R1. A callback in `wait` of a CPU runs when gp.done >= wait_gp, and period wait_gp began after it was queued.
 * R2. A CPU's idle bit is cleared with full order before it reads anything under RCU.
 * Locks: gp.lock (irqs off). A CPU's lists are its own, with interrupts off.
 */
#include "rq.h"
#include <arch/smp.h>
#include <port/clock.h>

#define BATCH       64
#define BATCH_FLOOD 2048
#define FLOOD       1024 /* callbacks on one CPU from which on the others are urged */

struct cb_list {
    struct rcu_head *first, **last;
    u32 n;
};
struct rcu_cpu {
    struct cb_list next, wait, done;
    u64 wait_gp;
    u64 queued, invoked;
    u64 urged_gp;
} __aligned_to(128);

static struct rcu_cpu rcu_cpus[NR_CPUS];
static struct {
    spinlock_t lock;
    u64 current, done, wanted; /* numbers: current == done: none under way */
    cpumask_t pending;         /* atomically read, changed under lock */
    cpumask_t idle;            /* atomic */
    cpumask_t has_callbacks;   /* atomic */
} gp = {.idle = {~1UL}};

static void list_append(struct cb_list *to, struct cb_list *from)
{
    if (!from->first)
        return;
    if (to->first)
        *to->last = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->n += from->n;
    from->first = NULL;
    from->n = 0;
}

/* gp.lock held. */
static void gp_end(void);
static void gp_begin(void)
{
    gp.current++;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    cpumask_t busy = cpumask_andnot(cpu_online_mask(), cpumask_load(&gp.idle));
    __atomic_store_n(&gp.pending.bits, busy.bits, __ATOMIC_SEQ_CST);
    /* A CPU that went idle between the two has not seen its bit; it would keep it until it wakes. */
    cpumask_t rest = cpumask_andnot(busy, cpumask_load(&gp.idle));
    if (!cpumask_equal(rest, busy))
        __atomic_store_n(&gp.pending.bits, rest.bits, __ATOMIC_SEQ_CST);
    if (cpumask_empty(rest))
        gp_end();
}

static void gp_end(void)
{
    store_release(&gp.done, gp.current);
    u32 cpu, self = cpu_id();
    cpumask_t wake = cpumask_and(cpumask_load(&gp.idle), cpumask_load(&gp.has_callbacks));
    for_each_cpu (cpu, wake)
        if (cpu != self)
            smp_reschedule(cpu);
    if (gp.wanted > gp.current)
        gp_begin();
}

/* Asks for a period that begins after this moment; returns its number. Interrupts off. */
static u64 gp_request(void)
{
    spin_lock(&gp.lock);
    u64 want = gp.current + 1;
    if (gp.wanted < want)
        gp.wanted = want;
    if (gp.current == gp.done)
        gp_begin();
    spin_unlock(&gp.lock);
    return want;
}

void rcu_quiescent(void)
{
    u32 cpu = cpu_id();
    if (likely(!cpumask_test_atomic(&gp.pending, cpu)))
        return;
    spin_lock(&gp.lock);
    if (cpumask_test(gp.pending, cpu)) {
        u64 rest = gp.pending.bits & ~BIT(cpu);
        store_release(&gp.pending.bits, rest);
        if (!rest)
            gp_end();
    }
    spin_unlock(&gp.lock);
}

/* Interrupts off. Moves what may move. */
static void advance(struct rcu_cpu *rc)
{
    if (rc->wait.first && load_acquire(&gp.done) >= rc->wait_gp)
        list_append(&rc->done, &rc->wait);
    if (!rc->wait.first && rc->next.first) {
        list_append(&rc->wait, &rc->next);
        rc->wait_gp = gp_request();
        if (load_acquire(&gp.done) >= rc->wait_gp)
            list_append(&rc->done, &rc->wait);
    }
}

bool rcu_has_ready(void)
{
    u64 flags = irq_save();
    struct rcu_cpu *rc = &rcu_cpus[cpu_id()];
    advance(rc);
    bool ready = rc->done.first;
    irq_restore(flags);
    return ready;
}

/* Makes the CPUs that hold up the period under way come by. Interrupts off. */
static void urge(void)
{
    u32 cpu, self = cpu_id();
    for_each_cpu (cpu, cpumask_load(&gp.pending))
        if (cpu != self)
            smp_reschedule(cpu);
}

void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
    head->fn = fn;
    head->next = NULL;
    u64 flags = irq_save();
    struct rcu_cpu *rc = &rcu_cpus[cpu_id()];
    if (rc->next.first)
        *rc->next.last = head;
    else
        rc->next.first = head;
    rc->next.last = &head->next;
    rc->next.n++;
    rc->queued++;
    u64 backlog = rc->queued - rc->invoked;
    if (backlog == 1)
        cpumask_set_atomic(&gp.has_callbacks, cpu_id());
    if (!rc->wait.first)
        advance(rc);
    if (unlikely(backlog % BATCH == 0)) {
        struct thread_ctx *ctx = thread_ctx_current();
        if (!thread_has_work(ctx, TASK_RCU))
            thread_set_work(ctx, TASK_RCU);
        if (backlog >= FLOOD && rc->urged_gp != gp.current) {
            rc->urged_gp = gp.current;
            urge();
        }
    }
    irq_restore(flags);
}

void rcu_tick(bool user)
{
    u32 cpu = cpu_id();
    struct rcu_cpu *rc = &rcu_cpus[cpu];
    if (user)
        rcu_quiescent();
    bool owes = cpumask_test_atomic(&gp.pending, cpu);
    if (rc->queued != rc->invoked)
        advance(rc);
    if (owes || rc->done.first)
        thread_set_work(thread_ctx_current(), TASK_RCU);
}

bool rcu_idle_enter(void)
{
    u32 cpu = cpu_id();
    cpumask_set_atomic(&gp.idle, cpu);
    rcu_quiescent();
    if (rcu_cpus[cpu].queued == rcu_cpus[cpu].invoked || !rcu_has_ready())
        return true;
    rcu_idle_exit();
    return false;
}

void rcu_idle_exit(void)
{
    cpumask_clear_atomic(&gp.idle, cpu_id());
}

bool rcu_run_callbacks(void)
{
    u64 flags = irq_save();
    u32 cpu = cpu_id();
    struct rcu_cpu *rc = &rcu_cpus[cpu];
    if (rc->queued == rc->invoked) {
        irq_restore(flags);
        return false;
    }
    advance(rc);
    u32 limit = rc->done.n > FLOOD ? BATCH_FLOOD : BATCH, n = 0;
    while (rc->done.first && n < limit) {
        struct rcu_head *h = rc->done.first;
        rc->done.first = h->next;
        rc->done.n--;
        rc->invoked++;
        irq_restore(flags);
        h->fn(h);
        n++;
        flags = irq_save();
    }
    bool more = rc->done.first;
    if (rc->queued == rc->invoked)
        cpumask_clear_atomic(&gp.has_callbacks, cpu);
    irq_restore(flags);
    return more;
}

struct sync {
    struct rcu_head head;
    struct waitq wait;
    bool done;
};
static void sync_done(struct rcu_head *h)
{
    struct sync *s = container_of(h, struct sync, head);
    u64 flags = spin_lock_irqsave(&s->wait.lock);
    WRITE_ONCE(s->done, true);
    struct waitq_entry *e = list_first_entry_or_null(&s->wait.sleepers, struct waitq_entry, link);
    if (e) {
        list_del_init(&e->link);
        sched_wake(e->thread);
    }
    spin_unlock_irqrestore(&s->wait.lock, flags);
}

void rcu_synchronize(void)
{
    if (cpumask_weight(cpu_online_mask()) == 1)
        return; /* the caller itself is outside, and nobody else runs */
    struct sync s = {.done = false};
    waitq_init(&s.wait);
    rcu_call(&s.head, sync_done);
    u64 flags = irq_save();
    urge();
    irq_restore(flags);
    waitq_wait(&s.wait, READ_ONCE(s.done));
    flags = spin_lock_irqsave(&s.wait.lock); /* sync_done() has let go of s */
    spin_unlock_irqrestore(&s.wait.lock, flags);
}

/* A millisecond's sleep. */
static void rcu_pause(void)
{
    sched_prepare(SCHED_SLEEPING);
    sched_block_until(clock_ns() + 1000000);
    sched_cancel();
}

void rcu_barrier(void)
{
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask()) {
        struct rcu_cpu *rc = &rcu_cpus[cpu];
        u64 target = READ_ONCE(rc->queued);
        while (READ_ONCE(rc->invoked) < target) {
            u64 flags = irq_save();
            rcu_quiescent();
            urge();
            irq_restore(flags);
            if (cpu == cpu_id())
                rcu_run_callbacks();
            if (READ_ONCE(rc->invoked) < target)
                rcu_pause();
        }
    }
}
