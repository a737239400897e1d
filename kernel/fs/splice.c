/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes from file to file inside the kernel: sendfile, copy_file_range, splice, tee, vmsplice. All go through one kernel
 * buffer; nothing that has left the source is lost: what a target does not take at once is offered again until it fails.
 */
#include "internal.h"
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <mm/vma.h>
#include <port/uaccess.h>

#define CHUNK             65536UL
#define SPLICE_F_NONBLOCK 2u

/* Copies up to n bytes. Positions advance by what was copied. Bytes or -errno. A short write to a stream loses nothing read from a file. */
static ssize_t pump(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 n)
{
    if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
        return -EBADF;
    size_t size = min(n, CHUNK);
    if (!size)
        return 0;
    char *buf = kvmalloc(size, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    u64 done = 0;
    ssize_t err = 0;
    bool in_stream = in->mode & FMODE_STREAM;
    while (done < n) {
        u64 rpos = *ipos;
        struct iobuf rb = {.kernel = true, .addr = (u64)(uptr)buf};
        ssize_t got = vfs_read(in, &rb, min(n - done, (u64)size), &rpos);
        if (got <= 0) {
            err = got;
            break;
        }
        ssize_t put = 0;
        while (put < got) {
            struct iobuf wb = {.kernel = true, .addr = (u64)(uptr)buf + (u64)put};
            ssize_t w = vfs_write(out, &wb, (size_t)(got - put), opos);
            if (w <= 0) {
                err = w;
                break;
            }
            put += w;
        }
        *ipos += (u64)put;
        done += (u64)put;
        if (put < got || in_stream)
            break;
        if (signal_pending())
            break;
    }
    kvfree(buf);
    return done ? (ssize_t)done : err;
}

static s64 get_off(u64 user, struct file *f, u64 *pos)
{
    *pos = f->pos;
    if (!user)
        return 0;
    if (f->mode & FMODE_STREAM)
        return -ESPIPE;
    if (copy_from_user(pos, user, 8))
        return -EFAULT;
    return (s64)*pos < 0 ? -EINVAL : 0;
}

static s64 put_off(u64 user, struct file *f, u64 pos)
{
    if (!user) {
        f->pos = pos;
        return 0;
    }
    return copy_to_user(user, &pos, 8) ? -EFAULT : 0;
}

static s64 move(struct file *in, u64 uin, struct file *out, u64 uout, u64 n)
{
    u64 ipos, opos;
    s64 err = get_off(uin, in, &ipos);
    if (!err)
        err = get_off(uout, out, &opos);
    if (err)
        return err;
    s64 ret = pump(in, &ipos, out, &opos, min(n, 0x7ffff000UL));
    if (ret > 0) {
        err = put_off(uin, in, ipos);
        if (!err)
            err = put_off(uout, out, opos);
        if (err)
            ret = err;
    }
    return ret;
}

static s64 with_two(int fin, u64 uin, int fout, u64 uout, u64 n,
                    int (*check)(struct file *, struct file *, u32), u32 flags)
{
    struct fdref in = fd_borrow(fin), out = fd_borrow(fout);
    s64 ret = -EBADF;
    if (in.file && out.file) {
        ret = check(in.file, out.file, flags);
        if (!ret)
            ret = move(in.file, uin, out.file, uout, n);
    }
    if (in.file)
        fd_return(in);
    if (out.file)
        fd_return(out);
    return ret;
}

static int sendfile_check(struct file *in, struct file *out, u32 flags)
{
    if ((in->mode & FMODE_STREAM) && !S_ISFIFO(in->inode->mode))
        return -EINVAL;
    if (S_ISDIR(in->inode->mode) || (out->flags & O_APPEND))
        return -EINVAL;
    return 0;
}

SYSCALL(sendfile)
{
    return with_two((int)a1, a2, (int)a0, 0, a3, sendfile_check, 0);
}

static int copy_check(struct file *in, struct file *out, u32 flags)
{
    if (flags)
        return -EINVAL;
    if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
        return -EISDIR;
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
        return -EINVAL;
    if (out->flags & O_APPEND)
        return -EBADF;
    if (in->inode->sb->type != out->inode->sb->type)
        return -EXDEV;
    return 0;
}

SYSCALL(copy_file_range)
{
    struct fdref in = fd_borrow((int)a0), out = fd_borrow((int)a2);
    s64 ret = 0;
    if (in.file && out.file &&
        in.file->inode == out.file->inode) { /* ranges of one file must not overlap */
        u64 ipos, opos;
        ret = get_off(a1, in.file, &ipos);
        if (!ret)
            ret = get_off(a3, out.file, &opos);
        if (!ret && ipos < opos + a4 && opos < ipos + a4)
            ret = -EINVAL;
    }
    if (in.file)
        fd_return(in);
    if (out.file)
        fd_return(out);
    return ret ? ret : with_two((int)a0, a1, (int)a2, a3, a4, copy_check, (u32)a5);
}

static int splice_check(struct file *in, struct file *out, u32 flags)
{
    if (!S_ISFIFO(in->inode->mode) && !S_ISFIFO(out->inode->mode))
        return -EINVAL;
    if (out->flags & O_APPEND)
        return -EINVAL;
    return 0;
}

SYSCALL(splice)
{
    if ((u32)a5 & ~15u)
        return -EINVAL;
    return a4 ? with_two((int)a0, a1, (int)a2, a3, a4, splice_check, (u32)a5) : 0;
}

/* User memory into a pipe is a writev; a pipe into user memory a readv. */
s64 sys_readv(u64, u64, u64, u64, u64, u64);
s64 sys_writev(u64, u64, u64, u64, u64, u64);
/* Secret memory has no pages to give away: how many of the n vectors lie before the first that has some of it. */
static u64 vectors_before_secret(u64 vec, u64 n)
{
    struct mm *mm = current_task()->mm;
    u64 words[2], k;
    for (k = 0; k < n && !copy_from_user(words, vec + 16 * k, sizeof(words)); k++) {
        bool secret = false;
        mmap_read_lock(mm);
        struct vma *v = vma_find(mm, words[0]);
        for (; v && vma_start(v) < words[0] + words[1] && !secret; v = vma_next(v))
            secret = vma_is_secret(v);
        mmap_read_unlock(mm);
        if (secret)
            return k;
    }
    return n; /* a bad pointer is for writev to find */
}

SYSCALL(vmsplice)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    bool pipe = S_ISFIFO(r.file->inode->mode), write = r.file->mode & FMODE_WRITE;
    fd_return(r);
    if (!pipe || ((u32)a3 & ~15u))
        return pipe ? -EINVAL : -EBADF;
    if (!write)
        return sys_readv(a0, a1, a2, 0, 0, 0);
    u64 open = a2 <= 1024 ? vectors_before_secret(a1, a2) : a2;
    return a2 && !open ? -EFAULT : sys_writev(a0, a1, open, 0, 0, 0);
}
