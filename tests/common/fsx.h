/* SPDX-License-Identifier: MIT */
/*
 * A random tester of one file against an array of bytes: reads and writes by calls, through a mapping and past the cache, cutting,
 * holes, allocation, syncs and dropped caches. A game is a function of its seed; each step draws from a generator of its own, so that
 * a failing game shrinks by leaving steps out. The home supplies the calls; those it leaves NULL are not played.
 *
 * Included by the program that plays: tests/host/test_fsx.c, tests/guest/parts/fsx.c.
 */
#ifndef TESTS_COMMON_FSX_H
#define TESTS_COMMON_FSX_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FSX_MAX   (256u * 1024)
#define FSX_CHUNK (40u * 1024) /* of one read or write */

/* Each returns what the call would, or < 0. Positions and lengths in bytes. */
struct fsx_home {
    void (*begin)(void); /* an empty file, or zeros if it can't grow */
    void (*end)(void);
    long (*read)(uint64_t pos, void *buf, uint64_t n);
    long (*write)(uint64_t pos, const void *buf, uint64_t n);
    long (*map_read)(uint64_t pos, void *buf, uint64_t n); /* within the size */
    long (*map_write)(uint64_t pos, const void *buf, uint64_t n);
    long (*direct_read)(uint64_t pos, void *buf, uint64_t n); /* multiples of 512 */
    long (*direct_write)(uint64_t pos, const void *buf, uint64_t n);
    int (*truncate)(uint64_t size);
    int (*punch)(uint64_t pos, uint64_t n);
    int (*allocate)(uint64_t pos, uint64_t n, bool keep_size);
    int (*sync)(unsigned how); /* one of several ways */
    void (*drop)(void);        /* cached pages go where they can */
    uint64_t fixed_size;       /* 0: the file grows */
    uint64_t punch_align;      /* 0: any */
    bool (*stop)(void);        /* time is up; may be NULL */
};

enum fsx_op {
    FSX_READ,
    FSX_WRITE,
    FSX_MAP_READ,
    FSX_MAP_WRITE,
    FSX_DIRECT_READ,
    FSX_DIRECT_WRITE,
    FSX_TRUNCATE,
    FSX_PUNCH,
    FSX_ALLOCATE,
    FSX_SYNC,
    FSX_DROP,
    FSX_NR
};
static const char *const fsx_name[FSX_NR] = {"read",        "write",        "map read", "map write",
                                             "direct read", "direct write", "truncate", "punch",
                                             "allocate",    "sync",         "drop"};

struct fsx_step {
    enum fsx_op op;
    uint64_t pos, n;
    unsigned extra;
};

static struct {
    const struct fsx_home *home;
    uint8_t *model, *buf;
    uint64_t size;
    bool tell;
} fsx;

static uint64_t fsx_mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x7fb5d329728ea185ull;
    x = (x ^ x >> 27) * 0x81dadef4bc2dd44dull;
    return x ^ x >> 33;
}

static struct fsx_step fsx_draw(uint64_t seed, unsigned i)
{
    uint64_t r = fsx_mix(seed * 1000003u + i + 1), t = fsx_mix(r);
    struct fsx_step s = {.op = (enum fsx_op)(r % FSX_NR),
                         .pos = (r >> 8) % FSX_MAX,
                         .n = 1 + (t >> 8) % (t & 7 ? FSX_CHUNK : 5000),
                         .extra = (unsigned)(t >> 48)};
    if ((t & 0x30) == 0x30) /* pages, exactly */
        s.pos &= ~4095ull, s.n = (s.n & ~4095ull) + 4096;
    if (s.op == FSX_DIRECT_READ || s.op == FSX_DIRECT_WRITE)
        s.pos &= ~511ull, s.n = (s.n & ~511ull) + 512;
    if (fsx.home->fixed_size)
        s.pos %= fsx.home->fixed_size;
    if (s.op == FSX_PUNCH && fsx.home->punch_align)
        s.pos &= ~(fsx.home->punch_align - 1),
            s.n = (s.n & ~(fsx.home->punch_align - 1)) + fsx.home->punch_align;
    uint64_t end = fsx.home->fixed_size ? fsx.home->fixed_size : FSX_MAX;
    s.n = s.n < end - s.pos ? s.n : end - s.pos;
    return s;
}

static bool fsx_wrong(const char *what, long got, long want)
{
    if (fsx.tell)
        printf("  %s: %ld, not %ld\n", what, got, want);
    return false;
}

static bool fsx_compare(uint64_t pos, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (fsx.buf[i] != fsx.model[pos + i]) {
            if (fsx.tell)
                printf("  byte %#lx is %#x, not %#x\n", (unsigned long)(pos + i), fsx.buf[i],
                       fsx.model[pos + i]);
            return false;
        }
    return true;
}

static bool fsx_read_with(long (*call)(uint64_t, void *, uint64_t), uint64_t pos, uint64_t n,
                          bool within)
{
    uint64_t want = pos >= fsx.size ? 0 : n < fsx.size - pos ? n : fsx.size - pos;
    if (within && !(n = want))
        return true;
    memset(fsx.buf, 0xa5, n);
    long got = call(pos, fsx.buf, n);
    return got == (long)want ? fsx_compare(pos, want) : fsx_wrong("read", got, (long)want);
}

static bool fsx_write_with(long (*call)(uint64_t, const void *, uint64_t), const struct fsx_step *s,
                           bool within)
{
    uint64_t n = s->n;
    if (within)
        n = s->pos >= fsx.size ? 0 : n < fsx.size - s->pos ? n : fsx.size - s->pos;
    if (!n)
        return true;
    for (uint64_t i = 0; i < n; i++)
        fsx.buf[i] = (uint8_t)fsx_mix(s->extra * 77u + i / 3);
    long got = call(s->pos, fsx.buf, n);
    if (got != (long)n)
        return fsx_wrong("write", got, (long)n);
    memcpy(fsx.model + s->pos, fsx.buf, n);
    fsx.size = fsx.size > s->pos + n ? fsx.size : s->pos + n;
    return true;
}

static bool fsx_result(int err)
{
    return !err || fsx_wrong("call", err, 0);
}

/* One step; false: the file is not as the model. */
static bool fsx_play(const struct fsx_step *s)
{
    const struct fsx_home *h = fsx.home;
    switch (s->op) {
    case FSX_READ:
        return fsx_read_with(h->read, s->pos, s->n, false);
    case FSX_WRITE:
        return fsx_write_with(h->write, s, false);
    case FSX_MAP_READ:
        return !h->map_read || fsx_read_with(h->map_read, s->pos, s->n, true);
    case FSX_MAP_WRITE:
        return !h->map_write || fsx_write_with(h->map_write, s, true);
    case FSX_DIRECT_READ:
        return !h->direct_read || fsx_read_with(h->direct_read, s->pos, s->n, false);
    case FSX_DIRECT_WRITE:
        return !h->direct_write || fsx_write_with(h->direct_write, s, false);
    case FSX_TRUNCATE:
        if (!h->truncate)
            return true;
        if (s->pos < fsx.size)
            memset(fsx.model + s->pos, 0, fsx.size - s->pos);
        fsx.size = s->pos;
        return fsx_result(h->truncate(s->pos));
    case FSX_PUNCH:
        if (!h->punch)
            return true;
        memset(fsx.model + s->pos, 0, s->n);
        return fsx_result(h->punch(s->pos, s->n));
    case FSX_ALLOCATE:
        if (!h->allocate)
            return true;
        if (!(s->extra & 1) && fsx.size < s->pos + s->n)
            fsx.size = s->pos + s->n;
        return fsx_result(h->allocate(s->pos, s->n, s->extra & 1));
    case FSX_SYNC:
        return !h->sync || fsx_result(h->sync(s->extra));
    default:
        h->drop();
        return true;
    }
}

/* Steps of seed that skip[] leaves. Returns the step that failed, or -1. */
static int fsx_run(uint64_t seed, unsigned steps, const uint8_t *skip)
{
    int failed = -1;
    fsx.home->begin();
    fsx.size = fsx.home->fixed_size;
    memset(fsx.model, 0, FSX_MAX);
    for (unsigned i = 0; i < steps && failed < 0; i++) {
        if (skip[i])
            continue;
        struct fsx_step s = fsx_draw(seed, i);
        if (fsx.tell)
            printf("  %u: %s at %#lx, %#lx, %u\n", i, fsx_name[s.op], (unsigned long)s.pos,
                   (unsigned long)s.n, s.extra);
        if (!fsx_play(&s))
            failed = (int)i;
        if (failed < 0 && i % 32 == 31 && !fsx_read_with(fsx.home->read, 0, FSX_MAX, false))
            failed = (int)i;
    }
    if (failed < 0 && !fsx_read_with(fsx.home->read, 0, FSX_MAX, false))
        failed = (int)steps - 1;
    fsx.home->end();
    return failed;
}

/* Leaves out all steps that the failure does not need, and shows the rest. */
static void fsx_shrink(uint64_t seed, unsigned steps, uint8_t *skip)
{
    for (unsigned part = steps / 2; part; part /= 2)
        for (unsigned from = 0; from < steps; from += part) {
            unsigned n = part < steps - from ? part : steps - from;
            uint8_t was[64 * 1024];
            memcpy(was, skip + from, n);
            memset(skip + from, 1, n);
            if (fsx_run(seed, steps, skip) < 0)
                memcpy(skip + from, was, n);
        }
    printf("seed %lu fails with these steps of %u:\n", (unsigned long)seed, steps);
    fsx.tell = true;
    fsx_run(seed, steps, skip);
    fsx.tell = false;
}

/* Plays seeds [first, first + n). Returns 0, or 1 after the first that fails was shown. */
static int fsx_games(const struct fsx_home *home, uint64_t first, unsigned n, unsigned steps)
{
    fsx.home = home;
    fsx.model = malloc(FSX_MAX);
    fsx.buf = aligned_alloc(4096, FSX_MAX);
    uint8_t *skip = calloc(1, steps);
    int failed = 0;
    for (uint64_t seed = first; seed < first + n && !failed && !(home->stop && home->stop());
         seed++) {
        int at = fsx_run(seed, steps, skip);
        if (at >= 0) {
            fsx_shrink(seed, (unsigned)at + 1, skip);
            failed = 1;
        }
    }
    free(skip);
    free(fsx.model);
    free(fsx.buf);
    return failed;
}
#endif
