/* SPDX-License-Identifier: MIT */
/*
 * virtio over PCI, modern interface (virtio 1.2, 4.1): structures are found through vendor capabilities; one
 * MSI-X vector serves all queues.
 */
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <kernel/pci.h>
#include <kernel/virtio.h>
#include <lib/errno.h>
#include <mm/slab.h>
#include <port/log.h>

#define VENDOR_VIRTIO 0x1af4
#define CAP_VENDOR    0x09
#define CAP_MSIX      0x11
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE };

/* Offsets in the common configuration structure. */
enum {
    C_DEVICE_FEATURE_SELECT = 0x00,
    C_DEVICE_FEATURE = 0x04,
    C_DRIVER_FEATURE_SELECT = 0x08,
    C_DRIVER_FEATURE = 0x0c,
    C_STATUS = 0x14,
    C_QUEUE_SELECT = 0x16,
    C_QUEUE_SIZE = 0x18,
    C_QUEUE_MSIX = 0x1a,
    C_QUEUE_ENABLE = 0x1c,
    C_QUEUE_NOTIFY_OFF = 0x1e,
    C_QUEUE_DESC = 0x20,
    C_QUEUE_DRIVER = 0x28,
    C_QUEUE_DEVICE = 0x30,
};

struct vpci {
    struct pci_dev pci;
    char *common, *notify, *device;
    u32 notify_mult;
};

static struct vpci *vpci_of(struct virtio_dev *d)
{
    return d->priv;
}

static u8 get_status(struct virtio_dev *d)
{
    return mmio_read8(vpci_of(d)->common + C_STATUS);
}

static void set_status(struct virtio_dev *d, u8 v)
{
    mmio_write8(vpci_of(d)->common + C_STATUS, v);
}

static u64 get_features(struct virtio_dev *d)
{
    char *c = vpci_of(d)->common;
    mmio_write32(c + C_DEVICE_FEATURE_SELECT, 0);
    u64 low = mmio_read32(c + C_DEVICE_FEATURE);
    mmio_write32(c + C_DEVICE_FEATURE_SELECT, 1);
    return low | (u64)mmio_read32(c + C_DEVICE_FEATURE) << 32;
}

static void set_features(struct virtio_dev *d, u64 v)
{
    char *c = vpci_of(d)->common;
    mmio_write32(c + C_DRIVER_FEATURE_SELECT, 0);
    mmio_write32(c + C_DRIVER_FEATURE, (u32)v);
    mmio_write32(c + C_DRIVER_FEATURE_SELECT, 1);
    mmio_write32(c + C_DRIVER_FEATURE, (u32)(v >> 32));
}

static void read_config(struct virtio_dev *d, unsigned offset, void *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ((u8 *)out)[i] = mmio_read8(vpci_of(d)->device + offset + i);
}

static unsigned queue_max(struct virtio_dev *d, unsigned index)
{
    char *c = vpci_of(d)->common;
    mmio_write16(c + C_QUEUE_SELECT, (u16)index);
    return mmio_read16(c + C_QUEUE_SIZE);
}

static void interrupt(void *dev)
{
    for (struct virtq *q = ((struct virtio_dev *)dev)->queues; q; q = q->next)
        virtq_interrupt(q);
}

static void write_address(char *reg, phys_t pa)
{
    mmio_write32(reg, (u32)pa);
    mmio_write32(reg + 4, (u32)(pa >> 32));
}

static int setup_queue(struct virtio_dev *d, struct virtq *q)
{
    struct vpci *v = vpci_of(d);
    mmio_write16(v->common + C_QUEUE_SELECT, q->index);
    mmio_write16(v->common + C_QUEUE_SIZE, q->size);
    mmio_write16(v->common + C_QUEUE_MSIX, 0);
    if (mmio_read16(v->common + C_QUEUE_MSIX) != 0)
        return -EBUSY;
    write_address(v->common + C_QUEUE_DESC, q->desc_pa);
    write_address(v->common + C_QUEUE_DRIVER, q->avail_pa);
    write_address(v->common + C_QUEUE_DEVICE, q->used_pa);
    q->notify_reg = v->notify + (u64)v->notify_mult * mmio_read16(v->common + C_QUEUE_NOTIFY_OFF);
    mmio_write16(v->common + C_QUEUE_ENABLE, 1);
    return 0;
}

static void notify(struct virtio_dev *d, struct virtq *q)
{
    mmio_write16(q->notify_reg, q->index);
}

static const struct virtio_transport pci_transport = {
    .get_status = get_status,
    .set_status = set_status,
    .get_features = get_features,
    .set_features = set_features,
    .read_config = read_config,
    .setup_queue = setup_queue,
    .queue_max = queue_max,
    .notify = notify,
};

static void *map_bar(const struct pci_dev *pci, unsigned bar, u32 offset, u32 length)
{
    u64 size;
    phys_t base = pci_bar(pci, bar, &size);
    if (!base || offset > size || length > size - offset)
        return NULL;
    return arch_ioremap(base + offset, length);
}

static bool find_structures(struct vpci *v)
{
    const struct pci_dev *p = &v->pci;
    for (u8 cap = pci_find_cap(p, CAP_VENDOR, 0); cap; cap = pci_find_cap(p, CAP_VENDOR, cap)) {
        u8 type = pci_read8(p, (u8)(cap + 3)), bar = pci_read8(p, (u8)(cap + 4));
        u32 offset = pci_read32(p, (u8)(cap + 8)), length = pci_read32(p, (u8)(cap + 12));
        char **where = type == CFG_COMMON ? &v->common : type == CFG_NOTIFY ? &v->notify : type == CFG_DEVICE ? &v->device : NULL;
        if (!where || *where)
            continue;
        *where = map_bar(p, bar, offset, length);
        if (type == CFG_NOTIFY)
            v->notify_mult = pci_read32(p, (u8)(cap + 16));
    }
    return v->common && v->notify;
}

/* One vector for the whole device: some have fewer than queues. */
static bool enable_msix(struct vpci *v, struct virtio_dev *d)
{
    u64 addr;
    u32 data;
    const struct pci_dev *p = &v->pci;
    u8 cap = pci_find_cap(p, CAP_MSIX, 0);
    if (!cap)
        return false;
    u16 control = pci_read16(p, (u8)(cap + 2));
    u32 table = pci_read32(p, (u8)(cap + 4));
    char *entry = map_bar(p, table & 7, table & ~7u, 16);
    if (!entry || irq_alloc_msi(interrupt, d, &addr, &data))
        return false;
    mmio_write32(entry, (u32)addr);
    mmio_write32(entry + 4, (u32)(addr >> 32));
    mmio_write32(entry + 8, data);
    mmio_write32(entry + 12, 0); /* not masked */
    pci_write16(p, (u8)(cap + 2), (u16)((control & ~0x4000) | 0x8000));
    return true;
}

static void found(const struct pci_dev *pci)
{
    if (pci->vendor != VENDOR_VIRTIO || pci->device < 0x1000 || pci->device > 0x107f)
        return;
    unsigned id = pci->device >= 0x1040 ? pci->device - 0x1040u : pci_read16(pci, 0x2e); /* subsystem id */
    struct vpci *v = kzalloc(sizeof(*v), GFP_KERNEL);
    struct virtio_dev *d = kzalloc(sizeof(*d), GFP_KERNEL);
    if (!v || !d)
        goto fail;
    v->pci = *pci;
    pci_enable(pci);
    if (!find_structures(v) || !enable_msix(v, d)) {
        log_print(LOG_WARN, "virtio: %02x:%02x.%x has no modern interface or no MSI-X\n", pci->bus, pci->slot, pci->fn);
        goto fail;
    }
    d->ops = &pci_transport;
    d->id = id;
    d->priv = v;
    virtio_device_found(d);
    return;
fail:
    kfree(v);
    kfree(d);
}

void virtio_pci_scan(void)
{
    pci_for_each(found);
}
