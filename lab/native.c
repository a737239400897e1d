/* SPDX-License-Identifier: MIT */
/*
 * Writing and reading the native form (lab/native.h).
 *
 * Invariants
 *  N1. A MORE record counts uses of the two current pages only; it stands before the START that follows them.
 *  N2. Both sides keep the same current pages: a START changes those of its stream alone, and a new address space or CPU ends both.
 */
#include <errno.h>
#include <string.h>

#include "native.h"
#include "trace_internal.h"

static unsigned stream_of(unsigned kind)
{
    return kind != REF_FETCH;
}

static uint64_t zigzag(uint64_t from, uint64_t to)
{
    uint64_t d = to - from;
    return d << 1 ^ -(d >> 63);
}

/* ---- writing ---- */

#define MORE_MAX (1u << 30) /* with a reference's own count still below 2^32 */

static int put(struct native_writer *w, const unsigned char *b, size_t n)
{
    w->bytes += n;
    return fwrite(b, 1, n, w->f) == n ? 0 : -(errno ? errno : EIO);
}

static size_t number(unsigned char *b, uint64_t v)
{
    size_t n = 0;
    for (; v >= 128; v >>= 7)
        b[n++] = (unsigned char)(v | 128);
    b[n++] = (unsigned char)v;
    return n;
}

int native_begin(struct native_writer *w, FILE *f, unsigned shift)
{
    unsigned char head[NATIVE_HEADER] = NATIVE_MAGIC;
    *w = (struct native_writer){.f = f, .shift = shift};
    head[8] = NATIVE_VERSION;
    head[9] = (unsigned char)shift;
    return put(w, head, sizeof(head));
}

/* What the current pages were used for since the last record. */
static int flush_more(struct native_writer *w)
{
    unsigned char b[64] = {NATIVE_MORE};
    size_t n = 1;
    for (unsigned k = 0; k < NR_REF_KINDS; k++) {
        if (!w->more[k])
            continue;
        b[0] |= 1u << k;
        n += number(b + n, w->more[k]);
        w->more[k] = 0;
    }
    if (n == 1)
        return 0;
    b[0] |= w->last ? NATIVE_DATA_LAST : 0;
    return put(w, b, n);
}

static int start(struct native_writer *w, const struct trace_ref *r, uint64_t first, bool two)
{
    unsigned s = stream_of(r->kind);
    unsigned char b[64] = {(unsigned char)(NATIVE_START | r->kind | (two ? NATIVE_TWO : 0))};
    size_t n = 1;
    int err = flush_more(w);
    if (r->space != w->space) {
        b[0] |= NATIVE_SPACE;
        n += number(b + n, r->space);
    }
    if (r->cpu != w->cpu) {
        b[0] |= NATIVE_CPU;
        n += number(b + n, r->cpu);
    }
    if (r->space != w->space || r->cpu != w->cpu)
        w->open[0] = w->open[1] = false;
    w->space = r->space;
    w->cpu = r->cpu;
    n += number(b + n, zigzag(w->page[s], first));
    w->page[s] = first + two;
    w->open[s] = true;
    w->last = s;
    return err ? err : put(w, b, n);
}

static int write_one(struct native_writer *w, const struct trace_ref *r)
{
    unsigned s = stream_of(r->kind);
    uint64_t first = r->addr >> w->shift, last = w->shift ? (r->addr + r->size - 1) >> w->shift : first;
    uint32_t count = r->count;
    int err = 0;
    if (last != first)
        return start(w, r, first, true);
    if (!w->open[s] || w->page[s] != first || r->space != w->space || r->cpu != w->cpu) {
        err = start(w, r, first, false);
        count--;
    }
    if (count) {
        w->last = s;
        w->more[r->kind] += count;
        if (w->more[r->kind] > MORE_MAX)
            err = flush_more(w);
    }
    return err;
}

int native_write(struct native_writer *w, const struct trace_ref *refs, size_t n)
{
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = write_one(w, refs + i);
    return err;
}

int native_end(struct native_writer *w)
{
    int err = flush_more(w);
    if (!err && fflush(w->f))
        err = -errno;
    return err;
}

/* ---- reading ---- */

enum { PAGE_FETCH, PAGE_DATA, SPACE, CPU, OPEN }; /* of trace.state */

static int native_start_reading(struct trace *t)
{
    unsigned char head[NATIVE_HEADER];
    int r = trace_bytes(t, head, sizeof(head));
    if (r <= 0)
        return r ? r : trace_fail(t, "no header");
    if (memcmp(head, NATIVE_MAGIC, 8) || head[8] != NATIVE_VERSION || (head[9] && head[9] != 12))
        return trace_fail(t, "not a native trace of version %d", NATIVE_VERSION);
    t->shift = head[9];
    return 0;
}

/* Reads a number within a record. 1 or -1. */
static int get_number(struct trace *t, uint64_t *v)
{
    unsigned char c;
    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (input_bytes(t->in, &c, 1) <= 0)
            return trace_fail(t, "%s", input_error(t->in));
        if (shift == 63 && c > 1)
            break;
        *v |= (uint64_t)(c & 127) << shift;
        if (!(c & 128))
            return 1;
    }
    return trace_fail(t, "a number of more than 64 bits");
}

static struct trace_ref current(const struct trace *t, unsigned kind, uint64_t count)
{
    unsigned s = stream_of(kind);
    return (struct trace_ref){.addr = t->state[s] << t->shift,
                              .size = 1,
                              .count = (uint32_t)count,
                              .kind = (uint8_t)kind,
                              .space = (uint32_t)t->state[SPACE],
                              .cpu = (uint16_t)t->state[CPU]};
}

static long read_start(struct trace *t, unsigned char tag, struct trace_ref *out)
{
    unsigned kind = tag & 3, s = stream_of(kind);
    bool two = tag & NATIVE_TWO;
    uint64_t v;
    if (tag & NATIVE_SPACE) {
        if (get_number(t, &v) < 0)
            return -1;
        if (v > UINT32_MAX)
            return trace_fail(t, "address space %llu", (unsigned long long)v);
        t->state[SPACE] = v;
        t->state[OPEN] = 0;
    }
    if (tag & NATIVE_CPU) {
        if (get_number(t, &v) < 0)
            return -1;
        if (v > UINT16_MAX)
            return trace_fail(t, "CPU %llu", (unsigned long long)v);
        t->state[CPU] = v;
        t->state[OPEN] = 0;
    }
    if (get_number(t, &v) < 0)
        return -1;
    uint64_t page = t->state[s] + (v >> 1 ^ -(v & 1)), most = UINT64_MAX >> t->shift;
    if (page > most - two || (two && !t->shift))
        return trace_fail(t, "page %#llx", (unsigned long long)page);
    t->state[s] = page;
    t->state[OPEN] |= 1u << s;
    *out = current(t, kind, 1);
    if (two) {
        out->addr += (1u << t->shift) - 1;
        out->size = 2;
        t->state[s]++;
    }
    return 1;
}

/* Uses of the two current pages: the stream that was not last comes first. Up to NR_REF_KINDS references. */
static long read_more(struct trace *t, unsigned char tag, struct trace_ref *out)
{
    uint64_t count[NR_REF_KINDS] = {0};
    unsigned last = tag & NATIVE_DATA_LAST ? 1 : 0;
    long n = 0;
    for (unsigned k = 0; k < NR_REF_KINDS; k++)
        if (tag & 1u << k && get_number(t, &count[k]) < 0)
            return -1;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned k = 0; k < NR_REF_KINDS; k++) {
            if (!count[k] || (stream_of(k) == last) != pass)
                continue;
            if (count[k] > UINT32_MAX || !(t->state[OPEN] & 1u << stream_of(k)))
                return trace_fail(t, "%llu uses of no page", (unsigned long long)count[k]);
            out[n++] = current(t, k, count[k]);
        }
    return n ? n : trace_fail(t, "a record without uses");
}

static long native_read(struct trace *t, struct trace_ref *out, size_t n)
{
    size_t done = 0;
    if (n < NR_REF_KINDS)
        return trace_fail(t, "room for %d references is needed", NR_REF_KINDS);
    while (done + NR_REF_KINDS <= n) {
        unsigned char tag;
        int r = trace_bytes(t, &tag, 1);
        if (r <= 0)
            return done && !r ? (long)done : r;
        long k;
        if (tag & NATIVE_START && !(tag & (NATIVE_MORE | 4)))
            k = read_start(t, tag, out + done);
        else if ((tag & 0xd0) == NATIVE_MORE)
            k = read_more(t, tag, out + done);
        else
            return trace_fail(t, "a record of kind %#x", tag);
        if (k < 0)
            return -1;
        done += (size_t)k;
    }
    return (long)done;
}

static bool native_looks(const unsigned char *head, size_t n)
{
    return n >= 8 && !memcmp(head, NATIVE_MAGIC, 8);
}

const struct format format_native = {
    .name = "native",
    .about = "runs per page, what `pagoda trace` writes",
    .suffixes = (const char *const[]){".pgt", NULL},
    .looks = native_looks,
    .begin = native_start_reading,
    .read = native_read,
};
