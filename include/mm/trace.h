/* SPDX-License-Identifier: MIT */
/*
 * Trace points of the core. Each event has a byte in trace_enabled[]; while it is 0 a trace point costs a compare with
 * that byte and a branch not taken. Events have the names, fields and texts of Linux 6.12.
 *
 *   trace_NAME(...)  ── byte set ──> trace_emit_NAME(...)  ──> the ring of this CPU     (mm/obs/trace_emit.c, trace_ring.c)
 *   readers: mm/trace_read.h
 *
 * A trace point may stand under any lock of the core; it never sleeps and never allocates.
 */
#ifndef MM_TRACE_H
#define MM_TRACE_H
#include <lib/types.h>
#include <mm/gfp.h>

struct address_space;
struct backing_dev;
struct mm;
struct oom_task;
struct page;
struct scan_control;
struct shrink_result;
struct shrinker;
struct slab_cache;
struct zone;

/* X(system, name), in the order of /sys/kernel/tracing/available_events */
#define TRACE_EVENTS(X)                                                                            \
    X(kmem, mm_page_pcpu_drain)                                                                    \
    X(kmem, mm_page_alloc_zone_locked)                                                             \
    X(kmem, mm_page_alloc)                                                                         \
    X(kmem, mm_page_free_batched)                                                                  \
    X(kmem, mm_page_free)                                                                          \
    X(kmem, kmem_cache_free)                                                                       \
    X(kmem, kfree)                                                                                 \
    X(kmem, kmalloc)                                                                               \
    X(kmem, kmem_cache_alloc)                                                                      \
    X(vmscan, mm_vmscan_throttled)                                                                 \
    X(vmscan, mm_vmscan_lru_shrink_active)                                                         \
    X(vmscan, mm_vmscan_lru_shrink_inactive)                                                       \
    X(vmscan, mm_vmscan_write_folio)                                                               \
    X(vmscan, mm_vmscan_lru_isolate)                                                               \
    X(vmscan, mm_shrink_slab_end)                                                                  \
    X(vmscan, mm_shrink_slab_start)                                                                \
    X(vmscan, mm_vmscan_direct_reclaim_end)                                                        \
    X(vmscan, mm_vmscan_direct_reclaim_begin)                                                      \
    X(vmscan, mm_vmscan_wakeup_kswapd)                                                             \
    X(vmscan, mm_vmscan_kswapd_wake)                                                               \
    X(vmscan, mm_vmscan_kswapd_sleep)                                                              \
    X(oom, finish_task_reaping)                                                                    \
    X(oom, start_task_reaping)                                                                     \
    X(oom, wake_reaper)                                                                            \
    X(oom, mark_victim)                                                                            \
    X(oom, reclaim_retry_zone)                                                                     \
    X(oom, oom_score_adj_update)                                                                   \
    X(filemap, mm_filemap_add_to_page_cache)                                                       \
    X(filemap, mm_filemap_delete_from_page_cache)                                                  \
    X(writeback, balance_dirty_pages)                                                              \
    X(writeback, global_dirty_state)                                                               \
    X(writeback, writeback_pages_written)                                                          \
    X(writeback, writeback_written)                                                                \
    X(writeback, writeback_start)                                                                  \
    X(writeback, writeback_dirty_folio)

#define TRACE_ENUM(system, name) TRACE_##name,
enum trace_event { TRACE_EVENTS(TRACE_ENUM) NR_TRACE_EVENTS };
#undef TRACE_ENUM

extern u8 trace_enabled[NR_TRACE_EVENTS];

static __always_inline_fn bool trace_on(enum trace_event e)
{
    return unlikely(trace_enabled[e]); /* plainly, so that it is one compare with memory: an old value is as good */
}

#define TRACE_POINT(name, proto, args)                                                             \
    void trace_emit_##name proto;                                                                  \
    static __always_inline_fn void trace_##name proto                                              \
    {                                                                                              \
        if (trace_on(TRACE_##name))                                                                \
            trace_emit_##name args;                                                                \
    }

/* page NULL: the allocation failed */
TRACE_POINT(mm_page_alloc, (const struct page *page, unsigned order, gfp_t gfp), (page, order, gfp))
TRACE_POINT(mm_page_free, (const struct page *page, unsigned order), (page, order))
TRACE_POINT(mm_page_free_batched, (const struct page *page), (page))
TRACE_POINT(mm_page_pcpu_drain, (const struct page *page, unsigned order), (page, order))
/* zone->lock is held */
TRACE_POINT(mm_page_alloc_zone_locked,
            (const struct page *page, unsigned order, int type, int refill),
            (page, order, type, refill))
/* The caller of these is the call_site. */
TRACE_POINT(kmalloc, (const void *p, size_t size, size_t room, gfp_t gfp), (p, size, room, gfp))
TRACE_POINT(kfree, (const void *p, u64 caller), (p, caller))
TRACE_POINT(kmem_cache_alloc, (const struct slab_cache *c, const void *p, gfp_t gfp), (c, p, gfp))
TRACE_POINT(kmem_cache_free, (const struct slab_cache *c, const void *p), (c, p))

TRACE_POINT(mm_vmscan_kswapd_sleep, (unsigned node), (node))
TRACE_POINT(mm_vmscan_kswapd_wake, (unsigned node, unsigned zone, unsigned order),
            (node, zone, order))
TRACE_POINT(mm_vmscan_wakeup_kswapd, (unsigned node, unsigned zone, unsigned order, gfp_t gfp),
            (node, zone, order, gfp))
TRACE_POINT(mm_vmscan_direct_reclaim_begin, (unsigned order, gfp_t gfp), (order, gfp))
TRACE_POINT(mm_vmscan_direct_reclaim_end, (u64 reclaimed), (reclaimed))
TRACE_POINT(mm_vmscan_lru_isolate,
            (const struct scan_control *sc, u64 asked, u64 scanned, u64 taken, int lru),
            (sc, asked, scanned, taken, lru))
TRACE_POINT(mm_vmscan_lru_shrink_inactive,
            (unsigned node, u64 scanned, u64 freed, const struct shrink_result *r, int priority,
             bool file),
            (node, scanned, freed, r, priority, file))
TRACE_POINT(mm_vmscan_lru_shrink_active,
            (unsigned node, u64 taken, u64 active, u64 deactivated, u64 referenced, int priority,
             bool file),
            (node, taken, active, deactivated, referenced, priority, file))
TRACE_POINT(mm_shrink_slab_start,
            (const struct shrinker *s, unsigned node, u64 deferred, gfp_t gfp, u64 have, u64 delta,
             u64 total, int priority),
            (s, node, deferred, gfp, have, delta, total, priority))
TRACE_POINT(mm_shrink_slab_end,
            (const struct shrinker *s, unsigned node, u64 freed, u64 deferred, u64 next, u64 left),
            (s, node, freed, deferred, next, left))
TRACE_POINT(mm_vmscan_write_folio, (const struct page *page), (page))
/* ns: how long it was to wait, and waited */
TRACE_POINT(mm_vmscan_throttled, (unsigned node, u64 timeout_ns, u64 ns, int reason),
            (node, timeout_ns, ns, reason))

TRACE_POINT(mm_filemap_add_to_page_cache, (const struct address_space *m, const struct page *page),
            (m, page))
TRACE_POINT(mm_filemap_delete_from_page_cache,
            (const struct address_space *m, const struct page *page), (m, page))

enum trace_wb_reason { TRACE_WB_BACKGROUND, TRACE_WB_VMSCAN, TRACE_WB_SYNC, TRACE_WB_PERIODIC };
TRACE_POINT(writeback_start, (const struct backing_dev *b, s64 pages, enum trace_wb_reason why),
            (b, pages, why))
TRACE_POINT(writeback_written, (const struct backing_dev *b, s64 pages, enum trace_wb_reason why),
            (b, pages, why))
TRACE_POINT(writeback_pages_written, (u64 pages), (pages))
TRACE_POINT(writeback_dirty_folio, (const struct address_space *m, const struct page *page),
            (m, page))
TRACE_POINT(global_dirty_state, (u64 background, u64 limit), (background, limit))
/* A writer of `dirtied` pages pauses; rates in pages a second */
TRACE_POINT(balance_dirty_pages,
            (const struct backing_dev *b, u64 limit, u64 setpoint, u64 dirty, u64 rate, u64 dirtied,
             u64 pause_ns),
            (b, limit, setpoint, dirty, rate, dirtied, pause_ns))

TRACE_POINT(oom_score_adj_update, (s32 pid, const char *comm, s16 adj), (pid, comm, adj))
TRACE_POINT(mark_victim, (const struct oom_task *t), (t))
TRACE_POINT(reclaim_retry_zone,
            (const struct zone *z, unsigned order, u64 reclaimable, u64 available, u64 min_wmark,
             int loops, bool ok),
            (z, order, reclaimable, available, min_wmark, loops, ok))
TRACE_POINT(wake_reaper, (s32 pid), (pid))
TRACE_POINT(start_task_reaping, (s32 pid), (pid))
TRACE_POINT(finish_task_reaping, (s32 pid), (pid))
#undef TRACE_POINT
#endif
