/* SPDX-License-Identifier: MIT */
/*
 * tmpfs: inodes and directory operations. Sizes of directories and link counts as Linux shows them: 20 bytes an entry,
 * 2 + subdirectories.
 */
#include "tmpfs.h"
#include <mm/shmem.h>

#define DIRENT_SIZE 20

struct inode *tmpfs_new(struct superblock *sb, struct inode *dir, u32 mode, u64 rdev)
{
    struct tsb *ts = sb->priv;
    if (__atomic_add_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED) > ts->max_inodes &&
        ts->max_inodes) {
        __atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
        return ERR_PTR(-ENOSPC);
    }
    struct tnode *t = kzalloc(sizeof(*t), GFP_KERNEL);
    struct inode *i =
        t ? inode_alloc(sb, mode, S_ISREG(mode) ? &tmpfs_mapping_ops : &shmem_mapping_ops, AS_SHMEM)
          : NULL;
    if (i && S_ISDIR(mode)) {
        t->dir = tdir_alloc();
        if (!t->dir) {
            inode_put(i);
            i = NULL;
        }
    }
    if (!i) {
        kfree(t);
        __atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
        return ERR_PTR(-ENOMEM);
    }
    i->priv = t;
    i->rdev = rdev;
    t->seals = F_SEAL_SEAL;
    if (dir && (dir->mode & S_ISGID)) {
        i->gid = dir->gid;
        if (S_ISDIR(mode))
            i->mode |= S_ISGID;
    }
    if (S_ISDIR(mode)) {
        i->nlink = 2;
        i->mapping.size = 2 * DIRENT_SIZE;
        i->ops = &tmpfs_dir_iops;
        i->fops = &tmpfs_dir_fops;
    } else if (S_ISREG(mode)) {
        i->ops = &tmpfs_file_iops;
        i->fops = &tmpfs_file_fops;
    } else {
        i->ops = S_ISLNK(mode) ? &tmpfs_link_iops : &tmpfs_special_iops;
    }
    return i;
}

struct inode *tmpfs_new_link(struct superblock *sb, struct inode *dir, const char *target)
{
    struct inode *i = tmpfs_new(sb, dir, S_IFLNK | 0777, 0);
    if (IS_ERR(i))
        return i;
    tnode(i)->target = kstrdup(target, GFP_KERNEL);
    if (!tnode(i)->target) {
        inode_put(i);
        return ERR_PTR(-ENOMEM);
    }
    i->mapping.size = str_len(target);
    return i;
}

void tmpfs_evict(struct inode *i)
{
    struct tnode *t = tnode(i);
    struct tsb *ts = i->sb->priv;
    if (!t)
        return;
    if (t->dir)
        tdir_free(t->dir);
    kfree(t->target);
    tmpfs_free_xattrs(t->xattrs);
    kfree(t);
    i->priv = NULL;
    __atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct inode *i = tdir_find(tnode(dir)->dir, name, len);
    if (!i)
        return -ENOENT;
    *out = inode_get(i);
    return 0;
}

/* A name more (n = 1) or less (-1) in dir. */
static void dir_changed(struct inode *dir, int n)
{
    dir->mapping.size += (u64)(n * DIRENT_SIZE);
    inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

/* Gives i its name; *out gets a reference of its own. i is put on errors. */
static int add_new(struct inode *dir, const char *name, size_t len, struct inode *i,
                   struct inode **out)
{
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    int err = tdir_insert(tnode(dir)->dir, name, len, i);
    if (err) {
        inode_put(i);
        return err;
    }
    dir_changed(dir, 1);
    *out = inode_get(i);
    return 0;
}

static int create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
                  struct inode **out)
{
    return add_new(dir, name, len, tmpfs_new(dir->sb, dir, mode, rdev), out);
}

static int mkdir(struct inode *dir, const char *name, size_t len, u32 mode, struct inode **out)
{
    int err = add_new(dir, name, len, tmpfs_new(dir->sb, dir, mode, 0), out);
    if (!err)
        dir->nlink++;
    return err;
}

static int symlink(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out)
{
    return add_new(dir, name, len, tmpfs_new_link(dir->sb, dir, target), out);
}

static int tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
    *out = tmpfs_new(dir->sb, dir, mode, 0);
    if (IS_ERR(*out))
        return (int)PTR_ERR(*out);
    (*out)->nlink = 0;
    return 0;
}

static int link(struct inode *dir, const char *name, size_t len, struct inode *old)
{
    int err = tdir_insert(tnode(dir)->dir, name, len, inode_get(old));
    if (err) {
        inode_put(old);
        return err;
    }
    old->nlink++;
    inode_touch(old, ATTR_CTIME);
    dir_changed(dir, 1);
    return 0;
}

static int unlink(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    struct inode *i = tdir_remove(tnode(dir)->dir, name, len);
    if (!i)
        return -ENOENT;
    i->nlink--;
    inode_touch(i, ATTR_CTIME);
    dir_changed(dir, -1);
    inode_put(i);
    return 0;
}

static int rmdir(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    if (tdir_count(tnode(victim)->dir))
        return -ENOTEMPTY;
    int err = unlink(dir, name, len, victim);
    if (!err) {
        victim->nlink = 0;
        dir->nlink--;
    }
    return err;
}

static int exchange(struct inode *od, const char *on, size_t ol, struct inode *nd, const char *nn,
                    size_t nl)
{
    struct inode *a = tdir_find(tnode(od)->dir, on, ol), *b = tdir_find(tnode(nd)->dir, nn, nl);
    if (!a || !b)
        return -ENOENT;
    tdir_replace(tnode(od)->dir, on, ol, b);
    tdir_replace(tnode(nd)->dir, nn, nl, a);
    od->nlink += (u32)S_ISDIR(b->mode) - (u32)S_ISDIR(a->mode);
    nd->nlink += (u32)S_ISDIR(a->mode) - (u32)S_ISDIR(b->mode);
    inode_touch(a, ATTR_CTIME);
    inode_touch(b, ATTR_CTIME);
    dir_changed(od, 0);
    dir_changed(nd, 0);
    return 0;
}

static int rename(struct inode *od, const char *on, size_t ol, struct inode *nd, const char *nn,
                  size_t nl, u32 flags)
{
    if (flags & RENAME_EXCHANGE)
        return exchange(od, on, ol, nd, nn, nl);
    struct inode *i = tdir_find(tnode(od)->dir, on, ol),
                 *target = tdir_find(tnode(nd)->dir, nn, nl);
    if (!i)
        return -ENOENT;
    bool is_dir = S_ISDIR(i->mode);
    if (target) {
        if (S_ISDIR(target->mode) && tdir_count(tnode(target)->dir))
            return -ENOTEMPTY;
        tdir_replace(tnode(nd)->dir, nn, nl, i);
    } else {
        int err = tdir_insert(tnode(nd)->dir, nn, nl, i);
        if (err)
            return err;
        dir_changed(nd, 1);
    }
    tdir_remove(tnode(od)->dir, on, ol); /* the reference has moved to the new entry */
    dir_changed(od, -1);
    dir_changed(nd, 0);
    inode_touch(i, ATTR_CTIME);
    if (is_dir) {
        od->nlink--;
        nd->nlink++;
    }
    if (target) {
        if (S_ISDIR(target->mode)) {
            target->nlink = 0;
            nd->nlink--;
        } else {
            target->nlink--;
        }
        inode_touch(target, ATTR_CTIME);
        inode_put(target);
    }
    return 0;
}

static ssize_t readlink(struct inode *i, char *buf, size_t size)
{
    size_t n = min(i->mapping.size, (u64)size);
    memcpy(buf, tnode(i)->target, n);
    return (ssize_t)n;
}

static int readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct inode *dir = f->inode;
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    for (u64 cookie = f->pos;;) {
        const char *name;
        size_t len;
        struct inode *i = tdir_next(tnode(dir)->dir, &cookie, &name, &len);
        if (!i || !emit(ctx, name, len, i->ino, mode_to_dt(i->mode), cookie + 1))
            break;
        f->pos = ++cookie;
    }
    return 0;
}

static s64 dir_lseek(struct file *f, s64 off, int whence)
{
    if (whence == SEEK_CUR)
        off += (s64)f->pos;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (off < 0)
        return -EINVAL;
    f->pos = (u64)off;
    return off;
}

static int dir_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    return 0;
}

#define XATTR_OPS                                                                                  \
    .getxattr = tmpfs_getxattr, .listxattr = tmpfs_listxattr, .setxattr = tmpfs_setxattr,          \
    .removexattr = tmpfs_removexattr
const struct inode_ops tmpfs_dir_iops = {.lookup = lookup,
                                         .create = create,
                                         .mkdir = mkdir,
                                         .symlink = symlink,
                                         .link = link,
                                         .unlink = unlink,
                                         .rmdir = rmdir,
                                         .rename = rename,
                                         .tmpfile = tmpfile,
                                         .getattr = tmpfs_getattr,
                                         .evict = tmpfs_evict,
                                         XATTR_OPS};
const struct inode_ops tmpfs_link_iops = {
    .readlink = readlink, .getattr = tmpfs_getattr, .evict = tmpfs_evict, XATTR_OPS};
const struct inode_ops tmpfs_special_iops = {
    .getattr = tmpfs_getattr, .evict = tmpfs_evict, XATTR_OPS};
const struct inode_ops tmpfs_file_iops = {
    .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .evict = tmpfs_evict, XATTR_OPS};
const struct file_ops tmpfs_dir_fops = {.readdir = readdir, .lseek = dir_lseek, .fsync = dir_fsync};
