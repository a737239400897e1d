/* SPDX-License-Identifier: MIT */
/*
 * N-th failure: every call of the core is run with its 1st, 2nd, 3rd ... allocation of pages, of objects, and its n-th
 * I/O failing, once and for good, until a run has no n-th one. After each: every validator is content, a retry without
 * failures succeeds and does what it should, and in the end nothing has leaked.
 */
#include "../common/machine.h"
#include <host/swap.h>
#include <mm/sys.h>

#define R     UAPI_PROT_READ
#define W     UAPI_PROT_WRITE
#define X     UAPI_PROT_EXEC
#define PRIV  (UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS)
#define BASE  0x7f0000000000UL /* the area under test */
#define PAGES 16UL
#define LEN   (PAGES * PAGE_SIZE)

static struct mm *space, *child;
static struct host_file *file;

static void must(s64 r)
{
    if (r < 0)
        fail_msg("a preparing call failed: %ld", r);
}

static void map_at(u64 addr, u64 len, u64 prot)
{
    must(host_mmap(addr, len, prot, PRIV | UAPI_MAP_FIXED, NULL, 0));
}

static void touch(u64 addr, u64 len)
{
    for (u64 a = addr; a < addr + len; a += PAGE_SIZE)
        assert_int_equal(host_store_u8(a, (u8)(a >> PAGE_SHIFT)), 0);
}

static void check(u64 addr, u64 len)
{
    for (u64 a = addr; a < addr + len; a += PAGE_SIZE) {
        u8 b;
        assert_int_equal(host_load_u8(a, &b), 0);
        assert_int_equal(b, (u8)(a >> PAGE_SHIFT));
    }
}

/* ---- what is there before a call ---- */

static void nothing(void)
{
}

static void area(void)
{
    map_at(BASE, LEN, R | W);
}

static void touched_area(void)
{
    area();
    touch(BASE, LEN);
}

static void file_area(u64 flags)
{
    file = host_file_new(LEN, false);
    memset(file->disk, 0x77, LEN);
    struct map_file mf = host_map_file(file);
    must(host_mmap(BASE, LEN, R | W, flags | UAPI_MAP_FIXED, &mf, 0));
}

static struct host_swap disk;

static void swap_area(void)
{
    must(host_swap_on(&disk, &(struct host_swap_config){.pages = 4 * PAGES, .prio = -1}));
}

static void touched_with_swap(void)
{
    swap_area();
    touched_area();
}

static void swapped(void)
{
    touched_with_swap();
    must(host_madvise(BASE, LEN, UAPI_MADV_PAGEOUT));
}

static void swapped_and_forked(void)
{
    int err;
    swapped();
    child = host_fork(&err);
    must(err);
}

static void shared_swapped(void)
{
    swap_area();
    must(host_mmap(BASE, LEN, R | W, UAPI_MAP_SHARED | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0));
    touch(BASE, LEN);
    must(host_madvise(BASE, LEN, UAPI_MADV_PAGEOUT));
}

static void private_file(void)
{
    file_area(UAPI_MAP_PRIVATE);
}

static void shared_file(void)
{
    file_area(UAPI_MAP_SHARED);
}

static void just_file(void)
{
    file = host_file_new(LEN, false);
}

static void forked(void)
{
    int err;
    touched_area();
    child = host_fork(&err);
    must(err);
}

static void mixed(void)
{
    touched_area();
    must(host_mprotect(BASE + 4 * PAGE_SIZE, 2 * PAGE_SIZE, R));
    file = host_file_new(LEN, false);
    struct map_file mf = host_map_file(file);
    must(host_mmap(BASE + 2 * LEN, LEN, R | W, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &mf, 0));
    must(host_mmap(BASE + 4 * LEN, LEN, R | W, UAPI_MAP_PRIVATE | UAPI_MAP_FIXED, &mf, 0));
    touch(BASE + 2 * LEN, LEN);
    touch(BASE + 4 * LEN, 4 * PAGE_SIZE);
}

static void stack(void)
{
    must(host_mmap(BASE, LEN, R | W, PRIV | UAPI_MAP_FIXED | UAPI_MAP_GROWSDOWN, NULL, 0));
}

/* ---- calls: the value of the system call, or -ENOMEM for a fault that ended in VM_FAULT_OOM, -EIO for SIGBUS ---- */

static s64 of_fault(u32 r)
{
    return r == 0 ? 0 : r & VM_FAULT_OOM ? -12 : r & VM_FAULT_SIGBUS ? -5 : -14;
}

static s64 do_mmap(void)
{
    return host_mmap(BASE, LEN, R | W, PRIV | UAPI_MAP_FIXED, NULL, 0);
}
static s64 do_mmap_middle(void)
{
    return host_mmap(BASE + 4 * PAGE_SIZE, 4 * PAGE_SIZE, R, PRIV | UAPI_MAP_FIXED, NULL, 0);
}
static s64 do_mmap_shared(void)
{
    return host_mmap(BASE, LEN, R | W, UAPI_MAP_SHARED | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL,
                     0);
}
static s64 do_mmap_populate(void)
{
    return host_mmap(BASE, LEN, R | W, PRIV | UAPI_MAP_FIXED | UAPI_MAP_POPULATE, NULL, 0);
}
static s64 do_mmap_file(void)
{
    struct map_file mf = host_map_file(file);
    return host_mmap(BASE, LEN, R, UAPI_MAP_SHARED | UAPI_MAP_FIXED, &mf, 0);
}
static s64 do_munmap(void)
{
    return host_munmap(BASE, LEN);
}
static s64 do_munmap_middle(void)
{
    return host_munmap(BASE + 5 * PAGE_SIZE, 3 * PAGE_SIZE);
}
static s64 do_mprotect_middle(void)
{
    return host_mprotect(BASE + 5 * PAGE_SIZE, 3 * PAGE_SIZE, R);
}
static s64 do_mremap_grow(void)
{
    return host_mremap(BASE, LEN, 3 * LEN, UAPI_MREMAP_MAYMOVE, 0);
}
static s64 do_mremap_move(void)
{
    return host_mremap(BASE, LEN, LEN, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, BASE + (1UL << 33));
}
static s64 do_mremap_move_part(void)
{
    return host_mremap(BASE + 4 * PAGE_SIZE, 4 * PAGE_SIZE, 8 * PAGE_SIZE,
                       UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, BASE + (1UL << 33));
}
static s64 do_mremap_shrink(void)
{
    return host_mremap(BASE, LEN, LEN / 2, 0, 0);
}
/* brk answers the old break when it fails. */
static s64 do_brk(void)
{
    u64 want = space->start_brk + 8 * PAGE_SIZE;
    return host_brk(want) == (s64)want ? 0 : -12;
}
static s64 do_fork(void)
{
    int err;
    struct mm *c = host_fork(&err);
    if (c)
        host_mm_exit(c);
    return err;
}
static s64 do_new_space(void)
{
    struct mm *mm = host_mm_new();
    if (!mm)
        return -12;
    host_mm_exit(mm);
    return 0;
}
static s64 do_read(void)
{
    u8 b;
    return of_fault(host_load_u8(BASE + 3 * PAGE_SIZE, &b));
}
static s64 do_write(void)
{
    return of_fault(host_store_u8(BASE + 3 * PAGE_SIZE, 1));
}
static s64 do_read_then_write(void)
{
    s64 r = do_read();
    return r ? r : do_write();
}
static s64 do_write_everywhere(void)
{
    for (u64 i = 0; i < PAGES; i++) {
        s64 r = of_fault(host_store_u8(BASE + i * PAGE_SIZE, 1));
        if (r)
            return r;
    }
    return 0;
}
static s64 do_grow_stack(void)
{
    return of_fault(host_store_u8(BASE - 8, 1));
}
static s64 do_dontneed(void)
{
    return host_madvise(BASE + PAGE_SIZE, LEN - 2 * PAGE_SIZE, UAPI_MADV_DONTNEED);
}
static s64 do_dontfork(void)
{
    return host_madvise(BASE + PAGE_SIZE, LEN - 2 * PAGE_SIZE, UAPI_MADV_DONTFORK);
}
static s64 do_willneed(void)
{
    return host_madvise(BASE, LEN, UAPI_MADV_WILLNEED);
}
static s64 do_populate_write(void)
{
    return host_madvise(BASE, LEN, UAPI_MADV_POPULATE_WRITE);
}
static s64 do_mlock(void)
{
    return host_mlock(BASE + PAGE_SIZE, LEN - 2 * PAGE_SIZE, 0);
}
static s64 do_pageout(void)
{
    return host_madvise(BASE, LEN, UAPI_MADV_PAGEOUT);
}
static s64 do_read_everywhere(void)
{
    for (u64 i = 0; i < PAGES; i++) {
        u8 b;
        s64 r = of_fault(host_load_u8(BASE + i * PAGE_SIZE, &b));
        if (r)
            return r;
    }
    return 0;
}
static s64 do_swap_on(void)
{
    return host_swap_on(&disk, &(struct host_swap_config){.pages = 4 * PAGES, .prio = -1});
}
static s64 do_swap_off(void)
{
    host_core_enter();
    s64 r = host_swap_off(&disk);
    host_core_exit();
    return r;
}
static s64 do_msync(void)
{
    s64 r = do_write_everywhere();
    return r ? r : host_msync(BASE, LEN, UAPI_MS_SYNC);
}
static s64 do_cache_write(void)
{
    u8 text[3 * PAGE_SIZE / 2];
    memset(text, 9, sizeof(text));
    ssize_t n = cache_write_kernel(&file->mapping, PAGE_SIZE / 2, text, sizeof(text));
    return n < 0 ? n : n == sizeof(text) ? 0 : -12;
}
static s64 do_cache_read(void)
{
    u8 text[3 * PAGE_SIZE / 2];
    ssize_t n = cache_read_kernel(&file->mapping, PAGE_SIZE / 2, text, sizeof(text));
    return n < 0 ? n : n == sizeof(text) ? 0 : -12;
}
static s64 do_truncate(void)
{
    return cache_truncate(&file->mapping, 3 * PAGE_SIZE + 100);
}

/* ---- what must be true after a call that succeeded ---- */

static void whole_is_there(void)
{
    check(BASE, LEN);
}
static void edges_are_there(void)
{
    check(BASE, PAGE_SIZE);
    check(BASE + LEN - PAGE_SIZE, PAGE_SIZE);
}
static void middle_is_gone(void)
{
    u8 b;
    check(BASE, 5 * PAGE_SIZE);
    check(BASE + 8 * PAGE_SIZE, 8 * PAGE_SIZE);
    assert_int_equal(host_load_u8(BASE + 6 * PAGE_SIZE, &b), VM_FAULT_MAPERR);
}
static void middle_is_read_only(void)
{
    check(BASE, LEN);
    assert_int_equal(host_store_u8(BASE + 6 * PAGE_SIZE, 1), VM_FAULT_ACCERR);
}
static void moved(void)
{
    for (u64 i = 0; i < PAGES; i++) {
        u8 b;
        assert_int_equal(host_load_u8(BASE + (1UL << 33) + i * PAGE_SIZE, &b), 0);
        assert_int_equal(b, (u8)((BASE >> PAGE_SHIFT) + i));
    }
}
/* What could not be read for swapoff is poisoned. */
static void whole_is_there_or_lost(void)
{
    for (u64 a = BASE; a < BASE + LEN; a += PAGE_SIZE) {
        u8 b;
        u32 r = host_load_u8(a, &b);
        assert_true(r == VM_FAULT_POISON || (r == 0 && b == (u8)(a >> PAGE_SHIFT)));
    }
}
static void child_has_the_old(void)
{
    host_mm_switch(child);
    check(BASE, LEN);
    host_mm_switch(space);
}

static const struct scene {
    const char *name;
    void (*prepare)(void);
    s64 (*call)(void);
    void (*after)(void); /* may be NULL */
} scenes[] = {
    {"mmap", nothing, do_mmap, NULL},
    {"mmap over the middle", touched_area, do_mmap_middle, edges_are_there},
    {"mmap shared", nothing, do_mmap_shared, NULL},
    {"mmap populate", nothing, do_mmap_populate, NULL},
    {"mmap file", just_file, do_mmap_file, NULL},
    {"munmap", touched_area, do_munmap, NULL},
    {"munmap mixed", mixed, do_munmap, NULL},
    {"munmap middle", touched_area, do_munmap_middle, middle_is_gone},
    {"mprotect middle", touched_area, do_mprotect_middle, middle_is_read_only},
    {"mremap grow", touched_area, do_mremap_grow, NULL},
    {"mremap move", touched_area, do_mremap_move, moved},
    {"mremap move part", touched_area, do_mremap_move_part, edges_are_there},
    {"mremap shrink", touched_area, do_mremap_shrink, NULL},
    {"brk", nothing, do_brk, NULL},
    {"fork", touched_area, do_fork, whole_is_there},
    {"fork mixed", mixed, do_fork, edges_are_there},
    {"mm_alloc", nothing, do_new_space, NULL},
    {"fault: anonymous read", area, do_read, NULL},
    {"fault: anonymous write", area, do_write, NULL},
    {"fault: write after read", area, do_read_then_write, NULL},
    {"fault: copy on write", forked, do_write_everywhere, child_has_the_old},
    {"fault: private file read", private_file, do_read, NULL},
    {"fault: private file write", private_file, do_write, NULL},
    {"fault: shared file read", shared_file, do_read, NULL},
    {"fault: shared file write", shared_file, do_write_everywhere, NULL},
    {"fault: stack growth", stack, do_grow_stack, NULL},
    {"madvise dontneed", touched_area, do_dontneed, edges_are_there},
    {"madvise dontfork", touched_area, do_dontfork, whole_is_there},
    {"madvise willneed", shared_file, do_willneed, NULL},
    {"madvise populate write", area, do_populate_write, NULL},
    {"mlock", touched_area, do_mlock, whole_is_there},
    {"msync", shared_file, do_msync, NULL},
    {"swapon", nothing, do_swap_on, NULL},
    {"swapoff", swapped, do_swap_off, whole_is_there_or_lost},
    {"swapoff, forked", swapped_and_forked, do_swap_off, whole_is_there_or_lost},
    {"swapoff, shared", shared_swapped, do_swap_off, whole_is_there},
    {"pageout", touched_with_swap, do_pageout, whole_is_there},
    {"fault: swapped, read", swapped, do_read_everywhere, whole_is_there},
    {"fault: swapped, write", swapped, do_write_everywhere, NULL},
    {"fault: swapped, shared by fork, write", swapped_and_forked, do_write_everywhere, child_has_the_old},
    {"fault: shared memory, swapped", shared_swapped, do_read_everywhere, whole_is_there},
    {"fork of swapped", swapped, do_fork, whole_is_there},
    {"mremap of swapped", swapped, do_mremap_move, moved},
    {"mlock of swapped", swapped, do_mlock, whole_is_there},
    {"willneed of swapped", swapped, do_willneed, whole_is_there},
    {"dontneed of swapped", swapped, do_dontneed, edges_are_there},
    {"write through the cache", just_file, do_cache_write, NULL},
    {"read through the cache", just_file, do_cache_read, NULL},
    {"truncate", shared_file, do_truncate, NULL},
};

static const char *const point_name[] = {"page", "object", "i/o"};

/* One run with the n-th hit failing. False when there was no n-th hit. */
static bool run(const struct scene *s, enum failpoint point, u64 n, bool for_good)
{
    machine_up(32, 1, 1);
    space = host_mm_new();
    child = NULL;
    file = NULL;
    assert_non_null(space);
    host_mm_switch(space);
    s->prepare();
    host_fail_nth(point, n, for_good);
    s64 r = s->call();
    bool hit = host_fail_hits(point) >= n;
    host_fail_none();
    if (r < 0 && !hit)
        fail_msg("%s fails with %ld though nothing was made to fail", s->name, r);
    if (r < 0 && r != (point == FAIL_IO && s->call != do_mlock ? -5 : -12) && /* mlock says ENOMEM */ (point == FAIL_IO || r != -11)) /* madvise says EAGAIN */
        fail_msg("%s with %s %lu failing: %ld", s->name, point_name[point], n, r);
    const char *bad = machine_validate();
    if (bad)
        fail_msg("%s with %s %lu failing%s: %s", s->name, point_name[point], n,
                 for_good ? " for good" : "", bad);
    if (r < 0) {
        r = s->call();
        if (r < 0)
            fail_msg("%s after %s %lu failed%s: the retry says %ld", s->name, point_name[point], n,
                     for_good ? " for good" : "", r);
        assert_machine_valid();
    }
    if (s->after)
        s->after();
    if (child)
        host_mm_exit(child);
    host_mm_exit(space);
    if (file)
        host_file_put(file);
    if (disk.area) {
        host_core_enter();
        assert_int_equal(host_swap_off(&disk), 0);
        host_core_exit();
    }
    machine_down();
    return hit;
}

static void each_allocation_fails_once(void **state)
{
    const struct scene *s = *state;
    u64 runs[HOST_NR_FAILPOINTS] = {0};
    for (int point = 0; point < HOST_NR_FAILPOINTS; point++)
        for (int for_good = 0; for_good < 2; for_good++)
            for (u64 n = 1; run(s, (enum failpoint)point, n, for_good); n++) {
                runs[point]++;
                if (n > 2000)
                    fail_msg("%s never runs out of allocations", s->name);
            }
    printf("  failed %lu times: %lu page, %lu object, %lu i/o\n", runs[0] + runs[1] + runs[2],
           runs[0], runs[1], runs[2]);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(scenes)];
    for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
        tests[i] = (struct CMUnitTest){scenes[i].name, each_allocation_fails_once, NULL, NULL,
                                       (void *)&scenes[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
