/* SPDX-License-Identifier: MIT */
/* Port: the MMU on x86-64. Contract in <port/mmu.h>; bodies in arch/x86_64/mm/tlb.c. */
#ifndef PORT_IMPL_MMU_H
#define PORT_IMPL_MMU_H

#include <port_impl/pte.h>

static inline void mmu_flush_page_local(u64 addr)
{
    __asm__ volatile("invlpg (%0)" ::"r"(addr) : "memory");
}
static inline u32 mmu_pkru(void)
{
    u32 v = 0, high;
    if (pt_has_pkeys())
        __asm__ volatile("rdpkru" : "=a"(v), "=d"(high) : "c"(0));
    return v;
}
static inline void mmu_set_pkru(u32 v)
{
    __asm__ volatile("wrpkru" ::"a"(v), "c"(0), "d"(0) : "memory");
}
#endif
