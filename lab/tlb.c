/* SPDX-License-Identifier: MIT */
/*
 *   fetch ──> I ─┐ miss
 *                ├──> shared ── miss ──> page walk
 *   load  ──> D ─┘
 *
 * Invariants
 *  B1. The tags of a set stand in the order of their last use; empty ones last.
 *  B2. The page that was used last in a first-level buffer is first in its set: using it again changes nothing, which is why a
 *      run of references to it needs no look-up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tlb.h"

#define PAGE_SHIFT 12

int tlb_init(struct tlb *t, uint32_t sets, uint32_t ways)
{
    if (!sets || !ways || (uint64_t)sets * ways > 1u << 24)
        return -EINVAL;
    t->sets = sets;
    t->ways = ways;
    t->mask = sets & (sets - 1) ? 0 : sets - 1;
    t->tag = calloc((size_t)sets * ways, sizeof(*t->tag));
    return t->tag ? 0 : -ENOMEM;
}

void tlb_free(struct tlb *t)
{
    free(t->tag);
    t->tag = NULL;
}

void tlb_flush(struct tlb *t)
{
    memset(t->tag, 0, (size_t)t->sets * t->ways * sizeof(*t->tag));
}

uint64_t *tlb_use(struct tlb *t, uint64_t key, bool *miss)
{
    uint64_t set = t->mask || t->sets == 1 ? key & t->mask : key % t->sets;
    uint64_t *tag = t->tag + set * t->ways, want = (key + 1) << 1;
    *miss = false;
    if ((tag[0] & ~TLB_WRITE) == want)
        return tag;
    uint32_t i = 1;
    while (i < t->ways && (tag[i] & ~TLB_WRITE) != want)
        i++;
    if (i < t->ways) {
        want = tag[i];
    } else {
        *miss = true;
        i--;
    }
    memmove(tag + 1, tag, i * sizeof(*tag));
    tag[0] = want;
    return tag;
}

bool tlb_miss(struct tlb *t, uint64_t key)
{
    bool miss;
    tlb_use(t, key, &miss);
    return miss;
}

/* The entries of a set that are left close up, in their order. */
static void drop_from_set(uint64_t *tag, uint32_t ways, uint64_t lo, uint64_t hi)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ways && tag[i]; i++) {
        uint64_t key = (tag[i] >> 1) - 1;
        if (key < lo || key > hi)
            tag[kept++] = tag[i];
    }
    while (kept < ways && tag[kept])
        tag[kept++] = 0;
}

void tlb_drop_range(struct tlb *t, uint64_t lo, uint64_t hi)
{
    if (hi - lo < t->sets) {
        for (uint64_t key = lo; key <= hi; key++)
            drop_from_set(t->tag + key % t->sets * t->ways, t->ways, key, key);
        return;
    }
    for (uint32_t s = 0; s < t->sets; s++)
        drop_from_set(t->tag + (size_t)s * t->ways, t->ways, lo, hi);
}

static int init_one(struct tlb *t, const uint32_t shape[2])
{
    return shape[1] && shape[0] % shape[1] == 0 ? tlb_init(t, shape[0] / shape[1], shape[1]) : -EINVAL;
}

int tlb_pair_init(struct tlb_pair *p, const uint32_t fetch[2], const uint32_t data[2], const uint32_t shared[2])
{
    memset(p, 0, sizeof(*p));
    int err = init_one(&p->fetch, fetch);
    if (!err)
        err = init_one(&p->data, data);
    if (!err)
        err = init_one(&p->shared, shared);
    if (err)
        tlb_pair_free(p);
    return err;
}

void tlb_pair_free(struct tlb_pair *p)
{
    tlb_free(&p->fetch);
    tlb_free(&p->data);
    tlb_free(&p->shared);
}

/* A reference to the pages first..last (neighbours or the same). */
static bool miss_of(struct tlb *t, uint64_t first, uint64_t last)
{
    bool miss = tlb_miss(t, first);
    return last == first ? miss : tlb_miss(t, last) | miss;
}

void tlb_pair_play(struct tlb_pair *p, const struct trace_ref *refs, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct trace_ref *r = refs + i;
        uint64_t first = tlb_key(r->space, r->addr >> PAGE_SHIFT), last = tlb_key(r->space, (r->addr + r->size - 1) >> PAGE_SHIFT);
        p->count[tlb_use_count(r->kind)] += r->count;
        if (!miss_of(r->kind == REF_FETCH ? &p->fetch : &p->data, first, last))
            continue;
        p->count[tlb_first_count(r->kind)]++;
        if (miss_of(&p->shared, first, last))
            p->count[tlb_first_count(r->kind) + 1]++;
    }
}
