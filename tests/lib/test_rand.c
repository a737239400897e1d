/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/hash.h>
#include <lib/rand.h>

static void same_seed_same_sequence(void **state)
{
    struct rand a, b, c;
    rand_init(&a, 7);
    rand_init(&b, 7);
    rand_init(&c, 8);
    u32 equal = 0;
    for (u32 i = 0; i < 1000; i++) {
        u64 v = rand_next(&a);
        assert_true(v == rand_next(&b));
        equal += v == rand_next(&c);
    }
    assert_int_equal(equal, 0);
}

/* splitmix64 of seed 0 begins with this number (its authors' published test value). */
static void known_values(void **state)
{
    struct rand r;
    rand_init(&r, 0);
    assert_true(r.s[0] == 0xe220a8397b1dcdafUL);
    /* with the state 1, 2, 3, 4 the generator's first results can be worked out by hand */
    r = (struct rand){{1, 2, 3, 4}};
    assert_true(rand_next(&r) == 11520);
    assert_true(rand_next(&r) == 0);
}

static void ranges(void **state)
{
    struct rand r;
    u32 hits[10] = {0};
    rand_init(&r, 3);
    for (u32 i = 0; i < 10000; i++)
        hits[rand_below(&r, 10)]++;
    for (u32 i = 0; i < 10; i++)
        assert_in_range(hits[i], 850, 1150);
    for (u32 i = 0; i < 1000; i++)
        assert_in_range(rand_range(&r, 5, 7), 5, 7);
    assert_int_equal(rand_below(&r, 0), 0);
    assert_int_equal(rand_below(&r, 1), 0);
    assert_int_equal(rand_range(&r, 9, 9), 9);
    rand_range(&r, 0, U64_MAX);
}

static void hashes(void **state)
{
    assert_int_equal(mix64(0), 0);
    assert_true(hash_str("abc") == hash_bytes("abc", 3));
    assert_true(hash_str("abc") != hash_str("acb"));
    assert_true(hash_str("") == hash_bytes("x", 0));
    u32 used[64] = {0}, filled = 0;
    for (u64 page = 0; page < 256; page++)
        used[hash_u64(page << 12, 6)]++;
    for (u32 i = 0; i < 64; i++)
        filled += used[i] != 0;
    assert_true(filled >= 56);
    for (u32 bit = 0; bit < 64; bit++) {
        int flips = __builtin_popcountl(mix64(0x1234567) ^ mix64(0x1234567 ^ 1UL << bit));
        assert_in_range(flips, 12, 52);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_sequence),
        cmocka_unit_test(known_values),
        cmocka_unit_test(ranges),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
