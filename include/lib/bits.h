/* SPDX-License-Identifier: MIT */
/*
 * Bits of 64-bit words and of arrays of them. Bit n of an array is bit n % 64 of word n / 64.
 * set_bit() and its kin are plain; the atomic_ ones are atomic and, where they return the old bit,
 * fully ordered.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H
#include <lib/types.h>

#define BITS_PER_WORD 64
#define BIT(n)        (1UL << (n))
/* bits lo..hi inclusive, 0 <= lo <= hi <= 63 */
#define BIT_MASK(hi, lo) ((U64_MAX << (lo)) & (U64_MAX >> (63 - (hi))))

/* Index of the lowest set bit; x != 0. */
static inline u32 ffs_u64(u64 x)
{
    return (u32)__builtin_ctzl(x);
}

/* Index of the highest set bit; x != 0. */
static inline u32 fls_u64(u64 x)
{
    return 63 ^ (u32)__builtin_clzl(x);
}

/* Index of the lowest clear bit; x != U64_MAX. */
static inline u32 ffz_u64(u64 x)
{
    return ffs_u64(~x);
}

/* floor(log2(x)); x != 0. */
static inline u32 ilog2_u64(u64 x)
{
    return fls_u64(x);
}

static inline bool is_pow2(u64 x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* The least power of two >= x; 1 for 0. x <= 2^63. */
static inline u64 roundup_pow2(u64 x)
{
    return x <= 1 ? 1 : 1UL << (fls_u64(x - 1) + 1);
}

/* The greatest power of two <= x; x != 0. */
static inline u64 rounddown_pow2(u64 x)
{
    return 1UL << fls_u64(x);
}

/* The number of set bits. In arithmetic, because without -mpopcnt the builtin calls into libgcc. */
static inline u32 weight_u64(u64 x)
{
    x -= (x >> 1) & 0x5555555555555555UL;
    x = (x & 0x3333333333333333UL) + ((x >> 2) & 0x3333333333333333UL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return (u32)((x * 0x0101010101010101UL) >> 56);
}

static inline bool test_bit(u64 n, const u64 *map)
{
    return (map[n / BITS_PER_WORD] >> (n % BITS_PER_WORD)) & 1;
}

static inline void set_bit(u64 n, u64 *map)
{
    map[n / BITS_PER_WORD] |= BIT(n % BITS_PER_WORD);
}

static inline void clear_bit(u64 n, u64 *map)
{
    map[n / BITS_PER_WORD] &= ~BIT(n % BITS_PER_WORD);
}

/* Returns the old bit. */
static inline bool test_and_set_bit(u64 n, u64 *map)
{
    bool old = test_bit(n, map);
    set_bit(n, map);
    return old;
}

static inline bool test_and_clear_bit(u64 n, u64 *map)
{
    bool old = test_bit(n, map);
    clear_bit(n, map);
    return old;
}

/* One load with acquire order. */
static inline bool atomic_test_bit(u64 n, const u64 *map)
{
    return (load_acquire(&map[n / BITS_PER_WORD]) >> (n % BITS_PER_WORD)) & 1;
}

static inline void atomic_set_bit(u64 n, u64 *map)
{
    __atomic_fetch_or(&map[n / BITS_PER_WORD], BIT(n % BITS_PER_WORD), __ATOMIC_SEQ_CST);
}

static inline void atomic_clear_bit(u64 n, u64 *map)
{
    __atomic_fetch_and(&map[n / BITS_PER_WORD], ~BIT(n % BITS_PER_WORD), __ATOMIC_SEQ_CST);
}

/* Returns the old bit. */
static inline bool atomic_test_and_set_bit(u64 n, u64 *map)
{
    u64 bit = BIT(n % BITS_PER_WORD);
    return __atomic_fetch_or(&map[n / BITS_PER_WORD], bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool atomic_test_and_clear_bit(u64 n, u64 *map)
{
    u64 bit = BIT(n % BITS_PER_WORD);
    return __atomic_fetch_and(&map[n / BITS_PER_WORD], ~bit, __ATOMIC_SEQ_CST) & bit;
}
#endif
