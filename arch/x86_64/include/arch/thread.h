/* SPDX-License-Identifier: MIT */
/*
 * The CPU's side of a thread. kernel/ embeds a struct thread_ctx as the FIRST member of its
 * struct thread; the running one is this_cpu()->thread.
 *
 *   kernel stack  THREAD_STACK_SIZE bytes, allocated by kernel/, its top 16-byte aligned. A guard
 *                 page below is welcome: running into it is reported as a double fault. The top
 *                 168 bytes are the struct regs of user mode. C code runs on it with 8-byte
 *                 alignment only: no locals aligned to 16.
 *   fpu           arch_fpu_size() bytes, 64-byte aligned, by kernel/; NULL for kernel threads
 *
 * Invariants
 *  1. `work` is changed atomically (thread_set_work, thread_clear_work). It is looked at with
 *     interrupts off on every way to user mode; while a bit other than ARCH_WORK_IRET is set,
 *     kernel_exit_to_user() is called.
 *  2. The kernel is switched only in arch_switch(), so only callee-saved registers and rsp are
 *     kept.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H
#include <arch/regs.h>
#include <arch/cpu.h>

#define THREAD_STACK_SIZE 16384UL

#define ARCH_WORK_RESCHED 1u /* somebody else should run */
#define ARCH_WORK_SIGNAL  2u /* look at signals */
/* Registers were changed behind SYSCALL's back (sigreturn, exec, ptrace): return by IRET, once. */
#define ARCH_WORK_IRET   4u
#define ARCH_WORK_KERNEL 8u /* this and higher bits: kernel/ as it likes */

struct debug_regs; /* arch/debug.h */

/* Bits of thread_ctx.special: what a switch and the system call entry must do for few threads. */
#define ARCH_SPECIAL_DEBUG   1u /* debug registers in use */
#define ARCH_SPECIAL_SYSCALL 2u /* system calls go to kernel_syscall_traced() */

struct thread_ctx {
    u32 work;      /* offset 0: entry.S */
    u32 fpu_cpu;   /* the CPU whose registers hold fpu's state, if its fpu_owner is this; or ~0 */
    u64 rsp;       /* kernel stack pointer while not running */
    u64 stack_top; /* above the last byte of the kernel stack */
    void *fpu;
    u64 fs_base, gs_base; /* user's; true for a thread that does not run (see thread_fs_base) */
    u64 min_flt, maj_flt; /* page faults of this thread, counted by arch/ */
    u16 fs, gs, ds, es;
    u64 special;              /* ARCH_SPECIAL_*: changed by the thread itself, or while it does not run */
    struct debug_regs *debug; /* kernel/'s; NULL until used */
};

static inline struct thread_ctx *thread_ctx_current(void)
{
    return cpu_thread();
}
/* The user registers of a thread. */
static inline struct regs *thread_regs(const struct thread_ctx *t)
{
    return (struct regs *)t->stack_top - 1;
}
static inline void thread_set_work(struct thread_ctx *t, u32 bits)
{
    __atomic_fetch_or(&t->work, bits, __ATOMIC_SEQ_CST);
}
static inline void thread_clear_work(struct thread_ctx *t, u32 bits)
{
    __atomic_fetch_and(&t->work, ~bits, __ATOMIC_SEQ_CST);
}
static inline bool thread_has_work(const struct thread_ctx *t, u32 bits)
{
    return READ_ONCE(t->work) & bits;
}

/*
 * Prepares a thread that starts with fn(arg) on its stack (stack_top set here, fpu kept as it is).
 * When fn returns, the thread goes to user mode with thread_regs(): so the first process execs in
 * fn and returns. fn == NULL: at once (fork: fill in thread_regs() first). A thread that never goes
 * to user mode must not return from fn.
 */
void arch_thread_init(struct thread_ctx *t, u64 stack_top, void (*fn)(void *), void *arg);
/*
 * fork: copies parent's (the current thread's) FPU state, segment bases and selectors. child->fpu
 * is allocated. The caller copies thread_regs().
 */
void arch_thread_fork(struct thread_ctx *child, struct thread_ctx *parent);
/* exec on the current thread: registers zero but for ip and sp, flags, selectors and bases, FPU as
 * after power-on. */
void arch_thread_exec(struct thread_ctx *t, u64 ip, u64 sp);

/*
 * Switches the CPU from prev (the running one) to next; interrupts off, address space already
 * switched by mmu_switch(). Returns in the context of a later switch back, with the thread that ran
 * just before it. A new thread begins by calling kernel_switch_tail(prev) with interrupts off,
 * enables interrupts, and runs fn.
 */
struct thread_ctx *arch_switch(struct thread_ctx *prev, struct thread_ctx *next);

/* FS and GS base of user mode, of the current thread or of one that does not run. -EPERM for a
 * non-canonical base. */
u64 thread_fs_base(struct thread_ctx *t);
u64 thread_gs_base(struct thread_ctx *t);
int thread_set_fs_base(struct thread_ctx *t, u64 base);
int thread_set_gs_base(struct thread_ctx *t, u64 base);
/* DS, ES, FS, GS of user mode, of the current thread or of one that does not run. */
void arch_thread_segments(struct thread_ctx *t, u16 seg[4]);
/* Sets one (0..3 in that order) of a thread that does not run; one that names no segment of user mode becomes 0. */
void arch_thread_set_segment(struct thread_ctx *t, unsigned n, u16 selector);
/* The running thread's `special` may have been changed from outside: takes over what the system call entry needs. */
void thread_sync_special(struct thread_ctx *t);

/* ---- FPU ---- */
/* Bytes of a thread's area (XSAVE format), fixed after boot. */
size_t arch_fpu_size(void);
/* State after power-on into an area that is not loaded (new threads, exec does it itself). */
void arch_fpu_init(struct thread_ctx *t);
/* Writes the registers of the current thread to t->fpu, for core dumps and ptrace; they stay
 * loaded. */
void arch_fpu_sync(struct thread_ctx *t);
/* The saved state as debuggers see it, of a thread that does not run (or after arch_fpu_sync). Legacy: 512 bytes of FXSAVE;
 * extended: arch_fpu_size() bytes of XSAVE, with XCR0 in the bytes for software. Setting: -EINVAL for what the CPU would refuse. */
void arch_fpu_get_legacy(const struct thread_ctx *t, void *out);
int arch_fpu_set_legacy(struct thread_ctx *t, const void *in);
void arch_fpu_get_extended(const struct thread_ctx *t, void *out);
int arch_fpu_set_extended(struct thread_ctx *t, const void *in);
/* Where a component of the extended state lies; false when the CPU or the kernel has none of that number. */
bool arch_fpu_component(unsigned feature, u32 *off, u32 *size);
/* Bytes that a signal frame needs below the stack pointer for the state, and the alignment (64). */
size_t arch_fpu_frame_size(void);
/* Stores the current thread's state at user address buf (64-byte aligned), in Linux's layout:
 * FXSAVE + sw_reserved (FP_XSTATE_MAGIC1) + XSAVE header + extended part + FP_XSTATE_MAGIC2. 0 or
 * -EFAULT. May sleep. */
int arch_fpu_save_user(u64 buf);
/* After it: the registers as a handler finds them. arch_fpu_save_user() leaves every protection key open until then. */
void arch_fpu_handler_state(void);
/* The reverse, for sigreturn; buf 0 gives the initial state. 0, -EFAULT, or -EINVAL for a state the
 * CPU would refuse. */
int arch_fpu_restore_user(u64 buf);
/* Like XGETBV(0): 0 without XSAVE. */
u64 arch_xfeatures(void);
#endif
