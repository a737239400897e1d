/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H
#include <arch/cpu.h>

/*
 * Starts the other CPUs (MADT; "nosmp", "maxcpus=N") one after the other. For each, prepare(cpu) is
 * called on the boot CPU first: kernel/ sets cpus[cpu].thread (its idle thread), .kernel and
 * cpu_set_local(); it returns the stack top for it, or 0 to leave that CPU off. Returns the number
 * of CPUs online. Interrupts on. Called once.
 */
unsigned smp_boot_cpus(u64 (*prepare)(unsigned cpu));

/* Makes `cpu` take a reschedule interrupt (wakes it from halt, makes it look at its work bits). Any
 * context. */
void smp_reschedule(unsigned cpu);
/* Calls fn(arg) on every CPU of the set but this one, with interrupts off there, and waits for all.
 * Interrupts on, no irqsave lock held. */
void smp_call(cpumask_t set, void (*fn)(void *), void *arg);
/* Halts all other CPUs for good (panic, reboot). */
void smp_stop_others(void);
#endif
