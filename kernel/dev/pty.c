/* SPDX-License-Identifier: MIT */
/*
 * Pseudo terminals. The slave is a struct tty; the master is a file whose reads empty the ring that the slave's output fills,
 * and whose writes are the slave's input.
 *
 *   master write ─> tty_receive(slave) ─> slave read         slave write, echo ─> out ring ─> master read
 *
 * Y1. A pty is in use while its master or a slave file is open; then its number is shown in devpts (while the master is open).
 * Y2. master_gone: slaves see EOF and EIO. slave->opens == 0 after there was one: the master sees EIO once the ring is empty.
 * Locks: pty_lock (mutex: numbers, life), slave's tty locks, out ring under the slave's out_lock.
 */
#include "tty_impl.h"
#include "pty.h"
#include <arch/uaccess.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>
#include <port/uaccess.h>

static struct mutex pty_lock = MUTEX_INIT(pty_lock);
static struct pty *ptys[PTY_MAX];

static inline struct pty *pty_of(struct tty *tty)
{
    return container_of(tty, struct pty, tty);
}

/* ---- the slave's driver ---- */
static size_t pty_write_out(struct tty *tty, const u8 *p, size_t n)
{
    struct pty *y = pty_of(tty);
    size_t room = PTY_OUT - (y->head - y->tail);
    n = min(n, room);
    for (size_t i = 0; i < n; i++)
        y->out[(y->head + i) % PTY_OUT] = p[i];
    WRITE_ONCE(y->head, y->head + (u32)n);
    if (n)
        waitq_wake_all(&y->master_wait);
    return n;
}
static size_t pty_room(struct tty *tty)
{
    struct pty *y = pty_of(tty);
    return PTY_OUT - (READ_ONCE(y->head) - READ_ONCE(y->tail));
}
static void pty_packet(struct pty *y, u8 bits)
{
    if (READ_ONCE(y->packet)) {
        __atomic_fetch_or(&y->status, bits, __ATOMIC_RELAXED);
        waitq_wake_all(&y->master_wait);
    }
}
static void pty_flush_out(struct tty *tty)
{
    struct pty *y = pty_of(tty);
    y->tail = y->head;
    pty_packet(y, TIOCPKT_FLUSHWRITE);
}
static void pty_flow(struct tty *tty, bool stopped)
{
    pty_packet(pty_of(tty), stopped ? TIOCPKT_STOP : TIOCPKT_START);
}
static void pty_unthrottle(struct tty *tty)
{
    waitq_wake_all(&pty_of(tty)->master_wait);
}
static void pty_set_termios(struct tty *tty)
{
    struct pty *y = pty_of(tty);
    const struct termios_k *t = &tty->termios;
    bool flow = (t->iflag & IXON) && t->cc[VSTOP] == 19 && t->cc[VSTART] == 17;
    if (flow != y->flow)
        pty_packet(y, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
    y->flow = flow;
}
static int pty_slave_open(struct tty *tty)
{
    struct pty *y = pty_of(tty);
    if (y->locked || !y->master_open)
        return -EIO;
    WRITE_ONCE(y->slave_gone, false);
    return 0;
}
/* Last slave file gone. tty->cfg_lock held. */
static void pty_slave_close(struct tty *tty)
{
    struct pty *y = pty_of(tty);
    WRITE_ONCE(y->slave_gone, true);
    waitq_wake_all(&y->master_wait);
    if (!y->master_open)
        WRITE_ONCE(y->used, false);
}
static const struct tty_driver pty_driver = {
    .name = "pts",
    .open = pty_slave_open,
    .close = pty_slave_close,
    .write = pty_write_out,
    .room = pty_room,
    .flush_output = pty_flush_out,
    .flow = pty_flow,
    .set_termios = pty_set_termios,
    .unthrottle = pty_unthrottle,
};

/* ---- the master ---- */
static bool master_readable(struct pty *y)
{
    return READ_ONCE(y->head) != READ_ONCE(y->tail) ||
           (READ_ONCE(y->packet) && READ_ONCE(y->status));
}

static ssize_t master_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct pty *y = f->priv;
    u8 chunk[512];
    size_t done = 0;
    if (!n)
        return 0;
    while (!master_readable(y)) {
        if (READ_ONCE(y->slave_gone))
            return -EIO;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = waitq_wait_interruptible(&y->master_wait,
                                           master_readable(y) || READ_ONCE(y->slave_gone));
        if (err)
            return err;
    }
    if (y->packet) {
        chunk[0] = __atomic_exchange_n(&y->status, 0, __ATOMIC_RELAXED);
        if (iobuf_put(buf, done++, chunk, 1))
            return -EFAULT;
        if (chunk[0])
            return 1;
    }
    while (done < n) {
        size_t part = 0, want = min(n - done, sizeof(chunk));
        spin_lock(&y->tty.out_lock);
        while (part < want && y->tail != y->head)
            chunk[part++] = y->out[y->tail++ % PTY_OUT];
        spin_unlock(&y->tty.out_lock);
        if (!part)
            break;
        if (iobuf_put(buf, done, chunk, part))
            return done ? (ssize_t)done : -EFAULT;
        done += part;
    }
    tty_write_wakeup(&y->tty);
    return (ssize_t)done;
}

static bool slave_takes(struct pty *y)
{
    return !READ_ONCE(y->tty.throttled);
}

static ssize_t master_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct pty *y = f->priv;
    u8 chunk[256];
    size_t done = 0;
    while (done < n) {
        size_t part = min(n - done, sizeof(chunk));
        if (iobuf_get(buf, done, chunk, part))
            return done ? (ssize_t)done : -EFAULT;
        size_t got = tty_receive(&y->tty, chunk, part);
        done += got;
        if (got == part)
            continue;
        if (f->flags & O_NONBLOCK)
            return done ? (ssize_t)done : -EAGAIN;
        int err = waitq_wait_interruptible(&y->master_wait, slave_takes(y));
        if (err)
            return done ? (ssize_t)done : err;
    }
    return (ssize_t)done;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
    struct pty *y = f->priv;
    u32 mask = 0;
    poll_wait(pt, &y->master_wait);
    if (master_readable(y))
        mask |= POLL_READABLE;
    if (READ_ONCE(y->packet) && READ_ONCE(y->status))
        mask |= EPOLLPRI;
    if (READ_ONCE(y->slave_gone))
        mask |= EPOLLHUP;
    if (slave_takes(y))
        mask |= POLL_WRITABLE;
    return mask;
}

static s64 open_peer(struct pty *y, u32 flags)
{
    char name[24];
    fmt_print(name, sizeof(name), "/dev/pts/%u", y->tty.index);
    struct file *f = file_open(name, (flags & ~O_CLOEXEC) | O_NOCTTY, 0);
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_alloc(f, flags & O_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

static s64 master_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct pty *y = f->priv;
    struct tty *tty = &y->tty;
    s32 v;
    switch (cmd) {
    case TIOCGPTN:
        v = (s32)tty->index;
        return put_user(v, arg);
    case TIOCSPTLCK:
        if (get_user(v, arg))
            return -EFAULT;
        y->locked = v != 0;
        return 0;
    case TIOCGPTLCK:
        v = y->locked;
        return put_user(v, arg);
    case TIOCGPTPEER:
        return open_peer(y, (u32)arg);
    case TIOCPKT:
        if (get_user(v, arg))
            return -EFAULT;
        if (v && !y->packet)
            y->status = 0;
        WRITE_ONCE(y->packet, v != 0);
        return 0;
    case TIOCGPKT:
        v = y->packet;
        return put_user(v, arg);
    case TIOCSIG:
        if (arg < 1 || arg > NSIG)
            return -EINVAL;
        tty_signal_fg(tty, (int)arg);
        return 0;
    case FIONREAD:
        v = (s32)(READ_ONCE(y->head) - READ_ONCE(y->tail));
        return put_user(v, arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
        return -ENOTTY;
    }
    s64 res = tty_session_ioctl(tty, f, cmd, arg, true);
    return res != -ENOIOCTLCMD ? res : tty_common_ioctl(tty, cmd, arg, true);
}

static void master_release(struct file *f)
{
    struct pty *y = f->priv;
    mutex_lock(&pty_lock);
    devpts_remove(y->tty.index);
    mutex_lock(&y->tty.cfg_lock);
    y->master_open = false;
    WRITE_ONCE(y->tty.other_closed, true);
    mutex_unlock(&y->tty.cfg_lock);
    tty_hangup(&y->tty);
    mutex_lock(&y->tty.cfg_lock);
    if (!y->tty.opens)
        WRITE_ONCE(y->used, false);
    mutex_unlock(&y->tty.cfg_lock);
    mutex_unlock(&pty_lock);
}

static const struct file_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .lseek = no_lseek,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .release = master_release,
};

/* A pty with a free number, set up afresh; pty_lock held. ERR_PTR. */
static struct pty *pty_take(void)
{
    for (u32 i = 0; i < PTY_MAX; i++) {
        struct pty *y = ptys[i];
        if (y && READ_ONCE(y->used))
            continue;
        if (!y) {
            y = kzalloc(sizeof(*y), GFP_KERNEL);
            if (!y)
                return ERR_PTR(-ENOMEM);
            if (tty_init(&y->tty, &pty_driver, 136 + (i >> 8), i & 255, i)) {
                kfree(y);
                return ERR_PTR(-ENOMEM);
            }
            waitq_init(&y->master_wait);
            y->tty.pty = true;
            ptys[i] = y;
        }
        tty_reset_termios(&y->tty);
        tty_flush_input(&y->tty);
        tty_start(&y->tty);
        memset(&y->tty.winsize, 0, sizeof(y->tty.winsize));
        y->tty.other_closed = y->tty.exclusive = false;
        y->tty.column = 0;
        y->head = y->tail = 0;
        y->status = 0;
        y->packet = y->slave_gone = false;
        y->locked = y->flow = true;
        return y;
    }
    return ERR_PTR(-ENOSPC);
}

int ptmx_open(struct file *f)
{
    mutex_lock(&pty_lock);
    struct pty *y = pty_take();
    int err = IS_ERR(y) ? (int)PTR_ERR(y) : devpts_add(y->tty.index, &y->tty);
    if (!err) {
        y->used = y->master_open = true;
        f->priv = y;
        f->ops = &master_ops;
    }
    mutex_unlock(&pty_lock);
    return err;
}
const struct file_ops ptmx_ops = {.open = ptmx_open, .lseek = no_lseek};

void pty_boot(void)
{
    devpts_register();
    int err = dev_register("ptmx", S_IFCHR | 0666, 5, 2, &ptmx_ops, NULL);
    if (err)
        log_print(LOG_ERR, "pty: no /dev/ptmx: error %d", err);
}
