/* SPDX-License-Identifier: MIT */
/* Sealed areas: who refuses what, that a refusal changes nothing but a cut, and that a child inherits the seal. */
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

static s64 seal(unsigned page, unsigned n)
{
    return sys_mm_mseal(s.mm, scene_addr(page), n * PAGE_SIZE, 0);
}

static void arguments(void **state)
{
    scene_make(&s, "AA.A");
    assert_int_equal(sys_mm_mseal(s.mm, scene_addr(0), PAGE_SIZE, 1), -EINVAL);
    assert_int_equal(sys_mm_mseal(s.mm, scene_addr(0) + 1, PAGE_SIZE, 0), -EINVAL);
    assert_int_equal(sys_mm_mseal(s.mm, scene_addr(0), U64_MAX, 0), -EINVAL);
    assert_int_equal(sys_mm_mseal(s.mm, scene_addr(0), 0, 0), 0);
    assert_int_equal(seal(0, 4), -ENOMEM);
    assert_int_equal(seal(1, 2), -ENOMEM);
    assert_int_equal(seal(2, 1), -ENOMEM);
    assert_int_equal(host_munmap(scene_addr(0), PAGE_SIZE), 0); /* nothing was sealed */
}

static void unmapping_refuses_as_a_whole(void **state)
{
    scene_make(&s, "AAAAAA");
    assert_int_equal(seal(2, 2), 0);
    assert_scene(&s, "AA|AA|AA");
    assert_int_equal(host_munmap(scene_addr(3), PAGE_SIZE), -EPERM);
    assert_int_equal(host_munmap(scene_addr(0), 6 * PAGE_SIZE), -EPERM);
    assert_int_equal(host_munmap(scene_addr(3), 2 * PAGE_SIZE), -EPERM);
    assert_scene(&s, "AA|AA|AA");
    assert_int_equal(host_munmap(scene_addr(1), 2 * PAGE_SIZE), -EPERM);
    assert_scene(&s, "A|A|AA|AA"); /* as on Linux, the cut in front stays */
    assert_int_equal(s.mm->total_vm, 6);
}

static void replacing_and_protecting(void **state)
{
    u64 flags = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED;
    scene_make(&s, "AAAA");
    assert_int_equal(seal(1, 1), 0);
    assert_int_equal(host_mmap(scene_addr(1), PAGE_SIZE, UAPI_PROT_READ, flags, NULL, 0), -EPERM);
    assert_int_equal(host_mmap(scene_addr(0), 4 * PAGE_SIZE, UAPI_PROT_READ, flags, NULL, 0), -EPERM);
    assert_int_equal(host_mprotect(scene_addr(1), PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE), -EPERM);
    assert_int_equal(host_mprotect(scene_addr(0), 4 * PAGE_SIZE, UAPI_PROT_READ), -EPERM);
    assert_scene(&s, "R|A|AA"); /* what lies before the sealed area is done */
    assert_int_equal(host_store_u8(scene_addr(1), 1), 0);
}

static void moving(void **state)
{
    u64 fixed = UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED;
    scene_make(&s, "AA.A");
    assert_int_equal(seal(0, 1), 0);
    assert_int_equal(host_mremap(scene_addr(0), PAGE_SIZE, PAGE_SIZE, 0, 0), -EPERM);
    assert_int_equal(host_mremap(scene_addr(0), PAGE_SIZE, PAGE_SIZE, fixed, scene_addr(8)), -EPERM);
    assert_int_equal(host_mremap(scene_addr(3), PAGE_SIZE, PAGE_SIZE, fixed, scene_addr(0)), -EPERM);
    assert_int_equal(host_mremap(scene_addr(2), PAGE_SIZE, PAGE_SIZE, 0, 0), -EFAULT);
    assert_scene(&s, "A|A.A");
}

static void losing_bytes(void **state)
{
    scene_make(&s, "A|R");
    assert_int_equal(seal(0, 2), 0);
    assert_int_equal(host_madvise(scene_addr(0), PAGE_SIZE, UAPI_MADV_DONTNEED), 0); /* it may write zeros itself */
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_DONTNEED), -EPERM);
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_FREE), -EPERM);
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_DONTFORK), -EPERM);
    assert_int_equal(host_madvise(scene_addr(1), PAGE_SIZE, UAPI_MADV_RANDOM), 0);
}

static void a_child_inherits(void **state)
{
    int err;
    scene_make(&s, "AA");
    assert_int_equal(seal(0, 1), 0);
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    host_mm_switch(child);
    assert_int_equal(host_munmap(scene_addr(0), PAGE_SIZE), -EPERM);
    assert_int_equal(host_munmap(scene_addr(1), PAGE_SIZE), 0);
    host_mm_switch(s.mm);
    host_mm_exit(child); /* the end of the space needs no permission */
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(arguments),    T(unmapping_refuses_as_a_whole), T(replacing_and_protecting), T(moving),
        T(losing_bytes), T(a_child_inherits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
