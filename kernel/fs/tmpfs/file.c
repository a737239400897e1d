/* SPDX-License-Identifier: MIT */
/* tmpfs: regular files. The pages are shmem's; the limit of the file system is charged as pages enter the cache. */
#include "tmpfs.h"
#include <mm/shmem.h>
#include <mm/sys.h>

static int reserve(struct address_space *m, u64 pages)
{
    struct tsb *ts = ((struct inode *)m->host)->sb->priv;
    u64 now = __atomic_add_fetch(&ts->used_blocks, pages, __ATOMIC_RELAXED);
    if (ts->max_blocks && now > ts->max_blocks) {
        __atomic_sub_fetch(&ts->used_blocks, pages, __ATOMIC_RELAXED);
        return -ENOSPC;
    }
    return 0;
}

static void release(struct address_space *m, u64 pages)
{
    struct tsb *ts = ((struct inode *)m->host)->sb->priv;
    __atomic_sub_fetch(&ts->used_blocks, pages, __ATOMIC_RELAXED);
}

const struct mapping_ops tmpfs_mapping_ops = {.reserve = reserve, .release = release};

int tmpfs_getattr(struct inode *i, struct kstat *st)
{
    st->blocks = (READ_ONCE(i->mapping.nrpages) + READ_ONCE(i->mapping.nrswapped)) * (PAGE_SIZE / 512);
    st->blksize = PAGE_SIZE;
    return 0;
}

int tmpfs_setattr(struct inode *i, u32 valid, const struct kstat *st)
{
    u32 seals = tnode(i)->seals;
    if (valid & ATTR_MODE && seals & F_SEAL_EXEC && (i->mode ^ st->mode) & 0111)
        return -EPERM;
    if (valid & ATTR_SIZE) {
        if ((st->size < i->mapping.size && (seals & F_SEAL_SHRINK)) ||
            (st->size > i->mapping.size && (seals & F_SEAL_GROW)))
            return -EPERM;
        int err = cache_truncate(&i->mapping, st->size);
        if (err)
            return err;
    }
    setattr_copy(i, valid, st);
    return 0;
}

/* Bytes that seals leave of a write; in a file that may not grow, it goes by pieces of 2 MiB, and one that would is refused as a whole. */
static size_t unsealed(const struct inode *i, u32 seals, u64 pos, size_t n)
{
    u64 whole = ALIGN_DOWN(i->mapping.size, PMD_SIZE);
    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return 0;
    if (pos + n <= i->mapping.size)
        return n;
    return whole > pos ? whole - pos : 0;
}

/* Faults in [off, off + n) of the buffer as far as it is there. -EFAULT when not even its first byte is. */
static int touch(const struct iobuf *b, size_t off, size_t n)
{
    u8 byte;
    for (size_t at = off; at < off + n;) {
        size_t piece = off + n - at;
        u64 addr = iobuf_piece(b, at, &piece);
        if (iobuf_get(b, at, &byte, 1))
            return at == off ? -EFAULT : 0;
        at += min(piece, PAGE_SIZE - (addr & ~PAGE_MASK));
    }
    return 0;
}

/* A write that a seal cuts short or refuses: as on Linux, the bytes of the piece that is refused are faulted in before. */
static ssize_t sealed_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    size_t rest, may = unsealed(f->inode, tnode(f->inode)->seals, *pos, n);
    ssize_t done = may ? generic_file_write(f, b, may, pos) : 0;
    if (done < 0 || (size_t)done < may || may == n)
        return done;
    rest = min(n - may, PMD_SIZE - (*pos & ~PMD_MASK));
    int err = touch(b, may, rest); /* bytes that are not there come before the seal */
    return done ? done : err ? err : -EPERM;
}

static ssize_t write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    u32 seals = tnode(f->inode)->seals;
    if (unlikely(n && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW)))
        return sealed_write(f, b, n, pos);
    return generic_file_write(f, b, n, pos);
}

static int mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset)
{
    int err = generic_file_mmap(f, out, len, prot, flags, offset);
    if (tnode(f->inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        out->deny_shared_write = true;
    return err;
}

static int fallocate(struct file *f, int mode, u64 off, u64 len)
{
    struct inode *i = f->inode;
    u32 seals = tnode(i)->seals;
    int err = 0;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    mutex_lock(&i->lock);
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        err = (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
                  ? -EPERM
                  : cache_punch(&i->mapping, off, off + len);
        goto out;
    }
    u64 end = off + len;
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > rlimit_cur(current_task()->process, RLIMIT_FSIZE)) {
        err = -EFBIG;
        goto out;
    }
    if ((seals & F_SEAL_GROW) && end > i->mapping.size) {
        err = -EPERM;
        goto out;
    }
    struct tsb *ts = i->sb->priv;
    if (ts->max_blocks && DIV_ROUND_UP(len, PAGE_SIZE) > ts->max_blocks) {
        err = -ENOSPC;
        goto out;
    }
    for (u64 at = off >> PAGE_SHIFT; at < DIV_ROUND_UP(end, PAGE_SIZE) && !err; at++) {
        err = cache_reserve(&i->mapping, at);
        if (!err && fatal_signal_pending())
            err = -EINTR;
        sched_cond();
    }
    if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->mapping.size)
        cache_truncate(&i->mapping, end);
    inode_touch(i, ATTR_CTIME | ATTR_MTIME);
out:
    mutex_unlock(&i->lock);
    return err;
}

/* Pages that were ever used are data, also in swap; the rest is hole: missing, or reserved. */
static bool is_data(const void *entry)
{
    return xa_is_value(entry) || page_test(entry, PG_uptodate);
}

static s64 lseek(struct file *f, s64 off, int whence)
{
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return generic_lseek(f, off, whence);
    struct address_space *m = &f->inode->mapping;
    u64 size = READ_ONCE(m->size), to = (u64)off;
    if (off < 0 || to >= size)
        return -ENXIO;
    u64 index = to >> PAGE_SHIFT, last = (size - 1) >> PAGE_SHIFT;
    rcu_read_lock();
    if (whence == SEEK_DATA) {
        u64 found = index;
        void *p;
        while ((p = xa_find(&m->pages, &found, last)) && !is_data(p) && found < last)
            found++;
        if (!p || !is_data(p))
            to = ~0UL;
        else if (found != index)
            to = found << PAGE_SHIFT;
    } else {
        void *p;
        while (index <= last && (p = xa_load(&m->pages, index)) && is_data(p))
            index++;
        to = index == to >> PAGE_SHIFT ? to : min(index << PAGE_SHIFT, size);
    }
    rcu_read_unlock();
    if (to == ~0UL)
        return -ENXIO;
    f->pos = to;
    return (s64)to;
}

static int fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    return 0;
}

const struct file_ops tmpfs_file_fops = {.read = generic_file_read,
                                         .write = write,
                                         .lseek = lseek,
                                         .mmap = mmap,
                                         .direct = true, /* and goes through memory, of course */
                                         .fsync = fsync,
                                         .fallocate = fallocate};
