/* SPDX-License-Identifier: MIT */
/*
 * The wrappers of DEFLATE data. See <lib/inflate.h>.
 *
 *   gzip:  1f 8b 08 flags mtime[4] xfl os | [extra] [name] [comment] [header crc]
 *          | blocks | crc32[4] size[4]
 *   zlib:  method flags | blocks | adler32[4], high byte first
 */
#include <lib/crc32.h>
#include <lib/errno.h>
#include <lib/inflate.h>
#include "inflate_int.h"

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, FRESERVED = 0xe0 };

static u32 le32(const u8 *p)
{
    return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static u32 be32(const u8 *p)
{
    return p[3] | (u32)p[2] << 8 | (u32)p[1] << 16 | (u32)p[0] << 24;
}

static u32 no_check(u32 check, const void *data, size_t n)
{
    return check;
}

/* 5,552 is the most bytes whose sums stay below 2^32 before the remainder must be taken. */
static u32 adler32_update(u32 check, const void *data, size_t n)
{
    const u8 *p = data;
    u32 a = check & 0xffff, b = check >> 16;
    while (n) {
        size_t piece = min(n, (size_t)5552);
        n -= piece;
        while (piece--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

/* Decodes the blocks from s->p on; p is where it stopped, on errors too. */
static int run(struct inflate *s, inflate_out_fn *out, void *ctx, u8 *window)
{
    s->out = out;
    s->ctx = ctx;
    s->window = window;
    int rc = inflate_blocks(s);
    s->nbits = max(s->nbits, 0);
    inflate_align(s);
    return rc;
}

static int finish(const struct inflate *s, const u8 *in, size_t *consumed, int rc)
{
    if (consumed)
        *consumed = (size_t)(s->p - in);
    return rc;
}

int inflate_raw(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                u8 window[INFLATE_WINDOW])
{
    struct inflate s = {.p = in, .end = in + n, .update = no_check};
    return finish(&s, in, consumed, run(&s, out, ctx, window));
}

static int skip(struct inflate *s, size_t n)
{
    if ((size_t)(s->end - s->p) < n)
        return -EIO;
    s->p += n;
    return 0;
}

static int skip_text(struct inflate *s)
{
    while (s->p < s->end) {
        if (*s->p++ == 0)
            return 0;
    }
    return -EIO;
}

static int gzip_header(struct inflate *s)
{
    static const u8 magic[3] = {0x1f, 0x8b, 8};
    const u8 *head = s->p;
    size_t n = (size_t)(s->end - s->p);
    if (memcmp(head, magic, min(n, sizeof(magic))) != 0)
        return -EINVAL;
    int rc = skip(s, 10);
    if (rc)
        return rc;
    u8 flags = head[3];
    if (flags & FRESERVED)
        return -EINVAL;
    if (flags & FEXTRA) {
        const u8 *extra = s->p;
        rc = skip(s, 2);
        if (!rc)
            rc = skip(s, extra[0] | (size_t)extra[1] << 8);
    }
    if (!rc && (flags & FNAME))
        rc = skip_text(s);
    if (!rc && (flags & FCOMMENT))
        rc = skip_text(s);
    if (!rc && (flags & FHCRC)) {
        const u8 *crc = s->p;
        rc = skip(s, 2);
        if (!rc &&
            (crc32_update(0, head, (size_t)(crc - head)) & 0xffff) != (crc[0] | (u32)crc[1] << 8))
            rc = -EIO;
    }
    return rc;
}

int inflate_gzip(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                 u8 window[INFLATE_WINDOW])
{
    struct inflate s = {.p = in, .end = in + n, .check = 0, .update = crc32_update};
    int rc = gzip_header(&s);
    if (!rc)
        rc = run(&s, out, ctx, window);
    if (!rc) {
        const u8 *trailer = s.p;
        rc = skip(&s, 8);
        if (!rc && (le32(trailer) != s.check || le32(trailer + 4) != (u32)s.total))
            rc = -EIO;
    }
    return finish(&s, in, consumed, rc);
}

int inflate_zlib(const u8 *in, size_t n, size_t *consumed, inflate_out_fn *out, void *ctx,
                 u8 window[INFLATE_WINDOW])
{
    struct inflate s = {.p = in, .end = in + n, .check = 1, .update = adler32_update};
    int rc = skip(&s, 2);
    /* method 8, window at most 32 KiB, no preset dictionary, header divisible by 31 */
    if (!rc && ((in[0] & 15) != 8 || in[0] >> 4 > 7 || (in[1] & 0x20) || (in[0] << 8 | in[1]) % 31))
        rc = -EINVAL;
    if (!rc)
        rc = run(&s, out, ctx, window);
    if (!rc) {
        const u8 *trailer = s.p;
        rc = skip(&s, 4);
        if (!rc && be32(trailer) != s.check)
            rc = -EIO;
    }
    return finish(&s, in, consumed, rc);
}
