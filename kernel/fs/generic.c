/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, mapping and seeking for files whose contents are in the page cache; directory helpers.
 *
 * G1. Writers of one inode hold inode->lock; readers hold nothing.
 */
#include "internal.h"
#include <lib/fmt.h>
#include <mm/sys.h>
#include <mm/vma.h>

/* relatime: the access time follows when it is not later than the change times. */
static __noinline_fn void follow_change(struct file *f, struct inode *i)
{
    if ((f->flags & O_NOATIME) || (i->sb->flags & MS_RDONLY) || (i->sb->sflags & SB_NO_ATIME))
        return;
    if (f->mount && (f->mount->flags & (MS_NOATIME | MS_RDONLY)))
        return;
    i->atime = time_now();
}

static inline void file_accessed(struct file *f, struct inode *i)
{
    if (unlikely(!time_later(i->atime, i->mtime) || !time_later(i->atime, i->ctime)))
        follow_change(f, i);
}

/* Into several places, into the kernel's, or without waiting. */
static __noinline_fn ssize_t read_pieces(struct address_space *m, struct file_ra_state *ra, const struct iobuf *b, size_t n, u64 pos)
{
    struct cache_reader r = {.ra = ra, .end = pos + n, .kernel = b->kernel, .nowait = b->nowait};
    ssize_t done = 0;
    while ((size_t)done < n) {
        size_t part = n - (size_t)done;
        u64 at = iobuf_piece(b, (size_t)done, &part);
        if (!part)
            break;
        ssize_t got = cache_read_piece(m, &r, pos + (u64)done, at, part);
        if (got < 0 && !done)
            return got;
        if (got <= 0)
            break;
        done += got;
        if ((size_t)got < part)
            break;
    }
    return done;
}

ssize_t cached_read(struct address_space *m, struct file_ra_state *ra, const struct iobuf *b, size_t n, u64 *pos)
{
    bool simple = !b->iov && !b->kernel && !b->nowait;
    ssize_t done = likely(simple) ? cache_read(m, ra, *pos, b->addr, n) : read_pieces(m, ra, b, n, *pos);
    if (done > 0)
        *pos += (u64)done;
    return done;
}

ssize_t generic_file_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    ssize_t done = cached_read(&f->inode->mapping, f->ra, b, n, pos);
    if (done > 0)
        file_accessed(f, f->inode);
    return done;
}

ssize_t cached_write(struct address_space *m, const struct iobuf *b, size_t n, u64 *pos)
{
    ssize_t done = 0;
    while ((size_t)done < n) {
        size_t part = n - (size_t)done;
        u64 at = iobuf_piece(b, (size_t)done, &part);
        if (!part)
            break;
        ssize_t r = b->kernel ? cache_write_kernel(m, *pos + done, (const void *)at, part)
                              : cache_write(m, *pos + done, at, part);
        if (r < 0 && !done)
            done = r;
        if (r <= 0)
            break;
        done += r;
        if ((size_t)r < part)
            break;
    }
    if (done > 0)
        *pos += (u64)done;
    return done;
}

/* Bytes that may be written at pos under RLIMIT_FSIZE and the file system's largest size. */
static ssize_t write_limit(struct inode *i, u64 pos, size_t n)
{
    u64 limit = rlimit_cur(current_task()->process, RLIMIT_FSIZE);
    if (unlikely(limit != ~0UL) && S_ISREG(i->mode)) {
        if (pos >= limit) {
            signal_send_task(current_task(), SIGXFSZ);
            return -EFBIG;
        }
        n = min(n, (size_t)(limit - pos));
    }
    if (pos >= i->sb->max_bytes)
        return -EFBIG;
    return (ssize_t)min(n, (size_t)(i->sb->max_bytes - pos));
}

static void drop_suid(struct inode *i)
{
    u32 mode = i->mode;
    if (likely(!(mode & (S_ISUID | S_ISGID))) || capable(CAP_FSETID))
        return;
    mode &= ~S_ISUID;
    if (mode & 010)
        mode &= ~S_ISGID;
    i->mode = mode;
}

ssize_t generic_file_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct inode *i = f->inode;
    mutex_lock(&i->lock);
    if (((f->flags & O_APPEND) && !b->noappend) || unlikely(b->append))
        *pos = i->mapping.size;
    ssize_t done = 0, room = n ? write_limit(i, *pos, n) : 0;
    if (room <= 0) {
        mutex_unlock(&i->lock);
        return room;
    }
    n = (size_t)room;
    drop_suid(i);
    done = -ENOTBLK;
    if (unlikely(f->flags & O_DIRECT) && f->ops->write_direct && !b->kernel)
        done = f->ops->write_direct(f, b, n, pos);
    if (likely(done == -ENOTBLK))
        done = cached_write(&i->mapping, b, n, pos);
    if (done > 0)
        i->mtime = i->ctime = time_now();
    mutex_unlock(&i->lock);
    if (done > 0 && (f->flags & O_DSYNC) && f->ops->fsync) {
        int err = f->ops->fsync(f, *pos - (u64)done, *pos - 1, (f->flags & O_SYNC) != O_SYNC);
        if (err)
            return err;
    }
    return done;
}

int generic_file_mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags,
                      u64 offset)
{
    *out = (struct map_file){
        .mapping = &f->inode->mapping,
        .ops = &file_vma_ops,
        .file = f,
        .readable = f->mode & FMODE_READ,
        .writable = f->mode & FMODE_WRITE,
        .executable = !(f->mount && (f->mount->flags & MS_NOEXEC)),
        .append_only = false,
        .max_size = f->inode->sb->max_bytes,
    };
    file_accessed(f, f->inode);
    return 0;
}

int generic_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    return cache_sync(&f->inode->mapping, start, end);
}

s64 lseek_within(struct file *f, s64 off, int whence, u64 size, u64 most)
{
    s64 to;
    switch (whence) {
    case SEEK_SET:
        to = off;
        break;
    case SEEK_CUR:
        if (off > 0 && f->pos + (u64)off > 0x7fffffffffffffffUL)
            return -EOVERFLOW;
        to = (s64)f->pos + off;
        break;
    case SEEK_END:
        if (off > 0 && size + (u64)off > 0x7fffffffffffffffUL)
            return -EOVERFLOW;
        to = (s64)size + off;
        break;
    case SEEK_DATA: /* no holes are told apart: all is data, the hole is at the end */
    case SEEK_HOLE:
        if (off < 0 || (u64)off >= size)
            return -ENXIO;
        to = whence == SEEK_DATA ? off : (s64)size;
        break;
    default:
        return -EINVAL;
    }
    if (to < 0)
        return -EINVAL;
    if ((u64)to > most)
        return -EINVAL;
    f->pos = (u64)to;
    return to;
}

s64 generic_lseek(struct file *f, s64 off, int whence)
{
    return lseek_within(f, off, whence, READ_ONCE(f->inode->mapping.size), f->inode->sb->max_bytes);
}

s64 noop_lseek(struct file *f, s64 off, int whence)
{
    return (s64)f->pos;
}

s64 no_lseek(struct file *f, s64 off, int whence)
{
    return -ESPIPE;
}

bool dir_emit_dots(struct file *f, emit_fn *emit, void *ctx)
{
    if (f->pos == 0) {
        if (!emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
            return false;
        f->pos = 1;
    }
    if (f->pos == 1) {
        u64 up =
            f->dentry && f->dentry->parent->inode ? f->dentry->parent->inode->ino : f->inode->ino;
        if (!emit(ctx, "..", 2, up, DT_DIR, 2))
            return false;
        f->pos = 2;
    }
    return true;
}
