/* SPDX-License-Identifier: MIT */
/*
 * Address spaces on this CPU, device mappings, and the bounds of the kernel's half
 * (port_impl/mem.h):
 *
 *   ffff888000000000  direct map of all RAM (64 TiB)
 *   ffffc90000000000  vmalloc (2 TiB)
 *   ffffe80000000000  device mappings (1 TiB)
 *   ffffea0000000000  memory map (128 GiB used)
 *   ffffffff80000000  kernel image
 *
 * The same with four and five levels: five levels hold all of it below their last top-level entry.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H
#include <port/mmu.h>

/* Loads the space; NULL: a kernel thread comes, any space will do, and the one loaded stays until
 * it is flushed. Interrupts off. */
void mmu_switch(struct mmu_ctx *next);
/* Maps device memory, uncached unless write-back is asked for; any alignment. NULL when out of
 * space or tables. */
void *arch_ioremap(phys_t pa, size_t size);
void *arch_ioremap_cached(phys_t pa, size_t size);
#endif
