/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/crc32.h>
#include <lib/rand.h>

static u32 bit_by_bit(u32 crc, const u8 *p, size_t n)
{
    crc = ~crc;
    while (n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void known_values(void **state)
{
    assert_true(crc32_update(0, "", 0) == 0);
    assert_true(crc32_update(0, "123456789", 9) == 0xcbf43926);
}

static void any_length_and_alignment(void **state)
{
    u8 buf[128];
    struct rand r;
    rand_init(&r, 1);
    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = (u8)rand_next(&r);
    for (size_t start = 0; start < 9; start++) {
        for (size_t n = 0; n + start <= sizeof(buf); n++) {
            u32 want = bit_by_bit(0, buf + start, n);
            assert_true(crc32_update(0, buf + start, n) == want);
            size_t cut = rand_below(&r, n + 1);
            u32 first = crc32_update(0, buf + start, cut);
            assert_true(crc32_update(first, buf + start + cut, n - cut) == want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(any_length_and_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
