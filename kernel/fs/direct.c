/* SPDX-License-Identifier: MIT */
/*
 * O_DIRECT: between a program's pages and a device, past the cache and coherent with it.
 *
 *   read    what is dirty is written back ──────────────> device ──> pinned pages
 *   write   what is dirty is written back, pages leave ──> pinned pages ──> device ──> pages that came meanwhile leave
 *
 * A page that can't leave (somebody uses it, or makes it dirty at once) sends the write through the cache instead.
 *
 * Locks: writers hold the inode's lock.
 */
#include "direct.h"
#include "internal.h"
#include <mm/mm.h>
#include <mm/pin.h>
#include <port/uaccess.h>

/* One request: at most n bytes of user memory at addr, for byte pos of the device. Bytes done or -errno. */
static ssize_t move_some(const struct direct_io *d, u64 addr, size_t n, u64 pos, bool write)
{
    struct page *page[DIRECT_PAGES];
    struct bio_seg seg[DIRECT_PAGES];
    u64 off = addr & ~PAGE_MASK;
    u32 most = min(d->max_pages, DIRECT_PAGES), done = 0;
    n = min(n, ((size_t)most * PAGE_SIZE - off) & ~(size_t)d->align); /* later requests stay aligned, too */
    u64 want = (off + n + PAGE_SIZE - 1) >> PAGE_SHIFT;
    s64 got = pin_user_pages(current_task()->mm, addr - off, want, write ? 0 : FAULT_WRITE, page);
    if (got <= 0)
        return got ? got : -EFAULT;
    n = min(n, (size_t)got * PAGE_SIZE - off) & ~(size_t)d->align;
    u32 nr = 0;
    for (size_t at = 0; at < n; nr++) {
        u64 from = nr ? 0 : off;
        u32 part = (u32)min(n - at, (size_t)(PAGE_SIZE - from));
        seg[nr] = (struct bio_seg){page_to_phys(page[nr]) + from, part};
        at += part;
    }
    int err = n ? d->move(d->ctx, write, pos, seg, nr, (u32)n, &done) : -EFAULT;
    unpin_user_pages(page, (u64)got, !write && !err);
    return err ? err : (ssize_t)done;
}

static int check(const struct direct_io *d, const struct iobuf *b, size_t n, u64 pos)
{
    u64 bits = pos | n;
    u64 memory = b->iov ? 0 : b->addr;
    for (u32 i = 0; b->iov && i < b->nr_iov; i++) {
        memory |= b->iov[i].base;
        bits |= b->iov[i].len;
    }
    return bits & d->align || memory & min(d->align, 511u) ? -EINVAL : 0;
}

ssize_t direct_rw(const struct direct_io *d, const struct iobuf *b, size_t n, u64 *pos, bool write)
{
    u64 begin = *pos;
    int err = n ? check(d, b, n, begin) : 0;
    if (err || !n)
        return err;
    err = cache_sync(d->m, begin, begin + n - 1);
    if (err)
        return err;
    if (write && cache_drop(d->m, begin >> PAGE_SHIFT, (begin + n - 1) >> PAGE_SHIFT))
        return -ENOTBLK;
    size_t done = 0;
    ssize_t r = 0;
    while (done < n) {
        size_t part = n - done;
        u64 addr = iobuf_piece(b, done, &part);
        if (!part)
            break;
        r = move_some(d, addr, part, begin + done, write);
        if (r <= 0)
            break;
        done += (size_t)r;
        if (fatal_signal_pending())
            break;
    }
    if (write && done)
        cache_drop(d->m, begin >> PAGE_SHIFT, (begin + done - 1) >> PAGE_SHIFT);
    *pos = begin + done;
    return done ? (ssize_t)done : r;
}
