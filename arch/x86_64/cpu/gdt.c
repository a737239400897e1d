/* SPDX-License-Identifier: MIT */
/*
 * Segments and the TSS of each CPU. With SYSRET the order is given: USER32_CS, USER_DS, USER_CS.
 *
 *   IST stacks are IST_STACK_SIZE bytes, aligned to that; their lowest word points to the CPU's
 *   struct cpu, because the entry code that runs on them can't trust GS (trap/entry.S).
 */
#include <arch/asm.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <arch/tss.h>
#include <port/cpu.h>
#include <port/log.h>

struct cpu cpus[NR_CPUS];
u64 cpu_read_dep;
cpumask_t cpu_online;
unsigned cpu_possible = 1;

BUILD_ASSERT(offsetof(struct cpu, self) == CPU_SELF);
BUILD_ASSERT(offsetof(struct cpu, user_rsp) == CPU_USER_RSP);
BUILD_ASSERT(offsetof(struct cpu, stack_top) == CPU_STACK_TOP);
BUILD_ASSERT(offsetof(struct cpu, thread) == CPU_THREAD);
BUILD_ASSERT(offsetof(struct cpu, syscall) == CPU_SYSCALL);
BUILD_ASSERT(offsetof(struct regs, rax) == REGS_RAX);
BUILD_ASSERT(offsetof(struct regs, orig_rax) == REGS_ORIG_RAX);
BUILD_ASSERT(offsetof(struct regs, rip) == REGS_RIP);
BUILD_ASSERT(offsetof(struct regs, cs) == REGS_CS);
BUILD_ASSERT(sizeof(struct regs) == REGS_SIZE);
BUILD_ASSERT(KERNEL_CS == SEL_KERNEL_CS && USER_CS == SEL_USER_CS && USER_DS == SEL_USER_DS);

#define SEL_TSS 0x40
enum { GDT_ENTRIES = 10 };

struct cpu_tables {
    u64 gdt[GDT_ENTRIES];
    struct tss tss;
} __aligned_to(64);
static struct cpu_tables tables[NR_CPUS];
static char boot_ist[NR_IST - 1][IST_STACK_SIZE] __aligned_to(IST_STACK_SIZE);

static void set_tss(u64 *gdt, const struct tss *tss)
{
    u64 base = (u64)tss;
    gdt[SEL_TSS / 8] = (sizeof(*tss) - 1) | ((base & 0xffffff) << 16) | (0x89UL << 40) |
                       ((base >> 24 & 0xff) << 56);
    gdt[SEL_TSS / 8 + 1] = base >> 32;
}

/* The boot CPU has its stacks in the image: it needs them before there is any memory. */
static char *ist_stacks(const struct cpu *cpu)
{
    if (cpu == &cpus[0])
        return &boot_ist[0][0];
    phys_t pa =
        memory_alloc((NR_IST - 1) * IST_STACK_SIZE, IST_STACK_SIZE, 1UL << 20, U64_MAX, ~0u);
    return pa ? phys_to_virt(pa) : NULL;
}

/* Fills a CPU's tables; the boot CPU does it for all before the core takes the memory. False: no
 * memory. */
bool gdt_prepare(struct cpu *cpu)
{
    struct cpu_tables *t = &tables[cpu->id];
    char *stack = ist_stacks(cpu);
    if (!stack)
        return false;
    t->gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
    t->gdt[KERNEL_DS / 8] = 0x00cf93000000ffff;
    t->gdt[USER32_CS / 8] = 0x00cffb000000ffff;
    t->gdt[USER_DS / 8] = 0x00cff3000000ffff;
    t->gdt[USER_CS / 8] = 0x00affb000000ffff;
    t->tss.iomap = sizeof(t->tss);
    set_tss(t->gdt, &t->tss);
    for (unsigned i = IST_DF; i < NR_IST; i++, stack += IST_STACK_SIZE) {
        *(struct cpu **)stack = cpu;
        t->tss.ist[i - 1] = (u64)(stack + IST_STACK_SIZE);
    }
    cpu->self = cpu;
    cpu->tss = &t->tss;
    cpu->syscall = kernel_syscall;
    return true;
}

void gdt_load(struct cpu *cpu)
{
    struct cpu_tables *t = &tables[cpu->id];
    struct {
        u16 limit;
        u64 base;
    } __packed_struct ptr = {sizeof(t->gdt) - 1, (u64)t->gdt};
    t->gdt[SEL_TSS / 8] &= ~(2UL << 40); /* not busy */
    __asm__ volatile("lgdt %0" ::"m"(ptr) : "memory");
    __asm__ volatile("pushq %0\n leaq 1f(%%rip), %%rax\n pushq %%rax\n lretq\n 1:" ::"i"(KERNEL_CS)
                     : "rax", "memory");
    __asm__ volatile(
        "movl %0, %%ss\n movl %1, %%ds\n movl %1, %%es\n movl %1, %%fs" ::"r"(KERNEL_DS), "r"(0)
        : "memory");
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
    /* Loading GS would clear its base; boot code left it a null selector. */
}
