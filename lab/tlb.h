/* SPDX-License-Identifier: MIT */
/*
 * A translation buffer as hardware has it: sets and ways, least recently used out first. Counts, and says nothing about what an entry
 * holds. Two first-level buffers (instructions, data) before one second-level buffer make a struct tlb_pair.
 */
#ifndef LAB_TLB_H
#define LAB_TLB_H
#include <stdbool.h>
#include <stdint.h>
#include "trace.h"

struct tlb {
    uint32_t sets, ways, mask; /* mask: sets - 1, or 0 when sets is no power of two */
    uint64_t *tag;             /* sets * ways, each set with the last used first: (key + 1) * 2 + may be written, 0: empty */
};

/* sets, ways > 0, sets * ways <= 2^24. 0 or -ENOMEM, -EINVAL. */
int tlb_init(struct tlb *t, uint32_t sets, uint32_t ways);
void tlb_free(struct tlb *t);
/* The key of a page of an address space. Pages below 2^TLB_PAGE_BITS, spaces below 2^TLB_SPACE_BITS. */
#define TLB_PAGE_BITS  45u
#define TLB_SPACE_BITS 17u
static inline uint64_t tlb_key(uint32_t space, uint64_t page)
{
    return (uint64_t)space << TLB_PAGE_BITS | page;
}
#define TLB_WRITE 1ul /* in a tag: a write goes through without a look at the tables */

/* Looks the key up and puts it first in its set. *miss: it was missing and was filled, without TLB_WRITE. Returns its tag. */
uint64_t *tlb_use(struct tlb *t, uint64_t key, bool *miss);
/* The same, when only that is wanted. */
bool tlb_miss(struct tlb *t, uint64_t key);
/* Drops some, or all. */
void tlb_drop_range(struct tlb *t, uint64_t lo, uint64_t hi); /* both included */
void tlb_flush(struct tlb *t);

enum tlb_count {
    TLB_I1, TLB_I2,             /* misses of instruction fetches in the first and second level */
    TLB_DR1, TLB_DR2,           /* of loads (and of what loads and stores) */
    TLB_DW1, TLB_DW2,           /* of stores */
    TLB_FETCHES, TLB_LOADS, TLB_STORES,
    NR_TLB_COUNTS
};
/* Where a reference of a kind is counted: misses of the first level (the second's behind it), uses. */
static inline unsigned tlb_first_count(unsigned kind)
{
    return kind == REF_FETCH ? TLB_I1 : kind == REF_STORE ? TLB_DW1 : TLB_DR1;
}
static inline unsigned tlb_use_count(unsigned kind)
{
    return kind == REF_FETCH ? TLB_FETCHES : kind == REF_STORE ? TLB_STORES : TLB_LOADS;
}
struct tlb_pair {
    struct tlb fetch, data, shared;
    uint64_t count[NR_TLB_COUNTS];
};

/* fetch, data, shared: {entries, ways}. 0, -ENOMEM, -EINVAL (entries not a multiple of ways). */
int tlb_pair_init(struct tlb_pair *p, const uint32_t fetch[2], const uint32_t data[2], const uint32_t shared[2]);
void tlb_pair_free(struct tlb_pair *p);
/*
 * Plays references. One that lies in two pages counts at most one miss per level, and both pages are used, in order: so
 * do Cachegrind's caches, with which this agrees when a line is a page. Addresses below 2^57.
 */
void tlb_pair_play(struct tlb_pair *p, const struct trace_ref *refs, uint64_t n);
#endif
