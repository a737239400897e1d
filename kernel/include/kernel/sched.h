/* SPDX-License-Identifier: MIT */
/*
 * The scheduler. Bodies in kernel/sched/. Round robin with weighted slices: each CPU has an active and an expired list; a
 * thread runs on its slice (4 ms at nice 0, more or less by nice) and then waits in expired until active is empty. A
 * woken thread goes to the front of active while it has slice left, and may preempt.
 *
 *   RUNNING/READY --sched_block()--> SLEEPING --sched_wake()--> READY         last step of a thread: sched_exit() -> DEAD
 *
 * S1. A thread is READY or RUNNING exactly when it is on a run queue or is a CPU's curr; task->on_rq says so.
 * S2. on_cpu is set while a CPU still uses the thread's kernel stack; whoever frees or runs it elsewhere waits for it to clear.
 * S3. Kernel code is switched away from only in sched_block(), sched_yield_cpu(), sched_cond() and on the way back to user mode.
 * Locks: rq->lock (irqsave), innermost but for nothing.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H
#include <arch/thread.h>
#include <lib/cpumask.h>
#include <lib/list.h>
#include <lib/types.h>
#include <port/lock.h>
#include <port/sched.h>

struct task;
struct regs;

#define KSTACK_SIZE 16384UL

/* task->work: why the return to user mode takes the slow way. Atomically changed. */
#define TASK_NEED_RESCHED 1u
#define TASK_SIGPENDING   2u
#define TASK_RCU          4u  /* this CPU owes a quiescent state or has callbacks to run */
#define TASK_RSEQ         8u  /* preempted or migrated: the restartable sequence must be checked */
#define TASK_FRAME_FULL   16u /* registers were changed beyond what the fast return restores */

enum sched_state { SCHED_READY, SCHED_SLEEPING, SCHED_KILLABLE, SCHED_INTERRUPTIBLE, SCHED_STOPPED, SCHED_DEAD };

/* The scheduler's part of struct task. */
struct thread {
    struct arch_thread arch;
    void *kstack; /* lowest address; KSTACK_SIZE bytes */
    u8 state;     /* enum sched_state; rq lock of its cpu */
    bool on_rq, idle, kthread;
    s32 on_cpu;
    u32 cpu;      /* where it runs or last ran */
    s32 nice;     /* -20 .. 19 */
    u8 policy;    /* SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5 */
    u8 rt_prio;
    cpumask_t affinity;
    struct list_head run_link;
    s64 slice;    /* ns left; may be negative */
    u64 epoch;    /* rq->epoch when the slice was last filled */
    u64 exec_start, sum_exec; /* clock_ns; ns */
    int (*fn)(void *arg); /* kernel threads */
    void *arg;
};

/* Blocks the running thread: sched_prepare(state) first, then test the condition, then sched_block(); a wake-up between the two makes
 * sched_block() return at once. sched_cancel() undoes prepare. */
void sched_prepare(enum sched_state state);
void sched_block(void);
void sched_cancel(void);
/* Returns at the deadline (clock_ns) at the latest; true when it was reached. */
bool sched_block_until(u64 deadline);
/* Any context. Wakes t if it sleeps in any of the states (mask of 1 << state). true when it did. */
bool sched_wake_states(struct task *t, u32 states);
#define SCHED_ANY_SLEEP (1u << SCHED_SLEEPING | 1u << SCHED_KILLABLE | 1u << SCHED_INTERRUPTIBLE)
static inline bool sched_wake(struct task *t)
{
    return sched_wake_states(t, SCHED_ANY_SLEEP);
}
/* A new thread becomes ready for the first time. */
void sched_start(struct task *t);
/* The running thread ends; after this only `reap` of its task_put remains. */
void sched_exit(void) __noreturn_fn;
/* If t runs on another CPU in user mode, makes it come into the kernel soon. */
void sched_kick(struct task *t);
/* Hooks of the architecture: tick (interrupts off), reschedule IPI, return to user mode with task->work != 0, idle loop of a CPU. */
void sched_tick(bool user);
void sched_ipi(void);
void sched_cpu_idle(void) __noreturn_fn; /* never returns: body of each CPU's idle thread */
void sched_init(void);
void sched_init_cpu(unsigned cpu); /* makes the idle thread of a CPU; on the boot CPU, before it starts */
struct task *sched_idle_task(unsigned cpu);
/* First code of a new thread after arch_switch: called with the previous one. */
void sched_finish_switch(struct task *prev);

int sched_set_affinity(struct task *t, cpumask_t mask); /* -EINVAL: no online CPU */
void sched_set_nice(struct task *t, int nice);
u64 sched_runtime(struct task *t); /* ns on a CPU so far */
bool sched_is_running(struct task *t);
/* Fixed point loads, 11 bits of fraction; runnable threads; all. */
void sched_loadavg(u64 avg[3]);
u64 sched_nr_running(void);
u64 sched_context_switches(void);
/* ns of a CPU: user, system, idle. */
void sched_cpu_times(unsigned cpu, u64 *user, u64 *system, u64 *idle);

/* Kernel stacks: cached per CPU. NULL when out of memory. */
void *kstack_alloc(void);
void kstack_free(void *stack);

/* RCU: kernel/sched/rcu.c. */
void rcu_init(void);
void rcu_tick(bool user);
void rcu_quiescent(void); /* this CPU is outside every read section */
void rcu_idle_enter(void);
void rcu_idle_exit(void);
void rcu_run_callbacks(u32 limit);
bool rcu_has_ready(void);

/* Waiting; one-shot entries on waitq (struct waitq of port/sched.h). */
struct waiter {
    struct list_head link;
    struct task *task;
    /* Called under the queue's lock instead of waking task when set (epoll, poll): true to count as a wake-up. Any context. */
    bool (*fn)(struct waiter *w);
    struct waitq *wq;
    bool exclusive;
};
void waitq_add(struct waitq *wq, struct waiter *w);
void waitq_remove(struct waitq *wq, struct waiter *w);

#define waitq_wait_state(wq, cond, st, intr, deadline)                                                                 \
    ({                                                                                                                 \
        s64 wait_ret = 0;                                                                                              \
        if (!(cond)) {                                                                                                 \
            struct waiter wait_entry = {.task = current_task()};                                                       \
            waitq_add((wq), &wait_entry);                                                                              \
            for (;;) {                                                                                                 \
                sched_prepare(st);                                                                                     \
                if (cond)                                                                                              \
                    break;                                                                                             \
                if (intr) {                                                                                            \
                    wait_ret = -ERESTARTSYS;                                                                           \
                    break;                                                                                             \
                }                                                                                                      \
                if (sched_block_until(deadline)) {                                                                     \
                    wait_ret = (cond) ? 0 : -ETIMEDOUT;                                                                \
                    break;                                                                                             \
                }                                                                                                      \
            }                                                                                                          \
            sched_cancel();                                                                                            \
            waitq_remove((wq), &wait_entry);                                                                           \
        }                                                                                                              \
        wait_ret;                                                                                                      \
    })
/* 0 or -ERESTARTSYS. */
#define waitq_wait_interruptible(wq, cond)                                                                             \
    waitq_wait_state(wq, cond, SCHED_INTERRUPTIBLE, signal_pending(), ~0UL)
/* 1: cond holds, 0: deadline (clock_ns; ~0 none) passed, -ERESTARTSYS. */
#define waitq_wait_timeout(wq, cond, deadline)                                                                         \
    ({                                                                                                                 \
        s64 wait_res = waitq_wait_state(wq, cond, SCHED_INTERRUPTIBLE, signal_pending(), deadline);                    \
        wait_res == 0 ? 1 : wait_res == -ETIMEDOUT ? 0 : wait_res;                                                     \
    })
#endif
