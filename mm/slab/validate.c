/* SPDX-License-Identifier: MIT */
/*
 * Looking at slabs from outside: /proc/slabinfo, objects in use, and slab_validate.
 * Locks: slab_caches_lock, then one slab_node.lock at a time. The functions here may sleep.
 */
#include <mm/slab_internal.h>
#include <lib/bitmap.h>

struct node_sums {
    u64 slabs, active_slabs, objs, handed_out;
};

static void sum_list(const struct slab_cache *c, const struct page_list *l, struct node_sums *s)
{
    for (u32 pfn = l->head; pfn; pfn = pfn_to_page(pfn)->next) {
        const struct page *page = pfn_to_page(pfn);
        s->slabs++;
        s->active_slabs += page->mapcount != 0;
        s->objs += slab_page_objs(c, page);
        s->handed_out += (u64)page->mapcount;
    }
}

static void sum_cache(struct slab_cache *c, struct node_sums *s)
{
    *s = (struct node_sums){0};
    for (unsigned i = 0; i < nr_nodes; i++) {
        spin_lock(&c->node[i].lock);
        sum_list(c, &c->node[i].partial, s);
        sum_list(c, &c->node[i].full, s);
        spin_unlock(&c->node[i].lock);
    }
}

/* Objects in the stacks of all CPUs. slab_caches_lock held, so that no stack goes away. */
static u64 in_stacks_now(const struct slab_cache *c)
{
    u64 n = 0;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        n += READ_ONCE(load_acquire(&mm_cpus[cpu].slab[c->id])->count);
    return n;
}

void slab_for_each(void (*fn)(void *ctx, const struct slab_info *), void *ctx)
{
    struct slab_cache *c;
    mutex_lock(&slab_caches_lock);
    list_for_each_entry (c, &slab_caches, list) {
        struct node_sums s;
        u64 stacked = in_stacks_now(c);
        sum_cache(c, &s);
        struct slab_info info = {
            .name = c->name,
            .active_objs = s.handed_out > stacked ? s.handed_out - stacked : 0,
            .num_objs = s.objs,
            .obj_size = c->stride,
            .objs_per_slab = c->objs,
            .pages_per_slab = 1UL << c->order,
            .active_slabs = s.slabs,
            .num_slabs = s.slabs,
        };
        fn(ctx, &info);
    }
    mutex_unlock(&slab_caches_lock);
}

/* Objects in the stacks of all CPUs, frozen. */
static u64 in_stacks(struct slab_cpu **held)
{
    u64 n = 0;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        n += held[cpu]->count;
    return n;
}

u64 slab_in_use(struct slab_cache *c)
{
    struct slab_cpu *held[NR_CPUS];
    struct node_sums s;
    mutex_lock(&slab_caches_lock);
    slab_freeze(c, held);
    sum_cache(c, &s);
    u64 n = s.handed_out - in_stacks(held);
    slab_thaw(c, held);
    mutex_unlock(&slab_caches_lock);
    return n;
}

/* Follows the free list of a slab; seen: a bit for each object. */
static const char *check_free_list(struct slab_cache *c, struct page *page, u64 *seen)
{
    u32 objs = slab_page_objs(c, page), fresh = slab_index_fresh(page), free = 0;
    memset(seen, 0, BITMAP_WORDS(objs) * sizeof(u64));
    for (u64 i = slab_index_head(page); i != SLAB_NONE;) {
        if (i >= fresh)
            return "slab: free list leads to an object that was never used";
        if (test_and_set_bit(i, seen))
            return "slab: free list has a cycle";
        free++;
        void *obj = (char *)page_to_virt(page) + i * c->stride;
        i = slab_link_code(c, obj, *slab_link(c, obj));
    }
    if (free + (u32)page->mapcount + (objs - fresh) != objs)
        return "slab: free and used objects do not add up";
    return NULL;
}

static const char *check_list(struct slab_cache *c, unsigned node, const struct page_list *l,
                              bool full, u64 *seen, u64 *empty)
{
    u64 n = 0;
    for (u32 pfn = l->head; pfn; pfn = pfn_to_page(pfn)->next, n++) {
        struct page *page = pfn_to_page(pfn);
        if (n > l->nr)
            return "slab: list longer than its count";
        if (!page_test(page, PG_slab) || slab_page_cache(page) != c || page_refs(page) != 1)
            return "slab: page on a list is no slab of the cache";
        if (page_node(page) != node)
            return "slab: slab on another node's list";
        if (page->mapcount < 0 || (u32)page->mapcount > slab_page_objs(c, page))
            return "slab: count of objects out of range";
        if (full != ((u32)page->mapcount == slab_page_objs(c, page)))
            return "slab: slab on the wrong list";
        *empty += page->mapcount == 0;
        const char *bad = check_free_list(c, page, seen);
        if (bad)
            return bad;
    }
    return n == l->nr ? NULL : "slab: list shorter than its count";
}

/* Objects in the stacks: of this cache, none of them free in its slab, none twice. */
static const char *check_stacks(struct slab_cache *c, struct slab_cpu **held)
{
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        for (u32 i = 0; i < held[cpu]->count; i++) {
            void *obj = held[cpu]->obj[i];
            struct page *page = page_head(virt_to_page(obj));
            if (!page_test(page, PG_slab) || slab_page_cache(page) != c ||
                slab_object_of(c, page, obj) != obj)
                return "slab: per-CPU stack holds a stranger";
            for (u32 j = 0; j < i; j++)
                if (held[cpu]->obj[j] == obj)
                    return "slab: object twice in a per-CPU stack";
        }
    }
    return NULL;
}

static const char *check_cache(struct slab_cache *c, u64 *seen)
{
    struct slab_cpu *held[NR_CPUS];
    slab_freeze(c, held);
    const char *bad = check_stacks(c, held);
    u64 handed_out = 0;
    for (unsigned i = 0; !bad && i < nr_nodes; i++) {
        struct slab_node *n = &c->node[i];
        struct node_sums s = {0};
        u64 empty = 0;
        spin_lock(&n->lock);
        bad = check_list(c, i, &n->partial, false, seen, &empty);
        if (!bad)
            bad = check_list(c, i, &n->full, true, seen, &empty);
        if (!bad) {
            sum_list(c, &n->partial, &s);
            sum_list(c, &n->full, &s);
            if (s.objs != n->nr_objs)
                bad = "slab: count of objects is not the sum over the slabs";
            else if (empty != n->nr_empty)
                bad = "slab: count of empty slabs wrong";
            handed_out += s.handed_out;
        }
        spin_unlock(&n->lock);
    }
    if (!bad && in_stacks(held) > handed_out)
        bad = "slab: more objects in stacks than handed out";
    slab_thaw(c, held);
    return bad;
}

const char *slab_validate(void)
{
    DECLARE_BITMAP(seen, (PAGE_SIZE << SLAB_MAX_ORDER) / 8);
    struct slab_cache *c;
    const char *bad = NULL;
    mutex_lock(&slab_caches_lock);
    list_for_each_entry (c, &slab_caches, list) {
        bad = check_cache(c, seen);
        if (bad)
            break;
    }
    mutex_unlock(&slab_caches_lock);
    return bad;
}
