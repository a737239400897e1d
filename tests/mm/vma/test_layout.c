/* SPDX-License-Identifier: MIT */
/*
 * Areas as pictures: what mapping, unmapping, protecting, locking and moving make of a layout, on Linux and here. The letters
 * are explained in tests/common/scene.h.
 */
#include "../../common/scene.h"

static struct scene s;

static int up(void **state)
{
    scene_up(&s);
    return 0;
}

static int down(void **state)
{
    scene_down(&s);
    return 0;
}

static s64 protect(unsigned page, unsigned n, u64 prot)
{
    return host_mprotect(scene_addr(page), n * PAGE_SIZE, prot);
}
#define RW (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define RO UAPI_PROT_READ

static void neighbours_merge_when_they_agree(void **state)
{
    scene_make(&s, "AA..AA");
    scene_map(&s, 'A', 2, 2);
    assert_scene(&s, "AAAAAA");
    assert_int_equal(s.mm->map_count, 1);
    scene_map(&s, 'R', 6, 2);
    assert_scene(&s, "AAAAAA|RR");
    scene_map(&s, 'A', 8, 1);
    assert_scene(&s, "AAAAAA|RR|A");
}

/* The table at the head of mm/vma/merge.c. */
static void anonymous_pages_decide(void **state)
{
    scene_make(&s, "AAAAAA");
    protect(2, 2, RO);
    assert_scene(&s, "AA|RR|AA");
    host_store_u8(scene_addr(0), 1);
    protect(2, 2, RW); /* none, between lone ones: of the second the store knew nothing, so it has none either */
    assert_scene(&s, "AAAAAA");
    protect(2, 2, RO);
    protect(2, 2, RW); /* all have the same id */
    assert_scene(&s, "AAAAAA");
    scene_map(&s, 'A', 6, 1); /* none beside a lone one */
    assert_scene(&s, "AAAAAAA");
    scene_map(&s, 'R', 8, 1);
    scene_map(&s, 'A', 9, 1);
    host_store_u8(scene_addr(9), 1);
    scene_map(&s, 'A', 7, 1); /* joins the lower one, not both: their ids differ */
    assert_scene(&s, "AAAAAAAA|R|A");
    protect(8, 1, RW);
    assert_scene(&s, "AAAAAAAAA|A");
}

static void a_child_merges_less(void **state)
{
    int err;
    struct mm *parent = s.mm;
    scene_make(&s, "AAAA");
    host_store_u8(scene_addr(0), 1);
    protect(1, 1, RO);
    assert_scene(&s, "A|R|AA");
    struct mm *child = host_fork(&err);
    host_mm_switch(child);
    s.mm = child;
    protect(1, 1, RW); /* one id in the parent, three in the child */
    assert_scene(&s, "A|A|AA");
    scene_map(&s, 'A', 4, 1); /* not beside what a fork made */
    assert_scene(&s, "A|A|AA|A");
    host_store_u8(scene_addr(4), 1);
    scene_map(&s, 'A', 5, 1); /* but beside what is the child's own */
    assert_scene(&s, "A|A|AA|AA");
    host_mm_switch(parent);
    s.mm = parent;
    protect(1, 1, RW);
    assert_scene(&s, "AAAA");
    host_mm_exit(child);
}

static void growing_down_from_the_next(void **state)
{
    scene_make(&s, "..AA");
    scene_map(&s, 'A', 0, 2);
    assert_scene(&s, "AAAA");
    assert_int_equal(s.mm->map_count, 1);
}

static void files_merge_by_offset(void **state)
{
    scene_make(&s, "FF");
    scene_map(&s, 'F', 2, 2);
    assert_scene(&s, "FFFF");
    scene_map(&s, 'G', 4, 2);
    assert_scene(&s, "FFFF|GG");
    scene_map(&s, 'S', 6, 1);
    scene_map(&s, 'S', 7, 1);
    assert_scene(&s, "FFFF|GG|SS");
}

static void a_fixed_mapping_replaces(void **state)
{
    scene_make(&s, "AAAAAAAA");
    scene_map(&s, 'R', 3, 2);
    assert_scene(&s, "AAA|RR|AAA");
    scene_map(&s, 'A', 3, 2);
    assert_scene(&s, "AAAAAAAA");
    scene_map(&s, 'F', 0, 8);
    assert_scene(&s, "FFFFFFFF");
}

static void unmapping(void **state)
{
    scene_make(&s, "AAAA|RRRR|NN..SS");
    assert_int_equal(host_munmap(scene_addr(1), PAGE_SIZE), 0);
    assert_scene(&s, "A.AA|RRRR|NN..SS");
    assert_int_equal(host_munmap(scene_addr(3), 6 * PAGE_SIZE), 0);
    assert_scene(&s, "A.A......N..SS");
    assert_int_equal(host_munmap(scene_addr(0), 32 * PAGE_SIZE), 0);
    assert_scene(&s, "");
    assert_int_equal(s.mm->map_count, 0);
    assert_int_equal(host_munmap(scene_addr(0), PAGE_SIZE), 0); /* nothing there: fine */
}

static void unmapping_errors(void **state)
{
    scene_make(&s, "AA");
    assert_int_equal(host_munmap(SCENE_BASE + 1, PAGE_SIZE), -EINVAL);
    assert_int_equal(host_munmap(SCENE_BASE, 0), -EINVAL);
    assert_int_equal(host_munmap(s.mm->task_size, PAGE_SIZE), -EINVAL);
    assert_scene(&s, "AA");
}

static void protecting_splits_and_joins(void **state)
{
    scene_make(&s, "AAAAAA");
    assert_int_equal(protect(2, 1, RO), 0);
    assert_scene(&s, "AA|R|AAA");
    assert_int_equal(protect(3, 1, RO), 0);
    assert_scene(&s, "AA|RR|AA");
    assert_int_equal(protect(0, 6, RO), 0);
    assert_scene(&s, "RRRRRR");
    assert_int_equal(protect(0, 3, RW), 0);
    assert_scene(&s, "AAA|RRR");
    assert_int_equal(protect(3, 3, RW), 0);
    assert_scene(&s, "AAAAAA");
    assert_int_equal(s.mm->map_count, 1);
}

static void protecting_over_a_hole(void **state)
{
    scene_make(&s, "AA.AA");
    assert_int_equal(protect(1, 3, RO), -ENOMEM);
    assert_scene(&s, "A|R.AA"); /* what lies before the hole is done */
    assert_int_equal(protect(2, 1, RO), -ENOMEM);
    assert_int_equal(host_mprotect(SCENE_BASE + 1, PAGE_SIZE, RO), -EINVAL);
    assert_int_equal(host_mprotect(SCENE_BASE, 0, RO), 0);
    assert_int_equal(host_mprotect(SCENE_BASE, PAGE_SIZE, 0x100), -EINVAL);
}

static void protection_decides_about_access(void **state)
{
    u8 v = 0;
    scene_make(&s, "AAA");
    assert_int_equal(host_store_u8(scene_addr(1), 42), 0);
    protect(1, 1, RO);
    assert_int_equal(host_store_u8(scene_addr(1), 43) & VM_FAULT_ACCERR, VM_FAULT_ACCERR);
    assert_int_equal(host_load_u8(scene_addr(1), &v), 0);
    assert_int_equal(v, 42);
    protect(1, 1, 0);
    assert_int_equal(host_load_u8(scene_addr(1), &v) & VM_FAULT_ACCERR, VM_FAULT_ACCERR);
    protect(1, 1, RW);
    assert_int_equal(host_load_u8(scene_addr(1), &v), 0);
    assert_int_equal(v, 42); /* PROT_NONE kept the page */
    assert_int_equal(host_store_u8(scene_addr(1), 44), 0);
}

static void locking_splits_and_counts(void **state)
{
    scene_make(&s, "AAAA");
    assert_int_equal(host_mlock(scene_addr(1), 2 * PAGE_SIZE, 0), 0);
    assert_scene(&s, "A|LL|A");
    assert_int_equal(s.mm->locked_vm, 2);
    assert_int_equal(rss_sum(s.mm, RSS_ANON), 2); /* locked pages are present */
    assert_int_equal(host_munlock(scene_addr(0), 4 * PAGE_SIZE), 0);
    assert_scene(&s, "A|AA|A"); /* with pages it does not go back to one without */
    assert_int_equal(s.mm->locked_vm, 0);
    assert_int_equal(host_mlock(scene_addr(2), 4 * PAGE_SIZE, 0), -ENOMEM); /* runs into a hole */
    assert_scene(&s, "A|A|LL"); /* one without joins one with */
}

static void moving(void **state)
{
    u8 v = 0;
    scene_make(&s, "AAA");
    host_store_u8(scene_addr(1), 7);
    s64 to = host_mremap(scene_addr(0), 3 * PAGE_SIZE, 3 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(10));
    assert_int_equal(to, scene_addr(10));
    assert_scene(&s, "..........AAA");
    assert_int_equal(host_mremap(scene_addr(10), 1UL << 62, PAGE_SIZE, 0, 0), -EINVAL); /* no tail is that long */
    assert_scene(&s, "..........AAA");
    assert_int_equal(host_load_u8(scene_addr(11), &v), 0);
    assert_int_equal(v, 7);
}

static void growing_in_place_and_by_moving(void **state)
{
    scene_make(&s, "AA...R");
    assert_int_equal(host_mremap(scene_addr(0), 2 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0), scene_addr(0));
    assert_scene(&s, "AAAA.R");
    assert_int_equal(host_mremap(scene_addr(0), 4 * PAGE_SIZE, 9 * PAGE_SIZE, 0, 0), -ENOMEM);
    s64 to = host_mremap(scene_addr(0), 4 * PAGE_SIZE, 9 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0);
    assert_true(to > 0);
    assert_scene(&s, ".....R");
    assert_int_equal(host_mremap((u64)to, 9 * PAGE_SIZE, PAGE_SIZE, 0, 0), to);
    assert_int_equal(s.mm->total_vm, 2);
}

static void moving_part_of_an_area(void **state)
{
    scene_make(&s, "AAAA");
    s64 to = host_mremap(scene_addr(1), PAGE_SIZE, PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(8));
    assert_int_equal(to, scene_addr(8));
    assert_scene(&s, "A.AA....A");
    to = host_mremap(scene_addr(8), PAGE_SIZE, PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(1));
    assert_int_equal(to, scene_addr(1));
    assert_scene(&s, "AAAA");
}

static void a_moved_touched_page_does_not_merge(void **state)
{
    scene_make(&s, "AAAA");
    host_store_u8(scene_addr(1), 1);
    host_mremap(scene_addr(1), PAGE_SIZE, PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(4));
    assert_scene(&s, "A.AA|A"); /* its page offset is that of its old place */
}

static void dontunmap_leaves_an_empty_area(void **state)
{
    u8 v = 1;
    scene_make(&s, "AA");
    host_store_u8(scene_addr(0), 9);
    s64 to = host_mremap(scene_addr(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE,
                         UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED | UAPI_MREMAP_DONTUNMAP, scene_addr(6));
    assert_int_equal(to, scene_addr(6));
    assert_scene(&s, "AA....AA");
    host_load_u8(scene_addr(0), &v);
    assert_int_equal(v, 0);
    host_load_u8(scene_addr(6), &v);
    assert_int_equal(v, 9);
}

/* Linux joins the copy with any fitting neighbour but the area it comes from. */
static void dontunmap_beside_the_origin_stays_apart(void **state)
{
    const u64 flags = UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED | UAPI_MREMAP_DONTUNMAP;
    scene_make(&s, "AAAA");
    assert_int_equal(host_mremap(scene_addr(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, flags, scene_addr(4)), scene_addr(4));
    assert_scene(&s, "AAAA|AA");
    host_munmap(scene_addr(0), 8 * PAGE_SIZE);
    scene_make(&s, "..AA..A");
    assert_int_equal(host_mremap(scene_addr(2), 2 * PAGE_SIZE, 2 * PAGE_SIZE, flags, scene_addr(4)), scene_addr(4));
    assert_scene(&s, "..AA|AAA");
    host_munmap(scene_addr(0), 8 * PAGE_SIZE);
    scene_make(&s, "..AA");
    assert_int_equal(host_mremap(scene_addr(2), 2 * PAGE_SIZE, 2 * PAGE_SIZE, flags, scene_addr(0)), scene_addr(0));
    assert_scene(&s, "AA|AA");
    assert_int_equal(host_mprotect(scene_addr(0), 2 * PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(host_mprotect(scene_addr(0), 2 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE), 0);
    assert_scene(&s, "AAAA"); /* any later change joins them */
}

static void old_size_zero_is_a_second_view(void **state)
{
    u8 v = 0;
    scene_make(&s, "SS");
    host_store_u8(scene_addr(1), 5);
    s64 to = host_mremap(scene_addr(0), 0, 2 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(4));
    assert_int_equal(to, scene_addr(4));
    host_load_u8(scene_addr(5), &v);
    assert_int_equal(v, 5);
    assert_int_equal(host_mremap(scene_addr(0), 0, PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0) > 0, 1);
}

static void mremap_errors(void **state)
{
    scene_make(&s, "AA.R");
    u64 fixed = UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED;
    assert_int_equal(host_mremap(scene_addr(0), PAGE_SIZE, 0, 0, 0), -EINVAL);
    assert_int_equal(host_mremap(scene_addr(0), PAGE_SIZE, PAGE_SIZE, UAPI_MREMAP_FIXED, scene_addr(8)), -EINVAL);
    assert_int_equal(host_mremap(scene_addr(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, fixed, scene_addr(1)), -EINVAL);
    assert_int_equal(host_mremap(scene_addr(2), PAGE_SIZE, 2 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(host_mremap(scene_addr(0), 3 * PAGE_SIZE, 5 * PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(host_mremap(scene_addr(0), 0, PAGE_SIZE, UAPI_MREMAP_MAYMOVE, 0), -EINVAL); /* private */
    assert_scene(&s, "AA.R");
}

static void noreplace_refuses(void **state)
{
    scene_make(&s, "A.A");
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED_NOREPLACE;
    assert_int_equal(host_mmap(scene_addr(0), PAGE_SIZE, RW, flags, NULL, 0), -EEXIST);
    assert_int_equal(host_mmap(scene_addr(1), 2 * PAGE_SIZE, RW, flags, NULL, 0), -EEXIST);
    assert_int_equal(host_mmap(scene_addr(1), PAGE_SIZE, RW, flags, NULL, 0), scene_addr(1));
    assert_scene(&s, "AAA");
}

static void a_hint_is_taken_when_free(void **state)
{
    scene_make(&s, "A");
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS;
    assert_int_equal(host_mmap(scene_addr(3), PAGE_SIZE, RW, flags, NULL, 0), scene_addr(3));
    s64 elsewhere = host_mmap(scene_addr(3), PAGE_SIZE, RW, flags, NULL, 0);
    assert_true(elsewhere > 0 && elsewhere != (s64)scene_addr(3));
    assert_scene(&s, "A..A");
}

static void top_down_stacks_areas(void **state)
{
    s64 a = host_mmap_anon(PAGE_SIZE), b = host_mmap_anon(PAGE_SIZE);
    assert_int_equal(a, s.mm->mmap_base - PAGE_SIZE);
    assert_int_equal(b, a - (s64)PAGE_SIZE);
    assert_int_equal(s.mm->map_count, 1); /* they merged */
}

static void mmap_errors(void **state)
{
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS;
    assert_int_equal(host_mmap(0, 0, RW, flags, NULL, 0), -EINVAL);
    assert_int_equal(host_mmap(0, PAGE_SIZE, RW, UAPI_MAP_ANONYMOUS, NULL, 0), -EINVAL);
    assert_int_equal(host_mmap(1, PAGE_SIZE, RW, flags | UAPI_MAP_FIXED, NULL, 0), -EINVAL);
    assert_int_equal(host_mmap(PAGE_SIZE, PAGE_SIZE, RW, flags | UAPI_MAP_FIXED, NULL, 0), -EPERM);
    assert_int_equal(host_mmap(0, 1UL << 60, RW, flags, NULL, 0), -ENOMEM);
    assert_int_equal(host_mmap(0, PAGE_SIZE, RW, flags, NULL, 1), -EINVAL);
    assert_int_equal(host_mmap(1UL << 62, PAGE_SIZE, RW, flags | UAPI_MAP_FIXED, NULL, 0), -ENOMEM);
    assert_scene(&s, "");
}

static void limits_hold(void **state)
{
    s.mm->rlimit.as = 4 * PAGE_SIZE;
    scene_make(&s, "AAA");
    assert_int_equal(host_mmap(0, 2 * PAGE_SIZE, RW, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0), -ENOMEM);
    assert_int_equal(host_mremap(scene_addr(0), 3 * PAGE_SIZE, 5 * PAGE_SIZE, 0, 0), -ENOMEM);
    assert_int_equal(scene_map(&s, 'R', 0, 3), scene_addr(0)); /* what is replaced does not count twice */
    s.mm->rlimit.as = U64_MAX;
    s.mm->rlimit.data = 2 * PAGE_SIZE;
    assert_int_equal(host_mmap(0, 3 * PAGE_SIZE, RW, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0), -ENOMEM);
    assert_true(host_mmap(0, 3 * PAGE_SIZE, RO, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0) > 0);
}

/* mprotect is refused where an area becomes data that is too much, not where there was too much already. */
static void limits_hold_for_rights(void **state)
{
    scene_make(&s, "RRR");
    s.mm->rlimit.as = PAGE_SIZE;
    assert_int_equal(protect(0, 1, RW), 0);
    assert_int_equal(protect(0, 1, RO), 0);
    s.mm->rlimit.data = PAGE_SIZE;
    assert_int_equal(protect(0, 3, RW), 0);
    assert_int_equal(protect(0, 3, RO), 0);
    s.mm->rlimit.as = U64_MAX;
    assert_int_equal(protect(0, 3, RW), -ENOMEM);
    assert_scene(&s, "RRR");
    assert_int_equal(protect(0, 1, RW), 0);
    s.mm->rlimit.data = U64_MAX;
}

static void map_count_is_limited(void **state)
{
    u64 old = sysctl_max_map_count;
    sysctl_max_map_count = 3;
    scene_make(&s, "A.A.A");
    assert_int_equal(host_munmap(scene_addr(0), PAGE_SIZE), 0);
    assert_scene(&s, "..A.A");
    scene_map(&s, 'A', 5, 3);
    assert_scene(&s, "..A.AAAA");
    scene_map(&s, 'R', 0, 1);
    assert_int_equal(protect(5, 1, RO), -ENOMEM); /* would make two more */
    assert_int_equal(host_munmap(scene_addr(5), PAGE_SIZE), -ENOMEM);
    assert_scene(&s, "R.A.AAAA");
    sysctl_max_map_count = old;
}

static void heap(void **state)
{
    s.mm->start_brk = s.mm->brk = scene_addr(0);
    assert_int_equal(host_brk(0), scene_addr(0));
    assert_int_equal(host_brk(scene_addr(2) + 5), scene_addr(2) + 5);
    assert_scene(&s, "AAA");
    assert_int_equal(host_brk(scene_addr(6)), scene_addr(6));
    assert_scene(&s, "AAAAAA");
    assert_int_equal(s.mm->map_count, 1);
    assert_int_equal(host_brk(scene_addr(1)), scene_addr(1));
    assert_scene(&s, "A");
    assert_int_equal(host_brk(scene_addr(3)), scene_addr(3));
    assert_int_equal(host_munmap(scene_addr(1), 2 * PAGE_SIZE), 0);
    assert_int_equal(host_brk(scene_addr(1)), scene_addr(3)); /* refused: nothing is there to give back */
    assert_int_equal(host_brk(scene_addr(0)), scene_addr(0));
    assert_int_equal(host_brk(scene_addr(1)), scene_addr(1));
    scene_map(&s, 'R', 4, 1);
    assert_int_equal(host_brk(scene_addr(9)), scene_addr(1)); /* refused: something is in the way */
    assert_scene(&s, "A...R");
}

static void stack_grows_to_its_limit(void **state)
{
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_GROWSDOWN | UAPI_MAP_FIXED;
    u64 top = SCENE_BASE + (4UL << 20);
    assert_int_equal(host_mmap(top, PAGE_SIZE, RW, flags, NULL, 0), top);
    s.mm->rlimit.stack = 16 * PAGE_SIZE;
    assert_int_equal(host_store_u8(top - 10 * PAGE_SIZE, 1), 0);
    assert_int_equal(s.mm->stack_vm, 11);
    assert_int_equal(host_store_u8(top - 16 * PAGE_SIZE, 1) & VM_FAULT_MAPERR, VM_FAULT_MAPERR);
    s.mm->rlimit.stack = U64_MAX;
    scene_map(&s, 'A', 0, 1); /* (4 MiB - 1 page) below */
    u64 nearest = scene_addr(1) + STACK_GUARD_GAP;
    assert_int_equal(host_store_u8(nearest, 1), 0);
    assert_int_equal(host_store_u8(nearest - PAGE_SIZE, 1) & VM_FAULT_MAPERR, VM_FAULT_MAPERR);
    assert_null(vma_validate(s.mm));
}

/* A stack has its anonymous pages' identity before it grows: it stays apart from an area below that it only now touches. */
static void stack_grows_to_its_like(void **state)
{
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_GROWSDOWN | UAPI_MAP_FIXED;
    u64 at = SCENE_BASE + (4UL << 20);
    assert_int_equal(host_mmap(at, 6 * PAGE_SIZE, RW, flags, NULL, 0), at);
    assert_int_equal(host_munmap(at + 4 * PAGE_SIZE, PAGE_SIZE), 0);
    assert_int_equal(host_store_u8(at + 3 * PAGE_SIZE, 1), 0);
    assert_int_equal(host_store_u8(at + 4 * PAGE_SIZE, 1), 0);
    struct vma *low = vma_find(s.mm, at), *high = vma_next(low);
    assert_int_equal(vma_end(low), vma_start(high));
    assert_int_not_equal(low->anon_id, high->anon_id);
    assert_int_equal(host_mlockall(UAPI_MCL_CURRENT | UAPI_MCL_ONFAULT), 0);
    assert_int_equal(s.mm->map_count, 2);
    assert_null(vma_validate(s.mm));
}

static void fork_copies_the_layout(void **state)
{
    int err;
    scene_make(&s, "AA|RR|FF|SS");
    assert_int_equal(host_madvise(scene_addr(2), PAGE_SIZE, UAPI_MADV_DONTFORK), 0);
    host_store_u8(scene_addr(0), 3);
    struct mm *child = host_fork(&err), *parent = s.mm;
    assert_non_null(child);
    s.mm = child;
    assert_scene(&s, "AA.R|FF|SS");
    s.mm = parent;
    assert_scene(&s, "AA|R|R|FF|SS");
    host_mm_exit(child);
}

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(neighbours_merge_when_they_agree), SCENE_TEST(anonymous_pages_decide), SCENE_TEST(a_child_merges_less),
        SCENE_TEST(growing_down_from_the_next),
        SCENE_TEST(files_merge_by_offset),
        SCENE_TEST(a_fixed_mapping_replaces),
        SCENE_TEST(unmapping),
        SCENE_TEST(unmapping_errors),
        SCENE_TEST(protecting_splits_and_joins),
        SCENE_TEST(protecting_over_a_hole),
        SCENE_TEST(protection_decides_about_access),
        SCENE_TEST(locking_splits_and_counts),
        SCENE_TEST(moving),
        SCENE_TEST(growing_in_place_and_by_moving),
        SCENE_TEST(moving_part_of_an_area),
        SCENE_TEST(a_moved_touched_page_does_not_merge),
        SCENE_TEST(dontunmap_leaves_an_empty_area),
        SCENE_TEST(dontunmap_beside_the_origin_stays_apart),
        SCENE_TEST(old_size_zero_is_a_second_view),
        SCENE_TEST(mremap_errors),
        SCENE_TEST(noreplace_refuses),
        SCENE_TEST(a_hint_is_taken_when_free),
        SCENE_TEST(top_down_stacks_areas),
        SCENE_TEST(mmap_errors),
        SCENE_TEST(limits_hold),
        SCENE_TEST(limits_hold_for_rights),
        SCENE_TEST(map_count_is_limited),
        SCENE_TEST(heap),
        SCENE_TEST(stack_grows_to_its_limit),
        SCENE_TEST(stack_grows_to_its_like),
        SCENE_TEST(fork_copies_the_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
