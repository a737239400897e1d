/* SPDX-License-Identifier: MIT */
/* What host/'s own files share about scheduling. Tests do not include this. */
#ifndef HOST_SCHED_INTERNAL_H
#define HOST_SCHED_INTERNAL_H
#include <host/thread.h>
#include <host/machine.h>

struct host_cpu {
    struct host_thread *cur; /* RUNNING here, or NULL */
    struct list_head ready;
};
extern struct host_cpu host_cpus[NR_CPUS];
extern struct list_head host_threads;

void host_sched_start(void);
void host_sched_stop(void);
/* Panics when a thread but the caller and daemons is alive. */
void host_sched_check_ended(void);

/* The scheduler's own lock: nothing on fibers, one pthread mutex with pthreads. */
void host_sched_lock(void);
void host_sched_unlock(void);
/* sched lock held: the caller sleeps until host_unblock(). Wake-ups may be spurious; the lock is held again on return. */
void host_block(const char *what, const void *obj);
/* The same, but not beyond virtual time deadline; false when it has come. Time jumps there when nobody can run. */
bool host_block_until(const char *what, const void *obj, u64 deadline);
void host_unblock(struct host_thread *t);
/* Fibers: another CPU runs if any can, for a thread that spins on *word (NULL: only relaxes). */
void host_spin_wait(const u32 *word);
/* Panics when the caller may not sleep. */
void host_check_may_sleep(const char *what);

/* host/fiber.c */
void fiber_create(struct host_thread *t);
void fiber_adopt_main(struct host_thread *t);
void fiber_switch(struct host_thread *from, struct host_thread *to);
void fiber_destroy(struct host_thread *t);
/* host/pthread.c */
void pth_create(struct host_thread *t);
void pth_adopt_main(struct host_thread *t);
void pth_wait_grant(struct host_thread *t); /* sched lock held */
void pth_grant(struct host_thread *t);
void pth_destroy(struct host_thread *t);
void pth_join(struct host_thread *t);
void pth_yield(void);
void pth_pause(void); /* 100 us of real time; sched lock not held */
/* host/waitq.c; sched lock held */
void host_wake_locked(struct waitq *wq);
/* The first function of every thread. */
void host_thread_main(struct host_thread *t);

/* host/rcu.c */
void host_rcu_start(void);
void host_rcu_stop(void);
/* host/mmu.c: the CPU is about to run t. */
void host_mmu_dispatch(u32 cpu, struct host_thread *t);
void host_mmu_start(void);
void host_mmu_stop(void);
/* host/arena.c */
void host_arena_start(void);
void host_arena_stop(void);
/* The bytes of a frame as the MMU reaches them, hidden from the core or not. */
u8 *host_frame(pfn_t pfn);
/* host/panic.c: on a fiber that a caught panic passes through. */
void host_panic_resume(void);
#endif
