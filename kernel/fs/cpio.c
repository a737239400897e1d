/* SPDX-License-Identifier: MIT */
/*
 * newc cpio: "070701" (or 070702) and 13 fields of 8 hex digits, the name, the body; name and body are padded to 4.
 *
 *   ZEROS --non-zero--> HEADER -> NAME -> PAD -> BODY -> PAD -> HEADER ...        trailer -> ZEROS
 *
 * Input is hostile: names are bounded and terminated, sizes only counted down.
 */
#include <kernel/cpio.h>
#include <lib/errno.h>
#include <lib/string.h>

#define S_IFMT_BITS  0170000u
#define S_IFLNK_BITS 0120000u

void cpio_init(struct cpio *c, const struct cpio_ops *ops, void *ctx)
{
    memset(c, 0, sizeof(*c));
    c->ops = ops;
    c->ctx = ctx;
    c->state = CPIO_ZEROS;
}

bool cpio_complete(const struct cpio *c)
{
    return !c->error && (c->state == CPIO_ZEROS || (c->state == CPIO_HEADER && c->have == 0) ||
                         (c->state == CPIO_PAD && c->after_pad == CPIO_HEADER));
}

static bool hex8(const char *s, u32 *out)
{
    u32 v = 0;
    for (int i = 0; i < 8; i++) {
        char ch = s[i];
        u32 d;
        if (ch >= '0' && ch <= '9')
            d = (u32)(ch - '0');
        else if (ch >= 'a' && ch <= 'f')
            d = (u32)(ch - 'a' + 10);
        else if (ch >= 'A' && ch <= 'F')
            d = (u32)(ch - 'A' + 10);
        else
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

static int fail(struct cpio *c, const char *why)
{
    c->error = why;
    return -EINVAL;
}

static void pad_then(struct cpio *c, enum cpio_state next)
{
    c->left = -c->offset & 3;
    c->after_pad = next;
    c->state = c->left ? CPIO_PAD : next;
    if (!c->left)
        c->left = c->e.size; /* for a body; a header does not look */
}

static int header_done(struct cpio *c)
{
    u32 f[13];
    const char *h = c->header;
    if (memcmp(h, "070707", 6) == 0)
        return fail(c, "incorrect cpio method used: use -H newc option");
    if (memcmp(h, "070701", 6) && memcmp(h, "070702", 6))
        return fail(c, "no cpio magic");
    for (int i = 0; i < 13; i++)
        if (!hex8(h + 6 + i * 8, &f[i]))
            return fail(c, "malformed cpio header");
    c->e = (struct cpio_entry){.name = c->name,
                               .ino = f[0],
                               .mode = f[1],
                               .uid = f[2],
                               .gid = f[3],
                               .nlink = f[4],
                               .mtime = f[5],
                               .size = f[6],
                               .dev_major = f[7],
                               .dev_minor = f[8],
                               .rdev_major = f[9],
                               .rdev_minor = f[10]};
    c->name_len = f[11];
    if (c->name_len == 0 || c->name_len > sizeof(c->name) - 1)
        return fail(c, "cpio name too long");
    c->have = 0;
    c->state = CPIO_NAME;
    return 0;
}

static int entry_done(struct cpio *c)
{
    int err = c->ops->end ? c->ops->end(c->ctx, &c->e) : 0;
    c->have = 0;
    pad_then(c, CPIO_HEADER);
    return err;
}

static int name_done(struct cpio *c)
{
    if (c->name[c->name_len - 1])
        return fail(c, "cpio name not terminated");
    if (str_eq(c->name, "TRAILER!!!")) {
        if (c->ops->trailer)
            c->ops->trailer(c->ctx);
        c->have = 0;
        c->state = CPIO_ZEROS;
        c->ended = true;
        return 0;
    }
    if ((c->e.mode & S_IFMT_BITS) == S_IFLNK_BITS && c->e.size > 4096)
        return fail(c, "cpio symlink too long");
    int err = c->ops->begin(c->ctx, &c->e);
    if (err)
        return err;
    c->left = c->e.size;
    pad_then(c, CPIO_BODY);
    return 0;
}

/* Gathers up to want bytes of dst from the input; true when complete. */
static bool gather(struct cpio *c, char *dst, size_t want, const u8 **p, size_t *n)
{
    size_t take = min(want - c->have, *n);
    memcpy(dst + c->have, *p, take);
    c->have += take;
    c->offset += take;
    *p += take;
    *n -= take;
    return c->have == want;
}

int cpio_feed(struct cpio *c, const u8 *p, size_t n)
{
    int err = 0;
    const u8 *start = p;
    if (c->error)
        return -EINVAL;
    while (!err) {
        if (c->state == CPIO_BODY && c->e.size == 0) {
            err = entry_done(c);
            continue;
        }
        if (n == 0)
            break;
        size_t take;
        switch (c->state) {
        case CPIO_ZEROS:
            if (*p == 0) {
                p++, n--, c->offset++;
                break;
            }
            if (c->one_archive && c->ended) {
                c->fed = (size_t)(p - start);
                return 0;
            }
            c->offset = 0; /* another archive */
            c->ended = false;
            c->state = CPIO_HEADER;
            break;
        case CPIO_HEADER:
            if (gather(c, c->header, sizeof(c->header), &p, &n))
                err = header_done(c);
            break;
        case CPIO_NAME:
            if (gather(c, c->name, c->name_len, &p, &n))
                err = name_done(c);
            break;
        case CPIO_PAD:
            take = min(c->left, (u64)n);
            p += take, n -= take, c->offset += take, c->left -= take;
            if (!c->left) {
                c->state = c->after_pad;
                c->left = c->e.size; /* for a body; a header does not look */
            }
            break;
        case CPIO_BODY:
            take = min(c->left, (u64)n);
            err = c->ops->data(c->ctx, p, take);
            p += take, n -= take, c->offset += take, c->left -= take;
            if (!err && !c->left)
                err = entry_done(c);
            break;
        }
    }
    c->fed = (size_t)(p - start);
    return err;
}
