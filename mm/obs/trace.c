/* SPDX-License-Identifier: MIT */
/*
 * Tracing as a whole: which events are on, the rings, and reading them in order of time.
 *
 *   first event on ── rings allocated ── records ── trace_clear() / trace_set_buffer_kb() ── trace_shutdown(): freed
 *
 * Invariants
 *  T4. An event is on only while all rings exist.
 *  T5. rings[cpu] is written only under control; who finds a ring under rcu_read_lock() may use it until he leaves.
 *  T6. A reader's places belong to the rings of its generation; another generation's reader begins anew.
 *
 * Locks: control (mutex): switches, allocation. Writers take none but their ring's.
 */
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/random.h>
#include "trace_ring.h"

#define MAX_KB 0x400000UL /* 4 GiB */

u8 trace_enabled[NR_TRACE_EVENTS];
struct trace_home trace_home;
struct waitq trace_waitq;

static struct mutex control;
static struct trace_ring *rings[NR_CPUS];
static u64 ring_kb = TRACE_DEFAULT_KB;
static u32 generation = 1;
static u32 waiters;
static bool recording = true;
static u64 hash_key;

void trace_boot(const struct trace_home *home)
{
    mutex_init(&control, RANK_NONE);
    waitq_init(&trace_waitq);
    trace_home = home ? *home : (struct trace_home){NULL, NULL};
    hash_key = random_u64();
    recording = true;
    ring_kb = TRACE_DEFAULT_KB;
}

/* Addresses in texts are hashed, as Linux prints %p: the same one looks the same, and says nothing. */
u64 trace_hash_ptr(u64 p)
{
    return p ? (u32)mix64(p ^ hash_key) : 0;
}

/* ---- rings; control held ---- */

static void free_all(struct trace_ring **r)
{
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        if (r[cpu])
            trace_ring_free(r[cpu]);
        r[cpu] = NULL;
    }
}

/* Rings of kb KiB take the place of those there are. */
static int replace_rings(u64 kb)
{
    struct trace_ring **fresh = kmalloc(NR_CPUS * sizeof(*fresh), GFP_KERNEL | GFP_ZERO);
    bool whole = fresh;
    for (unsigned cpu = 0; whole && cpu < cpu_nr_possible(); cpu++)
        whole = (fresh[cpu] = trace_ring_alloc(kb << 10));
    if (!whole) {
        if (fresh)
            free_all(fresh);
        kfree(fresh);
        return -ENOMEM;
    }
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *old = rings[cpu];
        store_release(&rings[cpu], fresh[cpu]); /* T5 */
        fresh[cpu] = old;
    }
    WRITE_ONCE(generation, generation + 1);
    rcu_synchronize();
    free_all(fresh);
    kfree(fresh);
    return 0;
}

int trace_event_enable(enum trace_event e, bool on)
{
    int err = 0;
    mutex_lock(&control);
    if (on && !rings[0])
        err = replace_rings(ring_kb); /* T4 */
    if (!err)
        WRITE_ONCE(trace_enabled[e], on);
    mutex_unlock(&control);
    return err;
}

bool trace_recording(void)
{
    return READ_ONCE(recording);
}

void trace_set_recording(bool on)
{
    WRITE_ONCE(recording, on);
    waitq_wake_all(&trace_waitq); /* readers that take end with it */
}

u64 trace_buffer_kb(bool *allocated)
{
    *allocated = READ_ONCE(rings[0]);
    return READ_ONCE(ring_kb);
}

int trace_set_buffer_kb(u64 kb)
{
    int err = 0;
    if (!kb || kb > MAX_KB)
        return -EINVAL;
    kb = ALIGN_UP(kb, 4UL);
    mutex_lock(&control);
    if (rings[0])
        err = replace_rings(kb);
    if (!err)
        WRITE_ONCE(ring_kb, kb);
    mutex_unlock(&control);
    return err;
}

void trace_clear(void)
{
    mutex_lock(&control);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++)
        if (rings[cpu])
            trace_ring_clear(rings[cpu]);
    WRITE_ONCE(generation, generation + 1);
    mutex_unlock(&control);
}

void trace_shutdown(void)
{
    struct trace_ring *old[NR_CPUS];
    mutex_lock(&control);
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++)
        WRITE_ONCE(trace_enabled[e], 0);
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        old[cpu] = rings[cpu];
        store_release(&rings[cpu], NULL);
    }
    WRITE_ONCE(generation, generation + 1);
    rcu_synchronize();
    free_all(old);
    mutex_unlock(&control);
}

void trace_count(struct trace_counts *out)
{
    *out = (struct trace_counts){0, 0};
    rcu_read_lock();
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *r = load_acquire(&rings[cpu]);
        if (!r)
            continue;
        spin_lock(&r->lock);
        out->entries += r->head_seq - r->tail_seq;
        out->overrun += r->overrun;
        spin_unlock(&r->lock);
    }
    rcu_read_unlock();
}

/* ---- writing ---- */

void trace_write(enum trace_event e, struct trace_common *c, size_t len)
{
    if (!READ_ONCE(recording))
        return;
    struct trace_entry entry = {.ns = clock_ns(), .len = (u32)len};
    c->type = (u16)trace_event_id(e);
    c->pid = sched_thread_id();
    if (trace_home.comm)
        trace_home.comm(entry.comm);
    rcu_read_lock();
    struct trace_ring *r = load_acquire(&rings[cpu_id()]);
    if (r)
        trace_ring_put(r, &entry, c);
    rcu_read_unlock();
    if (unlikely(READ_ONCE(waiters)))
        waitq_wake_all(&trace_waitq);
}

void trace_wait_begin(void)
{
    __atomic_fetch_add(&waiters, 1, __ATOMIC_SEQ_CST);
}

void trace_wait_end(void)
{
    __atomic_fetch_sub(&waiters, 1, __ATOMIC_SEQ_CST);
}

/* ---- reading ---- */

/* The reader comes for the first time, or to other rings than it knew. rcu_read_lock held. */
static void begin(struct trace_iter *it)
{
    it->generation = READ_ONCE(generation); /* T6 */
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *r = load_acquire(&rings[cpu]);
        it->pos[cpu] = it->seq[cpu] = 0;
        if (!r)
            continue;
        spin_lock(&r->lock);
        it->pos[cpu] = r->tail;
        it->seq[cpu] = it->take ? r->take_seq : r->tail_seq;
        spin_unlock(&r->lock);
    }
}

/* The CPU whose next event is the oldest, or -1. */
static int oldest(struct trace_iter *it)
{
    int found = -1;
    u64 first = U64_MAX;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *r = load_acquire(&rings[cpu]);
        u64 pos = it->pos[cpu], seq = it->seq[cpu], missed;
        struct trace_entry e;
        if (!r || !trace_ring_peek(r, &pos, &seq, &e, NULL, &missed) || e.ns >= first)
            continue;
        first = e.ns;
        found = (int)cpu;
    }
    return found;
}

bool trace_next(struct trace_iter *it, struct trace_record *out)
{
    bool got = false;
    rcu_read_lock();
    if (it->generation != READ_ONCE(generation))
        begin(it);
    int cpu = oldest(it);
    struct trace_ring *r = cpu < 0 ? NULL : load_acquire(&rings[cpu]);
    struct trace_entry e;
    if (r && trace_ring_peek(r, &it->pos[cpu], &it->seq[cpu], &e, out->data, &it->lost)) {
        trace_ring_pass(r, &it->pos[cpu], &it->seq[cpu], &e, it->take);
        out->ns = e.ns;
        out->cpu = (u32)cpu;
        out->len = e.len;
        memcpy(out->comm, e.comm, sizeof(out->comm));
        got = true;
    }
    rcu_read_unlock();
    return got;
}

bool trace_pending(const struct trace_iter *it)
{
    bool any = false;
    rcu_read_lock();
    for (unsigned cpu = 0; !any && cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *r = load_acquire(&rings[cpu]);
        if (!r)
            continue;
        spin_lock(&r->lock);
        any = it->generation == READ_ONCE(generation) ? max(it->seq[cpu], r->tail_seq) < r->head_seq
                                                      : r->tail_seq < r->head_seq;
        spin_unlock(&r->lock);
    }
    rcu_read_unlock();
    return any;
}

const char *trace_validate(void)
{
    const char *bad = NULL;
    rcu_read_lock();
    for (unsigned cpu = 0; !bad && cpu < cpu_nr_possible(); cpu++) {
        struct trace_ring *r = load_acquire(&rings[cpu]);
        bad = r ? trace_ring_validate(r) : NULL;
    }
    for (unsigned e = 0; !bad && !READ_ONCE(rings[0]) && e < NR_TRACE_EVENTS; e++)
        if (READ_ONCE(trace_enabled[e]))
            bad = "T4: an event is on without a ring";
    rcu_read_unlock();
    return bad;
}
