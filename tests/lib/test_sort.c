/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/rand.h>
#include <lib/sort.h>

struct odd {
    u8 key;
    u8 copy[12];
};

static int by_u64(const void *a, const void *b, void *ctx)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;
    ++*(u64 *)ctx;
    return x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b, void *ctx)
{
    return *(const u8 *)a - *(const u8 *)b;
}

static int libc_u64(const void *a, const void *b)
{
    u64 compared = 0;
    return by_u64(a, b, &compared);
}

static void random_numbers(void **state)
{
    static u64 a[1000], b[1000];
    struct rand r;
    rand_init(&r, 5);
    for (u32 round = 0; round < 300; round++) {
        u64 n = rand_below(&r, round < 100 ? 10 : 1000), spread = 1 + rand_below(&r, 2000);
        for (u64 i = 0; i < n; i++)
            a[i] = b[i] = rand_below(&r, spread);
        u64 compared = 0;
        sort_array(a, n, sizeof(*a), by_u64, &compared);
        qsort(b, n, sizeof(*b), libc_u64);
        assert_memory_equal(a, b, n * sizeof(*a) + (n == 0));
        assert_true(compared <= 40 * n + 40);
    }
}

static void elements_stay_whole(void **state)
{
    struct odd a[200];
    struct rand r;
    rand_init(&r, 6);
    for (u32 i = 0; i < ARRAY_SIZE(a); i++) {
        a[i].key = (u8)rand_below(&r, 256);
        memset(a[i].copy, a[i].key, sizeof(a[i].copy));
    }
    sort_array(a, ARRAY_SIZE(a), sizeof(a[0]), by_key, NULL);
    for (u32 i = 0; i < ARRAY_SIZE(a); i++) {
        assert_true(i == 0 || a[i - 1].key <= a[i].key);
        for (u32 k = 0; k < sizeof(a[i].copy); k++)
            assert_int_equal(a[i].copy[k], a[i].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(elements_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
