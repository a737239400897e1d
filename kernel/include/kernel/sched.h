/* SPDX-License-Identifier: MIT */
/*
 * The scheduler. Bodies in kernel/sched/. Round robin with weighted slices: each CPU has an active and an expired list; a
 * thread runs on its slice (4 ms at nice 0, more or less by nice) and then waits in expired until active is empty. A
 * woken thread goes to the front of active while it has slice left, and may preempt.
 *
 *   RUNNING/READY --sched_block()--> SLEEPING --sched_wake()--> READY         last step of a thread: sched_exit() -> DEAD
 *
 * S1. A thread is READY or RUNNING exactly when it is on a run queue or is a CPU's curr; task->on_rq says so.
 * S2. The rq lock is held across the switch, so who holds it sees no thread whose stack is still in use but curr.
 * S3. Kernel code is switched away from only in sched_block(), sched_yield_cpu(), sched_cond() and on the way back to user mode.
 * Locks: rq->lock (irqsave), innermost but for nothing.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H
#include <arch/thread.h>
#include <lib/cpumask.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/types.h>
#include <port/lock.h>
#include <port/sched.h>

struct task;
struct regs;

/* Bits of thread.ctx.work beside the architecture's. */
#define TASK_RCU ARCH_WORK_KERNEL /* this CPU owes a quiescent state or has callbacks to run */
#define TASK_RSEQ                                                                                  \
    (ARCH_WORK_KERNEL << 1) /* preempted or migrated: the restartable sequence must be checked */
#define TASK_TIMER (ARCH_WORK_KERNEL << 2) /* CPU-time timers of the process must be looked at */
#define TASK_TRACE (ARCH_WORK_KERNEL << 3) /* the end of this system call is reported to the tracer */

enum sched_state {
    SCHED_READY,
    SCHED_SLEEPING,
    SCHED_KILLABLE,
    SCHED_INTERRUPTIBLE,
    SCHED_STOPPED,
    SCHED_TRACED,
    SCHED_DEAD
};

enum sched_leave { LEAVE_NOTHING, LEAVE_DEAD, LEAVE_MIGRATE };

enum { STALL_MEM = 1, STALL_IO = 2 }; /* in a section of psi_memstall_enter(); its sleep is for a device */

/* The scheduler's part of struct task. */
struct thread {
    struct thread_ctx ctx; /* first: arch/thread.h */
    void *kstack;          /* lowest address; THREAD_STACK_SIZE bytes */
    u8 state;              /* enum sched_state; rq lock of its cpu */
    bool on_rq, idle, kthread;
    u8 leave; /* enum sched_leave: what the next thread does with this one once it is off the CPU */
    u32 cpu;  /* where it runs or last ran */
    u32 mem_flags; /* sched_mem_flags() */
    s32 nice; /* -20 .. 19 */
    u8 policy; /* SCHED_OTHER 0, FIFO 1, RR 2, BATCH 3, IDLE 5 */
    u8 rt_prio;
    u8 stall; /* STALL_*: changed by the thread itself, under its queue's lock */
    cpumask_t affinity;
    struct list_head run_link;
    s64 slice;                /* ns left; may be negative */
    u64 exec_start, sum_exec; /* clock_ns; ns */
    int (*fn)(void *arg);     /* kernel threads */
    void *arg;
};

/*
 * Blocks the running thread: sched_prepare(state) first, then test the condition, then sched_block(); a wake-up between the
 * two makes sched_block() return at once. sched_cancel() undoes prepare. Waiting on a waitq: port/sched.h.
 */
void sched_prepare(enum sched_state state);
void sched_block(void);
void sched_cancel(void);
/* Returns at the deadline (clock_ns) at the latest; true when it was reached. */
bool sched_block_until(u64 deadline);
/* Gives the CPU to whoever waits; the caller stays ready. */
void sched_preempt(void);
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
void sched_init(void);               /* the boot CPU: its idle thread is the caller */
u64 sched_prepare_cpu(unsigned cpu); /* for smp_boot_cpus() */
void sched_idle_loop(void) __noreturn_fn;
struct task *sched_idle_task(unsigned cpu);

int sched_set_affinity(struct task *t, cpumask_t mask); /* -EINVAL: no online CPU */
void sched_set_nice(struct task *t, int nice);
u64 sched_runtime(struct task *t); /* ns on a CPU so far */
bool sched_is_running(struct task *t);
/* t is about to sleep, or does: returns when it is off its CPU, with its registers saved. */
void sched_wait_off(struct task *t);
/* Fixed point loads, 11 bits of fraction; runnable threads; all. */
void sched_loadavg(u64 avg[3]);
u64 sched_nr_running(void);
u64 sched_context_switches(void);
/* ns of a CPU: user, system, idle, idle with a thread waiting for a device. */
struct sched_times {
    u64 user, system, idle, iowait;
};
void sched_cpu_times(unsigned cpu, struct sched_times *t);
u64 sched_nr_iowait(void); /* threads that sleep for a device */
void sched_psi_boot(void);

/* Kernel stacks: cached per CPU. NULL when out of memory. */
void *kstack_alloc(void);
void kstack_free(void *stack);
void kstack_boot(void); /* after shrinkers_boot() */
void kstack_trim(void); /* gives surplus back; may sleep */
void sched_start_load_timer(void);

/* RCU: kernel/sched/rcu.c. */
void rcu_tick(bool user);  /* interrupts off */
void rcu_quiescent(void);  /* this CPU is outside every read section; interrupts off */
bool rcu_idle_enter(void); /* interrupts off; false: callbacks are ready, do not halt */
void rcu_idle_exit(void);
bool rcu_run_callbacks(
    void); /* a batch; true when more is ready. May be called where one may not sleep */
bool rcu_has_ready(void);

/*
 * A queue entry that calls fn instead of waking a thread (poll, epoll, signalfd): entry.thread stays NULL. fn runs with the
 * queue's lock held, in any context; it returns true when it took the wake-up, and stays queued either way.
 */
struct waitq_callback {
    struct waitq_entry entry;
    bool (*fn)(struct waitq_callback *cb);
    struct waitq *wq;
};
void waitq_callback_add(struct waitq *wq, struct waitq_callback *cb,
                        bool (*fn)(struct waitq_callback *cb));
void waitq_callback_remove(struct waitq_callback *cb);

/* 1: cond holds, 0: deadline (clock_ns; ~0 none) passed, -ERESTARTSYS: a signal is pending. */
#define waitq_wait_timeout(wq, cond, deadline)                                                     \
    ({                                                                                             \
        s64 wait_res = 1;                                                                          \
        if (!(cond)) {                                                                             \
            struct waitq *wait_q = (wq);                                                           \
            struct waitq_entry wait_e = {{&wait_e.link, &wait_e.link}, NULL, false};               \
            u64 wait_until = (deadline);                                                           \
            for (;;) {                                                                             \
                waitq_begin(wait_q, &wait_e, WAIT_INTERRUPTIBLE);                                  \
                if (cond)                                                                          \
                    break;                                                                         \
                int wait_err = waitq_sleep_until(wait_q, &wait_e, wait_until);                     \
                if (wait_err) {                                                                    \
                    wait_res = (cond) ? 1 : wait_err == -ETIMEDOUT ? 0 : wait_err;                 \
                    break;                                                                         \
                }                                                                                  \
            }                                                                                      \
            waitq_end(wait_q, &wait_e);                                                            \
        }                                                                                          \
        wait_res;                                                                                  \
    })
#endif
