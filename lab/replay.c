/* SPDX-License-Identifier: MIT */
/*
 * The engine of `pagoda replay`: lab/replay.h.
 *
 * Invariants
 *  Y1. A TLB holds no key whose entry the core has changed: each flush drops its range from all three (on_flush).
 *  Y2. A tag has TLB_WRITE only when the entry is writable and has its D bit.
 *
 * What a program read before it wrote it came from somewhere: the first use of a page, whatever its kind, asks for a page of its own, and
 * no zero page is shared.
 *
 * A reference that must look at the tables does so before it counts as played, so a fault in it may flush what the look-up had just
 * put in: then it is put in once more, uncounted.
 */
#include <host/machine.h>
#include <host/mmu.h>
#include <host/process.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <mm/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define AREA_BYTES (1ul << 20)
#define MAX_SPACES 65536u
#define TOP_LEVEL_BITS 48u

struct space {
    uint32_t id;   /* the trace's */
    struct mm *mm;
};

static struct {
    struct machine m;
    struct tlb_pair tlb;
    struct replay_counts n;
    struct space *space;
    uint32_t spaces, room, current; /* current: index in space */
    char *why;
    size_t why_n;
} r;

static int fail(const char *fmt, uint64_t a, uint64_t b)
{
    snprintf(r.why, r.why_n, fmt, (unsigned long long)a, (unsigned long long)b);
    return -1;
}

/* ---- spaces ---- */

static void on_flush(struct mmu_ctx *ctx, u64 start, u64 end)
{
    uint32_t s = 0;
    while (s < r.spaces && &r.space[s].mm->mmu != ctx)
        s++;
    if (s == r.spaces)
        return;
    u64 last = end == U64_MAX ? (1ul << TLB_PAGE_BITS) - 1 : (end - 1) >> PAGE_SHIFT;
    u64 lo = tlb_key(s, start >> PAGE_SHIFT), hi = tlb_key(s, last);
    tlb_drop_range(&r.tlb.fetch, lo, hi);
    tlb_drop_range(&r.tlb.data, lo, hi);
    tlb_drop_range(&r.tlb.shared, lo, hi);
}

static int add_space(uint32_t id)
{
    if (r.spaces == MAX_SPACES)
        return fail("more than %llu address spaces", MAX_SPACES, 0);
    if (r.spaces == r.room) {
        uint32_t room = r.room ? r.room * 2 : 8;
        struct space *more = realloc(r.space, room * sizeof(*more));
        if (!more)
            return fail("out of memory for %llu address spaces", room, 0);
        r.space = more;
        r.room = room;
    }
    struct mm *mm = host_mm_new();
    if (!mm)
        return fail("the machine's memory is full: no address space for %llu", id, 0);
    r.space[r.spaces] = (struct space){id, mm};
    r.current = r.spaces++;
    return 0;
}

static int enter_space(uint32_t id)
{
    if (r.spaces && r.space[r.current].id == id)
        return 0;
    uint32_t s = 0;
    while (s < r.spaces && r.space[s].id != id)
        s++;
    r.current = s;
    if (s == r.spaces && add_space(id))
        return -1;
    host_mm_switch(r.space[r.current].mm);
    return 0;
}

/* ---- what misses ---- */

/* Where nothing is mapped a trace's program had something: anonymous memory with all rights. */
static int map_area(u64 va)
{
    u64 start = va & ~(AREA_BYTES - 1), end = r.space[r.current].mm->task_size;
    if (va >= end)
        return fail("address %#llx lies beyond user space, which ends at %#llx", va, end);
    u64 len = end - start < AREA_BYTES ? end - start : AREA_BYTES;
    s64 got = host_mmap(start, len, UAPI_PROT_READ | UAPI_PROT_WRITE | UAPI_PROT_EXEC,
                        UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED | UAPI_MAP_NORESERVE, NULL, 0);
    if (got < 0)
        return fail("no area can be mapped at %#llx (error %llu)", start, (u64)-got);
    r.n.areas++;
    return 0;
}

static void count_fault(u32 result)
{
    uint64_t cost = r.m.cost[COST_MINOR];
    if (result & VM_FAULT_MAJOR) {
        r.n.major_faults++;
        cost = r.m.cost[COST_MAJOR];
    } else {
        r.n.minor_faults++;
    }
    r.n.cycles += cost;
    host_machine.clock += cost * 1000 / r.m.mhz;
    uint64_t pages = rss_sum(r.space[r.current].mm, RSS_ANON);
    if (pages > r.n.peak_pages)
        r.n.peak_pages = pages;
}

/* Makes the page accessible. 1: without a fault, 2: after one, -1. *write: a write needs no further look. */
static int resolve(u64 va, enum host_access_kind kind, bool *write)
{
    struct mm *mm = r.space[r.current].mm;
    r.n.walks++;
    for (int result = 1;; result = 2) {
        struct host_walk w = host_walk(mm->mmu.root, va, kind, true);
        if (w.ok) {
            *write = w.write && w.dirty;
            return result;
        }
        host_core_enter();
        u32 got = mm_fault(mm, va, FAULT_USER | FAULT_WRITE | (w.error & PF_PRESENT ? FAULT_PRESENT : 0));
        host_core_exit();
        if (got & VM_FAULT_MAPERR) {
            if (map_area(va))
                return -1;
            continue;
        }
        if (got & VM_FAULT_ERROR)
            return fail(got & VM_FAULT_OOM ? "the machine's memory is full: a fault at %#llx finds no page (machine.memory, machine.swap)"
                                           : "the fault at %#llx ends with %#llx",
                        va, got);
        count_fault(got);
    }
}

/* One page of a reference: looks it up in the first level. 1: missing, 0, -1. */
static int use_page(struct tlb *t, u64 va, enum host_access_kind kind)
{
    bool miss, again, write = false;
    uint64_t key = tlb_key(r.current, va >> PAGE_SHIFT), *tag = tlb_use(t, key, &miss);
    if (likely(!miss && (kind != HOST_WRITE || *tag & TLB_WRITE)))
        return 0;
    int done = resolve(va, kind, &write);
    if (done < 0)
        return -1;
    if (done == 2)
        tag = tlb_use(t, key, &again);
    if (write)
        *tag |= TLB_WRITE;
    return miss;
}

static int play_one(const struct trace_ref *ref)
{
    static const enum host_access_kind access[NR_REF_KINDS] = {HOST_EXEC, HOST_READ, HOST_WRITE, HOST_WRITE};
    u64 first = ref->addr, last = ref->addr + ref->size - 1;
    struct tlb *t = ref->kind == REF_FETCH ? &r.tlb.fetch : &r.tlb.data;
    bool two = first >> PAGE_SHIFT != last >> PAGE_SHIFT, miss;
    if (unlikely(last >> (TOP_LEVEL_BITS - 1)))
        return fail("address %#llx lies beyond the %llu bits of user space", last, TOP_LEVEL_BITS - 1);
    int m1 = use_page(t, first, access[ref->kind]), m2 = two ? use_page(t, last, access[ref->kind]) : 0;
    if (m1 < 0 || m2 < 0)
        return -1;
    unsigned c = tlb_first_count(ref->kind);
    r.n.tlb[tlb_use_count(ref->kind)] += ref->count;
    r.n.cycles += ref->count * r.m.cost[COST_REFERENCE];
    if (!m1 && !m2)
        return 0;
    r.n.tlb[c]++;
    tlb_use(&r.tlb.shared, tlb_key(r.current, first >> PAGE_SHIFT), &miss);
    bool walk = miss;
    if (two) {
        tlb_use(&r.tlb.shared, tlb_key(r.current, last >> PAGE_SHIFT), &miss);
        walk |= miss;
    }
    r.n.tlb[c + 1] += walk;
    r.n.cycles += r.m.cost[walk ? COST_WALK : COST_SHARED];
    return 0;
}

int replay_play(const struct trace_ref *refs, size_t count, char *why, size_t n)
{
    r.why = why;
    r.why_n = n;
    for (size_t i = 0; i < count; i++)
        if (enter_space(refs[i].space) || play_one(refs + i))
            return -1;
    return 0;
}

/* ---- beginning and end ---- */

int replay_begin(const struct machine *m, char *why, size_t n)
{
    memset(&r, 0, sizeof(r));
    r.m = *m;
    if (tlb_pair_init(&r.tlb, m->fetch, m->data, m->shared)) {
        snprintf(why, n, "out of memory for the translation buffers");
        return -1;
    }
    struct host_config cfg = {.seed = 1, .ram = m->memory, .never_switch = true, .no_contents = true};
    host_machine_start(&cfg);
    host_machine_boot();
    host_flush_listener = on_flush;
    return 0;
}

void replay_read(struct replay_counts *out)
{
    *out = r.n;
    out->spaces = r.spaces;
    for (uint32_t s = 0; s < r.spaces; s++) {
        out->pages += rss_sum(r.space[s].mm, RSS_ANON);
        out->table_bytes += (uint64_t)r.space[s].mm->pgtables_bytes;
    }
    out->scanned = stat_event_sum(PGSCAN_KSWAPD) + stat_event_sum(PGSCAN_DIRECT);
    out->stolen = stat_event_sum(PGSTEAL_KSWAPD) + stat_event_sum(PGSTEAL_DIRECT);
    out->swapped_in = stat_event_sum(PSWPIN);
    out->swapped_out = stat_event_sum(PSWPOUT);
}

void replay_end(void)
{
    host_flush_listener = NULL;
    host_mm_switch(NULL);
    for (uint32_t s = 0; s < r.spaces; s++)
        host_mm_exit(r.space[s].mm);
    free(r.space);
    tlb_pair_free(&r.tlb);
    host_run_until_idle();
    host_machine_stop();
}
