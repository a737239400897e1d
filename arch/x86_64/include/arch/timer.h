/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU one-shot timer and delays. Time is clock_ns() (port/clock.h), from the TSC.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H
#include <lib/types.h>

/* This CPU's timer fires kernel_timer_tick() at or after deadline (clock_ns() time); the last call
 * counts; U64_MAX stops it. A deadline in the past fires at once. Callable with interrupts off. */
void arch_timer_program(u64 deadline_ns);
/* Busy wait. */
void udelay(u64 us);
/* Seconds and nanoseconds since 1970 at clock_ns() == 0, from the RTC; 0 when there is none. */
u64 arch_boot_wall_ns(void);
/* ns = ((tsc - base) * mult) >> 32 in 128 bits; the reverse with ticks_per_ns, also a fraction of
 * 2^32. */
struct tsc_scale {
    u64 base, mult, ticks_per_ns;
};
extern struct tsc_scale tsc_scale;
#endif
