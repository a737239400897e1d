/* SPDX-License-Identifier: MIT */
/*
 * struct cpu: what each CPU keeps at %gs:0, the interrupt flag, and the instructions without a C
 * name. kernel/ keeps its own per-CPU data behind `kernel`.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H
#include <lib/types.h>
#include <lib/cpumask.h>

struct mm_cpu;
struct mmu_ctx;
struct thread_ctx;
struct regs;
struct tss;

struct cpu {
    struct cpu *self;             /* 0 */
    u64 user_rsp;                 /* 8: scratch of the SYSCALL entry */
    u64 stack_top;                /* 16: where the running thread's struct regs ends */
    struct thread_ctx *thread;    /* 24: the running thread, never NULL once kernel_main() runs */
    struct mm_cpu *mm_cpu;        /* 32: cpu_local() */
    u32 id;                       /* 40 */
    u32 apic_id;                  /* 44 */
    void *kernel;                 /* 48: kernel/'s per-CPU data */
    struct mmu_ctx *mmu;          /* 56: the space whose root is loaded; NULL: the kernel's own */
    struct thread_ctx *fpu_owner; /* 64 */
    u64 irq_depth;                /* 72: > 0 inside an interrupt handler */
    long (*syscall)(struct regs *); /* 80: kernel_syscall, or kernel_syscall_traced */
    u64 flush_from;               /* 88: CPUs that want a TLB flush here; atomic */
    u64 call_from;                /* 96: CPUs that want a function called here; atomic */
    u64 nr_irqs, nr_ipis, nr_ticks;
    struct tss *tss;
    bool lazy; /* runs a kernel thread on a borrowed space */
    bool online;
    bool polling; /* spins and answers flush requests by itself */
} __aligned_to(64);
BUILD_ASSERT(offsetof(struct cpu, id) == 40);
BUILD_ASSERT(offsetof(struct cpu, kernel) == 48);

extern struct cpu cpus[NR_CPUS];

/* Reads of the own struct cpu: one load each. They depend on memory, so the compiler repeats them
 * after calls that may have slept and moved the thread. */
extern u64 cpu_read_dep;
#define CPU_READ64(off)                                                                            \
    ({                                                                                             \
        u64 cpu_read_v;                                                                            \
        __asm__("movq %%gs:%c1, %0" : "=r"(cpu_read_v) : "i"(off), "m"(cpu_read_dep));             \
        cpu_read_v;                                                                                \
    })
static inline struct cpu *this_cpu(void)
{
    return (struct cpu *)CPU_READ64(0);
}
static inline struct thread_ctx *cpu_thread(void)
{
    return (struct thread_ctx *)CPU_READ64(24);
}
static inline void *cpu_kernel(void)
{
    return (void *)CPU_READ64(48);
}
static inline bool in_interrupt(void)
{
    return CPU_READ64(72) != 0;
}

/* ---- interrupts of this CPU ---- */
#define IRQ_FLAG (1UL << 9)
static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline u64 irq_flags(void)
{
    u64 f;
    __asm__ volatile("pushfq; popq %0" : "=r"(f)::"memory");
    return f;
}
static inline bool irq_enabled(void)
{
    return irq_flags() & IRQ_FLAG;
}
static inline u64 irq_save(void)
{
    u64 f = irq_flags();
    irq_disable();
    return f;
}
static inline void irq_restore(u64 f)
{
    if (f & IRQ_FLAG)
        irq_enable();
}
/* Idle: entered with interrupts off after the last look for work; enables them and halts in one
 * step, returns with interrupts on after the next one. */
static inline void cpu_halt(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}

/* ---- instructions ---- */
static inline void cpu_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline u64 rdtsc(void)
{
    u32 lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((u64)hi << 32) | lo;
}
static inline u64 rdmsr(u32 msr)
{
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
    return ((u64)hi << 32) | lo;
}
static inline void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
struct cpuid {
    u32 a, b, c, d;
};
static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

/* ---- features, set once by the boot CPU ---- */
struct cpu_features {
    bool la57, nx, smep, smap, umip, pge, pcid, invpcid, gb_pages, fsgsbase, x2apic, tsc_deadline,
        tsc_invariant;
    bool xsave, xsaveopt, xsavec, rdrand, rdseed, erms, rdtscp, hypervisor, syscall_ok, pat, pku;
    u8 phys_bits, virt_bits;
    char vendor[13];
    char model_name[49];
    u32 family, model, stepping;
    u32 cap_1_edx; /* CPUID(1).EDX: AT_HWCAP */
};
extern struct cpu_features cpu_feat;
/* AT_HWCAP2: bit 1 = FSGSBASE usable. */
u64 arch_hwcap2(void);
/* TSC in kHz, for /proc/cpuinfo ("cpu MHz"). */
u64 arch_tsc_khz(void);
#endif
