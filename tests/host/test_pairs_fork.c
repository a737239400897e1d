/* SPDX-License-Identifier: MIT */
/*
 * fork and its consequences: copy on write, tables that parent and child share, exits: all schedules (tests/common/pairs.h).
 * Pairs whose names begin with "shared" run with tables shared from the first entry on.
 */
#include "../common/pairs.h"
#include <mm/cache.h>
#include <mm/pin.h>
#include <mm/rmap.h>
#include <mm/sys.h>

static void pages(void)
{
    map_anon(P(0), 4);
    for (u32 i = 0; i < 4; i++)
        put(P(i), (u8)(i + 1));
}

/* A child has the same pages. */
static void sharers(void)
{
    pages();
    fork_into(1);
}

static void three_sharers(void)
{
    sharers();
    fork_into(2);
}

static void store_a(void)
{
    must(host_store_u8(P(0), 0xa) == 0, "store");
}
static void store_b(void)
{
    must(host_store_u8(P(0) + 1, 0xb) == 0, "store");
}
static void store_second(void)
{
    must(host_store_u8(P(1), 0xc) == 0, "store");
}
static void try_store(void)
{
    host_store_u8(P(0), 0xa);
}
static void load_all(void)
{
    u8 v;
    for (u32 i = 0; i < 4; i++)
        host_load_u8(P(i), &v);
}

/* All that a table covers, so that who unmaps it gives a shared table up whole. */
static void sharers_of_all(void)
{
    map_anon(P(0), 512);
    for (u32 i = 0; i < 4; i++)
        put(P(i), (u8)(i + 1));
    fork_into(1);
}
static void unmap_table(void)
{
    must(host_munmap(P(0), 512 * PAGE_SIZE) == 0, "munmap");
}

static void fork_1(void)
{
    fork_into(1);
}
static void fork_2(void)
{
    fork_into(2);
}

static u8 peek(u32 s, u64 at)
{
    u8 v = 0xff;
    must(access_remote(space[s], at, &v, 1, 0) == 1, "peek");
    return v;
}

/* A child has the byte of before the store or after it, and what the parent writes from now on is the parent's. */
static void child_is_apart(u32 s)
{
    u8 v = peek(s, P(0));
    must(v == 1 || v == 0xa, "a child has a byte that never was there");
    must(peek(s, P(1)) == 2 && peek(s, P(2)) == 3, "a child has other pages");
    put(P(0), 0x77);
    must(peek(s, P(0)) == v, "a child sees what its parent writes");
    u8 w = 0x55;
    must(access_remote(space[s], P(2), &w, 1, FAULT_WRITE) == 1, "poke");
    must(get(P(2)) == 3, "a parent sees what its child writes");
}
static void children_apart(void)
{
    must(get(P(0)) == 0xa, "the parent's store is lost");
    child_is_apart(1);
    if (space[2]) {
        must(peek(2, P(2)) == 3, "one child sees what another writes");
        put(P(0), 0xa);
        child_is_apart(2);
    }
}
static void child_is_whole(void)
{
    for (u32 i = 0; i < 4; i++)
        must(peek(1, P(i)) == i + 1, "the child lost a page");
}
static void child_or_nothing(void)
{
    if (vma_find(space[1], P(0)))
        child_is_whole();
}

static void both_apart(void)
{
    must(get(P(0)) == 0xa && get(P(0) + 1) == 0, "the parent sees the child's store");
    must(peek(1, P(0)) == 1 && peek(1, P(0) + 1) == 0xb, "the child sees the parent's store");
}
static void parent_stored(void)
{
    must(get(P(0)) == 0xa, "the store is lost");
    must(rss_sum(space[0], RSS_ANON) == 4, "rss");
}
static void both_in_one(void)
{
    must(get(P(0)) == 0xa && get(P(0) + 1) == 0xb, "a store is lost");
    must(peek(1, P(0)) == 1 && peek(1, P(0) + 1) == 0, "the child sees its parent's store");
}

static void unmap_all(void)
{
    must(host_munmap(P(0), 4 * PAGE_SIZE) == 0, "munmap");
}
static void unmap_first(void)
{
    must(host_munmap(P(0), PAGE_SIZE) == 0, "munmap");
}
static void protect_read(void)
{
    must(host_mprotect(P(0), 4 * PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void protect_second(void)
{
    must(host_mprotect(P(1), PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void dontneed(void)
{
    must(host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_DONTNEED) == 0, "madvise");
}
static void dontneed_second(void)
{
    must(host_madvise(P(1), PAGE_SIZE, UAPI_MADV_DONTNEED) == 0, "madvise");
}
static void move(void)
{
    must(host_mremap(P(0), 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(64)) ==
             (s64)P(64),
         "mremap");
}
static void fork_and_exit(void)
{
    int err;
    struct mm *child = host_fork(&err);
    must(child, "fork");
    host_mm_exit(child);
}

/* The child's process ends: its thread's reference, then its creator's. */
static void child_exits(void)
{
    struct mm *mm = space[1];
    space[1] = NULL;
    host_mm_exit(mm);
    host_core_enter();
    mm_put(mm);
    host_core_exit();
}
static void grandchild_exits(void)
{
    struct mm *mm = space[2];
    space[2] = NULL;
    host_mm_exit(mm);
    host_core_enter();
    mm_put(mm);
    host_core_exit();
}

static void remote_store(void)
{
    u8 v = 0xb;
    access_remote(space[0], P(0) + 1, &v, 1, FAULT_WRITE);
}
static void remote_load(void)
{
    u8 buf[16];
    access_remote(space[1], P(0), buf, sizeof(buf), 0);
}

/* ---- reverse maps ---- */

static struct page *target; /* the first page, referenced */

static void targeted(void)
{
    pages();
    must(gup(space[0], P(0), 1, 0, &target) == 1, "gup");
}
static void targeted_sharers(void)
{
    sharers();
    must(gup(space[0], P(0), 1, 0, &target) == 1, "gup");
}
static void walk(void)
{
    host_core_enter();
    rmap_unmap(target);
    host_core_exit();
}
static void let_go(void)
{
    page_put(target);
    target = NULL;
}
static void unmapped_everywhere(void)
{
    must(target->mapcount == -1, "an entry was missed");
    let_go();
}
static void fork_or_not(void)
{
    fork_into(1);
}
/* The target lies in an area that grows downwards: its start and page offset change together. */
static void room_below(void)
{
    map_anon(P(2), 2);
    put(P(2), 3);
    put(P(3), 4);
    must(gup(space[0], P(3), 1, 0, &target) == 1, "gup");
}
static void map_below(void)
{
    map_anon(P(0), 2);
}
static void split(void)
{
    protect_second();
}
static void cut(void)
{
    targeted();
    protect_second();
}
static void join(void)
{
    must(host_mprotect(P(1), PAGE_SIZE, RW) == 0, "mprotect");
}

/* ---- pins ---- */

static void pin_first(void)
{
    host_core_enter();
    target = NULL;
    if (pin_user_pages(space[0], P(0), 1, FAULT_WRITE, &target) == 1)
        ((u8 *)page_to_virt(target))[1] = 0xb;
    host_core_exit();
}
static void pin_to_read(void)
{
    host_core_enter();
    target = NULL;
    pin_user_pages(space[0], P(0), 1, 0, &target);
    host_core_exit();
}
/* Who pinned the page and the program that maps it see each other's bytes; nobody else does. */
static void pinned_together(void)
{
    must(target, "nothing was pinned");
    u8 *bytes = page_to_virt(target);
    must(bytes[0] == get(P(0)) && bytes[1] == get(P(0) + 1), "the program has another page");
    put(P(0) + 2, 0x31);
    must(bytes[2] == 0x31, "a store does not reach the pinned page");
    must(!space[1] || peek(1, P(0) + 2) == 0, "a child sees a pinned page");
    unpin_user_pages(&target, 1, true);
}

/* ---- file pages in tables that are shared ---- */

static void private_file(void)
{
    map_file(P(0), 4, false, false);
    put(P(1), 2); /* a page of its own, so that there is an anon_vma */
    fork_into(1);
}
static void truncate_file(void)
{
    host_core_enter();
    must(host_file_truncate(file, 0) == 0, "truncate");
    host_core_exit();
}
static void nobody_has_pages(void)
{
    must(!rss_sum(space[0], RSS_FILE) && (!space[1] || !rss_sum(space[1], RSS_FILE)), "a truncated page is mapped");
}

static const struct pair pairs[] = {
    {"fork/fault", pages, {IN(0, fork_1), IN(0, store_a)}, children_apart, 0},
    {"fork/fault, tables shared", pages, {IN(0, fork_1), IN(0, store_a)}, children_apart, 1},
    {"fork/munmap", pages, {IN(0, fork_1), IN(0, unmap_all)}, child_or_nothing, 0},
    {"fork/munmap, tables shared", pages, {IN(0, fork_1), IN(0, unmap_all)}, child_or_nothing, 1},
    {"fork/fork", pages, {IN(0, fork_1), IN(0, fork_2)}, child_is_whole, 0},
    {"fork/fork, tables shared", pages, {IN(0, fork_1), IN(0, fork_2)}, child_is_whole, 1},
    {"fork/fork/fault", pages, {IN(0, fork_1), IN(0, fork_2), IN(0, store_a)}, children_apart, 0},
    {"fork/mprotect", pages, {IN(0, fork_1), IN(0, protect_read)}, child_is_whole, 1},
    {"fork/mremap", pages, {IN(0, fork_and_exit), IN(0, move)}, NULL, 1},
    {"fork/DONTNEED", pages, {IN(0, fork_1), IN(0, dontneed)}, NULL, 0},
    {"fork/DONTNEED, tables shared", pages, {IN(0, fork_1), IN(0, dontneed)}, NULL, 1},
    {"fork/process_vm", pages, {IN(0, fork_and_exit), KERNEL(remote_store)}, NULL, 1},
    {"COW/COW of two sharers", sharers, {IN(0, store_a), IN(1, store_b)}, both_apart, 0},
    {"COW/COW in one space", sharers, {IN(0, store_a), IN(0, store_b)}, both_in_one, 0},
    {"COW/exit of the sharer", sharers, {IN(0, store_a), IN(1, child_exits)}, parent_stored, 0},
    {"COW/munmap of the sharer", sharers, {IN(0, store_a), IN(1, unmap_all)}, parent_stored, 0},
    {"COW/munmap", sharers, {IN(0, try_store), IN(0, unmap_all)}, child_is_whole, 0},
    {"COW/mprotect", sharers, {IN(0, try_store), IN(0, protect_read)}, child_is_whole, 0},
    {"COW/DONTNEED", sharers, {IN(0, store_a), IN(0, dontneed)}, child_is_whole, 0},
    {"COW/mremap", sharers, {IN(0, try_store), IN(0, move)}, child_is_whole, 0},
    {"COW/fork", sharers, {IN(0, store_a), IN(1, fork_and_exit)}, parent_stored, 0},
    {"COW/GUP", sharers, {IN(0, store_a), KERNEL(remote_store)}, both_in_one, 0},
    {"COW of the sharer/GUP", sharers, {IN(1, store_second), KERNEL(remote_store)}, NULL, 0},
    {"COW/COW of three sharers", three_sharers, {IN(0, store_a), IN(1, store_b), IN(2, store_second)}, both_apart, 0},
    {"unshare/unshare", sharers, {IN(0, store_a), IN(1, store_b)}, both_apart, 1},
    {"unshare/unshare in one space", sharers, {IN(0, store_a), IN(0, store_b)}, both_in_one, 1},
    {"unshare/unshare/unshare", three_sharers, {IN(0, store_a), IN(1, store_b), IN(2, store_second)}, both_apart, 1},
    {"unshare/read", sharers, {IN(0, store_a), IN(1, load_all)}, parent_stored, 1},
    {"unshare/exit", sharers, {IN(0, store_a), IN(1, child_exits)}, parent_stored, 1},
    {"exit/exit", three_sharers, {IN(1, child_exits), IN(2, grandchild_exits)}, NULL, 1},
    {"unshare/exit/exit", three_sharers, {IN(0, store_a), IN(1, child_exits), IN(2, grandchild_exits)}, parent_stored, 1},
    {"unshare/munmap", sharers, {IN(0, try_store), IN(0, unmap_all)}, child_is_whole, 1},
    {"unshare/munmap of the sharer", sharers, {IN(0, store_a), IN(1, unmap_all)}, parent_stored, 1},
    {"munmap/munmap of a part", sharers, {IN(0, unmap_all), IN(1, unmap_first)}, NULL, 1},
    {"munmap of a table/unshare", sharers_of_all, {IN(0, unmap_table), IN(1, store_second)}, NULL, 1},
    {"munmap of a table/munmap of it", sharers_of_all, {IN(0, unmap_table), IN(1, unmap_table)}, NULL, 1},
    {"munmap of a table/read", sharers_of_all, {IN(0, unmap_table), IN(0, load_all)}, child_is_whole, 1},
    {"unshare/mprotect", sharers, {IN(0, try_store), IN(0, protect_read)}, child_is_whole, 1},
    {"unshare/mprotect of the sharer", sharers, {IN(0, store_a), IN(1, protect_second)}, parent_stored, 1},
    {"unshare/mremap", sharers, {IN(0, try_store), IN(0, move)}, child_is_whole, 1},
    {"unshare/mremap of the sharer", sharers, {IN(0, store_a), IN(1, move)}, parent_stored, 1},
    {"unshare/madvise", sharers, {IN(0, store_a), IN(0, dontneed_second)}, child_is_whole, 1},
    {"unshare/madvise of the sharer", sharers, {IN(0, store_a), IN(1, dontneed)}, parent_stored, 1},
    {"unshare/fork", sharers, {IN(0, store_a), IN(1, fork_and_exit)}, parent_stored, 1},
    {"unshare/process_vm", sharers, {IN(0, store_a), KERNEL(remote_store)}, both_in_one, 1},
    {"exit/process_vm of the sharer", sharers, {IN(0, unmap_all), KERNEL(remote_load)}, child_is_whole, 1},
    {"fork/pin", pages, {IN(0, fork_1), KERNEL(pin_first)}, pinned_together, 0},
    {"fork/pin, tables shared", pages, {IN(0, fork_1), KERNEL(pin_first)}, pinned_together, 1},
    {"fork/pin to read, tables shared", pages, {IN(0, fork_1), KERNEL(pin_to_read)}, pinned_together, 1},
    {"COW/pin", sharers, {IN(0, store_a), KERNEL(pin_first)}, pinned_together, 0},
    {"COW/pin to read", sharers, {IN(0, store_a), KERNEL(pin_to_read)}, pinned_together, 0},
    {"COW of the sharer/pin to read", sharers, {IN(1, store_b), KERNEL(pin_to_read)}, pinned_together, 0},
    {"unshare/pin", sharers, {IN(0, store_a), KERNEL(pin_first)}, pinned_together, 1},
    {"unshare by the sharer/pin to read", sharers, {IN(1, store_b), KERNEL(pin_to_read)}, pinned_together, 1},
    {"exit of the sharer/pin to read", sharers, {IN(1, child_exits), KERNEL(pin_to_read)}, pinned_together, 1},
    {"rmap walk/fork", targeted, {KERNEL(walk), IN(0, fork_or_not)}, unmapped_everywhere, 0},
    {"rmap walk/fork, tables shared", targeted, {KERNEL(walk), IN(0, fork_or_not)}, unmapped_everywhere, 1},
    {"rmap walk/munmap", targeted, {KERNEL(walk), IN(0, unmap_all)}, unmapped_everywhere, 0},
    {"rmap walk/mremap", targeted, {KERNEL(walk), IN(0, move)}, unmapped_everywhere, 0},
    {"rmap walk/split", targeted, {KERNEL(walk), IN(0, split)}, unmapped_everywhere, 0},
    {"rmap walk/merge", cut, {KERNEL(walk), IN(0, join)}, unmapped_everywhere, 0},
    {"rmap walk/merge down", room_below, {KERNEL(walk), IN(0, map_below)}, unmapped_everywhere, 0},
    {"rmap walk/COW", targeted_sharers, {KERNEL(walk), IN(0, try_store)}, let_go, 0},
    {"rmap walk/exit of the sharer", targeted_sharers, {KERNEL(walk), IN(1, child_exits)}, unmapped_everywhere, 0},
    {"rmap walk/unshare", targeted_sharers, {KERNEL(walk), IN(0, store_second)}, unmapped_everywhere, 1},
    {"rmap walk/unshare by the sharer", targeted_sharers, {KERNEL(walk), IN(1, store_second)}, unmapped_everywhere, 1},
    {"rmap walk/unshare/unshare", targeted_sharers, {KERNEL(walk), IN(0, store_second), IN(1, store_second)}, unmapped_everywhere, 1},
    {"rmap walk/exit, tables shared", targeted_sharers, {KERNEL(walk), IN(1, child_exits)}, unmapped_everywhere, 1},
    {"truncate/unshare", private_file, {KERNEL(truncate_file), IN(0, try_store)}, nobody_has_pages, 1},
    {"truncate/exit of the sharer", private_file, {KERNEL(truncate_file), IN(1, child_exits)}, nobody_has_pages, 1},
};

int main(void)
{
    return run_pairs(pairs, ARRAY_SIZE(pairs));
}
