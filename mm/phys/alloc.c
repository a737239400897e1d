/* SPDX-License-Identifier: MIT */
/*
 * alloc_pages: the walk over zones when the per-CPU list has nothing, and what happens when memory
 * is short.
 *
 *      zonelist of the node, zones that gfp allows
 *        1. above the low watermark
 *        2. kswapd is woken
 *        3. above min (GFP_HIGH: half of min; a victim of the OOM killer: a quarter; GFP_MEMALLOC: to the last page);
 *           once more after this CPU's lists were emptied
 *        4. with GFP_RECLAIM: reclaim, then the lists of all CPUs, in turns while that makes progress or could, at most
 *           RECLAIM_ROUNDS times in vain; once for blocks above COSTLY_ORDER
 *        5. out_of_memory(), then again 4.
 *        6. NULL, with a line in the log unless GFP_NOWARN
 *
 * A thread that reclaims (THREAD_MEMALLOC) is served from the reserve and never comes to 4.
 *
 * A zone beyond the first that serves an allocation counts numa_miss there and numa_foreign at the
 * first, if the nodes differ.
 */
#include <mm/phys_internal.h>
#include <mm/stat.h>
#include <mm/trace.h>
#include <port/clock.h>
#include <port/failpoint.h>
#include <port/log.h>
#include <port/sched.h>

const struct reclaim_ops *phys_reclaim_ops;

#define RECLAIM_ROUNDS   16
#define COSTLY_ORDER     3
#define WARN_INTERVAL_NS 5000000000UL
#define WARN_BURST       10

static struct {
    u64 since;
    u32 printed, missed;
} warn_state;

void alloc_boot(void)
{
    warn_state.since = 0;
    warn_state.printed = warn_state.missed = 0;
}

static void warn_failure(gfp_t gfp, unsigned order)
{
    char mode[200];
    u64 now = clock_ns();
    if (now - READ_ONCE(warn_state.since) > WARN_INTERVAL_NS) {
        u32 missed = __atomic_exchange_n(&warn_state.missed, 0, __ATOMIC_RELAXED);
        WRITE_ONCE(warn_state.since, now);
        WRITE_ONCE(warn_state.printed, 0);
        if (missed)
            log_print(LOG_WARN, "warn_alloc: %u callbacks suppressed\n", missed);
    }
    if (__atomic_fetch_add(&warn_state.printed, 1, __ATOMIC_RELAXED) >= WARN_BURST) {
        __atomic_fetch_add(&warn_state.missed, 1, __ATOMIC_RELAXED);
        return;
    }
    gfp_text(gfp, mode, sizeof(mode));
    log_print(LOG_WARN, "cpu%u: page allocation failure: order:%u, mode:%#x(%s), nodemask=(null)\n",
              cpu_id(), order, gfp_linux(gfp), mode);
}

static struct page *zone_alloc(struct zone *z, gfp_t gfp, unsigned order)
{
    if (order == 0)
        return pcp_alloc_zone(z, gfp);
    spin_lock(&z->lock);
    struct page *page = buddy_alloc(z, order, gfp_migrate_type(gfp));
    spin_unlock(&z->lock);
    if (page) {
        struct pcp *stats = zone_stats_here(z);
        stats->allocs++;
        stats->alloc_pages += (1UL << order) - 1;
    }
    return page;
}

/* One walk over the zones. */
static struct page *walk_zones(unsigned node, gfp_t gfp, unsigned order, enum watermark mark)
{
    enum zone_type asked = gfp_zone(gfp);
    struct zone *first = NULL;
    for (struct zone **zp = nodes[node]->zonelist; *zp; zp++) {
        struct zone *z = *zp;
        if (z->index > asked)
            continue;
        if (!first)
            first = z;
        if ((gfp & GFP_THISNODE) && z->node != node)
            break;
        if (!watermark_ok(z, order, READ_ONCE(z->watermark[mark]), asked, gfp) &&
            !(order == 0 && pcp_has_page(z, gfp)))
            continue;
        struct page *page = zone_alloc(z, gfp, order);
        if (!page)
            continue;
        if (unlikely(z->node != first->node)) {
            zone_stats_here(z)->numa_miss++;
            zone_stats_here(first)->numa_foreign++;
        }
        return page;
    }
    return NULL;
}

/* What waits in the lists of other CPUs goes to its zones; false: nothing does. */
static bool drain_others(void)
{
    struct zone *z;
    u64 waiting = 0;
    for_each_zone (z)
        waiting += pcp_pages(z);
    if (waiting)
        pcp_drain_all();
    return waiting;
}

/* After a round that left no page: is another one worth it? *vain: rounds without progress so far. */
static bool retry_reclaim(unsigned node, gfp_t gfp, unsigned order, u64 freed, unsigned *vain)
{
    const struct reclaim_ops *ops = phys_reclaim_ops;
    if (gfp & GFP_NORETRY || order > COSTLY_ORDER)
        return false;
    *vain = freed ? 0 : *vain + 1;
    if (*vain > RECLAIM_ROUNDS)
        return false;
    if (ops->worth_retry)
        return ops->worth_retry(node, gfp, order);
    return freed;
}

static struct page *alloc_reclaim(unsigned node, gfp_t gfp, unsigned order)
{
    const struct reclaim_ops *ops = phys_reclaim_ops;
    const u32 *thread = sched_mem_flags();
    unsigned vain = 0;
    for (;;) {
        u64 freed = ops && ops->reclaim ? ops->reclaim(node, gfp, order) : 0;
        struct page *page = freed ? walk_zones(node, gfp, order, WMARK_MIN) : NULL;
        if (!page && drain_others())
            page = walk_zones(node, gfp, order, WMARK_MIN);
        if (!page && READ_ONCE(*thread) & THREAD_OOM_VICTIM && !(gfp & GFP_OOM_VICTIM)) {
            gfp |= GFP_OOM_VICTIM;
            page = walk_zones(node, gfp, order, WMARK_MIN);
        }
        if (page || !ops || (gfp & GFP_OOM_VICTIM && !(gfp & GFP_NOFAIL)))
            return page;
        if (retry_reclaim(node, gfp, order, freed, &vain)) {
            sched_cond();
            continue;
        }
        page = walk_zones(node, gfp, order, WMARK_HIGH); /* somebody else has just freed a lot */
        if (page || !ops->out_of_memory || !ops->out_of_memory(gfp, order))
            return page;
        vain = 0;
    }
}

/* Makes tails point at the head. */
static void make_compound(struct page *page, unsigned order)
{
    WRITE_ONCE(page->flags, page->flags | (1u << PG_head) | (order << PAGE_ORDER_SHIFT));
    for (unsigned i = 1; i < 1u << order; i++)
        page[i].owner = (u64)(uptr)page | PAGE_OWNER_TAIL;
}

/* Every zone is below its low watermark. */
static struct page *alloc_short(unsigned node, gfp_t gfp, unsigned order)
{
    u32 thread = *sched_mem_flags();
    if (thread & THREAD_MEMALLOC)
        gfp |= GFP_MEMALLOC;
    if (thread & THREAD_OOM_VICTIM)
        gfp |= GFP_OOM_VICTIM;
    if (phys_reclaim_ops && phys_reclaim_ops->wake)
        phys_reclaim_ops->wake(node, gfp, order);
    struct page *page = walk_zones(node, gfp, order, WMARK_MIN);
    if (!page) {
        pcp_drain_local();
        page = walk_zones(node, gfp, order, WMARK_MIN);
    }
    if (!page && (gfp & GFP_RECLAIM) && !(gfp & GFP_MEMALLOC))
        page = alloc_reclaim(node, gfp, order);
    while (!page && (gfp & GFP_NOFAIL) && (gfp & GFP_RECLAIM)) {
        sched_yield_cpu();
        page = walk_zones(node, gfp | GFP_MEMALLOC, order, WMARK_MIN);
        if (!page && !(gfp & GFP_MEMALLOC))
            page = alloc_reclaim(node, gfp, order);
    }
    return page;
}

struct page *alloc_slow(unsigned node, gfp_t gfp, unsigned order)
{
    struct page *page = walk_zones(node, gfp, order, WMARK_LOW);
    if (!page)
        page = alloc_short(node, gfp, order);
    if (!page) {
        if (!(gfp & GFP_NOWARN))
            warn_failure(gfp, order);
        trace_mm_page_alloc(NULL, order, gfp);
        return NULL;
    }
    mem_unpoison(page_to_virt(page), PAGE_SIZE << order);
    if (order && (gfp & GFP_COMP))
        make_compound(page, order);
    if (gfp & GFP_ZERO)
        for (unsigned i = 0; i < 1u << order; i++)
            page_clear_contents(page + i, gfp);
    page_hand_out(page);
    trace_mm_page_alloc(page, order, gfp);
    return page;
}

struct page *alloc_pages_node(unsigned node, gfp_t gfp, unsigned order)
{
    ASSERT(node < nr_nodes);
    if (unlikely(order > MAX_ORDER))
        return NULL;
    if (order == 0 && node == mem_cpu_node(cpu_id()) && !(gfp & GFP_THISNODE))
        return alloc_page(gfp);
    if (failpoint_hit(FAIL_PAGE_ALLOC) && !(gfp & GFP_NOFAIL))
        return NULL;
    return alloc_slow(node, gfp, order);
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    if (order == 0)
        return alloc_page(gfp);
    return alloc_pages_node(mem_cpu_node(cpu_id()), gfp, order);
}
