/* SPDX-License-Identifier: MIT */
/* Inside of the scheduler: the run queue of a CPU. */
#ifndef KERNEL_SCHED_RQ_H
#define KERNEL_SCHED_RQ_H
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <mm/psi.h>
#include <port/cpu.h>

#define SLICE_NS 4000000L /* at nice 0 */
#define TICK_NS  4000000UL

struct rq {
    spinlock_t lock; /* irqsave */
    u32 nr_ready;    /* on lists, without curr */
    struct task *curr, *idle;
    struct list_head list[2]; /* [active], [!active] = expired */
    u8 active;
    bool idling; /* curr is idle */
    u64 epoch;
    u64 nr_switches;
    u64 last_tick; /* clock_ns of the last tick or of leaving idle */
    u64 user_ns, system_ns, idle_ns, iowait_ns; /* iowait: idle while somebody who slept here waits for a device */
    struct rq_stalled {
        u32 iowait;     /* sleep here for a device */
        u16 asleep;     /* sleep here for lack of memory */
        u16 ready;      /* on lists, in a section of psi_memstall_enter() */
    } stalled;
    u32 psi; /* 1 << enum psi_state as told to psi_change() */
    struct timer tick;
    u32 ticks_to_balance;
    u32 nr_stacks;
    void *stacks[8]; /* free kernel stacks */
} __aligned_to(128);

extern struct rq rqs[NR_CPUS];
extern cpumask_t sched_idle_cpus; /* atomically changed; a hint */

static inline struct rq *this_rq(void)
{
    return &rqs[cpu_id()];
}
s64 sched_slice_of(const struct task *t);
/* rq lock held. Charges the time since exec_start to the running thread. */
void sched_account(struct rq *rq, u64 now);
/* rq lock held. */
void rq_enqueue(struct rq *rq, struct task *t, bool front);
void rq_dequeue(struct rq *rq, struct task *t);
/* The queue of t's CPU, locked, stable. */
struct rq *task_rq_lock(struct task *t, u64 *flags);
/* Chooses a CPU for t to wake or start on. */
u32 sched_place(struct task *t, bool fresh);
/* Pulls one thread from a busier CPU into rq, whose lock is held; may drop nothing. true when it did. */
bool sched_pull(struct rq *rq, u32 at_least);
/* ---- psi.c ---- */

/*
 * rq lock held, wherever something of the queue changed that pressure depends on: who runs, how many are ready, who waits for what.
 * now: clock_ns(), or 0: ask when it is needed.
 */
void rq_psi_change(struct rq *rq, u32 states, u64 now);
u32 rq_psi_stalled(const struct rq *rq);
static inline void rq_psi(struct rq *rq, u64 now)
{
    bool busy = !rq->curr->thread.idle;
    u32 states = rq->nr_ready ? 1u << PSI_NONIDLE | 1u << PSI_CPU_SOME : busy ? 1u << PSI_NONIDLE : 0;
    u64 stalled;
    BUILD_ASSERT(sizeof(rq->stalled) == sizeof(stalled));
    __builtin_memcpy(&stalled, &rq->stalled, sizeof(stalled));
    if (unlikely(stalled || rq->curr->thread.stall))
        states |= rq_psi_stalled(rq);
    if (unlikely(states != rq->psi))
        rq_psi_change(rq, states, now);
}
/* rq lock held. t, not on the CPU any more, begins or ends its sleep here. */
void rq_stall_sleeps(struct rq *rq, const struct task *t);
void rq_stall_wakes(struct rq *rq, const struct task *t, u64 now);
#endif
