/* SPDX-License-Identifier: MIT */
/*
 * Reader of newc cpio archives, fed in pieces of any size (as a decompressor yields them). Pure: what is found goes to ops.
 * Body: kernel/fs/cpio.c.
 */
#ifndef KERNEL_CPIO_H
#define KERNEL_CPIO_H
#include <lib/types.h>

struct cpio_entry {
    const char *name; /* terminated */
    u32 ino, mode, uid, gid, nlink, mtime, dev_major, dev_minor, rdev_major, rdev_minor;
    u64 size; /* of the body that follows */
};
struct cpio_ops {
    /* An entry other than the trailer. Non-zero stops the reader with that error. */
    int (*begin)(void *ctx, const struct cpio_entry *e);
    /* Its body, in pieces, in order. */
    int (*data)(void *ctx, const u8 *p, size_t n);
    int (*end)(void *ctx, const struct cpio_entry *e);
    /* TRAILER!!!: hard links do not reach across. */
    void (*trailer)(void *ctx);
};

enum cpio_state { CPIO_HEADER, CPIO_NAME, CPIO_BODY, CPIO_PAD, CPIO_ZEROS };
struct cpio {
    const struct cpio_ops *ops;
    void *ctx;
    enum cpio_state state;
    u64 offset;   /* in the archive: members are aligned to 4 from its start */
    size_t have;  /* bytes gathered in header or name */
    u32 name_len; /* with the terminator */
    u64 left;     /* of the body, or of padding */
    enum cpio_state after_pad;
    struct cpio_entry e;
    char header[110];
    char name[4097];
    bool one_archive; /* stop where another archive would begin, c->fed bytes into the piece */
    bool ended;       /* the trailer has been seen */
    size_t fed;
    const char *error; /* set when feed failed by content: Linux's words */
};

void cpio_init(struct cpio *c, const struct cpio_ops *ops, void *ctx);
/* 0, -EINVAL (c->error says why), or what ops returned. */
int cpio_feed(struct cpio *c, const u8 *p, size_t n);
/* The archive has ended: is nothing left half read? */
bool cpio_complete(const struct cpio *c);
#endif
