/* SPDX-License-Identifier: MIT */
/* Extended attributes: the twelve calls, and the rules of the name spaces user., trusted., security., system. */
#include "internal.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536UL
#define XATTR_LIST_MAX 65536UL
#define XATTR_CREATE   1u
#define XATTR_REPLACE  2u

struct target { /* the file a call is about */
    struct path p;
    struct inode *inode;
    struct mount *mount;
    struct fdref fd;
};

static int by_name(struct target *t, u64 name, u32 look)
{
    int err = path_lookup_user(AT_FDCWD, name, look, &t->p);
    t->fd.file = NULL;
    if (!err) {
        t->inode = t->p.dentry->inode;
        t->mount = t->p.mount;
    }
    return err;
}
static int by_fd(struct target *t, int fd)
{
    t->fd = fd_borrow(fd);
    if (!t->fd.file)
        return -EBADF;
    t->inode = t->fd.file->inode;
    t->mount = t->fd.file->mount;
    return 0;
}
static void target_end(struct target *t)
{
    if (t->fd.file)
        fd_return(t->fd);
    else
        path_put(&t->p);
}

static int name_from_user(char *buf, u64 user)
{
    ssize_t n = strncpy_from_user(buf, user, XATTR_NAME_MAX + 1);
    if (n == 0 || n == -ENAMETOOLONG)
        return -ERANGE;
    return n < 0 ? (int)n : 0;
}

static int allowed(struct inode *i, const char *name, u32 mask)
{
    if (str_starts(name, "trusted."))
        return capable(CAP_SYS_ADMIN) ? 0 : (mask & W_OK) ? -EPERM : -ENODATA;
    if (str_starts(name, "user.")) {
        if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
            return (mask & W_OK) ? -EPERM : -ENODATA;
        if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && (mask & W_OK) && !cap_owner(i))
            return -EPERM;
        return inode_permission(i, mask);
    }
    if (str_starts(name, "security."))
        return (mask & W_OK) && !capable(CAP_SYS_ADMIN) ? -EPERM : 0;
    return -EOPNOTSUPP;
}

static s64 do_get(struct target *t, u64 uname, u64 uval, u64 size)
{
    char name[XATTR_NAME_MAX + 1];
    s64 n = name_from_user(name, uname);
    if (!n)
        n = allowed(t->inode, name, R_OK);
    if (!n && (!t->inode->ops || !t->inode->ops->getxattr))
        n = -EOPNOTSUPP;
    if (n)
        return n;
    size = min(size, XATTR_SIZE_MAX);
    void *buf = size ? kvmalloc(size, GFP_KERNEL) : NULL;
    if (size && !buf)
        return -ENOMEM;
    n = t->inode->ops->getxattr(t->inode, name, buf, size);
    if (n > 0 && size && copy_to_user(uval, buf, (size_t)n))
        n = -EFAULT;
    kvfree(buf);
    return n;
}

static s64 do_set(struct target *t, u64 uname, u64 uval, u64 size, u32 flags)
{
    char name[XATTR_NAME_MAX + 1];
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    s64 err = name_from_user(name, uname);
    if (err)
        return err;
    if (size > XATTR_SIZE_MAX)
        return -E2BIG;
    void *buf = size ? kvmalloc(size, GFP_KERNEL) : NULL;
    if (size && !buf)
        return -ENOMEM;
    if (size && copy_from_user(buf, uval, size))
        err = -EFAULT;
    if (!err)
        err = mount_want_write(t->mount);
    if (!err) {
        err = allowed(t->inode, name, W_OK);
        if (!err && (!t->inode->ops || !t->inode->ops->setxattr))
            err = -EOPNOTSUPP;
        if (!err) {
            mutex_lock(&t->inode->lock);
            err = t->inode->ops->setxattr(t->inode, name, buf, size, flags);
            mutex_unlock(&t->inode->lock);
        }
        mount_drop_write(t->mount);
    }
    kvfree(buf);
    return err;
}

static s64 do_list(struct target *t, u64 ulist, u64 size)
{
    if (!t->inode->ops || !t->inode->ops->listxattr)
        return 0;
    size = min(size, XATTR_LIST_MAX);
    char *buf = size ? kvmalloc(size, GFP_KERNEL) : NULL;
    if (size && !buf)
        return -ENOMEM;
    s64 n = t->inode->ops->listxattr(t->inode, buf, size);
    if (n > 0 && size && copy_to_user(ulist, buf, (size_t)n))
        n = -EFAULT;
    kvfree(buf);
    return n;
}

static s64 do_remove(struct target *t, u64 uname)
{
    char name[XATTR_NAME_MAX + 1];
    s64 err = name_from_user(name, uname);
    if (!err)
        err = mount_want_write(t->mount);
    if (err)
        return err;
    err = allowed(t->inode, name, W_OK);
    if (!err && (!t->inode->ops || !t->inode->ops->removexattr))
        err = -EOPNOTSUPP;
    if (!err) {
        mutex_lock(&t->inode->lock);
        err = t->inode->ops->removexattr(t->inode, name);
        mutex_unlock(&t->inode->lock);
    }
    mount_drop_write(t->mount);
    return err;
}

/* Each call in three forms: by name, by name without following, by descriptor. */
#define XATTR_FORMS(call, find, action)                                                            \
    SYSCALL(call)                                                                                  \
    {                                                                                              \
        struct target t;                                                                           \
        s64 ret = find;                                                                            \
        if (ret)                                                                                   \
            return ret;                                                                            \
        ret = action;                                                                              \
        target_end(&t);                                                                            \
        return ret;                                                                                \
    }
XATTR_FORMS(getxattr, by_name(&t, a0, LOOKUP_FOLLOW), do_get(&t, a1, a2, a3))
XATTR_FORMS(lgetxattr, by_name(&t, a0, 0), do_get(&t, a1, a2, a3))
XATTR_FORMS(fgetxattr, by_fd(&t, (int)a0), do_get(&t, a1, a2, a3))
XATTR_FORMS(setxattr, by_name(&t, a0, LOOKUP_FOLLOW), do_set(&t, a1, a2, a3, (u32)a4))
XATTR_FORMS(lsetxattr, by_name(&t, a0, 0), do_set(&t, a1, a2, a3, (u32)a4))
XATTR_FORMS(fsetxattr, by_fd(&t, (int)a0), do_set(&t, a1, a2, a3, (u32)a4))
XATTR_FORMS(listxattr, by_name(&t, a0, LOOKUP_FOLLOW), do_list(&t, a1, a2))
XATTR_FORMS(llistxattr, by_name(&t, a0, 0), do_list(&t, a1, a2))
XATTR_FORMS(flistxattr, by_fd(&t, (int)a0), do_list(&t, a1, a2))
XATTR_FORMS(removexattr, by_name(&t, a0, LOOKUP_FOLLOW), do_remove(&t, a1))
XATTR_FORMS(lremovexattr, by_name(&t, a0, 0), do_remove(&t, a1))
XATTR_FORMS(fremovexattr, by_fd(&t, (int)a0), do_remove(&t, a1))
