/* SPDX-License-Identifier: MIT */
/*
 * Inside of tracing: one CPU's ring of records.
 *
 *      0                     tail            head                   size (positions count on and are taken modulo size)
 *      |  newest, wrapped ... | oldest  ....  newest |  ...
 *
 *   an entry: struct trace_entry, then the record, to a multiple of 8 bytes
 *
 * Invariants
 *  T1. tail <= head <= tail + size; both are multiples of 8 and stand between entries.
 *  T2. head_seq - tail_seq entries lie between tail and head.
 *  T3. take_seq <= head_seq: readers that take have had the entries before it, or have been told that they missed them.
 * Lock: ring->lock, innermost of all, nothing is called under it.
 */
#ifndef MM_OBS_TRACE_RING_H
#define MM_OBS_TRACE_RING_H
#include <mm/trace_read.h>
#include <port/lock.h>

struct trace_entry {
    u64 ns;
    u32 len; /* of the record, bytes */
    u32 unused;
    char comm[TRACE_COMM_LEN];
};
struct trace_ring {
    spinlock_t lock;
    u64 size, head, tail;
    u64 head_seq, tail_seq, take_seq, overrun;
    u8 data[];
};

/* NULL: no memory. size: bytes, a multiple of 4096. */
struct trace_ring *trace_ring_alloc(u64 size);
void trace_ring_free(struct trace_ring *r);
void trace_ring_clear(struct trace_ring *r);
/* Appends; the oldest make room. len <= TRACE_MAX_RECORD. */
void trace_ring_put(struct trace_ring *r, const struct trace_entry *e, const void *record);
/* A reader's place is *pos, the *seq-th entry of all; it is brought to the oldest entry if that is later. The entry there, its record copied to data if that is not NULL; false: none. *missed: entries that went unread before it. */
bool trace_ring_peek(struct trace_ring *r, u64 *pos, u64 *seq, struct trace_entry *e, void *data,
                     u64 *missed);
/* Passes the entry that peek has shown; take: it goes, if it still is the oldest. */
void trace_ring_pass(struct trace_ring *r, u64 *pos, u64 *seq, const struct trace_entry *e,
                     bool take);
/* NULL or the broken invariant. */
const char *trace_ring_validate(struct trace_ring *r);

/* mm/obs/trace.c: puts a record into this CPU's ring. c: its beginning. */
struct trace_common {
    u16 type;
    u8 flags, preempt_count;
    s32 pid;
};
void trace_write(enum trace_event e, struct trace_common *c, size_t len);
extern struct trace_home trace_home;
u64 trace_hash_ptr(u64 p);
#endif
