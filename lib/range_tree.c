/* SPDX-License-Identifier: MIT */
/*
 * Range tree: insertion, removal and the upkeep of heights and gaps. See <lib/range_tree.h> for the
 * picture, the invariants and the locks; the gap search is in range_tree_gap.c.
 *
 * Rotation of x to the left, in the order of its stores (invariant 5; beta may be NULL):
 *
 *      p             p                 p                  p
 *      |             |                 |                  |
 *      x      1.     x   y      2.     x <-- y     3.     y
 *     / \     -->   / \ / \     -->   / \     \    -->   / \
 *    a   y         a beta  c         a  beta   c        x   c
 *       / \                                            / \
 *    beta  c                                          a  beta
 */
#include <lib/errno.h>
#include <lib/range_tree.h>

static inline u32 height_of(const struct rt_node *n)
{
    return n ? n->height : 0;
}

/* Recomputes what a node keeps about its subtree from its children. */
static void update(struct rt_node *n)
{
    u64 gap = n->gap;
    u32 height = 0;
    if (n->left) {
        height = n->left->height;
        gap = max(gap, n->left->max_gap);
    }
    if (n->right) {
        height = max(height, n->right->height);
        gap = max(gap, n->right->max_gap);
    }
    n->height = height + 1;
    n->max_gap = gap;
}

/*
 * Makes the child pointer of parent (or the root) that leads to old lead to fresh; readers see
 * fresh whole.
 */
static void set_child(struct rt_root *root, struct rt_node *parent, const struct rt_node *old,
                      struct rt_node *fresh)
{
    if (!parent)
        store_release(&root->root, fresh);
    else if (parent->left == old)
        store_release(&parent->left, fresh);
    else
        store_release(&parent->right, fresh);
}

static struct rt_node *rotate_left(struct rt_root *root, struct rt_node *x)
{
    struct rt_node *y = x->right, *beta = y->left, *parent = x->parent;
    store_release(&x->right, beta);
    if (beta)
        beta->parent = x;
    store_release(&y->left, x);
    set_child(root, parent, x, y);
    y->parent = parent;
    x->parent = y;
    update(x);
    update(y);
    return y;
}

static struct rt_node *rotate_right(struct rt_root *root, struct rt_node *x)
{
    struct rt_node *y = x->left, *beta = y->right, *parent = x->parent;
    store_release(&x->left, beta);
    if (beta)
        beta->parent = x;
    store_release(&y->right, x);
    set_child(root, parent, x, y);
    y->parent = parent;
    x->parent = y;
    update(x);
    update(y);
    return y;
}

/* Restores invariants 3 and 4 from n up to the first ancestor about which nothing changes. */
static void rebalance(struct rt_root *root, struct rt_node *n)
{
    while (n) {
        u32 old_height = n->height;
        u64 old_gap = n->max_gap;
        u32 lh = height_of(n->left), rh = height_of(n->right);
        if (lh > rh + 1) {
            if (height_of(n->left->left) < height_of(n->left->right))
                rotate_left(root, n->left);
            n = rotate_right(root, n);
        } else if (rh > lh + 1) {
            if (height_of(n->right->right) < height_of(n->right->left))
                rotate_right(root, n->right);
            n = rotate_left(root, n);
        } else {
            update(n);
        }
        if (n->height == old_height && n->max_gap == old_gap)
            return;
        n = n->parent;
    }
}

/* Restores invariant 4 from n upward; the shape is unchanged. */
static void propagate_gap(struct rt_node *n)
{
    for (; n; n = n->parent) {
        u64 gap = n->gap;
        if (n->left)
            gap = max(gap, n->left->max_gap);
        if (n->right)
            gap = max(gap, n->right->max_gap);
        if (gap == n->max_gap)
            return;
        n->max_gap = gap;
    }
}

static inline u64 gap_before(const struct rt_node *n)
{
    return n->prev ? n->start - n->prev->end : n->start;
}

void rt_insert_between(struct rt_root *root, struct rt_node *prev, struct rt_node *next,
                       struct rt_node *node)
{
    node->left = NULL;
    node->right = NULL;
    node->height = 1;
    node->prev = prev;
    node->next = next;
    node->gap = gap_before(node);
    node->max_gap = node->gap;
    if (prev)
        WRITE_ONCE(prev->next, node);
    else
        root->first = node;
    if (next) {
        WRITE_ONCE(next->prev, node);
        next->gap = next->start - node->end;
    } else {
        root->last = node;
    }
    root->nr++;
    /* Of two neighbours, the lower has no right child or the upper has no left one. */
    if (prev && !prev->right) {
        node->parent = prev;
        store_release(&prev->right, node);
    } else if (next) {
        node->parent = next;
        store_release(&next->left, node);
    } else {
        node->parent = NULL;
        store_release(&root->root, node);
    }
    rebalance(root, node->parent);
    propagate_gap(next);
}

int rt_insert(struct rt_root *root, struct rt_node *node)
{
    if (node->start >= node->end)
        return -EINVAL;
    struct rt_node *next = rt_find(root, node->start);
    if (next && next->start < node->end)
        return -EEXIST;
    rt_insert_between(root, next ? next->prev : root->last, next, node);
    return 0;
}

/*
 * Takes node with two children out: its successor takes its place. Returns the lowest node whose
 * subtree changed.
 */
static struct rt_node *unlink_inner(struct rt_root *root, struct rt_node *node)
{
    struct rt_node *heir = node->next, *lowest = heir;
    if (heir != node->right) {
        struct rt_node *child = heir->right;
        lowest = heir->parent;
        store_release(&lowest->left, child);
        if (child)
            child->parent = lowest;
        store_release(&heir->right, node->right);
        node->right->parent = heir;
    }
    store_release(&heir->left, node->left);
    node->left->parent = heir;
    heir->height = node->height;
    heir->max_gap = node->max_gap;
    heir->parent = node->parent;
    set_child(root, node->parent, node, heir);
    return lowest;
}

void rt_remove(struct rt_root *root, struct rt_node *node)
{
    struct rt_node *prev = node->prev, *next = node->next, *lowest;
    if (node->left && node->right) {
        lowest = unlink_inner(root, node);
    } else {
        struct rt_node *child = node->left ? node->left : node->right;
        lowest = node->parent;
        if (child)
            child->parent = lowest;
        set_child(root, lowest, node, child);
    }
    if (prev)
        WRITE_ONCE(prev->next, next);
    else
        root->first = next;
    if (next) {
        WRITE_ONCE(next->prev, prev);
        next->gap = gap_before(next);
    } else {
        root->last = prev;
    }
    root->nr--;
    rebalance(root, lowest);
    propagate_gap(next);
}

void rt_resize(struct rt_root *root, struct rt_node *node, u64 start, u64 end)
{
    struct rt_node *next = node->next;
    if (start != node->start) {
        WRITE_ONCE(node->start, start);
        node->gap = gap_before(node);
        propagate_gap(node);
    }
    if (end != node->end) {
        WRITE_ONCE(node->end, end);
        if (next) {
            next->gap = next->start - end;
            propagate_gap(next);
        }
    }
}

void rt_replace(struct rt_root *root, struct rt_node *old, struct rt_node *fresh)
{
    *fresh = *old;
    if (fresh->left)
        fresh->left->parent = fresh;
    if (fresh->right)
        fresh->right->parent = fresh;
    if (fresh->prev)
        WRITE_ONCE(fresh->prev->next, fresh);
    else
        root->first = fresh;
    if (fresh->next)
        WRITE_ONCE(fresh->next->prev, fresh);
    else
        root->last = fresh;
    set_child(root, fresh->parent, old, fresh);
}

/*
 * The node after n by the shape of the tree alone; NULL at the end, n itself when the climb does
 * not end.
 */
static const struct rt_node *tree_next(const struct rt_node *n)
{
    const struct rt_node *p = n->right;
    u32 steps = 0;
    if (p) {
        while (p->left && steps++ < RT_MAX_DEPTH)
            p = p->left;
        return p;
    }
    const struct rt_node *child = n;
    for (p = n->parent; p && p->right == child && steps++ < RT_MAX_DEPTH; p = p->parent)
        child = p;
    return p && p->left != child ? n : p;
}

static const char *validate_node(const struct rt_node *n)
{
    if (n->start >= n->end)
        return "range is empty";
    if (n->prev && n->prev->end > n->start)
        return "ranges overlap or are out of order";
    if (n->gap != gap_before(n))
        return "gap is not the space before the range";
    if ((n->left && n->left->parent != n) || (n->right && n->right->parent != n))
        return "child does not lead back to its parent";
    u32 lh = height_of(n->left), rh = height_of(n->right);
    if (n->height != max(lh, rh) + 1)
        return "height is wrong";
    if (lh > rh + 1 || rh > lh + 1)
        return "tree is out of balance";
    u64 gap = n->gap;
    gap = n->left ? max(gap, n->left->max_gap) : gap;
    gap = n->right ? max(gap, n->right->max_gap) : gap;
    if (n->max_gap != gap)
        return "max_gap is not the largest gap of the subtree";
    return NULL;
}

const char *rt_validate(const struct rt_root *root)
{
    const struct rt_node *n = root->root, *prev = NULL;
    u64 nr = 0;
    if (!n)
        return root->first || root->last || root->nr ? "empty tree has a list" : NULL;
    if (n->parent)
        return "root has a parent";
    for (u32 depth = 0; n->left; n = n->left) {
        if (depth++ > RT_MAX_DEPTH)
            return "tree is too deep";
    }
    if (n != root->first)
        return "first is not the leftmost node";
    for (; n; prev = n, n = n->next) {
        if (nr++ == root->nr)
            return "list is longer than nr";
        if (n->prev != prev)
            return "prev does not match next";
        const char *broken = validate_node(n);
        if (broken)
            return broken;
        if (tree_next(n) != n->next)
            return "list and tree disagree";
    }
    if (prev != root->last)
        return "last is not the end of the list";
    return nr == root->nr ? NULL : "list is shorter than nr";
}
