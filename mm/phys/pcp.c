/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU stacks of free order-0 frames: the way in and out of the page allocator that takes no
 * lock.
 *
 *      alloc_page: pop ── empty: refill a batch from the zone ── zone short: alloc.c
 *      free_pages: push ── full: the older half goes back to the zone, in runs of neighbours
 *
 * A CPU reaches its stacks through the pointers in struct mm_cpu and only there. Another CPU that
 * wants to empty a stack first turns these pointers to a closed stack (count and high 0, so that
 * both fast paths fall through), waits for a grace period, and then owns the stack. The fast paths
 * run under rcu_read_lock and so have left the stack by then.
 *
 * Invariants
 *  1. A frame in a stack has refcount 0, mapcount -1, owner and index 0, and no flag but the one
 *     that names the stack. One in a PCP_ZEROED stack holds zeros.
 *  2. count <= high <= PCP_MAX, except in a stack that is being drained for good.
 *  3. Only the owning CPU, or who has closed it, changes a stack; statistics only the owning CPU.
 * Locks: zone->lock inside, to refill and drain; drain_mutex for pcp_drain_all().
 */
#include <mm/phys_internal.h>
#include <lib/errno.h>
#include <mm/stat.h>
#include <mm/trace.h>
#include <port/failpoint.h>
#include <port/lock.h>
#include <port/log.h>

static struct pcp pcp_closed;
static struct mutex drain_mutex;

/* Flags that a page must have lost before it is freed. */
#define PAGE_FLAGS_NOT_AT_FREE                                                                     \
    ((1u << PG_locked) | (1u << PG_writeback) | (1u << PG_lru) | (1u << PG_buddy) |                \
     (1u << PG_reserved))
/* What stays in flags of a free page: zone, node and which stack. */
#define PAGE_FLAGS_KEPT (~0u << PAGE_ZONE_SHIFT)

static __noinline_fn __noreturn_fn void bad_page(const struct page *page, const char *why)
{
    panic(
        "BUG: Bad page state: %s: pfn:%05lx flags:%#x refcount:%d mapcount:%d owner:%#lx index:%#x",
        why, page_to_pfn(page), page->flags, page->refcount, page->mapcount, page->owner,
        page->index);
}

/*
 * Checks and cleans a page that is being freed. The first four fields go in pairs: flags with
 * refcount, mapcount with index.
 */
BUILD_ASSERT(offsetof(struct page, refcount) == 4 && offsetof(struct page, mapcount) == 8 &&
             offsetof(struct page, index) == 12);
static __always_inline_fn u32 page_take_back(struct page *page)
{
    u64 *pair = (u64 *)(void *)page;
    u64 state = READ_ONCE(pair[0]);
    if (unlikely((state & (PAGE_FLAGS_NOT_AT_FREE | ~1UL << 32)) |
                 (u32)((u32)READ_ONCE(pair[1]) + 1)))
        bad_page(page, "freeing a page in use");
    u32 flags = (u32)state & PAGE_FLAGS_KEPT;
    WRITE_ONCE(pair[0], (u64)flags);
    WRITE_ONCE(pair[1], (u64)U32_MAX);
    WRITE_ONCE(page->owner, 0);
    return flags;
}

void pcp_reset(void)
{
    mutex_init(&drain_mutex, RANK_NONE);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        for (unsigned i = 0; i < ARRAY_SIZE(mm_cpus[cpu].pcp_alloc); i++)
            mm_cpus[cpu].pcp_alloc[i] = &pcp_closed;
        mm_cpus[cpu].pcp_zeroed = &pcp_closed;
        for (unsigned i = 0; i < PCP_SLOTS; i++)
            mm_cpus[cpu].pcp_free[i] = &pcp_closed;
    }
}

/* Where a zone's stack hangs in pcp_free. */
static unsigned pcp_slot(const struct zone *z, unsigned kind)
{
    static const u32 bits[NR_PCPS] = {
        [PCP_MOVABLE] = PAGE_PCP_MOVABLE, [PCP_ZEROED] = PAGE_PCP_ZEROED};
    return (z->page_flags | bits[kind]) >> PAGE_ZONE_SHIFT;
}

/* The zone that this CPU's allocations of a kind look at first, or NULL. */
static struct zone *first_zone(unsigned cpu, gfp_t gfp)
{
    struct zone **list = nodes[mem_cpu_node(cpu)]->zonelist;
    while (*list && (*list)->index > gfp_zone(gfp))
        list++;
    return *list;
}

/* Points a CPU's short cuts at its stacks. */
static void pcp_open(unsigned cpu)
{
    struct mm_cpu *c = &mm_cpus[cpu];
    struct zone *z = first_zone(cpu, GFP_KERNEL);
    if (z)
        store_release(&c->pcp_zeroed, z->pcp[cpu][PCP_ZEROED]);
    for_each_zone (z)
        for (unsigned k = 0; k < NR_PCPS; k++)
            store_release(&c->pcp_free[pcp_slot(z, k)], z->pcp[cpu][k]);
    for (unsigned bits = 0; bits < ARRAY_SIZE(c->pcp_alloc); bits++) {
        z = first_zone(cpu, bits);
        if (z)
            store_release(&c->pcp_alloc[bits],
                          z->pcp[cpu][(bits & GFP_MOVABLE) ? PCP_MOVABLE : PCP_UNMOVABLE]);
    }
}

static void pcp_close(unsigned cpu)
{
    struct mm_cpu *c = &mm_cpus[cpu];
    for (unsigned i = 0; i < ARRAY_SIZE(c->pcp_alloc); i++)
        store_release(&c->pcp_alloc[i], &pcp_closed);
    store_release(&c->pcp_zeroed, &pcp_closed);
    for (unsigned i = 0; i < PCP_SLOTS; i++)
        store_release(&c->pcp_free[i], &pcp_closed);
}

int pcp_boot(void)
{
    struct zone *z;
    unsigned cpus = cpu_nr_possible();
    for_each_zone (z) {
        /* All stacks of a zone together hold at most an eighth of it. */
        u64 high = z->present / (8 * 2 * cpus);
        u32 cap = (u32)min(max(high, 2UL), (u64)PCP_MAX);
        u32 batch = max(min(cap / 4, 64u), 1u);
        for (unsigned cpu = 0; cpu < cpus; cpu++) {
            for (unsigned k = 0; k < NR_PCPS; k++) {
                u32 room = k == PCP_ZEROED ? min(cap, (u32)PCP_ZEROED_MAX) : cap;
                struct pcp *p =
                    boot_alloc(mem_cpu_node(cpu), sizeof(*p) + room * sizeof(p->pfn[0]), 64);
                if (!p)
                    return -ENOMEM;
                p->high = room;
                p->batch = min(batch, room);
                p->zone = z;
                z->pcp[cpu][k] = p;
            }
        }
    }
    return 0;
}

/* Called once the zones hold their final memory. */
void pcp_open_all(void)
{
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        pcp_open(cpu);
}

/* Frees n frames to their zone under one lock, runs of neighbours (rising or falling) as one. */
static void give_back(struct zone *z, const u32 *pfn, u32 n)
{
    /*
     * In the buddy nothing remembers that a page is zeros. All frames of a stack have the same
     * flags.
     */
    if (n && (pfn_to_page(pfn[0])->flags & PAGE_PCP_ZEROED))
        for (u32 i = 0; i < n; i++)
            WRITE_ONCE(pfn_to_page(pfn[i])->flags, z->page_flags);
    spin_lock(&z->lock);
    for (u32 i = 0; trace_on(TRACE_mm_page_pcpu_drain) && i < n; i++)
        trace_mm_page_pcpu_drain(pfn_to_page(pfn[i]), 0);
    for (u32 i = 0; i < n;) {
        u32 lo = pfn[i], run = 1;
        if (i + 1 < n && pfn[i + 1] == lo + 1) {
            while (i + run < n && pfn[i + run] == lo + run)
                run++;
        } else {
            while (i + run < n && pfn[i + run] == lo - 1) {
                lo--;
                run++;
            }
        }
        buddy_free_run(z, lo, run);
        i += run;
    }
    spin_unlock(&z->lock);
}

static void pcp_drain_half(struct pcp *p)
{
    u32 n = p->count - p->count / 2;
    give_back(p->zone, p->pfn, n);
    WRITE_ONCE(p->count, p->count - n);
    memmove(p->pfn, p->pfn + n, p->count * sizeof(p->pfn[0]));
}

static void pcp_drain(struct pcp *p)
{
    if (!p->count)
        return;
    give_back(p->zone, p->pfn, p->count);
    WRITE_ONCE(p->count, 0);
}

/* Room for one more in the stack a page belongs to; NULL: closed. */
static __noinline_fn struct pcp *pcp_make_room(struct pcp *p)
{
    if (!p->high)
        return NULL;
    pcp_drain_half(p);
    return p;
}

/* A page whose stack is closed. */
static void free_uncached(struct page *page)
{
    struct zone *z = &nodes[page_node(page)]->zone[page_zone_index(page)];
    WRITE_ONCE(page->flags, z->page_flags);
    spin_lock(&z->lock);
    buddy_free(z, page_to_pfn(page), 0);
    spin_unlock(&z->lock);
    zone_stats_here(z)->frees++;
}

static inline void free_one(struct mm_cpu *c, struct page *page)
{
    u32 flags = page_take_back(page);
    mem_poison(page_to_virt(page), PAGE_SIZE);
    struct pcp *p = load_acquire(&c->pcp_free[flags >> PAGE_ZONE_SHIFT]);
    if (unlikely(p->count >= p->high)) {
        p = pcp_make_room(p);
        if (!p) {
            free_uncached(page);
            return;
        }
    }
    u32 n = p->count;
    p->pfn[n] = (u32)page_to_pfn(page);
    WRITE_ONCE(p->count, n + 1);
    p->frees++;
}

static __noinline_fn void trace_batch(struct page **pages, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        trace_mm_page_free(pages[i], 0);
    for (unsigned i = 0; i < n; i++)
        trace_mm_page_free_batched(pages[i]);
}

void free_page_batch(struct page **pages, unsigned n)
{
    if (trace_on(TRACE_mm_page_free) || trace_on(TRACE_mm_page_free_batched))
        trace_batch(pages, n);
    rcu_read_lock();
    struct mm_cpu *c = cpu_local();
    for (unsigned i = 0; i < n; i++)
        free_one(c, pages[i]);
    rcu_read_unlock();
}

static void free_block(struct page *page, unsigned order)
{
    struct zone *z = &nodes[page_node(page)]->zone[page_zone_index(page)];
    for (unsigned i = 0; i < 1u << order; i++)
        page_take_back(&page[i]);
    mem_poison(page_to_virt(page), PAGE_SIZE << order);
    spin_lock(&z->lock);
    buddy_free(z, page_to_pfn(page), order);
    spin_unlock(&z->lock);
    zone_stats_here(z)->frees += 1UL << order;
}

static __always_inline_fn void free_pages_quiet(struct page *page, unsigned order)
{
    ASSERT(order <= MAX_ORDER);
    if (unlikely(order)) {
        if (!IS_ALIGNED(page_to_pfn(page), 1UL << order))
            bad_page(page, "freeing a misaligned block");
        free_block(page, order);
        return;
    }
    rcu_read_lock();
    free_one(cpu_local(), page);
    rcu_read_unlock();
}

/* Trace points that end a function in a call of their own leave the way without them as it is: no register is saved for them. */
static __noinline_fn void free_pages_traced(struct page *page, unsigned order)
{
    trace_emit_mm_page_free(page, order);
    free_pages_quiet(page, order);
}

void free_pages(struct page *page, unsigned order)
{
    if (trace_on(TRACE_mm_page_free))
        free_pages_traced(page, order);
    else
        free_pages_quiet(page, order);
}

static __noinline_fn struct page *traced_alloc(struct page *page, gfp_t gfp, bool clear)
{
    trace_emit_mm_page_alloc(page, 0, gfp);
    if (clear)
        page_clear_contents(page, gfp);
    return page;
}

/* This CPU's list is empty. */
static __noinline_fn struct page *alloc_page_slow(gfp_t gfp)
{
    return alloc_slow(mem_cpu_node(cpu_id()), gfp, 0);
}

struct page *alloc_page(gfp_t gfp)
{
    if (failpoint_hit(FAIL_PAGE_ALLOC) && !(gfp & GFP_NOFAIL))
        return NULL;
    rcu_read_lock();
    struct pcp *p = load_acquire(&cpu_local()->pcp_alloc[gfp & GFP_ZONE_BITS]);
    u32 n = p->count;
    if (unlikely(!n)) {
        rcu_read_unlock();
        return alloc_page_slow(gfp);
    }
    struct page *page = pfn_to_page(p->pfn[n - 1]);
    WRITE_ONCE(p->count, n - 1);
    p->allocs++;
    rcu_read_unlock();
    page_hand_out(page);
    if (trace_on(TRACE_mm_page_alloc))
        return traced_alloc(page, gfp, gfp & GFP_ZERO);
    if (gfp & GFP_ZERO)
        page_clear_contents(page, gfp);
    return page;
}

struct page *alloc_zeroed_page(gfp_t gfp)
{
    struct page *page = NULL;
    rcu_read_lock();
    struct pcp *p = load_acquire(&cpu_local()->pcp_zeroed);
    u32 n = p->count;
    if (likely(n) && !failpoint_hit(FAIL_PAGE_ALLOC)) {
        WRITE_ONCE(p->count, n - 1);
        p->allocs++;
        page = pfn_to_page(p->pfn[n - 1]);
    }
    rcu_read_unlock();
    if (unlikely(!page))
        return n ? NULL : alloc_page(gfp | GFP_ZERO);
    WRITE_ONCE(page->flags,
               page->flags & ~PAGE_PCP_ZEROED); /* its user may dirty it and free it otherwise */
    page_hand_out(page);
    return trace_on(TRACE_mm_page_alloc) ? traced_alloc(page, gfp | GFP_ZERO, false) : page;
}

void free_zeroed_page(struct page *page)
{
    WRITE_ONCE(page->flags, page->flags | PAGE_PCP_ZEROED);
    free_pages(page, 0);
}

bool pcp_has_page(const struct zone *z, gfp_t gfp)
{
    unsigned kind = (gfp & GFP_MOVABLE) ? PCP_MOVABLE : PCP_UNMOVABLE;
    rcu_read_lock();
    bool has = load_acquire(&cpu_local()->pcp_free[pcp_slot(z, kind)])->count;
    rcu_read_unlock();
    return has;
}

struct page *pcp_alloc_zone(struct zone *z, gfp_t gfp)
{
    unsigned kind = (gfp & GFP_MOVABLE) ? PCP_MOVABLE : PCP_UNMOVABLE;
    struct page *page = NULL;
    rcu_read_lock();
    struct pcp *p = load_acquire(&cpu_local()->pcp_free[pcp_slot(z, kind)]);
    if (!p->high) {
        spin_lock(&z->lock);
        page = buddy_alloc(z, 0, gfp_migrate_type(gfp));
        spin_unlock(&z->lock);
    } else {
        u32 n = p->count;
        if (!n) {
            spin_lock(&z->lock);
            n = buddy_alloc_bulk(z, gfp_migrate_type(gfp), p->pfn, p->batch,
                                 (u32)pcp_slot(z, kind) << PAGE_ZONE_SHIFT);
            for (u32 i = 0; trace_on(TRACE_mm_page_alloc_zone_locked) && i < n; i++)
                trace_mm_page_alloc_zone_locked(pfn_to_page(p->pfn[i]), 0, gfp_migrate_type(gfp), 1);
            spin_unlock(&z->lock);
        }
        if (n) {
            page = pfn_to_page(p->pfn[n - 1]);
            WRITE_ONCE(p->count, n - 1);
        }
    }
    if (page)
        zone_stats_here(z)->allocs++;
    rcu_read_unlock();
    return page;
}

u64 pcp_pages(const struct zone *z)
{
    u64 n = 0;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        for (unsigned k = 0; k < NR_PCPS; k++)
            if (z->pcp[cpu][k])
                n += READ_ONCE(z->pcp[cpu][k]->count);
    return n;
}

void pcp_drain_local(void)
{
    rcu_read_lock();
    struct mm_cpu *c = cpu_local();
    for (unsigned i = 0; i < PCP_SLOTS; i++)
        pcp_drain(load_acquire(&c->pcp_free[i]));
    rcu_read_unlock();
}

void pcp_freeze(void)
{
    mutex_lock(&drain_mutex);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        pcp_close(cpu);
    rcu_synchronize();
}

void pcp_thaw(void)
{
    pcp_open_all();
    mutex_unlock(&drain_mutex);
}

void pcp_drain_all(void)
{
    struct zone *z;
    pcp_freeze();
    for_each_zone (z)
        for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
            for (unsigned k = 0; k < NR_PCPS; k++)
                pcp_drain(z->pcp[cpu][k]);
    pcp_thaw();
}
