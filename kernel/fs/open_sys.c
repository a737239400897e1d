/* SPDX-License-Identifier: MIT */
/* The open and close families, dup, close_range. */
#include "internal.h"
#include "fd.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define OPEN_FLAGS                                                                                 \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |          \
     O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |         \
     O_PATH | O_TMPFILE_BIT)

static int check_how(struct open_how_k *how)
{
    if (how->flags & O_PATH)
        how->flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
    if (how->flags & O_TMPFILE_BIT) {
        if ((how->flags & O_TMPFILE) != O_TMPFILE || (how->flags & O_CREAT))
            return -EINVAL;
        if ((how->flags & O_ACCMODE) == O_RDONLY)
            return -EINVAL;
    } else if ((how->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) {
        return -EINVAL;
    }
    return 0;
}

static s64 open_common(int dirfd, u64 user_name, struct open_how_k *how)
{
    s64 err = check_how(how);
    if (err)
        return err;
    char *name = getname(user_name, false);
    if (IS_ERR(name))
        return PTR_ERR(name);
    s64 fd = fd_reserve((how->flags & O_CLOEXEC) ? FD_CLOEXEC : 0, 0);
    if (fd >= 0) {
        struct file *f = do_open(dirfd, name, how);
        if (IS_ERR(f)) {
            fd_unreserve((int)fd);
            fd = PTR_ERR(f);
        } else {
            fd_install((int)fd, f);
        }
    }
    putname(name);
    return fd;
}

SYSCALL(open)
{
    struct open_how_k how = {.flags = (u32)a1 & OPEN_FLAGS, .mode = (u32)a2};
    return open_common(AT_FDCWD, a0, &how);
}

SYSCALL(openat)
{
    struct open_how_k how = {.flags = (u32)a2 & OPEN_FLAGS, .mode = (u32)a3};
    return open_common((int)a0, a1, &how);
}

SYSCALL(creat)
{
    struct open_how_k how = {.flags = O_CREAT | O_WRONLY | O_TRUNC, .mode = (u32)a1};
    return open_common(AT_FDCWD, a0, &how);
}

SYSCALL(openat2)
{
    u64 k[3];
    if (a3 < sizeof(k))
        return -EINVAL;
    if (a3 > 4096)
        return -E2BIG;
    if (copy_from_user(k, a2, sizeof(k)))
        return -EFAULT;
    for (u64 off = sizeof(k); off < a3; off++) {
        u8 rest;
        if (copy_from_user(&rest, a2 + off, 1))
            return -EFAULT;
        if (rest)
            return -E2BIG;
    }
    if ((k[0] & ~(u64)OPEN_FLAGS) || (k[2] & ~0x3fUL) || (k[1] & ~07777UL))
        return -EINVAL;
    if (k[1] && !(k[0] & (O_CREAT | O_TMPFILE_BIT)))
        return -EINVAL;
    if ((k[0] & O_PATH) && (k[0] & ~(u64)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)))
        return -EINVAL;
    if ((k[2] & RESOLVE_BENEATH) && (k[2] & RESOLVE_IN_ROOT))
        return -EINVAL;
    struct open_how_k how = {.flags = (u32)k[0], .mode = (u32)k[1], .resolve = (u32)k[2]};
    return open_common((int)a0, a1, &how);
}

SYSCALL(close)
{
    return fd_close((int)a0);
}

SYSCALL(close_range)
{
    u32 first = (u32)a0, last = (u32)a1, flags = (u32)a2;
    if ((flags & ~6u) || first > last)
        return -EINVAL;
    if ((flags & 2) && fd_table_unshare(current_task())) /* CLOSE_RANGE_UNSHARE */
        return -ENOMEM;
    fd_range(first, last, flags & 4);
    return 0;
}

SYSCALL(dup)
{
    struct file *f = fd_get_any((int)a0);
    if (!f)
        return -EBADF;
    int fd = fd_alloc(f, 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

static s64 dup_to(int old, int fd, u32 flags)
{
    struct file *f = fd_get_any(old);
    if (!f)
        return -EBADF;
    int ret = fd_replace(fd, f, flags);
    if (ret < 0)
        file_put(f);
    return ret;
}

SYSCALL(dup2)
{
    if ((int)a0 == (int)a1)
        return fd_flags((int)a0, -1) < 0 ? -EBADF : (s64)(int)a0;
    return dup_to((int)a0, (int)a1, 0);
}

SYSCALL(dup3)
{
    if ((u32)a2 & ~O_CLOEXEC)
        return -EINVAL;
    if ((int)a0 == (int)a1)
        return -EINVAL;
    return dup_to((int)a0, (int)a1, (a2 & O_CLOEXEC) ? FD_CLOEXEC : 0);
}
