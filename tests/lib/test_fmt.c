/* SPDX-License-Identifier: MIT */
/* The C library's snprintf is the model: same text, same result, at every buffer size. */
#include "test.h"
#include <lib/fmt.h>
#include <lib/rand.h>

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#endif

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[256], theirs[256];                                                               \
        int want = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                  \
        for (size_t size = 0; size <= (size_t)want + 2; size++) {                                  \
            memset(ours, '~', sizeof(ours));                                                       \
            snprintf(theirs, size, __VA_ARGS__);                                                   \
            assert_int_equal(fmt_print(ours, size, __VA_ARGS__), want);                            \
            if (size)                                                                              \
                assert_string_equal(ours, theirs);                                                 \
            assert_int_equal(ours[size], '~');                                                     \
        }                                                                                          \
    } while (0)

static void plain(void **state)
{
    SAME("%s", "");
    SAME("hello");
    SAME("100%% of %c%c", 'o', 'k');
    SAME("%d %u %x %X %o", -5, 5U, 0xbeefU, 0xbeefU, 0755U);
    SAME("%ld %lu %lx %lld %llu %llx %zu %zd", -1L, U64_MAX, U64_MAX, -2LL, 3ULL, 4ULL, (size_t)5,
         (ssize_t)-6);
    SAME("%hhd %hhu %hd %hu %hhx", -1, 300, -1, 70000, 0x1234);
    SAME("%ti %jd", (ptrdiff_t)-7, (intmax_t)8);
    SAME("%d %ld", INT32_MIN, INT64_MIN);
    SAME("%p", (void *)0xdead1000UL);
    SAME("%s", (char *)NULL);
}

static void widths(void **state)
{
    SAME("[%5d][%-5d][%05d][%+d][% d][%+05d]", 42, 42, 42, 42, 42, 42);
    SAME("[%5d][%-5d][%05d][%+d][% d]", -42, -42, -42, -42, -42);
    SAME("[%02x][%08lx][%#x][%#X][%#o][%#x][%#o]", 5, 0xabcUL, 255, 255, 8, 0, 0);
    SAME("[%-10s][%10s][%.2s][%.*s][%-*s][%*d]", "ab", "cd", "efg", 1, "hi", 6, "jk", -6, 9);
    SAME("[%.0d][%.5d][%8.3d][%-8.3d][%08.3d][%.*d]", 0, 42, 42, 42, 42, -1, 7);
    SAME("[%#.3o][%#5x][%-#8x][%#08x][%.0x][%#.0o]", 8, 255, 255, 255, 0, 0);
    SAME("[%3c][%-3c][%20p][%-20p]", 'a', 'b', (void *)0x10, (void *)0x10);
    SAME("%016lx-%016lx", 0x400000UL, U64_MAX);
}

static void odd_formats(void **state)
{
    char buf[32];
    assert_int_equal(fmt_print(buf, sizeof(buf), "a%yb"), 4);
    assert_string_equal(buf, "a%yb");
    assert_int_equal(fmt_print(buf, sizeof(buf), "a%"), 2);
    assert_string_equal(buf, "a%");
    assert_int_equal(fmt_print(buf, sizeof(buf), "%-5"), 3);
    assert_string_equal(buf, "%-5");
    assert_int_equal(fmt_print(buf, sizeof(buf), "%p", NULL), 3);
    assert_string_equal(buf, "0x0");
    char unterminated[3] = {'x', 'y', 'z'};
    assert_int_equal(fmt_print(buf, sizeof(buf), "%.3s", unterminated), 3);
    assert_string_equal(buf, "xyz");
}

static void random_numbers(void **state)
{
    static const char *const formats[] = {"%ld",   "%lu",    "%lx",  "%lX",    "%lo",
                                          "%20ld", "%-9lx",  "%+ld", "%024lo", "%.7ld",
                                          "%#lx",  "%#20lX", "% ld", "%-20lu", "%+20.9ld"};
    struct rand r;
    rand_init(&r, 11);
    for (u32 i = 0; i < 5000; i++) {
        u64 v = rand_next(&r) >> rand_below(&r, 64);
        char ours[64], theirs[64];
        const char *f = formats[rand_below(&r, ARRAY_SIZE(formats))];
        v = rand_below(&r, 2) ? v : -v;
        assert_int_equal(fmt_print(ours, sizeof(ours), f, v),
                         snprintf(theirs, sizeof(theirs), f, v));
        assert_string_equal(ours, theirs);
    }
}

static void seq_grows(void **state)
{
    char buf[128];
    struct seq s;
    seq_init(&s, buf, sizeof(buf));
    seq_put_hex(&s, 0x400000, 8);
    seq_putc(&s, '-');
    seq_put_hex(&s, 0x7fff12345000, 8);
    seq_puts(&s, " r-xp ");
    seq_put_hex(&s, 0, 8);
    seq_put_dec(&s, " ", 12);
    seq_put_sdec(&s, ":", -3);
    seq_put_sdec(&s, NULL, 4);
    seq_pad_to(&s, 0, 60);
    seq_printf(&s, "%s\n", "/bin/x");
    size_t line = s.len;
    seq_pad_to(&s, line, 2);
    seq_write(&s, "\0z", 2);
    assert_false(s.overflow);
    seq_putc(&s, '\0');
    assert_string_equal(buf, "00400000-7fff12345000 r-xp 00000000 12:-34"
                             "                  /bin/x\n  ");
    assert_int_equal(s.len, 60 + 7 + 2 + 3);
    assert_memory_equal(buf + 69, "\0z", 3);
    seq_init(&s, buf, sizeof(buf));
    seq_put_hex(&s, U64_MAX, 16);
    seq_put_hex(&s, 0, 0);
    seq_put_dec(&s, "", U64_MAX);
    assert_memory_equal(buf, "ffffffffffffffff018446744073709551615", s.len);
}

static void seq_overflows(void **state)
{
    for (size_t size = 0; size <= 12; size++) {
        char buf[16];
        struct seq s;
        memset(buf, '~', sizeof(buf));
        seq_init(&s, buf, size);
        seq_puts(&s, "abc");
        seq_put_dec(&s, "=", 12);
        seq_putc(&s, ' ');
        seq_printf(&s, "%3d", 7);
        seq_pad_to(&s, 0, 11);
        assert_int_equal(s.overflow, size < 11);
        assert_int_equal(s.len, min(size, (size_t)11));
        assert_memory_equal(buf, "abc=12   7 ~~~~~", s.len);
        assert_int_equal(buf[size], '~');
    }
}

/* Records of 1, 2, 3 ... characters in parts, as a reader with a buffer of `size` gets them. */
static void seq_parts(void **state)
{
    for (size_t size = 1; size <= 60; size++) {
        char buf[64];
        size_t total = 0;
        u64 cursor = 0;
        struct seq s;
        do {
            seq_init(&s, buf, size);
            s.cursor = cursor;
            for (u64 i = s.cursor; i < 10; i++) {
                for (u64 k = 0; k <= i; k++)
                    seq_putc(&s, (char)('0' + i));
                if (!seq_record(&s, i + 1))
                    break;
            }
            if (s.overflow) {
                assert_int_equal(s.cursor, size); /* the first record that is longer than the buffer */
                assert_int_equal(s.more, false);
                break;
            }
            assert_true(s.len > 0 && s.cursor > cursor);
            cursor = s.cursor;
            total += s.len;
        } while (s.more);
        assert_int_equal(s.overflow, size < 10);
        assert_int_equal(total, size < 10 ? size * (size + 1) / 2 : 55);
    }
    char buf[16];
    struct seq s;
    seq_init(&s, buf, sizeof(buf));
    seq_put_dec_width(&s, 42, 5);
    seq_put_dec_width(&s, 1234567, 3);
    assert_memory_equal(buf, "   421234567", s.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),       cmocka_unit_test(widths),
        cmocka_unit_test(odd_formats), cmocka_unit_test(random_numbers),
        cmocka_unit_test(seq_grows),   cmocka_unit_test(seq_overflows),
        cmocka_unit_test(seq_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
