/* SPDX-License-Identifier: MIT */
/*
 * A seedable generator (xoshiro256**) for tests, schedules and placement. Not for secrets. The
 * caller owns the state.
 */
#ifndef LIB_RAND_H
#define LIB_RAND_H
#include <lib/types.h>

struct rand {
    u64 s[4];
};

/* Any seed will do; the same seed gives the same sequence. */
void rand_init(struct rand *r, u64 seed);

/* 64 even bits. */
u64 rand_next(struct rand *r);

/* 0 .. n-1 (0 for n == 0). The bias is below n / 2^64. */
u64 rand_below(struct rand *r, u64 n);

/* lo .. hi inclusive, lo <= hi. */
u64 rand_range(struct rand *r, u64 lo, u64 hi);
#endif
