/* SPDX-License-Identifier: MIT */
/*
 * Policies that remember pages which are gone ("ghosts"): 2Q, ARC, CAR, S3-FIFO.
 *
 *   2Q       A1in (FIFO, a quarter of the frames), A1out (its ghosts, as many as half of the frames), Am (LRU). A miss on a ghost goes to Am.
 *            Johnson, Shasha, VLDB 1994, "full version".
 *   ARC      T1 (seen once) and T2 (more often) in LRU order, ghosts B1 and B2; a hit on a ghost moves the target size of T1.
 *            Megiddo, Modha, FAST 2003, figure 4.
 *   CAR      ARC with clocks for T1 and T2.  Bansal, Modha, FAST 2004, figure 2.
 *   S3-FIFO  a small FIFO (a tenth), a main FIFO, ghosts for as many as main holds; uses are counted up to 3; what was used more than once
 *            while small goes to main, where each use gives another round.  Yang et al., SOSP 2023, algorithm 1.
 *
 * Resident lists are 1 and 2, ghosts 3 and 4.
 */
#include "policy_internal.h"

enum { T1 = 1, T2, B1, B2 };

static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

/* ---- 2Q ---- */

static void q2_make_room(struct policy *p)
{
    uint32_t in = p->frames / 4 ? p->frames / 4 : 1, out = p->frames / 2 ? p->frames / 2 : 1;
    if (p->resident < p->frames) {
        p->resident++;
    } else if (p->len[T1] > in || !p->len[T2]) {
        node_move(p, B1, node_oldest(p, T1));
        if (p->len[B1] > out)
            node_remove(p, node_oldest(p, B1));
    } else {
        node_remove(p, node_oldest(p, T2));
    }
}

static uint64_t q2_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS, list = p->node[x].list;
        if (list == T2)
            node_move(p, T2, x);
        if (list == T1 || list == T2)
            continue;
        misses++;
        if (list == B1)
            node_remove(p, x);
        q2_make_room(p);
        node_push(p, list == B1 ? T2 : T1, x);
    }
    return misses;
}

/* ---- ARC ---- */

static void arc_replace(struct policy *p, bool second_ghost)
{
    uint32_t t1 = p->len[T1];
    if (t1 && (t1 > p->target || (second_ghost && t1 == p->target)))
        node_move(p, B1, node_oldest(p, T1));
    else
        node_move(p, B2, node_oldest(p, T2));
}

/* A ghost was wanted: its list should have been longer. */
static void aim(struct policy *p, uint32_t list)
{
    double b1 = p->len[B1], b2 = p->len[B2];
    p->target += list == B1 ? larger(b2 / b1, 1) : -larger(b1 / b2, 1);
    if (p->target > p->frames)
        p->target = p->frames;
    if (p->target < 0)
        p->target = 0;
}

static void arc_new(struct policy *p, uint32_t x)
{
    uint32_t c = p->frames, l1 = p->len[T1] + p->len[B1], all = l1 + p->len[T2] + p->len[B2];
    if (l1 == c) {
        if (p->len[T1] < c) {
            node_remove(p, node_oldest(p, B1));
            arc_replace(p, false);
        } else {
            node_remove(p, node_oldest(p, T1));
        }
    } else if (all >= c) {
        if (all == 2 * c)
            node_remove(p, node_oldest(p, B2));
        arc_replace(p, false);
    }
    node_push(p, T1, x);
}

static uint64_t arc_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS, list = p->node[x].list;
        if (list == T1 || list == T2) {
            node_move(p, T2, x);
            continue;
        }
        misses++;
        if (list) {
            aim(p, list);
            arc_replace(p, list == B2);
            node_move(p, T2, x);
        } else {
            arc_new(p, x);
        }
        p->resident = p->len[T1] + p->len[T2];
    }
    return misses;
}

/* ---- CAR ---- */

static void car_replace(struct policy *p)
{
    for (;;) {
        uint32_t list = p->len[T1] && p->len[T1] >= larger(1, p->target) ? T1 : T2;
        uint32_t x = node_oldest(p, list);
        if (!p->node[x].bits) {
            node_move(p, list == T1 ? B1 : B2, x);
            return;
        }
        p->node[x].bits = 0;
        node_move(p, T2, x);
    }
}

static uint64_t car_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    uint32_t c = p->frames;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS, list = p->node[x].list;
        if (list == T1 || list == T2) {
            p->node[x].bits = 1;
            continue;
        }
        misses++;
        if (p->len[T1] + p->len[T2] == c) {
            car_replace(p);
            if (!list && p->len[T1] + p->len[B1] == c)
                node_remove(p, node_oldest(p, B1));
            else if (!list && p->len[T1] + p->len[T2] + p->len[B1] + p->len[B2] >= 2 * c)
                node_remove(p, node_oldest(p, B2));
        }
        if (list) {
            aim(p, list);
            node_remove(p, x);
        }
        p->node[x].bits = 0;
        node_push(p, list ? T2 : T1, x);
        p->resident = p->len[T1] + p->len[T2];
    }
    return misses;
}

/* ---- S3-FIFO ---- */

#define FREQ_MAX 3u

static void s3_evict_main(struct policy *p)
{
    for (;;) {
        uint32_t x = node_oldest(p, T2);
        if (!p->node[x].freq) {
            node_remove(p, x);
            return;
        }
        p->node[x].freq--;
        node_move(p, T2, x);
    }
}

/* The oldest of the small queue goes, unless it was used: then it goes to main, and the next is looked at. */
static void s3_evict(struct policy *p, uint32_t main)
{
    if (p->len[T2] > main || !p->len[T1]) {
        s3_evict_main(p);
        return;
    }
    while (p->len[T1]) {
        uint32_t x = node_oldest(p, T1);
        if (p->node[x].freq <= 1) {
            node_move(p, B1, x);
            if (p->len[B1] > main)
                node_remove(p, node_oldest(p, B1));
            return;
        }
        p->node[x].freq = 0;
        node_move(p, T2, x);
    }
    s3_evict_main(p); /* all had been used */
}

static uint64_t s3_play(struct policy *p, const uint32_t *page, size_t n)
{
    uint64_t misses = 0;
    uint32_t small = p->frames / 10, main = p->frames - small;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = page[i] + POLICY_LISTS, list = p->node[x].list;
        if (list == T1 || list == T2) {
            p->node[x].freq += p->node[x].freq < FREQ_MAX;
            continue;
        }
        misses++;
        if (list == B1)
            node_remove(p, x);
        if (p->resident < p->frames)
            p->resident++;
        else
            s3_evict(p, main);
        p->node[x].freq = 0;
        node_push(p, list == B1 ? T2 : T1, x);
    }
    return misses;
}

const struct policy_ops policy_2q = {.name = "2Q", .about = "a FIFO for the new, an LRU for what comes back", .play = q2_play};
const struct policy_ops policy_arc = {.name = "ARC", .about = "recency and frequency in balance by their ghosts", .play = arc_play};
const struct policy_ops policy_car = {.name = "CAR", .about = "ARC with clocks", .play = car_play};
const struct policy_ops policy_s3fifo = {.name = "S3-FIFO", .about = "a small FIFO before a large one, and ghosts", .play = s3_play};
