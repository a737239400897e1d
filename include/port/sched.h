/* SPDX-License-Identifier: MIT */
/*
 * Port: waiting and kernel threads.
 *
 *   struct waitq                       a queue of sleepers; waitq_init(struct waitq *)
 *   waitq_wait(wq, cond)               macro: sleeps until cond (re-evaluated after every wake-up) is true
 *   int waitq_wait_killable(wq, cond)  0, or -EINTR when a fatal signal is pending
 *   int waitq_wait_until(wq, cond, deadline)   as above, but no longer than until clock_ns() == deadline: then -ETIMEDOUT
 *   int waitq_wait_interruptible(wq, cond)  the same for any signal that the home has
 *   waitq_wake_all(wq), waitq_wake_one(wq)   callable from any context, also interrupts
 *   struct kthread *kthread_start(int (*fn)(void *), void *arg, const char *name)   NULL when out of memory
 *   void sched_yield_cpu(void)         lets others run; may sleep
 *   void sched_cond(void)              gives way only if someone waits; for long loops
 *   bool sched_fatal_signal(void)      the current thread is being killed
 *   void sched_count_fault(bool major) the core has handled a fault that the current thread did not take itself (populate,
 *                                      get_user_pages); those that it takes the home counts
 *   s32 sched_thread_id(void)          by which programs know the current thread
 *   bool sched_exiting(void)           the current thread is on its way out: it must not wait for other programs
 *   bool sched_set_memstall(bool on)  the current thread works, or sleeps, only for lack of memory (mm/psi.h): what it was before
 *   bool sched_set_iowait(bool on)    what the current thread sleeps for is a device: what it was before
 *   u32 *sched_mem_flags(void)         the core's word of the current thread, 0 when it starts: THREAD_* in mm/gfp.h. Only the thread
 *                                      itself writes it
 *   struct mm *sched_mm(void)          the address space of the current thread, NULL for kernel threads
 */
#ifndef PORT_SCHED_H
#define PORT_SCHED_H
#include <lib/types.h>
#include <lib/list.h>
#include <port/lock.h>
struct mm;
#include <port_impl/sched.h>
#endif
