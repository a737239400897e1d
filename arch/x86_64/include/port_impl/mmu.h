/* SPDX-License-Identifier: MIT */
/* Port: the MMU on x86-64. Contract in <port/mmu.h>; bodies in arch/x86_64/mm/tlb.c. */
#ifndef PORT_IMPL_MMU_H
#define PORT_IMPL_MMU_H

static inline void mmu_flush_page_local(u64 addr)
{
    __asm__ volatile("invlpg (%0)" ::"r"(addr) : "memory");
}
#endif
