/* SPDX-License-Identifier: MIT */
/*
 * virtio-console with ports (virtio 1.2, 5.3): /dev/vportNpM, a two-way byte stream to the host, no line discipline.
 *
 *   queues: 0/1 port 0 in/out, 2/3 control in/out, then in/out of port 1, 2, ...
 *   control: DEVICE_READY → host adds ports (DEVICE_ADD) → PORT_READY → PORT_NAME, PORT_OPEN; a node appears at DEVICE_ADD
 *
 *   host → queue → rx buffers in order of arrival → read()          write() → a page → queue → host took it → return
 *
 * Locks: the queue's lock guards a port's list of full buffers (filled in interrupt context); tx_lock, a mutex, lets one writer
 * at a time use the port's page.
 */
#include <kernel/file.h>
#include <kernel/sched.h>
#include <kernel/virtio.h>
#include <lib/errno.h>
#include <lib/fmt.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <port/log.h>
#include <kernel/poll.h>

#define F_MULTIPORT   (1UL << 1)
#define MAX_PORTS     4
#define RX_BUFFERS    16
#define CTRL_BUFFERS  16
#define VPORT_MAJOR   243

enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };
struct control {
    u32 id;
    u16 event, value;
};

struct rx_buffer {
    struct list_head link; /* port->full */
    struct page *page;
    u32 len, taken;
};

struct port {
    struct console *console;
    u32 id;
    struct virtq *rx, *tx;
    struct list_head full; /* rx->lock */
    struct waitq readable, written;
    bool exists, host_open;
    struct mutex tx_lock;
    struct page *tx_page;
    bool tx_busy;
};

struct console {
    struct virtio_dev *dev;
    unsigned nr;
    struct virtq *ctrl_rx, *ctrl_tx;
    struct control *out;
    bool out_busy;
    struct mutex out_lock;
    struct waitq wait;         /* control thread, out_busy */
    struct list_head ctrl_full; /* ctrl_rx->lock */
    struct port port[MAX_PORTS];
};
static unsigned nr_consoles;

static int give(struct virtq *q, struct rx_buffer *b)
{
    struct virtio_buf buf = {page_to_phys(b->page), PAGE_SIZE};
    b->taken = 0;
    return virtq_submit(q, &buf, 0, 1, b);
}

static int fill(struct virtq *q, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct rx_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);
        struct page *page = alloc_page(GFP_KERNEL);
        if (!b || !page) {
            kfree(b);
            if (page)
                page_put(page);
            return i ? 0 : -ENOMEM;
        }
        b->page = page;
        if (give(q, b)) {
            page_put(page);
            kfree(b);
            return 0;
        }
    }
    return 0;
}

static void rx_done(struct virtq *q, void *token, u32 written)
{
    struct port *p = q->ctx;
    struct rx_buffer *b = token;
    b->len = written;
    list_add_tail(&b->link, &p->full);
    waitq_wake_all(&p->readable);
}

static void tx_done(struct virtq *q, void *token, u32 written)
{
    struct port *p = q->ctx;
    WRITE_ONCE(p->tx_busy, false);
    waitq_wake_all(&p->written);
}

static void ctrl_rx_done(struct virtq *q, void *token, u32 written)
{
    struct console *c = q->ctx;
    struct rx_buffer *b = token;
    b->len = written;
    list_add_tail(&b->link, &c->ctrl_full);
    waitq_wake_all(&c->wait);
}

static void ctrl_tx_done(struct virtq *q, void *token, u32 written)
{
    struct console *c = q->ctx;
    WRITE_ONCE(c->out_busy, false);
    waitq_wake_all(&c->wait);
}

static void send_control(struct console *c, u32 id, u16 event, u16 value)
{
    mutex_lock(&c->out_lock);
    *c->out = (struct control){id, event, value};
    struct virtio_buf buf = {virt_to_phys(c->out), sizeof(*c->out)};
    c->out_busy = true;
    if (!virtq_submit(c->ctrl_tx, &buf, 1, 0, c))
        waitq_wait(&c->wait, !READ_ONCE(c->out_busy));
    mutex_unlock(&c->out_lock);
}

/* The oldest full buffer, or NULL. It stays on the list. */
static struct rx_buffer *first_full(struct virtq *q, struct list_head *list)
{
    u64 flags = spin_lock_irqsave(&q->lock);
    struct rx_buffer *b = list_empty(list) ? NULL : list_first_entry(list, struct rx_buffer, link);
    spin_unlock_irqrestore(&q->lock, flags);
    return b;
}

static void take_off(struct virtq *q, struct rx_buffer *b)
{
    u64 flags = spin_lock_irqsave(&q->lock);
    list_del(&b->link);
    spin_unlock_irqrestore(&q->lock, flags);
}

/* ---- the device node ---- */

static bool would_not_block(struct port *p)
{
    return first_full(p->rx, &p->full) || !READ_ONCE(p->host_open);
}

static ssize_t vport_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct port *p = f->priv;
    if (!n)
        return 0;
    if (!would_not_block(p)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (waitq_wait_interruptible(&p->readable, would_not_block(p)))
            return -ERESTARTSYS;
    }
    size_t done = 0;
    while (done < n) {
        struct rx_buffer *b = first_full(p->rx, &p->full);
        if (!b)
            break;
        size_t chunk = min(n - done, (size_t)(b->len - b->taken));
        if (iobuf_put(buf, done, (char *)page_to_virt(b->page) + b->taken, chunk))
            return done ? (ssize_t)done : -EFAULT;
        b->taken += (u32)chunk;
        done += chunk;
        if (b->taken == b->len) {
            take_off(p->rx, b);
            give(p->rx, b);
        }
    }
    return (ssize_t)done;
}

static ssize_t vport_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct port *p = f->priv;
    size_t done = 0;
    int err = 0;
    mutex_lock(&p->tx_lock);
    while (done < n && !err) {
        size_t chunk = min(n - done, (size_t)PAGE_SIZE);
        err = iobuf_get(buf, done, page_to_virt(p->tx_page), chunk);
        if (err)
            break;
        struct virtio_buf out = {page_to_phys(p->tx_page), (u32)chunk};
        p->tx_busy = true;
        err = virtq_submit(p->tx, &out, 1, 0, p);
        if (err)
            break;
        waitq_wait(&p->written, !READ_ONCE(p->tx_busy)); /* the device owns the page until then */
        done += chunk;
    }
    mutex_unlock(&p->tx_lock);
    return done ? (ssize_t)done : err;
}

static u32 vport_poll(struct file *f, struct poll_table *pt)
{
    struct port *p = f->priv;
    poll_wait(pt, &p->readable);
    u32 mask = EPOLLOUT | EPOLLWRNORM;
    if (would_not_block(p))
        mask |= EPOLLIN | EPOLLRDNORM;
    if (!READ_ONCE(p->host_open))
        mask |= EPOLLHUP;
    return mask;
}

static int vport_open(struct file *f)
{
    struct port *p = f->priv;
    f->mode |= FMODE_STREAM;
    send_control(p->console, p->id, PORT_OPEN, 1);
    return 0;
}

static void vport_release(struct file *f)
{
    struct port *p = f->priv;
    send_control(p->console, p->id, PORT_OPEN, 0);
}

static const struct file_ops vport_ops = {
    .read = vport_read,
    .write = vport_write,
    .lseek = no_lseek,
    .poll = vport_poll,
    .open = vport_open,
    .release = vport_release,
};

/* ---- control messages ---- */

static void add_port(struct console *c, u32 id)
{
    if (id >= c->nr) {
        log_print(LOG_WARN, "virtio-console: port %u is beyond the %u that are supported\n", id, c->nr);
        return;
    }
    struct port *p = &c->port[id];
    if (!p->exists) {
        char *name = kmalloc(24, GFP_KERNEL);
        p->exists = true;
        fill(p->rx, RX_BUFFERS);
        if (name) {
            fmt_print(name, 24, "vport%up%u", nr_consoles, id);
            dev_register(name, S_IFCHR | 0600, VPORT_MAJOR, id + nr_consoles * MAX_PORTS, &vport_ops, p);
        }
    }
    send_control(c, id, PORT_READY, 1);
}

static void handle(struct console *c, const struct control *m)
{
    if (m->event == DEVICE_ADD) {
        add_port(c, m->id);
    } else if (m->event == PORT_OPEN && m->id < c->nr) {
        WRITE_ONCE(c->port[m->id].host_open, m->value);
        waitq_wake_all(&c->port[m->id].readable);
    }
}

static int control_thread(void *arg)
{
    struct console *c = arg;
    send_control(c, 0, DEVICE_READY, 1);
    for (;;) {
        waitq_wait(&c->wait, first_full(c->ctrl_rx, &c->ctrl_full));
        struct rx_buffer *b = first_full(c->ctrl_rx, &c->ctrl_full);
        struct control m;
        take_off(c->ctrl_rx, b);
        if (b->len >= sizeof(m)) {
            memcpy(&m, page_to_virt(b->page), sizeof(m));
            handle(c, &m);
        }
        give(c->ctrl_rx, b);
    }
    return 0;
}

static int setup_port(struct console *c, unsigned id)
{
    struct port *p = &c->port[id];
    p->console = c;
    p->id = id;
    list_init(&p->full);
    waitq_init(&p->readable);
    waitq_init(&p->written);
    mutex_init(&p->tx_lock, RANK_NONE);
    unsigned first = id ? 2 + 2 * id : 0;
    p->rx = virtq_create(c->dev, first, 64, rx_done, p);
    p->tx = virtq_create(c->dev, first + 1, 64, tx_done, p);
    p->tx_page = alloc_page(GFP_KERNEL);
    return p->rx && p->tx && p->tx_page ? 0 : -ENOMEM;
}

int virtio_console_probe(struct virtio_dev *d)
{
    int err = virtio_begin(d, F_MULTIPORT);
    if (err)
        return err;
    if (!(d->features & F_MULTIPORT))
        return -ENODEV;
    struct console *c = kzalloc(sizeof(*c), GFP_KERNEL);
    if (!c)
        return -ENOMEM;
    u32 max_ports;
    d->ops->read_config(d, 4, &max_ports, 4);
    c->dev = d;
    c->nr = min(max_ports, (u32)MAX_PORTS);
    waitq_init(&c->wait);
    list_init(&c->ctrl_full);
    mutex_init(&c->out_lock, RANK_NONE);
    c->out = kzalloc(sizeof(*c->out), GFP_KERNEL);
    c->ctrl_rx = virtq_create(d, 2, 64, ctrl_rx_done, c);
    c->ctrl_tx = virtq_create(d, 3, 64, ctrl_tx_done, c);
    if (!c->out || !c->ctrl_rx || !c->ctrl_tx)
        return -ENOMEM; /* boot goes on without; what was made stays with the dead device */
    for (unsigned i = 0; i < c->nr; i++) {
        err = setup_port(c, i);
        if (err)
            return err;
    }
    virtio_ready(d);
    err = fill(c->ctrl_rx, CTRL_BUFFERS);
    if (!err && !kthread_start(control_thread, c, "virtio-console"))
        err = -ENOMEM;
    return err;
}
