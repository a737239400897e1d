/* SPDX-License-Identifier: MIT */
/* Inside of the scheduler: the run queue of a CPU. */
#ifndef KERNEL_SCHED_RQ_H
#define KERNEL_SCHED_RQ_H
#include <kernel/sched.h>
#include <kernel/task.h>
#include <kernel/time.h>
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
    u64 user_ns, system_ns, idle_ns;
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
#endif
