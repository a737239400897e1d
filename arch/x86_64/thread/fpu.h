/* SPDX-License-Identifier: MIT */
/* The FPU at a switch; see thread/fpu.c. Interrupts off. */
#ifndef THREAD_FPU_H
#define THREAD_FPU_H
#include <arch/thread.h>

extern u64 fpu_features; /* XCR0; 0: FXSAVE only */
extern bool fpu_opt;     /* XSAVEOPT */
extern u32 fpu_mxcsr_mask; /* bits that MXCSR may have */

static inline void fpu_store(void *area)
{
    u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);
    if (fpu_opt)
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
    else if (fpu_features)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}
static inline void fpu_load(const void *area)
{
    u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);
    if (fpu_features)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

/* The state of prev goes to memory; next's is loaded unless this CPU still has it. Kernel threads
 * leave both alone. */
static inline void fpu_switch(struct cpu *cpu, struct thread_ctx *prev, struct thread_ctx *next)
{
    u32 id = cpu->id;
    if (prev->fpu) {
        fpu_store(prev->fpu);
        prev->fpu_cpu = id;
        cpu->fpu_owner = prev;
    }
    if (next->fpu && (cpu->fpu_owner != next || next->fpu_cpu != id)) {
        fpu_load(next->fpu);
        cpu->fpu_owner = next;
        next->fpu_cpu = id;
    }
}
void fpu_fork(struct thread_ctx *child);
void fpu_reset(struct thread_ctx *t);
#endif
