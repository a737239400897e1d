/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps: searches go word by word, with the bits outside of the range masked off. See
 * <lib/bitmap.h>.
 */
#include <lib/bitmap.h>

/* The next bit that is set after exclusive or with flip (0 or U64_MAX). */
static inline u64 find_next(const u64 *map, u64 nbits, u64 from, u64 flip)
{
    if (from >= nbits)
        return nbits;
    u64 word = from / BITS_PER_WORD, words = BITMAP_WORDS(nbits);
    u64 bits = (map[word] ^ flip) & (U64_MAX << (from % BITS_PER_WORD));
    while (!bits) {
        if (++word == words)
            return nbits;
        bits = map[word] ^ flip;
    }
    return min(word * BITS_PER_WORD + ffs_u64(bits), nbits);
}

u64 bitmap_find_next_set(const u64 *map, u64 nbits, u64 from)
{
    return find_next(map, nbits, from, 0);
}

u64 bitmap_find_next_zero(const u64 *map, u64 nbits, u64 from)
{
    return find_next(map, nbits, from, U64_MAX);
}

u64 bitmap_find_prev_set(const u64 *map, u64 nbits, u64 before)
{
    if (before == 0)
        return nbits;
    u64 word = (before - 1) / BITS_PER_WORD;
    u64 bits = map[word] & (U64_MAX >> (BITS_PER_WORD - 1 - (before - 1) % BITS_PER_WORD));
    while (!bits) {
        if (word-- == 0)
            return nbits;
        bits = map[word];
    }
    return word * BITS_PER_WORD + fls_u64(bits);
}

u64 bitmap_find_zero_range(const u64 *map, u64 nbits, u64 from, u64 n, u64 align)
{
    for (;;) {
        u64 start = bitmap_find_next_zero(map, nbits, from);
        start = ALIGN_UP(start, align);
        if (start >= nbits || nbits - start < n)
            return nbits;
        u64 stop = bitmap_find_next_set(map, start + n, start);
        if (stop == start + n)
            return start;
        from = stop + 1;
    }
}

/* Calls for each word of [start, start + n) with the mask of its bits in the range. */
#define FOR_WORDS(word, mask, start, n)                                                            \
    for (u64 at = (start), stop = at + (n), word, mask;                                            \
         at < stop && (word = at / BITS_PER_WORD, mask = range_mask(at, stop), true);              \
         at = (word + 1) * BITS_PER_WORD)

/* The bits of [at, stop) that lie in at's word; at < stop. */
static inline u64 range_mask(u64 at, u64 stop)
{
    u64 end = ALIGN_DOWN(at, BITS_PER_WORD) + BITS_PER_WORD;
    u64 mask = U64_MAX << (at % BITS_PER_WORD);
    return stop < end ? mask & (U64_MAX >> (end - stop)) : mask;
}

void bitmap_set_range(u64 *map, u64 start, u64 n)
{
    FOR_WORDS(word, mask, start, n)
    map[word] |= mask;
}

void bitmap_clear_range(u64 *map, u64 start, u64 n)
{
    FOR_WORDS(word, mask, start, n)
    map[word] &= ~mask;
}

u64 bitmap_weight(const u64 *map, u64 nbits)
{
    u64 sum = 0;
    FOR_WORDS(word, mask, 0, nbits)
    sum += weight_u64(map[word] & mask);
    return sum;
}
