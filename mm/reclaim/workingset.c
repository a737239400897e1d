/* SPDX-License-Identifier: MIT */
/*
 * Refault distance: does a page that comes back belong to what is used now?
 *
 *   nonresident_age of the node: one step for each page evicted or activated
 *
 *      evicted ──── shadow: age then ────────── comes back
 *                   |<────── distance ──────────>|
 *
 * Had there been `distance` more pages of memory, the page would still be here. If the lists that compete with it are at least that long,
 * it may be used more than they: it begins as an active page.
 *
 *   shadow:  age << 5 | node << 1 | was in the working set (PG_workingset); of a page in swap the low 32 bits
 *
 * Locks: none; the age is changed atomically.
 */
#include "reclaim_internal.h"

#define AGE_SHIFT 5
#define AGE_MASK  (~0UL >> (AGE_SHIFT + 1))
BUILD_ASSERT(MAX_NODES <= 16);

void workingset_age(unsigned node, u64 n)
{
    __atomic_fetch_add(&nodes[node]->lruvec.nonresident_age, n, __ATOMIC_RELAXED);
}

u64 workingset_evicted(struct page *page)
{
    unsigned node = page_node(page);
    u64 age = __atomic_fetch_add(&nodes[node]->lruvec.nonresident_age, 1, __ATOMIC_RELAXED);
    return (age & AGE_MASK) << AGE_SHIFT | node << 1 | page_test(page, PG_workingset);
}

static unsigned shadow_node(u64 shadow)
{
    return (unsigned)(shadow >> 1) & 15;
}

/* mask: the bits of the age that the shadow has. */
static bool is_recent(u64 shadow, bool file, u64 mask)
{
    unsigned node = shadow_node(shadow);
    if (node >= nr_nodes)
        return false;
    u64 age = __atomic_load_n(&nodes[node]->lruvec.nonresident_age, __ATOMIC_RELAXED);
    u64 distance = (age - (shadow >> AGE_SHIFT)) & mask;
    u64 size = (u64)stat_node_sum(node, NR_ACTIVE_FILE);
    if (!file)
        size += (u64)stat_node_sum(node, NR_INACTIVE_FILE);
    if (reclaim_swap_room()) {
        size += (u64)stat_node_sum(node, NR_ACTIVE_ANON);
        if (file)
            size += (u64)stat_node_sum(node, NR_INACTIVE_ANON);
    }
    return distance <= size;
}

bool workingset_is_recent(u64 shadow, bool file)
{
    return is_recent(shadow, file, AGE_MASK);
}

static void refaulted(struct page *page, u64 shadow, u64 mask)
{
    unsigned node = page_node(page);
    bool file = !page_test(page, PG_swapbacked);
    stat_node_add(node, WORKINGSET_REFAULT_ANON + file, 1);
    if (!is_recent(shadow, file, mask))
        return;
    page_set(page, PG_active);
    workingset_age(node, 1);
    stat_node_add(node, WORKINGSET_ACTIVATE_ANON + file, 1);
    if (shadow & 1) {
        page_set(page, PG_workingset);
        reclaim_note_cost(nodes[node], file, 1, 0);
        stat_node_add(node, WORKINGSET_RESTORE_ANON + file, 1);
    }
}

void workingset_refaulted(struct page *page, u64 shadow)
{
    refaulted(page, shadow, AGE_MASK);
}

u32 workingset_evicted_swap(struct page *page)
{
    return (u32)workingset_evicted(page);
}

void workingset_refaulted_swap(struct page *page, u32 shadow)
{
    refaulted(page, shadow, U32_MAX >> AGE_SHIFT);
}
