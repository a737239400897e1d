/* SPDX-License-Identifier: MIT */
/*
 * Slab caches: creation, and the way between a CPU's stack of free objects and the slabs.
 *
 *      slab_alloc: pop ── empty: refill half a stack from the partial lists ── none: a new slab
 *      slab_free:  push ── full: the older half goes back to its slabs
 *
 * A CPU's stack is made when the CPU first misses it. Stacks come from four caches that have none
 * themselves. To empty the stacks of other CPUs, their pointers are turned to slab_frozen (count
 * and cap 0), and after a grace period nobody uses them any more; the fast paths run under
 * rcu_read_lock.
 *
 * Invariants
 *  1. mm_cpus[].slab[id] is slab_none, slab_frozen or the CPU's own stack for every id and possible
 *     CPU.
 *  2. Objects in stacks count as handed out by their slabs.
 * Locks: slab_caches_lock (mutex) for the list of caches, ids and freezing; below it
 * slab_node.lock.
 */
#include <mm/slab_internal.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <port/log.h>
#include <port/random.h>

struct list_head slab_caches;
struct mutex slab_caches_lock;
static DECLARE_BITMAP(slab_ids, MAX_SLAB_CACHES);

static struct slab_cpu slab_none, slab_frozen;

/* Caches that exist before any memory can be had for them. */
#define NR_STACK_CACHES 4
static const u16 stack_caps[NR_STACK_CACHES] = {63, 31, 15, 7};
static struct boot_cache {
    struct slab_cache c;
    struct slab_node node[MAX_NODES];
} boot_caches[1 + NR_STACK_CACHES];
static struct slab_cache *const cache_cache = &boot_caches[0].c;

static struct slab_cache *stack_cache(u32 cap)
{
    for (unsigned i = 0; i < NR_STACK_CACHES; i++)
        if (stack_caps[i] == cap)
            return &boot_caches[1 + i].c;
    return NULL;
}

static u16 choose_cap(u32 stride)
{
    return stride <= 256 ? 63 : stride <= 1024 ? 31 : stride <= 2048 ? 15 : 7;
}

/* The smallest order with enough objects and at most a sixteenth wasted. */
static void choose_order(struct slab_cache *c)
{
    unsigned least = 0;
    while (least < SLAB_MAX_ORDER && (PAGE_SIZE << least) < c->stride)
        least++;
    c->min_order = (u8)least;
    while (least < SLAB_MAX_ORDER && (PAGE_SIZE << least) / c->stride < 16)
        least++;
    if ((PAGE_SIZE << least) / c->stride >= 16 || least == SLAB_MAX_ORDER) {
        unsigned order = least;
        while (order < SLAB_MAX_ORDER && (PAGE_SIZE << order) % c->stride * 16 > PAGE_SIZE << order)
            order++;
        least = (PAGE_SIZE << order) % c->stride * 16 > PAGE_SIZE << order ? least : order;
    }
    c->order = (u8)least;
}

/*
 * Fills in a zeroed cache and lists it. slab_caches_lock held. 0, -EINVAL (too large), -ENOSPC (no
 * number left).
 */
static int cache_init(struct slab_cache *c, const char *name, size_t size, size_t align, u32 flags)
{
    if (align == 0)
        align = size >= 16 ? 16 : 8;
    align = max(align, 8UL);
    if (size == 0 || !is_pow2(align) || align > PAGE_SIZE)
        return -EINVAL;
    u64 body = ALIGN_UP(size, 8UL);
    u64 stride = ALIGN_UP(body + ((flags & SLAB_RCU) ? 8 : 0), align);
    if (stride > PAGE_SIZE << SLAB_MAX_ORDER)
        return -EINVAL;
    u64 id = bitmap_find_first_zero(slab_ids, MAX_SLAB_CACHES);
    if (id == MAX_SLAB_CACHES)
        return -ENOSPC;
    set_bit(id, slab_ids);
    c->id = (u32)id;
    c->flags = flags;
    c->name = name;
    c->size = (u32)size;
    c->stride = (u32)stride;
    c->reciprocal = (u32)DIV_ROUND_UP(1UL << 32, stride);
    /*
     * Under RCU a free object must stay readable as what it was; else the link sits in the middle,
     * away from overflows.
     */
    c->link = (u16)((flags & SLAB_RCU) ? body : ALIGN_DOWN(body / 2, 8UL));
    c->mag_cap = choose_cap(c->stride);
    c->key = random_u64();
    choose_order(c);
    c->objs = (u16)((PAGE_SIZE << c->order) / stride);
    c->min_objs = (u16)((PAGE_SIZE << c->min_order) / stride);
    for (unsigned n = 0; n < nr_nodes; n++)
        spin_init(&c->node[n].lock, RANK_SLAB);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        mm_cpus[cpu].slab[id] = &slab_none;
    list_add(&c->list, &slab_caches); /* the newest first, as /proc/slabinfo has them */
    return 0;
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, u32 flags)
{
    struct slab_cache *c = slab_alloc(cache_cache, GFP_KERNEL | GFP_ZERO);
    if (!c)
        return NULL;
    mutex_lock(&slab_caches_lock);
    int err = cache_init(c, name, size, align, flags);
    mutex_unlock(&slab_caches_lock);
    if (err) {
        slab_free(cache_cache, c);
        return NULL;
    }
    return c;
}

void slab_freeze(struct slab_cache *c, struct slab_cpu **held)
{
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        held[cpu] = __atomic_exchange_n(&mm_cpus[cpu].slab[c->id], &slab_frozen, __ATOMIC_ACQ_REL);
    rcu_synchronize();
}

void slab_thaw(struct slab_cache *c, struct slab_cpu **held)
{
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        store_release(&mm_cpus[cpu].slab[c->id], held[cpu]);
}

static bool is_real(const struct slab_cpu *m)
{
    return m != &slab_none && m != &slab_frozen;
}

/* slab_caches_lock held. Leaves the CPUs without stacks. */
static void drop_stacks(struct slab_cache *c)
{
    struct slab_cpu *held[NR_CPUS];
    slab_freeze(c, held);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        if (!is_real(held[cpu]))
            continue;
        slab_give(c, held[cpu]->obj, held[cpu]->count);
        slab_free(stack_cache(held[cpu]->cap), held[cpu]);
        held[cpu] = &slab_none;
    }
    slab_thaw(c, held);
}

u64 slab_shrink(struct slab_cache *c)
{
    mutex_lock(&slab_caches_lock);
    drop_stacks(c);
    u64 pages = slab_free_empty(c);
    mutex_unlock(&slab_caches_lock);
    return pages;
}

u64 slab_shrink_all(void)
{
    struct slab_cache *c;
    u64 pages = 0;
    mutex_lock(&slab_caches_lock);
    list_for_each_entry (c, &slab_caches, list)
        if (!c->stack_of_stacks)
            drop_stacks(c);
    list_for_each_entry (c, &slab_caches, list)
        pages += slab_free_empty(c);
    mutex_unlock(&slab_caches_lock);
    return pages;
}

u64 slab_trim(void)
{
    struct slab_cache *c;
    u64 pages = 0;
    if (!mutex_trylock(&slab_caches_lock))
        return 0;
    list_for_each_entry (c, &slab_caches, list)
        pages += slab_free_empty(c);
    mutex_unlock(&slab_caches_lock);
    return pages;
}

int slab_cache_destroy(struct slab_cache *c)
{
    mutex_lock(&slab_caches_lock);
    drop_stacks(c);
    slab_free_empty(c);
    for (unsigned n = 0; n < nr_nodes; n++) {
        if (c->node[n].nr_objs) {
            mutex_unlock(&slab_caches_lock);
            return -EBUSY;
        }
    }
    list_del(&c->list);
    clear_bit(c->id, slab_ids);
    mutex_unlock(&slab_caches_lock);
    slab_free(cache_cache, c);
    return 0;
}

/* This CPU gets a stack, if memory is at hand. Inside rcu_read_lock: must not sleep. */
static struct slab_cpu *make_stack(struct slab_cache *c)
{
    if (!c->mag_cap)
        return &slab_none;
    struct slab_cpu *m = slab_alloc(stack_cache(c->mag_cap), GFP_NOWAIT | GFP_NOWARN);
    if (!m)
        return &slab_none;
    m->count = 0;
    m->cap = c->mag_cap;
    /* A freezer may have come in between: then the stack is not wanted. */
    struct slab_cpu *old = &slab_none;
    if (!__atomic_compare_exchange_n(&cpu_local()->slab[c->id], &old, m, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        slab_free(stack_cache(c->mag_cap), m);
        return old;
    }
    return m;
}

/*
 * An object without a new slab: from this CPU's stack, refilling it, or straight from a slab.
 * Inside rcu_read_lock.
 */
static void *alloc_here(struct slab_cache *c)
{
    struct slab_cpu *m = load_acquire(&cpu_local()->slab[c->id]);
    void *obj = NULL;
    if (m == &slab_none)
        m = make_stack(c);
    if (!is_real(m))
        return slab_take(c, &obj, 1) ? obj : NULL;
    u32 n = m->count;
    if (n == 0)
        n = slab_take(c, m->obj, (m->cap + 1) / 2);
    if (n == 0)
        return NULL;
    WRITE_ONCE(m->count, n - 1);
    return m->obj[n - 1];
}

void *slab_alloc_slow(struct slab_cache *c, gfp_t gfp)
{
    for (;;) {
        rcu_read_lock();
        void *obj = alloc_here(c);
        rcu_read_unlock();
        if (obj) {
            mem_unpoison(obj, c->stride);
            if (gfp & GFP_ZERO)
                memset(obj, 0, c->size);
            return obj;
        }
        struct page *page = slab_page_alloc(c, gfp);
        if (!page)
            return NULL;
        slab_page_add(c, page);
    }
}

void slab_free_slow(struct slab_cache *c, void *obj)
{
    if (c->flags & SLAB_ZERO_ON_FREE)
        memset(obj, 0, c->size);
    slab_poison(c, obj);
    struct slab_cpu *m = load_acquire(&cpu_local()->slab[c->id]);
    if (m == &slab_none)
        m = make_stack(c);
    if (!is_real(m)) {
        slab_give(c, &obj, 1);
        return;
    }
    u32 n = m->count;
    if (n && m->obj[n - 1] == obj)
        panic("slab %s: freeing %p: it is free already", c->name, obj);
    if (n == m->cap) {
        u32 half = (n + 1) / 2;
        slab_give(c, m->obj, half);
        n -= half;
        memmove(m->obj, m->obj + half, n * sizeof(m->obj[0]));
    }
    m->obj[n] = obj;
    WRITE_ONCE(m->count, n + 1);
}

static int boot_cache_init(struct boot_cache *b, const char *name, size_t size, bool stack)
{
    memset(b, 0, sizeof(*b));
    int err = cache_init(&b->c, name, size, 0, 0);
    if (err)
        return err;
    if (stack) {
        b->c.mag_cap = 0;
        b->c.stack_of_stacks = true;
    }
    return 0;
}

int slab_boot(void)
{
    static const char *const stack_names[NR_STACK_CACHES] = {"slab_stack-63", "slab_stack-31",
                                                             "slab_stack-15", "slab_stack-7"};
    list_init(&slab_caches);
    mutex_init(&slab_caches_lock, RANK_NONE);
    memset(slab_ids, 0, sizeof(slab_ids));
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        for (unsigned id = 0; id < MAX_SLAB_CACHES; id++)
            mm_cpus[cpu].slab[id] = &slab_none;
    int err =
        boot_cache_init(&boot_caches[0], "kmem_cache",
                        sizeof(struct slab_cache) + nr_nodes * sizeof(struct slab_node), false);
    for (unsigned i = 0; !err && i < NR_STACK_CACHES; i++)
        err = boot_cache_init(&boot_caches[1 + i], stack_names[i],
                              sizeof(struct slab_cpu) + stack_caps[i] * sizeof(void *), true);
    return err ? err : kmalloc_boot();
}
