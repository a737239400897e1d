/* SPDX-License-Identifier: MIT */
/*
 * xarray: changes of the tree. See <lib/xarray.h> for the invariants and the locks.
 *
 *   store:  grow the root until it covers index -> descend, adding nodes -> put the entry
 *   erase:  take the entry -> trim: free empty nodes upward -> shrink: while only slot 0 of the
 *           root is in use, its child becomes the root
 *
 * A store that finds no memory trims and shrinks what it had built. Readers see every node whole:
 * it is linked in with a release store after it has been filled.
 */
#include <lib/errno.h>
#include <lib/xarray.h>

static inline void *node_entry(struct xa_node *node)
{
    return (void *)((uptr)node + 2);
}

static struct xa_node *node_alloc(struct xarray *xa, struct xa_node *parent, u32 offset, u32 shift)
{
    struct xa_node *node = xa->ops->alloc();
    if (!node)
        return NULL;
    memset(node, 0, sizeof(*node));
    node->parent = parent;
    node->offset = (u8)offset;
    node->shift = (u8)shift;
    node->array = xa;
    return node;
}

/* node leaves the tree. */
static void node_free(struct xarray *xa, struct xa_node *node)
{
    if (node->values) {
        node->values = 0;
        if (xa->ops->note_values)
            xa->ops->note_values(node);
    }
    xa->ops->free_rcu(node);
}

/* A slot of leaf held `was` and holds `is` now. */
static void count_values(struct xa_node *leaf, const void *was, const void *is)
{
    u8 before = leaf->values;
    if (likely(!before && !xa_is_value(was) && !xa_is_value(is)))
        return;
    leaf->values = (u8)(before + xa_is_value(is) - xa_is_value(was));
    if (leaf->array->ops->note_values)
        leaf->array->ops->note_values(leaf);
}

static void put_slot(struct xa_node *node, u32 slot, void *entry)
{
    store_release(&node->slots[slot], entry);
    WRITE_ONCE(node->present, node->present | BIT(slot));
}

/* Clears the marks of a slot, and those above that nobody else keeps alive. */
static void clear_marks(struct xa_node *leaf, u32 slot)
{
    for (u32 mark = 0; mark < XA_NR_MARKS; mark++) {
        struct xa_node *node = leaf;
        u32 at = slot;
        while (node && (node->marks[mark] & BIT(at))) {
            WRITE_ONCE(node->marks[mark], node->marks[mark] & ~BIT(at));
            if (node->marks[mark])
                break;
            at = node->offset;
            node = node->parent;
        }
    }
}

/* Invariant 3: while the root node only has slot 0 in use, what is there becomes the root. */
static void shrink(struct xarray *xa)
{
    while (xa_is_node(xa->root)) {
        struct xa_node *node = xa_to_node(xa->root);
        if (node->present != 1)
            return;
        void *child = node->slots[0];
        if (node->shift) {
            xa_to_node(child)->parent = NULL;
        } else {
            u64 marks = 0;
            for (u32 mark = 0; mark < XA_NR_MARKS; mark++)
                marks |= (node->marks[mark] & 1) << mark;
            WRITE_ONCE(xa->root_marks, (u8)marks);
        }
        store_release(&xa->root, child);
        node_free(xa, node);
    }
}

/*
 * Frees node and its ancestors as far as they are empty, then shrinks. Their marks are gone
 * already.
 */
static void trim(struct xarray *xa, struct xa_node *node)
{
    while (node && !node->present) {
        struct xa_node *parent = node->parent;
        if (parent) {
            store_release(&parent->slots[node->offset], NULL);
            WRITE_ONCE(parent->present, parent->present & ~BIT(node->offset));
        } else {
            store_release(&xa->root, NULL);
        }
        node_free(xa, node);
        node = parent;
    }
    shrink(xa);
}

/* The shift of a root node that covers index. */
static u32 shift_for(u64 index)
{
    return index < XA_SLOTS ? 0 : fls_u64(index) / XA_SLOT_BITS * XA_SLOT_BITS;
}

/* Puts one more node on top. */
static int grow(struct xarray *xa)
{
    void *root = xa->root;
    bool deep = xa_is_node(root);
    struct xa_node *below = deep ? xa_to_node(root) : NULL;
    struct xa_node *top = node_alloc(xa, NULL, 0, deep ? below->shift + XA_SLOT_BITS : 0);
    if (!top)
        return -ENOMEM;
    for (u32 mark = 0; mark < XA_NR_MARKS; mark++)
        top->marks[mark] = deep ? below->marks[mark] != 0 : (xa->root_marks >> mark) & 1;
    put_slot(top, 0, root);
    if (!deep)
        count_values(top, NULL, root);
    if (deep) {
        below->parent = top;
        below->offset = 0;
    }
    store_release(&xa->root, node_entry(top));
    WRITE_ONCE(xa->root_marks, 0);
    return 0;
}

/* Makes the root a node that covers index, which does not go into root itself. */
static int cover(struct xarray *xa, u64 index)
{
    if (!xa->root) {
        struct xa_node *top = node_alloc(xa, NULL, 0, shift_for(index));
        if (!top)
            return -ENOMEM;
        store_release(&xa->root, node_entry(top));
    }
    while (!xa_is_node(xa->root) || index >> xa_to_node(xa->root)->shift >= XA_SLOTS) {
        int rc = grow(xa);
        if (rc)
            return rc;
    }
    return 0;
}

/*
 * Stores *leaf, the node with shift 0 for index, adding what is missing on the way. On -ENOMEM
 * nothing has changed.
 */
static int build(struct xarray *xa, u64 index, struct xa_node **leaf)
{
    if (cover(xa, index)) {
        shrink(xa);
        return -ENOMEM;
    }
    struct xa_node *node = xa_to_node(xa->root);
    while (node->shift) {
        u32 slot = (index >> node->shift) % XA_SLOTS;
        if (!node->slots[slot]) {
            struct xa_node *child = node_alloc(xa, node, slot, node->shift - XA_SLOT_BITS);
            if (!child) {
                trim(xa, node);
                return -ENOMEM;
            }
            put_slot(node, slot, node_entry(child));
        }
        node = xa_to_node(node->slots[slot]);
    }
    *leaf = node;
    return 0;
}

/* Stores entry, which is not NULL; with only_absent it must not replace another. */
static int store(struct xarray *xa, u64 index, void *entry, void **old, bool only_absent)
{
    if (index == 0 && !xa_is_node(xa->root)) {
        *old = xa->root;
        if (*old && only_absent)
            return -EBUSY;
        store_release(&xa->root, entry);
        return 0;
    }
    struct xa_node *leaf;
    if (build(xa, index, &leaf))
        return -ENOMEM;
    u32 slot = index % XA_SLOTS;
    *old = leaf->slots[slot];
    if (*old && only_absent)
        return -EBUSY;
    put_slot(leaf, slot, entry);
    count_values(leaf, *old, entry);
    return 0;
}

int xa_store(struct xarray *xa, u64 index, void *entry, void **old)
{
    void *was = NULL;
    int rc = 0;
    if (entry)
        rc = store(xa, index, entry, &was, false);
    else
        was = xa_erase(xa, index);
    if (old && !rc)
        *old = was;
    return rc;
}

int xa_insert(struct xarray *xa, u64 index, void *entry)
{
    void *was;
    return store(xa, index, entry, &was, true);
}

void *xa_erase(struct xarray *xa, u64 index)
{
    void *entry = xa->root;
    if (!xa_is_node(entry)) {
        if (index || !entry)
            return NULL;
        store_release(&xa->root, NULL);
        WRITE_ONCE(xa->root_marks, 0);
        return entry;
    }
    struct xa_node *node = xa_to_node(entry);
    if (index >> node->shift >= XA_SLOTS)
        return NULL;
    for (; node->shift; node = xa_to_node(entry)) {
        entry = node->slots[(index >> node->shift) % XA_SLOTS];
        if (!entry)
            return NULL;
    }
    u32 slot = index % XA_SLOTS;
    entry = node->slots[slot];
    if (!entry)
        return NULL;
    clear_marks(node, slot);
    store_release(&node->slots[slot], NULL);
    WRITE_ONCE(node->present, node->present & ~BIT(slot));
    count_values(node, entry, NULL);
    trim(xa, node);
    return entry;
}

void xa_destroy(struct xarray *xa)
{
    void *root = xa->root;
    store_release(&xa->root, NULL);
    WRITE_ONCE(xa->root_marks, 0);
    struct xa_node *node = xa_is_node(root) ? xa_to_node(root) : NULL;
    while (node) {
        if (node->shift && node->present) {
            u32 slot = ffs_u64(node->present);
            WRITE_ONCE(node->present, node->present & (node->present - 1));
            node = xa_to_node(node->slots[slot]);
        } else {
            struct xa_node *parent = node->parent;
            node_free(xa, node);
            node = parent;
        }
    }
}
