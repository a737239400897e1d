/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's core: block, wake, switch. See kernel/sched.h for the picture.
 *
 *   sched_block() / preemption -> schedule(): account · pick · mmu_switch · arch_switch -> switch_tail() in the next thread
 *
 * The run queue's lock is taken by the thread that leaves and released by the one that comes (S2).
 */
#include "rq.h"
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <mm/mm.h>
#include <port/clock.h>
#include <port/log.h>

struct rq rqs[NR_CPUS];
cpumask_t sched_idle_cpus;

/* Share of the CPU by nice level, relative to 1024 at nice 0: each step is about 1.25. */
static const u32 nice_weight[40] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15};

s64 sched_slice_of(const struct task *t)
{
    s32 nice = t->thread.nice;
    if (t->thread.policy == 5)
        nice = 19;
    if (likely(nice == 0))
        return SLICE_NS;
    return SLICE_NS * (s64)nice_weight[nice + 20] / 1024;
}

void sched_account(struct rq *rq, u64 now)
{
    struct thread *th = &rq->curr->thread;
    s64 delta = (s64)(now - th->exec_start);
    th->exec_start = now;
    if (unlikely(delta < 0))
        return;
    th->sum_exec += (u64)delta;
    if (unlikely(th->idle)) {
        if (rq->stalled.iowait)
            rq->iowait_ns += (u64)delta;
        else
            rq->idle_ns += (u64)delta;
    }
    else
        th->slice -= delta;
}

void rq_enqueue(struct rq *rq, struct task *t, bool front)
{
    struct thread *th = &t->thread;
    struct list_head *list = &rq->list[rq->active];
    if (th->slice <= 0) {
        th->slice += sched_slice_of(t);
        list = &rq->list[!rq->active];
        front = false;
    }
    if (front)
        list_add(&th->run_link, list);
    else
        list_add_tail(&th->run_link, list);
    th->on_rq = true;
    th->cpu = (u32)(rq - rqs);
    rq->nr_ready++;
    if (unlikely(th->stall & STALL_MEM))
        rq->stalled.ready++;
}

void rq_dequeue(struct rq *rq, struct task *t)
{
    list_unlink(&t->thread.run_link);
    t->thread.on_rq = false;
    rq->nr_ready--;
    if (unlikely(t->thread.stall & STALL_MEM))
        rq->stalled.ready--;
}

static struct task *pick_next(struct rq *rq)
{
    if (rq->nr_ready == 0 && !sched_pull(rq, 1))
        return rq->idle;
    struct list_head *list = &rq->list[rq->active];
    if (list_empty(list)) {
        rq->active = !rq->active;
        rq->epoch++;
        list = &rq->list[rq->active];
    }
    struct task *t = list_first_entry(list, struct task, thread.run_link);
    rq_dequeue(rq, t);
    return t;
}

struct sleep_timer {
    struct timer timer;
    struct task *task;
    bool fired;
};

static void switch_tail(struct task *prev)
{
    u8 leave = prev->thread.leave;
    spin_unlock(&this_rq()->lock);
    if (likely(leave == LEAVE_NOTHING))
        return;
    if (leave == LEAVE_DEAD) {
        kstack_free(prev->thread.kstack);
        prev->thread.kstack = NULL;
        task_put(prev);
    } else {
        prev->thread.leave = LEAVE_NOTHING;
        sched_start(prev);
    }
}

void kernel_switch_tail(struct thread_ctx *prev)
{
    switch_tail((struct task *)prev);
}

/* rq lock held, interrupts off; prev has been put where it belongs. Returns, later, with the lock released. */
static void switch_to_next(struct rq *rq, struct task *prev, u64 now)
{
    struct task *next = pick_next(rq);
    if (thread_has_work(&prev->thread.ctx, ARCH_WORK_RESCHED))
        thread_clear_work(&prev->thread.ctx, ARCH_WORK_RESCHED);
    rcu_quiescent();
    rq->curr = next;
    rq_psi(rq, now);
    if (next == prev) {
        spin_unlock(&rq->lock);
        return;
    }
    next->thread.exec_start = now;
    rq->nr_switches++;
    if (unlikely(next->thread.idle)) {
        rq->idling = true;
        cpumask_set_atomic(&sched_idle_cpus, cpu_id());
    } else if (rq->idling) {
        rq->idling = false;
        cpumask_clear_atomic(&sched_idle_cpus, cpu_id());
        rq->last_tick = now;
        if (!rq->tick.queued)
            timer_start(&rq->tick, now + TICK_NS);
    }
    if (next->mm != prev->mm)
        mmu_switch(next->mm ? &next->mm->mmu : NULL);
    if (next->rseq_addr)
        thread_set_work(&next->thread.ctx, TASK_RSEQ);
    struct thread_ctx *last = arch_switch(&prev->thread.ctx, &next->thread.ctx);
    switch_tail((struct task *)last);
}

void sched_prepare(enum sched_state state)
{
    __atomic_store_n(&current_task()->thread.state, (u8)state, __ATOMIC_SEQ_CST);
}

void sched_cancel(void)
{
    __atomic_store_n(&current_task()->thread.state, SCHED_READY, __ATOMIC_SEQ_CST);
}

void sched_block(void)
{
    struct task *t = current_task();
    u64 flags = irq_save();
    struct rq *rq = this_rq();
    spin_lock(&rq->lock);
    if (t->thread.state == SCHED_READY) {
        spin_unlock_irqrestore(&rq->lock, flags);
        return;
    }
    u64 now = clock_ns();
    sched_account(rq, now);
    t->thread.on_rq = false;
    if (unlikely(t->thread.stall))
        rq_stall_sleeps(rq, t);
    t->nvcsw++;
    switch_to_next(rq, t, now);
    irq_restore(flags);
}

void sched_exit(void)
{
    irq_disable();
    struct task *t = current_task();
    struct rq *rq = this_rq();
    spin_lock(&rq->lock);
    u64 now = clock_ns();
    sched_account(rq, now);
    t->thread.on_rq = false;
    t->thread.state = SCHED_DEAD;
    t->thread.leave = LEAVE_DEAD;
    switch_to_next(rq, t, now);
    panic("a dead thread runs");
}

/* Gives the CPU to whoever waits; the running thread stays ready. Interrupts off. */
static void preempt(void)
{
    struct rq *rq = this_rq();
    struct task *t = current_task();
    struct thread *th = &t->thread;
    spin_lock(&rq->lock);
    u64 now = clock_ns();
    sched_account(rq, now);
    if (unlikely(!cpumask_test(th->affinity, cpu_id())) && !th->idle) {
        th->on_rq = false;
        th->leave = LEAVE_MIGRATE;
    } else if (!th->idle) {
        if (!rq->nr_ready) { /* nobody waits: go on */
            if (th->slice <= 0)
                th->slice = sched_slice_of(t);
            thread_clear_work(&th->ctx, ARCH_WORK_RESCHED);
            rcu_quiescent();
            spin_unlock(&rq->lock);
            return;
        }
        t->nivcsw++;
        rq_enqueue(rq, t, false);
    }
    switch_to_next(rq, t, now);
}

void sched_preempt(void)
{
    u64 flags = irq_save();
    preempt();
    irq_restore(flags);
}

void sched_yield_cpu(void)
{
    u64 flags = irq_save();
    struct task *t = current_task();
    if (t->thread.slice > 0 && this_rq()->nr_ready && !t->thread.idle)
        t->thread.slice = 0;
    preempt();
    irq_restore(flags);
}

void sched_cond(void)
{
    struct thread_ctx *ctx = thread_ctx_current();
    if (unlikely(thread_has_work(ctx, ARCH_WORK_RESCHED | TASK_RCU)) && !in_interrupt()) {
        if (thread_has_work(ctx, TASK_RCU)) {
            u64 flags = irq_save();
            rcu_quiescent();
            irq_restore(flags);
        }
        if (thread_has_work(ctx, ARCH_WORK_RESCHED))
            sched_preempt();
    }
}

static void block_timer(struct timer *t)
{
    struct sleep_timer *s = container_of(t, struct sleep_timer, timer);
    s->fired = true;
    sched_wake(s->task);
}

bool sched_block_until(u64 deadline)
{
    if (deadline == U64_MAX) {
        sched_block();
        return false;
    }
    struct sleep_timer s = {.task = current_task()};
    timer_init(&s.timer, block_timer);
    timer_start(&s.timer, deadline);
    sched_block();
    timer_cancel(&s.timer);
    return READ_ONCE(s.fired);
}
