/* SPDX-License-Identifier: MIT */
/*
 * Range tree: search for free space. Each node stands for the gap before it, so gaps are visited in
 * the order of the nodes; a subtree whose max_gap is too small is skipped whole. The space after
 * the last node is looked at apart.
 *
 *      0 .... [n0) .... [n1) .... [n2) ........... 2^64
 *        gap0      gap1      gap2      tail
 *
 * Locks: the tree's read or write lock. See <lib/range_tree.h>.
 */
#include <lib/errno.h>
#include <lib/range_tree.h>

struct gap_want {
    u64 lo, hi, size, mask, offset;
};

static inline bool has_gap(const struct rt_node *n, u64 size)
{
    return n && n->max_gap >= size;
}

/* The lowest fitting address in the free space [lo, hi), within what is wanted. */
static bool fit_low(const struct gap_want *w, u64 lo, u64 hi, u64 *out)
{
    lo = max(lo, w->lo);
    hi = min(hi, w->hi);
    u64 a = lo + ((w->offset - lo) & w->mask);
    if (a < lo || a > hi || hi - a < w->size)
        return false;
    *out = a;
    return true;
}

static bool fit_high(const struct gap_want *w, u64 lo, u64 hi, u64 *out)
{
    lo = max(lo, w->lo);
    hi = min(hi, w->hi);
    if (hi < w->size)
        return false;
    u64 a = hi - w->size, down = (a - w->offset) & w->mask;
    if (down > a || a - down < lo)
        return false;
    *out = a - down;
    return true;
}

/* The first node with start >= addr, or NULL. */
static struct rt_node *first_from(const struct rt_root *root, u64 addr)
{
    struct rt_node *n = root->root, *best = NULL;
    while (n) {
        if (n->start >= addr) {
            best = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

/* The next node in address order with gap >= size, or NULL. */
static struct rt_node *next_gap(struct rt_node *n, u64 size)
{
    if (has_gap(n->right, size)) {
        n = n->right;
    } else {
        for (;;) {
            struct rt_node *p = n->parent;
            if (!p)
                return NULL;
            if (p->left == n) {
                if (p->gap >= size)
                    return p;
                if (has_gap(p->right, size)) {
                    n = p->right;
                    break;
                }
            }
            n = p;
        }
    }
    for (;;) {
        if (has_gap(n->left, size))
            n = n->left;
        else if (n->gap >= size)
            return n;
        else
            n = n->right;
    }
}

/* The previous node in address order with gap >= size, or NULL. */
static struct rt_node *prev_gap(struct rt_node *n, u64 size)
{
    if (has_gap(n->left, size)) {
        n = n->left;
    } else {
        for (;;) {
            struct rt_node *p = n->parent;
            if (!p)
                return NULL;
            if (p->right == n) {
                if (p->gap >= size)
                    return p;
                if (has_gap(p->left, size)) {
                    n = p->left;
                    break;
                }
            }
            n = p;
        }
    }
    for (;;) {
        if (has_gap(n->right, size))
            n = n->right;
        else if (n->gap >= size)
            return n;
        else
            n = n->left;
    }
}

int rt_gap_lowest(const struct rt_root *root, u64 lo, u64 hi, u64 size, u64 align, u64 align_offset,
                  u64 *out)
{
    struct gap_want want = {lo, hi, size, align - 1, align_offset};
    if (size == 0 || lo >= hi || hi - lo < size)
        return -ENOMEM;
    for (struct rt_node *n = first_from(root, lo + 1); n; n = next_gap(n, size)) {
        u64 from = n->start - n->gap;
        if (from >= hi)
            return -ENOMEM;
        if (n->gap >= size && fit_low(&want, from, n->start, out))
            return 0;
    }
    return fit_low(&want, root->last ? root->last->end : 0, U64_MAX, out) ? 0 : -ENOMEM;
}

int rt_gap_highest(const struct rt_root *root, u64 lo, u64 hi, u64 size, u64 align,
                   u64 align_offset, u64 *out)
{
    struct gap_want want = {lo, hi, size, align - 1, align_offset};
    if (size == 0 || lo >= hi || hi - lo < size)
        return -ENOMEM;
    if (fit_high(&want, root->last ? root->last->end : 0, U64_MAX, out))
        return 0;
    struct rt_node *n = first_from(root, hi);
    for (n = n ? n : root->last; n && n->start > lo; n = prev_gap(n, size)) {
        if (n->gap >= size && fit_high(&want, n->start - n->gap, n->start, out))
            return 0;
    }
    return -ENOMEM;
}
