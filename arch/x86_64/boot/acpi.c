/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: found once through RSDP and XSDT (or RSDT), mapped, checksummed, listed. No AML is
 * run; one constant is read out of it (\_S5).
 */
#include <arch/boot.h>
#include <arch/mmu.h>
#include <arch/setup.h>
#include <lib/string.h>
#include <port/log.h>

struct acpi_header {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], oem_table[8];
    u32 oem_revision, creator, creator_revision;
} __packed_struct;
BUILD_ASSERT(sizeof(struct acpi_header) == 36);

struct acpi_rsdp {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;
    u32 length;
    u64 xsdt;
    u8 checksum2, reserved[3];
} __packed_struct;

#define MAX_TABLES 48
static const struct acpi_header *tables[MAX_TABLES];
static unsigned nr_tables;

static bool checksum_ok(const void *p, size_t n)
{
    u8 sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((const u8 *)p)[i];
    return sum == 0;
}

/* Tables lie in memory that the firmware calls reserved: outside the direct map. */
static const void *map_table(phys_t pa)
{
    const struct acpi_header *h = arch_ioremap_cached(pa, sizeof(*h));
    if (!h || h->length < sizeof(*h) || h->length > 16 << 20)
        return NULL;
    h = arch_ioremap_cached(pa, h->length);
    return h && checksum_ok(h, h->length) ? h : NULL;
}

static void add_table(phys_t pa)
{
    const struct acpi_header *h = pa ? map_table(pa) : NULL;
    if (h && nr_tables < MAX_TABLES)
        tables[nr_tables++] = h;
}

/* Without an address from the loader: in the first KiB of the EBDA (its segment is at 40e) or in
 * e0000..fffff. */
static phys_t scan_rsdp(void)
{
    phys_t ebda = (phys_t) * (const u16 *)phys_to_virt(0x40e) << 4;
    for (phys_t pa = ebda; ebda >= 0x400 && pa < ebda + 1024; pa += 16)
        if (memcmp(phys_to_virt(pa), "RSD PTR ", 8) == 0 && checksum_ok(phys_to_virt(pa), 20))
            return pa;
    for (phys_t pa = 0xe0000; pa < 0x100000; pa += 16)
        if (memcmp(phys_to_virt(pa), "RSD PTR ", 8) == 0 && checksum_ok(phys_to_virt(pa), 20))
            return pa;
    return 0;
}

void acpi_init(phys_t rsdp_pa)
{
    if (!rsdp_pa)
        rsdp_pa = scan_rsdp();
    if (!rsdp_pa)
        return;
    const struct acpi_rsdp *rsdp = arch_ioremap_cached(rsdp_pa, sizeof(*rsdp));
    if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8) || !checksum_ok(rsdp, 20))
        return;
    bool wide = rsdp->revision >= 2 && rsdp->xsdt;
    const struct acpi_header *root = map_table(wide ? rsdp->xsdt : rsdp->rsdt);
    if (!root)
        return;
    const u8 *entry = (const u8 *)(root + 1), *end = (const u8 *)root + root->length;
    for (unsigned step = wide ? 8 : 4; entry + step <= end; entry += step) {
        u64 pa = 0;
        memcpy(&pa, entry, step);
        add_table(pa);
    }
}

const void *acpi_find(const char signature[4], unsigned n)
{
    for (unsigned i = 0; i < nr_tables; i++)
        if (memcmp(tables[i]->signature, signature, 4) == 0 && n-- == 0)
            return tables[i];
    return NULL;
}

/* ---- FADT: how the machine is switched off ---- */
struct acpi_fadt_info fadt;

struct acpi_fadt {
    struct acpi_header h;
    u32 facs, dsdt;
    u8 reserved, profile;
    u16 sci_int;
    u32 smi_cmd;
    u8 acpi_enable, acpi_disable, s4bios, pstate;
    u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
    u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base, cst;
    u16 c2_lat, c3_lat, flush_size, flush_stride;
    u8 duty_offset, duty_width, day_alarm, month_alarm, century;
    u16 boot_arch;
    u8 reserved2;
    u32 flags;
    struct acpi_gas reset;
    u8 reset_value;
    u16 arm_boot;
    u8 minor;
    u64 x_facs, x_dsdt;
    struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0,
        x_gpe1;
    struct acpi_gas sleep_control, sleep_status;
} __packed_struct;
BUILD_ASSERT(offsetof(struct acpi_fadt, flags) == 112);
BUILD_ASSERT(offsetof(struct acpi_fadt, sleep_control) == 244);

#define FADT_TMR_VAL_EXT BIT(8)
#define FADT_RESET_SUP   BIT(10)
#define FADT_HW_REDUCED  BIT(20)

/*
 * The sleep type of S5: the package \_S5 is a constant in every firmware, encoded as
 * "_S5_" PackageOp(12) length count (BytePrefix(0a) value | 00 | 01) ...
 */
static u8 find_s5(const struct acpi_header *dsdt)
{
    const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length;
    for (; p + 10 < end; p++) {
        if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
            continue;
        const u8 *v = p + 5 + (p[5] >> 6) + 2; /* length bytes, then the count */
        if (v + 1 >= end)
            break;
        return *v == 0x0a ? v[1] : *v;
    }
    return 0;
}

static u32 io_port(u32 old, const struct acpi_gas *gas)
{
    return gas && gas->addr && gas->space == 1 ? (u32)gas->addr : old;
}

void fadt_init(void)
{
    const struct acpi_fadt *f = acpi_find("FACP", 0);
    if (!f)
        return;
    bool extended = f->h.length >= offsetof(struct acpi_fadt, x_gpe0);
    fadt.present = true;
    fadt.pm1a_cnt = io_port(f->pm1a_cnt, extended ? &f->x_pm1a_cnt : NULL);
    fadt.pm1b_cnt = io_port(f->pm1b_cnt, extended ? &f->x_pm1b_cnt : NULL);
    fadt.pm_timer = io_port(f->pm_tmr, extended ? &f->x_pm_tmr : NULL);
    fadt.pm_timer_32 = f->flags & FADT_TMR_VAL_EXT;
    fadt.hw_reduced = f->flags & FADT_HW_REDUCED;
    fadt.sci = f->sci_int;
    if (f->flags & FADT_RESET_SUP && f->h.length >= offsetof(struct acpi_fadt, arm_boot)) {
        fadt.has_reset = true;
        fadt.reset = f->reset;
        fadt.reset_value = f->reset_value;
    }
    if (f->h.length >= sizeof(*f))
        fadt.sleep_control = f->sleep_control;
    u64 dsdt_pa = extended && f->x_dsdt ? f->x_dsdt : f->dsdt;
    const struct acpi_header *dsdt = dsdt_pa ? map_table(dsdt_pa) : NULL;
    if (dsdt)
        fadt.s5_type = find_s5(dsdt);
}
