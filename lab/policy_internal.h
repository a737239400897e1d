/* SPDX-License-Identifier: MIT */
/*
 * Between the policies: a node per page (16 bytes), on at most one of eight lists.
 *
 *   node[0..7]  heads;  node[8 + page]:  prev, next, list it is on, the policy's bits and a word of its own
 *   a list's head.next is its first (young) end, head.prev its last (old) one
 */
#ifndef LAB_POLICY_INTERNAL_H
#define LAB_POLICY_INTERNAL_H
#include "policy.h"

#define POLICY_LISTS 8u
#define NOWHERE      0u /* list 0 is never used: a node of zeros is on none */

struct node {
    uint32_t prev, next;
    uint32_t word;
    uint8_t list, bits;
    uint16_t freq;
};

struct policy {
    const struct policy_ops *ops;
    uint32_t frames, resident, room; /* room: page numbers that have nodes */
    struct node *node;
    uint32_t len[POLICY_LISTS];
    double target;    /* ARC, CAR */
    uint32_t hand;    /* CLOCK, SIEVE */
    uint32_t *slot;   /* CLOCK: node by frame */
    void *own;
};

static inline void node_push_between(struct policy *p, uint32_t n, uint32_t prev, uint32_t next)
{
    p->node[n].prev = prev;
    p->node[n].next = next;
    p->node[prev].next = n;
    p->node[next].prev = n;
}
/* To the young end. n is on no list. */
static inline void node_push(struct policy *p, uint32_t list, uint32_t n)
{
    node_push_between(p, n, list, p->node[list].next);
    p->node[n].list = (uint8_t)list;
    p->len[list]++;
}
static inline void node_remove(struct policy *p, uint32_t n)
{
    struct node *e = &p->node[n];
    p->node[e->prev].next = e->next;
    p->node[e->next].prev = e->prev;
    p->len[e->list]--;
    e->list = NOWHERE;
}
static inline uint32_t node_oldest(const struct policy *p, uint32_t list)
{
    return p->node[list].prev;
}
static inline void node_move(struct policy *p, uint32_t list, uint32_t n)
{
    node_remove(p, n);
    node_push(p, list, n);
}

/* A heap of resident pages, smallest key on top; node.word is the place in it. */
struct heap_entry {
    uint64_t key, second;
    uint32_t node;
};
struct heap {
    struct heap_entry *at;
    uint32_t n;
};
int heap_init(struct heap *h, uint32_t room);
void heap_insert(struct policy *p, struct heap *h, struct heap_entry e);
/* The entry at place i has got another key. */
void heap_changed(struct policy *p, struct heap *h, uint32_t i);
uint32_t heap_pop(struct policy *p, struct heap *h);

extern const struct policy_ops policy_fifo, policy_lru, policy_mru, policy_clock, policy_clock1, policy_second, policy_2q, policy_arc,
    policy_car, policy_sieve, policy_s3fifo, policy_lfu, policy_min;
#endif
