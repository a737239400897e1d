/* SPDX-License-Identifier: MIT */
/*
 * Range tree: a balanced binary tree (AVL) of half-open ranges [start, end) that do not overlap,
 * with the free space before each range, and the largest such space in each subtree, kept up to
 * date. Used for the areas of an address space.
 *
 *              [40,60) gap 10                 list:  [10,20) <-> [25,30) <-> [40,60) <-> [60,70)
 *             /              \                gaps:  10          5           10          0
 *      [10,20) gap 10      [60,70) gap 0
 *             \                               The space after the last range belongs to no node.
 *          [25,30) gap 5
 *
 * Invariants (rt_validate):
 *  1. start < end; in address order, prev->end <= start.
 *  2. prev/next link the nodes in address order; root->first and root->last are the ends of this
 *     list, root->nr its length.
 *  3. height is 1 + the higher child's, and the children's heights differ by at most 1.
 *  4. gap is start - prev->end, or start for the first; max_gap is the largest gap of the subtree.
 *  5. At no instant do the child pointers form a cycle, and a removed node keeps its pointers, so
 *     that a reader under RCU that stands on it still ends (at a node or at NULL). It can miss a
 *     node that is being moved.
 *
 * Locks: changes under the caller's write lock; all look-ups but rt_find_rcu() under the read or
 * write lock. Removed nodes may be freed or used anew only after an RCU grace period if
 * rt_find_rcu() is in use. Nothing here allocates or sleeps.
 */
#ifndef LIB_RANGE_TREE_H
#define LIB_RANGE_TREE_H
#include <lib/types.h>

struct rt_node {
    struct rt_node *left, *right;
    u64 start, end;
    struct rt_node *parent;
    u64 gap;
    u64 max_gap;
    struct rt_node *prev, *next;
    u32 height;
};

struct rt_root {
    struct rt_node *root;
    struct rt_node *first, *last;
    u64 nr;
};

#define RT_ROOT_INIT                                                                               \
    {                                                                                              \
        NULL, NULL, NULL, 0                                                                        \
    }
/*
 * A lockless walk gives up here: no AVL tree that fits into 2^64 bytes is deeper, so only moving
 * nodes can lead so far.
 */
#define RT_MAX_DEPTH 128

static inline void rt_init(struct rt_root *root)
{
    *root = (struct rt_root)RT_ROOT_INIT;
}

static inline bool rt_empty(const struct rt_root *root)
{
    return root->root == NULL;
}

static inline struct rt_node *rt_first(const struct rt_root *root)
{
    return root->first;
}

static inline struct rt_node *rt_last(const struct rt_root *root)
{
    return root->last;
}

/* The neighbours in address order, or NULL. */
static inline struct rt_node *rt_next(const struct rt_node *node)
{
    return node->next;
}

static inline struct rt_node *rt_prev(const struct rt_node *node)
{
    return node->prev;
}

/* The first node with end > addr (it contains addr or lies above it), or NULL. */
static inline struct rt_node *rt_find(const struct rt_root *root, u64 addr)
{
    struct rt_node *n = root->root, *best = NULL;
    while (n) {
        if (addr < n->end) {
            best = n;
            if (addr >= n->start)
                break;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

/* The node that contains addr, or NULL. */
static inline struct rt_node *rt_find_exact(const struct rt_root *root, u64 addr)
{
    struct rt_node *n = rt_find(root, addr);
    return n && n->start <= addr ? n : NULL;
}

/* The first node that has a byte in [lo, hi), or NULL. */
static inline struct rt_node *rt_find_overlap(const struct rt_root *root, u64 lo, u64 hi)
{
    struct rt_node *n = rt_find(root, lo);
    return n && n->start < hi ? n : NULL;
}

/*
 * Under rcu_read_lock, without the tree's lock: a node that contained addr during the call, or
 * NULL. NULL proves nothing (a rotation may hide a node for a moment): ask again under the lock. A
 * node's bounds may have changed since: check them again under the node's own lock.
 */
static __always_inline_fn struct rt_node *rt_find_rcu(const struct rt_root *root, u64 addr)
{
    struct rt_node *n = load_acquire(&root->root);
    u32 depth = RT_MAX_DEPTH;
    while (n) {
        if (addr < READ_ONCE(n->start))
            n = load_acquire(&n->left);
        else if (addr >= READ_ONCE(n->end))
            n = load_acquire(&n->right);
        else
            return n;
        if (--depth == 0)
            break;
    }
    return NULL;
}

/*
 * Inserts node, whose start and end are set. 0, or -EEXIST when it overlaps a range of the tree,
 * -EINVAL when it is empty (the tree is then unchanged).
 */
int rt_insert(struct rt_root *root, struct rt_node *node);

/*
 * Inserts node between its known neighbours (NULL: there is none on that side), which must be next
 * to each other, with prev->end <= node->start < node->end <= next->start. Saves the descent.
 */
void rt_insert_between(struct rt_root *root, struct rt_node *prev, struct rt_node *next,
                       struct rt_node *node);

/* Removes node, which is in the tree. */
void rt_remove(struct rt_root *root, struct rt_node *node);

/* Gives node new bounds, start < end, that do not reach into its neighbours. */
void rt_resize(struct rt_root *root, struct rt_node *node, u64 start, u64 end);

/* Puts fresh, which is in no tree, in the place of old. It takes old's start and end. */
void rt_replace(struct rt_root *root, struct rt_node *old, struct rt_node *fresh);

/*
 * The lowest, or highest, address a with [a, a + size) free, lo <= a, a + size <= hi and a % align
 * == align_offset. size > 0; align is a power of two; align_offset < align. 0 and *out, or -ENOMEM.
 * O(log n) unless alignment rejects spaces that are large enough, which costs a step for each of
 * them.
 */
int rt_gap_lowest(const struct rt_root *root, u64 lo, u64 hi, u64 size, u64 align, u64 align_offset,
                  u64 *out);
int rt_gap_highest(const struct rt_root *root, u64 lo, u64 hi, u64 size, u64 align,
                   u64 align_offset, u64 *out);

/* NULL, or which invariant is broken. O(n). */
const char *rt_validate(const struct rt_root *root);

/* node: a struct rt_node *; it must not be removed inside the loop. */
#define rt_for_each(root, node) for ((node) = (root)->first; (node); (node) = (node)->next)
/* The loop may remove node; tmp is another struct rt_node *. */
#define rt_for_each_safe(root, node, tmp)                                                          \
    for ((node) = (root)->first; (node) && ((tmp) = (node)->next, true); (node) = (tmp))
#endif
