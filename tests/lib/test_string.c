/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/string.h>

static void lengths_and_order(void **state)
{
    assert_int_equal(str_len(""), 0);
    assert_int_equal(str_len("abc"), 3);
    assert_int_equal(str_nlen("abc", 2), 2);
    assert_int_equal(str_nlen("abc", 9), 3);
    assert_true(str_cmp("a", "b") < 0 && str_cmp("b", "a") > 0 && str_cmp("a", "a") == 0);
    assert_true(str_cmp("a", "ab") < 0 && str_cmp("\xff", "a") > 0);
    assert_true(str_ncmp("abc", "abd", 2) == 0 && str_ncmp("abc", "abd", 3) < 0);
    assert_true(str_ncmp("ab", "ab", 9) == 0 && str_ncmp("x", "y", 0) == 0);
    assert_true(str_eq("x", "x") && !str_eq("x", "xy"));
}

static void copy(void **state)
{
    char buf[4];
    assert_int_equal(str_copy(buf, "abc", sizeof(buf)), 3);
    assert_string_equal(buf, "abc");
    assert_int_equal(str_copy(buf, "abcd", sizeof(buf)), -E2BIG);
    assert_string_equal(buf, "abc");
    assert_int_equal(str_copy(buf, "", 1), 0);
    assert_int_equal(str_copy(buf, "x", 1), -E2BIG);
    assert_string_equal(buf, "");
}

static void search(void **state)
{
    const char *s = "/a/b";
    assert_ptr_equal(str_chr(s, '/'), s);
    assert_ptr_equal(str_rchr(s, '/'), s + 2);
    assert_ptr_equal(str_chr(s, '\0'), s + 4);
    assert_ptr_equal(str_rchr(s, '\0'), s + 4);
    assert_null(str_chr(s, 'x'));
    assert_null(str_rchr(s, 'x'));
    assert_ptr_equal(str_find(s, "/b"), s + 2);
    assert_ptr_equal(str_find(s, ""), s);
    assert_null(str_find(s, "/bc"));
    assert_true(str_starts(s, "/a") && str_starts(s, "") && !str_starts("/", "/a"));
    assert_true(str_ends(s, "/b") && !str_ends(s, "/a") && !str_ends("b", "/b"));
}

static void numbers(void **state)
{
    u64 v = 0;
    const char *end;
    assert_int_equal(str_parse_u64("0", 10, &v, NULL), 0);
    assert_int_equal(v, 0);
    assert_int_equal(str_parse_u64("18446744073709551615", 10, &v, NULL), 0);
    assert_true(v == U64_MAX);
    assert_int_equal(str_parse_u64("18446744073709551616", 10, &v, NULL), -ERANGE);
    assert_int_equal(str_parse_u64("99999999999999999999", 10, &v, &end), -ERANGE);
    assert_string_equal(end, "");
    assert_int_equal(str_parse_u64("0x1fG", 0, &v, &end), 0);
    assert_int_equal(v, 0x1f);
    assert_string_equal(end, "G");
    assert_int_equal(str_parse_u64("0Xff", 16, &v, NULL), 0);
    assert_int_equal(v, 0xff);
    assert_int_equal(str_parse_u64("ff", 16, &v, NULL), 0);
    assert_int_equal(str_parse_u64("0755", 0, &v, NULL), 0);
    assert_int_equal(v, 0755);
    assert_int_equal(str_parse_u64("0x", 0, &v, &end), 0);
    assert_int_equal(v, 0);
    assert_string_equal(end, "x");
    assert_int_equal(str_parse_u64("", 10, &v, NULL), -EINVAL);
    assert_int_equal(str_parse_u64("-1", 10, &v, NULL), -EINVAL);
    assert_int_equal(str_parse_u64("12x", 10, &v, NULL), -EINVAL);
    assert_int_equal(str_parse_u64("zz", 36, &v, NULL), 0);
    assert_int_equal(v, 35 * 36 + 35);
}

static void signed_numbers(void **state)
{
    s64 v = 0;
    assert_int_equal(str_parse_s64("-9223372036854775808", 10, &v, NULL), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(str_parse_s64("+9223372036854775807", 10, &v, NULL), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(str_parse_s64("9223372036854775808", 10, &v, NULL), -ERANGE);
    assert_int_equal(str_parse_s64("-9223372036854775809", 10, &v, NULL), -ERANGE);
    assert_int_equal(str_parse_s64("-", 10, &v, NULL), -EINVAL);
    assert_int_equal(str_parse_s64("--1", 10, &v, NULL), -EINVAL);
}

static void sizes(void **state)
{
    u64 v = 0;
    const char *end;
    assert_int_equal(str_parse_size("512M", &v, NULL), 0);
    assert_int_equal(v, 512UL << 20);
    assert_int_equal(str_parse_size("16g", &v, NULL), 0);
    assert_int_equal(v, 16UL << 30);
    assert_int_equal(str_parse_size("0x10k@3", &v, &end), 0);
    assert_int_equal(v, 16384);
    assert_string_equal(end, "@3");
    assert_int_equal(str_parse_size("4096", &v, NULL), 0);
    assert_int_equal(v, 4096);
    assert_int_equal(str_parse_size("15E", &v, NULL), 0);
    assert_int_equal(str_parse_size("16E", &v, NULL), -ERANGE);
    assert_int_equal(str_parse_size("99999999999999999999M", &v, NULL), -ERANGE);
    assert_int_equal(str_parse_size("M", &v, NULL), -EINVAL);
    assert_int_equal(str_parse_size("1MB", &v, NULL), -EINVAL);
    assert_int_equal(str_parse_size("", &v, NULL), -EINVAL);
}

static void nonzero(void **state)
{
    u8 buf[40] = {0};
    for (size_t start = 0; start < 8; start++) {
        for (size_t n = 0; n <= 32; n++) {
            assert_int_equal(mem_find_nonzero(buf + start, n), n);
            for (size_t at = 0; at < n; at++) {
                buf[start + at] = 0x80;
                assert_int_equal(mem_find_nonzero(buf + start, n), at);
                buf[start + at] = 0;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_and_order),
        cmocka_unit_test(copy),
        cmocka_unit_test(search),
        cmocka_unit_test(numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(nonzero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
