/* SPDX-License-Identifier: MIT */
/* Text and memory helpers under names that do not clash with the C library's. */
#ifndef LIB_STRING_H
#define LIB_STRING_H
#include <lib/types.h>

size_t str_len(const char *s);
/* At most max. */
size_t str_nlen(const char *s, size_t max);

/* < 0, 0, > 0, bytes compared as unsigned. */
int str_cmp(const char *a, const char *b);
int str_ncmp(const char *a, const char *b, size_t n);

static inline bool str_eq(const char *a, const char *b)
{
    return str_cmp(a, b) == 0;
}

/*
 * Copies src with its NUL. Returns its length, or -E2BIG when it was cut; dst is terminated either
 * way (size > 0).
 */
ssize_t str_copy(char *dst, const char *src, size_t size);

/* The first or last c in s (c may be the NUL), or NULL. */
char *str_chr(const char *s, char c);
char *str_rchr(const char *s, char c);

/* The first place of needle in s, or NULL. */
char *str_find(const char *s, const char *needle);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/*
 * Reads digits of base 2..36; base 0 takes 0x (16), a leading 0 (8), else 10. No sign, no leading
 * blanks; base 16 also allows 0x. *end (end may be NULL) becomes the first byte that is no digit;
 * with end == NULL the text must end there. 0; -EINVAL: no digit, or more text; -ERANGE: over 64
 * bits (then *end is behind all the digits). *out only changes on 0.
 */
int str_parse_u64(const char *s, u32 base, u64 *out, const char **end);

/* As above with an optional sign '-' or '+'. */
int str_parse_s64(const char *s, u32 base, s64 *out, const char **end);

/*
 * A size with an optional suffix K, M, G, T, P, E (either case, powers of 1024), as in mem=512M.
 * Errors as above.
 */
int str_parse_size(const char *s, u64 *out, const char **end);

/* Offset of the first byte that is not zero, or n. */
size_t mem_find_nonzero(const void *p, size_t n);
#endif
