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

static __noinline_fn ssize_t cannot_read(struct file *f)
{
    if (!(f->mode & FMODE_READ))
        return -EBADF;
    return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
}

/* A call that moved nothing is still refused when the buffer could be no program's: 0 or -EFAULT. */
static __noinline_fn ssize_t nothing_moved(const struct iobuf *b, size_t n)
{
    u64 end;
    if (b->kernel || b->iov)
        return 0;
    return __builtin_add_overflow(b->addr, n, &end) || end > current_task()->mm->task_size ? -EFAULT : 0;
}

ssize_t vfs_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    if (unlikely(!(f->mode & FMODE_READ) || !f->ops->read))
        return cannot_read(f);
    if (unlikely((s64)n < 0))
        return -EINVAL;
    ssize_t r = f->ops->read(f, b, min(n, (size_t)MAX_RW), pos);
    struct task *t = current_task();
    t->syscr++;
    if (r > 0) {
        t->rchar += (u64)r;
        notify_file(f, IN_ACCESS);
    } else if (!r) {
        r = nothing_moved(b, n);
    }
    return r;
}

ssize_t vfs_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    if (unlikely(!(f->mode & FMODE_WRITE)))
        return -EBADF;
    if (unlikely(!f->ops->write || (s64)n < 0))
        return -EINVAL;
    ssize_t r = f->ops->write(f, b, min(n, (size_t)MAX_RW), pos);
    struct task *t = current_task();
    t->syscw++;
    if (r > 0) {
        t->wchar += (u64)r;
        notify_file(f, IN_MODIFY);
    } else if (!r) {
        r = nothing_moved(b, n);
    }
    return r;
}

/* The position needs its lock when another thread or a forked process may use the same open file, and when its use does not
 * wait for others: a device or a userfaultfd may have several readers asleep, and each must hear a signal. */
static inline bool pos_shared(struct file *f, struct fdref r)
{
    return !(f->mode & FMODE_STREAM) && (r.counted || READ_ONCE(f->refs) > 1) &&
           (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode));
}

static ssize_t rw_pos(struct fdref r, const struct iobuf *b, size_t n, bool write)
{
    struct file *f = r.file;
    if (unlikely(!f))
        return -EBADF;
    bool lock = pos_shared(f, r);
    if (unlikely(lock))
        mutex_lock(&f->pos_lock);
    u64 pos = f->pos;
    ssize_t ret = write ? vfs_write(f, b, n, &pos) : vfs_read(f, b, n, &pos);
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
    return rw_pos(fd_borrow((int)a0), &b, a2, false);
}

SYSCALL(write)
{
    struct iobuf b = {.addr = a1};
    return rw_pos(fd_borrow((int)a0), &b, a2, true);
}

static ssize_t rw_at(int fd, const struct iobuf *b, size_t n, s64 off, bool write, u32 rwf)
{
    if (off < 0)
        return -EINVAL;
    if (rwf & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND))
        return -EOPNOTSUPP;
    struct fdref r = fd_borrow(fd);
    if (!r.file)
        return -EBADF;
    struct file *f = r.file;
    u64 pos = (u64)off;
    ssize_t ret = -ESPIPE;
    if (!(f->mode & FMODE_STREAM)) {
        if ((rwf & RWF_APPEND) && write)
            pos = READ_ONCE(f->inode->mapping.size);
        ret = write ? vfs_write(f, b, n, &pos) : vfs_read(f, b, n, &pos);
        if (ret > 0 && write && (rwf & (RWF_DSYNC | RWF_SYNC))) {
            int err = vfs_fsync(f, pos - (u64)ret, pos - 1, !(rwf & RWF_SYNC));
            if (err)
                ret = err;
        }
    }
    fd_return(r);
    return ret;
}

SYSCALL(pread64)
{
    struct iobuf b = {.addr = a1};
    return rw_at((int)a0, &b, a2, (s64)a3, false, 0);
}

SYSCALL(pwrite64)
{
    struct iobuf b = {.addr = a1};
    return rw_at((int)a0, &b, a2, (s64)a3, true, 0);
}

#define FAST_IOV 8
struct vec {
    struct iobuf b;
    size_t total;
    struct iovec_k fast[FAST_IOV], *slow;
};

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
    for (u64 i = 0; i < nr && !err; i++) {
        if ((s64)iov[i].len < 0)
            err = -EINVAL;
        iov[i].len = min(iov[i].len, (u64)MAX_RW - v->total);
        v->total += iov[i].len;
    }
    v->b = (struct iobuf){.iov = iov, .nr_iov = (u32)nr};
    if (nr == 1)
        v->b = (struct iobuf){.addr = iov[0].base};
    if (err)
        kfree(v->slow);
    return err;
}

static s64 rwv_pos(u64 fd, u64 iov, u64 nr, bool write)
{
    struct vec v;
    s64 ret = vec_load(&v, iov, nr);
    if (ret)
        return ret;
    ret = rw_pos(fd_borrow((int)fd), &v.b, v.total, write);
    kfree(v.slow);
    return ret;
}

static s64 rwv_at(u64 fd, u64 iov, u64 nr, s64 off, bool write, u32 rwf)
{
    struct vec v;
    s64 ret = vec_load(&v, iov, nr);
    if (ret)
        return ret;
    ret = rw_at((int)fd, &v.b, v.total, off, write, rwf);
    kfree(v.slow);
    return ret;
}

SYSCALL(readv)
{
    return rwv_pos(a0, a1, a2, false);
}
SYSCALL(writev)
{
    return rwv_pos(a0, a1, a2, true);
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
    return a3 == ~0UL ? rwv_pos(a0, a1, a2, false) : rwv_at(a0, a1, a2, (s64)a3, false, (u32)a5);
}
SYSCALL(pwritev2)
{
    return a3 == ~0UL ? rwv_pos(a0, a1, a2, true) : rwv_at(a0, a1, a2, (s64)a3, true, (u32)a5);
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
