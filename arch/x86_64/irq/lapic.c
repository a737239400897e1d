/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of each CPU: registers by MSR (x2APIC) or by memory, IPIs, and the one-shot timer.
 *
 * The timer counts down from a value, its rate measured against the clock at boot; where the CPU
 * can compare with the TSC itself (TSC deadline) no measuring is needed.
 * Locks: none; a CPU uses its own APIC only. Writing ICR by memory takes two stores, so with
 * interrupts off.
 */
#include <arch/asm.h>
#include <arch/mmu.h>
#include <arch/io.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/log.h>

enum {
    REG_ID = 0x20,
    REG_EOI = 0xb0,
    REG_SPURIOUS = 0xf0,
    REG_ESR = 0x280,
    REG_ICR = 0x300,
    REG_ICR_HI = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_PERF = 0x340,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_LINT1 = 0x360,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_COUNT = 0x380,
    REG_TIMER_NOW = 0x390,
    REG_TIMER_DIV = 0x3e0,
    REG_TPR = 0x80,
    REG_LDR = 0xd0,
    REG_DFR = 0xe0,
};
#define MSR_X2APIC_BASE 0x800u
#define APIC_ENABLE     (1u << 11)
#define APIC_X2         (1u << 10)
#define LVT_MASKED      (1u << 16)
#define LVT_DEADLINE    (2u << 17)
#define ICR_INIT        0x500u
#define ICR_STARTUP     0x600u
#define ICR_ASSERT      0x4000u
#define ICR_OTHERS      0xc0000u
#define ICR_BUSY        0x1000u

static volatile u8 *regs __ro_after_init;
static bool x2 __ro_after_init;
/* Timer ticks per nanosecond, as a fraction of 2^32. */
static u64 ticks_per_ns __ro_after_init;
/* What each CPU's timer was last set to, clock_ns() time; U64_MAX: stopped. */
static u64 deadlines[NR_CPUS];
/* Deadlines beyond (146 years) are never reached, and would overflow as ticks. */
#define FOREVER_NS (1UL << 62)

static u32 reg_read(u32 reg)
{
    return x2 ? (u32)rdmsr(MSR_X2APIC_BASE + (reg >> 4)) : mmio_read32(regs + reg);
}

static void reg_write(u32 reg, u32 v)
{
    if (x2)
        wrmsr(MSR_X2APIC_BASE + (reg >> 4), v);
    else
        mmio_write32(regs + reg, v);
}

void lapic_init(void)
{
    x2 = cpu_feat.x2apic;
    if (!x2) {
        regs = arch_ioremap(madt.lapic_addr, PAGE_SIZE);
        if (!regs)
            panic("can't map the local APIC");
    }
}

void lapic_setup(void)
{
    u64 base = rdmsr(MSR_APIC_BASE) | APIC_ENABLE;
    wrmsr(MSR_APIC_BASE, base);
    if (x2)
        wrmsr(MSR_APIC_BASE, base | APIC_X2);
    reg_write(REG_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    reg_write(REG_TPR, 0);
    reg_write(REG_LVT_TIMER, LVT_MASKED);
    reg_write(REG_LVT_PERF, LVT_MASKED);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, 0x400); /* NMI */
    reg_write(REG_LVT_ERROR, VECTOR_ERROR);
    reg_write(REG_ESR, 0);
}

u32 lapic_id(void)
{
    return x2 ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void lapic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

static void icr_write(u32 apic_id, u32 command)
{
    if (x2) {
        /* WRMSR to the ICR does not wait for earlier stores; the target must see them. */
        __asm__ volatile("mfence" ::: "memory");
        wrmsr(MSR_X2APIC_BASE + (REG_ICR >> 4), (u64)apic_id << 32 | command);
        return;
    }
    u64 flags = irq_save();
    while (reg_read(REG_ICR) & ICR_BUSY)
        cpu_pause();
    reg_write(REG_ICR_HI, apic_id << 24);
    reg_write(REG_ICR, command);
    irq_restore(flags);
}

void lapic_send_ipi(u32 apic_id, u8 vector)
{
    icr_write(apic_id, ICR_ASSERT | vector);
}

/* One write reaches all others at once; CPUs that were never started ignore it. */
void lapic_send_ipis(cpumask_t set, u8 vector)
{
    cpumask_t others = cpumask_andnot(cpu_online_mask(), cpumask_of(cpu_id()));
    u32 cpu;
    if (cpumask_equal(set, others) && !is_pow2(set.bits)) {
        icr_write(0, ICR_OTHERS | ICR_ASSERT | vector);
        return;
    }
    for_each_cpu (cpu, set)
        icr_write(cpus[cpu].apic_id, ICR_ASSERT | vector);
}

void lapic_send_init(u32 apic_id)
{
    icr_write(apic_id, ICR_ASSERT | ICR_INIT);
}

void lapic_send_startup(u32 apic_id, u8 page)
{
    icr_write(apic_id, ICR_ASSERT | ICR_STARTUP | page);
}

/* ---- timer ---- */
void lapic_timer_calibrate(void)
{
    if (cpu_feat.tsc_deadline)
        return;
    reg_write(REG_TIMER_DIV, 0xb); /* by 1 */
    reg_write(REG_TIMER_COUNT, ~0u);
    u64 t0 = clock_ns();
    u32 c0 = reg_read(REG_TIMER_NOW);
    while (clock_ns() - t0 < 1000000)
        cpu_pause();
    u64 t1 = clock_ns();
    u32 c1 = reg_read(REG_TIMER_NOW);
    reg_write(REG_TIMER_COUNT, 0);
    ticks_per_ns = ((u64)(c0 - c1) << 32) / (t1 - t0);
    if (!ticks_per_ns)
        panic("the local APIC timer does not count");
}

void lapic_timer_setup(void)
{
    reg_write(REG_TIMER_DIV, 0xb);
    deadlines[cpu_id()] = U64_MAX;
    reg_write(REG_LVT_TIMER, VECTOR_TIMER | (cpu_feat.tsc_deadline ? LVT_DEADLINE : 0));
}

/* The counter has 32 bits: a far deadline is reached in steps. */
#define STEP_MAX_NS 2000000000UL

static void program(u64 deadline_ns)
{
    if (cpu_feat.tsc_deadline) {
        u64 ticks = (u64)(((unsigned __int128)deadline_ns * tsc_scale.ticks_per_ns) >> 32);
        __asm__ volatile("mfence" ::: "memory");
        wrmsr(MSR_TSC_DEADLINE, tsc_scale.base + ticks + 1);
        return;
    }
    u64 now = clock_ns();
    u64 delta = min(deadline_ns > now ? deadline_ns - now : 0, STEP_MAX_NS);
    u64 ticks = (u64)(((unsigned __int128)delta * ticks_per_ns) >> 32) + 1;
    reg_write(REG_TIMER_COUNT, (u32)min(ticks, (u64)U32_MAX));
}

void arch_timer_program(u64 deadline_ns)
{
    u64 flags = irq_save();
    deadlines[cpu_id()] = deadline_ns;
    if (deadline_ns <= FOREVER_NS)
        program(deadline_ns);
    else if (cpu_feat.tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, 0);
    else
        reg_write(REG_TIMER_COUNT, 0);
    irq_restore(flags);
}

/* The timer interrupt: true when the deadline has come, else the next step is under way. */
bool lapic_timer_expired(void)
{
    u64 deadline = deadlines[cpu_id()];
    if (deadline > FOREVER_NS)
        return false;
    if (clock_ns() < deadline) {
        program(deadline);
        return false;
    }
    deadlines[cpu_id()] = U64_MAX;
    return true;
}
