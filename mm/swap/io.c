/* SPDX-License-Identifier: MIT */
/*
 * Transfers to and from the device.
 *
 *   swap_write ── plug: neighbouring slots ── ops->submit ... swap_io_done: PG_writeback ends, or PG_dirty comes back (EIO)
 *   read       ── a run of neighbours      ── ops->submit ... swap_io_done: PG_uptodate if it went well; unlocked
 *
 * An area has SWAP_NR_IO transfers, made at swapon, so that nothing is allocated on the way out; who finds none waits for one.
 *
 * Invariants
 *  1. A transfer holds no references: pages under writeback, and locked ones that are being read, stay in the swap cache (W5).
 *     The completion may come in an interrupt, and a page may be freed at once behind it.
 *  2. Who waits for a transfer has none plugged.
 *
 * Locks: none; the page lock as the callers hold it.
 */
#include <lib/errno.h>
#include <mm/cache.h>
#include <mm/stat.h>
#include "swap_internal.h"

static struct swap_io *try_get(struct swap_area *a)
{
    for (unsigned i = 0; i < SWAP_NR_IO; i++)
        if (!READ_ONCE(a->io[i]->busy) && !__atomic_exchange_n(&a->io[i]->busy, 1, __ATOMIC_ACQUIRE))
            return a->io[i];
    return NULL;
}

struct swap_io *swap_io_get(struct swap_area *a, bool write, u64 first)
{
    struct swap_io *io = try_get(a);
    if (!io)
        waitq_wait(&a->io_wait, (io = try_get(a)) != NULL);
    io->write = write;
    io->first = first;
    io->n = 0;
    return io;
}

void swap_io_submit(struct swap_io *io)
{
    stat_event_add(io->write ? PSWPOUT : PSWPIN, io->n);
    io->area->ops->submit(io->area, io);
}

void swap_io_done(struct swap_io *io, int err)
{
    struct swap_area *a = io->area;
    for (unsigned i = 0; i < io->n; i++) {
        struct page *page = io->pages[i];
        if (!io->write) {
            page_end_read(page, !err);
            continue;
        }
        if (err)
            page_set(page, PG_dirty); /* W4: only here is it */
        page_end_writeback(page);
    }
    store_release(&io->busy, 0u);
    waitq_wake_one(&a->io_wait);
}

void swap_flush(struct swap_plug *plug)
{
    struct swap_io *io = plug->io;
    plug->io = NULL;
    if (io)
        swap_io_submit(io);
}

void swap_plug_add(struct swap_plug *plug, struct swap_area *a, bool write, u64 offset, struct page *page)
{
    struct swap_io *io = plug->io;
    if (io && (io->area != a || io->write != write || io->n == SWAP_IO_PAGES || io->first + io->n != offset)) {
        swap_flush(plug);
        io = NULL;
    }
    if (!io)
        io = plug->io = swap_io_get(a, write, offset);
    io->pages[io->n++] = page;
}

/* Nobody but the caller and the swap cache has the page, and no entry maps it. */
static bool is_alone(const struct page *page)
{
    return !page_mapped(page) && page_refs(page) == 2;
}

int swap_write(struct page *page, struct swap_plug *plug)
{
    struct swap_plug own = {NULL};
    ASSERT(page_test(page, PG_locked) && page_test(page, PG_swapcache) && !page_test(page, PG_writeback));
    if (page_mapping(page)) {
        int err = shmem_swap_out(page);
        if (err) {
            swap_cache_leave(page, 0, false);
            return err;
        }
    }
    if (!is_alone(page))
        return -EAGAIN;
    if (!page_test(page, PG_dirty) || !swap_count(page))
        return 0;
    swp_entry_t e = page_swap_entry(page);
    page_set(page, PG_writeback);
    page_clear(page, PG_dirty);
    swap_plug_add(plug ? plug : &own, swap_area_of(e), true, swp_offset(e), page);
    swap_flush(&own);
    return 0;
}

int swap_reread(struct page *page)
{
    struct swap_plug plug = {NULL};
    swp_entry_t e = page_swap_entry(page);
    swap_plug_add(&plug, swap_area_of(e), false, swp_offset(e), page);
    swap_flush(&plug);
    page_lock(page); /* until it was read */
    return page_test(page, PG_uptodate) ? 0 : -EIO;
}
