/* SPDX-License-Identifier: MIT */
/*
 * Threads on the CPU: birth, switch, segment bases.
 *
 * User mode's FS and GS bases live in the CPU while the thread runs (with FSGSBASE a program may
 * change them without telling), in struct thread_ctx otherwise. In kernel mode the user's GS base
 * is in MSR_KERNEL_GS.
 */
#include <arch/asm.h>
#include <arch/debug.h>
#include <arch/setup.h>
#include <arch/thread.h>
#include <arch/trap.h>
#include <arch/tss.h>
#include <lib/errno.h>
#include <port/cpu.h>
#include "fpu.h"

struct thread_ctx *switch_stacks(struct thread_ctx *prev, struct thread_ctx *next);
extern char thread_begin[];

BUILD_ASSERT(offsetof(struct thread_ctx, work) == CTX_WORK);
BUILD_ASSERT(offsetof(struct thread_ctx, rsp) == CTX_RSP);
BUILD_ASSERT(ARCH_WORK_IRET == WORK_IRET);

/* What switch_stacks() pops. */
struct switch_frame {
    u64 r15, r14, r13, r12, rbx, rbp, ret;
};

static inline u64 rdfsbase(void)
{
    u64 v;
    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}
static inline void wrfsbase(u64 v)
{
    __asm__ volatile("wrfsbase %0" ::"r"(v));
}

static inline u64 cpu_fs_base(void)
{
    return cpu_feat.fsgsbase ? rdfsbase() : rdmsr(MSR_FS_BASE);
}

static inline void cpu_set_fs_base(u64 v)
{
    if (cpu_feat.fsgsbase)
        wrfsbase(v);
    else
        wrmsr(MSR_FS_BASE, v);
}

/* Selectors are zero in nearly every 64-bit program. Loading FS or GS changes its base, so bases
 * come after. */
static inline void save_segments(struct thread_ctx *t)
{
    __asm__ volatile("movw %%fs, %0\n movw %%gs, %1\n movw %%ds, %2\n movw %%es, %3"
                     : "=m"(t->fs), "=m"(t->gs), "=m"(t->ds), "=m"(t->es));
}

static inline u64 selectors(const struct thread_ctx *t)
{
    u64 v;
    __builtin_memcpy(&v, &t->fs, 8);
    return v;
}
BUILD_ASSERT(offsetof(struct thread_ctx, es) == offsetof(struct thread_ctx, fs) + 6);

/* Interrupts off: between the load of GS and the restored base there is no struct cpu. A selector
 * whose segment is gone can't occur: the GDT never changes, and user mode could load only what is
 * in it. */
static void load_selectors(const struct thread_ctx *t)
{
    struct cpu *cpu = this_cpu();
    __asm__ volatile("movw %0, %%ds\n movw %1, %%es\n movw %2, %%fs" ::"m"(t->ds), "m"(t->es),
                     "m"(t->fs));
    __asm__ volatile("movw %0, %%gs" ::"m"(t->gs));
    wrmsr(MSR_GS_BASE, (u64)cpu);
}

static inline void switch_segments(struct thread_ctx *prev, struct thread_ctx *next)
{
    save_segments(prev);
    prev->fs_base = cpu_fs_base();
    if (cpu_feat.fsgsbase)
        prev->gs_base = rdmsr(MSR_KERNEL_GS);
    if (unlikely(selectors(prev) | selectors(next)))
        load_selectors(next);
    cpu_set_fs_base(next->fs_base);
    if (prev->gs_base != next->gs_base || unlikely(selectors(prev) | selectors(next)))
        wrmsr(MSR_KERNEL_GS, next->gs_base);
}

/* The rest of a switch when one of the two has debug registers, or a tracer of its system calls. */
static struct thread_ctx *switch_special(struct thread_ctx *prev, struct thread_ctx *next)
{
    debug_switch(prev, next);
    this_cpu()->syscall = next->special & ARCH_SPECIAL_SYSCALL ? kernel_syscall_traced : kernel_syscall;
    return switch_stacks(prev, next);
}

struct thread_ctx *arch_switch(struct thread_ctx *prev, struct thread_ctx *next)
{
    struct cpu *cpu = this_cpu();
    switch_segments(prev, next);
    fpu_switch(cpu, prev, next);
    cpu->thread = next;
    cpu->stack_top = next->stack_top;
    cpu->tss->rsp[0] = next->stack_top;
    if (unlikely(prev->special | next->special))
        return switch_special(prev, next);
    return switch_stacks(prev, next);
}

void arch_thread_init(struct thread_ctx *t, u64 stack_top, void (*fn)(void *), void *arg)
{
    void *fpu = t->fpu;
    *t = (struct thread_ctx){.fpu = fpu, .fpu_cpu = ~0u, .stack_top = stack_top};
    struct regs *regs = thread_regs(t);
    *regs = (struct regs){
        .orig_rax = U64_MAX, .cs = USER_CS, .ss = USER_DS, .rflags = RFLAGS_IF | RFLAGS_FIXED};
    struct switch_frame *f = (struct switch_frame *)regs - 1;
    *f = (struct switch_frame){.rbx = (u64)fn, .r12 = (u64)arg, .ret = (u64)thread_begin};
    t->rsp = (u64)f;
    if (fpu)
        arch_fpu_init(t);
}

void arch_thread_fork(struct thread_ctx *child, struct thread_ctx *parent)
{
    u64 flags = irq_save();
    save_segments(parent);
    child->fs = parent->fs;
    child->gs = parent->gs;
    child->ds = parent->ds;
    child->es = parent->es;
    child->fs_base = thread_fs_base(parent);
    child->gs_base = thread_gs_base(parent);
    fpu_fork(child);
    irq_restore(flags);
}

void arch_thread_exec(struct thread_ctx *t, u64 ip, u64 sp)
{
    struct regs *regs = thread_regs(t);
    *regs = (struct regs){
        .orig_rax = U64_MAX,
        .rip = ip,
        .rsp = sp,
        .cs = USER_CS,
        .ss = USER_DS,
        .rflags = RFLAGS_IF | RFLAGS_FIXED,
    };
    u64 flags = irq_save();
    t->fs = t->gs = t->ds = t->es = 0;
    load_selectors(t);
    t->fs_base = t->gs_base = 0;
    cpu_set_fs_base(0);
    wrmsr(MSR_KERNEL_GS, 0);
    fpu_reset(t);
    irq_restore(flags);
    thread_set_work(t, ARCH_WORK_IRET);
}

u64 thread_fs_base(struct thread_ctx *t)
{
    return t == cpu_thread() ? cpu_fs_base() : t->fs_base;
}

u64 thread_gs_base(struct thread_ctx *t)
{
    return t == cpu_thread() ? rdmsr(MSR_KERNEL_GS) : t->gs_base;
}

void arch_thread_segments(struct thread_ctx *t, u16 seg[4])
{
    if (t == cpu_thread())
        save_segments(t);
    seg[0] = t->ds, seg[1] = t->es, seg[2] = t->fs, seg[3] = t->gs;
}

void arch_thread_set_segment(struct thread_ctx *t, unsigned n, u16 selector)
{
    u16 *const at[4] = {&t->ds, &t->es, &t->fs, &t->gs};
    bool exists = selector == USER_DS || selector == USER_CS || selector == USER32_CS;
    *at[n] = exists ? selector : 0;
}

void thread_sync_special(struct thread_ctx *t)
{
    u64 flags = irq_save();
    this_cpu()->syscall = t->special & ARCH_SPECIAL_SYSCALL ? kernel_syscall_traced : kernel_syscall;
    irq_restore(flags);
}

/* Linux refuses bases beyond user space. */
static bool base_ok(u64 base)
{
    return base < (pt_levels() == 5 ? 1UL << 56 : 1UL << 47) - PAGE_SIZE;
}

int thread_set_fs_base(struct thread_ctx *t, u64 base)
{
    if (!base_ok(base))
        return -EPERM;
    u64 flags = irq_save();
    t->fs_base = base;
    if (t == cpu_thread()) {
        if (t->fs)
            __asm__ volatile("movl %0, %%fs" ::"r"(0));
        t->fs = 0;
        cpu_set_fs_base(base);
    }
    irq_restore(flags);
    return 0;
}

int thread_set_gs_base(struct thread_ctx *t, u64 base)
{
    if (!base_ok(base))
        return -EPERM;
    u64 flags = irq_save();
    t->gs_base = base;
    if (t == cpu_thread())
        wrmsr(MSR_KERNEL_GS, base);
    irq_restore(flags);
    return 0;
}
