/* SPDX-License-Identifier: MIT */
/*
 * read, write and their kin, lseek.
 *
 *   fd --fd_borrow--> file; position: file->pos under pos_lock when several may use it, or the call's own for p-calls
 */
#include "internal.h"
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/uaccess.h>

#define MAX_RW       0x7ffff000UL
#define RWF_HIPRI    1u
#define RWF_DSYNC    2u
#define RWF_SYNC     4u
#define RWF_NOWAIT   8u
#define RWF_APPEND   16u
#define RWF_NOAPPEND 32u

/* Whether a program could have the buffer at all: asked before the file is, which may never look at it. */
static inline bool may_be_there(u64 addr, u64 n)
{
    u64 limit = current_task()->mm->task_size;
    return n <= limit && addr <= limit - n;
}

static inline bool refused(const struct iobuf *b, size_t n)
{
    return !b->kernel && !b->iov && !may_be_there(b->addr, n);
}

/* 0 or the error of a file that does not read or write. A directory says so when the buffer was looked at. */
static inline int may_rw(const struct file *f, bool write)
{
    if (unlikely(!(f->mode & (write ? FMODE_WRITE : FMODE_READ))))
        return -EBADF;
    if (likely(write ? f->ops->write != NULL : f->ops->read != NULL))
        return 0;
    return !write && S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
}

ssize_t vfs_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    int err = may_rw(f, false);
    if (unlikely(err))
        return err;
    if (unlikely(refused(b, n)))
        return -EFAULT;
    if (unlikely(!f->ops->read))
        return -EISDIR;
    ssize_t r = f->ops->read(f, b, min(n, (size_t)MAX_RW), pos);
    struct task *t = current_task();
    t->syscr++;
    if (r > 0) {
        t->rchar += (u64)r;
        notify_file(f, IN_ACCESS);
    }
    return r;
}

ssize_t vfs_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    int err = may_rw(f, true);
    if (unlikely(err))
        return err;
    if (unlikely(refused(b, n)))
        return -EFAULT;
    ssize_t r = f->ops->write(f, b, min(n, (size_t)MAX_RW), pos);
    struct task *t = current_task();
    t->syscw++;
    if (r > 0) {
        t->wchar += (u64)r;
        notify_file(f, IN_MODIFY);
    }
    return r;
}

/* May f take these RWF_* flags? 0 or -errno. */
static __noinline_fn int check_flags(const struct file *f, u32 rwf)
{
    if (rwf & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND))
        return -EOPNOTSUPP;
    if ((rwf & (RWF_APPEND | RWF_NOAPPEND)) == (RWF_APPEND | RWF_NOAPPEND))
        return -EINVAL;
    return rwf & RWF_NOWAIT && !(f->mode & FMODE_NOWAIT) ? -EOPNOTSUPP : 0;
}

static ssize_t rw_flags(struct file *f, struct iobuf *b, size_t n, u64 *pos, bool write, u32 rwf)
{
    if (likely(!rwf))
        return write ? vfs_write(f, b, n, pos) : vfs_read(f, b, n, pos);
    int err = check_flags(f, rwf);
    if (err)
        return err;
    b->nowait = rwf & RWF_NOWAIT;
    b->append = rwf & RWF_APPEND;
    b->noappend = rwf & RWF_NOAPPEND;
    ssize_t ret = write ? vfs_write(f, b, n, pos) : vfs_read(f, b, n, pos);
    if (ret > 0 && write && (rwf & (RWF_DSYNC | RWF_SYNC))) {
        err = vfs_fsync(f, *pos - (u64)ret, *pos - 1, !(rwf & RWF_SYNC));
        if (err)
            ret = err;
    }
    return ret;
}

/* The position needs its lock when another thread or a forked process may use the same open file, and when its use does not
 * wait for others: a device or a userfaultfd may have several readers asleep, and each must hear a signal. */
static inline bool pos_shared(struct file *f, struct fdref r)
{
    return !(f->mode & FMODE_STREAM) && (r.counted || READ_ONCE(f->refs) > 1) &&
           (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode));
}

static ssize_t rw_pos(struct fdref r, struct iobuf *b, size_t n, bool write, u32 rwf)
{
    struct file *f = r.file;
    if (unlikely(!f))
        return -EBADF;
    bool lock = pos_shared(f, r);
    if (unlikely(lock))
        mutex_lock(&f->pos_lock);
    u64 pos = f->pos;
    ssize_t ret = rw_flags(f, b, n, &pos, write, rwf);
    if (ret >= 0)
        f->pos = pos;
    if (unlikely(lock))
        mutex_unlock(&f->pos_lock);
    fd_return(r);
    return ret;
}

SYSCALL(read)
{
    struct iobuf b = {.addr = a1};
    return rw_pos(fd_borrow((int)a0), &b, a2, false, 0);
}

SYSCALL(write)
{
    struct iobuf b = {.addr = a1};
    return rw_pos(fd_borrow((int)a0), &b, a2, true, 0);
}

static ssize_t rw_at(int fd, struct iobuf *b, size_t n, s64 off, bool write)
{
    if (off < 0)
        return -EINVAL;
    struct fdref r = fd_borrow(fd);
    if (!r.file)
        return -EBADF;
    u64 pos = (u64)off;
    ssize_t ret = r.file->mode & FMODE_STREAM ? -ESPIPE : rw_flags(r.file, b, n, &pos, write, 0);
    fd_return(r);
    return ret;
}

SYSCALL(pread64)
{
    struct iobuf b = {.addr = a1};
    return rw_at((int)a0, &b, a2, (s64)a3, false);
}

SYSCALL(pwrite64)
{
    struct iobuf b = {.addr = a1};
    return rw_at((int)a0, &b, a2, (s64)a3, true);
}

#define FAST_IOV 8
struct vec {
    struct iobuf b;
    size_t total;
    struct iovec_k fast[FAST_IOV], *slow;
};

/* The list from the program, checked: 0 or -errno. kfree(v->slow) is the caller's. */
static int vec_load(struct vec *v, u64 user, u64 nr)
{
    v->slow = NULL;
    v->total = 0;
    if (nr > IOV_MAX)
        return -EINVAL;
    struct iovec_k *iov = v->fast;
    if (nr > FAST_IOV) {
        iov = v->slow = kmalloc(nr * sizeof(*iov), GFP_KERNEL);
        if (!iov)
            return -ENOMEM;
    }
    int err = copy_from_user(iov, user, nr * sizeof(*iov)) ? -EFAULT : 0;
    for (u64 i = 0; i < nr && !err; i++)
        if ((s64)iov[i].len < 0)
            err = -EINVAL;
    for (u64 i = 0; i < nr && !err; i++) {
        if (!may_be_there(iov[i].base, nr == 1 ? min(iov[i].len, (u64)MAX_RW) : iov[i].len))
            err = -EFAULT;
        iov[i].len = min(iov[i].len, (u64)MAX_RW - v->total);
        v->total += iov[i].len;
    }
    v->b = (struct iobuf){.iov = iov, .nr_iov = (u32)nr};
    if (nr == 1)
        v->b = (struct iobuf){.addr = iov[0].base};
    return err;
}

static s64 rwv_pos(u64 fd, u64 iov, u64 nr, bool write, u32 rwf)
{
    struct vec v = {0};
    struct fdref r = fd_borrow((int)fd);
    if (!r.file)
        return -EBADF;
    s64 ret = may_rw(r.file, write);
    if (!ret)
        ret = vec_load(&v, iov, nr);
    if (!ret && v.total)
        ret = rw_pos(r, &v.b, v.total, write, rwf);
    else
        fd_return(r);
    kfree(v.slow);
    return ret;
}

static s64 rwv_at(u64 fd, u64 iov, u64 nr, s64 off, bool write, u32 rwf)
{
    struct vec v = {0};
    if (off < 0)
        return -EINVAL;
    struct fdref r = fd_borrow((int)fd);
    if (!r.file)
        return -EBADF;
    u64 pos = (u64)off;
    s64 ret = r.file->mode & FMODE_STREAM ? -ESPIPE : may_rw(r.file, write);
    if (!ret)
        ret = vec_load(&v, iov, nr);
    if (!ret && v.total)
        ret = rw_flags(r.file, &v.b, v.total, &pos, write, rwf);
    fd_return(r);
    kfree(v.slow);
    return ret;
}

SYSCALL(readv)
{
    return rwv_pos(a0, a1, a2, false, 0);
}
SYSCALL(writev)
{
    return rwv_pos(a0, a1, a2, true, 0);
}
SYSCALL(preadv)
{
    return rwv_at(a0, a1, a2, (s64)a3, false, 0);
}
SYSCALL(pwritev)
{
    return rwv_at(a0, a1, a2, (s64)a3, true, 0);
}
SYSCALL(preadv2)
{
    return a3 == ~0UL ? rwv_pos(a0, a1, a2, false, (u32)a5) : rwv_at(a0, a1, a2, (s64)a3, false, (u32)a5);
}
SYSCALL(pwritev2)
{
    return a3 == ~0UL ? rwv_pos(a0, a1, a2, true, (u32)a5) : rwv_at(a0, a1, a2, (s64)a3, true, (u32)a5);
}

SYSCALL(lseek)
{
    struct fdref r = fd_borrow((int)a0);
    struct file *f = r.file;
    if (!f)
        return -EBADF;
    s64 ret = -EINVAL;
    if ((u32)a2 <= SEEK_HOLE) {
        bool lock = pos_shared(f, r);
        if (lock)
            mutex_lock(&f->pos_lock);
        ret =
            f->ops->lseek ? f->ops->lseek(f, (s64)a1, (int)a2) : generic_lseek(f, (s64)a1, (int)a2);
        if (lock)
            mutex_unlock(&f->pos_lock);
    }
    fd_return(r);
    return ret;
}
