/* SPDX-License-Identifier: MIT */
/*
 * The flusher of a device: writes dirty mappings back when they have been dirty for long, and the oldest first while there are
 * too many dirty pages.
 *
 *   writeback_note_dirty ──> dirty list, by age ── take_oldest ── cache_write_some ── give_back (still dirty: to the end, as old as it was)
 *
 * Invariants
 *  W1. A mapping with a device and with dirty pages is on its device's list, or is held by a pass that will put it back.
 *  W2. A pass comes to a mapping at most once: one that is made dirty as fast as it is written keeps no pass going.
 *
 * Locks: backing_dev.lock, inside tree_lock. Files are kept by ops->try_get while they are written.
 */
#include <lib/errno.h>
#include <mm/readahead.h>
#include <mm/stat.h>
#include <mm/trace.h>
#include <mm/writeback.h>
#include <port/clock.h>
#include <port/log.h>
#include "cache_internal.h"

#define NS_PER_CENTISEC 10000000UL

u64 sysctl_dirty_writeback_centisecs = 500;
u64 sysctl_dirty_expire_centisecs = 3000;

void backing_dev_init(struct backing_dev *b, const char *name)
{
    b->name = name;
    spin_init(&b->lock, RANK_LRU);
    list_init(&b->dirty);
    waitq_init(&b->wait);
    waitq_init(&b->brake);
    waitq_init(&b->gone);
    b->users = 0;
    b->stopping = false;
    b->pass = b->written = b->rate = 0;
    b->kicked = 0;
    b->ra_pages = b->io_pages = RA_PAGES_DEFAULT;
}

void writeback_note_dirty(struct address_space *m)
{
    struct backing_dev *b = m->bdi;
    u64 now = clock_ns();
    spin_lock(&b->lock);
    if (list_empty(&m->wb_link)) {
        m->dirtied_ns = now;
        list_add_tail(&m->wb_link, &b->dirty);
    }
    spin_unlock(&b->lock);
}

void writeback_forget(struct address_space *m)
{
    struct backing_dev *b = m->bdi;
    if (!b)
        return;
    spin_lock(&b->lock);
    list_del_init(&m->wb_link);
    spin_unlock(&b->lock);
}

/* The first mapping that this pass has not seen and that is old enough, held and off the list; NULL: the pass is over. */
static struct address_space *take_oldest(struct backing_dev *b, u64 pass, u64 dirtied_before)
{
    struct address_space *m, *found = NULL;
    spin_lock(&b->lock);
    list_for_each_entry (m, &b->dirty, wb_link) {
        if (m->wb_pass == pass || m->dirtied_ns >= dirtied_before)
            continue;
        m->wb_pass = pass;
        if (m->ops->try_get && !m->ops->try_get(m))
            continue; /* who ends the file writes it back or throws it away */
        list_del_init(&m->wb_link);
        found = m;
        break;
    }
    spin_unlock(&b->lock);
    return found;
}

/* Who makes it dirty from none while it is off the list puts it there himself: he counts the page before he takes the lock. */
static void give_back(struct backing_dev *b, struct address_space *m, u64 dirtied_ns, bool complete)
{
    spin_lock(&b->lock);
    if (READ_ONCE(m->nrdirty) && list_empty(&m->wb_link)) {
        m->dirtied_ns = complete ? clock_ns() : dirtied_ns;
        list_add_tail(&m->wb_link, &b->dirty);
    }
    spin_unlock(&b->lock);
    if (m->ops->put)
        m->ops->put(m);
}

/* Pages a second, from what one stretch of writing took; an eighth of the news counts. */
static void learn_rate(struct backing_dev *b, u64 pages, u64 ns)
{
    if (pages < 16 || !ns)
        return;
    u64 now = max(pages * 1000000UL / max(ns / 1000, 1UL), 1UL);
    WRITE_ONCE(b->rate, b->rate ? (b->rate * 7 + now + 7) / 8 : now);
}

#define STRETCH 1024 /* pages of one mapping before the next mapping's turn */

u64 backing_dev_flush(struct backing_dev *b, u64 dirtied_before)
{
    struct address_space *m;
    u64 total = 0;
    spin_lock(&b->lock);
    u64 pass = ++b->pass;
    spin_unlock(&b->lock);
    while ((m = take_oldest(b, pass, dirtied_before))) {
        u64 begin = clock_ns(), index = 0, dirtied = m->dirtied_ns;
        u64 n = cache_write_some(m, &index, STRETCH);
        learn_rate(b, n, clock_ns() - begin);
        total += n;
        give_back(b, m, dirtied, index > U32_MAX);
    }
    __atomic_fetch_add(&b->written, total, __ATOMIC_RELAXED);
    return total;
}

enum { KICK_LOOK = 1, KICK_ALL = 2 };

static void kick(struct backing_dev *b, u32 what)
{
    __atomic_fetch_or(&b->kicked, what, __ATOMIC_RELEASE);
    waitq_wake_all(&b->wait);
}

void backing_dev_kick(struct backing_dev *b)
{
    kick(b, KICK_LOOK);
}

void backing_dev_kick_all(struct backing_dev *b)
{
    kick(b, KICK_ALL);
}

static bool too_many(void)
{
    struct dirty_limits l;
    writeback_limits(&l);
    return (u64)(stat_sum(NR_FILE_DIRTY) + stat_sum(NR_WRITEBACK)) > l.background;
}

/* backing_dev_flush(), and what it is done for. */
static u64 flush(struct backing_dev *b, u64 dirtied_before, enum trace_wb_reason why)
{
    s64 asked = stat_sum(NR_FILE_DIRTY);
    trace_writeback_start(b, asked, why);
    u64 n = backing_dev_flush(b, dirtied_before);
    trace_writeback_written(b, asked - (s64)n, why);
    if (n)
        trace_writeback_pages_written(n);
    return n;
}

static int flusher(void *arg)
{
    struct backing_dev *b = arg;
    while (!READ_ONCE(b->stopping)) {
        u64 period = READ_ONCE(sysctl_dirty_writeback_centisecs) * NS_PER_CENTISEC;
        waitq_wait_until(&b->wait, READ_ONCE(b->kicked) || READ_ONCE(b->stopping), period ? clock_ns() + period : U64_MAX);
        u32 kicked = __atomic_exchange_n(&b->kicked, 0, __ATOMIC_ACQUIRE);
        u64 now = clock_ns(), age = READ_ONCE(sysctl_dirty_expire_centisecs) * NS_PER_CENTISEC;
        while (flush(b, now > age ? now - age : 0, TRACE_WB_PERIODIC)) /* large files come in stretches */
            ;
        u64 most = kicked & KICK_ALL ? (u64)stat_sum(NR_FILE_DIRTY) : 0, n = 0, done = 0;
        while (done < most && (n = flush(b, U64_MAX, TRACE_WB_VMSCAN)))
            done += n;
        while (too_many() && flush(b, U64_MAX, TRACE_WB_BACKGROUND))
            ;
    }
    backing_dev_leave(b);
    return 0;
}

int backing_dev_start(struct backing_dev *b)
{
    __atomic_fetch_add(&b->users, 1, __ATOMIC_RELAXED);
    if (kthread_start(flusher, b, "flush"))
        return 0;
    __atomic_fetch_sub(&b->users, 1, __ATOMIC_RELAXED);
    return -ENOMEM;
}

void backing_dev_leave(struct backing_dev *b)
{
    spin_lock(&b->lock); /* who waits in stop looks under it: b may be gone when we give it back */
    if (!__atomic_sub_fetch(&b->users, 1, __ATOMIC_RELAXED))
        waitq_wake_all(&b->gone);
    spin_unlock(&b->lock);
}

static bool unused(struct backing_dev *b)
{
    spin_lock(&b->lock);
    bool none = !READ_ONCE(b->users);
    spin_unlock(&b->lock);
    return none;
}

void backing_dev_stop(struct backing_dev *b)
{
    WRITE_ONCE(b->stopping, true);
    waitq_wake_all(&b->wait);
    waitq_wait(&b->gone, unused(b));
}
