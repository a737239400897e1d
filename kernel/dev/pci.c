/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration by mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2). Every bus that a bridge names as secondary
 * is visited from bus 0 on; firmware has assigned the BARs.
 *
 * Locks: one spinlock around the address/data pair of ports.
 */
#include <arch/io.h>
#include <kernel/pci.h>
#include <port/lock.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CAP_POINTER    0x34
#define STATUS_CAPS    (1u << 4)

static spinlock_t config_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static u32 address(const struct pci_dev *d, u8 offset)
{
    return 1u << 31 | (u32)d->bus << 16 | (u32)d->slot << 11 | (u32)d->fn << 8 | (offset & 0xfcu);
}

u32 pci_read32(const struct pci_dev *d, u8 offset)
{
    u64 flags = spin_lock_irqsave(&config_lock);
    outl(CONFIG_ADDRESS, address(d, offset));
    u32 v = inl(CONFIG_DATA);
    spin_unlock_irqrestore(&config_lock, flags);
    return v;
}

u16 pci_read16(const struct pci_dev *d, u8 offset)
{
    return (u16)(pci_read32(d, offset) >> (offset & 2) * 8);
}

u8 pci_read8(const struct pci_dev *d, u8 offset)
{
    return (u8)(pci_read32(d, offset) >> (offset & 3) * 8);
}

void pci_write32(const struct pci_dev *d, u8 offset, u32 v)
{
    u64 flags = spin_lock_irqsave(&config_lock);
    outl(CONFIG_ADDRESS, address(d, offset));
    outl(CONFIG_DATA, v);
    spin_unlock_irqrestore(&config_lock, flags);
}

void pci_write16(const struct pci_dev *d, u8 offset, u16 v)
{
    u64 flags = spin_lock_irqsave(&config_lock);
    outl(CONFIG_ADDRESS, address(d, offset));
    outw(CONFIG_DATA + (offset & 2), v);
    spin_unlock_irqrestore(&config_lock, flags);
}

static void visit_bus(u8 bus, void (*fn)(const struct pci_dev *d), unsigned depth);

static bool visit_function(struct pci_dev *d, void (*fn)(const struct pci_dev *d), unsigned depth)
{
    u32 id = pci_read32(d, 0);
    if ((id & 0xffff) == 0xffff)
        return false;
    d->vendor = (u16)id;
    d->device = (u16)(id >> 16);
    d->class = pci_read32(d, 8) >> 8;
    fn(d);
    if ((pci_read8(d, 0x0e) & 0x7f) == 1 && depth < 16) { /* a bridge */
        u8 secondary = pci_read8(d, 0x19);
        if (secondary > d->bus)
            visit_bus(secondary, fn, depth + 1);
    }
    return true;
}

static void visit_bus(u8 bus, void (*fn)(const struct pci_dev *d), unsigned depth)
{
    for (u8 slot = 0; slot < 32; slot++) {
        struct pci_dev d = {.bus = bus, .slot = slot};
        if (!visit_function(&d, fn, depth))
            continue;
        d.fn = 0;
        if (!(pci_read8(&d, 0x0e) & 0x80))
            continue;
        for (u8 f = 1; f < 8; f++) {
            d.fn = f;
            visit_function(&d, fn, depth);
        }
    }
}

void pci_for_each(void (*fn)(const struct pci_dev *d))
{
    struct pci_dev root = {0};
    outl(CONFIG_ADDRESS, address(&root, 0));
    if (inl(CONFIG_ADDRESS) != address(&root, 0))
        return; /* no PCI here (microvm) */
    visit_bus(0, fn, 0);
}

phys_t pci_bar(const struct pci_dev *d, unsigned bar, u64 *size)
{
    u8 at = (u8)(0x10 + 4 * bar);
    u32 low = pci_read32(d, at);
    if (low & 1 || bar > 5)
        return 0;
    bool wide = (low & 6) == 4;
    u64 base = low & ~0xfu;
    pci_write32(d, at, ~0u);
    u64 mask = pci_read32(d, at) & ~0xfu;
    pci_write32(d, at, low);
    if (wide) {
        u32 high = pci_read32(d, (u8)(at + 4));
        base |= (u64)high << 32;
        pci_write32(d, (u8)(at + 4), ~0u);
        mask |= (u64)pci_read32(d, (u8)(at + 4)) << 32;
        pci_write32(d, (u8)(at + 4), high);
    } else {
        mask |= ~0UL << 32;
    }
    *size = mask ? ~mask + 1 : 0;
    return base;
}

u8 pci_find_cap(const struct pci_dev *d, u8 id, u8 from)
{
    if (!(pci_read16(d, 6) & STATUS_CAPS))
        return 0;
    u8 at = from ? pci_read8(d, (u8)(from + 1)) : pci_read8(d, CAP_POINTER);
    for (unsigned guard = 0; at >= 0x40 && guard < 48; guard++) {
        at &= 0xfc;
        if (pci_read8(d, at) == id)
            return at;
        at = pci_read8(d, (u8)(at + 1));
    }
    return 0;
}

void pci_enable(const struct pci_dev *d)
{
    pci_write16(d, 4, (u16)(pci_read16(d, 4) | 6 | 1u << 10)); /* memory, master, no INTx */
}
