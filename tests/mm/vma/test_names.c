/* SPDX-License-Identifier: MIT */
/* Names of anonymous areas: they cut and join areas, move and fork with them; and memory that may not become executable. */
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

static s64 name(unsigned page, unsigned n, const char *text)
{
    return sys_mm_set_name(s.mm, scene_addr(page), n * PAGE_SIZE, text);
}

static const char *name_at(struct mm *mm, unsigned page)
{
    struct vma *v = vma_find(mm, scene_addr(page));
    assert_true(v && vma_start(v) <= scene_addr(page));
    return v->name;
}

static void names_cut_and_join(void **state)
{
    scene_make(&s, "AAAAAA");
    assert_int_equal(name(1, 1, "one"), 0);
    assert_scene(&s, "A|A|AAAA");
    assert_int_equal(name(2, 1, "one"), 0);
    assert_scene(&s, "A|AA|AAA");
    assert_int_equal(name(3, 1, "two"), 0);
    assert_scene(&s, "A|AA|A|AA");
    assert_string_equal(name_at(s.mm, 2), "one");
    assert_int_equal(name(0, 6, NULL), 0);
    assert_scene(&s, "AAAAAA");
    assert_null(name_at(s.mm, 2));
}

static void a_new_area_keeps_apart(void **state)
{
    scene_make(&s, "AA");
    assert_int_equal(name(0, 2, "x"), 0);
    scene_map(&s, 'A', 2, 1);
    assert_scene(&s, "AA|A");
    assert_int_equal(name(2, 1, "x"), 0);
    assert_scene(&s, "AAA");
}

static void errors(void **state)
{
    scene_make(&s, "AA.A|F|S");
    assert_int_equal(sys_mm_set_name(s.mm, scene_addr(0) + 1, PAGE_SIZE, "x"), -EINVAL);
    assert_int_equal(sys_mm_set_name(s.mm, scene_addr(0), U64_MAX, "x"), -EINVAL);
    assert_int_equal(name(2, 1, "x"), -ENOMEM);
    assert_int_equal(name(1, 3, "x"), -ENOMEM); /* both sides of the hole are named */
    assert_string_equal(name_at(s.mm, 1), "x");
    assert_string_equal(name_at(s.mm, 3), "x");
    assert_int_equal(name(4, 1, "x"), -EBADF);
    assert_int_equal(name(5, 1, "x"), -EBADF);
}

static void names_move_and_fork(void **state)
{
    int err;
    scene_make(&s, "AA");
    assert_int_equal(name(0, 1, "moves"), 0);
    s64 to = host_mremap(scene_addr(0), PAGE_SIZE, PAGE_SIZE, UAPI_MREMAP_MAYMOVE | UAPI_MREMAP_FIXED, scene_addr(8));
    assert_int_equal(to, scene_addr(8));
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    assert_string_equal(name_at(child, 8), "moves");
    assert_string_equal(name_at(s.mm, 8), "moves");
    host_mm_exit(child);
}

static void nothing_becomes_executable(void **state)
{
    const u64 r = UAPI_PROT_READ, w = UAPI_PROT_WRITE, x = UAPI_PROT_EXEC;
    u64 anon = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED;
    scene_make(&s, "A|R");
    s.mm->flags |= MMF_MDWE;
    assert_int_equal(host_mprotect(scene_addr(0), PAGE_SIZE, r | x), -EACCES);
    assert_int_equal(host_mprotect(scene_addr(1), PAGE_SIZE, r | w | x), -EACCES);
    assert_int_equal(host_mmap(scene_addr(0), PAGE_SIZE, r | w | x, anon, NULL, 0), -EACCES);
    assert_int_equal(host_mmap(scene_addr(4), PAGE_SIZE, r | x, anon, NULL, 0), scene_addr(4));
    assert_int_equal(host_mprotect(scene_addr(4), PAGE_SIZE, r), 0);
    assert_int_equal(host_mprotect(scene_addr(4), PAGE_SIZE, r | x), -EACCES);
    assert_int_equal(mmf_inherited(MMF_MDWE | MMF_UNSTABLE), MMF_MDWE);
    assert_int_equal(mmf_inherited(MMF_MDWE | MMF_MDWE_NO_INHERIT), 0);
}

/* A cut copies the name; if the copy of the area then fails, the name's goes, too. */
static void a_cut_that_fails_keeps_no_name(void **state)
{
    s64 r;
    scene_make(&s, "AAAA");
    assert_int_equal(name(0, 4, "x"), 0);
    for (u64 n = 1;; n++) {
        host_fail_nth(FAIL_SLAB_ALLOC, n, false);
        r = host_munmap(scene_addr(1), PAGE_SIZE);
        host_fail_none();
        if (!r)
            break;
        assert_int_equal(r, -ENOMEM);
        assert_scene(&s, "AAAA");
    }
    assert_scene(&s, "A.AA");
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_cut_and_join), T(a_new_area_keeps_apart),     T(errors),
        T(names_move_and_fork), T(nothing_becomes_executable),
        T(a_cut_that_fails_keeps_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
