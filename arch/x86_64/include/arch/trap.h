/* SPDX-License-Identifier: MIT */
/*
 * What arch/ calls in kernel/. All run on the kernel stack of the current thread.
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H
#include <arch/regs.h>
struct thread_ctx;

/* ---- start ---- */
/* The boot CPU, once memory is known (mem_ranges()), the final page tables are loaded, traps,
 * LAPIC, clock and the early console work; interrupts off. Other CPUs wait: smp_boot_cpus() starts
 * them. On a boot stack; never returns. mm_boot() is the kernel's to call. */
void kernel_main(void) __noreturn_fn;
/* Another CPU, after smp_boot_cpus() on the boot CPU; interrupts off, its struct cpu complete but
 * for thread, mm_cpu and kernel, which kernel/ has set for it before (see smp.h). Becomes its idle
 * loop; never returns. */
void kernel_ap_main(unsigned cpu) __noreturn_fn;

/* ---- from user mode; interrupts on ---- */
/* Every SYSCALL. Number in regs->orig_rax, arguments rdi rsi rdx r10 r8 r9; rax is -ENOSYS. The
 * result goes to rax. */
long kernel_syscall(struct regs *regs);
/* The same for threads with ARCH_SPECIAL_SYSCALL. */
long kernel_syscall_traced(struct regs *regs);
/* A fault that mm_fault() refused with VM_FAULT_* error bits (mm/fault.h). error_code: the CPU's.
 */
void kernel_user_fault(struct regs *regs, u64 addr, u32 vm_fault, u64 error_code);
/* Any other exception of user mode: trapnr TRAP_*. status: for #MF and #XM the unmasked pending
 * exceptions (bits 0..5: IE DE ZE OE UE PE), for #DB what DR6 says (bit 14: single step). */
void kernel_user_trap(struct regs *regs, int trapnr, u64 error_code, u64 status);
/* On the way to user mode while work bits are set. May sleep, may change regs. Called again as long
 * as bits are set. */
void kernel_exit_to_user(struct regs *regs);

/* ---- interrupts off ---- */
/* The LAPIC timer fired (arch_timer_program). user: it interrupted user mode. */
void kernel_timer_tick(bool user);
/* A reschedule IPI arrived (smp_reschedule). May do nothing when work bits say it all. */
void kernel_reschedule_ipi(void);
/* A new thread's first act; see arch_switch(). */
void kernel_switch_tail(struct thread_ctx *prev);
/* A kernel oops happened on the current thread outside interrupts, and it can be given up: kills
 * it, never returns. */
void kernel_oops_exit(struct regs *regs) __noreturn_fn;
/* Name and pid for oops texts. Any context. */
const char *kernel_thread_name(int *pid);
/* The console once drivers run it: arch/x86_64/log.c calls it for every line instead of the early
 * COM1. NULL: early. */
extern void (*kernel_console_write)(const char *text, size_t n);
/* The ring of log text, for dmesg (syslog(2), /dev/kmsg): copies up to n bytes beginning at
 * sequence byte *pos (moved to the oldest kept when gone), advances *pos, returns the bytes copied.
 */
size_t log_read(u64 *pos, char *out, size_t n);
u64 log_end(void);
/* Messages at this level and above (numerically below) go to the console: 7 by default, 4 with
 * "quiet". */
extern int log_console_level;
#endif
