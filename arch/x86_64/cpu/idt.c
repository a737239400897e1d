/* SPDX-License-Identifier: MIT */
/* The IDT, one for all CPUs: every gate is an interrupt gate (interrupts off on entry), entry
 * points in trap/entry.S. */
#include <arch/asm.h>
#include <arch/setup.h>
#include <arch/tss.h>

struct gate {
    u16 offset_lo, selector;
    u8 ist, type;
    u16 offset_mid;
    u32 offset_hi, reserved;
} __packed_struct;
BUILD_ASSERT(sizeof(struct gate) == 16);

/* Entry points: exceptions 0..31 with 16 bytes per table slot (0: reserved vector), interrupts 16
 * bytes apart. */
extern const u64 exception_entries[32];
extern char irq_entries[];
extern char syscall_entry[], syscall32_entry[];

static struct gate idt[256] __ro_after_init;

static void set_gate(unsigned vector, u64 entry, u8 ist, u8 dpl)
{
    idt[vector] = (struct gate){
        .offset_lo = entry,
        .selector = KERNEL_CS,
        .ist = ist,
        .type = 0x8e | dpl << 5,
        .offset_mid = entry >> 16,
        .offset_hi = entry >> 32,
    };
}

void idt_init(void)
{
    for (unsigned v = 0; v < 32; v++) {
        u8 ist = v == TRAP_DF    ? IST_DF
                 : v == TRAP_NMI ? IST_NMI
                 : v == TRAP_MC  ? IST_MC
                 : v == TRAP_DB  ? IST_DB
                                 : 0;
        if (exception_entries[v])
            set_gate(v, exception_entries[v], ist, v == TRAP_BP || v == TRAP_OF ? 3 : 0);
    }
    for (unsigned v = 32; v < 256; v++)
        set_gate(v, (u64)irq_entries + 16 * (v - 32), 0, 0);
}

void idt_load(void)
{
    struct {
        u16 limit;
        u64 base;
    } __packed_struct ptr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" ::"m"(ptr) : "memory");
}

/* SYSCALL enters at syscall_entry with interrupts, direction, trap, nested-task and alignment-
 * check flags clear. */
void syscall_setup(void)
{
    wrmsr(MSR_STAR, (u64)KERNEL_CS << 32 | (u64)USER32_CS << 48);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_CSTAR, (u64)syscall32_entry);
    wrmsr(MSR_SYSCALL_MASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC |
                                RFLAGS_IOPL | RFLAGS_RF | RFLAGS_CF | RFLAGS_PF | RFLAGS_AF |
                                RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_ID);
    wrmsr(MSR_KERNEL_GS, 0);
}
