/* SPDX-License-Identifier: MIT */
/*
 * CLOCK and SIEVE: one bit per page, a hand that looks for a page without it.
 *
 *   CLOCK   frames in a ring. A use sets the frame's bit. The hand clears bits until it finds a frame without one: there the new page
 *           comes, and the hand goes on. CLOCK brings pages in with the bit clear, CLOCK-1 with the bit set, as a CPU does whose
 *           first access follows the fault.
 *   SIEVE   pages in the order in which they came (Zhang et al., NSDI 2024). The hand goes from old to young and clears bits until it finds
 *           a page without one; that goes, all others stay where they are; new pages come at the young end.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy_internal.h"

#define QUEUE 1u
#define USED  1u

static int clock_init(struct policy *p)
{
    p->slot = calloc(p->frames, sizeof(*p->slot));
    return p->slot ? 0 : -ENOMEM;
}

static uint32_t clock_find(struct policy *p)
{
    if (p->resident < p->frames)
        return p->resident++;
    uint32_t hand = p->hand;
    while (p->node[p->slot[hand]].bits) {
        p->node[p->slot[hand]].bits = 0;
        hand = hand + 1 == p->frames ? 0 : hand + 1;
    }
    p->hand = hand + 1 == p->frames ? 0 : hand + 1;
    p->node[p->slot[hand]].list = NOWHERE;
    return hand;
}

static inline uint64_t ring_play(struct policy *p, const uint32_t *page, size_t n, uint8_t bits)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        struct node *e = &p->node[x];
        if (e->list) {
            e->bits = USED;
            continue;
        }
        misses++;
        p->slot[clock_find(p)] = x;
        e->list = QUEUE;
        e->bits = bits;
    }
    return misses;
}

static uint64_t clock_play(struct policy *p, const uint32_t *page, size_t n)
{
    return ring_play(p, page, n, 0);
}

static uint64_t clock1_play(struct policy *p, const uint32_t *page, size_t n)
{
    return ring_play(p, page, n, USED);
}

/* hand: the node to look at next, 0: the oldest. */
static void sieve_evict(struct policy *p)
{
    uint32_t x = p->hand ? p->hand : node_oldest(p, QUEUE);
    while (p->node[x].bits) {
        p->node[x].bits = 0;
        x = p->node[x].prev == QUEUE ? node_oldest(p, QUEUE) : p->node[x].prev;
    }
    p->hand = p->node[x].prev == QUEUE ? 0 : p->node[x].prev;
    node_remove(p, x);
}

static uint64_t sieve_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        if (p->node[x].list) {
            p->node[x].bits = USED;
            continue;
        }
        misses++;
        if (p->resident == p->frames)
            sieve_evict(p);
        else
            p->resident++;
        p->node[x].bits = 0;
        node_push(p, QUEUE, x);
    }
    return misses;
}

const struct policy_ops policy_clock = {.name = "CLOCK", .about = "a hand over use bits; pages come with the bit clear", .init = clock_init, .play = clock_play};
const struct policy_ops policy_clock1 = {.name = "CLOCK-1", .about = "CLOCK whose pages come with the bit set", .init = clock_init, .play = clock1_play};
const struct policy_ops policy_sieve = {.name = "SIEVE", .about = "FIFO with a hand that leaves the used where they are", .play = sieve_play};
