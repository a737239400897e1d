/* SPDX-License-Identifier: MIT */
/*
 * Unpacks the initramfs into the root file system: newc cpio archives, gzip-compressed or not, one after another, as Linux
 * takes them. A broken archive is reported and what came before it stays.
 */
#include "internal.h"
#include <kernel/cpio.h>
#include <lib/inflate.h>

/* Names by (device, inode) of files with several links, until the trailer. */
struct link_name {
    struct link_name *next;
    u32 ino, major, minor, mode;
    char name[];
};
struct unpack {
    struct cpio cpio;
    struct file *out; /* the file whose body comes */
    u64 pos;
    char *target; /* symlink text gathered */
    size_t target_len;
    struct link_name *links[64];
    const char *message;
};

static struct link_name **link_slot(struct unpack *u, const struct cpio_entry *e)
{
    struct link_name **pp = &u->links[(e->ino ^ e->dev_minor ^ e->dev_major << 5) & 63];
    while (*pp && ((*pp)->ino != e->ino || (*pp)->major != e->dev_major ||
                   (*pp)->minor != e->dev_minor || ((*pp)->mode ^ e->mode) & S_IFMT))
        pp = &(*pp)->next;
    return pp;
}

static void drop_links(void *ctx)
{
    struct unpack *u = ctx;
    for (unsigned i = 0; i < 64; i++) {
        while (u->links[i]) {
            struct link_name *l = u->links[i];
            u->links[i] = l->next;
            kfree(l);
        }
    }
}

static int remember(struct link_name **slot, const struct cpio_entry *e)
{
    size_t n = str_len(e->name) + 1;
    struct link_name *l = kmalloc(sizeof(*l) + n, GFP_KERNEL);
    if (!l)
        return -ENOMEM;
    *l = (struct link_name){
        .ino = e->ino, .major = e->dev_major, .minor = e->dev_minor, .mode = e->mode};
    memcpy(l->name, e->name, n);
    *slot = l;
    return 0;
}

/* 0: no earlier name; 1: linked to it. */
static int link_earlier(struct unpack *u, const struct cpio_entry *e)
{
    struct path old;
    struct name_op op;
    if (e->nlink < 2)
        return 0;
    struct link_name **slot = link_slot(u, e);
    if (!*slot)
        return remember(slot, e);
    int err = path_lookup(AT_FDCWD, (*slot)->name, 0, &old);
    if (err)
        return err;
    err = name_begin(&op, AT_FDCWD, e->name, true, 0);
    if (!err) {
        struct inode *dir = op.w.path.dentry->inode, *i = old.dentry->inode;
        mutex_lock(&i->lock);
        err = dir->ops->link ? dir->ops->link(dir, op.w.last, op.w.last_len, i) : -EPERM;
        mutex_unlock(&i->lock);
        if (!err)
            dentry_set_inode(op.dentry, inode_get(i));
        name_end(&op);
    }
    path_put(&old);
    return err ? err : 1;
}

/* A file or link that an archive before this one made gives way. */
static void clean_path(const char *name, u32 mode)
{
    struct name_op op;
    if (name_begin(&op, AT_FDCWD, name, false, 0))
        return;
    struct inode *dir = op.w.path.dentry->inode, *victim = inode_get(op.dentry->inode);
    if ((victim->mode ^ mode) & S_IFMT) {
        bool is_dir = S_ISDIR(victim->mode);
        mutex_lock(&victim->lock);
        int err =
            (is_dir ? dir->ops->rmdir : dir->ops->unlink)(dir, op.w.last, op.w.last_len, victim);
        if (!err && is_dir)
            victim->state |= I_DEAD;
        mutex_unlock(&victim->lock);
        if (!err)
            dentry_delete(op.dentry);
    }
    name_end(&op);
    inode_put(victim);
}

static int set_meta(const char *name, const struct cpio_entry *e)
{
    struct path p;
    int err = path_lookup(AT_FDCWD, name, 0, &p);
    if (err)
        return err;
    struct kstat st = {.mode = e->mode,
                       .uid = e->uid,
                       .gid = e->gid,
                       .mtime = {e->mtime, 0},
                       .atime = {e->mtime, 0}};
    u32 valid = ATTR_UID | ATTR_GID | ATTR_MTIME | ATTR_ATIME | (S_ISLNK(e->mode) ? 0 : ATTR_MODE);
    err = vfs_setattr(&p, valid, &st);
    path_put(&p);
    return err;
}

static int make_dir(const char *name, u32 mode)
{
    struct name_op op;
    int err = name_begin(&op, AT_FDCWD, name, true, 0);
    if (err)
        return err == -EEXIST ? 0 : err;
    struct inode *dir = op.w.path.dentry->inode, *i = NULL;
    err = dir->ops->mkdir(dir, op.w.last, op.w.last_len, S_IFDIR | (mode & 07777), &i);
    if (!err)
        dentry_set_inode(op.dentry, i);
    name_end(&op);
    return err;
}

/* What Linux's built-in archive holds: a place for the first program's standard streams. */
void initramfs_default(void)
{
    make_dir("dev", 0755);
    path_mknod(AT_FDCWD, "dev/console", S_IFCHR | 0600, dev_make(5, 1), NULL);
    make_dir("root", 0700);
}

static int make_link(const char *name, const char *target)
{
    struct name_op op;
    int err = name_begin(&op, AT_FDCWD, name, true, 0);
    if (err)
        return err;
    struct inode *dir = op.w.path.dentry->inode, *i = NULL;
    err = dir->ops->symlink(dir, op.w.last, op.w.last_len, target, &i);
    if (!err)
        dentry_set_inode(op.dentry, i);
    name_end(&op);
    return err;
}

/* Linux goes on when one entry can't be made; so do we, but for memory. */
static int forgive(int err)
{
    return err == -ENOMEM || err == -ENOSPC ? err : 0;
}

static int begin(void *ctx, const struct cpio_entry *e)
{
    struct unpack *u = ctx;
    int err = 0;
    u->out = NULL;
    u->pos = 0;
    u->target_len = 0;
    clean_path(e->name, e->mode);
    if (S_ISREG(e->mode)) {
        err = link_earlier(u, e);
        if (err < 0)
            return forgive(err);
        u->out =
            file_openat(AT_FDCWD, e->name, O_WRONLY | O_CREAT | (err == 0 || e->size ? O_TRUNC : 0),
                        e->mode & 07777);
        if (IS_ERR(u->out)) {
            err = (int)PTR_ERR(u->out);
            u->out = NULL;
            return forgive(err);
        }
        return 0;
    }
    if (S_ISDIR(e->mode)) {
        err = make_dir(e->name, e->mode);
    } else if (S_ISLNK(e->mode)) {
        return 0;
    } else if (link_earlier(u, e) == 0) {
        err = path_mknod(AT_FDCWD, e->name, e->mode, dev_make(e->rdev_major, e->rdev_minor), NULL);
    }
    if (!err)
        err = set_meta(e->name, e);
    return forgive(err);
}

static int data(void *ctx, const u8 *p, size_t n)
{
    struct unpack *u = ctx;
    if (S_ISLNK(u->cpio.e.mode)) {
        memcpy(u->target + u->target_len, p, n);
        u->target_len += n;
    } else if (u->out) {
        ssize_t w = file_write_kernel(u->out, p, n, u->pos);
        if (w != (ssize_t)n)
            return w < 0 ? (int)w : -ENOSPC;
        u->pos += n;
    }
    return 0;
}

static int end(void *ctx, const struct cpio_entry *e)
{
    struct unpack *u = ctx;
    if (S_ISLNK(e->mode) && e->size) {
        u->target[u->target_len] = 0;
        int err = make_link(e->name, u->target);
        return forgive(err ? err : set_meta(e->name, e));
    }
    if (u->out) {
        file_put(u->out);
        u->out = NULL;
        return forgive(set_meta(e->name, e));
    }
    return 0;
}

static const struct cpio_ops unpack_ops = {
    .begin = begin, .data = data, .end = end, .trailer = drop_links};

static int feed(void *ctx, const u8 *p, size_t n)
{
    struct unpack *u = ctx;
    return cpio_feed(&u->cpio, p, n);
}

/* One compressed member; *used is what it took. */
static int unpack_gzip(struct unpack *u, const u8 *p, size_t n, size_t *used)
{
    u8 *window = kvmalloc(INFLATE_WINDOW, GFP_KERNEL);
    if (!window)
        return -ENOMEM;
    int err = inflate_gzip(p, n, used, feed, u, window);
    kvfree(window);
    if (err == -EIO)
        u->message = "uncompression error";
    return err;
}

static const char *compression_name(const u8 *p, size_t n)
{
    static const struct {
        u8 magic[4];
        const char *name;
    } known[] = {{{0x42, 0x5a, 0x68, 0}, "bzip2"},  {{0x5d, 0, 0, 0}, "lzma"},
                 {{0xfd, 0x37, 0x7a, 0x58}, "xz"},  {{0x89, 0x4c, 0x5a, 0}, "lzo"},
                 {{0x02, 0x21, 0x4c, 0x18}, "lz4"}, {{0x28, 0xb5, 0x2f, 0xfd}, "zstd"}};
    for (size_t i = 0; i < ARRAY_SIZE(known) && n >= 4; i++)
        if (memcmp(p, known[i].magic, known[i].magic[3] ? 4 : 2) == 0)
            return known[i].name;
    return NULL;
}

static int unpack_all(struct unpack *u, const u8 *p, size_t n)
{
    size_t pos = 0;
    while (pos < n) {
        if (p[pos] == 0) { /* padding between archives */
            pos++;
            continue;
        }
        size_t used = 0;
        int err;
        if (n - pos > 6 && memcmp(p + pos, "0707", 4) == 0) {
            u->cpio.ended = false;
            u->cpio.one_archive = true; /* what follows the trailer may be compressed */
            err = feed(u, p + pos, n - pos);
            u->cpio.one_archive = false;
            if (err)
                return err;
            used = u->cpio.fed;
        } else if (n - pos > 18 && p[pos] == 0x1f && p[pos + 1] == 0x8b) {
            err = unpack_gzip(u, p + pos, n - pos, &used);
            if (err)
                return err;
        } else {
            const char *c = compression_name(p + pos, n - pos);
            u->message = c ? "compression method not configured"
                           : "invalid magic at start of compressed archive";
            if (c)
                log_print(LOG_ERR, "Initramfs: compressed by %s, only gzip is understood\n", c);
            return -EINVAL;
        }
        pos += used;
    }
    if (!cpio_complete(&u->cpio)) {
        u->message = "unexpected EOF";
        return -EINVAL;
    }
    return 0;
}

int initramfs_unpack(const void *start, size_t size)
{
    struct unpack *u = kvmalloc(sizeof(*u), GFP_KERNEL | GFP_ZERO);
    if (!u)
        return -ENOMEM;
    u->target = kmalloc(PATH_MAX + 1, GFP_KERNEL);
    cpio_init(&u->cpio, &unpack_ops, u);
    int err = u->target ? unpack_all(u, start, size) : -ENOMEM;
    if (u->out)
        file_put(u->out);
    drop_links(u);
    if (err) {
        const char *why = u->message       ? u->message
                          : u->cpio.error  ? u->cpio.error
                          : err == -ENOMEM ? "out of memory"
                          : err == -ENOSPC ? "write error"
                                           : "malformed archive";
        log_print(LOG_EMERG, "Initramfs unpacking failed: %s\n", why);
    }
    kfree(u->target);
    kvfree(u);
    return err;
}
