/* SPDX-License-Identifier: MIT */
/* A swap device of RAM: host/swap.h. */
#include <host/swap.h>
#include <lib/errno.h>
#include <port/failpoint.h>
#include <port/sched.h>
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
    spin_lock(&d->lock);
    bool later = (d->hold || d->disk) && d->queued < HOST_SWAP_QUEUE;
    if (later)
        d->queue[d->queued++] = io;
    spin_unlock(&d->lock);
    if (!later)
        finish(d, io);
    else if (d->disk)
        waitq_wake_all(&d->work);
}

static struct swap_io *next(struct host_swap *d)
{
    spin_lock(&d->lock);
    struct swap_io *io = d->queued ? d->queue[0] : NULL;
    if (io)
        memmove(d->queue, d->queue + 1, --d->queued * sizeof(io));
    spin_unlock(&d->lock);
    return io;
}

unsigned host_swap_let_go(struct host_swap *d, unsigned n)
{
    struct swap_io *io;
    unsigned done = 0;
    while (done < n && (io = next(d))) {
        finish(d, io);
        done++;
    }
    return done;
}

/* Nobody waits for it to end: the device outlives it by its own flag. */
static int disk_thread(void *arg)
{
    struct host_swap *d = arg;
    struct swap_io *io = NULL;
    for (;;) {
        waitq_wait(&d->work, (io = next(d)) || READ_ONCE(d->stop));
        if (!io)
            break;
        finish(d, io);
    }
    store_release(&d->disk, false);
    waitq_wake_all(&d->work);
    return 0;
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
    spin_init(&d->lock, RANK_KERNEL_LEAF);
    waitq_init(&d->work);
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
    d->disk = cfg->disk && kthread_start(disk_thread, d, "disk");
    swap_area_enable(a, cfg->prio);
    return 0;
}

int host_swap_off(struct host_swap *d)
{
    int err = swap_area_disable(d->area);
    if (err)
        return err;
    WRITE_ONCE(d->stop, true);
    waitq_wake_all(&d->work);
    waitq_wait(&d->work, !load_acquire(&d->disk));
    swap_area_free(d->area);
    d->area = NULL;
    free(d->bytes);
    d->bytes = NULL;
    return 0;
}
