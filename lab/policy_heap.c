/* SPDX-License-Identifier: MIT */
/*
 * Policies that keep the resident pages in a heap: LFU and MIN.
 *
 *   LFU   the page with the fewest uses since it came; among those the one whose last use is longest ago
 *   MIN   the page whose next use is farthest away (Belady 1966): no policy has fewer misses. It needs the whole string of references: for
 *         each, policy_min_prepare() notes where the same page comes next.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy_internal.h"

int heap_init(struct heap *h, uint32_t room)
{
    h->at = malloc((size_t)room * sizeof(*h->at));
    h->n = 0;
    return h->at ? 0 : -ENOMEM;
}

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->second < b->second);
}

static void place(struct policy *p, struct heap *h, uint32_t i, struct heap_entry e)
{
    h->at[i] = e;
    p->node[e.node].word = i;
}

static void up(struct policy *p, struct heap *h, uint32_t i, struct heap_entry e)
{
    for (; i && before(&e, &h->at[(i - 1) / 2]); i = (i - 1) / 2)
        place(p, h, i, h->at[(i - 1) / 2]);
    place(p, h, i, e);
}

static void down(struct policy *p, struct heap *h, uint32_t i, struct heap_entry e)
{
    for (uint64_t c = 2ul * i + 1; c < h->n; c = 2ul * i + 1) {
        c += c + 1 < h->n && before(&h->at[c + 1], &h->at[c]);
        if (!before(&h->at[c], &e))
            break;
        place(p, h, i, h->at[c]);
        i = (uint32_t)c;
    }
    place(p, h, i, e);
}

void heap_insert(struct policy *p, struct heap *h, struct heap_entry e)
{
    up(p, h, h->n++, e);
}

void heap_changed(struct policy *p, struct heap *h, uint32_t i)
{
    struct heap_entry e = h->at[i];
    if (i && before(&e, &h->at[(i - 1) / 2]))
        up(p, h, i, e);
    else
        down(p, h, i, e);
}

uint32_t heap_pop(struct policy *p, struct heap *h)
{
    uint32_t top = h->at[0].node;
    if (--h->n)
        down(p, h, 0, h->at[h->n]);
    return top;
}

#define RESIDENT 1u

struct lfu {
    struct heap heap;
    uint64_t now;
};

static int lfu_init(struct policy *p)
{
    struct lfu *l = p->own = calloc(1, sizeof(*l));
    return l ? heap_init(&l->heap, p->frames) : -ENOMEM;
}

static void lfu_free(struct policy *p)
{
    struct lfu *l = p->own;
    if (l)
        free(l->heap.at);
    free(l);
}

/* A page comes in with this key; the top goes if no frame is free. */
static void admit(struct policy *p, struct heap *h, struct heap_entry e)
{
    if (p->resident == p->frames)
        p->node[heap_pop(p, h)].list = NOWHERE;
    else
        p->resident++;
    p->node[e.node].list = RESIDENT;
    heap_insert(p, h, e);
}

static uint64_t lfu_play(struct policy *p, const uint32_t *page, size_t n)
{
    struct lfu *l = p->own;
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++, l->now++) {
        uint32_t x = page[i] + POLICY_LISTS;
        if (p->node[x].list) {
            struct heap_entry *e = &l->heap.at[p->node[x].word];
            e->key++;
            e->second = l->now;
            heap_changed(p, &l->heap, p->node[x].word);
            continue;
        }
        misses++;
        admit(p, &l->heap, (struct heap_entry){1, l->now, x});
    }
    return misses;
}

struct min {
    struct heap heap;
    uint32_t *next; /* by position: distance to the next use of the same page, 0: none */
    size_t n, at;
};

static int min_init(struct policy *p)
{
    struct min *m = p->own = calloc(1, sizeof(*m));
    return m ? heap_init(&m->heap, p->frames) : -ENOMEM;
}

static void min_free(struct policy *p)
{
    struct min *m = p->own;
    if (m) {
        free(m->heap.at);
        free(m->next);
    }
    free(m);
}

/* Farther than this counts as this: then pages of such distances are told apart no more. */
#define FAR UINT32_MAX

int policy_min_prepare(struct policy *p, const uint32_t *page, size_t n, uint32_t pages)
{
    struct min *m = p->own;
    size_t *last = malloc((size_t)pages * sizeof(*last) + 1);
    free(m->next);
    m->next = malloc(n * sizeof(*m->next) + 1);
    if (!last || !m->next || policy_grow(p, pages)) {
        free(last);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < pages; i++)
        last[i] = SIZE_MAX;
    for (size_t i = n; i--;) {
        size_t d = last[page[i]] == SIZE_MAX ? 0 : last[page[i]] - i;
        m->next[i] = d < FAR ? (uint32_t)d : FAR;
        last[page[i]] = i;
    }
    free(last);
    m->n = n;
    m->at = 0;
    return 0;
}

static uint64_t min_play(struct policy *p, const uint32_t *page, size_t n)
{
    struct min *m = p->own;
    uint64_t misses = 0;
    for (size_t i = 0; i < n && m->at < m->n; i++, m->at++) {
        uint32_t x = page[i] + POLICY_LISTS;
        /* The farthest next use has the smallest key. */
        uint64_t key = m->next[m->at] ? UINT64_MAX - (m->at + m->next[m->at]) : 0;
        if (p->node[x].list) {
            m->heap.at[p->node[x].word].key = key;
            heap_changed(p, &m->heap, p->node[x].word);
            continue;
        }
        misses++;
        admit(p, &m->heap, (struct heap_entry){key, x, x});
    }
    return misses;
}

const struct policy_ops policy_lfu = {.name = "LFU", .about = "least frequently used while resident", .init = lfu_init, .free = lfu_free, .play = lfu_play};
const struct policy_ops policy_min = {
    .name = "MIN", .about = "Belady's optimum: farthest next use", .init = min_init, .free = min_free, .play = min_play, .needs_future = true};
