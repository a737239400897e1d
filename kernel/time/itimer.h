/* SPDX-License-Identifier: MIT */
/* Inside of kernel/time: timers of a process. */
#ifndef KERNEL_TIME_ITIMER_H
#define KERNEL_TIME_ITIMER_H
#include "../proc/proc.h"
#include "clock.h"
#include <kernel/time.h>

/* An interval on a CPU clock, looked at on ticks. next 0: off. */
struct cpu_timer {
    u64 next, interval; /* ns of the clock */
};
struct process_timers {
    struct process *process;
    struct mutex lock;            /* guards all but what fires */
    struct timer real;            /* ITIMER_REAL */
    u64 real_interval, real_base; /* base: the expiry that `real` stands for */
    struct cpu_timer virt, prof;
    struct list_head posix; /* struct ptimer */
    s32 next_id;
};
/* Those of the current process, made on first use; NULL: no memory. */
struct process_timers *process_timers_get(void);
void ptimers_exit(struct process_timers *pt);
void ptimers_check(struct process_timers *pt);
#endif
