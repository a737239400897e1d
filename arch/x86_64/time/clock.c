/* SPDX-License-Identifier: MIT */
/*
 * Port: time, from the TSC.
 *
 * Its rate comes from the first of: the CPU (leaf 15h), the hypervisor (leaf 40000010h, KVM's
 * clock), a measurement against the ACPI PM timer or the PIT. It is the same on all CPUs; if a
 * CPU is found to lag behind when it comes up, readings are kept from going back by a shared
 * maximum.
 */
#include <arch/io.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/log.h>

struct tsc_scale tsc_scale __ro_after_init;
static u64 tsc_khz __ro_after_init;
static bool unsynchronised;
static u64 last_ns;

#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define PM_TIMER_HZ         3579545UL
#define PIT_HZ              1193182UL
#define MEASURE_MS          3

static u64 scaled(u64 tsc)
{
    return (u64)(((unsigned __int128)(tsc - tsc_scale.base) * tsc_scale.mult) >> 32);
}

u64 clock_ns(void)
{
    u64 ns = scaled(rdtsc());
    if (likely(!unsynchronised))
        return ns;
    u64 last = READ_ONCE(last_ns);
    while (last < ns)
        if (__atomic_compare_exchange_n(&last_ns, &last, ns, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return ns;
    return last;
}

/* KVM says by its paravirtual clock how it scales the TSC: ns = (tsc << shift) * mul / 2^32. */
static u64 khz_of_kvm(void)
{
    static struct {
        u32 version, pad;
        u64 tsc_timestamp, system_time;
        u32 mul;
        s8 shift;
        u8 flags, pad2[2];
    } info __aligned_to(64);
    struct cpuid id = cpuid(0x40000000, 0);
    if (id.b != 0x4b4d564b || id.c != 0x564b4d56 || id.d != 0x4d ||
        !(cpuid(0x40000001, 0).a & BIT(3)))
        return 0;
    wrmsr(MSR_KVM_SYSTEM_TIME, image_phys(&info) | 1);
    u64 mul = READ_ONCE(info.mul);
    int shift = READ_ONCE(info.shift);
    wrmsr(MSR_KVM_SYSTEM_TIME, 0);
    if (!mul)
        return 0;
    u64 khz = (1000000UL << 32) / mul;
    return shift < 0 ? khz << -shift : khz >> shift;
}

static u64 khz_of_cpuid(void)
{
    if (cpuid(0, 0).a >= 0x15) {
        struct cpuid r = cpuid(0x15, 0);
        if (r.a && r.b && r.c)
            return (u64)r.c * r.b / r.a / 1000;
    }
    if (cpu_feat.hypervisor && cpuid(0x40000000, 0).a >= 0x40000010)
        return cpuid(0x40000010, 0).a;
    return cpu_feat.hypervisor ? khz_of_kvm() : 0;
}

/* TSC ticks while the PM timer goes on by `ticks`; 0 when it stands still. */
static u64 measure_pm(unsigned ticks)
{
    u32 mask = fadt.pm_timer_32 ? U32_MAX : 0xffffff;
    u16 port = (u16)fadt.pm_timer;
    u32 start = inl(port), now = start;
    for (unsigned i = 0; now == start; i++, now = inl(port))
        if (i == 100000)
            return 0;
    u64 t0 = rdtsc();
    start = now;
    while (((now - start) & mask) < ticks)
        now = inl(port);
    u64 t1 = rdtsc();
    return (t1 - t0) * ticks / ((now - start) & mask);
}

static u16 pit_count(void)
{
    outb(0x43, 0); /* latch channel 0 */
    u8 lo = inb(0x40);
    return (u16)(lo | inb(0x40) << 8);
}

/* TSC ticks while channel 0 of the PIT counts down; 0 when there is none. Channel 0, because its
 * gate is always open: port 61h, which opens channel 2, is missing on microvm. Its interrupt is
 * masked. */
static u64 measure_pit(unsigned ticks)
{
    outb(0x43, 0x34); /* both bytes, mode 2: reload at 0 */
    outb(0x40, 0xff);
    outb(0x40, 0xff);
    u16 start = pit_count(), now = start;
    for (unsigned i = 0; now == start; i++, now = pit_count())
        if (i == 10000)
            return 0;
    u64 t0 = rdtsc();
    start = now;
    while ((u16)(start - now) < ticks)
        now = pit_count();
    u64 t1 = rdtsc();
    return (t1 - t0) * ticks / (u16)(start - now);
}

/* The least of three: an interruption by the host only makes a measurement longer. */
static u64 measure(u64 (*once)(unsigned n), unsigned n)
{
    u64 best = 0;
    for (int i = 0; i < 3; i++) {
        u64 t = once(n);
        if (t && (!best || t < best))
            best = t;
    }
    return best;
}

static u64 khz_measured(void)
{
    u64 t = 0;
    if (fadt.pm_timer)
        t = measure(measure_pm, PM_TIMER_HZ * MEASURE_MS / 1000);
    if (t)
        return t * PM_TIMER_HZ / (PM_TIMER_HZ * MEASURE_MS / 1000) / 1000;
    unsigned count = PIT_HZ * MEASURE_MS / 1000;
    t = measure(measure_pit, count);
    return t * PIT_HZ / count / 1000;
}

void clock_init(void)
{
    tsc_khz = khz_of_cpuid();
    if (!tsc_khz)
        tsc_khz = khz_measured();
    if (!tsc_khz) {
        log_print(LOG_WARN, "tsc: no reference clock, assuming 1 GHz");
        tsc_khz = 1000000;
    }
    tsc_scale.base = rdtsc();
    tsc_scale.mult = (1000000UL << 32) / tsc_khz;
    tsc_scale.ticks_per_ns = (tsc_khz << 32) / 1000000;
    log_print(LOG_INFO, "tsc: Detected %lu.%03lu MHz processor", tsc_khz / 1000, tsc_khz % 1000);
}

/* A CPU that comes up, with a TSC value that the boot CPU has read before. */
void clock_check_cpu(u64 stamp)
{
    if (rdtsc() < stamp && !unsynchronised) {
        log_print(LOG_WARN, "tsc: CPU %u lags behind", cpu_id());
        WRITE_ONCE(unsynchronised, true);
        vdso_stop_tsc();
    }
}

bool clock_is_synchronised(void)
{
    return !READ_ONCE(unsynchronised);
}

u64 arch_tsc_khz(void)
{
    return tsc_khz;
}

void udelay(u64 us)
{
    u64 end = rdtsc() + us * tsc_khz / 1000;
    while (rdtsc() < end)
        cpu_pause();
}

/* ---- the wall clock at boot ---- */
static u8 cmos(u8 reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static unsigned from_bcd(u8 v)
{
    return (v >> 4) * 10u + (v & 15);
}

/* Days since 1970 of a date in the Gregorian calendar. */
static u64 days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year;
    unsigned m = month <= 2 ? month + 9 : month - 3; /* March first */
    u64 era_days = 365UL * y + y / 4 - y / 100 + y / 400;
    return era_days + (153 * m + 2) / 5 + day - 1 - 719468;
}

static u64 rtc_seconds(void)
{
    u8 raw[6];
    static const u8 reg[6] = {0, 2, 4, 7, 8, 9};
    for (unsigned i = 0; cmos(0xa) & 0x80; i++)
        if (i == 1000000)
            return 0;
    u8 mode = cmos(0xb);
    for (unsigned i = 0; i < 6; i++)
        raw[i] = cmos(reg[i]);
    if (raw[0] == 0xff && raw[4] == 0xff)
        return 0; /* no RTC */
    bool pm = !(mode & 2) && raw[2] & 0x80;
    raw[2] &= 0x7f;
    unsigned v[6];
    for (unsigned i = 0; i < 6; i++)
        v[i] = mode & 4 ? raw[i] : from_bcd(raw[i]);
    if (!(mode & 2))
        v[2] = v[2] % 12 + (pm ? 12 : 0);
    if (v[4] < 1 || v[4] > 12 || v[3] < 1 || v[3] > 31)
        return 0;
    return days_since_1970(2000 + v[5], v[4], v[3]) * 86400 + v[2] * 3600 + v[1] * 60 + v[0];
}

u64 arch_boot_wall_ns(void)
{
    u64 seconds = rtc_seconds();
    return seconds ? seconds * 1000000000UL - clock_ns() : 0;
}
