/* SPDX-License-Identifier: MIT */
/*
 * Decoders of DEFLATE data (RFC 1951) raw, in gzip members (RFC 1952) and in zlib streams
 * (RFC 1950).
 *
 *   in[0..n) --> header --> blocks --> window (32 KiB ring) --> out() in pieces --> trailer checked
 *
 * The input is hostile until it has been checked: no byte outside in[0, n) is read, no distance
 * reaches before the first output byte. Output that was handed to out() before an error was found
 * must be thrown away by the caller. Nothing is allocated; about 5 KiB of stack are used.
 */
#ifndef LIB_INFLATE_H
#define LIB_INFLATE_H
#include <lib/types.h>

#define INFLATE_WINDOW 32768

/* Takes n (> 0) bytes. Non-zero (a negative error) stops the decoder, which then returns it. */
typedef int inflate_out_fn(void *ctx, const u8 *data, size_t n);

/*
 * Each decodes one stream from the start of in and stores in *consumed (may be NULL) how many input
 * bytes it took, also on errors. window: INFLATE_WINDOW bytes of scratch memory, any content.
 * 0; -EINVAL: not this format, or malformed; -EIO: truncated, or checksum or size is wrong; or what
 * out() returned.
 */
int inflate_raw(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                u8 window[INFLATE_WINDOW]);
int inflate_gzip(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                 u8 window[INFLATE_WINDOW]);
int inflate_zlib(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                 u8 window[INFLATE_WINDOW]);
#endif
