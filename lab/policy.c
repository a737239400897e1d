/* SPDX-License-Identifier: MIT */
/*
 * The table of policies, and what they share. A policy sees a page as a node; FIFO, LRU, MRU and second chance, which are a list
 * and a rule in three lines, are here too.
 *
 *   FIFO            the page that came first goes; a use changes nothing
 *   LRU             the page whose last use is longest ago
 *   MRU             the page that was used last
 *   second chance   FIFO, but a page that was used since it came or was last looked at goes to the young end instead
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy_internal.h"

static const struct policy_ops *const policies[] = {
    &policy_fifo, &policy_lru, &policy_clock, &policy_clock1, &policy_second, &policy_2q, &policy_arc,
    &policy_car, &policy_sieve, &policy_s3fifo, &policy_lfu, &policy_mru, &policy_min,
};
#define NR_POLICIES (sizeof(policies) / sizeof(policies[0]))

const struct policy_ops *policy_at(unsigned i)
{
    return i < NR_POLICIES ? policies[i] : NULL;
}

const struct policy_ops *policy_find(const char *name)
{
    for (unsigned i = 0; i < NR_POLICIES; i++)
        if (!strcasecmp(policies[i]->name, name))
            return policies[i];
    return NULL;
}

struct policy *policy_new(const struct policy_ops *ops, uint32_t frames)
{
    struct policy *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->ops = ops;
    p->frames = frames;
    if (policy_grow(p, 1) || (ops->init && ops->init(p))) {
        policy_free(p);
        return NULL;
    }
    return p;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    if (p->ops->free)
        p->ops->free(p);
    free(p->slot);
    free(p->node);
    free(p);
}

int policy_grow(struct policy *p, uint32_t n)
{
    if (n <= p->room)
        return 0;
    uint32_t room = p->room ? p->room : 256;
    while (room < n)
        room = room < 1u << 30 ? room * 2 : n;
    struct node *bigger = realloc(p->node, ((size_t)room + POLICY_LISTS) * sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    size_t had = p->node ? (size_t)p->room + POLICY_LISTS : 0;
    memset(bigger + had, 0, ((size_t)room + POLICY_LISTS - had) * sizeof(*bigger));
    if (!p->node)
        for (uint32_t i = 0; i < POLICY_LISTS; i++)
            bigger[i].prev = bigger[i].next = i;
    p->node = bigger;
    p->room = room;
    return 0;
}

uint64_t policy_play(struct policy *p, const uint32_t *page, size_t n)
{
    return p->ops->play(p, page, n);
}

uint32_t policy_resident(const struct policy *p)
{
    return p->resident;
}

#define QUEUE 1u
#define USED  1u

/* A free frame, or the victim's. */
static inline void make_room(struct policy *p, uint32_t victim)
{
    if (p->resident == p->frames)
        node_remove(p, victim);
    else
        p->resident++;
}

static uint64_t fifo_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        if (p->node[x].list)
            continue;
        misses++;
        make_room(p, node_oldest(p, QUEUE));
        node_push(p, QUEUE, x);
    }
    return misses;
}

static uint64_t lru_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        struct node *e = &p->node[x];
        if (p->node[QUEUE].next == x)
            continue;
        if (e->list) {
            p->node[e->prev].next = e->next;
            p->node[e->next].prev = e->prev;
            node_push_between(p, x, QUEUE, p->node[QUEUE].next);
            continue;
        }
        misses++;
        make_room(p, node_oldest(p, QUEUE));
        node_push(p, QUEUE, x);
    }
    return misses;
}

static uint64_t mru_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        if (p->node[x].list) {
            node_move(p, QUEUE, x);
            continue;
        }
        misses++;
        make_room(p, p->node[QUEUE].next);
        node_push(p, QUEUE, x);
    }
    return misses;
}

static uint64_t second_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS;
        if (p->node[x].list) {
            p->node[x].bits = USED;
            continue;
        }
        misses++;
        uint32_t old = node_oldest(p, QUEUE);
        for (; p->resident == p->frames && p->node[old].bits; old = node_oldest(p, QUEUE)) {
            p->node[old].bits = 0;
            node_move(p, QUEUE, old);
        }
        make_room(p, old);
        node_push(p, QUEUE, x);
    }
    return misses;
}

const struct policy_ops policy_fifo = {.name = "FIFO", .about = "first in, first out", .play = fifo_play};
const struct policy_ops policy_lru = {.name = "LRU", .about = "least recently used", .play = lru_play};
const struct policy_ops policy_mru = {.name = "MRU", .about = "most recently used", .play = mru_play};
const struct policy_ops policy_second = {.name = "second-chance", .about = "FIFO that spares what was used since", .play = second_play};
