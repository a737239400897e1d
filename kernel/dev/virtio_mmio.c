/* SPDX-License-Identifier: MIT */
/*
 * virtio over memory-mapped registers (virtio 1.2, 4.2), both versions. Devices are named on the command line as for Linux:
 * virtio_mmio.device=SIZE@BASE:IRQ, as often as there are devices; QEMU's microvm and Firecracker put them there.
 */
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <kernel/virtio.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

#define MAGIC 0x74726976u /* "virt" */
enum {
    R_MAGIC = 0x000,
    R_VERSION = 0x004,
    R_DEVICE_ID = 0x008,
    R_DEVICE_FEATURES = 0x010,
    R_DEVICE_FEATURES_SEL = 0x014,
    R_DRIVER_FEATURES = 0x020,
    R_DRIVER_FEATURES_SEL = 0x024,
    R_GUEST_PAGE_SIZE = 0x028,
    R_QUEUE_SEL = 0x030,
    R_QUEUE_NUM_MAX = 0x034,
    R_QUEUE_NUM = 0x038,
    R_QUEUE_ALIGN = 0x03c,
    R_QUEUE_PFN = 0x040,
    R_QUEUE_READY = 0x044,
    R_QUEUE_NOTIFY = 0x050,
    R_INTERRUPT_STATUS = 0x060,
    R_INTERRUPT_ACK = 0x064,
    R_STATUS = 0x070,
    R_QUEUE_DESC = 0x080,
    R_QUEUE_DRIVER = 0x090,
    R_QUEUE_DEVICE = 0x0a0,
    R_CONFIG = 0x100,
};

static u32 rd(struct virtio_dev *d, unsigned reg)
{
    return mmio_read32((char *)d->priv + reg);
}

static void wr(struct virtio_dev *d, unsigned reg, u32 v)
{
    mmio_write32((char *)d->priv + reg, v);
}

static u8 get_status(struct virtio_dev *d)
{
    return (u8)rd(d, R_STATUS);
}

static void set_status(struct virtio_dev *d, u8 v)
{
    wr(d, R_STATUS, v);
}

static u64 get_features(struct virtio_dev *d)
{
    wr(d, R_DEVICE_FEATURES_SEL, 0);
    u64 low = rd(d, R_DEVICE_FEATURES);
    wr(d, R_DEVICE_FEATURES_SEL, 1);
    return low | (u64)rd(d, R_DEVICE_FEATURES) << 32;
}

static void set_features(struct virtio_dev *d, u64 v)
{
    wr(d, R_DRIVER_FEATURES_SEL, 0);
    wr(d, R_DRIVER_FEATURES, (u32)v);
    wr(d, R_DRIVER_FEATURES_SEL, 1);
    wr(d, R_DRIVER_FEATURES, (u32)(v >> 32));
    if (d->legacy)
        wr(d, R_GUEST_PAGE_SIZE, PAGE_SIZE);
}

static void read_config(struct virtio_dev *d, unsigned offset, void *out, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ((u8 *)out)[i] = mmio_read8((char *)d->priv + R_CONFIG + offset + i);
}

static unsigned queue_max(struct virtio_dev *d, unsigned index)
{
    wr(d, R_QUEUE_SEL, index);
    return rd(d, R_QUEUE_NUM_MAX);
}

static void write_address(struct virtio_dev *d, unsigned reg, phys_t pa)
{
    wr(d, reg, (u32)pa);
    wr(d, reg + 4, (u32)(pa >> 32));
}

static int setup_queue(struct virtio_dev *d, struct virtq *q)
{
    wr(d, R_QUEUE_SEL, q->index);
    wr(d, R_QUEUE_NUM, q->size);
    if (d->legacy) {
        wr(d, R_QUEUE_ALIGN, PAGE_SIZE);
        wr(d, R_QUEUE_PFN, (u32)(q->desc_pa >> PAGE_SHIFT));
        return 0;
    }
    write_address(d, R_QUEUE_DESC, q->desc_pa);
    write_address(d, R_QUEUE_DRIVER, q->avail_pa);
    write_address(d, R_QUEUE_DEVICE, q->used_pa);
    wr(d, R_QUEUE_READY, 1);
    return 0;
}

static void notify(struct virtio_dev *d, struct virtq *q)
{
    wr(d, R_QUEUE_NOTIFY, q->index);
}

static const struct virtio_transport mmio_transport = {
    .get_status = get_status,
    .set_status = set_status,
    .get_features = get_features,
    .set_features = set_features,
    .read_config = read_config,
    .setup_queue = setup_queue,
    .queue_max = queue_max,
    .notify = notify,
};

static void interrupt(void *arg)
{
    struct virtio_dev *d = arg;
    u32 status = rd(d, R_INTERRUPT_STATUS);
    if (!status)
        return; /* a shared line */
    wr(d, R_INTERRUPT_ACK, status);
    for (struct virtq *q = d->queues; q; q = q->next)
        virtq_interrupt(q);
}

static void found(u64 size, phys_t base, unsigned irq)
{
    char *regs = arch_ioremap(base, size);
    struct virtio_dev *d = kzalloc(sizeof(*d), GFP_KERNEL);
    if (!regs || !d) {
        kfree(d);
        return;
    }
    d->priv = regs;
    u32 version = rd(d, R_VERSION);
    if (rd(d, R_MAGIC) != MAGIC || version < 1 || version > 2 || !rd(d, R_DEVICE_ID)) {
        kfree(d); /* an empty slot */
        return;
    }
    d->ops = &mmio_transport;
    d->legacy = version == 1;
    d->id = rd(d, R_DEVICE_ID);
    int err = irq_register(irq, IRQ_EDGE, interrupt, d);
    if (err) {
        log_print(LOG_WARN, "virtio_mmio: no interrupt %u: error %d\n", irq, err);
        return;
    }
    virtio_device_found(d);
}

void virtio_mmio_scan(void)
{
    static const char word[] = "virtio_mmio.device=";
    for (const char *p = boot_cmdline; *p;) {
        while (*p == ' ')
            p++;
        if (str_starts(p, word)) {
            u64 size, base, irq;
            const char *at = p + sizeof(word) - 1;
            if (!str_parse_size(at, &size, &at) && *at == '@' && !str_parse_u64(at + 1, 0, &base, &at) && *at == ':' &&
                !str_parse_u64(at + 1, 0, &irq, &at))
                found(size, base, (unsigned)irq);
            else
                log_print(LOG_WARN, "virtio_mmio: not SIZE@BASE:IRQ in '%.60s'\n", p);
        }
        while (*p && *p != ' ')
            p++;
    }
}
