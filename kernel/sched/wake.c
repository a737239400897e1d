/* SPDX-License-Identifier: MIT */
/*
 * Waking threads and choosing CPUs for them; pulling work when a CPU has none.
 *
 * W1. Of two run queues at most one is locked for sure; the second is only tried (sched_pull), so there is no order to keep.
 * W2. A sleeping thread is made READY under the lock of its old CPU's queue by exactly one waker, who then owns placing it.
 */
#include "rq.h"
#include <arch/smp.h>
#include <port/clock.h>

#define PREEMPT_NS                                                                                 \
    1000000L /* a woken thread preempts one that has used this much more of its slice */

struct rq *task_rq_lock(struct task *t, u64 *flags)
{
    for (;;) {
        u32 cpu = READ_ONCE(t->thread.cpu);
        *flags = spin_lock_irqsave(&rqs[cpu].lock);
        if (likely(t->thread.cpu == cpu))
            return &rqs[cpu];
        spin_unlock_irqrestore(&rqs[cpu].lock, *flags);
    }
}

u32 sched_place(struct task *t, bool fresh)
{
    cpumask_t allowed = cpumask_and(t->thread.affinity, cpu_online_mask());
    if (unlikely(cpumask_empty(allowed)))
        allowed = cpu_online_mask();
    u32 prev = t->thread.cpu;
    cpumask_t idle = cpumask_and(cpumask_load(&sched_idle_cpus), allowed);
    if (cpumask_test(idle, prev))
        return prev;
    if (!cpumask_empty(idle)) {
        u32 next = cpumask_next(prev, idle);
        return next < NR_CPUS ? next : cpumask_first(idle);
    }
    if (!fresh && cpumask_test(allowed, prev))
        return prev;
    u32 best = cpumask_test(allowed, prev) ? prev : cpumask_first(allowed), cpu;
    best %= NR_CPUS;
    u32 least = READ_ONCE(rqs[best].nr_ready);
    for_each_cpu (cpu, allowed) {
        u32 n = READ_ONCE(rqs[cpu].nr_ready);
        if (n < least) {
            least = n;
            best = cpu;
        }
    }
    return best;
}

/* rq lock held, t queued there: should rq's curr give way? true when the CPU must be told by an interrupt. */
static bool ask_resched(struct rq *rq, struct task *t, bool front)
{
    struct task *curr = rq->curr;
    if (curr->thread.idle)
        cpumask_clear_atomic(&sched_idle_cpus, (u32)(rq - rqs));
    else if (!front || curr->thread.slice + PREEMPT_NS >= t->thread.slice)
        return false;
    if (thread_has_work(&curr->thread.ctx, ARCH_WORK_RESCHED))
        return false; /* whoever set it has told the CPU */
    thread_set_work(&curr->thread.ctx, ARCH_WORK_RESCHED);
    return (u32)(rq - rqs) != cpu_id();
}

/* t is READY and on no queue: puts it on cpu's and sees to it that the CPU notices. Interrupts off. */
static void enqueue_on(u32 cpu, struct task *t, bool front)
{
    struct rq *rq = &rqs[cpu];
    spin_lock(&rq->lock);
    rq_enqueue(rq, t, front);
    rq_psi(rq, 0);
    bool tell = ask_resched(rq, t, front);
    spin_unlock(&rq->lock);
    if (tell)
        smp_reschedule(cpu);
}

bool sched_wake_states(struct task *t, u32 states)
{
    u64 flags;
    struct thread *th = &t->thread;
    /* Orders the waker's store to the condition before the look at the state; sched_prepare() is the counterpart. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!((1u << READ_ONCE(th->state)) & states))
        return false;
    struct rq *rq = task_rq_lock(t, &flags);
    if (!((1u << th->state) & states)) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return false;
    }
    th->state = SCHED_READY;
    if (rq->curr == t || th->on_rq) { /* has not blocked yet */
        spin_unlock_irqrestore(&rq->lock, flags);
        return true;
    }
    u64 now = clock_ns();
    if (unlikely(th->stall))
        rq_stall_wakes(rq, t, now);
    s64 slept = (s64)(now - th->exec_start);
    s64 full = sched_slice_of(t);
    if (slept > 0)
        th->slice = min(full, th->slice + slept / 4);
    u32 cpu = sched_place(t, false);
    if (cpu == th->cpu) {
        rq_enqueue(rq, t, true);
        rq_psi(rq, now);
        bool tell = ask_resched(rq, t, true);
        spin_unlock(&rq->lock);
        if (tell)
            smp_reschedule(cpu);
    } else {
        if (unlikely(th->stall))
            rq_psi(rq, now);
        th->cpu = cpu; /* W2: others that want t now go to the new queue and find it READY */
        spin_unlock(&rq->lock);
        enqueue_on(cpu, t, true);
    }
    irq_restore(flags);
    return true;
}

void sched_start(struct task *t)
{
    u64 flags = irq_save();
    t->thread.state = SCHED_READY;
    u32 cpu = sched_place(t, true);
    t->thread.cpu = cpu;
    enqueue_on(cpu, t, false);
    irq_restore(flags);
}

void sched_kick(struct task *t)
{
    u64 flags = irq_save();
    u32 cpu = READ_ONCE(t->thread.cpu);
    if (cpu != cpu_id() && READ_ONCE(rqs[cpu].curr) == t)
        smp_reschedule(cpu);
    irq_restore(flags);
}

bool sched_pull(struct rq *rq, u32 at_least)
{
    u32 self = (u32)(rq - rqs), cpu, from = NR_CPUS, most = at_least - 1;
    for_each_cpu (cpu, cpu_online_mask()) {
        u32 n = READ_ONCE(rqs[cpu].nr_ready);
        if (cpu != self && n > most) {
            most = n;
            from = cpu;
        }
    }
    if (from == NR_CPUS || !spin_trylock(&rqs[from].lock))
        return false;
    struct rq *src = &rqs[from];
    struct task *t, *found = NULL;
    for (u32 i = 0; i < 2 && !found; i++) {
        list_for_each_entry_reverse(t, &src->list[i ? src->active : !src->active], thread.run_link)
        {
            if (cpumask_test(t->thread.affinity, self)) {
                found = t;
                break;
            }
        }
    }
    if (found) {
        rq_dequeue(src, found);
        rq_psi(src, 0);
        rq_enqueue(rq, found, false);
        rq_psi(rq, 0);
    }
    spin_unlock(&src->lock);
    return found;
}

int sched_set_affinity(struct task *t, cpumask_t mask)
{
    mask = cpumask_and(mask, cpu_online_mask());
    if (cpumask_empty(mask))
        return -EINVAL;
    u64 flags;
    struct rq *rq = task_rq_lock(t, &flags);
    t->thread.affinity = mask;
    bool move = !cpumask_test(mask, t->thread.cpu);
    bool running = rq->curr == t;
    bool queued = t->thread.on_rq;
    if (move && running)
        thread_set_work(&t->thread.ctx, ARCH_WORK_RESCHED);
    if (move && queued && !running) {
        rq_dequeue(rq, t);
        rq_psi(rq, 0);
        u32 cpu = sched_place(t, true);
        t->thread.cpu = cpu;
        spin_unlock(&rq->lock);
        enqueue_on(cpu, t, false);
        irq_restore(flags);
        return 0;
    }
    spin_unlock_irqrestore(&rq->lock, flags);
    if (move && running) {
        if (t == current_task())
            sched_preempt();
        else
            sched_kick(t);
    }
    return 0;
}

void sched_set_nice(struct task *t, int nice)
{
    u64 flags;
    struct rq *rq = task_rq_lock(t, &flags);
    t->thread.nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
    spin_unlock_irqrestore(&rq->lock, flags);
}

u64 sched_runtime(struct task *t)
{
    u64 flags;
    struct rq *rq = task_rq_lock(t, &flags);
    u64 ns = t->thread.sum_exec;
    if (rq->curr == t) {
        s64 more = (s64)(clock_ns() - t->thread.exec_start);
        if (more > 0)
            ns += (u64)more;
    }
    spin_unlock_irqrestore(&rq->lock, flags);
    return ns;
}

void sched_wait_off(struct task *t)
{
    for (;;) {
        u64 flags;
        struct rq *rq = task_rq_lock(t, &flags);
        bool on = rq->curr == t; /* S2 in kernel/sched.h */
        spin_unlock_irqrestore(&rq->lock, flags);
        if (!on)
            return;
        cpu_pause();
    }
}

bool sched_is_running(struct task *t)
{
    u8 state = READ_ONCE(t->thread.state);
    return state == SCHED_READY;
}
