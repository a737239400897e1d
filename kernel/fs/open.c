/* SPDX-License-Identifier: MIT */
/*
 * Opening.
 *
 *   do_open: name --walk--> path (created if asked) --may_open--> permission --open_path--> struct file
 *
 * Entry points: do_open and file_open* for the rest of the kernel, the open family of system calls.
 */
#include "internal.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

static const struct file_ops no_ops;

static u32 acc_mask(u32 flags)
{
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return R_OK;
    case O_WRONLY:
        return W_OK;
    default:
        return R_OK | W_OK; /* 3 too: both permissions, neither read nor write */
    }
}

int file_open_inode(struct file *f, struct inode *inode)
{
    int err = 0;
    f->inode = inode_get(inode);
    f->ops = inode->fops ? inode->fops : &no_ops;
    if (S_ISFIFO(inode->mode))
        err = fifo_open(inode, f);
    else if (S_ISSOCK(inode->mode))
        err = -ENXIO;
    else if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && !(inode->ops && inode->ops->open))
        err = dev_open(inode, f);
    else if (inode->ops && inode->ops->open)
        err = inode->ops->open(inode, f);
    if (err) {
        inode_put(inode);
        f->inode = NULL;
        return err;
    }
    if (unlikely(f->flags & O_DIRECT) && !f->ops->direct && !S_ISFIFO(inode->mode)) {
        if (f->ops->release)
            f->ops->release(f);
        inode_put(inode);
        f->inode = NULL;
        return -EINVAL;
    }
    if (f->ops->lseek == no_lseek)
        f->mode |= FMODE_STREAM;
    ra_init(&f->ra_state, file_pages(f));
    if (!f->ra)
        f->ra = &f->ra_state;
    return 0;
}

static int may_open(const struct path *p, u32 flags)
{
    struct inode *i = p->dentry->inode;
    u32 mask = acc_mask(flags);
    if (S_ISLNK(i->mode))
        return -ELOOP;
    if (S_ISDIR(i->mode) && (mask & W_OK))
        return -EISDIR;
    if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && (p->mount->flags & MS_NODEV))
        return -EACCES;
    if (S_ISREG(i->mode) && ((mask & W_OK) || (flags & O_TRUNC)) && (p->mount->flags & MS_RDONLY))
        return -EROFS;
    int err = inode_permission(i, mask | ((flags & O_TRUNC) ? W_OK : 0));
    if (err)
        return err;
    if ((flags & O_NOATIME) && !cap_owner(i))
        return -EPERM;
    return 0;
}

static int get_write_access(struct inode *i)
{
    s32 c = READ_ONCE(i->writecount);
    do {
        if (c < 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&i->writecount, &c, c + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 0;
}

int file_deny_write(struct file *f)
{
    s32 c = READ_ONCE(f->inode->writecount);
    do {
        if (c > 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&f->inode->writecount, &c, c - 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return 0;
}

void file_allow_write(struct file *f)
{
    __atomic_add_fetch(&f->inode->writecount, 1, __ATOMIC_RELEASE);
}

struct file *file_open_path(const struct path *p, u32 flags)
{
    struct inode *inode = p->dentry->inode;
    struct file *f = file_alloc();
    if (IS_ERR(f))
        return f;
    f->flags = flags & ~(O_CREAT | O_TRUNC | O_CLOEXEC); /* devices look at O_NOCTTY and O_EXCL */
    int err = 0;
    u32 acc = flags & O_ACCMODE;
    if (!(flags & O_PATH))
        f->flags |= O_LARGEFILE;
    if (flags & O_PATH) {
        f->mode = FMODE_PATH;
        f->inode = inode_get(inode);
        f->ops = &no_ops;
    } else {
        f->mode = (acc == O_RDONLY || acc == O_RDWR ? FMODE_READ : 0) |
                  (acc == O_WRONLY || acc == O_RDWR ? FMODE_WRITE : 0);
        bool counts = (f->mode & FMODE_WRITE) && S_ISREG(inode->mode);
        if (counts) {
            err = get_write_access(inode);
            if (!err) {
                err = mount_want_write(p->mount);
                if (err)
                    __atomic_sub_fetch(&inode->writecount, 1, __ATOMIC_RELAXED);
            }
        }
        if (!err) {
            path_get(p);
            f->mount = p->mount;
            f->dentry = p->dentry;
            err = file_open_inode(f, inode);
            if (!err)
                f->wb_err = errseq_sample(&file_pages(f)->wb_err);
            if (!err && counts)
                f->mode |= FMODE_MOUNT_WRITE;
            if (err && counts) {
                __atomic_sub_fetch(&inode->writecount, 1, __ATOMIC_RELAXED);
                mount_drop_write(p->mount);
            }
        }
    }
    f->flags &= ~(O_NOCTTY | O_EXCL);
    if (!err && (flags & O_PATH)) {
        path_get(p);
        f->mount = p->mount;
        f->dentry = p->dentry;
    }
    if (err) {
        f->mode = FMODE_PATH; /* nothing to undo but the references */
        file_put(f);
        return ERR_PTR(err);
    }
    return f;
}

/* Opens what the walk found; created: just made by this call, so that its mode does not bind the caller. */
static struct file *open_found(const struct path *p, u32 flags, bool created)
{
    int err = 0;
    if (!(flags & O_PATH)) {
        if (created)
            flags &= ~O_TRUNC;
        else
            err = may_open(p, flags);
    }
    if (err)
        return ERR_PTR(err);
    struct inode *inode = p->dentry->inode;
    struct file *f = file_open_path(p, flags);
    if (IS_ERR(f))
        return f;
    if ((flags & O_TRUNC) && !(flags & O_PATH) && S_ISREG(inode->mode)) {
        bool counted =
            f->mode & FMODE_MOUNT_WRITE; /* O_RDONLY|O_TRUNC: write access only for the moment */
        err = counted ? 0 : get_write_access(inode);
        if (!err) {
            err = vfs_truncate(f, inode, 0);
            if (!counted)
                __atomic_sub_fetch(&inode->writecount, 1, __ATOMIC_RELAXED);
        }
        if (err) {
            file_put(f);
            return ERR_PTR(err);
        }
    }
    if (!(flags & O_PATH))
        notify_file(f, IN_OPEN);
    return f;
}

/* O_CREAT: w stands at the parent. *created tells whether the file is new. 0 with *out referenced, or 1: a symlink was followed. */
static int open_last(struct walk *w, const struct open_how_k *how, struct path *out, bool *created)
{
    struct dentry *parent = w->path.dentry;
    struct inode *dir = parent->inode;
    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    if (w->trailing)
        return -EISDIR;
    int ro = mount_want_write(w->path.mount);
    mutex_lock(&dir->lock);
    struct dentry *d = lookup_locked(parent, w->last, w->last_len);
    int err = IS_ERR(d) ? (int)PTR_ERR(d) : 0;
    if (!err && !d->inode) {
        struct inode *inode = NULL;
        err = ro ? ro : may_create(dir);
        if (!err && !dir->ops->create)
            err = -EACCES;
        if (!err)
            err = dir->ops->create(dir, w->last, w->last_len,
                                   S_IFREG | (how->mode & 07777 & ~fs_umask()), 0, &inode);
        if (!err) {
            dentry_set_inode(d, inode);
            notify_dir(dir, IN_CREATE, w->last, w->last_len);
            *created = true;
        }
    } else if (!err && (how->flags & O_EXCL)) {
        err = -EEXIST;
    }
    mutex_unlock(&dir->lock);
    if (!ro)
        mount_drop_write(w->path.mount);
    if (err) {
        if (!IS_ERR(d))
            dentry_put(d);
        return err;
    }
    if (S_ISLNK(d->inode->mode) && !(how->flags & O_NOFOLLOW)) {
        err = walk_follow(w, d, "");
        dentry_put(d);
        return err ? err : 1;
    }
    *out = (struct path){mount_get(w->path.mount), d};
    path_cross_down(out);
    return 0;
}

static struct file *open_create(int dirfd, const char *name, const struct open_how_k *how)
{
    struct walk w;
    struct path p;
    bool created = false;
    int err = walk_begin(&w, dirfd, name, how->resolve << LOOKUP_RESOLVE_SHIFT);
    if (err)
        return ERR_PTR(err);
    const char *s = name;
    for (;;) {
        err = walk_run(&w, s, LOOKUP_PARENT);
        if (!err &&
            w.last_type != LAST_NAME) { /* ".", "..", "/": a directory, or a magic link's place */
            err = w.links && *w.next == 0 && w.last_type != LAST_DOTDOT &&
                          !dentry_is_dir(w.path.dentry)
                      ? 0
                      : -EISDIR;
            p = w.path;
            path_get(&p);
            if (err)
                path_put(&p);
            break;
        }
        if (!err)
            err = open_last(&w, how, &p, &created);
        if (err != 1)
            break;
        s = w.next;
        if (!*s) { /* a magic link: we are there */
            p = w.path;
            path_get(&p);
            err = 0;
            break;
        }
    }
    struct file *f = ERR_PTR(err);
    if (!err) {
        if ((how->flags & O_DIRECTORY) && !dentry_is_dir(p.dentry))
            f = ERR_PTR(-ENOTDIR);
        else if (dentry_is_dir(p.dentry))
            f = ERR_PTR(-EISDIR);
        else
            f = open_found(&p, how->flags, created);
        path_put(&p);
    }
    walk_end(&w);
    return f;
}

static struct file *open_tmpfile(const struct path *dir, const struct open_how_k *how)
{
    struct inode *d = dir->dentry->inode, *inode = NULL;
    int err = mount_want_write(dir->mount);
    if (err)
        return ERR_PTR(err);
    err = inode_permission(d, W_OK | X_OK);
    if (!err)
        err = d->ops->tmpfile
                  ? d->ops->tmpfile(d, S_IFREG | (how->mode & 07777 & ~fs_umask()), &inode)
                  : -EOPNOTSUPP;
    mount_drop_write(dir->mount);
    if (err)
        return ERR_PTR(err);
    char name[24] = "#";
    size_t n = 1;
    u64 v = inode->ino, div = 1;
    while (v / div >= 10)
        div *= 10;
    for (; div; div /= 10)
        name[n++] = (char)('0' + v / div % 10);
    struct path p = {dir->mount, dentry_alloc(inode->sb, dir->dentry, name, n)};
    if (!p.dentry) {
        inode_put(inode);
        return ERR_PTR(-ENOMEM);
    }
    p.dentry->inode = inode;
    dentry_delete(p.dentry);
    struct file *f = file_open_path(&p, how->flags & ~O_TMPFILE);
    dentry_put(p.dentry);
    return f;
}

struct file *do_open(int dirfd, const char *name, const struct open_how_k *how)
{
    struct path p;
    u32 flags = how->flags;
    if (!*name)
        return ERR_PTR(-ENOENT);
    if ((flags & O_CREAT) && !(flags & O_PATH))
        return open_create(dirfd, name, how);
    u32 look = how->resolve << LOOKUP_RESOLVE_SHIFT;
    if (!(flags & O_NOFOLLOW))
        look |= LOOKUP_FOLLOW;
    if (flags & O_DIRECTORY)
        look |= LOOKUP_DIRECTORY;
    int err = path_lookup(dirfd, name, look, &p);
    if (err)
        return ERR_PTR(err);
    struct file *f = (flags & O_TMPFILE_BIT) ? open_tmpfile(&p, how) : open_found(&p, flags, false);
    path_put(&p);
    return f;
}

struct file *file_openat(int dirfd, const char *path, u32 flags, u32 mode)
{
    struct open_how_k how = {.flags = flags, .mode = mode};
    return do_open(dirfd, path, &how);
}

struct file *file_open(const char *path, u32 flags, u32 mode)
{
    return file_openat(AT_FDCWD, path, flags, mode);
}

struct file *file_open_exec(int dirfd, const char *name, u32 at_flags)
{
    struct path p;
    u32 look = (at_flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW;
    if (at_flags & AT_EMPTY_PATH)
        look |= LOOKUP_EMPTY;
    int err = path_lookup(dirfd, name, look, &p);
    if (err)
        return ERR_PTR(err);
    struct inode *i = p.dentry->inode;
    struct file *f = NULL;
    if (S_ISLNK(i->mode))
        err = -ELOOP;
    else if (!S_ISREG(i->mode) || (p.mount->flags & MS_NOEXEC))
        err = -EACCES;
    else
        err = inode_permission(i, X_OK);
    if (!err) {
        f = file_open_path(&p, O_RDONLY);
        err = IS_ERR(f) ? (int)PTR_ERR(f) : 0;
    }
    path_put(&p);
    if (err)
        return ERR_PTR(err);
    f->mode |= FMODE_EXEC;
    return f;
}
