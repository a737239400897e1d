/* SPDX-License-Identifier: MIT */
/*
 * A fault of the kernel itself: registers, backtrace, then the current thread is killed; in an
 * interrupt, before there are threads, or with "oops=panic" the machine stops.
 */
#include <arch/backtrace.h>
#include <arch/boot.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <port/cpu.h>
#include <port/log.h>
#include "oops.h"

static u32 nr_oopses;

/* Code addresses only: return addresses lie in .text. */
static bool is_text(u64 addr)
{
    return addr >= (u64)text_start && addr < (u64)text_end;
}

/* A frame must lie in the kernel's half, above the one before, and not absurdly far. */
void backtrace_print(u64 rbp)
{
    log_print(LOG_EMERG, "Call Trace:");
    for (unsigned depth = 0; depth < 32; depth++) {
        if ((s64)rbp >= 0 || rbp & 7 || rbp > U64_MAX - 16)
            break;
        const u64 *frame = (const u64 *)rbp;
        if (!is_text(frame[1]))
            break;
        log_print(LOG_EMERG, " [<%016lx>]", frame[1]);
        if (frame[0] <= rbp || frame[0] - rbp > 65536)
            break;
        rbp = frame[0];
    }
}

void regs_print(const struct regs *r)
{
    int pid = 0;
    const char *name = kernel_thread_name(&pid);
    u64 cr2, cr3;
    __asm__ volatile("movq %%cr2, %0\n movq %%cr3, %1" : "=r"(cr2), "=r"(cr3));
    log_print(LOG_EMERG, "CPU: %u PID: %d Comm: %s", cpu_id(), pid, name);
    log_print(LOG_EMERG, "RIP: %04lx:%016lx  RSP: %04lx:%016lx EFLAGS: %08lx", r->cs, r->rip, r->ss,
              r->rsp, r->rflags);
    log_print(LOG_EMERG, "RAX: %016lx RBX: %016lx RCX: %016lx", r->rax, r->rbx, r->rcx);
    log_print(LOG_EMERG, "RDX: %016lx RSI: %016lx RDI: %016lx", r->rdx, r->rsi, r->rdi);
    log_print(LOG_EMERG, "RBP: %016lx R08: %016lx R09: %016lx", r->rbp, r->r8, r->r9);
    log_print(LOG_EMERG, "R10: %016lx R11: %016lx R12: %016lx", r->r10, r->r11, r->r12);
    log_print(LOG_EMERG, "R13: %016lx R14: %016lx R15: %016lx", r->r13, r->r14, r->r15);
    log_print(LOG_EMERG, "CR2: %016lx CR3: %016lx ORIG: %016lx", cr2, cr3, r->orig_rax);
}

void oops(struct regs *regs, const char *what, u64 error)
{
    char value[16];
    log_print(LOG_EMERG, "%s: %04lx [#%u] SMP", what, error,
              __atomic_add_fetch(&nr_oopses, 1, __ATOMIC_RELAXED));
    regs_print(regs);
    backtrace_print(regs->rbp);
    if (in_interrupt() || !cpu_kernel() || !(regs->rflags & RFLAGS_IF))
        panic("Fatal exception%s", in_interrupt() ? " in interrupt" : "");
    if (cmdline_get("oops", value, sizeof(value)) && value[0] == 'p')
        panic("Fatal exception");
    irq_enable();
    kernel_oops_exit(regs);
}

void oops_page_fault(struct regs *regs, u64 error, u64 addr)
{
    if (addr < 4096)
        log_print(LOG_EMERG, "BUG: kernel NULL pointer dereference, address: %016lx", addr);
    else
        log_print(LOG_EMERG, "BUG: unable to handle page fault for address: %016lx", addr);
    log_print(LOG_EMERG, "#PF: %s %s in kernel mode, %s", error & 16 ? "instruction" : "data",
              error & 2 ? "write" : "read",
              error & 1 ? "permissions violation" : "not-present page");
    oops(regs, "Oops", error);
}
