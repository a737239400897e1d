/* SPDX-License-Identifier: MIT */
/*
 * Who waits for what, for mm/psi.h and for the waiting time of devices.
 *
 *   thread->stall    STALL_MEM within psi_memstall_enter() .. leave(), STALL_IO while it sleeps for a device
 *   rq->stalled      how many such threads sleep here, or are ready; the one that runs is looked at itself
 *   rq_psi()         after each change of the queue: the states that follow; told to the core when they are others
 *
 * A sleeping thread counts on the CPU where it fell asleep; waking takes it off there, under that queue's lock.
 */
#include "rq.h"
#include <arch/boot.h>
#include <arch/trap.h>
#include <lib/string.h>
#include <port/clock.h>
#include <port/log.h>

static struct waitq psi_wait;
static bool psi_asked;

u32 rq_psi_stalled(const struct rq *rq)
{
    const struct thread *curr = &rq->curr->thread;
    bool runs_stalled = curr->stall & STALL_MEM;
    u32 running = rq->nr_ready + !curr->idle, running_stalled = rq->stalled.ready + runs_stalled,
        states = 0;
    if (rq->stalled.iowait) {
        states |= 1u << PSI_IO_SOME | 1u << PSI_NONIDLE;
        if (!running)
            states |= 1u << PSI_IO_FULL;
    }
    if (rq->stalled.asleep + running_stalled) {
        states |= 1u << PSI_MEM_SOME | 1u << PSI_NONIDLE;
        if (running == running_stalled || runs_stalled)
            states |= 1u << PSI_MEM_FULL;
    }
    return states;
}

void rq_psi_change(struct rq *rq, u32 states, u64 now)
{
    rq->psi = states;
    if (!psi_disabled)
        psi_change((unsigned)(rq - rqs), states, now ? now : clock_ns());
}

void rq_stall_sleeps(struct rq *rq, const struct task *t)
{
    if (t->thread.stall & STALL_IO)
        rq->stalled.iowait++;
    if (t->thread.stall & STALL_MEM)
        rq->stalled.asleep++;
}

void rq_stall_wakes(struct rq *rq, const struct task *t, u64 now)
{
    if (t->thread.stall & STALL_IO) {
        if (rq->curr->thread.idle)
            sched_account(rq, now); /* it was idle because of this one */
        rq->stalled.iowait--;
    }
    if (t->thread.stall & STALL_MEM)
        rq->stalled.asleep--;
}

bool sched_set_memstall(bool on)
{
    u64 flags = irq_save();
    struct thread *th = &current_task()->thread;
    struct rq *rq = this_rq();
    bool was = th->stall & STALL_MEM;
    spin_lock(&rq->lock);
    th->stall = (u8)(on ? th->stall | STALL_MEM : th->stall & ~STALL_MEM);
    rq_psi(rq, 0);
    spin_unlock_irqrestore(&rq->lock, flags);
    return was;
}

bool sched_set_iowait(bool on)
{
    struct thread *th = &current_task()->thread;
    bool was = th->stall & STALL_IO;
    th->stall = (u8)(on ? th->stall | STALL_IO : th->stall & ~STALL_IO);
    return was;
}

u64 sched_nr_iowait(void)
{
    u64 n = 0;
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask())
        n += READ_ONCE(rqs[cpu].stalled.iowait);
    return n;
}

static void hurry(void)
{
    __atomic_store_n(&psi_asked, true, __ATOMIC_RELEASE);
    waitq_wake_one(&psi_wait);
}

static int psi_main(void *arg)
{
    for (;;) {
        u64 next = psi_run(clock_ns());
        (void)waitq_wait_mode_until(
            &psi_wait, __atomic_exchange_n(&psi_asked, false, __ATOMIC_ACQUIRE), WAIT_DEEP, next);
    }
    return 0;
}

void sched_psi_boot(void)
{
    char value[8];
    if (cmdline_get("psi", value, sizeof(value)))
        psi_disabled =
            str_eq(value, "0") || str_eq(value, "n") || str_eq(value, "off") || str_eq(value, "N");
    if (psi_disabled)
        return;
    waitq_init(&psi_wait);
    psi_hurry = hurry;
    psi_boot(clock_ns());
    if (!kthread_start(psi_main, NULL, "psimon"))
        panic("no memory for a thread");
}
