/* SPDX-License-Identifier: MIT */
/* Hosted home: levels and optional bits come from the machine's configuration. */
#ifndef PORT_IMPL_PTE_H
#define PORT_IMPL_PTE_H

extern u32 host_pt_levels;
extern bool host_pt_1g, host_pt_pkeys;

static inline unsigned pt_levels(void)
{
    return host_pt_levels;
}
static inline u64 pte_xd_bit(void)
{
    return PTE_XD;
}
static inline u64 pte_global_bit(void)
{
    return PTE_G;
}
static inline bool pt_has_1g(void)
{
    return host_pt_1g;
}
static inline bool pt_has_pkeys(void)
{
    return host_pt_pkeys;
}
#endif
