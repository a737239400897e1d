/* SPDX-License-Identifier: MIT */
/*
 * LRU for every number of frames in one pass: a reference misses in f frames exactly when more than f - 1 other pages were used
 * since the page's last use (Mattson et al. 1970).
 *
 *   time:  1 2 3 4 5 ...   a mark at the time of each page's last use; marks behind t = pages used since t
 *
 * The marks are counted by a binary indexed tree over `room` times; when the times run out the marks are moved together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct lru_curve {
    uint32_t *tree;         /* 1..room */
    uint32_t room, now, marks;
    uint32_t *last;         /* by page: time of its last use, 0: none */
    uint32_t *page_at;      /* by time: page + 1 whose mark is there, 0: none */
    uint32_t pages;
    uint64_t *hits;         /* by stack distance 1..nr_hits: hits from that many frames on */
    uint32_t nr_hits;
    uint64_t refs;
};

#define FIRST_ROOM 4096u

struct lru_curve *lru_curve_new(void)
{
    return calloc(1, sizeof(struct lru_curve));
}

void lru_curve_free(struct lru_curve *c)
{
    if (!c)
        return;
    free(c->tree);
    free(c->last);
    free(c->page_at);
    free(c->hits);
    free(c);
}

static void mark(struct lru_curve *c, uint32_t t, uint32_t n)
{
    for (; t <= c->room; t += t & -t)
        c->tree[t] += n;
}

static uint32_t marks_up_to(const struct lru_curve *c, uint32_t t)
{
    uint32_t n = 0;
    for (; t; t -= t & -t)
        n += c->tree[t];
    return n;
}

/* The marks get times 1, 2, ...; at least as many times as marks are free behind them. */
static int compact(struct lru_curve *c)
{
    uint32_t room = c->room ? c->room : FIRST_ROOM;
    while (room < 2 * (c->marks + 1))
        room *= 2;
    uint32_t *tree = calloc((size_t)room + 1, sizeof(*tree));
    uint32_t *at = calloc((size_t)room + 1, sizeof(*at)), n = 0;
    if (!tree || !at) {
        free(tree);
        free(at);
        return -ENOMEM;
    }
    for (uint32_t t = 1; t <= c->now; t++)
        if (c->page_at[t]) {
            at[++n] = c->page_at[t];
            c->last[at[n] - 1] = n;
        }
    free(c->tree);
    free(c->page_at);
    c->tree = tree;
    c->page_at = at;
    c->room = room;
    c->now = n;
    for (uint32_t t = 1; t <= n; t++) /* each node's own, then to its parent */
        tree[t] = 1;
    for (uint32_t t = 1; t <= room; t++)
        if (t + (t & -t) <= room)
            tree[t + (t & -t)] += tree[t];
    return 0;
}

static int grow(struct lru_curve *c, uint32_t pages)
{
    if (pages <= c->pages)
        return 0;
    uint32_t want = c->pages ? c->pages : 1024;
    while (want < pages)
        want *= 2;
    uint32_t *last = realloc(c->last, (size_t)want * sizeof(*last));
    if (last)
        c->last = last;
    uint64_t *hits = last ? realloc(c->hits, ((size_t)want + 1) * sizeof(*hits)) : NULL;
    if (!hits)
        return -ENOMEM;
    c->hits = hits;
    memset(last + c->pages, 0, (size_t)(want - c->pages) * sizeof(*last));
    memset(hits + (c->pages ? c->pages + 1 : 0), 0, (size_t)(want - c->pages + (c->pages ? 0 : 1)) * sizeof(*hits));
    c->pages = c->nr_hits = want;
    return 0;
}

int lru_curve_play(struct lru_curve *c, const uint32_t *page, size_t n, uint32_t pages)
{
    if (grow(c, pages))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i], t = c->last[x];
        c->refs++;
        if (t && t == c->now) {
            c->hits[1]++;
            continue;
        }
        if (t) {
            c->hits[c->marks - marks_up_to(c, t) + 1]++;
            mark(c, t, -1u);
            c->page_at[t] = 0;
        } else {
            c->marks++;
        }
        if (c->now == c->room) {
            c->marks -= !t; /* the new page has no mark yet */
            c->last[x] = 0;
            int err = compact(c);
            c->marks += !t;
            if (err)
                return err;
        }
        c->last[x] = ++c->now;
        c->page_at[c->now] = x + 1;
        mark(c, c->now, 1);
    }
    return 0;
}

uint64_t lru_curve_misses(const struct lru_curve *c, uint32_t frames)
{
    uint64_t misses = c->refs;
    for (uint32_t d = 1; d <= frames && d <= c->nr_hits; d++)
        misses -= c->hits[d];
    return misses;
}
