/* SPDX-License-Identifier: MIT */
/*
 * What each CPU does for scheduling: its idle thread, the tick, balancing, time and load accounting. The tick is a timer
 * of the CPU's queue that runs only while the CPU is not idle.
 */
#include "rq.h"
#include <arch/smp.h>
#include <arch/trap.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/percpu.h>
#include <mm/slab.h>
#include <port/clock.h>
#include <port/log.h>

#define BALANCE_TICKS  16
#define LOAD_PERIOD_NS 5000000000UL

static struct task idle_tasks[NR_CPUS];
static u64 load_avg[3]; /* 11 bits of fraction */
static struct timer load_timer;

struct task *sched_idle_task(unsigned cpu)
{
    return &idle_tasks[cpu];
}

/* Decay per period of 5 s for 1, 5 and 15 minutes: 2048 * exp(-5/60), exp(-5/300), exp(-5/900). */
static void load_tick(struct timer *t)
{
    static const u64 decay[3] = {1884, 2014, 2037};
    u64 active = sched_nr_running() << 11;
    for (int i = 0; i < 3; i++) {
        u64 v = load_avg[i] * decay[i] + active * (2048 - decay[i]);
        if (active >= load_avg[i])
            v += 2047;
        load_avg[i] = v >> 11;
    }
    timer_start(t, t->deadline + LOAD_PERIOD_NS);
}

void sched_loadavg(u64 avg[3])
{
    for (int i = 0; i < 3; i++)
        avg[i] = load_avg[i];
}

u64 sched_nr_running(void)
{
    u64 n = 0;
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask())
        n += READ_ONCE(rqs[cpu].nr_ready) + !READ_ONCE(rqs[cpu].idling);
    return n;
}

u64 sched_context_switches(void)
{
    u64 n = 0;
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask())
        n += READ_ONCE(rqs[cpu].nr_switches);
    return n;
}

void sched_cpu_times(unsigned cpu, struct sched_times *t)
{
    struct rq *rq = &rqs[cpu];
    t->user = READ_ONCE(rq->user_ns);
    t->system = READ_ONCE(rq->system_ns);
    u64 flags = spin_lock_irqsave(&rq->lock);
    t->idle = rq->idle_ns;
    t->iowait = rq->iowait_ns;
    if (rq->idling) {
        s64 more = (s64)(clock_ns() - rq->curr->thread.exec_start);
        if (more > 0 && rq->stalled.iowait)
            t->iowait += (u64)more;
        else if (more > 0)
            t->idle += (u64)more;
    }
    spin_unlock_irqrestore(&rq->lock, flags);
}

/* Interrupts off, on the CPU of rq; user: the tick came while user code ran. */
static bool tick_user[NR_CPUS];

static void sched_tick(struct timer *timer)
{
    struct rq *rq = this_rq();
    bool user = tick_user[cpu_id()];
    rcu_tick(user);
    spin_lock(&rq->lock);
    struct task *t = rq->curr;
    u64 now = clock_ns();
    if (t->thread.idle) {
        spin_unlock(&rq->lock);
        return; /* switch_to_next() starts the tick again */
    }
    u64 delta = now - rq->last_tick;
    rq->last_tick = now;
    if (user) {
        t->utime_ns += delta;
        rq->user_ns += delta;
    } else {
        t->stime_ns += delta;
        rq->system_ns += delta;
    }
    sched_account(rq, now);
    if (t->thread.slice <= 0 && rq->nr_ready)
        thread_set_work(&t->thread.ctx, ARCH_WORK_RESCHED);
    if (t->process->timers || t->process->rlim[0 /* RLIMIT_CPU */].cur != U64_MAX)
        thread_set_work(&t->thread.ctx, TASK_TIMER);
    if (++rq->ticks_to_balance >= BALANCE_TICKS) {
        rq->ticks_to_balance = 0;
        sched_pull(rq, rq->nr_ready + 2);
    }
    spin_unlock(&rq->lock);
    timer_start(timer, now + TICK_NS);
}

void kernel_timer_tick(bool user)
{
    tick_user[cpu_id()] = user;
    timer_interrupt();
}

void kernel_reschedule_ipi(void)
{
    rcu_tick(false);
}

void sched_idle_loop(void)
{
    struct rq *rq = this_rq();
    struct thread_ctx *ctx = thread_ctx_current();
    for (;;) {
        irq_disable();
        cpumask_set_atomic(&sched_idle_cpus, cpu_id());
        if (!thread_has_work(ctx, ARCH_WORK_RESCHED) && !READ_ONCE(rq->nr_ready)) {
            if (rcu_has_ready()) {
                irq_enable();
                rcu_run_callbacks();
                continue;
            }
            if (rcu_idle_enter()) {
                cpu_halt();
                irq_disable();
                rcu_idle_exit();
            }
        }
        if (thread_has_work(ctx, ARCH_WORK_RESCHED) || READ_ONCE(rq->nr_ready))
            sched_preempt();
        thread_clear_work(ctx, ~(u32)ARCH_WORK_RESCHED);
        irq_enable();
    }
}

static struct task *init_idle(unsigned cpu)
{
    struct task *t = &idle_tasks[cpu];
    struct rq *rq = &rqs[cpu];
    t->refs = 1;
    t->process = &kernel_process;
    fmt_print(t->comm, sizeof(t->comm), "swapper/%u", cpu);
    t->thread.idle = t->thread.kthread = true;
    t->thread.cpu = cpu;
    t->thread.affinity = cpumask_of(cpu);
    t->thread.ctx.fpu_cpu = U32_MAX;
    t->thread.exec_start = clock_ns();
    list_init(&t->thread.run_link);
    list_init(&t->thread_link);
    spin_init(&rq->lock, RANK_KERNEL_LEAF);
    list_init(&rq->list[0]);
    list_init(&rq->list[1]);
    rq->curr = rq->idle = t;
    rq->idling = true;
    timer_init(&rq->tick, sched_tick);
    return t;
}

void sched_init(void)
{
    struct task *t = init_idle(0);
    cpus[0].thread = &t->thread.ctx;
    t->thread.ctx.stack_top = cpus[0].stack_top;
    cpus[0].kernel = &rqs[0];
    timer_init(&load_timer, load_tick);
}

u64 sched_prepare_cpu(unsigned cpu)
{
    void *stack = kstack_alloc();
    if (!stack)
        return 0;
    struct task *t = init_idle(cpu);
    t->thread.kstack = stack;
    t->thread.ctx.stack_top = (u64)stack + THREAD_STACK_SIZE;
    cpus[cpu].thread = &t->thread.ctx;
    cpus[cpu].stack_top = t->thread.ctx.stack_top;
    cpus[cpu].kernel = &rqs[cpu];
    cpu_set_local(cpu, &mm_cpus[cpu]);
    return t->thread.ctx.stack_top;
}

void sched_start_load_timer(void)
{
    timer_start(&load_timer, clock_ns() + LOAD_PERIOD_NS);
}

void kernel_ap_main(unsigned cpu)
{
    rqs[cpu].idle->thread.exec_start = clock_ns();
    rcu_idle_exit();
    sched_idle_loop();
}
