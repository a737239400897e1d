/* SPDX-License-Identifier: MIT */
/* Hosted home: virtual CPUs. A thread carries the number of the CPU it runs on; it changes only while it sleeps. */
#ifndef PORT_IMPL_CPU_H
#define PORT_IMPL_CPU_H

extern __thread u32 host_this_cpu;
extern struct mm_cpu *host_cpu_local[NR_CPUS];
extern u32 host_nr_cpus;
/* A point where another CPU may run: host/sched.c. */
void host_point(void);
/* The same before an access to the word at obj (a lock, an atomic): host/explore.h. */
void host_point_at(const void *obj, bool write);

static inline unsigned cpu_id(void)
{
    return host_this_cpu;
}
static inline struct mm_cpu *cpu_local(void)
{
    return host_cpu_local[host_this_cpu];
}
static inline void cpu_set_local(unsigned cpu, struct mm_cpu *local)
{
    host_cpu_local[cpu] = local;
}
/* Spin loops would never end on fibers unless somebody else runs: always gives way to another CPU. */
void cpu_relax(void);
static inline cpumask_t cpu_online_mask(void)
{
    return cpumask_first_n(host_nr_cpus);
}
static inline unsigned cpu_nr_possible(void)
{
    return host_nr_cpus;
}
#endif
