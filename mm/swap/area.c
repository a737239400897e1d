/* SPDX-License-Identifier: MIT */
/*
 * Areas: their birth, their place among the others, their end.
 *
 *   swap_area_alloc ── swap_area_enable: on the list, slots are given out
 *   swap_area_disable: off the list ── all entries brought back ── cached pages let go ── no slot in use ── swap_area_free
 *
 * Bringing back is mm/swap/off.c.
 *
 * Locks: swap_lock for the list; a->lock for the flags; the home serialises enabling and disabling.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include "swap_internal.h"

struct swap_area *swap_areas[MAX_SWAP_AREAS];
s64 swap_nr_free;
static u64 total_pages;
static s32 least_prio = -1; /* the next one without a wish is below */

s64 swap_free_pages(void)
{
    return READ_ONCE(swap_nr_free);
}

u64 swap_total_pages(void)
{
    return READ_ONCE(total_pages);
}

/* ---- birth ---- */

static u64 frames_end(void)
{
    const struct mem_range *r;
    u64 end = 0;
    for (size_t n = mem_ranges(&r); n; n--, r++)
        end = max(end, (r->base + r->size) >> PAGE_SHIFT);
    return end;
}

static int make_frame_table(void)
{
    size_t bytes = frames_end() * sizeof(u32);
    if (swap_slot_of_frame)
        return 0;
    u32 *t = vmalloc(bytes);
    if (!t)
        return -ENOMEM;
    memset(t, 0, bytes);
    swap_slot_of_frame = t;
    return 0;
}

/* It goes with the last area: no page is in the swap cache then. */
static void drop_frame_table(void)
{
    for (unsigned i = 0; i < MAX_SWAP_AREAS; i++)
        if (swap_areas[i])
            return;
    vfree(swap_slot_of_frame);
    swap_slot_of_frame = NULL;
}

static void release(struct swap_area *a)
{
    for (unsigned i = 0; i < SWAP_NR_IO; i++)
        kfree(a->io[i]);
    kfree(a->cpu);
    kvfree(a->clusters);
    kvfree(a->slots);
    kfree(a);
}

static int alloc_parts(struct swap_area *a, size_t io_size)
{
    size_t slots = (size_t)a->nr_clusters * SWAP_CLUSTER;
    a->slots = kvmalloc(slots * sizeof(u64), GFP_KERNEL);
    a->clusters = kvmalloc(a->nr_clusters * sizeof(struct swap_cluster), GFP_KERNEL);
    a->cpu = kzalloc(cpu_nr_possible() * sizeof(struct swap_cpu), GFP_KERNEL);
    if (!a->slots || !a->clusters || !a->cpu)
        return -ENOMEM;
    memset(a->slots, 0, slots * sizeof(u64));
    memset(a->clusters, 0, a->nr_clusters * sizeof(struct swap_cluster));
    for (unsigned i = 0; i < SWAP_NR_IO; i++) {
        a->io[i] = kzalloc(sizeof(struct swap_io) + io_size, GFP_KERNEL);
        if (!a->io[i])
            return -ENOMEM;
        a->io[i]->area = a;
    }
    return 0;
}

static void mark_bad(struct swap_area *a, const struct swap_setup *setup)
{
    u64 slots = (u64)a->nr_clusters * SWAP_CLUSTER, usable = 0;
    a->slots[0] = SLOT_BAD;
    for (u64 i = a->max; i < slots; i++)
        a->slots[i] = SLOT_BAD;
    for (u32 i = 0; i < setup->nr_bad; i++)
        a->slots[setup->bad[i]] = SLOT_BAD;
    for (u64 i = 1; i < a->max; i++)
        usable += !a->slots[i];
    a->pages = usable;
}

static int take_number(struct swap_area *a)
{
    int err = -EPERM;
    spin_lock(&swap_lock);
    for (unsigned i = 0; i < MAX_SWAP_AREAS && err; i++) {
        if (swap_areas[i])
            continue;
        a->type = i;
        store_release(&swap_areas[i], a);
        err = 0;
    }
    spin_unlock(&swap_lock);
    return err;
}

struct swap_area *swap_area_alloc(const struct swap_setup *setup)
{
    struct swap_area *a = kzalloc(sizeof(*a), GFP_KERNEL);
    if (!a)
        return ERR_PTR(-ENOMEM);
    a->max = min(setup->max, SWAP_MAX_SLOTS);
    a->nr_clusters = (u32)DIV_ROUND_UP(a->max, (u64)SWAP_CLUSTER);
    a->ops = setup->ops;
    a->home = setup->home;
    a->flags = setup->discard && setup->ops->discard ? SWAP_AREA_DISCARD : 0;
    list_init(&a->link);
    spin_init(&a->lock, RANK_SWAP);
    waitq_init(&a->io_wait);
    waitq_init(&a->discard_wait);
    int err = make_frame_table();
    if (!err)
        err = alloc_parts(a, setup->io_size);
    if (!err) {
        mark_bad(a, setup);
        swap_clusters_init(a);
        err = a->pages ? take_number(a) : -EINVAL;
    }
    if (err) {
        release(a);
        drop_frame_table();
        return ERR_PTR(err);
    }
    return a;
}

void swap_area_free(struct swap_area *a)
{
    ASSERT(!(a->flags & SWAP_AREA_WRITABLE) && !a->inuse);
    spin_lock(&swap_lock);
    store_release(&swap_areas[a->type], (struct swap_area *)NULL);
    spin_unlock(&swap_lock);
    rcu_synchronize(); /* W6 */
    release(a);
    drop_frame_table();
}

/* ---- among the others ---- */

void swap_area_enable(struct swap_area *a, s32 prio)
{
    struct swap_area *other;
    spin_lock(&a->lock);
    a->flags |= SWAP_AREA_WRITABLE;
    __atomic_fetch_add(&swap_nr_free, (s64)(a->pages - a->inuse), __ATOMIC_RELAXED);
    spin_unlock(&a->lock);
    spin_lock(&swap_lock);
    a->prio = prio >= 0 ? prio : --least_prio;
    struct list_head *pos = &swap_list;
    list_for_each_entry (other, &swap_list, link) {
        if (other->prio < a->prio) {
            pos = &other->link;
            break;
        }
    }
    list_add_tail(&a->link, pos);
    WRITE_ONCE(swap_epoch, swap_epoch + 1);
    WRITE_ONCE(total_pages, total_pages + a->pages);
    spin_unlock(&swap_lock);
}

void swap_area_leave(struct swap_area *a)
{
    struct swap_area *other;
    spin_lock(&swap_lock);
    list_del_init(&a->link);
    WRITE_ONCE(total_pages, total_pages - a->pages);
    if (a->prio < 0) { /* those below move up */
        list_for_each_entry (other, &swap_list, link)
            if (other->prio < a->prio)
                other->prio++;
        least_prio++;
    }
    spin_unlock(&swap_lock);
    spin_lock(&a->lock);
    a->flags &= ~SWAP_AREA_WRITABLE;
    __atomic_fetch_sub(&swap_nr_free, (s64)(a->pages - a->inuse), __ATOMIC_RELAXED);
    spin_unlock(&a->lock);
}

void swap_for_each_area(void (*fn)(void *ctx, const struct swap_area *a), void *ctx)
{
    const struct swap_area *a;
    spin_lock(&swap_lock);
    list_for_each_entry (a, &swap_list, link)
        fn(ctx, a);
    spin_unlock(&swap_lock);
}
