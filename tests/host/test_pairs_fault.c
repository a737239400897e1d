/* SPDX-License-Identifier: MIT */
/* A fault, and what may happen to its area, its tables or its page meanwhile: all schedules (tests/common/pairs.h). */
#include "../common/pairs.h"
#include <mm/rmap.h>
#include <mm/sys.h>

static void four_pages(void)
{
    map_anon(P(0), 4);
    put(P(0), 1);
    put(P(1), 2);
}

static void empty_pages(void)
{
    map_anon(P(0), 4);
    warm_pages = 0;
}

/* Table and anon_vma are there, the first page is not. */
static void fresh_page(void)
{
    map_anon(P(0), 4);
    put(P(1), 2);
    warm_pages = 0;
}

static void zero_pages(void)
{
    map_anon(P(0), 4);
}

static void store_a(void)
{
    host_store_u8(P(0), 0xa);
}
static void store_b(void)
{
    host_store_u8(P(0) + 1, 0xb);
}
static void load_a(void)
{
    u8 v;
    host_load_u8(P(0), &v);
}
static void store_second(void)
{
    host_store_u8(P(1), 0xc);
}
static void both_stores(void)
{
    must(get(P(0)) == 0xa && get(P(0) + 1) == 0xb, "a store is lost");
    must(rss_sum(space[0], RSS_ANON) == 1, "rss");
}
static void first_store(void)
{
    must(get(P(0)) == 0xa, "a store is lost");
}

static void unmap_all(void)
{
    must(host_munmap(P(0), 4 * PAGE_SIZE) == 0, "munmap");
}
static void unmap_second(void)
{
    must(host_munmap(P(1), PAGE_SIZE) == 0, "munmap");
}
static void nothing_left(void)
{
    must(!rss_sum(space[0], RSS_ANON) && !space[0]->map_count, "something stayed");
}
static void protect_read(void)
{
    must(host_mprotect(P(0), 4 * PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void protect_none(void)
{
    must(host_mprotect(P(0), PAGE_SIZE, 0) == 0, "mprotect");
}
static void protect_second(void)
{
    must(host_mprotect(P(1), PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void protect_back(void)
{
    must(host_mprotect(P(1), PAGE_SIZE, RW) == 0, "mprotect");
}
static void no_stores(void)
{
    must(host_store_u8(P(0), 1) == VM_FAULT_ACCERR, "a page of a read-only area can be written");
}
static void dontneed(void)
{
    must(host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_DONTNEED) == 0, "madvise");
}
static void advise_free(void)
{
    must(host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_FREE) == 0, "madvise");
}
static void dontneed_locked(void)
{
    must(host_madvise(P(0), PAGE_SIZE, UAPI_MADV_DONTNEED_LOCKED) == 0, "madvise");
}
static void zero_or_stored(void)
{
    u8 v = get(P(0));
    must(v == 0 || v == 0xa, "a byte that nobody wrote");
}

static void move(void)
{
    must(host_mremap(P(0), 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(64)) ==
             (s64)P(64),
         "mremap");
}
static void moved(void)
{
    u8 v = get(P(64));
    must(v == 1 || v == 0xa, "what moved is another byte");
    must(get(P(65)) == 2, "what moved is another byte");
}
static void move_far(void) /* to another table */
{
    must(host_mremap(P(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(5120)) ==
             (s64)P(5120),
         "mremap");
}
static void map_over(void)
{
    map_anon(P(0), 4);
}

/* Three areas that become one again when the middle is given its rights back. */
static void cut_pages(void)
{
    four_pages();
    protect_second();
}
static void one_area(void)
{
    must(space[0]->map_count == 1, "the areas did not become one");
    must(get(P(0)) == 0xa, "a store is lost");
}
static void store_last(void)
{
    host_store_u8(P(3), 0xd);
}

/* Areas that got no anon_vma yet: both first faults at once, and a merge meanwhile. */
static void two_areas(void)
{
    warm_pages = 0;
    map_anon(P(0), 4);
    protect_second();
    host_munmap(P(2), 2 * PAGE_SIZE);
}

static void lock_pages(void)
{
    must(host_mlock(P(0), 4 * PAGE_SIZE, 0) == 0, "mlock");
}
static void unlock_pages(void)
{
    host_munlock(P(0), 4 * PAGE_SIZE);
}
static void locked_pages(void)
{
    four_pages();
    lock_pages();
}
static void none_locked(void)
{
    must(space[0]->locked_vm == 0, "pages stay locked");
}
static void all_locked(void)
{
    must(space[0]->locked_vm == 4 && rss_sum(space[0], RSS_ANON) == 4, "pages that are not locked");
}
static void unlock_or_not(void)
{
    s64 r = host_munlock(P(0), 4 * PAGE_SIZE);
    must(r == 0 || r == -12, "munlock");
}
static void seal(void)
{
    s64 r = sys_mm_mseal(space[0], P(0), 4 * PAGE_SIZE, 0);
    must(r == 0 || r == -12, "mseal");
}
static void unmap_or_not(void)
{
    s64 r = host_munmap(P(0), 4 * PAGE_SIZE);
    must(r == 0 || r == -1, "munmap");
}
static void sealed_or_gone(void)
{
    bool there = space[0]->map_count;
    must(!there || vma_first(space[0])->flags & VM_SEALED, "neither sealed nor gone");
}

/* A stack of one page that may grow, at P(1200). */
static void stack(void)
{
    warm_pages = 0;
    must(host_mmap(P(1200), PAGE_SIZE, RW, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED | UAPI_MAP_GROWSDOWN,
                   NULL, 0) == (s64)P(1200),
         "stack");
}
static void grow_a(void)
{
    must(host_store_u8(P(1198), 0xa) == 0, "the stack does not grow");
}
static void grow_b(void)
{
    must(host_store_u8(P(1196), 0xb) == 0, "the stack does not grow");
}
static void use_stack(void)
{
    must(host_store_u8(P(1200), 0xc) == 0, "the stack is gone");
}
static void grown(void)
{
    must(get(P(1198)) == 0xa && get(P(1196)) == 0xb, "a store is lost");
    must(space[0]->stack_vm == 5, "size of the stack");
}
static void grown_two(void)
{
    must(get(P(1198)) == 0xa && get(P(1200)) == 0xc && space[0]->stack_vm == 3, "size of the stack");
}

static void heap(void)
{
    warm_pages = 0;
    must(host_brk(space[0]->start_brk + 4 * PAGE_SIZE) > 0, "brk");
}
static void heap_store(void)
{
    host_store_u8(space[0]->start_brk + 3 * PAGE_SIZE, 0xa);
}
static void heap_shrink(void)
{
    host_brk(space[0]->start_brk + PAGE_SIZE);
}
static void heap_grow(void)
{
    host_brk(space[0]->start_brk + 6 * PAGE_SIZE);
}
static void heap_small(void)
{
    must(space[0]->total_vm == 1 && !rss_sum(space[0], RSS_ANON), "the heap kept something");
}
static void heap_some(void)
{
    u64 pages = (space[0]->brk - space[0]->start_brk) / PAGE_SIZE;
    must(space[0]->total_vm == pages, "brk is not the size of the heap");
}

static void remote_store(void)
{
    u8 v = 0xb;
    access_remote(space[0], P(0) + 1, &v, 1, FAULT_WRITE);
}

/* The process ends while another looks at it; who comes last takes the space down. */
static struct mm *victim;
static void about_to_end(void)
{
    four_pages();
    victim = space[0];
    mm_grab(victim); /* the onlooker's */
}
static void look_remote(void)
{
    u8 buf[64];
    if (mm_try_get(victim)) {
        access_remote(victim, P(0), buf, sizeof(buf), 0);
        mm_put(victim);
    }
}
static void end_process(void)
{
    host_mm_exit(victim); /* the thread's reference, and the creator's */
    space[0] = NULL;
    host_core_enter();
    mm_put(victim);
    host_core_exit();
}
static void let_go(void)
{
    mm_drop(victim);
}

/* The last two threads of a process: one ends, the other executes a program. */
static void about_to_exec(void)
{
    four_pages();
    victim = space[0];
}
static void end_thread(void)
{
    host_mm_exit(victim);
}

static void move_or_not(void)
{
    s64 r = host_mremap(P(0), 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(64));
    must(r == (s64)P(64) || r == -14, "mremap");
}
static void dontneed_or_not(void)
{
    s64 r = host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_DONTNEED);
    must(r == 0 || r == -12, "madvise");
}
static void moved_zero(void)
{
    u8 v = get(P(64));
    must(v == 0 || v == 0xa, "what moved is another byte");
    must(get(P(65)) == 2, "what moved is another byte");
}
static void fresh_cut(void)
{
    fresh_page();
    protect_second();
}
static void fresh_locked(void)
{
    fresh_page();
    lock_pages();
    dontneed_locked();
}

/* Two neighbours that differ in their rights only: the second would take the first one's anon_vma. */
static void neighbours(void)
{
    warm_pages = 0;
    map_anon(P(0), 4);
    must(host_mprotect(P(2), 2 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE | UAPI_PROT_EXEC) == 0, "mprotect");
    put(P(0), 1);
}
/* Three areas without an anon_vma: the middle one gets its rights back while both others have their first faults, of one
 * thread for the sake of fewer schedules. */
static void three_areas(void)
{
    warm_pages = 0;
    map_anon(P(0), 4);
    protect_second();
}
static void store_ends(void)
{
    store_a();
    store_last();
}
static void ends_stored(void)
{
    must(get(P(0)) == 0xa && get(P(3)) == 0xd, "a store is lost");
    put(P(1), 1);
    must(rss_sum(space[0], RSS_ANON) == 3, "rss");
}

static void store_third(void)
{
    must(host_store_u8(P(2), 0xa) == 0, "store");
}
static void unmap_neighbour(void)
{
    must(host_munmap(P(0), 2 * PAGE_SIZE) == 0, "munmap");
}
/* What the page's owner says must still be true. */
static void third_is_found(void)
{
    struct page *page = NULL;
    must(get(P(2)) == 0xa && gup(space[0], P(2), 1, 0, &page) == 1, "the page is gone");
    must(rmap_unmap(page) == 1 && page->mapcount == -1, "the page's owner does not lead to its entry");
    page_put(page);
}

/* More pages than a gather has room for, and no memory for more room: it flushes and frees on the way. */
static void many_pages(void)
{
    map_anon(P(0), 130);
    for (u32 i = 0; i < 130; i++)
        put(P(i), 1);
}
static void unmap_many(void)
{
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    must(host_munmap(P(0), 130 * PAGE_SIZE) == 0, "munmap");
    host_fail_none();
}
static void load_ends(void)
{
    u8 v;
    host_load_u8(P(0), &v);
    host_load_u8(P(125), &v);
}

static void mincore(void)
{
    host_mincore(P(0), 4 * PAGE_SIZE, P(900));
}
static void with_vector(void)
{
    four_pages();
    map_anon(P(900), 1);
    put(P(900), 0);
}
static void reap(void)
{
    host_core_enter();
    mm_reap(space[0]);
    host_core_exit();
}
static void tables_apart(void) /* a neighbour in the same table keeps it */
{
    four_pages();
    map_anon(P(10), 1);
    warm_pages = 0;
}
static void store_neighbour(void)
{
    must(host_store_u8(P(10), 0xe) == 0, "the neighbour is gone");
}
static void neighbour_stays(void)
{
    must(get(P(10)) == 0xe, "a store is lost");
}

static const struct pair pairs[] = {
    {"fault/fault same page", empty_pages, {IN(0, store_a), IN(0, store_b)}, both_stores, 0},
    {"fault/fault zero page", zero_pages, {IN(0, store_a), IN(0, store_b)}, both_stores, 0},
    {"read/write fault", empty_pages, {IN(0, load_a), IN(0, store_a)}, first_store, 0},
    {"fault/fault/fault", empty_pages, {IN(0, store_a), IN(0, store_b), IN(0, load_a)}, both_stores, 0},
    {"fault/munmap", four_pages, {IN(0, store_a), IN(0, unmap_all)}, nothing_left, 0},
    {"first fault/munmap", empty_pages, {IN(0, store_a), IN(0, unmap_all)}, nothing_left, 0},
    {"fault/munmap of a part", four_pages, {IN(0, store_a), IN(0, unmap_second)}, first_store, 0},
    {"fault/munmap beside", tables_apart, {IN(0, store_neighbour), IN(0, unmap_all)}, neighbour_stays, 0},
    {"fault/mmap over", four_pages, {IN(0, store_a), IN(0, map_over)}, NULL, 0},
    {"munmap of many/load, no memory", many_pages, {IN(0, unmap_many), IN(0, load_ends)}, nothing_left, 0},
    {"munmap/munmap", four_pages, {IN(0, unmap_all), IN(0, unmap_all)}, nothing_left, 0},
    {"fault/mprotect", four_pages, {IN(0, store_a), IN(0, protect_read)}, no_stores, 0},
    {"fault/mprotect none", four_pages, {IN(0, store_a), IN(0, protect_none)}, no_stores, 0},
    {"zero page/mprotect", zero_pages, {IN(0, store_a), IN(0, protect_read)}, no_stores, 0},
    {"mprotect/mprotect", four_pages, {IN(0, protect_read), IN(0, protect_none)}, NULL, 0},
    {"fault/mremap", four_pages, {IN(0, store_a), IN(0, move)}, moved, 0},
    {"fault/mremap far", four_pages, {IN(0, store_a), IN(0, move_far)}, NULL, 0},
    {"mremap/munmap", four_pages, {IN(0, move_or_not), IN(0, unmap_second)}, NULL, 0},
    {"fault/DONTNEED", four_pages, {IN(0, store_a), IN(0, dontneed)}, zero_or_stored, 0},
    {"fault/FREE", four_pages, {IN(0, store_a), IN(0, advise_free)}, zero_or_stored, 0},
    {"DONTNEED/DONTNEED", four_pages, {IN(0, dontneed), IN(0, dontneed)}, NULL, 0},
    {"DONTNEED/munmap", four_pages, {IN(0, dontneed_or_not), IN(0, unmap_all)}, nothing_left, 0},
    {"fault/split", four_pages, {IN(0, store_a), IN(0, protect_second)}, first_store, 0},
    {"fault/merge", cut_pages, {IN(0, store_a), IN(0, protect_back)}, one_area, 0},
    {"fault of the absorbed/merge", cut_pages, {IN(0, store_last), IN(0, protect_back)}, NULL, 0},
    {"first faults of neighbours", two_areas, {IN(0, store_a), IN(0, protect_back), IN(0, store_second)}, NULL, 0},
    {"first faults/merge of three", three_areas, {IN(0, store_ends), IN(0, protect_back)}, ends_stored, 0},
    {"new neighbour/munmap", neighbours, {IN(0, store_third), IN(0, unmap_neighbour)}, third_is_found, 0},
    {"fault/mlock", four_pages, {IN(0, store_a), IN(0, lock_pages)}, all_locked, 0},
    {"munlock/munmap", locked_pages, {IN(0, unlock_or_not), IN(0, unmap_all)}, none_locked, 0},
    {"munlock/fault", locked_pages, {IN(0, unlock_pages), IN(0, store_a)}, none_locked, 0},
    {"mseal/munmap", four_pages, {IN(0, seal), IN(0, unmap_or_not)}, sealed_or_gone, 0},
    {"stack growth/growth", stack, {IN(0, grow_a), IN(0, grow_b)}, grown, 0},
    {"stack growth/fault", stack, {IN(0, grow_a), IN(0, use_stack)}, grown_two, 0},
    {"fault/brk", heap, {IN(0, heap_store), IN(0, heap_shrink)}, heap_small, 0},
    {"brk/brk", heap, {IN(0, heap_grow), IN(0, heap_shrink)}, heap_some, 0},
    {"fault/process_vm", empty_pages, {IN(0, store_a), KERNEL(remote_store)}, both_stores, 0},
    {"process_vm/munmap", four_pages, {IN(0, unmap_all), KERNEL(remote_store)}, nothing_left, 0},
    {"exit/process_vm", about_to_end, {IN(0, end_process), KERNEL(look_remote)}, let_go, 0},
    {"exec/thread exit", about_to_exec, {IN(0, end_process), IN(0, end_thread)}, NULL, 0},
    {"mincore/munmap", with_vector, {IN(0, mincore), IN(0, unmap_all)}, NULL, 0},
    {"reap/fault", four_pages, {IN(0, store_a), KERNEL(reap)}, NULL, 0},
    {"new page/munmap", fresh_page, {IN(0, store_a), IN(0, unmap_all)}, nothing_left, 0},
    {"new page/mprotect", fresh_page, {IN(0, store_a), IN(0, protect_read)}, no_stores, 0},
    {"new page/mremap", fresh_page, {IN(0, store_a), IN(0, move)}, moved_zero, 0},
    {"new page/mremap far", fresh_page, {IN(0, store_a), IN(0, move_far)}, NULL, 0},
    {"new page/DONTNEED", fresh_page, {IN(0, store_a), IN(0, dontneed)}, zero_or_stored, 0},
    {"new page/split", fresh_page, {IN(0, store_a), IN(0, protect_second)}, first_store, 0},
    {"new page/merge", fresh_cut, {IN(0, store_a), IN(0, protect_back)}, one_area, 0},
    {"new page/mlock", fresh_page, {IN(0, store_a), IN(0, lock_pages)}, all_locked, 0},
    {"new page/munlock", fresh_locked, {IN(0, store_a), IN(0, unlock_pages)}, none_locked, 0},
    {"new page/reap", fresh_page, {IN(0, store_a), KERNEL(reap)}, NULL, 0},
    {"new page/mmap over", fresh_page, {IN(0, store_a), IN(0, map_over)}, NULL, 0},
};

int main(void)
{
    return run_pairs(pairs, ARRAY_SIZE(pairs));
}
