/* SPDX-License-Identifier: MIT */
/* stat, statx, statfs, access, readlink: questions about a name or a file. */
#include "internal.h"
#include "../proc/proc.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

int vfs_getattr(struct inode *i, struct kstat *st)
{
    *st = (struct kstat){
        .dev = i->sb->dev,
        .ino = i->ino,
        .size = READ_ONCE(i->mapping.size),
        .blocks = i->blocks,
        .rdev = i->rdev,
        .mode = i->mode,
        .nlink = i->nlink,
        .uid = i->uid,
        .gid = i->gid,
        .blksize = (u32)i->sb->blocksize,
        .atime = i->atime,
        .mtime = i->mtime,
        .ctime = i->ctime,
        .btime = i->btime,
    };
    return i->ops && i->ops->getattr ? i->ops->getattr(i, st) : 0;
}

static s64 put_stat(u64 user, const struct kstat *k)
{
    struct uapi_stat s = {
        .st_dev = dev_user(k->dev),
        .st_ino = k->ino,
        .st_nlink = k->nlink,
        .st_mode = k->mode,
        .st_uid = k->uid,
        .st_gid = k->gid,
        .st_rdev = dev_user(k->rdev),
        .st_size = (s64)k->size,
        .st_blksize = k->blksize,
        .st_blocks = (s64)k->blocks,
        .st_atim = {k->atime.sec, k->atime.nsec},
        .st_mtim = {k->mtime.sec, k->mtime.nsec},
        .st_ctim = {k->ctime.sec, k->ctime.nsec},
    };
    return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

/* What (dirfd, name, AT_* flags) is; *mnt_id and *mount_root may be NULL. */
static int stat_at(int dirfd, u64 name, u32 at, struct kstat *st, s32 *mnt_id, bool *mount_root)
{
    struct path p;
    u32 look = (at & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW;
    if (at & AT_EMPTY_PATH) {
        char first = 0;
        if (name && copy_from_user(&first, name, 1))
            return -EFAULT;
        if (!first && dirfd != AT_FDCWD) { /* the descriptor itself, of any kind */
            struct fdref r = fd_borrow_any(dirfd);
            if (!r.file)
                return -EBADF;
            int err = vfs_getattr(r.file->inode, st);
            if (mnt_id)
                *mnt_id = r.file->mount ? r.file->mount->id : 0;
            if (mount_root)
                *mount_root = r.file->mount && r.file->mount->root == r.file->dentry;
            fd_return(r);
            return err;
        }
        look |= LOOKUP_EMPTY;
        if (!name) {
            int err = path_lookup(dirfd, "", look, &p);
            if (err)
                return err;
            err = vfs_getattr(p.dentry->inode, st);
            path_put(&p);
            return err;
        }
    }
    int err = path_lookup_user(dirfd, name, look, &p);
    if (err)
        return err;
    err = vfs_getattr(p.dentry->inode, st);
    if (mnt_id)
        *mnt_id = p.mount->id;
    if (mount_root)
        *mount_root = p.mount->root == p.dentry;
    path_put(&p);
    return err;
}

SYSCALL(stat)
{
    struct kstat k;
    s64 err = stat_at(AT_FDCWD, a0, 0, &k, NULL, NULL);
    return err ? err : put_stat(a1, &k);
}

SYSCALL(lstat)
{
    struct kstat k;
    s64 err = stat_at(AT_FDCWD, a0, AT_SYMLINK_NOFOLLOW, &k, NULL, NULL);
    return err ? err : put_stat(a1, &k);
}

SYSCALL(fstat)
{
    struct kstat k;
    struct fdref r = fd_borrow_any((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = vfs_getattr(r.file->inode, &k);
    fd_return(r);
    return err ? err : put_stat(a1, &k);
}

SYSCALL(newfstatat)
{
    struct kstat k;
    if ((u32)a3 & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    s64 err = stat_at((int)a0, a1, (u32)a3, &k, NULL, NULL);
    return err ? err : put_stat(a2, &k);
}

static struct uapi_statx_time xtime(struct timespec_k t)
{
    return (struct uapi_statx_time){t.sec, (u32)t.nsec, 0};
}

SYSCALL(statx)
{
    struct kstat k;
    u32 at = (u32)a2, mask = (u32)a3;
    s32 mnt_id = 0;
    bool mount_root = false;
    if (mask & STATX_RESERVED)
        return -EINVAL;
    if (at & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC |
               AT_STATX_DONT_SYNC))
        return -EINVAL;
    if ((at & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC)) ==
        (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC))
        return -EINVAL;
    s64 err = stat_at((int)a0, a1, at, &k, &mnt_id, &mount_root);
    if (err)
        return err;
    struct uapi_statx x = {
        .stx_mask = STATX_BASIC_STATS | STATX_MNT_ID | (k.btime.sec ? STATX_BTIME : 0),
        .stx_blksize = k.blksize,
        .stx_attributes = mount_root ? STATX_ATTR_MOUNT_ROOT : 0,
        .stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
        .stx_nlink = k.nlink,
        .stx_uid = k.uid,
        .stx_gid = k.gid,
        .stx_mode = (u16)k.mode,
        .stx_ino = k.ino,
        .stx_size = k.size,
        .stx_blocks = k.blocks,
        .stx_atime = xtime(k.atime),
        .stx_btime = xtime(k.btime),
        .stx_ctime = xtime(k.ctime),
        .stx_mtime = xtime(k.mtime),
        .stx_rdev_major = dev_major(k.rdev),
        .stx_rdev_minor = dev_minor(k.rdev),
        .stx_dev_major = dev_major(k.dev),
        .stx_dev_minor = dev_minor(k.dev),
        .stx_mnt_id = (u64)mnt_id,
    };
    return copy_to_user(a4, &x, sizeof(x)) ? -EFAULT : 0;
}

/* ---- statfs ---- */
static s64 put_statfs(u64 user, struct superblock *sb, struct mount *m)
{
    struct kstatfs k = {.type = sb->magic, .bsize = sb->blocksize, .namelen = NAME_MAX};
    int err = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &k) : 0;
    if (err)
        return err;
    u32 mf = m ? m->flags : 0;
    struct uapi_statfs s = {
        .f_type = (s64)k.type,
        .f_bsize = (s64)k.bsize,
        .f_blocks = k.blocks,
        .f_bfree = k.bfree,
        .f_bavail = k.bavail,
        .f_files = k.files,
        .f_ffree = k.ffree,
        .f_fsid = {(s32)dev_user(sb->dev), 0},
        .f_namelen = (s64)k.namelen,
        .f_frsize = (s64)k.bsize,
        .f_flags = ST_VALID | (((mf | sb->flags) & MS_RDONLY) ? ST_RDONLY : 0) |
                   ((mf & MS_NOSUID) ? ST_NOSUID : 0) | ((mf & MS_NODEV) ? ST_NODEV : 0) |
                   ((mf & MS_NOEXEC) ? ST_NOEXEC : 0) | ((mf & MS_NOATIME) ? ST_NOATIME : 0) |
                   ((mf & MS_NODIRATIME) ? ST_NODIRATIME : 0) |
                   ((mf & MS_RELATIME) ? ST_RELATIME : 0),
    };
    return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

SYSCALL(statfs)
{
    struct path p;
    s64 err = path_lookup_user(AT_FDCWD, a0, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    err = put_statfs(a1, p.dentry->sb, p.mount);
    path_put(&p);
    return err;
}

SYSCALL(fstatfs)
{
    struct fdref r = fd_borrow_any((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = put_statfs(a1, r.file->inode->sb, r.file->mount);
    fd_return(r);
    return err;
}

/* ---- access ---- */
/* access(2) asks for the real ids: a private copy of the credentials stands in meanwhile. */
static struct cred *real_ids(struct cred **saved)
{
    struct task *t = current_task();
    *saved = t->cred;
    if (t->cred->fsuid == t->cred->uid && t->cred->fsgid == t->cred->gid)
        return NULL;
    struct cred *c = cred_copy(t->cred);
    if (!c)
        return ERR_PTR(-ENOMEM);
    c->fsuid = c->uid;
    c->fsgid = c->gid;
    c->cap_effective = c->uid ? 0 : c->cap_permitted;
    t->cred = c;
    return c;
}

static s64 do_access(int dirfd, u64 name, u32 mode, u32 flags)
{
    struct path p;
    struct cred *saved, *mine = NULL;
    if (mode & ~7u)
        return -EINVAL;
    if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!(flags & AT_EACCESS)) {
        mine = real_ids(&saved);
        if (IS_ERR(mine))
            return PTR_ERR(mine);
    }
    u32 look = ((flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW) |
               ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
    s64 err = path_lookup_user(dirfd, name, look, &p);
    if (!err) {
        struct inode *i = p.dentry->inode;
        if ((mode & X_OK) && S_ISREG(i->mode) && (p.mount->flags & MS_NOEXEC))
            err = -EACCES;
        if (!err && mode)
            err = inode_permission(i, mode);
        if (!err && (mode & W_OK) && (p.mount->flags & MS_RDONLY) && !S_ISCHR(i->mode) &&
            !S_ISBLK(i->mode) && !S_ISFIFO(i->mode) && !S_ISSOCK(i->mode))
            err = -EROFS;
        path_put(&p);
    }
    if (mine) {
        current_task()->cred = saved;
        cred_put(mine); /* others may be reading it */
    }
    return err;
}

SYSCALL(access)
{
    return do_access(AT_FDCWD, a0, (u32)a1, 0);
}
SYSCALL(faccessat)
{
    return do_access((int)a0, a1, (u32)a2, 0);
}
SYSCALL(faccessat2)
{
    return do_access((int)a0, a1, (u32)a2, (u32)a3);
}

/* ---- readlink ---- */
static s64 do_readlink(int dirfd, u64 name, u64 user, s64 size)
{
    struct path p;
    if ((s32)size <= 0)
        return -EINVAL;
    s64 err = path_lookup_user(dirfd, name, LOOKUP_EMPTY, &p);
    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if (!S_ISLNK(i->mode) || !i->ops->readlink) {
        path_put(&p);
        return -EINVAL;
    }
    char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
    ssize_t n = buf ? i->ops->readlink(i, buf, PATH_MAX) : -ENOMEM;
    path_put(&p);
    if (n > 0) {
        n = min(n, (ssize_t)(s32)size);
        if (copy_to_user(user, buf, (size_t)n))
            n = -EFAULT;
    }
    kfree(buf);
    return n;
}

SYSCALL(readlink)
{
    return do_readlink(AT_FDCWD, a0, a1, (s64)a2);
}
SYSCALL(readlinkat)
{
    return do_readlink((int)a0, a1, a2, (s64)a3);
}
