/* SPDX-License-Identifier: MIT */
/* userfaultfd, one thread after another: registering, each way of filling, protection, events, the end. */
#include "uffd_fixture.h"
#include <mm/rmap.h>

static struct mm *mm;
static struct uffd *u;
static struct monitor mon;
static u64 at;

#define N   16UL
#define LEN (N * PAGE_SIZE)
#define PG(i) (at + (u64)(i) * PAGE_SIZE)

static void up(u64 features)
{
    machine_up(32, 2, 7);
    mm = host_mm_new();
    host_mm_switch(mm);
    at = (u64)host_mmap(0x20000000, LEN, R_W, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0);
    u = uffd_up(mm, features);
}

static void down(void)
{
    assert_machine_valid();
    if (u)
        uffd_down(u);
    assert_machine_valid();
    host_mm_exit(mm);
    machine_down();
}

static s64 reg(u64 addr, u64 len, u64 modes)
{
    return CORE(uffd_register(u, addr, len, modes));
}

static s64 fill(enum uffd_fill what, u64 addr, u64 src, u64 len, bool wp)
{
    return CORE(uffd_fill(u, what, addr, src, len, wp));
}

static u64 source(u8 value)
{
    u64 src = (u64)host_mmap_anon(LEN);
    for (u64 i = 0; i < N; i++)
        assert_int_equal(host_store_u8(src + i * PAGE_SIZE, (u8)(value + i)), 0);
    return src;
}

static u8 load(u64 addr)
{
    u8 v = 0xee;
    assert_int_equal(host_load_u8(addr, &v), 0);
    return v;
}

static pte_t entry(u64 addr)
{
    pte_t *p = pt_find(mm, addr);
    return p ? pte_load(p) : (pte_t){0};
}

static void map_shmem(struct host_file *f, u64 flags)
{
    struct map_file mf = host_map_file(f);
    assert_int_equal(host_mmap(at, LEN, R_W, flags | UAPI_MAP_FIXED, &mf, 0), (s64)at);
}

/* ---- registering ---- */

static void areas_are_cut_and_joined(void **state)
{
    up(0);
    u64 areas = mm->map_count;
    assert_int_equal(reg(PG(4), 4 * PAGE_SIZE, MISSING), 0);
    assert_int_equal(mm->map_count, areas + 2);
    assert_int_equal(reg(PG(6), 4 * PAGE_SIZE, MISSING | WP), 0);
    assert_int_equal(mm->map_count, areas + 3);
    assert_int_equal(reg(PG(6), PAGE_SIZE, WP), 0); /* has it already */
    assert_int_equal(mm->map_count, areas + 3);
    assert_int_equal(CORE(uffd_unregister(u, PG(6), 4 * PAGE_SIZE)), 0);
    assert_int_equal(mm->map_count, areas + 2);
    assert_int_equal(CORE(uffd_unregister(u, PG(0), LEN)), 0);
    assert_int_equal(mm->map_count, areas);
    assert_int_equal(reg(PG(0), LEN, MINOR), -EINVAL);
    struct uffd *other = uffd_up(mm, 0);
    assert_int_equal(reg(PG(2), PAGE_SIZE, MISSING), 0);
    assert_int_equal(CORE(uffd_register(other, PG(0), LEN, MISSING)), -EBUSY);
    assert_int_equal(CORE(uffd_register(other, PG(3), PAGE_SIZE, MISSING)), 0);
    assert_int_equal(mm->map_count, areas + 3); /* equal flags, two contexts: two areas */
    uffd_down(other);
    down();
}

static void the_end_of_the_descriptor_frees_all(void **state)
{
    up(0);
    u64 areas = mm->map_count;
    host_store_u8(PG(0), 1); /* all parts of the area get one anon_vma */
    reg(PG(1), PAGE_SIZE, MISSING);
    reg(PG(3), PAGE_SIZE, WP);
    host_store_u8(PG(3), 1);
    assert_int_equal(CORE(uffd_write_protect(u, PG(3), PAGE_SIZE, true)), 0);
    assert_true(pte_uffd_wp(entry(PG(3))) && !pte_write(entry(PG(3))));
    uffd_down(u);
    u = NULL;
    assert_int_equal(mm->map_count, areas);
    assert_true(!pte_uffd_wp(entry(PG(3))) && pte_write(entry(PG(3))));
    assert_int_equal(load(PG(1)), 0);
    down();
}

/* ---- filling ---- */

static void copy_and_zero_fill_what_is_empty(void **state)
{
    up(0);
    u64 src = source(40);
    reg(at, LEN, MISSING | WP);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(1), src, 2 * PAGE_SIZE, false), 2 * PAGE_SIZE);
    assert_int_equal(fill(UFFD_FILL_ZERO, PG(3), 0, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(0), src, 4 * PAGE_SIZE, true), PAGE_SIZE); /* stops at what is there */
    assert_int_equal(fill(UFFD_FILL_COPY, PG(1), src, PAGE_SIZE, false), -EEXIST);
    assert_int_equal(fill(UFFD_FILL_ZERO, PG(3), 0, PAGE_SIZE, false), -EEXIST);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(8), 0x1000000, PAGE_SIZE, false), -EFAULT);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(15), src, 2 * PAGE_SIZE, false), -ENOENT);
    assert_int_equal(fill(UFFD_FILL_CONTINUE, PG(8), 0, PAGE_SIZE, false), -EINVAL);
    assert_true(pte_uffd_wp(entry(PG(0))));
    assert_int_equal(load(PG(1)), 40);
    assert_int_equal(load(PG(2)), 41);
    assert_int_equal(load(PG(3)), 0);
    assert_int_equal(rss_sum(mm, RSS_ANON), 3 + N);
    down();
}

static void poison_is_a_bus_error_until_it_is_dropped(void **state)
{
    u8 v;
    up(0);
    u64 src = source(3);
    reg(at, LEN, MISSING);
    assert_int_equal(fill(UFFD_FILL_POISON, PG(2), 0, 2 * PAGE_SIZE, false), 2 * PAGE_SIZE);
    assert_int_equal(fill(UFFD_FILL_POISON, PG(2), 0, PAGE_SIZE, false), -EEXIST);
    assert_int_equal(fill(UFFD_FILL_ZERO, PG(2), 0, PAGE_SIZE, false), -EEXIST);
    assert_int_equal(host_load_u8(PG(2), &v), VM_FAULT_POISON);
    assert_int_equal(host_store_u8(PG(3), 1), VM_FAULT_POISON);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(2), src, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(load(PG(2)), 3);
    uffd_down(u);
    u = NULL;
    assert_int_equal(host_load_u8(PG(3), &v), VM_FAULT_POISON);
    assert_int_equal(host_madvise(PG(3), PAGE_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(load(PG(3)), 0);
    down();
}

static void shared_memory_is_filled_in_the_file(void **state)
{
    up(0);
    struct host_file *f = host_file_new(LEN - PAGE_SIZE, true);
    u64 src = source(60);
    map_shmem(f, UAPI_MAP_SHARED);
    reg(at, LEN, MISSING | MINOR);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(0), src, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(fill(UFFD_FILL_ZERO, PG(1), 0, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(15), src, PAGE_SIZE, false), -EFAULT); /* beyond its end */
    assert_int_equal(fill(UFFD_FILL_CONTINUE, PG(2), 0, PAGE_SIZE, false), -EFAULT);
    assert_int_equal(fill(UFFD_FILL_CONTINUE, PG(15), 0, PAGE_SIZE, false), -EINVAL);
    assert_int_equal(load(PG(0)), 60);
    assert_int_equal(load(PG(1)), 0);
    assert_int_equal(rss_sum(mm, RSS_SHMEM), 2);
    assert_int_equal(host_store_u8(PG(0), 61), 0);
    /* Another view of the file: the page is there. */
    struct map_file mf = host_map_file(f);
    u64 view = (u64)host_mmap(0, LEN, R_W, UAPI_MAP_SHARED, &mf, 0);
    assert_int_equal(load(view), 61);
    host_store_u8(view + 5 * PAGE_SIZE, 5);
    assert_int_equal(fill(UFFD_FILL_CONTINUE, PG(5), 0, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(load(PG(5)), 5);
    assert_int_equal(fill(UFFD_FILL_COPY, PG(5), src, PAGE_SIZE, false), -EEXIST);
    host_munmap(view, LEN);
    uffd_down(u);
    u = NULL;
    host_munmap(at, LEN);
    host_file_put(f);
    down();
}

static void pages_are_moved(void **state)
{
    up(0);
    u64 src = source(90);
    reg(at, LEN, MISSING);
    struct page *page = pfn_to_page(pte_pfn(entry(src)));
    assert_int_equal(CORE(uffd_move(u, PG(3), src, 2 * PAGE_SIZE, false)), 2 * PAGE_SIZE);
    assert_ptr_equal(pfn_to_page(pte_pfn(entry(PG(3)))), page);
    assert_int_equal(load(PG(3)), 90);
    assert_int_equal(load(PG(4)), 91);
    assert_int_equal(load(src), 0); /* the page of zeros now */
    assert_int_equal(CORE(uffd_move(u, PG(3), src + 2 * PAGE_SIZE, PAGE_SIZE, false)), -EEXIST);
    assert_int_equal(CORE(uffd_move(u, PG(5), src + PAGE_SIZE, PAGE_SIZE, false)), -ENOENT);
    assert_int_equal(CORE(uffd_move(u, PG(5), src + PAGE_SIZE, 2 * PAGE_SIZE, true)), 2 * PAGE_SIZE);
    assert_int_equal(load(PG(6)), 92);
    assert_int_equal(CORE(uffd_move(u, PG(8), src, PAGE_SIZE, false)), PAGE_SIZE); /* the page of zeros */
    int err;
    struct mm *child = host_fork(&err);
    assert_int_equal(CORE(uffd_move(u, PG(9), src + 4 * PAGE_SIZE, PAGE_SIZE, false)), -EBUSY);
    assert_machine_valid();
    host_mm_exit(child);
    assert_int_equal(CORE(uffd_move(u, src, PG(3), PAGE_SIZE, false)), -EINVAL); /* not a registered target */
    down();
}

/* ---- faults ---- */

static void a_fault_waits_for_its_page(void **state)
{
    for (unsigned share = 0; share <= 16; share += 16) {
        up(UAPI_UFFD_FEATURE_THREAD_ID);
        sysctl_fork_share = share;
        reg(at, LEN, MISSING);
        monitor_up(&mon, mm, u);
        for (u64 i = 0; i < N; i++)
            assert_int_equal(load(PG(i)), page_byte(PG(i)));
        assert_int_equal(mon.missing, N);
        assert_int_equal(stat_event_sum(PGMAJFAULT), N);
        monitor_down(&mon);
        down();
    }
}

static void the_kernel_may_be_denied_or_the_signal_wanted(void **state)
{
    u8 v;
    up(UAPI_UFFD_FEATURE_SIGBUS);
    reg(at, LEN, MISSING | WP);
    assert_int_equal(host_load_u8(at, &v), VM_FAULT_SIGBUS);
    uffd_down(u);
    u = uffd_up(mm, 0);
    u->flags = UAPI_UFFD_USER_MODE_ONLY;
    reg(at, LEN, MISSING);
    assert_int_equal(copy_to_user(at, "x", 1), 1);
    assert_int_equal(CORE(access_remote(mm, at, &v, 1, 0)), 0);
    down();
}

static void protected_pages_ask_before_a_write(void **state)
{
    up(0);
    reg(at, LEN, WP);
    monitor_up(&mon, mm, u);
    for (u64 i = 0; i < N; i += 2)
        host_store_u8(PG(i), (u8)i);
    assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
    assert_machine_valid();
    for (u64 i = 0; i < N; i++)
        load(PG(i));
    assert_int_equal(mon.wp, 0);
    for (u64 i = 0; i < N; i++)
        assert_int_equal(host_store_u8(PG(i), (u8)(i + 1)), 0);
    assert_int_equal(mon.wp, N / 2); /* what was empty was not protected */
    assert_int_equal(CORE(uffd_write_protect(u, 0x10000000, LEN, true)), -ENOENT);
    monitor_down(&mon);
    down();
}

static void empty_pages_are_protected_by_markers(void **state)
{
    up(UAPI_UFFD_FEATURE_WP_UNPOPULATED);
    reg(at, LEN, WP);
    monitor_up(&mon, mm, u);
    assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
    assert_int_equal(entry(at).v, PTE_MARKER_WP);
    assert_int_equal(load(PG(0)), 0);
    assert_true(pte_special(entry(at)) && pte_uffd_wp(entry(at)) && pte_mapped(entry(at)));
    host_store_u8(PG(0), 1);
    host_store_u8(PG(1), 1);
    assert_int_equal(mon.wp, 2);
    assert_int_equal(CORE(uffd_write_protect(u, PG(2), PAGE_SIZE, false)), 0);
    assert_true(pte_none(entry(PG(2))));
    assert_int_equal(host_madvise(at, LEN, UAPI_MADV_DONTNEED), 0);
    assert_true(pte_none(entry(PG(3)))); /* of anonymous memory they go */
    monitor_down(&mon);
    down();
}

static void protections_of_a_file_outlive_its_pages(void **state)
{
    up(0);
    struct host_file *f = host_file_new(LEN, true);
    map_shmem(f, UAPI_MAP_SHARED);
    reg(at, LEN, WP);
    monitor_up(&mon, mm, u);
    host_store_u8(PG(0), 1);
    host_store_u8(PG(1), 2);
    assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
    assert_int_equal(host_madvise(at, LEN, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(entry(PG(0)).v, PTE_MARKER_WP);
    assert_machine_valid();
    assert_int_equal(load(PG(1)), 2);
    assert_int_equal(host_madvise(PG(1), PAGE_SIZE, UAPI_MADV_REMOVE), 0);
    assert_int_equal(entry(PG(1)).v, PTE_MARKER_WP);
    host_store_u8(PG(0), 3);
    host_store_u8(PG(1), 4);
    host_store_u8(PG(9), 4);
    assert_int_equal(mon.wp, 3);
    assert_int_equal(load(PG(0)), 3);
    monitor_down(&mon);
    uffd_down(u);
    u = NULL;
    host_munmap(at, LEN);
    host_file_put(f);
    down();
}

static void asynchronous_protection_asks_nobody(void **state)
{
    up(UAPI_UFFD_FEATURE_WP_ASYNC | UAPI_UFFD_FEATURE_WP_UNPOPULATED);
    struct host_file *f = host_file_new(LEN, false); /* any file will do */
    map_shmem(f, UAPI_MAP_SHARED);
    assert_int_equal(reg(at, LEN, MISSING | WP), -EINVAL);
    assert_int_equal(reg(at, LEN, WP), 0);
    assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
    assert_int_equal(host_store_u8(PG(3), 9), 0);
    assert_false(pte_uffd_wp(entry(PG(3))));
    assert_int_equal(load(PG(4)), 0);
    assert_true(pte_uffd_wp(entry(PG(4))));
    assert_int_equal(load(PG(3)), 9);
    uffd_down(u);
    u = NULL;
    host_munmap(at, LEN);
    host_file_put(f);
    down();
}

static void minor_faults_ask_for_what_is_cached(void **state)
{
    up(0);
    struct host_file *f = host_file_new(LEN, true);
    map_shmem(f, UAPI_MAP_SHARED);
    for (u64 i = 0; i < N / 2; i++)
        host_store_u8(PG(i), (u8)i);
    host_madvise(at, LEN, UAPI_MADV_DONTNEED);
    reg(at, LEN, MINOR);
    monitor_up(&mon, mm, u);
    for (u64 i = 0; i < N; i++)
        assert_int_equal(load(PG(i)), i < N / 2 ? i : 0);
    assert_int_equal(mon.minor, N / 2);
    monitor_down(&mon);
    uffd_down(u);
    u = NULL;
    host_munmap(at, LEN);
    host_file_put(f);
    down();
}

/* ---- events ---- */

static void a_fork_takes_the_context_along_if_asked(void **state)
{
    for (unsigned share = 0; share <= 1; share++) {
        up(UAPI_UFFD_FEATURE_EVENT_FORK);
        sysctl_fork_share = share;
        int err;
        for (u64 i = 0; i < N; i++)
            host_store_u8(PG(i), (u8)i);
        reg(at, LEN, MISSING | WP);
        assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
        monitor_up(&mon, mm, u);
        struct mm *child = host_fork(&err);
        assert_non_null(child);
        assert_int_equal(mon.nr_forked, 1);
        assert_machine_valid();
        host_mm_switch(child);
        host_store_u8(PG(2), 77);
        assert_int_equal(mon.wp, 1);
        host_mm_switch(mm);
        host_store_u8(PG(2), 78);
        assert_int_equal(mon.wp, 2);
        assert_int_equal(load(PG(2)), 78);
        assert_machine_valid();
        host_mm_exit(child);
        monitor_down(&mon);
        down();
    }
}

static void a_fork_leaves_it_behind_otherwise(void **state)
{
    for (unsigned share = 0; share <= 1; share++) {
        up(UAPI_UFFD_FEATURE_WP_UNPOPULATED);
        sysctl_fork_share = share;
        int err;
        for (u64 i = 0; i < N / 2; i++)
            host_store_u8(PG(i), (u8)i);
        reg(at, LEN, MISSING | WP);
        assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
        struct mm *child = host_fork(&err);
        assert_non_null(child);
        assert_machine_valid();
        host_mm_switch(child);
        assert_int_equal(host_store_u8(PG(2), 77), 0);
        assert_int_equal(load(PG(12)), 0);
        host_mm_switch(mm);
        host_mm_exit(child);
        assert_true(pte_uffd_wp(entry(PG(2))) && pte_uffd_wp(entry(PG(12))));
        down();
    }
}

static void changes_of_the_layout_are_told(void **state)
{
    up(UAPI_UFFD_FEATURE_EVENT_UNMAP | UAPI_UFFD_FEATURE_EVENT_REMAP | UAPI_UFFD_FEATURE_EVENT_REMOVE);
    reg(at, LEN, MISSING | WP);
    monitor_up(&mon, mm, u);
    load(PG(1));
    assert_int_equal(CORE(uffd_write_protect(u, PG(1), PAGE_SIZE, true)), 0);
    assert_int_equal(host_munmap(PG(14), 4 * PAGE_SIZE), 0);
    assert_int_equal(mon.last.event, UAPI_UFFD_EVENT_UNMAP);
    assert_int_equal(mon.last.remove.start, PG(14));
    assert_int_equal(mon.last.remove.end, PG(18));
    assert_int_equal(host_madvise(PG(0), PAGE_SIZE, UAPI_MADV_DONTNEED), 0);
    assert_int_equal(mon.last.event, UAPI_UFFD_EVENT_REMOVE);
    u64 to = at + (64UL << 20);
    assert_int_equal(host_mremap(at, 8 * PAGE_SIZE, 8 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, to), (s64)to);
    assert_int_equal(mon.events[UAPI_UFFD_EVENT_REMAP - UAPI_UFFD_EVENT_PAGEFAULT], 1);
    assert_int_equal(mon.events[UAPI_UFFD_EVENT_UNMAP - UAPI_UFFD_EVENT_PAGEFAULT], 2); /* of the old place */
    assert_int_equal(u->mmap_changing, 0);
    assert_true(pte_uffd_wp(entry(to + PAGE_SIZE)));
    assert_int_equal(load(to + 3 * PAGE_SIZE), page_byte(to + 3 * PAGE_SIZE));
    monitor_down(&mon);
    down();
}

static void a_move_without_events_leaves_the_context(void **state)
{
    up(0);
    reg(at, LEN, WP);
    host_store_u8(PG(1), 5);
    assert_int_equal(CORE(uffd_write_protect(u, at, LEN, true)), 0);
    u64 to = at + (64UL << 20);
    assert_int_equal(host_mremap(at, LEN, LEN, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, to), (s64)to);
    assert_false(pte_uffd_wp(entry(to + PAGE_SIZE)));
    assert_int_equal(host_store_u8(to + PAGE_SIZE, 6), 0);
    down();
}

static void nothing_is_filled_while_an_event_waits(void **state)
{
    up(0);
    u64 src = source(1);
    reg(at, LEN, MISSING | WP);
    u->mmap_changing = 1;
    assert_int_equal(fill(UFFD_FILL_COPY, at, src, PAGE_SIZE, false), -EAGAIN);
    assert_int_equal(CORE(uffd_write_protect(u, at, PAGE_SIZE, true)), -EAGAIN);
    assert_int_equal(CORE(uffd_move(u, at, src, PAGE_SIZE, false)), -EAGAIN);
    u->mmap_changing = 0;
    assert_int_equal(fill(UFFD_FILL_COPY, at, src, PAGE_SIZE, false), PAGE_SIZE);
    down();
}

/* ---- failing allocations ---- */

static s64 do_copy(void)
{
    return fill(UFFD_FILL_COPY, PG(600), (u64)mon.buf, PAGE_SIZE, false);
}
static s64 do_register(void)
{
    return reg(PG(1), PAGE_SIZE, MISSING | WP);
}
static s64 do_protect(void)
{
    return CORE(uffd_write_protect(u, PG(512), 1200 * PAGE_SIZE, true));
}
static s64 do_move(void)
{
    return CORE(uffd_move(u, PG(601), mon.buf, PAGE_SIZE, false));
}
static s64 do_poison(void)
{
    return fill(UFFD_FILL_POISON, PG(602), 0, PAGE_SIZE, false);
}
static s64 do_fork(void)
{
    int err;
    struct mm *child = host_fork(&err);
    if (child)
        host_mm_exit(child);
    return err;
}
static s64 do_unmap(void)
{
    return host_munmap(PG(900), 4 * PAGE_SIZE);
}
static s64 do_remap(void)
{
    s64 r = host_mremap(PG(1000), 700 * PAGE_SIZE, 700 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, PG(9000));
    return r < 0 ? r : 0;
}

static void each_allocation_may_fail(void **state)
{
    s64 (*const calls[])(void) = {do_register, do_copy, do_protect, do_move, do_poison, do_fork, do_unmap, do_remap};
    for (unsigned c = 0; c < ARRAY_SIZE(calls); c++) {
        for (enum failpoint point = FAIL_PAGE_ALLOC; point <= FAIL_SLAB_ALLOC; point++) {
            for (u64 n = 1, hits = n; n <= hits; n++) {
                up(UAPI_UFFD_FEATURE_EVENT_FORK | UAPI_UFFD_FEATURE_EVENT_UNMAP | UAPI_UFFD_FEATURE_EVENT_REMAP |
                   UAPI_UFFD_FEATURE_WP_UNPOPULATED);
                host_mmap(PG(512), 2000 * PAGE_SIZE, R_W, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0);
                reg(PG(512), 2000 * PAGE_SIZE, MISSING | WP);
                monitor_up(&mon, mm, u);
                load(PG(1200));
                host_fail_nth(point, n, false);
                s64 r = calls[c]();
                hits = host_fail_hits(point);
                host_fail_none();
                assert_machine_valid();
                if (r < 0) {
                    assert_int_equal(r, -ENOMEM);
                    r = calls[c]();
                    assert_true(r >= 0 || r == -EEXIST);
                }
                assert_int_equal(READ_ONCE(u->mmap_changing), 0);
                monitor_down(&mon);
                down();
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_are_cut_and_joined),
        cmocka_unit_test(the_end_of_the_descriptor_frees_all),
        cmocka_unit_test(copy_and_zero_fill_what_is_empty),
        cmocka_unit_test(poison_is_a_bus_error_until_it_is_dropped),
        cmocka_unit_test(shared_memory_is_filled_in_the_file),
        cmocka_unit_test(pages_are_moved),
        cmocka_unit_test(a_fault_waits_for_its_page),
        cmocka_unit_test(the_kernel_may_be_denied_or_the_signal_wanted),
        cmocka_unit_test(protected_pages_ask_before_a_write),
        cmocka_unit_test(empty_pages_are_protected_by_markers),
        cmocka_unit_test(protections_of_a_file_outlive_its_pages),
        cmocka_unit_test(asynchronous_protection_asks_nobody),
        cmocka_unit_test(minor_faults_ask_for_what_is_cached),
        cmocka_unit_test(a_fork_takes_the_context_along_if_asked),
        cmocka_unit_test(a_fork_leaves_it_behind_otherwise),
        cmocka_unit_test(changes_of_the_layout_are_told),
        cmocka_unit_test(a_move_without_events_leaves_the_context),
        cmocka_unit_test(nothing_is_filled_while_an_event_waits),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
