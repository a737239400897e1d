/* SPDX-License-Identifier: MIT */
/*
 * What Linux answered to the games of mmfuzz, kept between runs under ~/.cache/pagoda/mmfuzz.
 *
 *   KEY.sums    a line "seed N SUM" for each game; runs at the same time append to it
 *   KEY.N       the text of game N
 *
 * KEY is a hash of all that an answer depends on: the player's bytes, the words left out, the steps, the kernel. An answer that is
 * not there is only slower.
 */
#ifndef CLI_FUZZCACHE_H
#define CLI_FUZZCACHE_H

#include <stddef.h>

struct fuzz_cache {
    char *stem; /* path of the folder, and KEY */
    char **line;
    unsigned long *seed;
    size_t n;
};

void fuzz_cache_open(struct fuzz_cache *c, const char *words, unsigned steps);
/* The line of a seed without its newline, or NULL. It stays the cache's. */
const char *fuzz_cache_sum(const struct fuzz_cache *c, unsigned long seed);
void fuzz_cache_put_sum(struct fuzz_cache *c, unsigned long seed, const char *line, size_t len);
/* The text of a game, or NULL; the caller frees it. */
char *fuzz_cache_text(const struct fuzz_cache *c, unsigned long seed);
void fuzz_cache_put_text(const struct fuzz_cache *c, unsigned long seed, const char *text,
                         size_t len);
void fuzz_cache_close(struct fuzz_cache *c);

#endif
