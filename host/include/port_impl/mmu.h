/* SPDX-License-Identifier: MIT */
/* Hosted home: the software MMU, host/mmu.c and host/tlb.c. */
#ifndef PORT_IMPL_MMU_H
#define PORT_IMPL_MMU_H
void mmu_flush_page_local(u64 addr);
u32 mmu_pkru(void);
void mmu_set_pkru(u32 v);
#endif
