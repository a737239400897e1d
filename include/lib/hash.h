/* SPDX-License-Identifier: MIT */
/* Hashes for tables in memory. Not against an adversary unless the caller mixes in a secret. */
#ifndef LIB_HASH_H
#define LIB_HASH_H
#include <lib/types.h>

/*
 * A bijection of 64-bit values in which every input bit flips about half of the output bits
 * (splitmix64's finish).
 */
static inline u64 mix64(u64 x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9UL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebUL;
    return x ^ (x >> 31);
}

/*
 * The top bits of a multiplicative hash: a bucket number below 2^bits, 1 <= bits <= 64. Two
 * instructions.
 */
static inline u64 hash_u64(u64 x, u32 bits)
{
    return (x * 0x9e3779b97f4a7c15UL) >> (64 - bits);
}

static inline u64 hash_ptr(const void *p, u32 bits)
{
    return hash_u64((u64)(uptr)p, bits);
}

/* n bytes, FNV-1a, then mixed. */
static inline u64 hash_bytes(const void *p, size_t n)
{
    const u8 *b = p;
    u64 h = 0xcbf29ce484222325UL;
    while (n--)
        h = (h ^ *b++) * 0x100000001b3UL;
    return mix64(h);
}

/* Equals hash_bytes() of the text without its NUL. */
static inline u64 hash_str(const char *s)
{
    u64 h = 0xcbf29ce484222325UL;
    while (*s)
        h = (h ^ (u8)*s++) * 0x100000001b3UL;
    return mix64(h);
}
#endif
