/* SPDX-License-Identifier: MIT */
/*
 * The MP table (Intel MultiProcessor Specification 1.4): what the MADT says, on machines without
 * ACPI, such as microvm with acpi=off and Firecracker's older versions.
 */
#include <arch/setup.h>
#include <lib/string.h>

struct mp_floating {
    char signature[4];
    u32 table;
    u8 length, revision, checksum, features[5];
} __packed_struct;

struct mp_header {
    char signature[4];
    u16 length;
    u8 revision, checksum;
    char oem[8], product[12];
    u32 oem_table;
    u16 oem_size, entries;
    u32 lapic_addr;
    u16 extended_length;
    u8 extended_checksum, reserved;
} __packed_struct;
BUILD_ASSERT(sizeof(struct mp_floating) == 16);
BUILD_ASSERT(sizeof(struct mp_header) == 44);

enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL };

static bool sum_ok(const void *p, size_t n)
{
    u8 sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((const u8 *)p)[i];
    return sum == 0;
}

static const struct mp_floating *scan(phys_t lo, phys_t hi)
{
    for (phys_t pa = ALIGN_UP(lo, 16UL); pa + 16 <= hi; pa += 16) {
        const struct mp_floating *f = phys_to_virt(pa);
        if (memcmp(f->signature, "_MP_", 4) == 0 && f->length == 1 && sum_ok(f, 16))
            return f;
    }
    return NULL;
}

/* In the first KiB of the EBDA (its segment is at 40e), the last of 640 KiB, or the BIOS. */
static const struct mp_floating *find(void)
{
    phys_t ebda = (phys_t) * (const u16 *)phys_to_virt(0x40e) << 4;
    const struct mp_floating *f = NULL;
    if (ebda >= 0x400 && ebda < 0xa0000)
        f = scan(ebda, ebda + 1024);
    if (!f)
        f = scan(0x9fc00, 0xa0000);
    return f ? f : scan(0xf0000, 0x100000);
}

static void interrupt_entry(const u8 *e, u8 isa_bus)
{
    /* Type 0: a vectored interrupt; others are NMI, SMI, and the 8259's. */
    if (e[1] || e[4] != isa_bus || e[5] >= ARRAY_SIZE(madt.isa))
        return;
    madt.isa[e[5]].gsi = e[7];
    madt.isa[e[5]].flags = (u16)(e[2] | e[3] << 8);
}

static void parse_entry(const u8 *e, u8 *isa_bus)
{
    switch (e[0]) {
    case MP_CPU:
        if (e[3] & 1 && madt.nr_cpus < NR_CPUS)
            madt.apic_id[madt.nr_cpus++] = e[1];
        break;
    case MP_BUS:
        if (memcmp(e + 2, "ISA", 3) == 0)
            *isa_bus = e[1];
        break;
    case MP_IOAPIC:
        if (e[3] & 1 &&
            madt.nr_ioapics < 1) /* pins are numbered from 0: the first one's are GSIs */
            memcpy(&madt.ioapic[madt.nr_ioapics++].addr, e + 4, 4);
        break;
    case MP_INTERRUPT:
        interrupt_entry(e, *isa_bus);
        break;
    default:
        break;
    }
}

bool mptable_init(void)
{
    const struct mp_floating *f = find();
    if (!f || !f->table || f->table >= 0x100000 - sizeof(struct mp_header))
        return false;
    const struct mp_header *h = phys_to_virt(f->table);
    if (memcmp(h->signature, "PCMP", 4) || h->length > 0x100000 - f->table || !sum_ok(h, h->length))
        return false;
    const u8 *e = (const u8 *)(h + 1), *end = (const u8 *)h + h->length;
    u8 isa_bus = 0xff;
    madt.lapic_addr = h->lapic_addr;
    /* To the end: the count of entries is zero in QEMU's qboot. */
    for (size_t size; e < end; e += size) {
        size = e[0] == MP_CPU ? 20 : 8;
        if (e + size > end)
            break;
        parse_entry(e, &isa_bus);
    }
    return madt.nr_ioapics > 0;
}
