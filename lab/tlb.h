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
    uint64_t *tag;             /* sets * ways, each set with the last used first; a tag is page + 1, 0: empty */
};

/* sets, ways > 0, sets * ways <= 2^24. 0 or -ENOMEM, -EINVAL. */
int tlb_init(struct tlb *t, uint32_t sets, uint32_t ways);
void tlb_free(struct tlb *t);
/* Looks the page up (< 2^64 - 1) and puts it first in its set. True: it was missing. */
bool tlb_miss(struct tlb *t, uint64_t page);
void tlb_flush(struct tlb *t);

enum tlb_count {
    TLB_I1, TLB_I2,             /* misses of instruction fetches in the first and second level */
    TLB_DR1, TLB_DR2,           /* of loads (and of what loads and stores) */
    TLB_DW1, TLB_DW2,           /* of stores */
    TLB_FETCHES, TLB_LOADS, TLB_STORES,
    NR_TLB_COUNTS
};
struct tlb_pair {
    struct tlb fetch, data, shared;
    uint64_t count[NR_TLB_COUNTS];
};

/* fetch, data, shared: {entries, ways}. 0, -ENOMEM, -EINVAL (entries not a multiple of ways). */
int tlb_pair_init(struct tlb_pair *p, const uint32_t fetch[2], const uint32_t data[2], const uint32_t shared[2]);
void tlb_pair_free(struct tlb_pair *p);
/*
 * Plays references. One that lies in two pages counts at most one miss per level, and both pages are used, in order: so
 * do Cachegrind's caches, with which this agrees when a line is a page.
 */
void tlb_pair_play(struct tlb_pair *p, const struct trace_ref *refs, uint64_t n);
#endif
