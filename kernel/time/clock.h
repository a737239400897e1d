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
u64 process_cpu_ns(struct process *p);
void timerfd_clock_was_set(void);
#endif
