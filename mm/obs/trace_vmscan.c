/* SPDX-License-Identifier: MIT */
/* The events of reclaim. */
#include <lib/bits.h>
#include <mm/page.h>
#include <mm/shrinker.h>
#include "../reclaim/reclaim_internal.h"
#include "trace_desc.h"

#define WB_ANON  1
#define WB_FILE  2
#define WB_ASYNC 8

static s32 list_flags(bool file)
{
    return (file ? WB_FILE : WB_ANON) | WB_ASYNC;
}

struct record_mm_vmscan_kswapd_sleep {
    struct trace_common common;
    s32 nid;
};
static const struct trace_field fields_mm_vmscan_kswapd_sleep[] = {
    TRACE_FIELD(mm_vmscan_kswapd_sleep, nid, "int nid", true),
};
static void show_mm_vmscan_kswapd_sleep(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_kswapd_sleep *r = record;
    seq_printf(s, "nid=%d", r->nid);
}
TRACE_DESC(mm_vmscan_kswapd_sleep, "\"nid=%d\", REC->nid");
void trace_emit_mm_vmscan_kswapd_sleep(unsigned node)
{
    struct record_mm_vmscan_kswapd_sleep r = {.nid = (s32)node};
    trace_write(TRACE_mm_vmscan_kswapd_sleep, &r.common, sizeof(r));
}

struct record_mm_vmscan_kswapd_wake {
    struct trace_common common;
    s32 nid;
    s32 zid;
    s32 order;
};
static const struct trace_field fields_mm_vmscan_kswapd_wake[] = {
    TRACE_FIELD(mm_vmscan_kswapd_wake, nid, "int nid", true),
    TRACE_FIELD(mm_vmscan_kswapd_wake, zid, "int zid", true),
    TRACE_FIELD(mm_vmscan_kswapd_wake, order, "int order", true),
};
static void show_mm_vmscan_kswapd_wake(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_kswapd_wake *r = record;
    seq_printf(s, "nid=%d order=%d", r->nid, r->order);
}
TRACE_DESC(mm_vmscan_kswapd_wake, "\"nid=%d order=%d\", REC->nid, REC->order");
void trace_emit_mm_vmscan_kswapd_wake(unsigned node, unsigned zone, unsigned order)
{
    struct record_mm_vmscan_kswapd_wake r = {
        .nid = (s32)node, .zid = (s32)zone, .order = (s32)order};
    trace_write(TRACE_mm_vmscan_kswapd_wake, &r.common, sizeof(r));
}

struct record_mm_vmscan_wakeup_kswapd {
    struct trace_common common;
    s32 nid;
    s32 zid;
    s32 order;
    u64 gfp_flags;
};
static const struct trace_field fields_mm_vmscan_wakeup_kswapd[] = {
    TRACE_FIELD(mm_vmscan_wakeup_kswapd, nid, "int nid", true),
    TRACE_FIELD(mm_vmscan_wakeup_kswapd, zid, "int zid", true),
    TRACE_FIELD(mm_vmscan_wakeup_kswapd, order, "int order", true),
    TRACE_FIELD(mm_vmscan_wakeup_kswapd, gfp_flags, "unsigned long gfp_flags", false),
};
static void show_mm_vmscan_wakeup_kswapd(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_wakeup_kswapd *r = record;
    seq_printf(s, "nid=%d order=%d gfp_flags=", r->nid, r->order);
    trace_put_gfp(s, r->gfp_flags);
}
TRACE_DESC(mm_vmscan_wakeup_kswapd, "\"nid=%d order=%d gfp_flags=%s\", REC->nid, REC->order, @g");
void trace_emit_mm_vmscan_wakeup_kswapd(unsigned node, unsigned zone, unsigned order, gfp_t gfp)
{
    struct record_mm_vmscan_wakeup_kswapd r = {
        .nid = (s32)node, .zid = (s32)zone, .order = (s32)order, .gfp_flags = gfp_linux(gfp)};
    trace_write(TRACE_mm_vmscan_wakeup_kswapd, &r.common, sizeof(r));
}

struct record_mm_vmscan_direct_reclaim_begin {
    struct trace_common common;
    s32 order;
    u64 gfp_flags;
};
static const struct trace_field fields_mm_vmscan_direct_reclaim_begin[] = {
    TRACE_FIELD(mm_vmscan_direct_reclaim_begin, order, "int order", true),
    TRACE_FIELD(mm_vmscan_direct_reclaim_begin, gfp_flags, "unsigned long gfp_flags", false),
};
static void show_mm_vmscan_direct_reclaim_begin(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_direct_reclaim_begin *r = record;
    seq_printf(s, "order=%d gfp_flags=", r->order);
    trace_put_gfp(s, r->gfp_flags);
}
TRACE_DESC(mm_vmscan_direct_reclaim_begin, "\"order=%d gfp_flags=%s\", REC->order, @g");
void trace_emit_mm_vmscan_direct_reclaim_begin(unsigned order, gfp_t gfp)
{
    struct record_mm_vmscan_direct_reclaim_begin r = {.order = (s32)order,
                                                      .gfp_flags = gfp_linux(gfp)};
    trace_write(TRACE_mm_vmscan_direct_reclaim_begin, &r.common, sizeof(r));
}

struct record_mm_vmscan_direct_reclaim_end {
    struct trace_common common;
    u64 nr_reclaimed;
};
static const struct trace_field fields_mm_vmscan_direct_reclaim_end[] = {
    TRACE_FIELD(mm_vmscan_direct_reclaim_end, nr_reclaimed, "unsigned long nr_reclaimed", false),
};
static void show_mm_vmscan_direct_reclaim_end(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_direct_reclaim_end *r = record;
    seq_printf(s, "nr_reclaimed=%lu", r->nr_reclaimed);
}
TRACE_DESC(mm_vmscan_direct_reclaim_end, "\"nr_reclaimed=%lu\", REC->nr_reclaimed");
void trace_emit_mm_vmscan_direct_reclaim_end(u64 reclaimed)
{
    struct record_mm_vmscan_direct_reclaim_end r = {.nr_reclaimed = reclaimed};
    trace_write(TRACE_mm_vmscan_direct_reclaim_end, &r.common, sizeof(r));
}

static const char *const lru_names[] = {"inactive_anon", "active_anon", "inactive_file",
                                        "active_file", "unevictable"};
struct record_mm_vmscan_lru_isolate {
    struct trace_common common;
    s32 highest_zoneidx;
    s32 order;
    u64 nr_requested;
    u64 nr_scanned;
    u64 nr_skipped;
    u64 nr_taken;
    s32 lru;
};
static const struct trace_field fields_mm_vmscan_lru_isolate[] = {
    TRACE_FIELD(mm_vmscan_lru_isolate, highest_zoneidx, "int highest_zoneidx", true),
    TRACE_FIELD(mm_vmscan_lru_isolate, order, "int order", true),
    TRACE_FIELD(mm_vmscan_lru_isolate, nr_requested, "unsigned long nr_requested", false),
    TRACE_FIELD(mm_vmscan_lru_isolate, nr_scanned, "unsigned long nr_scanned", false),
    TRACE_FIELD(mm_vmscan_lru_isolate, nr_skipped, "unsigned long nr_skipped", false),
    TRACE_FIELD(mm_vmscan_lru_isolate, nr_taken, "unsigned long nr_taken", false),
    TRACE_FIELD(mm_vmscan_lru_isolate, lru, "int lru", true),
};
static void show_mm_vmscan_lru_isolate(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_lru_isolate *r = record;
    seq_printf(
        s,
        "classzone=%d order=%d nr_requested=%lu nr_scanned=%lu nr_skipped=%lu nr_taken=%lu lru=%s",
        r->highest_zoneidx, r->order, r->nr_requested, r->nr_scanned, r->nr_skipped, r->nr_taken,
        lru_names[r->lru]);
}
TRACE_DESC(
    mm_vmscan_lru_isolate,
    "\"classzone=%d order=%d nr_requested=%lu nr_scanned=%lu nr_skipped=%lu nr_taken=%lu lru=%s\", "
    "REC->highest_zoneidx, "
    "REC->order, REC->nr_requested, REC->nr_scanned, REC->nr_skipped, REC->nr_taken, "
    "__print_symbolic(REC->lru, {0, \"inactive_anon\"}, "
    "{1, \"active_anon\"}, {2, \"inactive_file\"}, {3, \"active_file\"}, {4, \"unevictable\"})");
void trace_emit_mm_vmscan_lru_isolate(const struct scan_control *sc, u64 asked, u64 scanned,
                                      u64 taken, int lru)
{
    struct record_mm_vmscan_lru_isolate r = {.highest_zoneidx = sc->zone,
                                             .order = sc->order,
                                             .nr_requested = asked,
                                             .nr_scanned = scanned,
                                             .nr_taken = taken,
                                             .lru = lru};
    trace_write(TRACE_mm_vmscan_lru_isolate, &r.common, sizeof(r));
}

struct record_mm_vmscan_lru_shrink_inactive {
    struct trace_common common;
    s32 nid;
    u64 nr_scanned;
    u64 nr_reclaimed;
    u64 nr_dirty;
    u64 nr_writeback;
    u64 nr_congested;
    u64 nr_immediate;
    u32 nr_activate0;
    u32 nr_activate1;
    u64 nr_ref_keep;
    u64 nr_unmap_fail;
    s32 priority;
    s32 reclaim_flags;
};
static const struct trace_field fields_mm_vmscan_lru_shrink_inactive[] = {
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nid, "int nid", true),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_scanned, "unsigned long nr_scanned", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_reclaimed, "unsigned long nr_reclaimed", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_dirty, "unsigned long nr_dirty", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_writeback, "unsigned long nr_writeback", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_congested, "unsigned long nr_congested", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_immediate, "unsigned long nr_immediate", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_activate0, "unsigned int nr_activate0", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_activate1, "unsigned int nr_activate1", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_ref_keep, "unsigned long nr_ref_keep", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, nr_unmap_fail, "unsigned long nr_unmap_fail", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, priority, "int priority", true),
    TRACE_FIELD(mm_vmscan_lru_shrink_inactive, reclaim_flags, "int reclaim_flags", true),
};
static void show_mm_vmscan_lru_shrink_inactive(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_lru_shrink_inactive *r = record;
    seq_printf(s,
               "nid=%d nr_scanned=%ld nr_reclaimed=%ld nr_dirty=%ld nr_writeback=%ld "
               "nr_congested=%ld nr_immediate=%ld nr_activate_anon=%d nr_activate_file=%d "
               "nr_ref_keep=%ld nr_unmap_fail=%ld priority=%d flags=",
               r->nid, r->nr_scanned, r->nr_reclaimed, r->nr_dirty, r->nr_writeback,
               r->nr_congested, r->nr_immediate, r->nr_activate0, r->nr_activate1, r->nr_ref_keep,
               r->nr_unmap_fail, r->priority);
    trace_put_reclaim(s, (u32)r->reclaim_flags);
}
TRACE_DESC(
    mm_vmscan_lru_shrink_inactive,
    "\"nid=%d nr_scanned=%ld nr_reclaimed=%ld nr_dirty=%ld nr_writeback=%ld nr_congested=%ld "
    "nr_immediate=%ld nr_activate_anon=%d nr_activate_file=%d nr_ref_keep=%ld nr_unmap_fail=%ld "
    "priority=%d flags=%s\", REC->nid, REC->nr_scanned, REC->nr_reclaimed, REC->nr_dirty, "
    "REC->nr_writeback, REC->nr_congested, REC->nr_immediate, REC->nr_activate0, "
    "REC->nr_activate1, REC->nr_ref_keep, REC->nr_unmap_fail, REC->priority, @r");
void trace_emit_mm_vmscan_lru_shrink_inactive(unsigned node, u64 scanned, u64 freed,
                                              const struct shrink_result *sr, int priority,
                                              bool file)
{
    struct record_mm_vmscan_lru_shrink_inactive r = {.nid = (s32)node,
                                                     .nr_scanned = scanned,
                                                     .nr_reclaimed = freed,
                                                     .nr_dirty = sr->met.dirty,
                                                     .nr_writeback = sr->met.writeback,
                                                     .nr_congested = sr->met.congested,
                                                     .nr_immediate = sr->met.immediate,
                                                     .nr_activate0 = file ? 0 : sr->activated,
                                                     .nr_activate1 = file ? sr->activated : 0,
                                                     .priority = priority,
                                                     .reclaim_flags = list_flags(file)};
    trace_write(TRACE_mm_vmscan_lru_shrink_inactive, &r.common, sizeof(r));
}

struct record_mm_vmscan_lru_shrink_active {
    struct trace_common common;
    s32 nid;
    u64 nr_taken;
    u64 nr_active;
    u64 nr_deactivated;
    u64 nr_referenced;
    s32 priority;
    s32 reclaim_flags;
};
static const struct trace_field fields_mm_vmscan_lru_shrink_active[] = {
    TRACE_FIELD(mm_vmscan_lru_shrink_active, nid, "int nid", true),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, nr_taken, "unsigned long nr_taken", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, nr_active, "unsigned long nr_active", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, nr_deactivated, "unsigned long nr_deactivated", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, nr_referenced, "unsigned long nr_referenced", false),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, priority, "int priority", true),
    TRACE_FIELD(mm_vmscan_lru_shrink_active, reclaim_flags, "int reclaim_flags", true),
};
static void show_mm_vmscan_lru_shrink_active(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_lru_shrink_active *r = record;
    seq_printf(
        s,
        "nid=%d nr_taken=%ld nr_active=%ld nr_deactivated=%ld nr_referenced=%ld priority=%d flags=",
        r->nid, r->nr_taken, r->nr_active, r->nr_deactivated, r->nr_referenced, r->priority);
    trace_put_reclaim(s, (u32)r->reclaim_flags);
}
TRACE_DESC(mm_vmscan_lru_shrink_active,
           "\"nid=%d nr_taken=%ld nr_active=%ld nr_deactivated=%ld nr_referenced=%ld priority=%d "
           "flags=%s\", REC->nid, REC->nr_taken, REC->nr_active, REC->nr_deactivated, "
           "REC->nr_referenced, REC->priority, @r");
void trace_emit_mm_vmscan_lru_shrink_active(unsigned node, u64 taken, u64 active, u64 deactivated,
                                            u64 referenced, int priority, bool file)
{
    struct record_mm_vmscan_lru_shrink_active r = {.nid = (s32)node,
                                                   .nr_taken = taken,
                                                   .nr_active = active,
                                                   .nr_deactivated = deactivated,
                                                   .nr_referenced = referenced,
                                                   .priority = priority,
                                                   .reclaim_flags = list_flags(file)};
    trace_write(TRACE_mm_vmscan_lru_shrink_active, &r.common, sizeof(r));
}

struct record_mm_shrink_slab_start {
    struct trace_common common;
    u64 shr;
    u64 shrink;
    s32 nid;
    s64 nr_objects_to_shrink;
    u64 gfp_flags;
    u64 cache_items;
    u64 delta;
    u64 total_scan;
    s32 priority;
};
static const struct trace_field fields_mm_shrink_slab_start[] = {
    TRACE_FIELD(mm_shrink_slab_start, shr, "struct shrinker * shr", false),
    TRACE_FIELD(mm_shrink_slab_start, shrink, "void * shrink", false),
    TRACE_FIELD(mm_shrink_slab_start, nid, "int nid", true),
    TRACE_FIELD(mm_shrink_slab_start, nr_objects_to_shrink, "long nr_objects_to_shrink", true),
    TRACE_FIELD(mm_shrink_slab_start, gfp_flags, "unsigned long gfp_flags", false),
    TRACE_FIELD(mm_shrink_slab_start, cache_items, "unsigned long cache_items", false),
    TRACE_FIELD(mm_shrink_slab_start, delta, "unsigned long long delta", false),
    TRACE_FIELD(mm_shrink_slab_start, total_scan, "unsigned long total_scan", false),
    TRACE_FIELD(mm_shrink_slab_start, priority, "int priority", true),
};
static void show_mm_shrink_slab_start(struct seq *s, const void *record)
{
    const struct record_mm_shrink_slab_start *r = record;
    seq_printf(s, "0x%lx", r->shrink);
    trace_put_ptr(s, " ", r->shr);
    seq_printf(s, ": nid: %d objects to shrink %ld gfp_flags ", r->nid, r->nr_objects_to_shrink);
    trace_put_gfp(s, r->gfp_flags);
    seq_printf(s, " cache items %ld delta %ld total_scan %ld priority %d", r->cache_items, r->delta,
               r->total_scan, r->priority);
}
TRACE_DESC(
    mm_shrink_slab_start,
    "\"%pS %p: nid: %d objects to shrink %ld gfp_flags %s cache items %ld delta %lld total_scan "
    "%ld priority %d\", REC->shrink, REC->shr, REC->nid, REC->nr_objects_to_shrink, @g, "
    "REC->cache_items, REC->delta, REC->total_scan, REC->priority");
void trace_emit_mm_shrink_slab_start(const struct shrinker *sh, unsigned node, u64 deferred,
                                     gfp_t gfp, u64 have, u64 delta, u64 total, int priority)
{
    struct record_mm_shrink_slab_start r = {.shr = (u64)(uptr)sh,
                                            .shrink = (u64)(uptr)sh->scan,
                                            .nid = (s32)node,
                                            .nr_objects_to_shrink = (s64)deferred,
                                            .gfp_flags = gfp_linux(gfp),
                                            .cache_items = have,
                                            .delta = delta,
                                            .total_scan = total,
                                            .priority = priority};
    trace_write(TRACE_mm_shrink_slab_start, &r.common, sizeof(r));
}

struct record_mm_shrink_slab_end {
    struct trace_common common;
    u64 shr;
    s32 nid;
    u64 shrink;
    s64 unused_scan;
    s64 new_scan;
    s32 retval;
    s64 total_scan;
};
static const struct trace_field fields_mm_shrink_slab_end[] = {
    TRACE_FIELD(mm_shrink_slab_end, shr, "struct shrinker * shr", false),
    TRACE_FIELD(mm_shrink_slab_end, nid, "int nid", true),
    TRACE_FIELD(mm_shrink_slab_end, shrink, "void * shrink", false),
    TRACE_FIELD(mm_shrink_slab_end, unused_scan, "long unused_scan", true),
    TRACE_FIELD(mm_shrink_slab_end, new_scan, "long new_scan", true),
    TRACE_FIELD(mm_shrink_slab_end, retval, "int retval", true),
    TRACE_FIELD(mm_shrink_slab_end, total_scan, "long total_scan", true),
};
static void show_mm_shrink_slab_end(struct seq *s, const void *record)
{
    const struct record_mm_shrink_slab_end *r = record;
    seq_printf(s, "0x%lx", r->shrink);
    trace_put_ptr(s, " ", r->shr);
    seq_printf(s,
               ": nid: %d unused scan count %ld new scan count %ld total_scan %ld last shrinker "
               "return val %d",
               r->nid, r->unused_scan, r->new_scan, r->total_scan, r->retval);
}
TRACE_DESC(mm_shrink_slab_end,
           "\"%pS %p: nid: %d unused scan count %ld new scan count %ld total_scan %ld last "
           "shrinker return val %d\", REC->shrink, REC->shr, REC->nid, REC->unused_scan, "
           "REC->new_scan, REC->total_scan, REC->retval");
void trace_emit_mm_shrink_slab_end(const struct shrinker *sh, unsigned node, u64 freed,
                                   u64 deferred, u64 next, u64 left)
{
    struct record_mm_shrink_slab_end r = {.shr = (u64)(uptr)sh,
                                          .nid = (s32)node,
                                          .shrink = (u64)(uptr)sh->scan,
                                          .unused_scan = (s64)deferred,
                                          .new_scan = (s64)next,
                                          .retval = (s32)freed,
                                          .total_scan = (s64)left};
    trace_write(TRACE_mm_shrink_slab_end, &r.common, sizeof(r));
}

struct record_mm_vmscan_write_folio {
    struct trace_common common;
    u64 pfn;
    s32 reclaim_flags;
};
static const struct trace_field fields_mm_vmscan_write_folio[] = {
    TRACE_FIELD(mm_vmscan_write_folio, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_vmscan_write_folio, reclaim_flags, "int reclaim_flags", true),
};
static void show_mm_vmscan_write_folio(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_write_folio *r = record;
    trace_put_ptr(s, "page=", (u64)(uptr)pfn_to_page(r->pfn));
    seq_printf(s, " pfn=0x%lx flags=", r->pfn);
    trace_put_reclaim(s, (u32)r->reclaim_flags);
}
TRACE_DESC(mm_vmscan_write_folio, "\"page=%p pfn=0x%lx flags=%s\", REC->pfn, REC->pfn, @r");
void trace_emit_mm_vmscan_write_folio(const struct page *page)
{
    struct record_mm_vmscan_write_folio r = {
        .pfn = page_to_pfn(page), .reclaim_flags = list_flags(!page_test(page, PG_swapbacked))};
    trace_write(TRACE_mm_vmscan_write_folio, &r.common, sizeof(r));
}

static const char *const throttle_names[] = {"WRITEBACK", "ISOLATED", "NOPROGRESS", "CONGESTED"};
struct record_mm_vmscan_throttled {
    struct trace_common common;
    s32 nid;
    s32 usec_timeout;
    s32 usec_delayed;
    s32 reason;
};
static const struct trace_field fields_mm_vmscan_throttled[] = {
    TRACE_FIELD(mm_vmscan_throttled, nid, "int nid", true),
    TRACE_FIELD(mm_vmscan_throttled, usec_timeout, "int usec_timeout", true),
    TRACE_FIELD(mm_vmscan_throttled, usec_delayed, "int usec_delayed", true),
    TRACE_FIELD(mm_vmscan_throttled, reason, "int reason", true),
};
static void show_mm_vmscan_throttled(struct seq *s, const void *record)
{
    const struct record_mm_vmscan_throttled *r = record;
    seq_printf(s, "nid=%d usec_timeout=%d usect_delayed=%d reason=VMSCAN_THROTTLE_", r->nid,
               r->usec_timeout, r->usec_delayed);
    seq_puts(s, throttle_names[ffs_u64((u64)r->reason)]);
}
TRACE_DESC(mm_vmscan_throttled,
           "\"nid=%d usec_timeout=%d usect_delayed=%d reason=%s\", REC->nid, REC->usec_timeout, "
           "REC->usec_delayed, (REC->reason) ? "
           "__print_flags(REC->reason, \"|\", {1, \"VMSCAN_THROTTLE_WRITEBACK\"}, {2, "
           "\"VMSCAN_THROTTLE_ISOLATED\"}, "
           "{4, \"VMSCAN_THROTTLE_NOPROGRESS\"}, {8, \"VMSCAN_THROTTLE_CONGESTED\"}) : "
           "\"VMSCAN_THROTTLE_NONE\"");
void trace_emit_mm_vmscan_throttled(unsigned node, u64 timeout_ns, u64 ns, int reason)
{
    struct record_mm_vmscan_throttled r = {.nid = (s32)node,
                                           .usec_timeout = (s32)(timeout_ns / 1000),
                                           .usec_delayed = (s32)(ns / 1000),
                                           .reason = 1 << reason};
    trace_write(TRACE_mm_vmscan_throttled, &r.common, sizeof(r));
}
