/* SPDX-License-Identifier: MIT */
/*
 * Calls that change directories: mkdir, mknod, symlink, link, unlink, rmdir. (rename.c has rename.)
 * Each: name_begin() locks the parent and finds the last name, the file system acts, the dentry follows, name_end().
 */
#include "internal.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

static s64 with_name(u64 user, char **out)
{
    *out = getname(user, false);
    return IS_ERR(*out) ? PTR_ERR(*out) : 0;
}

static int do_mknod(int dirfd, const char *name, u32 mode, u64 rdev, struct path *out)
{
    struct name_op op;
    int err = name_begin(&op, dirfd, name, true, 0);
    if (err)
        return err;
    struct inode *dir = op.w.path.dentry->inode, *inode = NULL;
    err = op.w.trailing ? -ENOENT : may_create(dir);
    if (!err && (S_ISCHR(mode) || S_ISBLK(mode)) && !capable(CAP_MKNOD))
        err = -EPERM;
    if (!err)
        err = dir->ops->create ? dir->ops->create(dir, op.w.last, op.w.last_len, mode, rdev, &inode)
                               : -EPERM;
    if (!err) {
        dentry_set_inode(op.dentry, inode);
        notify_dir(dir, IN_CREATE, op.w.last, op.w.last_len);
        if (out) {
            *out = (struct path){op.w.path.mount, op.dentry};
            path_get(out);
        }
    }
    name_end(&op);
    return err;
}

int path_mknod(int dirfd, const char *name, u32 mode, u64 rdev, struct path *out)
{
    return do_mknod(dirfd, name, mode & ~fs_umask(), rdev, out);
}

static s64 mknod_at(int dirfd, u64 user, u32 mode, u32 dev)
{
    char *name;
    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    if (S_ISDIR(mode))
        return -EPERM;
    if (!S_ISREG(mode) && !S_ISCHR(mode) && !S_ISBLK(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
        return -EINVAL;
    s64 err = with_name(user, &name);
    if (err)
        return err;
    u64 rdev = S_ISCHR(mode) || S_ISBLK(mode) ? dev_from_user(dev) : 0;
    err = do_mknod(dirfd, name, mode & ~fs_umask(), rdev, NULL);
    putname(name);
    return err;
}

SYSCALL(mknod)
{
    return mknod_at(AT_FDCWD, a0, (u32)a1, (u32)a2);
}
SYSCALL(mknodat)
{
    return mknod_at((int)a0, a1, (u32)a2, (u32)a3);
}

static s64 mkdir_at(int dirfd, u64 user, u32 mode)
{
    char *name;
    struct name_op op;
    s64 err = with_name(user, &name);
    if (err)
        return err;
    err = name_begin(&op, dirfd, name, true, 0);
    if (!err) {
        struct inode *dir = op.w.path.dentry->inode, *inode = NULL;
        err = may_create(dir);
        if (!err)
            err = dir->ops->mkdir ? dir->ops->mkdir(dir, op.w.last, op.w.last_len,
                                                    S_IFDIR | (mode & 01777 & ~fs_umask()), &inode)
                                  : -EPERM;
        if (!err) {
            dentry_set_inode(op.dentry, inode);
            notify_dir(dir, IN_CREATE | IN_ISDIR, op.w.last, op.w.last_len);
        }
        name_end(&op);
    }
    putname(name);
    return err;
}

SYSCALL(mkdir)
{
    return mkdir_at(AT_FDCWD, a0, (u32)a1);
}
SYSCALL(mkdirat)
{
    return mkdir_at((int)a0, a1, (u32)a2);
}

static s64 symlink_at(u64 user_target, int dirfd, u64 user_name)
{
    char *target = getname(user_target, false), *name;
    struct name_op op;
    if (IS_ERR(target))
        return PTR_ERR(target);
    s64 err = with_name(user_name, &name);
    if (err) {
        putname(target);
        return err;
    }
    err = name_begin(&op, dirfd, name, true, 0);
    if (!err) {
        struct inode *dir = op.w.path.dentry->inode, *inode = NULL;
        err = op.w.trailing ? -ENOENT : may_create(dir);
        if (!err)
            err = dir->ops->symlink
                      ? dir->ops->symlink(dir, op.w.last, op.w.last_len, target, &inode)
                      : -EPERM;
        if (!err) {
            dentry_set_inode(op.dentry, inode);
            notify_dir(dir, IN_CREATE, op.w.last, op.w.last_len);
        }
        name_end(&op);
    }
    putname(name);
    putname(target);
    return err;
}

SYSCALL(symlink)
{
    return symlink_at(a0, AT_FDCWD, a1);
}
SYSCALL(symlinkat)
{
    return symlink_at(a0, (int)a1, a2);
}

static s64 link_at(int olddir, u64 user_old, int newdir, u64 user_new, u32 flags)
{
    struct path old;
    struct name_op op;
    char *name;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
        return -ENOENT;
    u32 look = ((flags & AT_SYMLINK_FOLLOW) ? LOOKUP_FOLLOW : 0) |
               ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
    s64 err = path_lookup_user(olddir, user_old, look, &old);
    if (err)
        return err;
    err = with_name(user_new, &name);
    if (err)
        goto out_old;
    err = name_begin(&op, newdir, name, true, 0);
    if (err)
        goto out_name;
    struct inode *dir = op.w.path.dentry->inode, *inode = old.dentry->inode;
    if (op.w.trailing)
        err = -ENOENT;
    else if (old.mount != op.w.path.mount)
        err = -EXDEV;
    else
        err = may_create(dir);
    if (!err && S_ISDIR(inode->mode))
        err = -EPERM;
    if (!err && !dir->ops->link)
        err = -EPERM;
    if (!err) {
        mutex_lock(&inode->lock);
        err = dir->ops->link(dir, op.w.last, op.w.last_len, inode);
        mutex_unlock(&inode->lock);
    }
    if (!err) {
        dentry_set_inode(op.dentry, inode_get(inode));
        notify_dir(dir, IN_CREATE, op.w.last, op.w.last_len);
        if (unlikely(READ_ONCE(inotify_watches)))
            inotify_event(inode, IN_ATTRIB, 0, NULL, 0);
    }
    name_end(&op);
out_name:
    putname(name);
out_old:
    path_put(&old);
    return err;
}

SYSCALL(link)
{
    return link_at(AT_FDCWD, a0, AT_FDCWD, a1, 0);
}
SYSCALL(linkat)
{
    return link_at((int)a0, a1, (int)a2, a3, (u32)a4);
}

/* What had this name and is gone: watchers are told after the locks are dropped. */
static void notify_removed(struct inode *dir, struct inode *victim, const char *name, size_t len)
{
    if (likely(!READ_ONCE(inotify_watches)))
        return;
    bool is_dir = S_ISDIR(victim->mode);
    inotify_event(dir, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0, name, len);
    if (is_dir || victim->nlink == 0)
        inotify_event(victim, IN_DELETE_SELF, 0, NULL, 0);
    else
        inotify_event(victim, IN_ATTRIB, 0, NULL, 0);
}

static s64 unlink_name(int dirfd, const char *name, bool rmdir)
{
    struct name_op op;
    s64 err = name_begin(&op, dirfd, name, false, 0);
    if (err == -EINVAL || err == -ENOTEMPTY ||
        err == -EBUSY) { /* ".", "..", "/" in the last place */
        if (!rmdir)
            err = -EISDIR;
    }
    if (err)
        return err;
    struct inode *dir = op.w.path.dentry->inode, *victim = inode_get(op.dentry->inode);
    err = may_delete(dir, victim, rmdir);
    if (!err && op.w.trailing && !rmdir)
        err = -ENOTDIR;
    if (!err && mount_blocks(op.dentry))
        err = -EBUSY;
    if (!err && !(rmdir ? dir->ops->rmdir : dir->ops->unlink))
        err = -EPERM;
    if (!err) {
        mutex_lock(&victim->lock);
        err = (rmdir ? dir->ops->rmdir : dir->ops->unlink)(dir, op.w.last, op.w.last_len, victim);
        if (!err && rmdir)
            victim->state |= I_DEAD;
        mutex_unlock(&victim->lock);
    }
    if (!err) {
        if (rmdir)
            dcache_prune(op.dentry);
        dentry_delete(op.dentry);
        notify_removed(dir, victim, op.w.last, op.w.last_len);
    }
    struct dentry *others = !err && unlikely(READ_ONCE(op.dentry->mounted)) ? dentry_get(op.dentry) : NULL;
    name_end(&op);
    if (others) {
        mount_detach_on(others);
        dentry_put(others);
    }
    inode_put(victim); /* contents go outside of the directory's lock */
    return err;
}

static s64 unlink_at(int dirfd, u64 user, bool rmdir)
{
    char *name;
    s64 err = with_name(user, &name);
    if (err)
        return err;
    err = unlink_name(dirfd, name, rmdir);
    putname(name);
    return err;
}

int path_unlink(const char *name)
{
    return (int)unlink_name(AT_FDCWD, name, false);
}

SYSCALL(unlink)
{
    return unlink_at(AT_FDCWD, a0, false);
}
SYSCALL(rmdir)
{
    return unlink_at(AT_FDCWD, a0, true);
}
SYSCALL(unlinkat)
{
    if ((u32)a2 & ~AT_REMOVEDIR)
        return -EINVAL;
    return unlink_at((int)a0, a1, a2 & AT_REMOVEDIR);
}
