/* SPDX-License-Identifier: MIT */
/*
 * Slots: who gets which, and when it is free again.
 *
 *   cluster   empty ──> owned by a CPU, which fills it in order ──> full ──(a slot freed)──> partial ──> owned ...
 *               ^                                                     partial, its last slot freed
 *               └──────────────── discard (if the device wants to know) <──┘
 *
 * A CPU stays with an area for SLOTS_PER_TURN slots, then asks anew: areas of the highest priority that have room take turns. So pages that are
 * swapped out one after the other lie side by side, on each of the devices.
 *
 * Invariants
 *  1. cluster.used counts its words that are not 0; a word becomes 0 in swap_slot_release() and nowhere else, under the area's lock:
 *     SLOT_TAKEN stays when the last entry and the cached page are gone.
 *  2. inuse of an area is the number of its slots in use; swap_nr_free is the sum of pages - inuse over areas that give out
 *     slots: it changes with a->lock held.
 *
 * Locks: swap_lock (list of areas), a->lock; neither inside the other.
 */
#include <lib/errno.h>
#include <mm/swap.h>
#include <port/cpu.h>
#include "swap_internal.h"

#define SLOTS_PER_TURN 64

/* Which area a CPU takes slots from. */
static struct choice {
    u32 type; /* number + 1, 0: none */
    u32 left; /* slots until the next choice */
    u32 epoch;
} choices[NR_CPUS];
u32 swap_epoch;

LIST_HEAD(swap_list);
spinlock_t swap_lock = SPINLOCK_INIT(RANK_SWAP);

/* ---- lists of clusters ---- */

static void push(struct swap_area *a, struct swap_cluster_list *l, u32 n, enum cluster_state state)
{
    struct swap_cluster *c = &a->clusters[n - 1];
    c->state = state;
    c->next = 0;
    c->prev = l->tail;
    if (l->tail)
        a->clusters[l->tail - 1].next = n;
    else
        l->head = n;
    WRITE_ONCE(l->tail, n);
}

static void take(struct swap_area *a, struct swap_cluster_list *l, u32 n)
{
    struct swap_cluster *c = &a->clusters[n - 1];
    if (c->prev)
        a->clusters[c->prev - 1].next = c->next;
    else
        l->head = c->next;
    if (c->next)
        a->clusters[c->next - 1].prev = c->prev;
    else
        l->tail = c->prev;
}

/* On no list and nobody's: where does it belong? */
static void file_cluster(struct swap_area *a, u32 n, bool fresh)
{
    struct swap_cluster *c = &a->clusters[n - 1];
    if (c->used == SWAP_CLUSTER)
        c->state = CLUSTER_FULL;
    else if (c->used)
        push(a, &a->partial, n, CLUSTER_PARTIAL);
    else if (a->flags & SWAP_AREA_DISCARD && !fresh)
        push(a, &a->discard, n, CLUSTER_DISCARD);
    else
        push(a, &a->empty, n, CLUSTER_EMPTY);
}

void swap_clusters_init(struct swap_area *a)
{
    for (u32 n = 1; n <= a->nr_clusters; n++) {
        const u64 *w = a->slots + (u64)(n - 1) * SWAP_CLUSTER;
        for (unsigned i = 0; i < SWAP_CLUSTER; i++)
            a->clusters[n - 1].used += w[i] != 0;
        file_cluster(a, n, true);
    }
}

/* ---- taking a slot; the area's lock is held ---- */

/* A slot from cpu's cluster on; 0: it has none left. */
static u64 next_slot(struct swap_area *a, struct swap_cpu *cpu)
{
    u64 end = (u64)cpu->cluster * SWAP_CLUSTER;
    for (u64 i = (u64)(cpu->cluster - 1) * SWAP_CLUSTER + cpu->next; i < end; i++) {
        if (!READ_ONCE(a->slots[i])) {
            cpu->next = (u32)(i % SWAP_CLUSTER) + 1;
            return i;
        }
    }
    u32 n = cpu->cluster;
    cpu->cluster = 0;
    file_cluster(a, n, false);
    return 0;
}

static bool new_cluster(struct swap_area *a, struct swap_cpu *cpu)
{
    struct swap_cluster_list *l = a->empty.head ? &a->empty : &a->partial;
    cpu->cluster = l->head;
    cpu->next = 0;
    if (!cpu->cluster)
        return false;
    take(a, l, cpu->cluster);
    a->clusters[cpu->cluster - 1].state = CLUSTER_OWNED;
    return true;
}

/* Nothing is left but what other CPUs are filling. */
static u64 steal(struct swap_area *a)
{
    for (unsigned i = 0; i < cpu_nr_possible(); i++) {
        u64 slot = a->cpu[i].cluster ? next_slot(a, &a->cpu[i]) : 0;
        if (slot)
            return slot;
    }
    return 0;
}

static u64 take_slot(struct swap_area *a, u64 word)
{
    struct swap_cpu *cpu = &a->cpu[cpu_id()];
    u64 slot = 0;
    spin_lock(&a->lock);
    if (a->flags & SWAP_AREA_WRITABLE && a->inuse < a->pages) {
        /* Each round files a cluster that has no slot behind the place it came from, or takes one that has. */
        for (u32 tries = 2 * a->nr_clusters + 1; !slot && tries && (cpu->cluster || new_cluster(a, cpu)); tries--)
            slot = next_slot(a, cpu);
        if (!slot)
            slot = steal(a);
    }
    if (slot) {
        __atomic_store_n(&a->slots[slot], word, __ATOMIC_RELEASE);
        a->clusters[slot / SWAP_CLUSTER].used++;
        WRITE_ONCE(a->inuse, a->inuse + 1); /* choose() looks without the lock */
        __atomic_fetch_sub(&swap_nr_free, 1, __ATOMIC_RELAXED);
    }
    spin_unlock(&a->lock);
    return slot;
}

/* The next area with room, but for those in `tried`; its fellows of equal priority come before it next time. */
static bool choose(struct choice *c, u32 tried)
{
    struct swap_area *a;
    bool found = false;
    spin_lock(&swap_lock);
    list_for_each_entry (a, &swap_list, link) {
        if (tried & 1u << a->type || READ_ONCE(a->inuse) >= a->pages)
            continue;
        c->type = a->type + 1;
        c->left = SLOTS_PER_TURN;
        struct list_head *pos = a->link.next;
        while (pos != &swap_list && list_entry(pos, struct swap_area, link)->prio == a->prio)
            pos = pos->next;
        list_del(&a->link);
        list_add_tail(&a->link, pos);
        found = true;
        break;
    }
    spin_unlock(&swap_lock);
    return found;
}

swp_entry_t swap_slot_alloc(pfn_t pfn)
{
    swp_entry_t e = {0};
    u32 tried = 0;
    if (swap_free_pages() <= 0)
        return e;
    rcu_read_lock();
    struct choice *c = &choices[cpu_id()];
    if (c->epoch != READ_ONCE(swap_epoch)) { /* another area may be the first now */
        c->epoch = READ_ONCE(swap_epoch);
        c->left = 0;
    }
    while (c->left || choose(c, tried)) {
        struct swap_area *a = load_acquire(&swap_areas[c->type - 1]);
        u64 slot = a ? take_slot(a, SLOT_TAKEN | SLOT_CACHED | pfn) : 0;
        if (slot) {
            c->left--;
            e = swp_entry(c->type - 1, slot);
            break;
        }
        tried |= 1u << (c->type - 1);
        c->left = 0;
    }
    rcu_read_unlock();
    return e;
}

/* ---- freeing ---- */

void swap_slot_release(struct swap_area *a, u64 offset)
{
    u32 n = (u32)(offset / SWAP_CLUSTER) + 1;
    struct swap_cluster *c = &a->clusters[n - 1];
    spin_lock(&a->lock);
    __atomic_store_n(&a->slots[offset], 0UL, __ATOMIC_RELAXED);
    c->used--;
    WRITE_ONCE(a->inuse, a->inuse - 1);
    if (a->flags & SWAP_AREA_WRITABLE)
        __atomic_fetch_add(&swap_nr_free, 1, __ATOMIC_RELAXED);
    if (c->state == CLUSTER_FULL) {
        file_cluster(a, n, false);
    } else if (c->state == CLUSTER_PARTIAL && !c->used) {
        take(a, &a->partial, n);
        file_cluster(a, n, false);
    }
    if (unlikely(a->discard.head))
        waitq_wake_one(&a->discard_wait);
    spin_unlock(&a->lock);
}

bool swap_discard_some(struct swap_area *a)
{
    spin_lock(&a->lock);
    u32 n = a->discard.head;
    if (n)
        take(a, &a->discard, n);
    spin_unlock(&a->lock);
    if (!n)
        return false;
    u64 first = max((u64)(n - 1) * SWAP_CLUSTER, 1UL), end = min((u64)n * SWAP_CLUSTER, a->max);
    a->ops->discard(a, first, end - first);
    spin_lock(&a->lock);
    push(a, &a->empty, n, CLUSTER_EMPTY);
    spin_unlock(&a->lock);
    return true;
}
