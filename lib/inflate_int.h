/* SPDX-License-Identifier: MIT */
/* What the DEFLATE decoder and its wrappers share. Private to lib/inflate*.c. */
#ifndef LIB_INFLATE_INT_H
#define LIB_INFLATE_INT_H
#include <lib/inflate.h>

struct inflate {
    const u8 *p, *end; /* input not yet in bits */
    u64 bits;          /* next bit lowest */
    int nbits;
    u32 wpos;
    u8 *window;
    u64 total;
    inflate_out_fn *out;
    void *ctx;
    u32 check; /* running checksum of what went through out */
    u32 (*update)(u32 check, const void *data, size_t n);
};

/*
 * Decodes blocks up to and including the last one and hands out everything; p is then behind the
 * last byte used.
 */
int inflate_blocks(struct inflate *s);

/* Hands out the window's content. */
int inflate_flush(struct inflate *s);

/*
 * Drops the bits up to the next byte of input and gives whole bytes back: p is then the next byte.
 * nbits >= 0.
 */
void inflate_align(struct inflate *s);
#endif
