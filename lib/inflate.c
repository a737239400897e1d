/* SPDX-License-Identifier: MIT */
/*
 * DEFLATE decoder. See <lib/inflate.h> for the contract; the wrappers (gzip, zlib) are in
 * inflate_wrap.c.
 *
 * Bits are taken from the low end of a 64-bit buffer that is filled with up to 8 bytes at once.
 * nbits, the number of real bits in it, may become negative where the input ends inside a code:
 * every taker of bits checks that before it acts.
 *
 * A Huffman code is decoded by its next 9 bits: fast[] gives symbol and length of each code of up
 * to 9 bits. Longer codes are rare; they are compared, length by length, with limit[], the first
 * code (as 16 bits, left-aligned) that is longer.
 *
 * Invariants:
 *  1. p <= end, and bytes [p - nbits / 8, end) of the input are not decoded yet.
 *  2. wpos < INFLATE_WINDOW; window[0, wpos) has not been handed out yet; total is all
 *     output so far.
 */
#include <lib/errno.h>
#include <lib/inflate.h>
#include "inflate_int.h"

#define FAST_BITS   9
#define MAX_BITS    15
#define NR_LITERALS 288
#define NR_DISTS    32
#define END_SYMBOL  256
/* A length and a distance with all their extra bits: 15 + 5 + 15 + 13. */
#define PAIR_BITS 48

struct huffman {
    u16 fast[1 << FAST_BITS]; /* symbol << 4 | length; 0: the code is longer, or unused */
    u32 limit[MAX_BITS + 1];
    u16 base[MAX_BITS + 1];   /* added to a code of this length: its place in symbols */
    u16 symbols[NR_LITERALS]; /* in the order of their codes */
};

static const u16 length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                  31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const u8 length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                  2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const u16 dist_base[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const u8 dist_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/* Fills the bit buffer: at least 56 bits, or all that is left. */
static inline void refill(struct inflate *s)
{
    if (likely(s->end - s->p >= 8)) {
        u64 v;
        __builtin_memcpy(&v, s->p, 8);
        s->bits |= v << s->nbits;
        s->p += (63 - s->nbits) >> 3;
        s->nbits |= 56;
        return;
    }
    while (s->nbits <= 56 && s->p < s->end) {
        s->bits |= (u64)*s->p++ << s->nbits;
        s->nbits += 8;
    }
}

/* Takes n <= 16 bits; the caller has refilled, and looks at nbits afterwards. */
static inline u32 take(struct inflate *s, u32 n)
{
    u32 v = (u32)s->bits & ((1U << n) - 1);
    s->bits >>= n;
    s->nbits -= (int)n;
    return v;
}

/* Refills and takes n <= 16 bits into *v. */
static int get(struct inflate *s, u32 n, u32 *v)
{
    refill(s);
    *v = take(s, n);
    return s->nbits < 0 ? -EIO : 0;
}

static u32 reverse16(u32 v)
{
    v = (v & 0x5555) << 1 | (v >> 1 & 0x5555);
    v = (v & 0x3333) << 2 | (v >> 2 & 0x3333);
    v = (v & 0x0f0f) << 4 | (v >> 4 & 0x0f0f);
    return (v & 0x00ff) << 8 | (v >> 8 & 0x00ff);
}

/*
 * Builds the decoder of a code from the lengths of its n symbols (0: unused). -EINVAL when the
 * lengths ask for more codes than there are, or leave some unused; as an exception one code of one
 * bit, or none at all, is allowed.
 */
static int build(struct huffman *h, const u8 *lengths, u32 n)
{
    u16 count[MAX_BITS + 1] = {0}, place[MAX_BITS + 1];
    u32 next[MAX_BITS + 1], code = 0, used = 0;
    for (u32 i = 0; i < n; i++)
        count[lengths[i]]++;
    count[0] = 0;
    for (u32 len = 1; len <= MAX_BITS; len++) {
        code <<= 1;
        next[len] = code;
        place[len] = (u16)used;
        h->base[len] = (u16)(used - code);
        code += count[len];
        used += count[len];
        if (code > 1U << len)
            return -EINVAL;
        h->limit[len] = code << (16 - len);
    }
    if (code != 1U << MAX_BITS && !(used == 0 || (used == 1 && count[1] == 1)))
        return -EINVAL;
    memset(h->fast, 0, sizeof(h->fast));
    for (u32 i = 0; i < n; i++) {
        u32 len = lengths[i];
        if (len == 0)
            continue;
        h->symbols[place[len]++] = (u16)i;
        u32 reversed = reverse16(next[len]++ << (16 - len));
        if (len > FAST_BITS)
            continue;
        for (; reversed < 1U << FAST_BITS; reversed += 1U << len)
            h->fast[reversed] = (u16)(i << 4 | len);
    }
    return 0;
}

static __noinline_fn int decode_slow(struct inflate *s, const struct huffman *h)
{
    u32 code = reverse16((u32)s->bits & 0xffff);
    for (u32 len = 1; len <= MAX_BITS; len++) {
        if (code < h->limit[len]) {
            take(s, len);
            return h->symbols[(u16)(h->base[len] + (code >> (16 - len)))];
        }
    }
    return s->nbits < MAX_BITS ? -EIO : -EINVAL;
}

/*
 * The next symbol, or -EINVAL where the bits are no code. The caller has refilled, and looks at
 * nbits afterwards.
 */
static inline int decode(struct inflate *s, const struct huffman *h)
{
    u32 entry = h->fast[s->bits & ((1U << FAST_BITS) - 1)];
    if (unlikely(!entry))
        return decode_slow(s, h);
    take(s, entry & 15);
    return (int)(entry >> 4);
}

int inflate_flush(struct inflate *s)
{
    u32 n = s->wpos;
    s->wpos = 0;
    if (n == 0)
        return 0;
    s->check = s->update(s->check, s->window, n);
    return s->out(s->ctx, s->window, n);
}

static inline int put_literal(struct inflate *s, u8 c)
{
    s->window[s->wpos++] = c;
    s->total++;
    return likely(s->wpos < INFLATE_WINDOW) ? 0 : inflate_flush(s);
}

/*
 * Repeats length bytes from dist bytes back; 1 <= dist <= total. A piece ends where either place
 * reaches the ring's end.
 */
static int put_match(struct inflate *s, u32 length, u32 dist)
{
    s->total += length;
    while (length) {
        u32 from = (s->wpos - dist) % INFLATE_WINDOW;
        u32 n = min(length, INFLATE_WINDOW - max(from, s->wpos));
        u8 *dst = s->window + s->wpos;
        const u8 *src = s->window + from;
        length -= n;
        s->wpos += n;
        if (dist >= 8) {
            for (; n >= 8; n -= 8, dst += 8, src += 8) {
                u64 v;
                __builtin_memcpy(&v, src, 8);
                __builtin_memcpy(dst, &v, 8);
            }
        }
        while (n--)
            *dst++ = *src++;
        if (s->wpos == INFLATE_WINDOW) {
            int rc = inflate_flush(s);
            if (rc)
                return rc;
        }
    }
    return 0;
}

/* The rest of a pair whose length symbol has been taken. */
static int decode_match(struct inflate *s, u32 symbol, const struct huffman *dists)
{
    symbol -= END_SYMBOL + 1;
    if (symbol >= ARRAY_SIZE(length_base))
        return -EINVAL;
    u32 length = length_base[symbol] + take(s, length_extra[symbol]);
    int d = decode(s, dists);
    if (s->nbits < 0)
        return -EIO;
    if (d < 0)
        return d;
    if (d >= (int)ARRAY_SIZE(dist_base))
        return -EINVAL;
    u32 dist = dist_base[d] + take(s, dist_extra[d]);
    if (s->nbits < 0)
        return -EIO;
    if (dist > s->total)
        return -EINVAL;
    return put_match(s, length, dist);
}

static int decode_block(struct inflate *s, const struct huffman *literals,
                        const struct huffman *dists)
{
    for (;;) {
        if (s->nbits < PAIR_BITS)
            refill(s);
        int symbol = decode(s, literals);
        if (unlikely(s->nbits < 0))
            return -EIO;
        int rc;
        if (symbol < END_SYMBOL) {
            if (unlikely(symbol < 0))
                return symbol;
            rc = put_literal(s, (u8)symbol);
        } else if (symbol == END_SYMBOL) {
            return 0;
        } else {
            rc = decode_match(s, (u32)symbol, dists);
        }
        if (unlikely(rc))
            return rc;
    }
}

void inflate_align(struct inflate *s)
{
    s->p -= (s->nbits & ~7) / 8;
    s->bits = 0;
    s->nbits = 0;
}

static int stored_block(struct inflate *s)
{
    inflate_align(s);
    if (s->end - s->p < 4)
        return -EIO;
    u32 length = s->p[0] | (u32)s->p[1] << 8, inverse = s->p[2] | (u32)s->p[3] << 8;
    if (length != (~inverse & 0xffff))
        return -EINVAL;
    s->p += 4;
    if (s->end - s->p < (ssize_t)length)
        return -EIO;
    s->total += length;
    while (length) {
        u32 n = min(length, INFLATE_WINDOW - s->wpos);
        memcpy(s->window + s->wpos, s->p, n);
        s->p += n;
        s->wpos += n;
        length -= n;
        if (s->wpos == INFLATE_WINDOW) {
            int rc = inflate_flush(s);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int fixed_block(struct inflate *s, struct huffman *literals, struct huffman *dists)
{
    u8 lengths[NR_LITERALS];
    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    build(literals, lengths, NR_LITERALS);
    memset(lengths, 5, NR_DISTS);
    build(dists, lengths, NR_DISTS);
    return decode_block(s, literals, dists);
}

/* Reads n code lengths, which are themselves coded: 0..15 a length, 16..18 repetitions. */
static int read_lengths(struct inflate *s, const struct huffman *code, u8 *lengths, u32 n)
{
    for (u32 i = 0; i < n;) {
        refill(s);
        int symbol = decode(s, code);
        u32 repeat = 1;
        u8 value = (u8)symbol;
        if (s->nbits < 0)
            return -EIO;
        if (symbol < 0)
            return symbol;
        if (symbol == 16) {
            if (i == 0)
                return -EINVAL;
            value = lengths[i - 1];
            repeat = 3 + take(s, 2);
        } else if (symbol > 16) {
            value = 0;
            repeat = symbol == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
        }
        if (s->nbits < 0)
            return -EIO;
        if (repeat > n - i)
            return -EINVAL;
        memset(lengths + i, value, repeat);
        i += repeat;
    }
    return 0;
}

static int dynamic_block(struct inflate *s, struct huffman *literals, struct huffman *dists)
{
    static const u8 order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    u8 lengths[NR_LITERALS + NR_DISTS] = {0};
    u32 head, v;
    int rc = get(s, 14, &head);
    if (rc)
        return rc;
    u32 nr_literals = 257 + (head & 31), nr_dists = 1 + (head >> 5 & 31),
        nr_codes = 4 + (head >> 10);
    if (nr_literals > 286 || nr_dists > 30)
        return -EINVAL;
    for (u32 i = 0; i < nr_codes; i++) {
        rc = get(s, 3, &v);
        if (rc)
            return rc;
        lengths[order[i]] = (u8)v;
    }
    rc = build(literals, lengths, ARRAY_SIZE(order));
    if (!rc)
        rc = read_lengths(s, literals, lengths, nr_literals + nr_dists);
    if (!rc && lengths[END_SYMBOL] == 0)
        rc = -EINVAL;
    if (!rc)
        rc = build(dists, lengths + nr_literals, nr_dists);
    if (!rc)
        rc = build(literals, lengths, nr_literals);
    return rc ? rc : decode_block(s, literals, dists);
}

int inflate_blocks(struct inflate *s)
{
    struct huffman literals, dists;
    u32 head;
    int rc;
    do {
        rc = get(s, 3, &head);
        if (rc)
            return rc;
        switch (head >> 1) {
        case 0:
            rc = stored_block(s);
            break;
        case 1:
            rc = fixed_block(s, &literals, &dists);
            break;
        case 2:
            rc = dynamic_block(s, &literals, &dists);
            break;
        default:
            rc = -EINVAL;
        }
        if (rc)
            return rc;
    } while (!(head & 1));
    inflate_align(s);
    return inflate_flush(s);
}
