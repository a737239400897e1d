/* SPDX-License-Identifier: MIT */
/* Stand-ins for kernel/ and mm/, so that the machine part boots and is tested by itself. */
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/setup.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <mm/fault.h>
#include <mm/phys.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/log.h>
#include <port/random.h>
#define WEAK __attribute__((weak))

static u64 ticks;
static struct thread_ctx idle[NR_CPUS], other;
static char stacks[NR_CPUS][8192] __aligned_to(16);
static char other_stack[16384] __aligned_to(16);
static u64 called;

WEAK u32 mm_fault(struct mm *mm, u64 addr, u32 flags)
{
    return VM_FAULT_MAPERR;
}
WEAK struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    return NULL;
}
WEAK long kernel_syscall(struct regs *regs)
{
    return -38;
}
WEAK void kernel_user_fault(struct regs *regs, u64 addr, u32 vm_fault, u64 error_code)
{
    panic("user fault");
}
WEAK void kernel_user_trap(struct regs *regs, int trapnr, u64 error_code, u64 status)
{
    panic("user trap");
}
WEAK void kernel_exit_to_user(struct regs *regs)
{
}
WEAK void kernel_timer_tick(bool user)
{
    ticks++;
}
WEAK void kernel_reschedule_ipi(void)
{
}
WEAK void kernel_switch_tail(struct thread_ctx *prev)
{
    log_print(LOG_INFO, "tail of %p", prev);
}
WEAK void kernel_oops_exit(struct regs *regs)
{
    panic("oops");
}
WEAK const char *kernel_thread_name(int *pid)
{
    *pid = 0;
    return "boot";
}
WEAK void kernel_ap_main(unsigned cpu)
{
    irq_enable();
    for (;;)
        cpu_halt();
}
static u64 prepare(unsigned cpu)
{
    cpus[cpu].thread = &idle[cpu];
    idle[cpu].stack_top = (u64)stacks[cpu] + 8192;
    return idle[cpu].stack_top;
}
static void count(void *arg)
{
    __atomic_fetch_add(&called, 1, __ATOMIC_SEQ_CST);
}
static void other_fn(void *arg)
{
    log_print(LOG_INFO, "other thread, arg %p, irqs %d", arg, irq_enabled());
    irq_disable();
    arch_switch(&other, cpus[0].thread == &other ? &idle[0] : NULL);
}
WEAK void kernel_main(void)
{
    const struct mem_range *r;
    size_t n = mem_ranges(&r);
    for (size_t i = 0; i < n; i++)
        log_print(LOG_INFO, "range %#lx-%#lx node %u %s", r[i].base, r[i].base + r[i].size,
                  r[i].node, r[i].kind ? "reserved" : "free");
    log_print(LOG_INFO, "initrd %p %lu", boot_initrd, boot_initrd_size);
    idle[0] = *cpu_thread();
    this_cpu()->thread = &idle[0];
    idle[0].stack_top = (u64)stacks[0] + 8192;
    irq_enable();
    u64 t0 = clock_ns();
    n = smp_boot_cpus(prepare);
    log_print(LOG_INFO, "%lu CPUs in %lu us", n, (clock_ns() - t0) / 1000);
    smp_call(CPUMASK_ALL, count, NULL);
    log_print(LOG_INFO, "%lu CPUs called", called);
    t0 = clock_ns();
    for (int i = 0; i < 1000; i++)
        mmu_flush_kernel(VMALLOC_BASE, VMALLOC_BASE + 4096);
    log_print(LOG_INFO, "flush: %lu ns", (clock_ns() - t0) / 1000);
    t0 = clock_ns();
    arch_timer_program(t0 + 2000000);
    while (!ticks) {
        irq_disable();
        if (!ticks)
            cpu_halt();
    }
    log_print(LOG_INFO, "tick after %lu us", (clock_ns() - t0) / 1000);
    log_print(LOG_INFO, "memmap[mid].refcount %d", memmap[memory_top >> 13].refcount);
    u64 v = 1;
    int e1 = get_user(v, 0x1000), e2 = put_user(1, 0x8000000000000UL),
        e3 = get_user(v, 0xffff888000000000);
    log_print(LOG_INFO, "get_user %d put_user %d kernel %d", e1, e2, e3);
    irq_disable();
    arch_thread_init(&other, (u64)other_stack + 16384, other_fn, (void *)42);
    struct thread_ctx *prev = arch_switch(&idle[0], &other);
    log_print(LOG_INFO, "back from %p %p", prev, &other);
    irq_enable();
    log_print(LOG_INFO, "random %lx %lx wall %lu", random_u64(), random_u64(),
              arch_boot_wall_ns() / 1000000000);
    if (cmdline_has("oops"))
        *(volatile int *)(clock_ns() & 8) = 1;
    if (cmdline_has("wx"))
        *(volatile char *)text_start = 1;
    if (cmdline_has("wxalias"))
        *(volatile char *)phys_to_virt(image_phys(text_start)) = 1;
    if (cmdline_has("reboot"))
        arch_reboot();
    arch_poweroff();
}
