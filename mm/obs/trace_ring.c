/* SPDX-License-Identifier: MIT */
/* The ring of one CPU: see trace_ring.h. */
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>
#include "trace_ring.h"

static u64 entry_bytes(u32 len)
{
    return sizeof(struct trace_entry) + ALIGN_UP((u64)len, 8UL);
}

static void copy_in(struct trace_ring *r, u64 pos, const void *src, u64 n)
{
    u64 at = pos % r->size, first = min(n, r->size - at);
    memcpy(r->data + at, src, first);
    memcpy(r->data, (const u8 *)src + first, n - first);
}

static void copy_out(const struct trace_ring *r, u64 pos, void *dst, u64 n)
{
    u64 at = pos % r->size, first = min(n, r->size - at);
    memcpy(dst, r->data + at, first);
    memcpy((u8 *)dst + first, r->data, n - first);
}

struct trace_ring *trace_ring_alloc(u64 size)
{
    struct trace_ring *r = kvmalloc(sizeof(*r) + size, GFP_KERNEL | GFP_NORETRY | GFP_NOWARN);
    if (!r)
        return NULL;
    memset(r, 0, sizeof(*r));
    spin_init(&r->lock, RANK_NONE);
    r->size = size;
    return r;
}

void trace_ring_free(struct trace_ring *r)
{
    kvfree(r);
}

void trace_ring_clear(struct trace_ring *r)
{
    spin_lock(&r->lock);
    r->tail = r->head;
    r->tail_seq = r->take_seq = r->head_seq;
    r->overrun = 0;
    spin_unlock(&r->lock);
}

/* r->lock held; there is an entry. */
static void drop_oldest(struct trace_ring *r)
{
    struct trace_entry e;
    copy_out(r, r->tail, &e, sizeof(e));
    r->tail += entry_bytes(e.len);
    r->tail_seq++;
}

void trace_ring_put(struct trace_ring *r, const struct trace_entry *e, const void *record)
{
    u64 need = entry_bytes(e->len);
    spin_lock(&r->lock);
    while (r->head + need - r->tail > r->size) {
        drop_oldest(r);
        r->overrun++;
    }
    copy_in(r, r->head, e, sizeof(*e));
    copy_in(r, r->head + sizeof(*e), record, e->len);
    r->head += need;
    r->head_seq++;
    spin_unlock(&r->lock);
}

bool trace_ring_peek(struct trace_ring *r, u64 *pos, u64 *seq, struct trace_entry *e, void *data,
                     u64 *missed)
{
    spin_lock(&r->lock);
    *missed = 0;
    if (*seq < r->tail_seq) {
        *missed = r->tail_seq - *seq;
        *pos = r->tail;
        *seq = r->tail_seq;
    }
    bool there = *seq < r->head_seq;
    if (there) {
        copy_out(r, *pos, e, sizeof(*e));
        if (data)
            copy_out(r, *pos + sizeof(*e), data, e->len);
    }
    spin_unlock(&r->lock);
    return there;
}

void trace_ring_pass(struct trace_ring *r, u64 *pos, u64 *seq, const struct trace_entry *e,
                     bool take)
{
    spin_lock(&r->lock);
    if (take && *seq == r->tail_seq)
        drop_oldest(r);
    *pos += entry_bytes(e->len);
    ++*seq;
    if (take)
        r->take_seq = max(r->take_seq, *seq);
    spin_unlock(&r->lock);
}

const char *trace_ring_validate(struct trace_ring *r)
{
    const char *bad = NULL;
    spin_lock(&r->lock);
    u64 pos = r->tail, n = 0;
    while (pos < r->head) {
        struct trace_entry e;
        copy_out(r, pos, &e, sizeof(e));
        if (!e.len || e.len > TRACE_MAX_RECORD)
            break;
        pos += entry_bytes(e.len);
        n++;
    }
    if (r->tail > r->head || r->head - r->tail > r->size || pos != r->head)
        bad = "T1: a ring's ends";
    else if (n != r->head_seq - r->tail_seq)
        bad = "T2: a ring's entries";
    else if (r->take_seq > r->head_seq)
        bad = "T3: more taken than written";
    spin_unlock(&r->lock);
    return bad;
}
