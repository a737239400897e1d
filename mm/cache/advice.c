/* SPDX-License-Identifier: MIT */
/* posix_fadvise, with Linux's effects; what has no device takes every advice and does nothing. */
#include <lib/errno.h>
#include <mm/readahead.h>
#include <mm/writeback.h>
#include <uapi/fadvise.h>
#include "cache_internal.h"

static void will_need(struct address_space *m, struct file_ra_state *ra, u64 offset, u64 last)
{
    ra_force(m, ra, offset >> PAGE_SHIFT, (last >> PAGE_SHIFT) - (offset >> PAGE_SHIFT) + 1);
}

/* Dirty pages begin to go to the device; of the rest, pages that lie wholly within [offset, last] leave. */
static void dont_need(struct address_space *m, u64 offset, u64 last)
{
    cache_start_sync(m, offset, last);
    u64 first_page = DIV_ROUND_UP(offset, PAGE_SIZE), last_page = last >> PAGE_SHIFT;
    if ((last & ~PAGE_MASK) != ~PAGE_MASK && last != READ_ONCE(m->size) - 1) {
        if (!last_page)
            return;
        last_page--;
    }
    if (last_page >= first_page)
        cache_invalidate(m, first_page, last_page);
}

int cache_advise(struct address_space *m, struct file_ra_state *ra, u64 offset, s64 len, int advice)
{
    if (len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
        return -EINVAL;
    if (!m->ops->read_pages)
        return 0;
    u64 end = offset + (u64)len, last = len && end >= (u64)len ? end - 1 : (u64)S64_MAX;
    struct file_ra_state fresh;
    if (!ra) {
        ra_init(&fresh, m);
        ra = &fresh;
    }
    u32 device = m->bdi ? READ_ONCE(m->bdi->ra_pages) : RA_PAGES_DEFAULT;
    switch (advice) {
    case POSIX_FADV_NORMAL:
        ra->ra_pages = device;
        ra->flags &= ~(RA_RANDOM | RA_NOREUSE);
        break;
    case POSIX_FADV_RANDOM:
        ra->flags |= RA_RANDOM;
        break;
    case POSIX_FADV_SEQUENTIAL:
        ra->ra_pages = device * 2;
        ra->flags &= ~RA_RANDOM;
        break;
    case POSIX_FADV_WILLNEED:
        will_need(m, ra, offset, last);
        break;
    case POSIX_FADV_DONTNEED:
        dont_need(m, offset, last);
        break;
    default:
        ra->flags |= RA_NOREUSE;
    }
    return 0;
}
