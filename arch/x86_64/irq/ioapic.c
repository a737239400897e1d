/* SPDX-License-Identifier: MIT */
/*
 * IOAPICs: which vector a device's line raises, always on the boot CPU. Every line is masked
 * until it is routed.
 * Locks: lock guards the index/data register pair.
 */
#include <arch/io.h>
#include <arch/mmu.h>
#include <arch/setup.h>
#include <lib/errno.h>
#include <port/lock.h>
#include <port/log.h>

enum { REG_VERSION = 1, REG_REDIRECT = 0x10 };
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LEVEL  (1u << 15)
#define ENTRY_LOW    (1u << 13)

struct ioapic {
    volatile u8 *regs;
    u32 gsi_base, nr_lines;
};
static struct ioapic ioapics[8] __ro_after_init;
static unsigned nr_ioapics __ro_after_init;
static spinlock_t lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static u32 ioapic_read(const struct ioapic *io, u8 reg)
{
    mmio_write32(io->regs, reg);
    return mmio_read32(io->regs + 0x10);
}

static void ioapic_write(const struct ioapic *io, u8 reg, u32 v)
{
    mmio_write32(io->regs, reg);
    mmio_write32(io->regs + 0x10, v);
}

/*
 * The 8259s stay silent: all lines masked, vectors out of the exceptions' way for what is already
 * on its way. Before the local APIC's LINT0 is masked: a request that is pending then would be
 * taken back by nobody (QEMU delivers it as vector -1).
 */
void pic_silence(void)
{
    if (!madt.has_8259)
        return;
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0x20);
    outb(0xa1, 0x28);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void ioapic_init(void)
{
    for (unsigned i = 0; i < madt.nr_ioapics; i++) {
        struct ioapic *io = &ioapics[nr_ioapics];
        io->regs = arch_ioremap(madt.ioapic[i].addr, PAGE_SIZE);
        if (!io->regs)
            continue;
        io->gsi_base = madt.ioapic[i].gsi_base;
        u32 version = ioapic_read(io, REG_VERSION);
        if (version == U32_MAX)
            continue; /* nothing there */
        io->nr_lines = ((version >> 16) & 0xff) + 1;
        for (u32 line = 0; line < io->nr_lines; line++)
            ioapic_write(io, (u8)(REG_REDIRECT + 2 * line), ENTRY_MASKED);
        nr_ioapics++;
    }
}

static const struct ioapic *find_line(unsigned gsi, u8 *reg)
{
    for (unsigned i = 0; i < nr_ioapics; i++) {
        const struct ioapic *io = &ioapics[i];
        if (gsi >= io->gsi_base && gsi - io->gsi_base < io->nr_lines) {
            *reg = (u8)(REG_REDIRECT + 2 * (gsi - io->gsi_base));
            return io;
        }
    }
    return NULL;
}

/* 0 or -EINVAL: no such line. */
int ioapic_route(unsigned gsi, u8 vector, bool level, bool low)
{
    u8 reg;
    const struct ioapic *io = find_line(gsi, &reg);
    if (!io)
        return -EINVAL;
    u64 flags = spin_lock_irqsave(&lock);
    ioapic_write(io, reg + 1, cpus[0].apic_id << 24);
    ioapic_write(io, reg, vector | (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_LOW : 0));
    spin_unlock_irqrestore(&lock, flags);
    return 0;
}
