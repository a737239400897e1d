/* SPDX-License-Identifier: MIT */
/* MADT: which CPUs and interrupt controllers there are. Without the table: what the MP table says,
 * or one CPU and one IOAPIC where PCs have it. */
#include <arch/boot.h>
#include <arch/setup.h>
#include <lib/string.h>
#include <port/cpu.h>
#include <port/log.h>

struct acpi_madt_info madt = {.lapic_addr = 0xfee00000, .has_8259 = true};

struct madt_header {
    u8 acpi[36];
    u32 lapic_addr, flags;
} __packed_struct;

enum { MADT_LAPIC, MADT_IOAPIC, MADT_OVERRIDE, MADT_LAPIC_ADDR = 5, MADT_X2APIC = 9 };

static u32 u32_at(const u8 *p)
{
    u32 v;
    memcpy(&v, p, 4);
    return v;
}

static void add_cpu(u32 apic_id, u32 flags)
{
    /* bit 0: enabled. Bit 1 (may be enabled later) is for hot-plug. */
    if (flags & 1 && madt.nr_cpus < NR_CPUS)
        madt.apic_id[madt.nr_cpus++] = apic_id;
}

static void parse_entry(const u8 *e, u8 type, u8 len)
{
    switch (type) {
    case MADT_LAPIC:
        if (len >= 8)
            add_cpu(e[3], u32_at(e + 4));
        break;
    case MADT_X2APIC:
        if (len >= 16)
            add_cpu(u32_at(e + 4), u32_at(e + 8));
        break;
    case MADT_IOAPIC:
        if (len >= 12 && madt.nr_ioapics < ARRAY_SIZE(madt.ioapic)) {
            madt.ioapic[madt.nr_ioapics].addr = u32_at(e + 4);
            madt.ioapic[madt.nr_ioapics++].gsi_base = u32_at(e + 8);
        }
        break;
    case MADT_OVERRIDE:
        if (len >= 10 && e[3] < ARRAY_SIZE(madt.isa)) {
            madt.isa[e[3]].gsi = u32_at(e + 4);
            madt.isa[e[3]].flags = (u16)(e[8] | e[9] << 8);
        }
        break;
    case MADT_LAPIC_ADDR:
        if (len >= 12)
            memcpy(&madt.lapic_addr, e + 4, 8);
        break;
    default:
        break;
    }
}

/* The boot CPU is cpus[0]; the others follow in the table's order. */
static void boot_cpu_first(void)
{
    u32 self = cpuid(1, 0).b >> 24;
    if (cpuid(0, 0).a >= 0xb && cpuid(0xb, 0).b)
        self = cpuid(0xb, 0).d;
    for (unsigned i = 1; i < madt.nr_cpus; i++) {
        if (madt.apic_id[i] == self) {
            madt.apic_id[i] = madt.apic_id[0];
            madt.apic_id[0] = self;
        }
    }
    if (!madt.nr_cpus)
        madt.nr_cpus = 1;
    madt.apic_id[0] = self;
}

static void count_cpus(void)
{
    char value[16];
    u64 n;
    cpu_possible = madt.nr_cpus;
    if (cmdline_has("nosmp"))
        cpu_possible = 1;
    if (cmdline_get("maxcpus", value, sizeof(value)) && str_parse_u64(value, 10, &n, NULL) == 0 &&
        n < cpu_possible)
        cpu_possible = n ? (unsigned)n : 1;
    for (unsigned i = 0; i < cpu_possible; i++) {
        cpus[i].id = i;
        cpus[i].apic_id = madt.apic_id[i];
        if (i && !gdt_prepare(&cpus[i])) {
            log_print(LOG_ERR, "no memory for the stacks of CPU %u", i);
            cpu_possible = i;
        }
    }
}

void madt_init(void)
{
    const struct madt_header *t = acpi_find("APIC", 0);
    for (unsigned i = 0; i < ARRAY_SIZE(madt.isa); i++)
        madt.isa[i].gsi = i;
    if (t) {
        const u8 *e = (const u8 *)(t + 1), *end = (const u8 *)t + u32_at((const u8 *)t + 4);
        madt.lapic_addr = t->lapic_addr;
        madt.has_8259 = t->flags & 1;
        while (e + 2 <= end && e[1] >= 2 && e + e[1] <= end) {
            parse_entry(e, e[0], e[1]);
            e += e[1];
        }
    } else if (!mptable_init()) {
        madt.nr_ioapics = 1;
        madt.ioapic[0].addr = 0xfec00000;
    }
    boot_cpu_first();
    count_cpus();
}
