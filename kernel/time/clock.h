/* SPDX-License-Identifier: MIT */
/* Inside of kernel/time. */
#ifndef KERNEL_TIME_CLOCK_H
#define KERNEL_TIME_CLOCK_H
#include <kernel/time.h>
struct process;
/* 0 and the clock's time, or -EINVAL. */
int clock_read(s32 clock, s64 *ns);
bool clock_is_wall(s32 clock); /* follows settimeofday */
/* clock_ns() deadline ns from now, saturating below U64_MAX. */
u64 deadline_after(u64 ns);
/*
 * A periodic timer has fired: *base is the time it stood for. Returns how many periods are over (at least 1), moves *base to the
 * next one, and sets *next to when to interrupt for it: not sooner than TIMER_MIN_NS from now, so that a period shorter than its own
 * handling can't take the CPU away from everything else.
 */
#define TIMER_MIN_NS 50000UL
u64 timer_advance(u64 *base, u64 every, u64 now, u64 *next);
u64 process_cpu_ns(struct process *p);
void timerfd_clock_was_set(void);
#endif
