/* SPDX-License-Identifier: MIT */
/*
 * Threads of the hosted machine and the CPUs they run on.
 *
 *        spawn            dispatch             block
 *   NEW -------> READY -------------> RUNNING -------> BLOCKED
 *                  ^                     |                |
 *                  +---------------------+ yield          |
 *                  +--------------------------------------+ wake
 *
 * RUNNING means: owns its CPU. On fibers only one of the RUNNING threads really executes; host_point() hands over to
 * another CPU's. With pthreads all of them execute.
 *
 * Invariants
 *  H1. A CPU has at most one RUNNING thread; a thread changes CPU only on its way from READY to RUNNING.
 *  H2. A thread that holds a spinlock or is inside rcu_read_lock() never blocks.
 */
#ifndef HOST_THREAD_H
#define HOST_THREAD_H
#include <lib/list.h>
#include <port/lock.h>
#include <port/sched.h>
#include <lib/cpumask.h>

#define HOST_STACK_SIZE  (256u << 10)
#define HOST_MAX_HELD    64
#define HOST_MAX_THREADS 4096

struct host_held {
    const void *lock;
    u8 rank;
    bool spin, shared;
};

enum host_thread_state { HT_READY, HT_RUNNING, HT_BLOCKED, HT_DONE };

struct host_context; /* fiber.c or pthread.c */
struct host_process;

struct host_thread {
    u32 id; /* 0 = the thread that started the machine */
    char name[20];
    u32 cpu;
    bool pinned;  /* stays on its CPU */
    bool daemon;  /* does not keep the machine from being idle: the RCU thread */
    bool nosleep; /* inside callbacks that may not sleep */
    bool killed;  /* a fatal signal is pending */
    enum host_thread_state state;
    struct list_head link; /* ready list of its CPU */
    struct list_head all;
    int (*fn)(void *);
    void *arg;
    int result;
    struct mm *mm; /* loaded while it runs; NULL for kernel threads */
    bool memstall, iowait; /* port/sched.h */
    struct host_process *process;
    u32 pkru; /* rights by protection key; a new thread has its maker's */
    struct waitq done_wq;
    u64 deadline;          /* of a sleep with an end, U64_MAX otherwise */
    const char *wait_what; /* for the deadlock report */
    const void *wait_obj;
    const u32 *spin_word; /* spinning on this lock */
    u32 nr_held, nr_spin;
    struct host_held held[HOST_MAX_HELD];
    u32 mem_flags;  /* sched_mem_flags() */
    u32 core_depth; /* inside the core, for the oracle of host/mmu.c */
    u32 rcu_nest;
    u64 rcu_seen; /* grace-period number at the outermost rcu_read_lock(), 0 = outside */
    struct host_context *ctx;
};

extern __thread struct host_thread *host_current;
/* What task_capable() answers, a bit for each capability; none when a machine starts. task_personality_seen stands for all, too. */
extern u64 host_capabilities;

/* A new thread, ready to run on cpu (U32_MAX: any). Pinned when cpu is given. */
struct host_thread *host_thread_start(int (*fn)(void *), void *arg, const char *name, u32 cpu);
/* Waits for its end, frees it and returns its result. */
int host_thread_join(struct host_thread *t);
/* A fatal signal: ends killable sleeps. */
void host_thread_kill(struct host_thread *t);
/* Lets all others run until none can. */
void host_run_until_idle(void);
/* The caller is user code here: may be preempted by another thread of its CPU, and may move. */
void host_user_point(void);
/* Moves the caller to cpu. */
void host_thread_move(u32 cpu);
#endif
