/* SPDX-License-Identifier: MIT */
/* Simulated processes and what the port gives the core besides memory: user copies, clock, randomness, fail points. */
#include "../common/machine.h"
#include <port/clock.h>
#include <port/random.h>
#include <port/uaccess.h>
#include <errno.h>

static struct mm *mm;
static u64 at; /* two pages, then nothing */

static int up(void **state)
{
    machine_up(32, 2, 1);
    mm = host_mm_new();
    host_mm_switch(mm);
    at = (u64)host_mmap_anon(3 * PAGE_SIZE);
    assert_int_equal(host_munmap(at + 2 * PAGE_SIZE, PAGE_SIZE), 0);
    return 0;
}

static int down(void **state)
{
    host_mm_exit(mm);
    machine_down();
    return 0;
}

static void copies_count_what_is_left(void **state)
{
    char text[100], back[100];
    memset(text, 'x', sizeof(text));
    u64 end = at + 2 * PAGE_SIZE;
    assert_int_equal(copy_to_user(end - 60, text, 100), 40);
    assert_int_equal(copy_from_user(back, end - 60, 100), 40);
    assert_memory_equal(text, back, 60);
    assert_int_equal(clear_user(end - 60, 30), 0);
    assert_int_equal(copy_from_user(back, end - 60, 31), 0);
    assert_int_equal(back[29], 0);
    assert_int_equal(back[30], 'x');
    assert_int_equal(clear_user(end - 10, 30), 20);
    /* The kernel's half and ranges that wrap are refused before anything is touched. */
    assert_int_equal(copy_to_user(mm->task_size - 4, text, 8), 8);
    assert_int_equal(copy_to_user(U64_MAX - 3, text, 8), 8);
    assert_int_equal(copy_from_user(back, 0, 8), 8);
}

static void rights_hold_for_the_kernel_too(void **state)
{
    char b = 1;
    assert_int_equal(host_store_u8(at, 5), 0);
    assert_int_equal(host_mprotect(at, PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(copy_to_user(at, &b, 1), 1);
    assert_int_equal(copy_from_user(&b, at, 1), 0);
    assert_int_equal(b, 5);
}

static void strings_end(void **state)
{
    char name[16];
    assert_int_equal(copy_to_user(at, "a name", 7), 0);
    assert_int_equal(strncpy_from_user(name, at, sizeof(name)), 6);
    assert_string_equal(name, "a name");
    assert_int_equal(strncpy_from_user(name, at, 6), -ENAMETOOLONG);
    assert_int_equal(strncpy_from_user(name, at + 2 * PAGE_SIZE, 6), -EFAULT);
    assert_int_equal(copy_to_user(at + 2 * PAGE_SIZE - 3, "abc", 3), 0);
    assert_int_equal(strncpy_from_user(name, at + 2 * PAGE_SIZE - 3, sizeof(name)), -EFAULT);
}

static void words_are_exchanged(void **state)
{
    u32 old = 0, word;
    assert_int_equal(user_cmpxchg_u32(at, &old, 7), 0);
    assert_int_equal(old, 0);
    old = 3;
    assert_int_equal(user_cmpxchg_u32(at, &old, 9), 0);
    assert_int_equal(old, 7); /* not what was expected: nothing changed */
    assert_int_equal(copy_from_user(&word, at, 4), 0);
    assert_int_equal(word, 7);
    assert_int_equal(user_cmpxchg_u32(at + 2, &old, 9), -EFAULT);
    assert_int_equal(user_cmpxchg_u32(at + 2 * PAGE_SIZE, &old, 9), -EFAULT);
}

static void a_child_has_its_own_memory(void **state)
{
    int err;
    u8 b;
    assert_int_equal(host_store_u8(at, 1), 0);
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    assert_int_equal(host_store_u8(at, 2), 0);
    host_mm_switch(child);
    assert_int_equal(host_load_u8(at, &b), 0);
    assert_int_equal(b, 1);
    assert_int_equal(host_store_u8(at, 3), 0);
    host_mm_exit(child);
    host_mm_switch(mm);
    assert_int_equal(host_load_u8(at, &b), 0);
    assert_int_equal(b, 2);
    assert_int_equal(host_exec(at), VM_FAULT_ACCERR);
}

static void return_with_a_lock(void *arg)
{
    mmap_read_lock(mm);
    host_brk(0);
}

static void a_lock_kept_by_a_call_is_noticed(void **state)
{
    machine_up(32, 1, 1);
    mm = host_mm_new();
    host_mm_switch(mm);
    const char *text = host_catch_panic(return_with_a_lock, NULL);
    assert_non_null(text);
    machine_abandon();
}

static void a_seed_gives_the_same_numbers(void **state)
{
    u64 first[3];
    for (u64 run = 0; run < 3; run++) {
        machine_up(16, 1, run == 2 ? 8 : 7);
        u64 t0 = clock_ns(), t1 = clock_ns();
        assert_true(t1 > t0);
        first[run] = random_u64();
        assert_int_not_equal(first[run], random_u64());
        machine_down();
    }
    assert_int_equal(first[0], first[1]);
    assert_int_not_equal(first[0], first[2]);
}

static void failures_come_when_asked_for(void **state)
{
    const struct host_config cfg = {.seed = 3};
    host_machine_start(&cfg);
    u64 n = 0;
    host_fail_nth(FAIL_IO, 3, false);
    for (u64 i = 1; i <= 10; i++)
        assert_int_equal(failpoint_hit(FAIL_IO), i == 3);
    assert_int_equal(host_fail_hits(FAIL_IO), 10);
    host_fail_nth(FAIL_IO, 3, true);
    for (u64 i = 1; i <= 10; i++)
        assert_int_equal(failpoint_hit(FAIL_IO), i >= 3);
    host_fail_chance(FAIL_IO, 250);
    for (u64 i = 0; i < 10000; i++)
        n += failpoint_hit(FAIL_IO);
    assert_in_range(n, 2200, 2800);
    host_fail_none();
    for (u64 i = 0; i < 100; i++)
        assert_false(failpoint_hit(FAIL_IO));
    host_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_count_what_is_left, up, down),
        cmocka_unit_test_setup_teardown(rights_hold_for_the_kernel_too, up, down),
        cmocka_unit_test_setup_teardown(strings_end, up, down),
        cmocka_unit_test_setup_teardown(words_are_exchanged, up, down),
        cmocka_unit_test_setup_teardown(a_child_has_its_own_memory, up, down),
        cmocka_unit_test(a_lock_kept_by_a_call_is_noticed),
        cmocka_unit_test(a_seed_gives_the_same_numbers),
        cmocka_unit_test(failures_come_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
