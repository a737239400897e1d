/* SPDX-License-Identifier: MIT */
/*
 * Reading a terminal and polling it.
 *
 *   canonical   one line at a time; an end-of-file character ends the line and is dropped, alone it reads as 0 bytes
 *   raw         VMIN  VTIME   returns
 *               > 0   0       once VMIN bytes (or the buffer) are there
 *               > 0   > 0     once VMIN bytes are there, or VTIME/10 s after the last one
 *               0     > 0     with the first byte, or after VTIME/10 s
 *               0     0       at once
 *
 * read_lock (mutex) lets one reader at a time in, so that a line goes to one reader.
 */
#include "tty_impl.h"
#include <lib/bits.h>
#include <port/clock.h>

#define RING_MASK (TTY_RING - 1)
#define TENTH_NS  100000000UL

bool tty_input_ready(struct tty *tty, u32 least)
{
    if (tty_l(tty, ICANON))
        return READ_ONCE(tty->nr_lines) != 0;
    return READ_ONCE(tty->wr) - READ_ONCE(tty->rd) >= least;
}

size_t tty_input_bytes(struct tty *tty)
{
    spin_lock(&tty->in_lock);
    size_t n = tty_l(tty, ICANON) ? tty->canon - tty->rd : tty->wr - tty->rd;
    spin_unlock(&tty->in_lock);
    return n;
}

/* Takes up to n bytes of one line. *end: the line is over. */
static size_t take_line(struct tty *t, u8 *out, size_t n, bool *end)
{
    size_t done = 0;
    *end = false;
    spin_lock(&t->in_lock);
    while (t->nr_lines && !*end) {
        u32 i = t->rd & RING_MASK;
        bool mark = test_bit(i, t->lines), eof = mark && t->ring[i] == 0;
        if (done == n && !eof)
            break;
        if (!eof)
            out[done++] = t->ring[i];
        t->rd++;
        if (mark) {
            t->nr_lines--;
            *end = true;
        }
    }
    spin_unlock(&t->in_lock);
    return done;
}

static size_t take_raw(struct tty *t, u8 *out, size_t n)
{
    spin_lock(&t->in_lock);
    size_t have = t->wr - t->rd;
    n = min(n, have);
    for (size_t i = 0; i < n; i++)
        out[i] = t->ring[(t->rd + i) & RING_MASK];
    t->rd += (u32)n;
    if ((s32)(t->canon - t->rd) < 0)
        t->canon = t->rd;
    spin_unlock(&t->in_lock);
    return n;
}

static void made_room(struct tty *t)
{
    spin_lock(&t->in_lock);
    bool was = t->throttled && t->wr - t->rd < TTY_RING - 1;
    if (was)
        t->throttled = false;
    spin_unlock(&t->in_lock);
    if (was && t->driver->unthrottle)
        t->driver->unthrottle(t);
}

static bool over(const struct tty_file *tf)
{
    return tty_file_hung(tf) || READ_ONCE(tf->tty->other_closed);
}

/* Waits until `least` bytes or a line can be had. 1, 0: the deadline (~0 none), hang-up; -EAGAIN, -ERESTARTSYS. */
static s64 wait_input(struct tty_file *tf, u32 least, bool nonblock, u64 deadline)
{
    struct tty *t = tf->tty;
    if (tty_input_ready(t, least))
        return 1;
    if (over(tf))
        return 0;
    if (nonblock)
        return -EAGAIN;
    s64 res = waitq_wait_timeout(&t->read_wait, tty_input_ready(t, least) || over(tf), deadline);
    return res < 0 ? res : tty_input_ready(t, least);
}

static ssize_t read_canon(struct tty_file *tf, const struct iobuf *buf, size_t n, bool nonblock)
{
    u8 chunk[256];
    size_t done = 0;
    bool end = false;
    s64 ready = wait_input(tf, 1, nonblock, U64_MAX);
    if (ready <= 0)
        return ready;
    while (done < n && !end) {
        size_t part = take_line(tf->tty, chunk, min(n - done, sizeof(chunk)), &end);
        if (!part)
            break;
        if (iobuf_put(buf, done, chunk, part))
            return -EFAULT;
        done += part;
    }
    return (ssize_t)done;
}

static ssize_t read_raw(struct tty_file *tf, const struct iobuf *buf, size_t n, bool nonblock)
{
    struct tty *t = tf->tty;
    u8 chunk[256];
    u32 vmin = t->termios.cc[VMIN], vtime = t->termios.cc[VTIME];
    size_t done = 0, least = vmin ? min((size_t)vmin, n) : 1;
    u64 gap = vtime * TENTH_NS;
    while (done < n) {
        u64 deadline = U64_MAX;
        if (!vmin)
            deadline = gap ? clock_ns() + gap : 0;
        else if (gap && done)
            deadline = clock_ns() + gap;
        s64 ready;
        if (!deadline) /* neither bytes nor time asked for */
            ready = tty_input_ready(t, 1);
        else
            ready = wait_input(tf, 1, nonblock, deadline);
        if (ready <= 0)
            return done ? (ssize_t)done : ready;
        size_t part = take_raw(t, chunk, min(n - done, sizeof(chunk)));
        if (iobuf_put(buf, done, chunk, part))
            return done ? (ssize_t)done : -EFAULT;
        done += part;
        if (done >= least && !tty_input_ready(t, 1))
            break;
    }
    return (ssize_t)done;
}

ssize_t tty_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct tty_file *tf = f->priv;
    struct tty *t = tf->tty;
    bool nonblock = f->flags & O_NONBLOCK;
    if (tty_file_hung(tf))
        return 0;
    if (!tf->console || tty_is_mine(t)) {
        int err = tty_check_change(t, SIGTTIN);
        if (err)
            return err;
    }
    if (nonblock) {
        if (!mutex_trylock(&t->read_lock))
            return -EAGAIN;
    } else if (mutex_lock_interruptible(&t->read_lock)) {
        return -ERESTARTSYS;
    }
    ssize_t ret =
        tty_l(t, ICANON) ? read_canon(tf, buf, n, nonblock) : read_raw(tf, buf, n, nonblock);
    mutex_unlock(&t->read_lock);
    if (ret == 0 && n && READ_ONCE(t->other_closed) && !tty_input_ready(t, 1))
        ret = -EIO;
    made_room(t);
    return ret;
}

u32 tty_poll(struct file *f, struct poll_table *pt)
{
    struct tty_file *tf = f->priv;
    struct tty *t = tf->tty;
    u32 mask = 0;
    poll_wait(pt, &t->read_wait);
    poll_wait(pt, &t->write_wait);
    if (tty_file_hung(tf))
        return POLL_READABLE | POLL_WRITABLE | EPOLLERR | EPOLLHUP;
    u32 least = t->termios.cc[VMIN] && !t->termios.cc[VTIME] ? t->termios.cc[VMIN] : 1;
    if (tty_input_ready(t, least))
        mask |= POLL_READABLE;
    if (READ_ONCE(t->other_closed))
        mask |= EPOLLHUP | POLL_READABLE;
    else if (!READ_ONCE(t->stopped) && t->driver->room(t) >= 8)
        mask |= POLL_WRITABLE;
    return mask;
}
