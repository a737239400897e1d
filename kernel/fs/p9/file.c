/* SPDX-License-Identifier: MIT */
/*
 * Contents of the host's files: pages through the page cache, directories entry by entry.
 *
 * Reads and writes of many pages are one message each: the pages themselves are the pieces that the device fills or reads. An
 * inode keeps one open fid per direction for its cache, so that pages can be read and written whoever has the file open.
 *
 * Locks: inode->lock while the inode's fids are opened.
 */
#include "p9.h"
#include "../direct.h"
#include "../internal.h"
#include <lib/errno.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <port/log.h>

/* Opens a second fid of the inode. */
static int open_fid(struct inode *inode, u32 flags, u32 *out)
{
    u32 fid;
    struct p9_client *c = p9_client_of(inode);
    int err = p9_walk(c, p9_inode_of(inode)->fid, NULL, 0, &fid, NULL);
    if (err)
        return err;
    err = p9_open(c, fid, flags);
    if (err)
        p9_clunk(c, fid);
    else
        *out = fid;
    return err;
}

int p9_file_open(struct inode *inode, struct file *f)
{
    struct p9_inode *p = p9_inode_of(inode);
    int err = 0;
    f->ops = inode->fops;
    if (S_ISDIR(inode->mode)) {
        u32 fid;
        err = open_fid(inode, O_RDONLY | O_DIRECTORY, &fid);
        f->priv = (void *)(uptr)fid;
        return err;
    }
    mutex_lock(&inode->lock);
    if (f->mode & FMODE_WRITE && p->write_fid == P9_NOFID)
        err = open_fid(inode, O_RDWR, &p->write_fid);
    if (!err && p->read_fid == P9_NOFID) {
        u32 fid;
        err = open_fid(inode, O_RDONLY, &fid);
        if (!err)
            store_release(&p->read_fid, fid);
        else if (!(f->mode & FMODE_READ) && p->write_fid != P9_NOFID)
            err = 0; /* only writable: whole pages can still be written */
    }
    mutex_unlock(&inode->lock);
    return err;
}

/* The fid that the inode's contents are read or written by. */
static u32 fid_for(struct inode *inode, bool write)
{
    u32 fid = write ? P9_NOFID : load_acquire(&p9_inode_of(inode)->read_fid);
    return fid == P9_NOFID ? p9_inode_of(inode)->write_fid : fid;
}

/* One Tread or Twrite of `bytes` in n pieces; *done: how many the host moved. 0 or -errno. */
static int move(struct inode *inode, bool write, u64 pos, struct virtio_buf *piece, unsigned n, u32 bytes, u32 *done)
{
    u32 fid = fid_for(inode, write);
    struct p9_msg m;
    *done = 0;
    if (fid == P9_NOFID)
        return -EIO;
    int err = p9_begin(&m, write ? P9_TWRITE : P9_TREAD);
    if (err)
        return err;
    struct p9_data data = {piece, n, write};
    p9_put32(&m, fid);
    p9_put64(&m, pos);
    p9_put32(&m, bytes);
    err = p9_rpc(p9_client_of(inode), &m, &data);
    u32 got = err ? 0 : p9_get32(&m);
    if (!err && (m.bad || got > bytes || (write && !got)))
        err = -EIO;
    p9_end(&m);
    *done = err ? 0 : got;
    return err;
}

/* Pages of one message. */
static u32 most_pages(struct inode *inode)
{
    return min((u32)P9_MAX_PAGES, (u32)((p9_client_of(inode)->msize - 64) / PAGE_SIZE));
}

static int read_some(struct inode *inode, struct page **pages, unsigned n)
{
    struct virtio_buf piece[P9_MAX_PAGES];
    u32 got;
    for (unsigned i = 0; i < n; i++)
        piece[i] = (struct virtio_buf){page_to_phys(pages[i]), PAGE_SIZE};
    int err = move(inode, false, (u64)pages[0]->index << PAGE_SHIFT, piece, n, n * (u32)PAGE_SIZE, &got);
    if (err)
        return err;
    for (unsigned i = 0; i < n; i++) {
        u32 begin = i * (u32)PAGE_SIZE;
        u32 valid = got > begin ? min(got - begin, (u32)PAGE_SIZE) : 0;
        if (valid < PAGE_SIZE)
            memset((char *)page_to_virt(pages[i]) + valid, 0, PAGE_SIZE - valid);
        page_set(pages[i], PG_uptodate);
    }
    return 0;
}

static int read_pages(struct address_space *m, struct page **pages, unsigned n)
{
    struct inode *inode = m->host;
    unsigned most = most_pages(inode);
    for (unsigned i = 0; i < n; i += most) {
        int err = read_some(inode, pages + i, min(most, n - i));
        if (err)
            return err;
    }
    return 0;
}

/* Writes bytes [from, to) of the run that begins at file offset pos; *done: how many the host took. 0 or -errno. */
static int write_some(struct inode *inode, u64 pos, struct page **pages, u32 from, u32 to, u32 *done)
{
    struct virtio_buf piece[P9_MAX_PAGES];
    unsigned n = 0;
    for (u32 at = from; at < to; n++) {
        u32 off = at & (u32)~PAGE_MASK, part = min((u32)PAGE_SIZE - off, to - at);
        piece[n] = (struct virtio_buf){page_to_phys(pages[at >> PAGE_SHIFT]) + off, part};
        at += part;
    }
    return move(inode, true, pos + from, piece, n, to - from, done);
}

static int write_pages(struct address_space *mapping, struct page **pages, unsigned n)
{
    struct inode *inode = mapping->host;
    u32 most = most_pages(inode) * (u32)PAGE_SIZE;
    u64 pos = (u64)pages[0]->index << PAGE_SHIFT, size = READ_ONCE(mapping->size);
    if (pos >= size)
        return 0; /* truncated meanwhile */
    u32 bytes = (u32)min(size - pos, (u64)n * PAGE_SIZE);
    for (u32 at = 0, done; at < bytes; at += done) {
        /* from within a page a message may touch one page more than its length says */
        u32 to = min(bytes, ALIGN_DOWN(at, (u32)PAGE_SIZE) + most);
        int err = write_some(inode, pos, pages, at, to, &done);
        if (err)
            return err;
    }
    return 0;
}

const struct mapping_ops p9_mapping_ro_ops = {.read_pages = read_pages};
/* The flusher's hold on a file that nobody has open any more. */
static bool try_get(struct address_space *m)
{
    return inode_try_get(m->host);
}

static void put(struct address_space *m)
{
    inode_put(m->host);
}

const struct mapping_ops p9_mapping_ops = {
    .read_pages = read_pages, .write_pages = write_pages, .try_get = try_get, .put = put};

void p9_flush_inode(struct inode *inode)
{
    cache_sync(&inode->mapping, 0, U64_MAX);
}

static void flush(struct file *f)
{
    if (f->mode & FMODE_WRITE)
        p9_flush_inode(f->inode);
}

static int sync_file(struct file *f, u64 start, u64 end, bool data_only)
{
    struct p9_msg m;
    u32 fid = p9_inode_of(f->inode)->write_fid;
    int err = cache_sync(&f->inode->mapping, start, end);
    if (err || fid == P9_NOFID)
        return err;
    err = p9_begin(&m, P9_TFSYNC);
    if (err)
        return err;
    p9_put32(&m, fid);
    p9_put32(&m, data_only);
    err = p9_rpc(p9_client_of(f->inode), &m, NULL);
    p9_end(&m);
    return err;
}

/* ---- O_DIRECT ---- */

/* Reads go on until the host has no more; the helper's requests may be larger than a message. */
static int direct_move(void *ctx, bool write, u64 pos, const struct bio_seg *seg, u32 n, u32 bytes, u32 *done)
{
    struct virtio_buf piece[DIRECT_PAGES];
    for (u32 i = 0; i < n; i++)
        piece[i] = (struct virtio_buf){seg[i].addr, seg[i].len};
    return move(ctx, write, pos, piece, n, bytes, done);
}

static ssize_t direct(struct file *f, const struct iobuf *b, size_t n, u64 *pos, bool write)
{
    struct direct_io io = {&f->inode->mapping, 0, most_pages(f->inode), direct_move, f->inode};
    return direct_rw(&io, b, n, pos, write);
}

static ssize_t read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    if (unlikely(f->flags & O_DIRECT) && !b->kernel) {
        u64 size = READ_ONCE(f->inode->mapping.size);
        int err = cache_sync(&f->inode->mapping, 0, U64_MAX); /* all, so that the host knows the size */
        if (err)
            return err;
        return *pos < size ? direct(f, b, min(n, (size_t)(size - *pos)), pos, false) : 0;
    }
    return generic_file_read(f, b, n, pos);
}

static ssize_t write_direct(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    ssize_t done = direct(f, b, n, pos, true);
    if (done > 0 && *pos > f->inode->mapping.size)
        WRITE_ONCE(f->inode->mapping.size, *pos);
    return done;
}

/* ---- directories ---- */

/* Hands the entries of one answer to emit. Returns true when the caller should go on. */
static bool emit_entries(struct file *f, const u8 *p, u32 n, emit_fn *emit, void *ctx)
{
    u32 at = 0;
    while (at + 24 <= n) {
        u64 ino, next;
        u16 len;
        memcpy(&ino, p + at + 5, 8);
        memcpy(&next, p + at + 13, 8);
        u8 type = p[at + 21];
        memcpy(&len, p + at + 22, 2);
        if (at + 24 + len > n)
            return false;
        if (!emit(ctx, (const char *)p + at + 24, len, ino, type, next))
            return false;
        f->pos = next;
        at += 24u + len;
    }
    return n > 0;
}

static int read_dir(struct file *f, emit_fn *emit, void *ctx)
{
    struct p9_client *c = p9_client_of(f->inode);
    struct page *page = alloc_pages(GFP_KERNEL, 2);
    if (!page)
        return -ENOMEM;
    u32 size = min((u32)(4 * PAGE_SIZE), c->msize - 64);
    struct virtio_buf piece = {page_to_phys(page), size};
    struct p9_data data = {&piece, 1, false};
    int err = 0;
    bool more = true;
    while (more && !err) {
        struct p9_msg m;
        err = p9_begin(&m, P9_TREADDIR);
        if (err)
            break;
        p9_put32(&m, (u32)(uptr)f->priv);
        p9_put64(&m, f->pos);
        p9_put32(&m, size);
        err = p9_rpc(c, &m, &data);
        u32 got = err ? 0 : p9_get32(&m);
        p9_end(&m);
        if (got > size)
            err = -EIO;
        more = !err && emit_entries(f, page_to_virt(page), got, emit, ctx);
    }
    free_pages(page, 2);
    return err;
}

static void release_dir(struct file *f)
{
    p9_clunk(p9_client_of(f->inode), (u32)(uptr)f->priv);
}

const struct file_ops p9_dir_fops = {.readdir = read_dir, .release = release_dir, .fsync = sync_file};
const struct file_ops p9_file_fops = {
    .read = read,
    .write = generic_file_write,
    .write_direct = write_direct,
    .direct = true,
    .mmap = generic_file_mmap,
    .fsync = sync_file,
    .flush = flush,
};
