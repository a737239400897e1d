/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts. Handlers run on whatever CPU gets the interrupt with interrupts off; they take
 * only irqsave locks.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H
#include <lib/types.h>

typedef void (*irq_handler_t)(void *arg);

#define IRQ_EDGE       0u
#define IRQ_LEVEL      1u /* level triggered */
#define IRQ_ACTIVE_LOW 2u
#define IRQ_ISA                                                                                    \
    4u /* gsi is an ISA interrupt number: MADT overrides apply, trigger flags are ignored */

/* Routes a global system interrupt through the IOAPIC to the boot CPU. Several handlers may share a
 * line. 0, -EINVAL: no such line, -EBUSY: no vector free, -ENOMEM: too many handlers. */
int irq_register(unsigned gsi, unsigned flags, irq_handler_t fn, void *arg);
/* A vector for an MSI or MSI-X entry: fills in message address and data. 0, or -EBUSY. */
int irq_alloc_msi(irq_handler_t fn, void *arg, u64 *msg_addr, u32 *msg_data);
/* Interrupts of each kind since boot for /proc/interrupts: writes a text line per used vector
 * through fn. */
struct irq_info {
    unsigned gsi; /* ~0u: MSI */
    u8 vector;
    u64 count;
};
size_t irq_list(struct irq_info *out, size_t max);
#endif
