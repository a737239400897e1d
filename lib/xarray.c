/* SPDX-License-Identifier: MIT */
/*
 * xarray: look-ups beyond xa_load(), and marks. See <lib/xarray.h> for the picture, the invariants
 * and the locks; changes of the tree are in xarray_store.c.
 *
 * A search descends from the root for one index at a time. Where a subtree has nothing from there
 * on, it goes on behind that subtree with a new descent: the index only grows, so a search ends
 * whatever writers do meanwhile.
 */
#include <lib/errno.h>
#include <lib/xarray.h>

/* The node with shift 0 on the way to index, or NULL when there is none (or the entry is in root).
 */
static struct xa_node *leaf_of(const struct xarray *xa, u64 index)
{
    void *entry = load_acquire(&xa->root);
    if (!xa_is_node(entry))
        return NULL;
    struct xa_node *node = xa_to_node(entry);
    u32 shift = node->shift;
    if (index >> shift >= XA_SLOTS)
        return NULL;
    for (; shift; shift -= XA_SLOT_BITS) {
        entry = load_acquire(&node->slots[(index >> shift) % XA_SLOTS]);
        if (!entry)
            return NULL;
        node = xa_to_node(entry);
    }
    return node;
}

u32 xa_load_batch(const struct xarray *xa, u64 index, void **out, u32 n)
{
    u32 found = 0;
    for (u32 i = 0; i < n;) {
        const struct xa_node *leaf = leaf_of(xa, index + i);
        u32 slot = (index + i) % XA_SLOTS;
        u32 stop = i + min(XA_SLOTS - slot, n - i);
        if (!leaf) {
            for (; i < stop; i++)
                out[i] = NULL;
            continue;
        }
        for (; i < stop; i++, slot++) {
            out[i] = load_acquire(&leaf->slots[slot]);
            found += out[i] != NULL;
        }
    }
    if (n && index == 0 && !out[0]) {
        void *entry = load_acquire(&xa->root);
        if (entry && !xa_is_node(entry)) {
            out[0] = entry;
            found++;
        }
    }
    return found;
}

/* In what a search looks for its next slot. */
enum { FIND_PRESENT = XA_NR_MARKS };

static u64 slots_of(const struct xa_node *node, u32 what)
{
    return what == FIND_PRESENT ? READ_ONCE(node->present) : READ_ONCE(node->marks[what]);
}

static void *find_in_root(const struct xarray *xa, void *entry, u64 index, u32 what)
{
    if (!entry || index != 0)
        return NULL;
    if (what != FIND_PRESENT && !((READ_ONCE(xa->root_marks) >> what) & 1))
        return NULL;
    return entry;
}

/* The first index behind the 2^bits aligned indexes around index, or 0 when there is none. */
static inline u64 index_behind(u64 index, u32 bits)
{
    return bits >= 64 ? 0 : (index | (BIT(bits) - 1)) + 1;
}

static void *find(const struct xarray *xa, u64 *index, u64 last, u32 what)
{
    u64 i = *index;
    do {
        void *entry = load_acquire(&xa->root);
        if (!xa_is_node(entry))
            return find_in_root(xa, entry, i, what);
        const struct xa_node *node = xa_to_node(entry);
        u32 shift = node->shift;
        if (i >> shift >= XA_SLOTS)
            return NULL;
        for (;; shift -= XA_SLOT_BITS) {
            u32 slot = (i >> shift) % XA_SLOTS;
            u64 candidates = slots_of(node, what) & (U64_MAX << slot);
            if (!candidates) {
                i = index_behind(i, shift + XA_SLOT_BITS);
                break;
            }
            u32 to = ffs_u64(candidates);
            if (to != slot)
                i = ((i >> shift & ~(u64)(XA_SLOTS - 1)) | to) << shift;
            if (i > last)
                return NULL;
            entry = load_acquire(&node->slots[to]);
            if (!entry) {
                i = index_behind(i, shift);
                break;
            }
            if (shift == 0) {
                *index = i;
                return entry;
            }
            node = xa_to_node(entry);
        }
    } while (i != 0 && i <= last);
    return NULL;
}

static void *find_after(const struct xarray *xa, u64 *index, u64 last, u32 what)
{
    u64 i = *index + 1;
    if (i == 0 || i > last)
        return NULL;
    void *entry = find(xa, &i, last, what);
    if (entry)
        *index = i;
    return entry;
}

void *xa_find(const struct xarray *xa, u64 *index, u64 last)
{
    return *index > last ? NULL : find(xa, index, last, FIND_PRESENT);
}

void *xa_find_after(const struct xarray *xa, u64 *index, u64 last)
{
    return find_after(xa, index, last, FIND_PRESENT);
}

void *xa_find_marked(const struct xarray *xa, u64 *index, u64 last, enum xa_mark mark)
{
    return *index > last ? NULL : find(xa, index, last, mark);
}

void *xa_find_marked_after(const struct xarray *xa, u64 *index, u64 last, enum xa_mark mark)
{
    return find_after(xa, index, last, mark);
}

/* Is the entry at index kept in root itself? */
static bool in_root(const struct xarray *xa, u64 index)
{
    return index == 0 && xa->root && !xa_is_node(xa->root);
}

void xa_set_mark(struct xarray *xa, u64 index, enum xa_mark mark)
{
    if (in_root(xa, index)) {
        WRITE_ONCE(xa->root_marks, (u8)(xa->root_marks | BIT(mark)));
        return;
    }
    struct xa_node *node = leaf_of(xa, index);
    u32 slot = index % XA_SLOTS;
    if (!node || !node->slots[slot])
        return;
    while (node) {
        u64 old = node->marks[mark];
        WRITE_ONCE(node->marks[mark], old | BIT(slot));
        if (old)
            break; /* then all nodes above have it already */
        slot = node->offset;
        node = node->parent;
    }
}

void xa_clear_mark(struct xarray *xa, u64 index, enum xa_mark mark)
{
    if (in_root(xa, index)) {
        WRITE_ONCE(xa->root_marks, (u8)(xa->root_marks & ~BIT(mark)));
        return;
    }
    struct xa_node *node = leaf_of(xa, index);
    u32 slot = index % XA_SLOTS;
    while (node) {
        u64 old = node->marks[mark];
        if (!(old & BIT(slot)))
            break;
        WRITE_ONCE(node->marks[mark], old & ~BIT(slot));
        if (old & ~BIT(slot))
            break; /* another slot keeps the mark alive above */
        slot = node->offset;
        node = node->parent;
    }
}

bool xa_get_mark(const struct xarray *xa, u64 index, enum xa_mark mark)
{
    void *entry = load_acquire(&xa->root);
    if (!xa_is_node(entry))
        return find_in_root(xa, entry, index, mark) != NULL;
    const struct xa_node *leaf = leaf_of(xa, index);
    return leaf && (READ_ONCE(leaf->marks[mark]) >> (index % XA_SLOTS)) & 1;
}

static const char *validate_slot(const struct xa_node *node, u32 slot);

static const char *validate_node(const struct xa_node *node)
{
    if (!node->present)
        return "node is empty";
    for (u32 mark = 0; mark < XA_NR_MARKS; mark++) {
        if (node->marks[mark] & ~node->present)
            return "empty slot has a mark";
    }
    for (u32 slot = 0; slot < XA_SLOTS; slot++) {
        const char *broken = validate_slot(node, slot);
        if (broken)
            return broken;
    }
    return NULL;
}

static const char *validate_slot(const struct xa_node *node, u32 slot)
{
    void *entry = node->slots[slot];
    if ((entry != NULL) != ((node->present >> slot) & 1))
        return "present does not match the slots";
    if (!entry)
        return NULL;
    if (node->shift == 0)
        return xa_is_node(entry) ? "node below the last level" : NULL;
    if (!xa_is_node(entry))
        return "entry above the last level";
    const struct xa_node *child = xa_to_node(entry);
    if (child->parent != node || child->offset != slot)
        return "child does not lead back to its parent";
    if (child->shift + XA_SLOT_BITS != node->shift)
        return "shift is wrong";
    for (u32 mark = 0; mark < XA_NR_MARKS; mark++) {
        if ((child->marks[mark] != 0) != ((node->marks[mark] >> slot) & 1))
            return "mark of a node does not match its child";
    }
    return validate_node(child); /* at most 11 levels deep */
}

const char *xa_validate(const struct xarray *xa)
{
    if (!xa_is_node(xa->root))
        return !xa->root && xa->root_marks ? "empty xarray has marks" : NULL;
    const struct xa_node *node = xa_to_node(xa->root);
    if (node->parent)
        return "root has a parent";
    if (node->present == 1)
        return "tree is higher than it must be";
    if (node->shift % XA_SLOT_BITS || node->shift > 60)
        return "root's shift is wrong";
    return validate_node(node);
}
