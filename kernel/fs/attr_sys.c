/* SPDX-License-Identifier: MIT */
/* Changing attributes: chmod, chown, utimensat, truncate. All end in vfs_setattr() or vfs_truncate(). */
#include "internal.h"
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <port/uaccess.h>

static int setattr_locked(struct inode *i, u32 valid, struct kstat *st)
{
    if (i->ops && i->ops->setattr)
        return i->ops->setattr(i, valid, st);
    if (valid & ATTR_SIZE)
        return -EINVAL;
    setattr_copy(i, valid, st);
    return 0;
}

/* Rights have been checked. mount may be NULL (files without a path). */
static int change_attr(struct mount *m, struct dentry *d, struct inode *i, u32 valid,
                       struct kstat *st)
{
    int err = mount_want_write(m);
    if (err)
        return err;
    mutex_lock(&i->lock);
    err = setattr_locked(i, valid, st);
    mutex_unlock(&i->lock);
    mount_drop_write(m);
    if (!err && d && unlikely(READ_ONCE(inotify_watches)))
        inotify_dentry(d, IN_ATTRIB);
    return err;
}

int vfs_setattr(const struct path *p, u32 valid, struct kstat *st)
{
    return change_attr(p->mount, p->dentry, p->dentry->inode, valid, st);
}

int vfs_truncate(struct file *f, struct inode *i, u64 size)
{
    struct kstat st = {.size = size, .mtime = time_now()};
    if (size > i->sb->max_bytes)
        return -EFBIG;
    if (size > i->mapping.size && size > rlimit_cur(current_task()->process, RLIMIT_FSIZE)) {
        signal_send_task(current_task(), SIGXFSZ);
        return -EFBIG;
    }
    u32 valid = ATTR_SIZE | ATTR_MTIME;
    mutex_lock(&i->lock);
    if ((i->mode & S_ISUID) && !capable(CAP_FSETID)) {
        st.mode = i->mode & ~S_ISUID;
        valid |= ATTR_MODE;
    }
    int err = setattr_locked(i, valid, &st);
    mutex_unlock(&i->lock);
    if (!err && f)
        notify_file(f, IN_MODIFY);
    return err;
}

static int do_chmod(struct mount *m, struct dentry *d, struct inode *i, u32 mode)
{
    if (!cap_owner(i))
        return -EPERM;
    struct kstat st = {.mode = mode & 07777};
    if ((mode & S_ISGID) && !in_group(i->gid) && !capable(CAP_FSETID))
        st.mode &= ~S_ISGID;
    if (S_ISLNK(i->mode))
        return -EOPNOTSUPP;
    return change_attr(m, d, i, ATTR_MODE, &st);
}

static s64 chmod_at(int dirfd, u64 name, u32 mode, u32 flags)
{
    struct path p;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    u32 look = ((flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW) |
               ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
    s64 err = path_lookup_user(dirfd, name, look, &p);
    if (err)
        return err;
    err = do_chmod(p.mount, p.dentry, p.dentry->inode, mode);
    path_put(&p);
    return err;
}

SYSCALL(chmod)
{
    return chmod_at(AT_FDCWD, a0, (u32)a1, 0);
}
SYSCALL(fchmodat)
{
    return chmod_at((int)a0, a1, (u32)a2, 0);
}
SYSCALL(fchmodat2)
{
    return chmod_at((int)a0, a1, (u32)a2, (u32)a3);
}
SYSCALL(fchmod)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = do_chmod(r.file->mount, r.file->dentry, r.file->inode, (u32)a1);
    fd_return(r);
    return err;
}

static int do_chown(struct mount *m, struct dentry *d, struct inode *i, u32 uid, u32 gid)
{
    struct kstat st = {.uid = uid, .gid = gid};
    u32 valid = (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
    const struct cred *c = current_task()->cred;
    if ((valid & ATTR_UID) && !(c->fsuid == i->uid && uid == i->uid) && !capable(CAP_CHOWN))
        return -EPERM;
    if ((valid & ATTR_GID) && !(c->fsuid == i->uid && (in_group(gid) || gid == i->gid)) &&
        !capable(CAP_CHOWN))
        return -EPERM;
    if (!S_ISDIR(i->mode) && (i->mode & (S_ISUID | S_ISGID))) {
        st.mode = i->mode & ~S_ISUID;
        if (i->mode & 010)
            st.mode &= ~S_ISGID;
        valid |= ATTR_MODE;
    }
    return change_attr(m, d, i, valid, &st);
}

static s64 chown_at(int dirfd, u64 name, u32 uid, u32 gid, u32 flags)
{
    struct path p;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    u32 look = ((flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW) |
               ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
    s64 err = path_lookup_user(dirfd, name, look, &p);
    if (err)
        return err;
    err = do_chown(p.mount, p.dentry, p.dentry->inode, uid, gid);
    path_put(&p);
    return err;
}

SYSCALL(chown)
{
    return chown_at(AT_FDCWD, a0, (u32)a1, (u32)a2, 0);
}
SYSCALL(lchown)
{
    return chown_at(AT_FDCWD, a0, (u32)a1, (u32)a2, AT_SYMLINK_NOFOLLOW);
}
SYSCALL(fchownat)
{
    return chown_at((int)a0, a1, (u32)a2, (u32)a3, (u32)a4);
}
SYSCALL(fchown)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = do_chown(r.file->mount, r.file->dentry, r.file->inode, (u32)a1, (u32)a2);
    fd_return(r);
    return err;
}

/* ---- times ---- */
#define UTIME_NOW  0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL

static int do_utimes(struct mount *m, struct dentry *d, struct inode *i, const struct timespec_k *t)
{
    struct timespec_k now = time_now();
    struct kstat st = {.atime = now, .mtime = now};
    u32 valid = ATTR_ATIME | ATTR_MTIME;
    bool all_now = !t || (t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW);
    if (t && t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
        return 0;
    if (t) {
        if (t[0].nsec == UTIME_OMIT)
            valid &= ~ATTR_ATIME;
        else if (t[0].nsec != UTIME_NOW)
            st.atime = t[0];
        if (t[1].nsec == UTIME_OMIT)
            valid &= ~ATTR_MTIME;
        else if (t[1].nsec != UTIME_NOW)
            st.mtime = t[1];
    }
    if (!cap_owner(i)) {
        if (!all_now)
            return -EPERM;
        int err = inode_permission(i, W_OK);
        if (err)
            return err;
    }
    return change_attr(m, d, i, valid, &st);
}

static s64 utimes_at(int dirfd, u64 name, const struct timespec_k *t, u32 flags)
{
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    s64 err;
    if (!name && dirfd != AT_FDCWD) {
        struct fdref r = fd_borrow(dirfd);
        if (!r.file)
            return -EBADF;
        err = do_utimes(r.file->mount, r.file->dentry, r.file->inode, t);
        fd_return(r);
        return err;
    }
    struct path p;
    u32 look = ((flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW) |
               ((flags & AT_EMPTY_PATH) ? LOOKUP_EMPTY : 0);
    err = path_lookup_user(dirfd, name, look, &p);
    if (err)
        return err;
    err = do_utimes(p.mount, p.dentry, p.dentry->inode, t);
    path_put(&p);
    return err;
}

SYSCALL(utimensat)
{
    struct timespec_k t[2];
    if (a2) {
        if (copy_from_user(t, a2, sizeof(t)))
            return -EFAULT;
        for (int k = 0; k < 2; k++)
            if (t[k].nsec != UTIME_NOW && t[k].nsec != UTIME_OMIT && (u64)t[k].nsec >= NSEC_PER_SEC)
                return -EINVAL;
    }
    return utimes_at((int)a0, a1, a2 ? t : NULL, (u32)a3);
}

static s64 utimes_usec(int dirfd, u64 name, u64 user)
{
    struct timespec_k t[2];
    if (user) {
        if (copy_from_user(t, user, sizeof(t)))
            return -EFAULT;
        for (int k = 0; k < 2; k++) {
            if ((u64)t[k].nsec >= 1000000)
                return -EINVAL;
            t[k].nsec *= 1000;
        }
    }
    return utimes_at(dirfd, name, user ? t : NULL, 0);
}

SYSCALL(utimes)
{
    return utimes_usec(AT_FDCWD, a0, a1);
}
SYSCALL(futimesat)
{
    return utimes_usec((int)a0, a1, a2);
}
SYSCALL(utime)
{
    s64 sec[2];
    if (!a1)
        return utimes_at(AT_FDCWD, a0, NULL, 0);
    if (copy_from_user(sec, a1, sizeof(sec)))
        return -EFAULT;
    struct timespec_k t[2] = {{sec[0], 0}, {sec[1], 0}};
    return utimes_at(AT_FDCWD, a0, t, 0);
}

/* ---- sizes ---- */
SYSCALL(truncate)
{
    struct path p;
    if ((s64)a1 < 0)
        return -EINVAL;
    s64 err = path_lookup_user(AT_FDCWD, a0, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    struct inode *i = p.dentry->inode;
    if (S_ISDIR(i->mode))
        err = -EISDIR;
    else if (!S_ISREG(i->mode))
        err = -EINVAL;
    else
        err = mount_want_write(p.mount);
    if (!err) {
        err = inode_permission(i, W_OK);
        if (!err && READ_ONCE(i->writecount) < 0)
            err = -ETXTBSY;
        if (!err)
            err = vfs_truncate(NULL, i, a1);
        mount_drop_write(p.mount);
        if (!err && unlikely(READ_ONCE(inotify_watches)))
            inotify_dentry(p.dentry, IN_MODIFY);
    }
    path_put(&p);
    return err;
}

SYSCALL(ftruncate)
{
    if ((s64)a1 < 0)
        return -EINVAL;
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = -EINVAL;
    if (S_ISREG(r.file->inode->mode) && (r.file->mode & FMODE_WRITE))
        err = vfs_truncate(r.file, r.file->inode, a1);
    fd_return(r);
    return err;
}

SYSCALL(fallocate)
{
    int mode = (int)a1;
    s64 off = (s64)a2, len = (s64)a3;
    struct fdref r = fd_borrow((int)a0);
    struct file *f = r.file;
    if (!f)
        return -EBADF;
    s64 err = 0;
    if (off < 0 || len <= 0)
        err = -EINVAL;
    else if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
                      FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
        err = -EOPNOTSUPP;
    else if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
        err = -EOPNOTSUPP;
    else if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        err = -EOPNOTSUPP;
    else if (!(f->mode & FMODE_WRITE))
        err = -EBADF;
    else if (S_ISFIFO(f->inode->mode))
        err = -ESPIPE;
    else if (S_ISDIR(f->inode->mode))
        err = -EISDIR;
    else if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
        err = -ENODEV;
    else if ((u64)off + (u64)len > f->inode->sb->max_bytes)
        err = -EFBIG;
    else
        err = f->ops->fallocate ? f->ops->fallocate(f, mode, (u64)off, (u64)len) : -EOPNOTSUPP;
    if (!err)
        notify_file(f, IN_MODIFY);
    fd_return(r);
    return err;
}
