/* SPDX-License-Identifier: MIT */
/*
 * Port: the CPUs. A CPU runs core code without being preempted: it switches to another thread only where a function that
 * may sleep is called. Interrupts may come at any time but never enter mm/ except through rcu and wake-ups.
 *
 * Inline, from the home:
 *   unsigned cpu_id(void);              0 .. NR_CPUS-1, the CPU this code runs on
 *   struct mm_cpu *cpu_local(void);     the core's per-CPU data of this CPU (mm/percpu.h), as set by cpu_set_local()
 *   void cpu_relax(void);               in spin loops
 *   void cpu_set_local(unsigned cpu, struct mm_cpu *);   at boot
 *   cpumask_t cpu_online_mask(void);    CPUs that run code
 *   unsigned cpu_nr_possible(void);     1 .. NR_CPUS, fixed before mm_boot()
 */
#ifndef PORT_CPU_H
#define PORT_CPU_H
#include <lib/types.h>
#include <lib/cpumask.h>
struct mm_cpu;
#include <port_impl/cpu.h>
#endif
