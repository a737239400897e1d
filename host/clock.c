/* SPDX-License-Identifier: MIT */
/* Virtual time and seeded randomness. Time moves with scheduling points and with each look at it. */
#include <host/sched_internal.h>
#include <lib/hash.h>
#include <port/clock.h>
#include <port/random.h>

u64 clock_ns(void)
{
    return __atomic_add_fetch(&host_machine.clock, 1, __ATOMIC_RELAXED);
}

/* Counted, not drawn from the scheduler's generator: a change of schedule changes no address. */
u64 random_u64(void)
{
    u64 n = __atomic_add_fetch(&host_machine.draws, 1, __ATOMIC_RELAXED);
    return mix64(host_machine.cfg.seed * 0x9e3779b97f4a7c15UL + n);
}
