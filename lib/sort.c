/* SPDX-License-Identifier: MIT */
/*
 * Heap sort in place. See <lib/sort.h>. The heap is a[0..n): each parent i sorts at or after its
 * children 2i+1 and 2i+2.
 */
#include <lib/sort.h>

static void swap_elements(u8 *a, u8 *b, size_t size)
{
    for (; size >= 8; size -= 8, a += 8, b += 8) {
        u64 x, y;
        __builtin_memcpy(&x, a, 8);
        __builtin_memcpy(&y, b, 8);
        __builtin_memcpy(a, &y, 8);
        __builtin_memcpy(b, &x, 8);
    }
    for (; size; size--, a++, b++) {
        u8 x = *a;
        *a = *b;
        *b = x;
    }
}

/* Lets element i of the heap of n sink to its place. */
static void sift_down(u8 *base, size_t i, size_t n, size_t size, sort_cmp_fn *cmp, void *ctx)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size, ctx) < 0)
            child++;
        if (cmp(base + i * size, base + child * size, ctx) >= 0)
            return;
        swap_elements(base + i * size, base + child * size, size);
        i = child;
    }
}

void sort_array(void *base, size_t n, size_t size, sort_cmp_fn *cmp, void *ctx)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(base, i, n, size, cmp, ctx);
    for (size_t left = n; left > 1;) {
        left--;
        swap_elements(base, (u8 *)base + left * size, size);
        sift_down(base, 0, left, size, cmp, ctx);
    }
}
