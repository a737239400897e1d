/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd: faults that wait, what their monitor does, and what happens to their areas meanwhile: all schedules
 * (tests/common/pairs.h).
 *
 * A monitor that reads before a fault came sleeps until it comes. No two operations of a pair use the descriptor while a third
 * closes it: the file of the descriptor keeps that apart. Pages that would ask are not looked at afterwards (again_pages).
 */
#include "../common/pairs.h"
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/pt.h>
#include <mm/sys.h>
#include <mm/uffd.h>
#include <port/sched.h>

#define SOURCE P(20) /* a page of 0x77, from which the monitor copies */
#define DST    P(8)  /* four pages, registered, empty */

static struct uffd *u, *forked;
static bool done; /* the program's thread */

#define CORE(expr)                                                                                 \
    ({                                                                                             \
        host_core_enter();                                                                         \
        __typeof__(expr) core_result_ = (expr);                                                    \
        host_core_exit();                                                                          \
        core_result_;                                                                              \
    })

/* ---- scenes ---- */

static void context(u64 features)
{
    forked = NULL;
    done = false;
    u = CORE(uffd_alloc(space[0], 0));
    must(u, "uffd_alloc");
    u->features = (u32)features | UFFD_INITIALIZED;
}
static void enroll(u64 at, u64 pages, u64 modes)
{
    must(CORE(uffd_register(u, at, pages * PAGE_SIZE, modes)) == 0, "register");
}
static void source(void)
{
    map_anon(SOURCE, 1);
    for (u32 i = 0; i < 4; i++)
        put(SOURCE + i, 0x77);
}
static void nobody_looks(void)
{
    warm_pages = again_pages = 0;
}

static void missing_with(u64 features)
{
    nobody_looks();
    map_anon(P(0), 4);
    source();
    context(features);
    enroll(P(0), 4, VM_UFFD_MISSING);
}
static void missing(void)
{
    missing_with(0);
}
static void missing_telling_unmap(void)
{
    missing_with(UAPI_UFFD_FEATURE_EVENT_UNMAP);
}
static void unregistered(void)
{
    nobody_looks();
    map_anon(P(0), 4);
    source();
    context(0);
}

static void pages(void)
{
    map_anon(P(0), 4);
    for (u32 i = 0; i < 4; i++)
        put(P(i), (u8)(i + 1));
}
static void protectable_with(u64 features)
{
    pages();
    context(features);
    enroll(P(0), 4, VM_UFFD_WP);
}
static void protectable(void)
{
    protectable_with(0);
}
static void protectable_async(void)
{
    protectable_with(UAPI_UFFD_FEATURE_WP_ASYNC);
}
static void protectable_empty(void)
{
    map_anon(P(0), 4);
    source();
    warm_pages = 0;
    context(UAPI_UFFD_FEATURE_WP_UNPOPULATED);
    enroll(P(0), 4, VM_UFFD_WP);
}
static void protect_now(void)
{
    must(CORE(uffd_write_protect(u, P(0), 2 * PAGE_SIZE, true)) == 0, "protect");
}
static void protected_pages(void)
{
    protectable();
    protect_now();
}
static void protected_async(void)
{
    protectable_async();
    protect_now();
}
static void protected_sharers(void)
{
    pages();
    fork_into(1);
    context(0);
    enroll(P(0), 4, VM_UFFD_WP);
    protect_now();
}
static void telling(void) /* fork, mremap, madvise and munmap are told */
{
    protectable_with(UAPI_UFFD_FEATURE_EVENT_FORK | UAPI_UFFD_FEATURE_EVENT_REMAP | UAPI_UFFD_FEATURE_EVENT_REMOVE |
                     UAPI_UFFD_FEATURE_EVENT_UNMAP);
}
static void telling_remove(void)
{
    protectable_with(UAPI_UFFD_FEATURE_EVENT_REMOVE);
}

static void movable(void)
{
    pages();
    map_anon(DST, 4);
    context(0);
    enroll(DST, 4, VM_UFFD_MISSING);
}

static void shmem_with(u64 modes)
{
    u8 v = 0x66;
    nobody_looks();
    map_file(P(0), 4, true, true);
    must(CORE(cache_write_kernel(&file->mapping, 0, &v, 1)) == 1, "write");
    source();
    context(0);
    enroll(P(0), 4, modes);
}
static void shmem_minor(void)
{
    shmem_with(VM_UFFD_MINOR);
}
static void shmem_missing(void)
{
    shmem_with(VM_UFFD_MISSING);
}
static void shmem_protected(void)
{
    shmem_with(VM_UFFD_WP);
    put(P(0), 0x67);
    protect_now();
}

/* A monitor of its own in the child, as after a fork event. */
static void child_with_context(void)
{
    pages();
    fork_into(1);
    u = NULL;
    forked = CORE(uffd_alloc(space[1], 0));
    must(forked, "uffd_alloc");
    forked->features = UFFD_INITIALIZED;
    must(CORE(uffd_register(forked, P(0), 4 * PAGE_SIZE, VM_UFFD_WP)) == 0, "register");
}
static struct mm *victim;
static void about_to_end(void)
{
    missing();
    victim = space[0];
}

/* ---- operations of the program ---- */

static u32 fault_result;
static void store_a(void)
{
    fault_result = (u32)host_store_u8(P(0), 0xa);
}
static void store_b(void)
{
    host_store_u8(P(0) + 1, 0xb);
}
static void store_dst(void)
{
    host_store_u8(DST, 0xa);
}
static void load_a(void)
{
    u8 v;
    host_load_u8(P(0), &v);
}
static void unmap_all(void)
{
    must(host_munmap(P(0), 4 * PAGE_SIZE) == 0, "munmap");
}
static void unmap_dst(void)
{
    must(host_munmap(DST, 4 * PAGE_SIZE) == 0, "munmap");
}
static void unmap_wake(void) /* a monitor knows what its program unmapped */
{
    unmap_all();
    host_core_enter();
    uffd_wake(u, P(0), 4 * PAGE_SIZE);
    host_core_exit();
}
static void protect_read(void)
{
    must(host_mprotect(P(0), 4 * PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void protect_second(void)
{
    must(host_mprotect(P(1), PAGE_SIZE, UAPI_PROT_READ) == 0, "mprotect");
}
static void move_area(void)
{
    must(host_mremap(P(0), 4 * PAGE_SIZE, 4 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, P(64)) ==
             (s64)P(64),
         "mremap");
}
static void dontneed(void)
{
    s64 r = host_madvise(P(0), 4 * PAGE_SIZE, UAPI_MADV_DONTNEED);
    must(r == 0 || r == -ENOMEM, "madvise");
}
static void fork_1(void)
{
    fork_into(1);
}
static void end_process(void)
{
    host_mm_exit(victim);
    space[0] = NULL;
    host_core_enter();
    mm_put(victim);
    host_core_exit();
}
static void child_exits(void)
{
    struct mm *mm = space[1];
    space[1] = NULL;
    host_mm_exit(mm);
    host_core_enter();
    mm_put(mm);
    host_core_exit();
}
static void child_stores(void)
{
    must(host_store_u8(P(0), 0xc) == 0, "the child's store");
}
static void remote_store(void)
{
    u8 v = 0xb;
    access_remote(space[0], P(0) + 1, &v, 1, FAULT_WRITE);
}
static void truncate_all(void)
{
    must(CORE(host_file_truncate(file, 0)) == 0, "truncate");
}
static void read_file(void)
{
    u8 v;
    must(CORE(cache_read_kernel(&file->mapping, 0, &v, 1)) == 1, "read");
    must(v == 0 || v == 0x66 || v == 0x77 || v == 0xa, "a byte that nobody wrote");
}

/* ---- operations of the monitor ---- */

static void wake(u64 at)
{
    host_core_enter();
    uffd_wake(u, at, PAGE_SIZE);
    host_core_exit();
}
/* One page. What must not come out: anything but done, there already, area gone, or a change under way. */
static s64 fill(enum uffd_fill what)
{
    s64 r = CORE(uffd_fill(u, what, P(0), SOURCE, PAGE_SIZE, false));
    must(r == (s64)PAGE_SIZE || r == -EEXIST || r == -ENOENT || r == -EAGAIN || r == -EINVAL || r == -EFAULT, "fill");
    return r;
}
static void copy(void)
{
    fill(UFFD_FILL_COPY);
}
static void copy_too(void)
{
    fill(UFFD_FILL_COPY);
}
static void copy_wake(void)
{
    must(fill(UFFD_FILL_COPY) == (s64)PAGE_SIZE, "copy");
    wake(P(0));
}
static void zero(void)
{
    fill(UFFD_FILL_ZERO);
}
static void zero_wake(void)
{
    must(fill(UFFD_FILL_ZERO) == (s64)PAGE_SIZE, "zeropage");
    wake(P(0));
}
static void zero_or_gone(void)
{
    s64 r = CORE(uffd_fill(u, UFFD_FILL_ZERO, P(0), 0, PAGE_SIZE, false));
    must(r == (s64)PAGE_SIZE || r == -ESRCH, "zeropage");
}
static void poison(void)
{
    fill(UFFD_FILL_POISON);
}
static void poison_wake(void)
{
    must(fill(UFFD_FILL_POISON) == (s64)PAGE_SIZE, "poison");
    wake(P(0));
}
static void give(void) /* the page in the cache */
{
    fill(UFFD_FILL_CONTINUE);
}
static void give_wake(void)
{
    must(fill(UFFD_FILL_CONTINUE) == (s64)PAGE_SIZE, "continue");
    wake(P(0));
}
static void read_message(void)
{
    struct uapi_uffd_msg msg;
    struct uffd_wait *event;
    host_core_enter();
    waitq_wait(&u->readers, uffd_readable(u));
    if (!uffd_read(u, &msg, &event) && event) {
        forked = event->forked;
        uffd_read_done(u, event, true);
    }
    host_core_exit();
}
static void read_copy_wake(void)
{
    read_message();
    fill(UFFD_FILL_COPY);
    wake(P(0));
}
static void read_twice(void) /* no room for the descriptor the first time */
{
    struct uapi_uffd_msg msg;
    struct uffd_wait *event;
    host_core_enter();
    waitq_wait(&u->readers, uffd_readable(u));
    must(!uffd_read(u, &msg, &event) && event, "no event");
    uffd_read_done(u, event, false);
    host_core_exit();
    read_message();
}
static void copy_then_read(void)
{
    copy();
    read_message();
}
/* Until the program's thread is done: reads what comes, gives faults their page of the cache. */
static void serve(void)
{
    struct uapi_uffd_msg msg;
    struct uffd_wait *event;
    host_core_enter();
    while (!READ_ONCE(done)) {
        waitq_wait(&u->readers, READ_ONCE(done) || uffd_readable(u));
        while (!uffd_read(u, &msg, &event))
            if (msg.event == UAPI_UFFD_EVENT_PAGEFAULT) {
                fill(UFFD_FILL_CONTINUE);
                wake(P(0));
            }
    }
    host_core_exit();
}
static void done_now(void)
{
    host_core_enter();
    WRITE_ONCE(done, true);
    waitq_wake_all(&u->readers);
    host_core_exit();
}
static void store_done(void)
{
    store_a();
    done_now();
}
static void move_done(void)
{
    move_area();
    done_now();
}
static void dontneed_done(void)
{
    dontneed();
    done_now();
}
static void unmap_then_serve(void)
{
    unmap_all();
    serve();
}
static void fails_to_read(void) /* and closes */
{
    struct uapi_uffd_msg msg;
    struct uffd_wait *event = NULL;
    struct uffd *gone = u;
    host_core_enter();
    if (!uffd_read(u, &msg, &event) && event)
        uffd_read_done(u, event, false);
    u = NULL;
    uffd_release(gone);
    host_core_exit();
}
static void close_it(void)
{
    struct uffd *gone = u;
    u = NULL;
    host_core_enter();
    uffd_release(gone);
    host_core_exit();
}
static void close_forked(void)
{
    struct uffd *gone = forked;
    forked = NULL;
    host_core_enter();
    uffd_release(gone);
    host_core_exit();
}
static void unregister(void)
{
    must(CORE(uffd_unregister(u, P(0), 4 * PAGE_SIZE)) == 0, "unregister");
}
static void register_missing(void)
{
    s64 r = CORE(uffd_register(u, P(0), 4 * PAGE_SIZE, VM_UFFD_MISSING));
    must(r == 0 || r == -EINVAL || r == -EPERM, "register");
}
static void register_and_back(void)
{
    enroll(P(0), 4, VM_UFFD_MISSING);
    unregister();
}
static void protect(void)
{
    s64 r = CORE(uffd_write_protect(u, P(0), 2 * PAGE_SIZE, true));
    must(r == 0 || r == -ENOENT || r == -EAGAIN, "protect");
}
static void resolve(void)
{
    s64 r = CORE(uffd_write_protect(u, P(0), 2 * PAGE_SIZE, false));
    must(r == 0 || r == -ENOENT || r == -EAGAIN, "resolve");
    wake(P(0));
}
static void protect_resolve(void)
{
    protect();
    resolve();
}
static void unmap_protected(void)
{
    unmap_wake();
}
static s64 move_result;
static void move_page(void)
{
    move_result = CORE(uffd_move(u, DST, P(0), PAGE_SIZE, false));
    must(move_result == (s64)PAGE_SIZE || move_result == -ENOENT || move_result == -EBUSY || move_result == -EINVAL ||
             move_result == -EEXIST,
         "move");
    wake(DST);
}
static void move_second(void)
{
    s64 r = CORE(uffd_move(u, DST, P(1), PAGE_SIZE, false));
    must(r == (s64)PAGE_SIZE || r == -EEXIST, "move");
}

/* ---- what must hold after ---- */

static void close_all(void)
{
    if (u)
        close_it();
    if (forked)
        close_forked();
    struct vma *v = space[0] ? vma_first(space[0]) : NULL;
    for (; v; v = vma_next(v))
        must(!v->uffd && !(v->flags & VM_UFFD), "an area of a context that is closed");
}
static void nothing_left(void)
{
    must(!vma_find(space[0], P(0)) || vma_start(vma_find(space[0], P(0))) >= P(4), "an area stayed");
    close_all();
}
static void stored(void)
{
    must(fault_result == 0, "the fault failed");
    close_all();
    must(get(P(0)) == 0xa, "the store is lost");
}
static void stored_on_copy(void)
{
    stored();
    must(get(P(0) + 1) == 0x77, "another page than the monitor's");
}
static void stored_on_zeros(void)
{
    stored();
    must(get(P(0) + 1) == 0, "another page than the monitor's");
}
static void copied_once(void)
{
    close_all();
    must(get(P(0)) == 0x77 && rss_sum(space[0], RSS_ANON) == 2, "one page and the source");
}
static void filled(void)
{
    must(pt_find(space[0], P(0)) && !pte_none(pte_load(pt_find(space[0], P(0)))), "nobody filled");
    close_all();
}
static void poisoned(void)
{
    must(fault_result == VM_FAULT_POISON, "a poisoned page did not answer so");
    close_all();
}
static void both_done(void)
{
    must(CORE(uffd_write_protect(u, P(0), PAGE_SIZE, false)) == 0, "resolve");
    close_all();
    must(get(P(0)) == 0xa, "the store is lost");
    must(!pte_uffd_wp(pte_load(pt_find(space[0], P(1)))), "protection without a context");
}
static bool is_protected(u32 s, u64 at)
{
    pte_t *p = pt_find(space[s], at);
    return p && pte_uffd_wp(pte_load(p));
}
/* A byte that was written after the protection took it off; one from before stayed under it. */
static void async_seen(void)
{
    must(is_protected(0, P(1)), "the protection of the other page is gone");
    must(get(P(0)) == 0xa, "the store is lost");
    close_all();
    put(P(0), 1);
}
static void second_protected(void)
{
    must(is_protected(0, P(1)), "the protection is gone");
    close_all();
}
static void child_is_free(void)
{
    must(is_protected(0, P(0)), "the parent's protection is gone");
    must(!is_protected(1, P(0)), "the child has a protection");
    host_mm_switch(space[1]);
    put(P(0), 0xc);
    host_mm_switch(space[0]);
    close_all();
    must(get(P(0)) == 1, "the child wrote to its parent");
}
static void child_watched(void)
{
    struct vma *v = vma_find(space[1], P(0));
    must(forked && v && v->uffd == forked, "the child's context");
    close_all();
}
static void child_unwatched(void)
{
    struct vma *v = vma_find(space[1], P(0));
    must(v && !v->uffd && !(v->flags & VM_UFFD), "the child has a context that nobody knows");
    close_all();
}
static void moved(void)
{
    close_all();
    u8 dst = get(DST), src = get(P(0));
    if (move_result == (s64)PAGE_SIZE)
        must((dst == 1 && src == 0xa) || (dst == 0xa && src == 0), "a store is lost or there twice");
    else
        must(dst == 0 && src == 0xa, "what did not move is another");
}
static void moved_to_store(void)
{
    must(move_result == (s64)PAGE_SIZE, "move");
    close_all();
    must(get(DST) == 0xa && get(P(0)) == 0 && rss_sum(space[0], RSS_ANON) == 4, "what moved is another");
}
static void moved_one(void)
{
    close_all();
    u8 dst = get(DST), a = get(P(0)), b = get(P(1));
    must((dst == 1 && a == 0 && b == 2) || (dst == 2 && a == 1 && b == 0), "two moves to one place");
}
static void moved_or_forked(void)
{
    u8 v = 0;
    must(access_remote(space[1], P(0), &v, 1, 0) == 1 && v <= 1, "the child has another page");
    if (v == 0) /* it moved before */
        must(move_result == (s64)PAGE_SIZE, "a page is lost");
    close_all();
    must(get(DST) == (move_result == (s64)PAGE_SIZE), "what moved is another");
    must(get(P(0)) == (move_result != (s64)PAGE_SIZE), "what stayed is another");
}
static void shmem_stored(void)
{
    u8 v[2];
    stored();
    must(CORE(cache_read_kernel(&file->mapping, 0, v, 2)) == 2 && v[0] == 0xa, "the store is not in the file");
}
static void nothing_mapped(void)
{
    must(!rss_sum(space[0], RSS_SHMEM) && !file->mapping.size, "a truncated page is mapped");
    close_all();
}
static void still_protected(void)
{
    pte_t *p = pt_find(space[0], P(0));
    must(p && (pte_uffd_wp(pte_load(p)) || pte_load(p).v == PTE_MARKER_WP), "the protection is gone");
    close_all();
}

static const struct pair pairs[] = {
    {"waiting fault/munmap", missing, {IN(0, store_a), IN(0, unmap_wake)}, nothing_left, 0},
    {"waiting fault/copy", missing, {IN(0, store_a), IN(0, copy_wake)}, stored_on_copy, 0},
    {"waiting fault/read, copy", missing, {IN(0, store_a), IN(0, read_copy_wake)}, stored_on_copy, 0},
    {"waiting fault/zeropage", missing, {IN(0, store_a), KERNEL(zero_wake)}, stored_on_zeros, 0},
    {"waiting read/zeropage", missing, {IN(0, load_a), KERNEL(zero_wake)}, filled, 0},
    {"waiting fault/unregister", missing, {IN(0, store_a), KERNEL(unregister)}, stored_on_zeros, 0},
    {"waiting fault/close", missing, {IN(0, store_a), KERNEL(close_it)}, stored_on_zeros, 0},
    {"waiting fault/poison", missing, {IN(0, store_a), KERNEL(poison_wake)}, poisoned, 0},
    {"two waiting faults/copy", missing, {IN(0, store_a), IN(0, copy_wake), IN(0, store_b)}, stored, 0},
    {"waiting process_vm/close", missing, {KERNEL(remote_store), KERNEL(close_it)}, close_all, 0},
    {"copy/munmap", missing, {IN(0, copy), IN(0, unmap_all)}, nothing_left, 0},
    {"copy/copy", missing, {IN(0, copy), IN(0, copy_too)}, copied_once, 0},
    {"copy/zeropage", missing, {IN(0, copy), KERNEL(zero)}, filled, 0},
    {"copy/poison", missing, {IN(0, copy), KERNEL(poison)}, filled, 0},
    {"copy/fork", missing, {IN(0, copy), IN(0, fork_1)}, close_all, 0},
    {"copy/fork, tables shared", missing, {IN(0, copy), IN(0, fork_1)}, close_all, 1},
    {"copy/mremap", missing, {IN(0, copy), IN(0, move_area)}, close_all, 0},
    {"copy/split", missing, {IN(0, copy), IN(0, protect_second)}, filled, 0},
    {"copy/unregister", missing, {IN(0, copy), KERNEL(unregister)}, close_all, 0},
    {"copy/DONTNEED", missing, {IN(0, copy), IN(0, dontneed)}, close_all, 0},
    {"poison/DONTNEED", missing, {KERNEL(poison), IN(0, dontneed)}, close_all, 0},
    {"zeropage/munmap", missing, {KERNEL(zero), IN(0, unmap_all)}, nothing_left, 0},
    {"zeropage/fault", protectable_empty, {KERNEL(zero), IN(0, store_a)}, stored, 0},
    {"copy/fault", protectable_empty, {IN(0, copy), IN(0, store_a)}, stored, 0},
    {"zeropage/exit", about_to_end, {KERNEL(zero_or_gone), IN(0, end_process)}, close_all, 0},
    {"close/exit", about_to_end, {KERNEL(close_it), IN(0, end_process)}, NULL, 0},
    {"close/munmap", missing, {KERNEL(close_it), IN(0, unmap_all)}, nothing_left, 0},
    {"close/fork", missing, {KERNEL(close_it), IN(0, fork_1)}, close_all, 0},
    {"close of the child's/exit", child_with_context, {KERNEL(close_forked), IN(1, child_exits)}, NULL, 0},
    {"close of the child's/store", child_with_context, {KERNEL(close_forked), IN(1, child_stores)}, NULL, 0},
    {"register/fault", unregistered, {IN(0, store_a), KERNEL(register_and_back)}, stored_on_zeros, 0},
    {"register/munmap", unregistered, {KERNEL(register_missing), IN(0, unmap_all)}, nothing_left, 0},
    {"register/mprotect", unregistered, {KERNEL(register_missing), IN(0, protect_read)}, close_all, 0},
    {"register/split", unregistered, {KERNEL(register_missing), IN(0, protect_second)}, close_all, 0},
    {"register/mremap", unregistered, {KERNEL(register_missing), IN(0, move_area)}, close_all, 0},
    {"register/fork", unregistered, {KERNEL(register_missing), IN(0, fork_1)}, close_all, 0},
    {"write-protect/fault", protectable, {IN(0, store_a), KERNEL(protect_resolve)}, stored, 0},
    {"write-protect/munmap", protectable, {KERNEL(protect), IN(0, unmap_all)}, nothing_left, 0},
    {"write-protect/fork", protectable, {KERNEL(protect), IN(0, fork_1)}, child_is_free, 0},
    {"write-protect/fork, tables shared", protectable, {KERNEL(protect), IN(0, fork_1)}, child_is_free, 1},
    {"write-protect/mprotect", protectable, {KERNEL(protect), IN(0, protect_read)}, second_protected, 0},
    {"write-protect/mremap", protectable, {KERNEL(protect), IN(0, move_area)}, close_all, 0},
    {"write-protect/DONTNEED", protectable, {KERNEL(protect), IN(0, dontneed)}, close_all, 0},
    {"write-protect/unregister", protectable, {KERNEL(protect), KERNEL(unregister)}, close_all, 0},
    {"write-protect/process_vm", protectable, {KERNEL(protect_resolve), KERNEL(remote_store)}, close_all, 0},
    {"write-protect/first fault", protectable_empty, {IN(0, store_a), KERNEL(protect_resolve)}, stored, 0},
    {"resolve/fault", protected_pages, {IN(0, store_a), KERNEL(resolve)}, both_done, 0},
    {"resolve/COW", protected_sharers, {IN(0, store_a), KERNEL(resolve)}, stored, 0},
    {"unregister/protected fault", protected_pages, {IN(0, store_a), KERNEL(close_it)}, stored, 0},
    {"munmap/protected fault", protected_pages, {IN(0, store_a), IN(0, unmap_protected)}, nothing_left, 0},
    {"write-protect/fault, async", protectable_async, {IN(0, store_a), KERNEL(protect)}, async_seen, 0},
    {"fault/fault, async", protected_async, {IN(0, store_a), IN(0, store_b)}, async_seen, 0},
    {"fault/munmap, async", protected_async, {IN(0, store_a), IN(0, unmap_all)}, nothing_left, 0},
    {"fork event/read", telling, {IN(0, fork_1), KERNEL(read_message)}, child_watched, 0},
    {"fork event/read twice", telling, {IN(0, fork_1), KERNEL(read_twice)}, child_watched, 1},
    {"fork event/close", telling, {IN(0, fork_1), KERNEL(close_it)}, child_unwatched, 0},
    {"fork event/failed read, close", telling, {IN(0, fork_1), KERNEL(fails_to_read)}, child_unwatched, 0},
    {"fork event/fault", telling, {IN(0, fork_1), KERNEL(read_message), IN(0, store_a)}, child_watched, 0},
    {"munmap event/copy", missing_telling_unmap, {IN(0, unmap_all), IN(0, copy_then_read)}, nothing_left, 0},
    {"munmap event/close", telling, {IN(0, unmap_all), KERNEL(close_it)}, nothing_left, 0},
    {"mremap event/read", telling, {IN(0, move_done), KERNEL(serve)}, close_all, 0},
    {"mremap event/close", telling, {IN(0, move_area), KERNEL(close_it)}, close_all, 0},
    {"remove event/munmap", telling_remove, {IN(0, dontneed_done), IN(0, unmap_then_serve)}, nothing_left, 0},
    {"remove event/close", telling, {IN(0, dontneed), KERNEL(close_it)}, close_all, 0},
    {"move/fault of the source", movable, {IN(0, store_a), KERNEL(move_page)}, moved, 0},
    {"move/waiting fault", movable, {IN(0, store_dst), KERNEL(move_page)}, moved_to_store, 0},
    {"move/munmap of the source", movable, {KERNEL(move_page), IN(0, unmap_all)}, close_all, 0},
    {"move/munmap of the target", movable, {KERNEL(move_page), IN(0, unmap_dst)}, close_all, 0},
    {"move/move to one place", movable, {KERNEL(move_page), KERNEL(move_second)}, moved_one, 0},
    {"move/fork", movable, {KERNEL(move_page), IN(0, fork_1)}, moved_or_forked, 0},
    {"move/fork, tables shared", movable, {KERNEL(move_page), IN(0, fork_1)}, moved_or_forked, 1},
    {"move/process_vm", movable, {KERNEL(move_page), KERNEL(remote_store)}, close_all, 0},
    {"move/mremap", movable, {KERNEL(move_page), IN(0, move_area)}, close_all, 0},
    {"minor fault/continue", shmem_minor, {IN(0, store_a), KERNEL(give_wake)}, shmem_stored, 0},
    {"minor fault/truncate", shmem_minor, {IN(0, store_done), KERNEL(serve), KERNEL(truncate_all)}, close_all, 0},
    {"continue/truncate", shmem_minor, {KERNEL(give), KERNEL(truncate_all)}, nothing_mapped, 0},
    {"continue/munmap", shmem_minor, {KERNEL(give), IN(0, unmap_all)}, nothing_left, 0},
    {"shmem copy/truncate", shmem_missing, {IN(0, copy), KERNEL(truncate_all)}, nothing_mapped, 0},
    {"shmem copy/read", shmem_missing, {IN(0, copy), KERNEL(read_file)}, close_all, 0},
    {"shmem zeropage/copy", shmem_missing, {IN(0, copy), KERNEL(zero)}, close_all, 0},
    {"shmem write-protect/DONTNEED", shmem_protected, {IN(0, dontneed), KERNEL(protect)}, still_protected, 0},
    {"shmem write-protect/truncate", shmem_protected, {KERNEL(protect), KERNEL(truncate_all)}, nothing_mapped, 0},
};

int main(void)
{
    return run_pairs(pairs, ARRAY_SIZE(pairs));
}
