/* SPDX-License-Identifier: MIT */
/* Port: page-table entries on x86-64. Contract in <port/pte.h>. Set once by the boot CPU before
 * mm_boot(). */
#ifndef PORT_IMPL_PTE_H
#define PORT_IMPL_PTE_H

extern unsigned pt_nr_levels;
extern u64 pt_xd_bit, pt_global_bit;
extern bool pt_gb_pages, pt_pkeys;

static inline unsigned pt_levels(void)
{
    return pt_nr_levels;
}
static inline u64 pte_xd_bit(void)
{
    return pt_xd_bit;
}
static inline u64 pte_global_bit(void)
{
    return pt_global_bit;
}
static inline bool pt_has_1g(void)
{
    return pt_gb_pages;
}
static inline bool pt_has_pkeys(void)
{
    return pt_pkeys;
}
#endif
