/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/cpumask.h>

static void change(void **state)
{
    cpumask_t m = CPUMASK_NONE;
    assert_true(cpumask_empty(m));
    assert_int_equal(cpumask_first(m), NR_CPUS);
    cpumask_set(&m, 3);
    cpumask_set_atomic(&m, 63);
    assert_true(cpumask_test(m, 3) && cpumask_test_atomic(&m, 63));
    assert_int_equal(cpumask_weight(m), 2);
    assert_true(cpumask_test_and_set_atomic(&m, 3));
    assert_false(cpumask_test_and_set_atomic(&m, 0));
    assert_true(cpumask_test_and_clear_atomic(&m, 0));
    assert_false(cpumask_test_and_clear_atomic(&m, 0));
    cpumask_clear(&m, 3);
    cpumask_clear_atomic(&m, 63);
    assert_true(cpumask_equal(m, CPUMASK_NONE));
}

static void algebra(void **state)
{
    cpumask_t a = {0x0f}, b = {0x3c};
    assert_int_equal(cpumask_and(a, b).bits, 0x0c);
    assert_int_equal(cpumask_or(a, b).bits, 0x3f);
    assert_int_equal(cpumask_andnot(a, b).bits, 0x03);
    assert_int_equal(cpumask_of(5).bits, 0x20);
    assert_int_equal(cpumask_first_n(0).bits, 0);
    assert_int_equal(cpumask_first_n(4).bits, 0x0f);
    assert_true(cpumask_first_n(64).bits == U64_MAX);
}

static void walk(void **state)
{
    cpumask_t m = {1UL << 63 | 1UL << 40 | 2};
    u32 cpu, seen[3], n = 0;
    assert_int_equal(cpumask_next(1, m), 40);
    assert_int_equal(cpumask_next(62, m), 63);
    assert_int_equal(cpumask_next(63, m), NR_CPUS);
    for_each_cpu (cpu, m) {
        seen[n++] = cpu;
        cpumask_clear(&m, 40); /* the loop keeps its snapshot */
    }
    assert_int_equal(n, 3);
    assert_true(seen[0] == 1 && seen[1] == 40 && seen[2] == 63);
    for_each_cpu (cpu, CPUMASK_NONE)
        fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change),
        cmocka_unit_test(algebra),
        cmocka_unit_test(walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
