/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps of nbits bits in arrays of u64. Bits of the last word at and beyond nbits are never
 * looked at nor changed. Every find answers nbits when there is none. Plain, not atomic: locks are
 * the caller's.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H
#include <lib/bits.h>

#define BITMAP_WORDS(nbits)         DIV_ROUND_UP((u64)(nbits), BITS_PER_WORD)
#define DECLARE_BITMAP(name, nbits) u64 name[BITMAP_WORDS(nbits)]

/* The first set or clear bit >= from. from may be >= nbits (answer: nbits). */
u64 bitmap_find_next_set(const u64 *map, u64 nbits, u64 from);
u64 bitmap_find_next_zero(const u64 *map, u64 nbits, u64 from);

static inline u64 bitmap_find_first_set(const u64 *map, u64 nbits)
{
    return bitmap_find_next_set(map, nbits, 0);
}

static inline u64 bitmap_find_first_zero(const u64 *map, u64 nbits)
{
    return bitmap_find_next_zero(map, nbits, 0);
}

/* The last set bit < before; nbits (not before) when there is none. before <= nbits. */
u64 bitmap_find_prev_set(const u64 *map, u64 nbits, u64 before);

/*
 * The first a >= from, a multiple of align (a power of two), with n clear bits [a, a + n) below
 * nbits. n > 0.
 */
u64 bitmap_find_zero_range(const u64 *map, u64 nbits, u64 from, u64 n, u64 align);

/* Sets or clears the n bits [start, start + n). */
void bitmap_set_range(u64 *map, u64 start, u64 n);
void bitmap_clear_range(u64 *map, u64 start, u64 n);

/* The number of set bits. */
u64 bitmap_weight(const u64 *map, u64 nbits);

static inline bool bitmap_empty(const u64 *map, u64 nbits)
{
    return bitmap_find_first_set(map, nbits) == nbits;
}

static inline bool bitmap_full(const u64 *map, u64 nbits)
{
    return bitmap_find_first_zero(map, nbits) == nbits;
}

#define for_each_set_bit(bit, map, nbits)                                                          \
    for ((bit) = bitmap_find_first_set(map, nbits); (bit) < (nbits);                               \
         (bit) = bitmap_find_next_set(map, nbits, (bit) + 1))
#endif
