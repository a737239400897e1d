/* SPDX-License-Identifier: MIT */
/*
 * The brake on writers: how many dirty pages there may be, and how long who makes more has to wait.
 *
 *        0 ────────── background ────── free run's end ────────────── limit
 *        nobody waits  flusher works     pauses grow from none ...    ... until pages are clean
 *
 * Free run ends half-way between background and limit. Beyond it a writer of n pages pauses for the time in which the device
 * writes n, times how far it is past free run's end, so that writers share the device's speed and never fill memory.
 *
 * Locks: none; sleeps.
 */
#include <lib/errno.h>
#include <mm/phys.h>
#include <mm/stat.h>
#include <mm/trace.h>
#include <mm/writeback.h>
#include "cache_internal.h"
#include <port/clock.h>

#define PAGES_PER_LOOK 32u
#define NS_PER_SEC     1000000000UL
#define PAUSE_MAX      (NS_PER_SEC / 5)
#define PAUSE_MIN      (NS_PER_SEC / 1000)
#define LIMIT_MIN      32UL /* pages: a writer must be able to go on */
#define RATE_UNKNOWN   4096u /* pages a second: 16 MiB/s */

u64 sysctl_dirty_background_ratio = 10;
u64 sysctl_dirty_ratio = 20;
u64 sysctl_dirty_background_bytes;
u64 sysctl_dirty_bytes;

/* Pages that could be dirty: free ones above the reserves, and those of files. */
static u64 dirtyable(void)
{
    s64 n = (s64)phys_free_all() - (s64)watermark_reserve() + stat_sum(NR_ACTIVE_FILE) + stat_sum(NR_INACTIVE_FILE);
    return (u64)max(n, 1L);
}

static u64 limit_of(u64 bytes, u64 ratio, u64 pages)
{
    return bytes ? DIV_ROUND_UP(bytes, PAGE_SIZE) : pages * ratio / 100;
}

void writeback_limits(struct dirty_limits *out)
{
    u64 pages = dirtyable();
    out->limit = max(limit_of(READ_ONCE(sysctl_dirty_bytes), READ_ONCE(sysctl_dirty_ratio), pages), LIMIT_MIN);
    out->background = limit_of(READ_ONCE(sysctl_dirty_background_bytes), READ_ONCE(sysctl_dirty_background_ratio), pages);
    if (out->background >= out->limit)
        out->background = out->limit / 2;
}

/* How long a writer of n pages pauses when there are `dirty` pages between free run's end and limit. */
static u64 pause_of(u64 rate, u64 n, u64 dirty, u64 from, u64 limit)
{
    u64 whole = n * NS_PER_SEC / max(rate, 1UL);
    u64 past = min(dirty - from, limit - from) * 1024 / max(limit - from, 1UL);
    u64 pause = whole * past / 512; /* the device's own speed half-way */
    return min(max(pause, PAUSE_MIN), PAUSE_MAX);
}

static void brake(struct backing_dev *b, u64 pages)
{
    for (;;) {
        struct dirty_limits l;
        writeback_limits(&l);
        u64 dirty = (u64)(stat_sum(NR_FILE_DIRTY) + stat_sum(NR_WRITEBACK)), from = (l.background + l.limit) / 2;
        trace_global_dirty_state(l.background, l.limit);
        if (dirty > l.background)
            backing_dev_kick(b);
        if (dirty <= from)
            return;
        u64 rate = READ_ONCE(b->rate), until = clock_ns() + pause_of(rate ? rate : RATE_UNKNOWN, pages, dirty, from, l.limit);
        trace_balance_dirty_pages(b, l.limit, from, dirty, rate, pages, until - clock_ns());
        bool io = sched_set_iowait(true);
        int err = waitq_wait_until(&b->brake, false, until);
        sched_set_iowait(io);
        if (err == -EINTR)
            return;
        if (dirty < l.limit)
            return;
    }
}

/* Counts pages that were made dirty on this CPU. 0, or how many are to be answered for now. */
static u64 count_dirtied(u32 pages)
{
    struct mm_cpu *cpu = cpu_local();
    cpu->dirtied += pages;
    if (likely(cpu->dirtied < PAGES_PER_LOOK))
        return 0;
    u64 n = cpu->dirtied;
    cpu->dirtied = 0;
    return n;
}

void writeback_throttle(struct address_space *m, u32 pages)
{
    u64 n = count_dirtied(pages);
    if (n && m->bdi)
        brake(m->bdi, n);
}

struct backing_dev *writeback_hold_dirtied(struct address_space *m)
{
    if (!count_dirtied(1))
        return NULL;
    __atomic_fetch_add(&m->bdi->users, 1, __ATOMIC_RELAXED);
    return m->bdi;
}

void writeback_brake_held(struct backing_dev *b)
{
    brake(b, PAGES_PER_LOOK);
    backing_dev_leave(b);
}
