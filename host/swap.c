/* SPDX-License-Identifier: MIT */
/* A swap device of RAM: host/swap.h. */
#include <host/swap.h>
#include <lib/errno.h>
#include <port/failpoint.h>
#include <stdlib.h>
#include <string.h>

static void finish(struct host_swap *d, struct swap_io *io)
{
    int err = (io->write ? d->fail_write : d->fail_read) || failpoint_hit(FAIL_IO) ? -EIO : 0;
    for (unsigned i = 0; i < io->n && !err; i++) {
        u8 *slot = d->bytes + ((io->first + i) << PAGE_SHIFT);
        void *page = page_to_virt(io->pages[i]);
        if (io->write)
            memcpy(slot, page, PAGE_SIZE);
        else
            memcpy(page, slot, PAGE_SIZE);
    }
    *(io->write ? &d->writes : &d->reads) += io->n;
    d->transfers++;
    swap_io_done(io, err);
}

static void submit(struct swap_area *a, struct swap_io *io)
{
    struct host_swap *d = a->home;
    if (d->hold && d->queued < HOST_SWAP_QUEUE)
        d->queue[d->queued++] = io;
    else
        finish(d, io);
}

unsigned host_swap_let_go(struct host_swap *d, unsigned n)
{
    n = n < d->queued ? n : d->queued;
    for (unsigned i = 0; i < n; i++) {
        struct swap_io *io = d->queue[0];
        memmove(d->queue, d->queue + 1, --d->queued * sizeof(io));
        finish(d, io);
    }
    return n;
}

static void discard(struct swap_area *a, u64 first, u64 n)
{
    struct host_swap *d = a->home;
    d->discarded += n;
    memset(d->bytes + (first << PAGE_SHIFT), 0xdd, n << PAGE_SHIFT);
}

static const struct swap_ops ops = {.submit = submit, .discard = discard};

int host_swap_on(struct host_swap *d, const struct host_swap_config *cfg)
{
    struct swap_setup setup = {.max = cfg->pages + cfg->nr_bad + 1, .bad = cfg->bad, .nr_bad = cfg->nr_bad, .prio = cfg->prio,
                               .discard = cfg->discard, .ops = &ops, .home = d};
    memset(d, 0, sizeof(*d));
    d->max = setup.max;
    d->bytes = calloc(d->max, PAGE_SIZE);
    if (!d->bytes)
        return -ENOMEM;
    struct swap_area *a = swap_area_alloc(&setup);
    if (IS_ERR(a)) {
        free(d->bytes);
        d->bytes = NULL;
        return (int)PTR_ERR(a);
    }
    d->area = a;
    swap_area_enable(a, cfg->prio);
    return 0;
}

int host_swap_off(struct host_swap *d)
{
    int err = swap_area_disable(d->area);
    if (err)
        return err;
    swap_area_free(d->area);
    d->area = NULL;
    free(d->bytes);
    d->bytes = NULL;
    return 0;
}
