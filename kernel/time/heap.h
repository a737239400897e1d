/* SPDX-License-Identifier: MIT */
/*
 * Pairing heap of timers by deadline. Pure: compiled hosted too by tests/kernel/test_timer_heap.c.
 * H1. A node's deadline is not above its children's. H2. prev is the left sibling, or the parent for a first child; NULL: root.
 */
#ifndef KERNEL_TIME_HEAP_H
#define KERNEL_TIME_HEAP_H
#include <kernel/time.h>

static inline struct timer *heap_meld(struct timer *a, struct timer *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->deadline < a->deadline) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->sibling = a->child;
    if (a->child)
        a->child->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Melds a list of siblings in pairs, then from the right: amortised log n. */
static inline struct timer *heap_merge_siblings(struct timer *first)
{
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = a->prev = NULL;
        if (b)
            b->sibling = b->prev = NULL;
        a = heap_meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    struct timer *root = NULL;
    while (pairs) {
        struct timer *next = pairs->sibling;
        pairs->sibling = NULL;
        root = heap_meld(root, pairs);
        pairs = next;
    }
    if (root)
        root->prev = NULL;
    return root;
}

static inline void heap_insert(struct timer **root, struct timer *t)
{
    t->child = t->sibling = t->prev = NULL;
    *root = heap_meld(*root, t);
}

static inline void heap_remove(struct timer **root, struct timer *t)
{
    struct timer *sub = heap_merge_siblings(t->child);
    t->child = NULL;
    if (*root == t) {
        *root = sub;
        return;
    }
    if (t->prev->child == t)
        t->prev->child = t->sibling;
    else
        t->prev->sibling = t->sibling;
    if (t->sibling)
        t->sibling->prev = t->prev;
    t->sibling = t->prev = NULL;
    *root = heap_meld(*root, sub);
    if (*root)
        (*root)->prev = NULL;
}
#endif
