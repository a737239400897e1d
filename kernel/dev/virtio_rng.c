/* SPDX-License-Identifier: MIT */
/* virtio-rng (virtio 1.2, 5.4): a thread asks for 64 bytes at boot and then every minute, and stirs them into the pool. */
#include <kernel/virtio.h>
#include <kernel/rng.h>
#include <kernel/sched.h>
#include <lib/errno.h>
#include <mm/slab.h>
#include <port/clock.h>
#include <port/mem.h>
#include <port/sched.h>

#define BYTES    64
#define INTERVAL 60000000000UL

struct rng {
    struct virtq *q;
    u8 *buf;
    u32 got;
    struct waitq done;
};

static void done(struct virtq *q, void *token, u32 written)
{
    struct rng *r = token;
    WRITE_ONCE(r->got, written ? written : ~0u);
    waitq_wake_all(&r->done);
}

static int run(void *arg)
{
    struct rng *r = arg;
    for (;;) {
        struct virtio_buf buf = {virt_to_phys(r->buf), BYTES};
        r->got = 0;
        if (virtq_submit(r->q, &buf, 0, 1, r))
            return 0;
        waitq_wait(&r->done, READ_ONCE(r->got));
        if (r->got <= BYTES)
            random_stir(r->buf, r->got);
        sched_prepare(SCHED_SLEEPING);
        sched_block_until(clock_ns() + INTERVAL);
    }
}

int virtio_rng_probe(struct virtio_dev *d)
{
    struct rng *r = kzalloc(sizeof(*r), GFP_KERNEL);
    u8 *buf = kzalloc(BYTES, GFP_KERNEL);
    int err = r && buf ? virtio_begin(d, 0) : -ENOMEM;
    if (err)
        goto fail;
    r->buf = buf;
    waitq_init(&r->done);
    r->q = virtq_create(d, 0, 8, done, r);
    err = r->q ? 0 : -ENOMEM;
    if (err)
        goto fail;
    virtio_ready(d);
    if (!kthread_start(run, r, "hwrng"))
        return -ENOMEM;
    return 0;
fail:
    kfree(buf);
    kfree(r);
    return err;
}
