/* SPDX-License-Identifier: MIT */
/* The operations of a storm's worker, each with what it does to the model. See storm.h. */
#include "storm_internal.h"
#include <mm/pt.h>
#include <mm/rmap.h>
#include <port/log.h>
#include <port/uaccess.h>

#define R 1u
#define W 2u
#define X 4u

/* Wide: across the boundary of two level-2 tables. */
static u64 slice_base(u32 slice)
{
    if (storm.cfg.wide)
        return STORM_BASE + slice * PUD_SIZE - SLICE_PAGES / 2 * PAGE_SIZE;
    return STORM_BASE + (u64)slice * SLICE_PAGES * PAGE_SIZE;
}

static u64 page_addr(const struct worker *w, u32 page)
{
    return slice_base(w->slice) + page * PAGE_SIZE;
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
    return storm.cfg.fail_permille || storm.cfg.tight;
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

#define SOME_FAULT U32_MAX /* the way of access does not say which */

static size_t remote(struct worker *w, u64 at, u64 *word, u32 flags)
{
    host_core_enter();
    size_t n = access_remote(w->mm, at, word, 8, flags);
    host_core_exit();
    return n;
}

/* A word as a program reads it, as the kernel copies it in, or as another process's debugger sees it. */
static u32 load_word(struct worker *w, u64 at, u64 *word)
{
    switch (pick(w, 8)) {
    case 0:
        return copy_from_user(word, at, 8) ? SOME_FAULT : 0;
    case 1:
        return remote(w, at, word, 0) == 8 ? 0 : SOME_FAULT;
    default:
        return host_load(at, word, 8);
    }
}

static u32 store_word(struct worker *w, u64 at, u64 word)
{
    switch (pick(w, 8)) {
    case 0:
        return copy_to_user(at, &word, 8) ? SOME_FAULT : 0;
    case 1:
        return remote(w, at, &word, FAULT_WRITE) == 8 ? 0 : SOME_FAULT;
    default:
        return host_store(at, &word, 8);
    }
}

/* The model's answer was compared; true when the access went through. */
static bool went_through(struct worker *w, u32 page, bool write, u32 r)
{
    const struct page_model *p = &w->page[page];
    u32 want = expected_fault(p, write);
    if ((r == VM_FAULT_OOM || (r == SOME_FAULT && !want && p->kind != PK_CUT_FILE)) && may_fail()) {
        count(&storm.stats.oom_seen);
        return false;
    }
    if (p->kind == PK_CUT_FILE && want == 0 && (r == VM_FAULT_SIGBUS || r == SOME_FAULT)) {
        count(&storm.stats.cut_seen);
        return false;
    }
    storm_check(r == SOME_FAULT ? want != 0 : r == want,
                "worker %u: %s at %#lx: fault %#x, expected %#x (kind %u prot %u)", w->slot, write ? "store" : "load",
                page_addr(w, page), r, want, p->kind, p->prot);
    if (r)
        count(&storm.stats.faults_seen);
    return r == 0;
}

static u64 *slot_value(const struct worker *w, u32 kind, u32 file_page)
{
    return &storm.slot_value[kind - PK_SHARED_FILE][w->slot][file_page];
}

/* Our word of a page of a shared file. What was cut off comes back as zero, never as an older value. */
static void check_slot(struct worker *w, u32 kind, u32 file_page, u64 word, const char *how)
{
    u64 *want = slot_value(w, kind, file_page);
    if (kind == PK_CUT_FILE && word == 0)
        *want = 0;
    storm_check(word == *want, "worker %u: %s of page %u of shared file %u: %#lx, expected %#lx", w->slot, how, file_page,
                kind - PK_SHARED_FILE, word, *want);
}

static u64 expected_word(const struct page_model *p)
{
    return p->kind == PK_ANON || p->own ? p->value : storm_constant(p->file_page);
}

static void check_page(struct worker *w, u32 page)
{
    const struct page_model *p = &w->page[page];
    u64 at = page_addr(w, page), word = 0;
    if (p->kind == PK_UNKNOWN)
        return;
    count(&storm.stats.checks);
    if (kind_is_shared(p->kind)) {
        if (went_through(w, page, false, load_word(w, at + 8 * w->slot, &word)))
            check_slot(w, p->kind, p->file_page, word, "load");
        return;
    }
    for (int last = 0; last < 2; last++) {
        if (!went_through(w, page, false, load_word(w, last ? at + PAGE_SIZE - 8 : at, &word)))
            return;
        u64 want = expected_word(p);
        storm_check(word == want, "worker %u: %s word at %#lx: %#lx, expected %#lx (kind %u own %d file page %u)", w->slot,
                    last ? "last" : "first", at, word, want, p->kind, p->own, p->file_page);
    }
}

static void write_page(struct worker *w, u32 page)
{
    struct page_model *p = &w->page[page];
    u64 at = page_addr(w, page);
    u64 value = (u64)(w->slot + 1) << 48 | ++w->next_value;
    if (p->kind == PK_UNKNOWN)
        return;
    if (kind_is_shared(p->kind)) {
        if (went_through(w, page, true, store_word(w, at + 8 * w->slot, value)))
            *slot_value(w, p->kind, p->file_page) = value;
        return;
    }
    if (!went_through(w, page, true, store_word(w, at, value)))
        return;
    /* Going on may need memory again when the page was shared by a fork in between. */
    u32 r = host_store(at + PAGE_SIZE - 8, &value, 8);
    if (r == VM_FAULT_OOM && may_fail()) {
        p->kind = PK_UNKNOWN;
        return;
    }
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

static void touch_common(struct worker *w);

void storm_check_slice(struct worker *w)
{
    for (u32 i = 0; i < SLICE_PAGES && storm.cfg.focus != FOCUS_COMMON; i++)
        check_page(w, i);
    for (u32 i = 0; i < 3; i++)
        touch_common(w);
}

/* ---- layout ---- */

static void forget(struct worker *w, u32 first, u32 n)
{
    memset(&w->page[first], 0, n * sizeof(w->page[0]));
}

static void set_unknown(struct worker *w, u32 first, u32 n)
{
    for (u32 i = first; i < first + n; i++)
        w->page[i] = (struct page_model){.kind = PK_UNKNOWN};
}

static bool any_unknown(const struct worker *w, u32 first, u32 n)
{
    for (u32 i = first; i < first + n; i++)
        if (w->page[i].kind == PK_UNKNOWN)
            return true;
    return false;
}

/* False when it failed: then nothing has changed. */
static bool unmap(struct worker *w, u32 first, u32 n)
{
    s64 r = host_munmap(page_addr(w, first), n * PAGE_SIZE);
    trace(w, "munmap %#lx, %u pages: %ld", page_addr(w, first), n, r);
    if (r == -12 && may_fail())
        return false;
    storm_check(r == 0, "munmap(%#lx, %u pages): %ld", page_addr(w, first), n, r);
    forget(w, first, n);
    return true;
}

static u32 pick_prot(struct worker *w)
{
    static const u8 prots[] = {R | W, R | W, R | W, R | W, R, R | X, 0, R | W | X};
    return prots[pick(w, sizeof(prots))];
}

/* Pages of the files that are in use: few, when the races are to be about them. */
static u32 file_pages(void)
{
    return storm.cfg.focus == FOCUS_FILES ? 5 : FILE_PAGES;
}

static u32 pick_kind(struct worker *w)
{
    if (storm.cfg.wide && pick(w, 16)) /* else no level-2 table could be shared */
        return PK_ANON + pick(w, 2);
    return storm.cfg.focus == FOCUS_FILES ? PK_SHARED_FILE + pick(w, NR_SHARED_FILES) : 1 + pick(w, PK_UNKNOWN - 1);
}

static void do_mmap(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    u32 kind = pick_kind(w), prot = pick_prot(w), file_page = 0;
    u64 flags = UAPI_MAP_FIXED, offset = 0;
    struct map_file mf;
    bool file = kind != PK_ANON;
    if (file) {
        n = min(n, file_pages());
        file_page = pick(w, file_pages() - n + 1);
        offset = (u64)file_page * PAGE_SIZE;
        mf = host_map_file(kind_is_shared(kind) ? storm.shared[kind - PK_SHARED_FILE] : storm.constant);
        flags |= kind_is_shared(kind) ? UAPI_MAP_SHARED : UAPI_MAP_PRIVATE;
    } else {
        flags |= UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS;
    }
    if (pick(w, 8) == 0)
        flags |= UAPI_MAP_POPULATE;
    u64 at = page_addr(w, first);
    s64 r = host_mmap(at, n * PAGE_SIZE, prot, flags, file ? &mf : NULL, offset);
    trace(w, "mmap %#lx, %u pages, prot %u flags %#lx kind %u page %u: %ld", at, n, prot, flags, kind, file_page, r);
    if (r == -12 && may_fail()) {
        set_unknown(w, first, n);
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
    unmap(w, first, n);
}

static void do_mprotect(struct worker *w)
{
    u32 first, n, prot = pick_prot(w);
    pick_range(w, &first, &n);
    /* It stops at the first hole, after changing what lies before. */
    u32 upto = 0;
    while (upto < n && w->page[first + upto].kind != PK_NONE)
        upto++;
    bool unknown = any_unknown(w, first, n);
    s64 r = host_mprotect(page_addr(w, first), n * PAGE_SIZE, prot);
    trace(w, "mprotect %#lx, %u pages, prot %u: %ld", page_addr(w, first), n, prot, r);
    if (r == -12 && may_fail()) { /* a hole, or no memory: the same error */
        set_unknown(w, first, n);
        return;
    }
    storm_check(r == (upto == n ? 0 : -12) || unknown, "mprotect(%#lx, %u pages, %u): %ld", page_addr(w, first), n, prot,
                r);
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
    if (r == -11 && may_fail()) { /* no copy of a shared table */
        set_unknown(w, first, n);
        return;
    }
    storm_check(r == (hole ? -12 : 0) || any_unknown(w, first, n), "madvise(%#lx, %u pages, DONTNEED): %ld", page_addr(w, first), n, r);
    for (u32 i = first; i < first + n; i++) {
        if (w->page[i].kind == PK_UNKNOWN)
            continue;
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
    if (p->kind == PK_NONE || p->kind == PK_UNKNOWN)
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
        set_unknown(w, to, run);
        return;
    }
    storm_check(r == (s64)target, "mremap(%#lx, %u pages, to %#lx): %ld", old, run, target, r);
    memcpy(&w->page[to], &w->page[from], run * sizeof(*p));
    if (may_fail())
        set_unknown(w, from, run); /* as on Linux, the emptied area stays when splitting it off fails */
    else
        forget(w, from, run);
}

static struct address_space *pick_file(struct worker *w, u32 *kind)
{
    *kind = PK_SHARED_FILE + pick(w, NR_SHARED_FILES);
    return &storm.shared[*kind - PK_SHARED_FILE]->mapping;
}

/* Through the page cache instead of a mapping: both must see the same bytes. What was cut off reads as nothing. */
static void do_read_file(struct worker *w)
{
    u32 kind, file_page = pick(w, file_pages());
    struct address_space *m = pick_file(w, &kind);
    u64 word;
    ssize_t n = cache_read_kernel(m, (u64)file_page * PAGE_SIZE + 8 * w->slot, &word, 8);
    if ((n == -12 && may_fail()) || (n == 0 && kind == PK_CUT_FILE))
        return;
    storm_check(n == 8, "cache_read_kernel: %ld", n);
    check_slot(w, kind, file_page, word, "read");
}

static void do_write_file(struct worker *w)
{
    u32 kind, file_page = pick(w, file_pages());
    struct address_space *m = pick_file(w, &kind);
    u64 word = (u64)(w->slot + 1) << 48 | ++w->next_value;
    if (kind == PK_CUT_FILE)
        return; /* a write grows the file: that would need the mutex of truncation */
    ssize_t n = cache_write_kernel(m, (u64)file_page * PAGE_SIZE + 8 * w->slot, &word, 8);
    if (n == -12 && may_fail())
        return;
    storm_check(n == 8, "cache_write_kernel: %ld", n);
    *slot_value(w, kind, file_page) = word;
}

static void do_truncate(struct worker *w)
{
    u64 size = pick(w, file_pages() + 1) * PAGE_SIZE + (pick(w, 2) ? pick(w, PAGE_SIZE) & ~7u : 0);
    mutex_lock(&storm.cut_mutex);
    host_core_enter();
    int r = host_file_truncate(storm.shared[PK_CUT_FILE - PK_SHARED_FILE], size);
    host_core_exit();
    mutex_unlock(&storm.cut_mutex);
    trace(w, "truncate to %#lx: %d", size, r);
    storm_check(r == 0 || (r == -12 && may_fail()), "cache_truncate: %d", r);
}

static void do_sync(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    s64 r = host_msync(page_addr(w, first), n * PAGE_SIZE, UAPI_MS_SYNC);
    storm_check(r == 0 || r == -12, "msync: %ld", r);
    for (u32 i = first; r == 0 && i < first + n; i++) /* the device holds what we wrote before */
        if (w->page[i].kind == PK_DISK_FILE)
            storm_check_device(w->slot, w->page[i].file_page);
}

/* Where there is no hole and everything may be read. */
static void do_lock_and_unlock(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    if (storm.cfg.tight || any_unknown(w, first, n))
        return;
    for (u32 i = first; i < first + n; i++)
        if (w->page[i].kind == PK_NONE || w->page[i].prot == 0 || w->page[i].kind == PK_CUT_FILE)
            return;
    s64 r = host_mlock(page_addr(w, first), n * PAGE_SIZE, 0);
    trace(w, "mlock %#lx, %u pages: %ld", page_addr(w, first), n, r);
    storm_check(r == 0 || may_fail(), "mlock(%#lx, %u pages): %ld", page_addr(w, first), n, r);
    do
        r = host_munlock(page_addr(w, first), n * PAGE_SIZE);
    while (r == -12 && may_fail());
    storm_check(r == 0, "munlock(%#lx, %u pages): %ld", page_addr(w, first), n, r);
}

/* ---- common pages ---- */

#define SOLID (COMMON_PAGES / 2)

/* Wide: in two level-1 tables below a level-2 table of their own. */
static u64 common_addr(u32 page)
{
    if (storm.cfg.wide)
        return STORM_BASE + storm.cfg.workers * PUD_SIZE + PMD_SIZE + (page - COMMON_PAGES / 2) * PAGE_SIZE;
    return STORM_BASE + ((u64)storm.cfg.workers * SLICE_PAGES + page) * PAGE_SIZE;
}

void storm_map_common(void)
{
    s64 r = host_mmap(common_addr(0), COMMON_PAGES * PAGE_SIZE, R | W,
                      UAPI_MAP_FIXED | UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
    storm_check(r == (s64)common_addr(0), "mmap of the common pages: %ld", r);
}

/* False when somebody else's change of rights or mapping was in the way. */
static bool common_went_through(u32 page, u32 r)
{
    u32 allowed = page < SOLID ? VM_FAULT_ACCERR : VM_FAULT_MAPERR;
    storm_check(r == 0 || r == allowed || r == SOME_FAULT || (r == VM_FAULT_OOM && may_fail()),
                "common page %u: fault %#x", page, r);
    return r == 0;
}

/*
 * Not by remote access in the volatile half: while another thread is between zapping a page and the flush, we may still see
 * the old frame through our TLB, but a remote access goes to the new one.
 */
static u32 load_common(struct worker *w, u32 page, u64 at, u64 *word)
{
    return page < SOLID ? load_word(w, at, word) : host_load(at, word, 8);
}

static u32 store_common(struct worker *w, u32 page, u64 at, u64 word)
{
    return page < SOLID ? store_word(w, at, word) : host_store(at, &word, 8);
}

/* True when no call that drops this page is on its way; *begun says how many there have been. */
static bool common_is_quiet(struct worker *w, u32 page, u64 *begun)
{
    u64 ended = __atomic_load_n(&w->churn[page].ended, __ATOMIC_SEQ_CST);
    *begun = __atomic_load_n(&w->churn[page].begun, __ATOMIC_SEQ_CST);
    return *begun == ended;
}

/*
 * The word of a volatile page. While another thread drops the page and has not flushed yet, who saw the zero on one CPU and is
 * moved to another may meet the old translation there: only then, and until that call returns, an old word is no mistake.
 */
static bool read_volatile(struct worker *w, u32 page, u64 at, u64 *word)
{
    for (;;) {
        u64 begun;
        bool quiet = common_is_quiet(w, page, &begun);
        if (!common_went_through(page, load_common(w, page, at, word)))
            return false;
        if (quiet && (w->unsure & 1u << page) && (*word & BIT_MASK(47, 0)) <= w->next_value) {
            w->unsure &= ~(1u << page);
            w->common[page] = *word;
        }
        if (quiet || !*word || (*word == w->common[page] && !(w->unsure & 1u << page)))
            return true;
    }
}

static void write_common(struct worker *w, u32 page, u64 at)
{
    u64 word = (u64)(w->slot + 1) << 48 | ++w->next_value, before, after;
    bool quiet = common_is_quiet(w, page, &before);
    if (!common_went_through(page, store_common(w, page, at, word)))
        return;
    w->common[page] = word;
    common_is_quiet(w, page, &after);
    if (!quiet || after != before)
        w->unsure |= 1u << page;
}

static void touch_common(struct worker *w)
{
    for (u32 i = 1 + pick(w, 6); i > 0; i--) {
        u32 page = pick(w, COMMON_PAGES);
        u64 at = common_addr(page) + 8 * w->slice, word = 0;
        bool read = page < SOLID ? common_went_through(page, load_common(w, page, at, &word))
                                 : read_volatile(w, page, at, &word);
        if (read) {
            if (page >= SOLID && word == 0)
                w->common[page] = 0;
            storm_check(word == w->common[page], "worker %u: common page %u: %#lx, expected %#lx", w->slot, page, word,
                        w->common[page]);
        }
        if (pick(w, 2))
            write_common(w, page, at);
    }
}

/* Around each call that drops volatile pages. */
static void mark_churn(struct worker *w, u32 page, u32 n, bool begins)
{
    for (u32 i = page; i < page + n; i++)
        __atomic_fetch_add(begins ? &w->churn[i].begun : &w->churn[i].ended, 1, __ATOMIC_SEQ_CST);
}

static void churn_common(struct worker *w)
{
    u32 n = 1 + pick(w, 3), solid = pick(w, SOLID - n + 1), page = SOLID + pick(w, COMMON_PAGES - SOLID - n + 1);
    u64 at = common_addr(page), len = n * PAGE_SIZE;
    s64 r = 0;
    mark_churn(w, page, n, true);
    switch (pick(w, 4)) {
    case 0: /* a failed way back leaves them read-only: then stores are refused from here on */
        host_mprotect(common_addr(solid), len, R);
        host_mprotect(common_addr(solid), len, R | W);
        break;
    case 1:
        r = host_madvise(at, len, UAPI_MADV_DONTNEED);
        break;
    case 2:
        host_munmap(at, len);
        /* fall through */
    default:
        r = host_mmap(at, len, R | W, UAPI_MAP_FIXED | UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
        storm_check(r == (s64)at || may_fail(), "mmap of common pages: %ld", r);
    }
    mark_churn(w, page, n, false);
    trace(w, "churn %#lx, %u pages, solid %u: %ld", at, n, solid, r);
}

struct op {
    void (*run)(struct worker *w);
    u32 weight;
};

/* ---- swap ---- */

void storm_swap_on(void)
{
    const struct host_swap_config cfg = {.pages = storm.cfg.swap_pages, .prio = -1, .disk = storm.cfg.seed % 2};
    int err = host_swap_on(&storm.swap, &cfg);
    storm_check(!err || (err == -12 && may_fail()), "swapon: %d", err);
}

/* The page that is mapped at addr, whoever else maps it, as reclaim would: however far it comes. */
static void swap_out(struct worker *w, u64 addr, struct swap_plug *plug)
{
    struct page *page = NULL;
    if (!mmap_read_trylock(w->mm)) {
        swap_flush(plug); /* who has the lock may wait for a page that is plugged */
        mmap_read_lock(w->mm);
    }
    pte_t *p = pt_lock_entry(w->mm, addr);
    if (p) {
        pte_t e = pte_load(p);
        if (pte_mapped(e) && !pte_special(e))
            page = pfn_to_page(pte_pfn(e));
        if (page)
            page_get(page);
        pt_unlock(pt_table_page(p));
    }
    mmap_read_unlock(w->mm);
    if (!page)
        return;
    if (page_test(page, PG_swapbacked) && !page_test(page, PG_unevictable) && page_try_lock(page)) {
        if (!page_test(page, PG_writeback) && page_test(page, PG_uptodate) && (page_is_anon(page) || page_mapping(page)) &&
            (page_test(page, PG_swapcache) || !swap_add(page))) {
            rmap_unmap(page);
            swap_write(page, plug);
            if (pick(w, 2))
                swap_flush(plug);
            if (page_test(page, PG_swapcache) && swap_remove(page, 0))
                count(&storm.stats.swapped_out);
        }
        page_unlock(page);
    }
    page_put(page);
}

static void do_swap_out(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    struct swap_plug plug = {NULL};
    host_core_enter();
    down_read(&storm.swap_lock);
    if (storm.swap.area) {
        for (u32 i = first; i < first + n; i++)
            swap_out(w, page_addr(w, i), &plug);
        for (u32 i = pick(w, COMMON_PAGES); i < COMMON_PAGES; i++)
            swap_out(w, common_addr(i), &plug);
        swap_flush(&plug);
    }
    up_read(&storm.swap_lock);
    host_core_exit();
}

static void do_page_out(struct worker *w)
{
    u32 first, n;
    pick_range(w, &first, &n);
    host_madvise(page_addr(w, first), n * PAGE_SIZE, pick(w, 4) ? UAPI_MADV_PAGEOUT : UAPI_MADV_WILLNEED);
}

static void do_swap_off(struct worker *w)
{
    host_core_enter();
    down_write(&storm.swap_lock);
    int err = storm.swap.area ? host_swap_off(&storm.swap) : 0;
    storm_check(!err || (err == -12 && may_fail()), "swapoff: %d", err);
    count(&storm.stats.swapped_off);
    vmalloc_purge(); /* tables of the kernel's space stay: the same addresses again */
    if (!err)
        storm_swap_on();
    up_write(&storm.swap_lock);
    host_core_exit();
}

static void wish_to_fork(struct worker *w)
{
}

static const struct op all_ops[] = {
    {touch_some, 40},  {do_mmap, 16},      {do_munmap, 7},    {do_mprotect, 8},  {do_dontneed, 6},
    {do_mremap, 4},    {do_read_file, 2},  {do_write_file, 2}, {do_truncate, 2}, {do_sync, 2},
    {touch_common, 20}, {churn_common, 4}, {do_lock_and_unlock, 2}, {wish_to_fork, 3}, {0}};
static const struct op common_ops[] = {{touch_common, 96}, {churn_common, 31}, {wish_to_fork, 1}, {0}};
static const struct op file_ops[] = {{touch_some, 30},   {do_mmap, 10},    {do_munmap, 4}, {do_mremap, 4}, {do_read_file, 8},
                                     {do_write_file, 2}, {do_truncate, 8}, {do_sync, 6},   {wish_to_fork, 1}, {0}};

bool storm_step(struct worker *w)
{
    if (storm.cfg.swap_pages && pick(w, 6) == 0) {
        const u32 draw = pick(w, 64);
        count(&storm.stats.steps);
        (draw == 0 ? do_swap_off : draw < 16 ? do_page_out : do_swap_out)(w);
        return true;
    }
    const struct op *ops = storm.cfg.focus == FOCUS_COMMON  ? common_ops
                           : storm.cfg.focus == FOCUS_FILES ? file_ops
                                                            : all_ops;
    u32 sum = 0, i;
    for (i = 0; ops[i].run; i++)
        sum += ops[i].weight;
    u32 draw = pick(w, sum);
    for (i = 0; draw >= ops[i].weight; i++)
        draw -= ops[i].weight;
    count(&storm.stats.steps);
    ops[i].run(w);
    return ops[i].run != wish_to_fork;
}
