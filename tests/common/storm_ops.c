/* SPDX-License-Identifier: MIT */
/* The operations of a storm's worker, each with what it does to the model. See storm.h. */
#include "storm_internal.h"
#include <port/log.h>

#define R 1u
#define W 2u
#define X 4u

static u64 page_addr(const struct worker *w, u32 page)
{
    return STORM_BASE + ((u64)w->slice * SLICE_PAGES + page) * PAGE_SIZE;
}

static u32 pick(struct worker *w, u32 n)
{
    return (u32)rand_below(&w->rand, n);
}

/* A range of pages of the slice: mostly short, sometimes long. */
static void pick_range(struct worker *w, u32 *first, u32 *n)
{
    u32 most = pick(w, 8) == 0 ? SLICE_PAGES : 6;
    *n = 1 + pick(w, most);
    *first = pick(w, SLICE_PAGES - *n + 1);
}

u64 storm_constant(u32 file_page)
{
    return 0xc0ffee0000000000UL + file_page;
}

static bool may_fail(void)
{
    return storm.cfg.fail_permille != 0;
}

/* The last operations stand in the log that a panic prints. */
#define trace(w, fmt, ...)                                                                         \
    do {                                                                                           \
        if (!storm.cfg.threads)                                                                    \
            log_print(LOG_DEBUG, "worker %u: " fmt, (w)->slot, __VA_ARGS__);                       \
    } while (0)

/* ---- touching ---- */

static u32 expected_fault(const struct page_model *p, bool write)
{
    if (p->kind == PK_NONE)
        return VM_FAULT_MAPERR;
    return (write ? p->prot & W : p->prot != 0) ? 0 : VM_FAULT_ACCERR;
}

static void count(u64 *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* The model's answer was compared; true when the access went through. */
static bool went_through(struct worker *w, u32 page, bool write, u32 r)
{
    const struct page_model *p = &w->page[page];
    u32 want = expected_fault(p, write);
    if (r == VM_FAULT_OOM && may_fail()) {
        count(&storm.stats.oom_seen);
        return false;
    }
    storm_check(r == want, "worker %u: %s at %#lx: fault %#x, expected %#x (kind %u prot %u)", w->slot,
                write ? "store" : "load", page_addr(w, page), r, want, p->kind, p->prot);
    if (r)
        count(&storm.stats.faults_seen);
    return r == 0;
}

static u64 expected_word(const struct worker *w, const struct page_model *p, bool last)
{
    if (p->kind == PK_ANON || p->own)
        return p->value;
    return storm_constant(p->file_page);
}

static void check_page(struct worker *w, u32 page)
{
    const struct page_model *p = &w->page[page];
    u64 at = page_addr(w, page), word = 0;
    count(&storm.stats.checks);
    if (p->kind == PK_SHARED_FILE) {
        if (!went_through(w, page, false, host_load(at + 8 * w->slot, &word, 8)))
            return;
        u64 want = storm.slot_value[w->slot][p->file_page];
        storm_check(word == want, "shared page %u, slot %u at %#lx: %#lx, expected %#lx", p->file_page, w->slot, at,
                    word, want);
        return;
    }
    for (int last = 0; last < 2; last++) {
        if (!went_through(w, page, false, host_load(last ? at + PAGE_SIZE - 8 : at, &word, 8)))
            return;
        u64 want = expected_word(w, p, last);
        storm_check(word == want, "%s word at %#lx: %#lx, expected %#lx (kind %u own %d file page %u)",
                    last ? "last" : "first", at, word, want, p->kind, p->own, p->file_page);
    }
}

static void write_page(struct worker *w, u32 page)
{
    struct page_model *p = &w->page[page];
    u64 at = page_addr(w, page);
    u64 value = (u64)w->slot << 48 | ++w->next_value;
    if (p->kind == PK_SHARED_FILE) {
        if (went_through(w, page, true, host_store(at + 8 * w->slot, &value, 8)))
            storm.slot_value[w->slot][p->file_page] = value;
        return;
    }
    if (!went_through(w, page, true, host_store(at, &value, 8)))
        return;
    /* The page is there and writable now, unless its frame was taken by somebody else's doing: then it comes back. */
    u32 r;
    do
        r = host_store(at + PAGE_SIZE - 8, &value, 8);
    while (r == VM_FAULT_OOM && may_fail());
    storm_check(r == 0, "second store at %#lx: fault %#x", at, r);
    p->value = value;
    p->own = true;
}

static void touch_some(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    for (u32 i = first; i < first + n; i++)
        if (pick(w, 2))
            write_page(w, i);
        else
            check_page(w, i);
}

void storm_check_slice(struct worker *w)
{
    for (u32 i = 0; i < SLICE_PAGES; i++)
        check_page(w, i);
}

/* ---- layout ---- */

static void forget(struct worker *w, u32 first, u32 n)
{
    memset(&w->page[first], 0, n * sizeof(w->page[0]));
}

/* Unmaps for sure, so that the model is true again. */
static void clear_out(struct worker *w, u32 first, u32 n)
{
    s64 r;
    do
        r = host_munmap(page_addr(w, first), n * PAGE_SIZE);
    while (r == -12 && may_fail());
    trace(w, "munmap %#lx, %u pages: %ld", page_addr(w, first), n, r);
    storm_check(r == 0, "munmap(%#lx, %u pages): %ld", page_addr(w, first), n, r);
    forget(w, first, n);
}

static u32 pick_prot(struct worker *w)
{
    static const u8 prots[] = {R | W, R | W, R | W, R | W, R, R | X, 0, R | W | X};
    return prots[pick(w, sizeof(prots))];
}

static void do_mmap(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    u32 kind = 1 + pick(w, NR_PAGE_KINDS - 1), prot = pick_prot(w), file_page = 0;
    u64 flags = UAPI_MAP_FIXED, offset = 0;
    struct map_file mf;
    bool file = kind != PK_ANON;
    if (file) {
        n = min(n, (u32)FILE_PAGES);
        file_page = pick(w, FILE_PAGES - n + 1);
        offset = (u64)file_page * PAGE_SIZE;
        mf = host_map_file(kind == PK_SHARED_FILE ? storm.shared : storm.constant);
        flags |= kind == PK_SHARED_FILE ? UAPI_MAP_SHARED : UAPI_MAP_PRIVATE;
    } else {
        flags |= UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS;
    }
    if (pick(w, 8) == 0)
        flags |= UAPI_MAP_POPULATE;
    u64 at = page_addr(w, first);
    s64 r = host_mmap(at, n * PAGE_SIZE, prot, flags, file ? &mf : NULL, offset);
    trace(w, "mmap %#lx, %u pages, prot %u flags %#lx kind %u page %u: %ld", at, n, prot, flags, kind, file_page, r);
    if (r == -12 && may_fail()) {
        clear_out(w, first, n);
        return;
    }
    storm_check(r == (s64)at, "mmap(%#lx, %u pages, prot %u, kind %u): %ld", at, n, prot, kind, r);
    for (u32 i = 0; i < n; i++)
        w->page[first + i] = (struct page_model){.kind = (u8)kind, .prot = (u8)prot, .file_page = file_page + i};
}

static void do_munmap(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    clear_out(w, first, n);
}

static void do_mprotect(struct worker *w)
{
    u32 first, n, prot = pick_prot(w);
    pick_range(w, &first, &n);
    /* It stops at the first hole, after changing what lies before. */
    u32 upto = 0;
    while (upto < n && w->page[first + upto].kind != PK_NONE)
        upto++;
    s64 r;
    do /* areas before the one that could not be split have changed: go on until all have */
        r = host_mprotect(page_addr(w, first), n * PAGE_SIZE, prot);
    while (r == -12 && upto == n && may_fail());
    trace(w, "mprotect %#lx, %u pages, prot %u: %ld", page_addr(w, first), n, prot, r);
    storm_check(r == (upto == n ? 0 : -12), "mprotect(%#lx, %u pages, %u): %ld", page_addr(w, first), n, prot, r);
    if (upto < n && may_fail()) { /* the same error for both reasons */
        clear_out(w, first, n);
        return;
    }
    for (u32 i = first; i < first + upto; i++)
        w->page[i].prot = (u8)prot;
}

static void do_dontneed(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    bool hole = false;
    for (u32 i = first; i < first + n; i++)
        hole |= w->page[i].kind == PK_NONE;
    s64 r = host_madvise(page_addr(w, first), n * PAGE_SIZE, UAPI_MADV_DONTNEED);
    trace(w, "dontneed %#lx, %u pages: %ld", page_addr(w, first), n, r);
    storm_check(r == (hole ? -12 : 0), "madvise(%#lx, %u pages, DONTNEED): %ld", page_addr(w, first), n, r);
    for (u32 i = first; i < first + n; i++) {
        w->page[i].own = false;
        w->page[i].value = 0;
    }
}

/* Moves pages of one kind that lie next to each other in one area, for sure. */
static void do_mremap(struct worker *w)
{
    u32 from, n, to;
    pick_range(w, &from, &n);
    const struct page_model *p = &w->page[from];
    if (p->kind == PK_NONE)
        return;
    u32 run = 1; /* anonymous neighbours with equal rights need not be one area: their anon_vmas may differ */
    while (p->kind != PK_ANON && run < n && w->page[from + run].kind == p->kind && w->page[from + run].prot == p->prot &&
           w->page[from + run].file_page == p->file_page + run)
        run++;
    if (p->kind == PK_PRIVATE_FILE)
        run = 1;
    to = pick(w, SLICE_PAGES - run + 1);
    if (to < from + run && from < to + run)
        return;
    u64 old = page_addr(w, from), target = page_addr(w, to);
    s64 r = host_mremap(old, run * PAGE_SIZE, run * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, target);
    trace(w, "mremap %#lx, %u pages, to %#lx: %ld", old, run, target, r);
    if (r == -12 && may_fail()) {
        clear_out(w, to, run);
        return;
    }
    storm_check(r == (s64)target, "mremap(%#lx, %u pages, to %#lx): %ld", old, run, target, r);
    memcpy(&w->page[to], &w->page[from], run * sizeof(*p));
    if (may_fail())
        clear_out(w, from, run); /* as on Linux, the emptied area stays when splitting it off fails */
    else
        forget(w, from, run);
}

/* Through the page cache instead of a mapping: both must see the same bytes. */
static void do_read_file(struct worker *w)
{
    u32 file_page = pick(w, FILE_PAGES);
    u64 word;
    ssize_t n = cache_read_kernel(&storm.shared->mapping, (u64)file_page * PAGE_SIZE + 8 * w->slot, &word, 8);
    if (n == -12 && may_fail())
        return;
    storm_check(n == 8, "cache_read_kernel: %ld", n);
    u64 want = storm.slot_value[w->slot][file_page];
    storm_check(word == want, "read of shared page %u, slot %u: %#lx, expected %#lx", file_page, w->slot, word, want);
}

bool storm_step(struct worker *w)
{
    count(&storm.stats.steps);
    switch (pick(w, 40)) {
    case 0 ... 7:
        do_mmap(w);
        break;
    case 8 ... 11:
        do_munmap(w);
        break;
    case 12 ... 15:
        do_mprotect(w);
        break;
    case 16 ... 18:
        do_dontneed(w);
        break;
    case 19 ... 20:
        do_mremap(w);
        break;
    case 21:
        do_read_file(w);
        break;
    case 22:
        return false;
    default:
        touch_some(w);
    }
    return true;
}
