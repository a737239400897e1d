/* SPDX-License-Identifier: MIT */
/* xoshiro256** (Blackman and Vigna), its state filled by splitmix64. See <lib/rand.h>. */
#include <lib/hash.h>
#include <lib/rand.h>

void rand_init(struct rand *r, u64 seed)
{
    for (u32 i = 0; i < ARRAY_SIZE(r->s); i++)
        r->s[i] = mix64(seed += 0x9e3779b97f4a7c15UL);
}

static inline u64 rotl(u64 x, u32 k)
{
    return x << k | x >> (64 - k);
}

u64 rand_next(struct rand *r)
{
    u64 *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

u64 rand_below(struct rand *r, u64 n)
{
    return (u64)(((unsigned __int128)rand_next(r) * n) >> 64);
}

u64 rand_range(struct rand *r, u64 lo, u64 hi)
{
    u64 span = hi - lo + 1;
    return span ? lo + rand_below(r, span) : rand_next(r);
}
