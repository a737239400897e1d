/* SPDX-License-Identifier: MIT */
/* Port: the CPUs, on x86-64. Contract in <port/cpu.h>. */
#ifndef PORT_IMPL_CPU_H
#define PORT_IMPL_CPU_H
#include <arch/cpu.h>

static inline unsigned cpu_id(void)
{
    u32 v;
    __asm__("movl %%gs:%c1, %0" : "=r"(v) : "i"(offsetof(struct cpu, id)), "m"(cpu_read_dep));
    return v;
}
static inline struct mm_cpu *cpu_local(void)
{
    return (struct mm_cpu *)CPU_READ64(offsetof(struct cpu, mm_cpu));
}
static inline void cpu_relax(void)
{
    cpu_pause();
}
static inline void cpu_set_local(unsigned cpu, struct mm_cpu *local)
{
    cpus[cpu].mm_cpu = local;
}

extern cpumask_t cpu_online; /* grows atomically while CPUs come up */
extern unsigned cpu_possible;
static inline cpumask_t cpu_online_mask(void)
{
    return cpumask_load(&cpu_online);
}
static inline unsigned cpu_nr_possible(void)
{
    return cpu_possible;
}
#endif
