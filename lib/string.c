/* SPDX-License-Identifier: MIT */
/* Text and memory helpers. See <lib/string.h>. */
#include <lib/errno.h>
#include <lib/string.h>

#define S64_MAX ((s64)(U64_MAX >> 1))

size_t str_len(const char *s)
{
    const char *p = s;
    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t str_nlen(const char *s, size_t limit)
{
    size_t n = 0;
    while (n < limit && s[n])
        n++;
    return n;
}

int str_cmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (u8)*a - (u8)*b;
}

int str_ncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++) {
        if (*a != *b || !*a)
            return (u8)*a - (u8)*b;
    }
    return 0;
}

ssize_t str_copy(char *dst, const char *src, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        dst[i] = src[i];
        if (!src[i])
            return (ssize_t)i;
    }
    if (size)
        dst[size - 1] = '\0';
    return -E2BIG;
}

char *str_chr(const char *s, char c)
{
    for (;; s++) {
        if (*s == c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *str_rchr(const char *s, char c)
{
    const char *last = NULL;
    for (;; s++) {
        if (*s == c)
            last = s;
        if (!*s)
            return (char *)last;
    }
}

bool str_starts(const char *s, const char *prefix)
{
    while (*prefix) {
        if (*s++ != *prefix++)
            return false;
    }
    return true;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = str_len(s), m = str_len(suffix);
    return n >= m && str_cmp(s + n - m, suffix) == 0;
}

char *str_find(const char *s, const char *needle)
{
    for (;; s++) {
        if (str_starts(s, needle))
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

/* The value of a digit, or 255. */
static u32 digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (u32)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? (u32)(c - 'a' + 10) : 255;
}

int str_parse_u64(const char *s, u32 base, u64 *out, const char **end)
{
    bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16;
    if (hex && (base == 0 || base == 16)) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = s[0] == '0' ? 8 : 10;
    }
    u64 v = 0;
    bool over = false;
    const char *first = s;
    for (u32 d; (d = digit_of(*s)) < base; s++)
        over |= __builtin_mul_overflow(v, (u64)base, &v) || __builtin_add_overflow(v, (u64)d, &v);
    if (end)
        *end = s;
    if (s == first || (!end && *s))
        return -EINVAL;
    if (over)
        return -ERANGE;
    *out = v;
    return 0;
}

int str_parse_s64(const char *s, u32 base, s64 *out, const char **end)
{
    bool negative = *s == '-';
    if (negative || *s == '+')
        s++;
    u64 v;
    int rc = str_parse_u64(s, base, &v, end);
    if (rc)
        return rc;
    if (v > (u64)S64_MAX + negative)
        return -ERANGE;
    *out = (s64)(negative ? -v : v);
    return 0;
}

int str_parse_size(const char *s, u64 *out, const char **end)
{
    static const char suffixes[] = "kmgtpe";
    const char *p;
    u64 v;
    int rc = str_parse_u64(s, 0, &v, &p);
    u32 shift = 0;
    if (rc != -EINVAL && *p) {
        const char *suffix = str_chr(suffixes, *p | 0x20);
        if (suffix) {
            shift = 10 * (u32)(suffix - suffixes + 1);
            p++;
        }
    }
    if (end)
        *end = p;
    else if (*p)
        return -EINVAL;
    if (rc)
        return rc;
    if (v << shift >> shift != v)
        return -ERANGE;
    *out = v << shift;
    return 0;
}

size_t mem_find_nonzero(const void *p, size_t n)
{
    const u8 *b = p;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        u64 v;
        __builtin_memcpy(&v, b + i, 8);
        if (v)
            return i + (size_t)__builtin_ctzl(v) / 8;
    }
    for (; i < n; i++) {
        if (b[i])
            return i;
    }
    return n;
}
