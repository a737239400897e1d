/* SPDX-License-Identifier: MIT */
/*
 * /proc/pressure/{cpu,io,memory}: averages to read; a line written makes the open file a trigger, which poll(2) waits for (POLLPRI).
 *
 * Lock: file->lock, that no two writers make a trigger. A trigger once made stays until the file is closed.
 */
#include "pfs.h"
#include <kernel/poll.h>
#include <mm/psi.h>
#include <port/clock.h>

struct pressure {
    struct mutex lock;
    enum psi_resource resource;
    struct psi_trigger *trigger;
};

static int pressure_open(struct file *f, enum psi_resource r)
{
    struct pressure *p = kzalloc(sizeof(*p), GFP_KERNEL);
    if (!p)
        return -ENOMEM;
    mutex_init(&p->lock, RANK_NONE);
    p->resource = r;
    f->priv = p;
    return 0;
}
static int open_cpu(struct file *f)
{
    return pressure_open(f, PSI_CPU);
}
static int open_io(struct file *f)
{
    return pressure_open(f, PSI_IO);
}
static int open_memory(struct file *f)
{
    return pressure_open(f, PSI_MEM);
}

static void pressure_release(struct file *f)
{
    struct pressure *p = f->priv;
    if (p->trigger)
        psi_trigger_free(p->trigger);
    kfree(p);
}

static ssize_t pressure_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct pressure *p = f->priv;
    char text[256];
    struct seq s;
    seq_init(&s, text, sizeof(text));
    psi_show(&s, p->resource, clock_ns());
    if (*pos >= s.len)
        return 0;
    n = min(n, s.len - (size_t)*pos);
    if (iobuf_put(b, 0, text + *pos, n))
        return -EFAULT;
    *pos += n;
    return (ssize_t)n;
}

static ssize_t pressure_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct pressure *p = f->priv;
    char text[32];
    size_t take = min(n, sizeof(text));
    if (!n)
        return -EINVAL;
    if (iobuf_get(b, 0, text, take))
        return -EFAULT;
    mutex_lock(&p->lock);
    struct psi_trigger *t = NULL;
    int err = p->trigger
                  ? -EBUSY
                  : psi_trigger_alloc(text, take, p->resource, capable(CAP_SYS_RESOURCE), &t);
    if (!err)
        store_release(&p->trigger, t);
    mutex_unlock(&p->lock);
    return err ? err : (ssize_t)n;
}

static u32 pressure_poll(struct file *f, struct poll_table *pt)
{
    struct pressure *p = f->priv;
    struct psi_trigger *t = load_acquire(&p->trigger);
    u32 ready = POLL_READABLE | POLL_WRITABLE;
    if (!t)
        return ready | EPOLLERR | EPOLLPRI;
    poll_wait(pt, psi_trigger_waitq(t));
    return psi_trigger_take(t) ? ready | EPOLLPRI : ready;
}

void proc_pressure_register(void)
{
    static const struct file_ops ops[] = {
        {.open = open_cpu,
         .read = pressure_read,
         .lseek = text_lseek,
         .write = pressure_write,
         .poll = pressure_poll,
         .release = pressure_release},
        {.open = open_io,
         .read = pressure_read,
         .lseek = text_lseek,
         .write = pressure_write,
         .poll = pressure_poll,
         .release = pressure_release},
        {.open = open_memory,
         .read = pressure_read,
         .lseek = text_lseek,
         .write = pressure_write,
         .poll = pressure_poll,
         .release = pressure_release},
    };
    static const char *const paths[] = {"/proc/pressure/cpu", "/proc/pressure/io",
                                        "/proc/pressure/memory"};
    for (size_t k = 0; !psi_disabled && k < ARRAY_SIZE(paths); k++) {
        struct pnode *n = pnode_make(paths[k], S_IFREG | 0666);
        if (n)
            n->fops = &ops[k];
    }
}
