/* SPDX-License-Identifier: MIT */
/* PCI functions found at boot, configuration space through ports 0xcf8/0xcfc. Boot CPU only, before the first program. */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H
#include <port/page.h>

struct pci_dev {
    u8 bus, slot, fn;
    u16 vendor, device;
    u32 class; /* class << 16 | subclass << 8 | interface */
};
u32 pci_read32(const struct pci_dev *d, u8 offset);
u16 pci_read16(const struct pci_dev *d, u8 offset);
u8 pci_read8(const struct pci_dev *d, u8 offset);
void pci_write32(const struct pci_dev *d, u8 offset, u32 v);
void pci_write16(const struct pci_dev *d, u8 offset, u16 v);
/* Calls fn for each function of each bus. */
void pci_for_each(void (*fn)(const struct pci_dev *d));
/* Memory window of a BAR: base, and *size in bytes; 0 when it is not a memory BAR or not assigned. */
phys_t pci_bar(const struct pci_dev *d, unsigned bar, u64 *size);
/* Offset of the first capability with this id at or after `from` (0: the beginning); 0 when there is none. */
u8 pci_find_cap(const struct pci_dev *d, u8 id, u8 from);
/* Answers memory accesses and may master the bus. */
void pci_enable(const struct pci_dev *d);
#endif
