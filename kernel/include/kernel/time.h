/* SPDX-License-Identifier: MIT */
/*
 * Time. Bodies in kernel/time/. One timer queue per CPU: a pairing heap by deadline, driven by the CPU's one-shot timer.
 *
 *   timer_start() -> heap of this CPU -> arch timer interrupt -> fn(timer), interrupts off, no lock held
 *
 * T1. A timer is in at most one heap; timer->cpu names it while timer->queued.
 * T2. fn runs on the CPU that started the timer; it may start the timer again; it must not free it.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H
#include <lib/types.h>
#include <port/lock.h>

#define NSEC_PER_SEC             1000000000L
#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11

struct timer {
    u64 deadline;                         /* clock_ns() */
    struct timer *child, *sibling, *prev; /* heap: prev is the left sibling or the parent */
    void (*fn)(struct timer *t);
    s32 cpu;
    bool queued, running;
};
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re)arms for an absolute clock_ns(). Any context. */
void timer_start(struct timer *t, u64 deadline);
/* true when it was queued. On return fn is not running on any other CPU unless called from fn itself. */
bool timer_cancel(struct timer *t);
/* The architecture's timer interrupt; interrupts off. */
void timer_interrupt(void);
/* When this CPU must be woken next; U64_MAX: never. */
u64 timer_next_deadline(void);

/* Wall clock: nanoseconds since 1970. */
s64 realtime_ns(void);
void realtime_set(s64 ns);
/* Reads the CMOS clock; at boot. */
void realtime_init(void);

/* User's struct timespec at addr. 0, -EFAULT, -EINVAL (negative or nsec out of range). */
int timespec_from_user(u64 addr, s64 *sec, s64 *nsec);
int timespec_to_user(u64 addr, s64 ns);
/* Relative timespec to an absolute clock_ns() deadline, saturating; addr 0: ~0 (no timeout). */
int timeout_from_user(u64 addr, u64 *deadline);
/* Saturating sec/nsec to ns. */
u64 timespec_to_ns(s64 sec, s64 nsec);
#endif
