/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/bits.h>

static void words(void **state)
{
    assert_int_equal(ffs_u64(1), 0);
    assert_int_equal(ffs_u64(1UL << 63), 63);
    assert_int_equal(ffs_u64(0x50), 4);
    assert_int_equal(fls_u64(1), 0);
    assert_int_equal(fls_u64(U64_MAX), 63);
    assert_int_equal(fls_u64(0x50), 6);
    assert_int_equal(ffz_u64(0), 0);
    assert_int_equal(ffz_u64(0xff), 8);
    assert_int_equal(ilog2_u64(4096), 12);
    assert_int_equal(ilog2_u64(4097), 12);
    assert_int_equal(BIT_MASK(7, 4), 0xf0);
    assert_true(BIT_MASK(63, 0) == U64_MAX);
}

static void powers(void **state)
{
    assert_int_equal(roundup_pow2(0), 1);
    assert_int_equal(roundup_pow2(1), 1);
    assert_int_equal(roundup_pow2(3), 4);
    assert_int_equal(roundup_pow2(4096), 4096);
    assert_int_equal(roundup_pow2(4097), 8192);
    assert_true(roundup_pow2((1UL << 63) - 1) == 1UL << 63);
    assert_int_equal(rounddown_pow2(4097), 4096);
    assert_false(is_pow2(0));
    assert_true(is_pow2(1));
    assert_false(is_pow2(6));
}

static void weight(void **state)
{
    assert_int_equal(weight_u64(0), 0);
    assert_int_equal(weight_u64(U64_MAX), 64);
    u64 x = 0x123456789abcdef1UL;
    for (u32 i = 0; i < 1000; i++, x = x * 6364136223846793005UL + 1)
        assert_int_equal(weight_u64(x), __builtin_popcountl(x));
}

static void arrays(void **state)
{
    u64 map[3] = {0};
    const u64 at[] = {0, 63, 64, 130, 191};
    for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
        assert_false(test_bit(at[i], map));
        assert_false(test_and_set_bit(at[i], map));
        assert_true(test_and_set_bit(at[i], map));
        assert_true(atomic_test_bit(at[i], map));
        assert_true(atomic_test_and_clear_bit(at[i], map));
        assert_false(atomic_test_and_clear_bit(at[i], map));
        assert_false(atomic_test_and_set_bit(at[i], map));
        assert_true(atomic_test_and_set_bit(at[i], map));
        atomic_clear_bit(at[i], map);
        assert_false(test_bit(at[i], map));
        atomic_set_bit(at[i], map);
        assert_true(test_and_clear_bit(at[i], map));
        set_bit(at[i], map);
        assert_true(test_bit(at[i], map));
    }
    assert_true(map[0] == (1UL << 63 | 1) && map[1] == 1 && map[2] == (1UL << 63 | 4));
    clear_bit(191, map);
    assert_int_equal(map[2], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(powers),
        cmocka_unit_test(weight),
        cmocka_unit_test(arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
