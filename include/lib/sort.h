/* SPDX-License-Identifier: MIT */
#ifndef LIB_SORT_H
#define LIB_SORT_H
#include <lib/types.h>

/* < 0, 0, > 0 as *a sorts before, with, after *b. */
typedef int sort_cmp_fn(const void *a, const void *b, void *ctx);

/*
 * Sorts n elements of size bytes at base in place: heap sort, O(n log n) always, no recursion, not
 * stable.
 */
void sort_array(void *base, size_t n, size_t size, sort_cmp_fn *cmp, void *ctx);
#endif
