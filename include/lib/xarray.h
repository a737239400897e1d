/* SPDX-License-Identifier: MIT */
/*
 * xarray: a map from a 64-bit index to an entry (a radix tree with 64 slots a node), with three
 * marks on each entry.
 *
 *      root -> entry                         only index 0 is in use
 *      root -> node(shift 0) -> 64 entries   indexes up to 63
 *      root -> node(shift 6) -> 64 x node(shift 0) -> entries   indexes up to 4,095; and so on
 *
 * An entry is a pointer aligned to 4, or a value (xa_mk_value). NULL means absent. The low bits say
 * which:  00 pointer    x1 value    10 node (never seen by callers)
 *
 * Invariants (xa_validate):
 *  1. present has a bit for each slot that is not NULL, and only for these; no node is empty.
 *  2. Slots of nodes with shift > 0 hold nodes with shift - 6, those of shift 0 entries; parent and
 *     offset lead back.
 *  3. The tree is as low as it can be: a root node has more in use than slot 0.
 *  4. A mark's bit in a node is set if and only if that entry, or one below that slot, has
 *     the mark.
 *  5. A node that was taken out keeps its slots, so a reader under RCU that stands on it sees
 *     what was true when it began.
 *
 * Locks: changes (and reads of marks that must be exact) under the caller's lock. Reads under that
 * lock or under RCU. Memory for nodes comes from the xarray's ops. Nothing sleeps unless ops->alloc
 * does.
 */
#ifndef LIB_XARRAY_H
#define LIB_XARRAY_H
#include <lib/types.h>
#include <lib/bits.h>

#define XA_SLOT_BITS 6
#define XA_SLOTS     64

enum xa_mark {
    XA_MARK_0,
    XA_MARK_1,
    XA_MARK_2,
    XA_NR_MARKS,
};

struct xa_node {
    u64 room[2]; /* not used by the xarray: for note_values() while the node is in the tree, then for free_rcu() */
    struct xa_node *parent;
    u8 shift;  /* of the index, to find the slot */
    u8 offset; /* our slot in parent */
    u8 values; /* slots that hold values; 0 once it was taken out */
    struct xarray *array;
    u64 present;
    u64 marks[XA_NR_MARKS];
    void *slots[XA_SLOTS];
};

struct xa_ops {
    /* sizeof(struct xa_node) bytes aligned to 8, of any content; NULL when there is no memory. */
    void *(*alloc)(void);
    /* Frees such a node after a grace period. May write its room at once. */
    void (*free_rcu)(void *node);
    /* May be NULL. The number of values, or of other entries beside values, of a node with shift 0 has changed; its room is zero at first. */
    void (*note_values)(struct xa_node *node);
};

struct xarray {
    void *root;
    const struct xa_ops *ops;
    u8 root_marks; /* of an entry that sits in root: bit m is mark m */
};

#define XA_INIT(ops_ptr)                                                                           \
    {                                                                                              \
        .root = NULL, .ops = (ops_ptr), .root_marks = 0                                            \
    }

static inline void xa_init(struct xarray *xa, const struct xa_ops *ops)
{
    *xa = (struct xarray)XA_INIT(ops);
}

static inline bool xa_empty(const struct xarray *xa)
{
    return READ_ONCE(xa->root) == NULL;
}

/* Values: 63-bit numbers in place of pointers. */
static inline void *xa_mk_value(u64 v)
{
    return (void *)((v << 1) | 1);
}

static inline bool xa_is_value(const void *entry)
{
    return (uptr)entry & 1;
}

static inline u64 xa_to_value(const void *entry)
{
    return (uptr)entry >> 1;
}

/* Internal: is this slot a node? */
static inline bool xa_is_node(const void *entry)
{
    return ((uptr)entry & 3) == 2;
}

static inline struct xa_node *xa_to_node(const void *entry)
{
    return (struct xa_node *)((uptr)entry - 2);
}

/* The entry at index, or NULL. Under RCU or the lock. */
static __always_inline_fn void *xa_load(const struct xarray *xa, u64 index)
{
    void *entry = load_acquire(&xa->root);
    if (!xa_is_node(entry))
        return index ? NULL : entry;
    const struct xa_node *node = xa_to_node(entry);
    u32 shift = node->shift;
    if (index >> shift >= XA_SLOTS)
        return NULL;
    for (;;) {
        entry = load_acquire(&node->slots[(index >> shift) % XA_SLOTS]);
        if (shift == 0 || !entry)
            return entry;
        node = xa_to_node(entry);
        shift -= XA_SLOT_BITS;
    }
}

/*
 * out[i] becomes the entry at index + i, or NULL, for 0 <= i < n; index + n must not wrap. Returns
 * how many are not NULL. Visits each node once, for fault-around and reads of many pages. Under RCU
 * or the lock.
 */
u32 xa_load_batch(const struct xarray *xa, u64 index, void **out, u32 n);

/*
 * Stores entry (NULL erases) and puts what was there into *old (old may be NULL). Marks stay as
 * they are when an entry replaces another. 0 or -ENOMEM (then nothing changed). Replacing an entry
 * never fails.
 */
int xa_store(struct xarray *xa, u64 index, void *entry, void **old);

/*
 * Stores entry (not NULL) where there is none: 0, -EBUSY when there is one (a value counts too), or
 * -ENOMEM.
 */
int xa_insert(struct xarray *xa, u64 index, void *entry);

/*
 * Takes the entry and its marks away and returns it (NULL: there was none). Gives back empty nodes.
 * Never fails.
 */
void *xa_erase(struct xarray *xa, u64 index);

/* Marks of the entry at index; no effect, and false, where there is no entry. */
void xa_set_mark(struct xarray *xa, u64 index, enum xa_mark mark);
void xa_clear_mark(struct xarray *xa, u64 index, enum xa_mark mark);
bool xa_get_mark(const struct xarray *xa, u64 index, enum xa_mark mark);

/* Does any entry have the mark? Cheap. */
static inline bool xa_marked(const struct xarray *xa, enum xa_mark mark)
{
    void *entry = load_acquire(&xa->root);
    if (xa_is_node(entry))
        return READ_ONCE(xa_to_node(entry)->marks[mark]) != 0;
    return entry && (READ_ONCE(xa->root_marks) >> mark) & 1;
}

/*
 * The first entry with *index <= its index <= max, or NULL; *index becomes its index (unchanged on
 * NULL). The _after forms look above *index. Under RCU or the lock.
 */
void *xa_find(const struct xarray *xa, u64 *index, u64 max);
void *xa_find_after(const struct xarray *xa, u64 *index, u64 max);
void *xa_find_marked(const struct xarray *xa, u64 *index, u64 max, enum xa_mark mark);
void *xa_find_marked_after(const struct xarray *xa, u64 *index, u64 max, enum xa_mark mark);

/* Gives back all nodes and leaves the xarray empty. What the entries point to is the caller's. */
void xa_destroy(struct xarray *xa);

/* NULL, or which invariant is broken. Under the lock. */
const char *xa_validate(const struct xarray *xa);

/* index: a u64; entry: a void *. The loop may store, erase and mark. */
#define xa_for_each(xa, index, entry)                                                              \
    for ((index) = 0, (entry) = xa_find(xa, &(index), U64_MAX); (entry);                           \
         (entry) = xa_find_after(xa, &(index), U64_MAX))
/* first <= index <= last */
#define xa_for_each_range(xa, index, entry, first, last)                                           \
    for ((index) = (first), (entry) = xa_find(xa, &(index), last); (entry);                        \
         (entry) = xa_find_after(xa, &(index), last))
#define xa_for_each_marked(xa, index, entry, mark)                                                 \
    for ((index) = 0, (entry) = xa_find_marked(xa, &(index), U64_MAX, mark); (entry);              \
         (entry) = xa_find_marked_after(xa, &(index), U64_MAX, mark))
#endif
