/* SPDX-License-Identifier: MIT */
/* fcntl (locks are in locks.c) and ioctl. */
#include "internal.h"
#include "fd.h"
#include "locks.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define FIOCLEX    0x5451u
#define FIONCLEX   0x5450u
#define FIONREAD   0x541Bu
#define FIONBIO    0x5421u
#define FIOASYNC   0x5452u
#define FIOQSIZE   0x5460u
#define FIGETBSZ   2u
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

s64 pipe_fcntl(struct file *f, u32 cmd, u64 arg)
    __attribute__((weak)); /* kernel/ipc: F_SETPIPE_SZ, F_GETPIPE_SZ */

static s64 set_flags(struct file *f, u32 arg)
{
    if ((arg & O_NOATIME) && !(f->flags & O_NOATIME) && !cap_owner(f->inode))
        return -EPERM;
    if ((arg & O_DIRECT) && !f->ops->direct && !(f->mode & FMODE_STREAM))
        return -EINVAL;
    u32 old = READ_ONCE(f->flags);
    while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~SETFL_MASK) | (arg & SETFL_MASK),
                                        true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return 0;
}

struct f_owner_ex {
    s32 type, pid;
};

static s64 owner_ex(struct file *f, u64 user, bool set)
{
    struct f_owner_ex o;
    if (set) {
        if (copy_from_user(&o, user, sizeof(o)))
            return -EFAULT;
        if (o.type < 0 || o.type > 2)
            return -EINVAL;
        f->owner_pgrp = o.type == 2 ? -o.pid : o.pid;
        return 0;
    }
    o.type = f->owner_pgrp < 0 ? 2 : 1;
    o.pid = f->owner_pgrp < 0 ? -f->owner_pgrp : f->owner_pgrp;
    return copy_to_user(user, &o, sizeof(o)) ? -EFAULT : 0;
}

static s64 fcntl_file(struct file *f, int fd, u32 cmd, u64 arg)
{
    switch (cmd) {
    case F_GETFL:
        return (s64)f->flags;
    case F_SETFL:
        return set_flags(f, (u32)arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return locks_fcntl(f, cmd, arg, fd);
    case F_GETOWN:
        return f->owner_pgrp;
    case F_SETOWN:
        f->owner_pgrp = (s32)arg;
        return 0;
    case F_GETOWN_EX:
        return owner_ex(f, arg, false);
    case F_SETOWN_EX:
        return owner_ex(f, arg, true);
    case F_GETSIG:
        return f->owner_sig;
    case F_SETSIG:
        if (arg > 64)
            return -EINVAL;
        f->owner_sig = (s32)arg;
        return 0;
    case F_GETLEASE:
        return F_UNLCK;
    case F_SETLEASE:
        return S_ISREG(f->inode->mode) && arg == F_UNLCK ? -EAGAIN : -EINVAL;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return S_ISFIFO(f->inode->mode) && pipe_fcntl ? pipe_fcntl(f, cmd, arg) : -EBADF;
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return memfd_fcntl(f, cmd, (u32)arg);
    case F_CREATED_QUERY:
        return 0;
    default:
        return -EINVAL;
    }
}

SYSCALL(fcntl)
{
    int fd = (int)a0;
    u32 cmd = (u32)a1;
    if (cmd == F_GETFD)
        return fd_flags(fd, -1);
    if (cmd == F_SETFD)
        return fd_flags(fd, (int)(a2 & FD_CLOEXEC)) < 0 ? -EBADF : 0;
    struct fdref r = fd_borrow_any(fd);
    if (!r.file)
        return -EBADF;
    s64 ret;
    if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) {
        if (a2 >= rlimit_cur(current_task()->process, RLIMIT_NOFILE)) {
            ret = -EINVAL;
        } else {
            ret = fd_alloc(file_get(r.file), cmd == F_DUPFD_CLOEXEC ? FD_CLOEXEC : 0, (int)a2);
            if (ret < 0)
                file_put(r.file);
        }
    } else if (cmd == F_DUPFD_QUERY) {
        struct file *other = fd_get_any((int)a2);
        ret = other ? other == r.file : -EBADF;
        file_put(other);
    } else if ((r.file->mode & FMODE_PATH) && cmd != F_GETFL) {
        ret = -EBADF;
    } else {
        ret = fcntl_file(r.file, fd, cmd, a2);
    }
    fd_return(r);
    return ret;
}

static s64 set_bit_by_user(struct file *f, u32 bit, u64 user)
{
    s32 on;
    if (copy_from_user(&on, user, sizeof(on)))
        return -EFAULT;
    if (on)
        __atomic_fetch_or(&f->flags, bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&f->flags, ~bit, __ATOMIC_RELAXED);
    return 0;
}

static s64 file_ioctl(struct file *f, u32 cmd, u64 arg)
{
    s32 left;
    switch (cmd) {
    case FIONREAD:
        if (!S_ISREG(f->inode->mode))
            break;
        left = (s32)((s64)f->inode->mapping.size - (s64)f->pos);
        return copy_to_user(arg, &left, sizeof(left)) ? -EFAULT : 0;
    case FIGETBSZ:
        left = (s32)f->inode->sb->blocksize;
        return copy_to_user(arg, &left, sizeof(left)) ? -EFAULT : 0;
    case FIOQSIZE:
        if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode) && !S_ISLNK(f->inode->mode))
            break;
        return copy_to_user(arg, &f->inode->mapping.size, 8) ? -EFAULT : 0;
    default:
        break;
    }
    return -ENOTTY;
}

SYSCALL(ioctl)
{
    int fd = (int)a0;
    u32 cmd = (u32)a1;
    struct fdref r = fd_borrow(fd);
    struct file *f = r.file;
    if (!f)
        return -EBADF;
    s64 ret;
    switch (cmd) {
    case FIOCLEX:
        ret = fd_flags(fd, FD_CLOEXEC) < 0 ? -EBADF : 0;
        break;
    case FIONCLEX:
        ret = fd_flags(fd, 0) < 0 ? -EBADF : 0;
        break;
    case FIONBIO:
        ret = set_bit_by_user(f, O_NONBLOCK, a2);
        break;
    case FIOASYNC:
        ret = set_bit_by_user(f, O_ASYNC, a2);
        break;
    default:
        ret = f->ops->ioctl ? f->ops->ioctl(f, cmd, a2) : -ENOIOCTLCMD;
        if (ret == -ENOIOCTLCMD || ret == -ENOTTY)
            ret = file_ioctl(f, cmd, a2);
        break;
    }
    fd_return(r);
    return ret;
}
