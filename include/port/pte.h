/* SPDX-License-Identifier: MIT */
/*
 * Port: page-table entries. Every home keeps genuine x86-64 entries (Intel SDM vol. 3, 4.5), so the bits are given here
 * once; a home only says how many levels there are and which optional bits its CPUs have.
 *
 *  63 62..59 58..52   51..............12 11 10 9 8  7  6 5 4   3   2 1 0
 *  XD  PKEY  software  physical address  sw sw sw G PS D A PCD PWT US RW P
 *
 * A pte with P=0 and PTE_PROTNONE maps a page that nobody may touch (PROT_NONE): address, D and software bits mean the
 * same as with P=1. One with P=0, PTE_PROTNONE=0 and PTE_SPECIAL is a marker: no page, but something to know about the
 * address. An all-zero one is empty. Any other with P=0, PTE_PROTNONE=0 and PTE_SPECIAL=0 is a swap entry (mm/swap.h): bits
 * 51..12 are the slot's offset, which is never 0, 56..52 the area's number, PTE_UFFD_WP and PTE_SOFT_DIRTY as with P=1, the rest 0.
 *
 * Levels count from the leaf: 1 = pte (4 KiB), 2 = pmd (2 MiB), 3 = pud (1 GiB), 4 = p4d/pgd, 5 = pgd with LA57.
 */
#ifndef PORT_PTE_H
#define PORT_PTE_H
#include <port/page.h>

typedef struct {
    u64 v;
} pte_t; /* an entry of any level */

#define PTE_P    (1UL << 0)
#define PTE_RW   (1UL << 1)
#define PTE_US   (1UL << 2)
#define PTE_PWT  (1UL << 3)
#define PTE_PCD  (1UL << 4)
#define PTE_A    (1UL << 5)
#define PTE_D    (1UL << 6)
#define PTE_PS   (1UL << 7) /* leaf at level 2 or 3 */
#define PTE_G    (1UL << 8)
#define PTE_PROTNONE PTE_G   /* with P=0; user entries never have G */
#define PTE_SPECIAL (1UL << 9)  /* software: no struct page behind it (zero page, device memory) */
#define PTE_UFFD_WP (1UL << 10) /* software: userfaultfd write-protected */
#define PTE_SOFT_DIRTY (1UL << 11)
#define PTE_MARKER_WP     (PTE_SPECIAL | PTE_UFFD_WP) /* what comes here is write-protected for userfaultfd */
#define PTE_MARKER_POISON (PTE_SPECIAL | PTE_PCD)     /* what was here is lost: SIGBUS */
#define PTE_SWAP_TYPE_SHIFT 52
#define PTE_SWAP_BITS (PTE_UFFD_WP | PTE_SOFT_DIRTY) /* what a swap entry keeps of the mapping */
#define PTE_PKEY_SHIFT 59
#define PTE_PKEY (15UL << PTE_PKEY_SHIFT)
#define PTE_XD   (1UL << 63)
#define PTE_PFN_MASK 0x000ffffffffff000UL
/* A table entry that points to a lower table: user, writable; leaves decide. */
#define PTE_TABLE (PTE_P | PTE_RW | PTE_US | PTE_A)

static inline pte_t pte_make(pfn_t pfn, u64 bits)
{
    return (pte_t){(pfn << PAGE_SHIFT) | bits};
}
static inline pfn_t pte_pfn(pte_t e)
{
    return (e.v & PTE_PFN_MASK) >> PAGE_SHIFT;
}
static inline bool pte_none(pte_t e)
{
    return e.v == 0;
}
static inline bool pte_present(pte_t e)
{
    return e.v & PTE_P;
}
/* A leaf that holds a mapping of a page (counted in mapcount and rss), accessible or PROT_NONE. */
static inline bool pte_mapped(pte_t e)
{
    return e.v & (PTE_P | PTE_PROTNONE);
}
static inline bool pte_write(pte_t e)
{
    return e.v & PTE_RW;
}
static inline bool pte_dirty(pte_t e)
{
    return e.v & PTE_D;
}
static inline bool pte_young(pte_t e)
{
    return e.v & PTE_A;
}
static inline bool pte_special(pte_t e)
{
    return e.v & PTE_SPECIAL;
}
static inline bool pte_uffd_wp(pte_t e)
{
    return e.v & PTE_UFFD_WP;
}
static inline bool pte_marker(pte_t e)
{
    return (e.v & (PTE_P | PTE_PROTNONE | PTE_SPECIAL)) == PTE_SPECIAL;
}
static inline bool pte_swap(pte_t e)
{
    return e.v && !(e.v & (PTE_P | PTE_PROTNONE | PTE_SPECIAL));
}
/* A present entry at level 2 or above that maps memory itself. */
static inline bool pte_huge(pte_t e)
{
    return e.v & PTE_PS;
}
/* Single-copy atomic load and store; the MMU may set A and D at any time in a present entry. */
static inline pte_t pte_load(const pte_t *p)
{
    return (pte_t){__atomic_load_n(&p->v, __ATOMIC_ACQUIRE)};
}
static inline void pte_store(pte_t *p, pte_t e)
{
    __atomic_store_n(&p->v, e.v, __ATOMIC_RELEASE);
}
/* Takes the entry out, returning it with the A and D bits that the MMU had set up to then. */
static inline pte_t pte_exchange(pte_t *p, pte_t e)
{
    return (pte_t){__atomic_exchange_n(&p->v, e.v, __ATOMIC_ACQ_REL)};
}
static inline bool pte_cmpxchg(pte_t *p, pte_t *old, pte_t e)
{
    return __atomic_compare_exchange_n(&p->v, &old->v, e.v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Index of addr in the table of a level, and the bytes that one entry of a level covers. */
static inline unsigned pt_index(u64 addr, unsigned level)
{
    return (addr >> (PAGE_SHIFT + 9 * (level - 1))) & (PT_ENTRIES - 1);
}
static inline u64 pt_span(unsigned level)
{
    return 1UL << (PAGE_SHIFT + 9 * (level - 1));
}

/*
 * Inline, from the home:
 *   unsigned pt_levels(void);   4 or 5, decided at boot
 *   u64 pte_xd_bit(void);       PTE_XD, or 0 on a CPU without it
 *   u64 pte_global_bit(void);   PTE_G or 0
 *   bool pt_has_1g(void)
 *   bool pt_has_pkeys(void)     PTE_PKEY means something (protection keys for user pages)
 */
#include <port_impl/pte.h>
#endif
