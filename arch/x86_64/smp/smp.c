/* SPDX-License-Identifier: MIT */
/*
 * Other CPUs: starting, calling, stopping.
 *
 *   boot CPU: prepare(cpu) ─ INIT ─ STARTUP(page) ─ waits until cpu->online
 *   other:    trampoline (16, 32, 64 bit) ─ ap_start64 ─ smp_ap_main ─ kernel_ap_main
 *
 * A function call is a request in the caller's slot, answered like a flush (mm/tlb.c).
 * Invariant 1: one CPU at a time is in the trampoline; its data are the boot CPU's until
 * cpu->online is set.
 */
#include <arch/asm.h>
#include <arch/boot.h>
#include <arch/setup.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <port/cpu.h>
#include <port/log.h>
#include <port/mmu.h>

/* trampoline.S; the data are filled in the copy. */
extern u8 trampoline_start[], trampoline_end[];
struct trampoline_data {
    u64 entry, stack, cpu, root; /* for ap_start64 */
    u32 cr3, cr4, efer, reserved;
};
extern struct trampoline_data trampoline_data;
extern u32 boot_cr3, boot_cr4, boot_efer;
extern char ap_start64[];

void smp_ap_main(struct cpu *cpu);

static phys_t trampoline_page;
static u64 start_stamp; /* TSC of the boot CPU before it started the CPU under way */

struct call_request {
    void (*fn)(void *);
    void *arg;
    u64 pending;
} __aligned_to(64);
static struct call_request calls[NR_CPUS];

/* Below 640 KiB, taken while memory is still the home's. */
void smp_prepare(void)
{
    if (cpu_possible > 1)
        trampoline_page = memory_alloc(PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, 0xa0000, ~0u);
}

void smp_ap_main(struct cpu *cpu)
{
    gdt_load(cpu);
    idt_load();
    wrmsr(MSR_GS_BASE, (u64)cpu);
    cpu_setup();
    cpu_set_tsc_aux();
    fpu_setup();
    lapic_setup();
    lapic_timer_setup();
    clock_check_cpu(start_stamp);
    cpu->stack_top = cpu->thread->stack_top;
    cpumask_set_atomic(&cpu_online, cpu->id);
    store_release(&cpu->online, true);
    kernel_ap_main(cpu->id);
}

static bool wait_online(const struct cpu *cpu, u64 us)
{
    for (u64 i = 0; i < us / 10 && !load_acquire(&cpu->online); i++)
        udelay(10);
    return load_acquire(&cpu->online);
}

/* A second STARTUP is for hardware that missed the first; a CPU that runs already ignores it. */
static bool start_cpu(struct cpu *cpu, u64 stack)
{
    struct trampoline_data *d =
        (struct trampoline_data *)((char *)phys_to_virt(trampoline_page) +
                                   ((u8 *)&trampoline_data - trampoline_start));
    *d = (struct trampoline_data){
        .entry = (u64)ap_start64,
        .stack = stack,
        .cpu = (u64)cpu,
        .root = mmu_kernel_root(),
        .cr3 = boot_cr3,
        .cr4 = boot_cr4,
        .efer = boot_efer,
    };
    start_stamp = rdtsc();
    lapic_send_init(cpu->apic_id);
    udelay(cpu_feat.hypervisor ? 10 : 10000);
    lapic_send_startup(cpu->apic_id, (u8)(trampoline_page >> PAGE_SHIFT));
    if (wait_online(cpu, 20000))
        return true;
    lapic_send_startup(cpu->apic_id, (u8)(trampoline_page >> PAGE_SHIFT));
    return wait_online(cpu, 2000000);
}

unsigned smp_boot_cpus(u64 (*prepare)(unsigned cpu))
{
    if (trampoline_page)
        memcpy(phys_to_virt(trampoline_page), trampoline_start,
               (size_t)(trampoline_end - trampoline_start));
    for (unsigned i = 1; i < cpu_possible && trampoline_page; i++) {
        u64 stack = prepare(i);
        if (stack && !start_cpu(&cpus[i], stack)) {
            /* It may still wake up and use the trampoline: start no further one. */
            log_print(LOG_ERR, "CPU%u failed to come online", i);
            break;
        }
    }
    paging_seal();
    unsigned n = cpumask_weight(cpu_online_mask());
    log_print(LOG_INFO, "smp: Brought up %u CPU%s", n, n == 1 ? "" : "s");
    return n;
}

void smp_reschedule(unsigned cpu)
{
    lapic_send_ipi(cpus[cpu].apic_id, VECTOR_RESCHEDULE);
}

/* Interrupts off. */
void smp_call_service(void)
{
    struct cpu *cpu = this_cpu();
    cpumask_t from = {__atomic_exchange_n(&cpu->call_from, 0, __ATOMIC_ACQ_REL)};
    u32 other;
    for_each_cpu (other, from) {
        calls[other].fn(calls[other].arg);
        __atomic_fetch_and(&calls[other].pending, ~BIT(cpu->id), __ATOMIC_RELEASE);
    }
}

static void call_start(struct call_request *r, cpumask_t targets, void (*fn)(void *), void *arg)
{
    u32 other, self = cpu_id();
    r->fn = fn;
    r->arg = arg;
    __atomic_store_n(&r->pending, targets.bits, __ATOMIC_RELEASE);
    for_each_cpu (other, targets)
        if (!__atomic_fetch_or(&cpus[other].call_from, BIT(self), __ATOMIC_SEQ_CST))
            lapic_send_ipi(cpus[other].apic_id, VECTOR_CALL);
}

void smp_call(cpumask_t set, void (*fn)(void *), void *arg)
{
    struct call_request *r = &calls[cpu_id()];
    cpumask_t targets = cpumask_andnot(cpumask_and(set, cpu_online_mask()), cpumask_of(cpu_id()));
    if (cpumask_empty(targets))
        return;
    ASSERT(!r->pending && irq_enabled());
    call_start(r, targets, fn, arg);
    while (load_acquire(&r->pending))
        cpu_relax();
}

static void stop_here(void *arg)
{
    __atomic_fetch_and((u64 *)arg, ~BIT(cpu_id()), __ATOMIC_SEQ_CST);
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* A CPU that does not answer within 100 ms is stuck with interrupts off and left alone. */
void smp_stop_others(void)
{
    static u64 running;
    cpumask_t targets = cpumask_andnot(cpu_online_mask(), cpumask_of(cpu_id()));
    if (cpumask_empty(targets))
        return;
    cpu_online = cpumask_of(cpu_id());
    running = targets.bits;
    call_start(&calls[cpu_id()], targets, stop_here, &running);
    for (unsigned i = 0; i < 10000 && load_acquire(&running); i++)
        udelay(10);
}
