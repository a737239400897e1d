/* SPDX-License-Identifier: MIT */
/*
 * A bound on the memory of shadows. A node of a file's tree in which nothing but shadows is left is on a list; when these are more than
 * one for SHADOW_PAGES pages of the lists, the oldest are emptied.
 *
 *   tree node: room = link on the list     note_values: on it when all its entries are values, off when not, or when it goes
 *
 * Shared memory's values are swap entries: its nodes are never listed.
 *
 * Locks: shadow_lock, inside tree_lock; who comes from the list only tries the tree_lock. A listed node is in its tree, and the tree's
 * mapping is there: both end with the node off the list.
 */
#include <lib/xarray.h>
#include <mm/cache.h>
#include <mm/shrinker.h>
#include "reclaim_internal.h"

#define SHADOW_PAGES 8

static spinlock_t shadow_lock = SPINLOCK_INIT(RANK_LRU);
static LIST_HEAD(shadow_nodes);
static u64 nr_listed;

BUILD_ASSERT(sizeof(struct list_head) == sizeof(((struct xa_node *)0)->room));

static struct list_head *link_of(struct xa_node *node)
{
    return (struct list_head *)(void *)node->room;
}

static struct address_space *mapping_of(const struct xa_node *node)
{
    return container_of(node->array, struct address_space, pages);
}

static void count_node(const struct xa_node *node, s64 n)
{
    nr_listed += (u64)n;
    stat_node_add(page_node(virt_to_page(node)), NR_WORKINGSET_NODES, n);
}

void shadow_note_values(struct xa_node *node)
{
    bool listed = node->room[0];
    bool want = node->values && node->values == weight_u64(node->present) && !(mapping_of(node)->flags & AS_SHMEM);
    if (listed == want)
        return;
    spin_lock(&shadow_lock);
    if (want) {
        list_add_tail(link_of(node), &shadow_nodes);
    } else {
        list_del(link_of(node));
        node->room[0] = node->room[1] = 0;
    }
    count_node(node, want ? 1 : -1);
    spin_unlock(&shadow_lock);
}

static u64 count(struct shrinker *s, unsigned n)
{
    u64 pages = (u64)(stat_node_sum(n, NR_SLAB_RECLAIMABLE) + stat_node_sum(n, NR_SLAB_UNRECLAIMABLE));
    for (unsigned l = NR_INACTIVE_ANON; l <= NR_UNEVICTABLE; l++)
        pages += (u64)stat_node_sum(n, l);
    u64 have = (u64)stat_node_sum(n, NR_WORKINGSET_NODES), most = pages / SHADOW_PAGES;
    return have > most ? have - most : 0;
}

/* The first index of a node's slots. */
static u64 base_of(const struct xa_node *node)
{
    u64 base = 0;
    for (; node->parent; node = node->parent)
        base |= (u64)node->offset << node->parent->shift;
    return base;
}

/* tree_lock held. The last erase frees the node. */
static void empty(struct address_space *m, struct xa_node *node)
{
    u64 base = base_of(node), slots = node->present;
    stat_node_add(page_node(virt_to_page(node)), WORKINGSET_NODERECLAIM, 1);
    for (; slots; slots &= slots - 1)
        xa_erase(&m->pages, base + ffs_u64(slots));
}

static u64 scan(struct shrinker *s, unsigned n, u64 nr, gfp_t gfp)
{
    u64 freed = 0;
    for (; nr; nr--) {
        spin_lock(&shadow_lock);
        if (list_empty(&shadow_nodes)) {
            spin_unlock(&shadow_lock);
            break;
        }
        struct xa_node *node = container_of((void *)shadow_nodes.next, struct xa_node, room);
        struct address_space *m = mapping_of(node);
        bool locked = spin_trylock(&m->tree_lock);
        if (!locked)
            list_move_tail(link_of(node), &shadow_nodes);
        spin_unlock(&shadow_lock);
        if (!locked)
            continue;
        empty(m, node);
        spin_unlock(&m->tree_lock);
        freed++;
    }
    return freed;
}

void shadow_boot(void)
{
    static struct shrinker shadows = {.name = "mm-shadow", .count = count, .scan = scan};
    shrinker_register(&shadows);
}
