/* SPDX-License-Identifier: MIT */
/*
 * What a terminal shows: output processing (OPOST) of written bytes and of echoes, in one stream that knows its column.
 *
 *   write(2) ─ 512 bytes at a time ─ tty_opost ─┐
 *   echo ───────────────────────── tty_opost ─┴─ driver->write (UART queue, pty master's ring)
 *
 * O1. column and the driver's queue change under out_lock; tty_opost never hands over more than driver->room allows, so a
 *     character of several bytes (CR NL, a tab's blanks) is never cut.
 */
#include "tty_impl.h"
#include <port/uaccess.h>

#define MAX_EXPANSION 8 /* a tab as blanks */

/* One character into out; the number of bytes, 0..MAX_EXPANSION. */
static unsigned expand(struct tty *tty, u8 c, u8 *out)
{
    u32 of = tty->termios.oflag;
    switch (c) {
    case '\n':
        if (of & ONLRET)
            tty->column = 0;
        if (of & ONLCR) {
            tty->column = 0;
            out[0] = '\r';
            out[1] = '\n';
            return 2;
        }
        break;
    case '\r':
        if ((of & ONOCR) && tty->column == 0)
            return 0;
        if (of & OCRNL) {
            c = '\n';
            if (of & ONLRET)
                tty->column = 0;
            break;
        }
        tty->column = 0;
        break;
    case '\t': {
        unsigned blanks = 8 - (tty->column & 7);
        tty->column += blanks;
        if ((of & TABDLY) == XTABS) {
            for (unsigned i = 0; i < blanks; i++)
                out[i] = ' ';
            return blanks;
        }
        break;
    }
    case '\b':
        if (tty->column > 0)
            tty->column--;
        break;
    default:
        if (c >= 32 && c != 127) {
            if ((of & OLCUC) && c >= 'a' && c <= 'z')
                c -= 32;
            if (!((tty->termios.iflag & IUTF8) && (c & 0xc0) == 0x80))
                tty->column++;
        }
    }
    out[0] = c;
    return 1;
}

size_t tty_opost(struct tty *tty, const u8 *p, size_t n)
{
    if (!(tty->termios.oflag & OPOST))
        return tty->driver->write(tty, p, n);
    u8 buf[256];
    size_t done = 0;
    while (done < n) {
        size_t room = tty->driver->room(tty), fill = 0;
        if (room > sizeof(buf))
            room = sizeof(buf);
        size_t from = done;
        while (done < n && fill + MAX_EXPANSION <= room)
            fill += expand(tty, p[done++], buf + fill);
        if (done == from) /* no room for a whole character */
            break;
        if (fill)
            tty->driver->write(tty, buf, fill);
    }
    return done;
}

static bool output_held(const struct tty *tty)
{
    return READ_ONCE(tty->stopped);
}

void tty_echo(struct tty *tty, u8 c)
{
    spin_lock(&tty->out_lock);
    (void)tty_opost(tty, &c, 1); /* an echo that finds no room is lost */
    spin_unlock(&tty->out_lock);
}

void tty_echo_visible(struct tty *tty, u8 c)
{
    if (tty_l(tty, ECHOCTL) && ((c < 32 && c != '\t') || c == 127)) {
        tty_echo(tty, '^');
        tty_echo(tty, c ^ 0x40);
    } else {
        tty_echo(tty, c);
    }
}

void tty_stop(struct tty *tty)
{
    bool was = output_held(tty);
    WRITE_ONCE(tty->stopped, true);
    if (!was && tty->driver->flow)
        tty->driver->flow(tty, true);
}

void tty_start(struct tty *tty)
{
    bool was = output_held(tty);
    WRITE_ONCE(tty->stopped, false);
    if (was && tty->driver->flow)
        tty->driver->flow(tty, false);
    waitq_wake_all(&tty->write_wait);
}

static bool can_write(struct tty *tty)
{
    return !output_held(tty) && tty->driver->room(tty) >= MAX_EXPANSION;
}

static ssize_t write_chunk(struct tty_file *tf, const u8 *p, size_t n, bool nonblock)
{
    struct tty *tty = tf->tty;
    size_t done = 0;
    for (;;) {
        if (tty_file_hung(tf) || READ_ONCE(tty->other_closed))
            return done ? (ssize_t)done : -EIO;
        if (!output_held(tty)) {
            spin_lock(&tty->out_lock);
            done += tty_opost(tty, p + done, n - done);
            spin_unlock(&tty->out_lock);
        }
        if (done == n)
            return (ssize_t)n;
        if (nonblock)
            return done ? (ssize_t)done : -EAGAIN;
        int err = waitq_wait_interruptible(&tty->write_wait, can_write(tty) || tty_file_hung(tf) ||
                                                                 READ_ONCE(tty->other_closed));
        if (err)
            return done ? (ssize_t)done : err;
    }
}

ssize_t tty_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct tty_file *tf = f->priv;
    struct tty *tty = tf->tty;
    bool nonblock = f->flags & O_NONBLOCK;
    if (tty_file_hung(tf))
        return -EIO;
    if (tty_l(tty, TOSTOP) && !tf->console) {
        int err = tty_check_change(tty, SIGTTOU);
        if (err)
            return err;
    }
    if (nonblock) {
        if (!mutex_trylock(&tty->write_lock))
            return -EAGAIN;
    } else if (mutex_lock_interruptible(&tty->write_lock)) {
        return -ERESTARTSYS;
    }
    u8 chunk[512];
    size_t done = 0;
    ssize_t ret = 0;
    while (done < n) {
        size_t part = min(n - done, sizeof(chunk));
        ret = -EFAULT;
        if (iobuf_get(buf, done, chunk, part))
            break;
        ret = write_chunk(tf, chunk, part, nonblock);
        if (ret < 0)
            break;
        done += (size_t)ret;
        if ((size_t)ret < part)
            break;
    }
    mutex_unlock(&tty->write_lock);
    return done ? (ssize_t)done : ret;
}

static bool drained(struct tty *tty)
{
    return !tty->driver->pending || tty->driver->pending(tty) == 0;
}

int tty_drain(struct tty *tty)
{
    return waitq_wait_interruptible(&tty->write_wait, drained(tty) || READ_ONCE(tty->other_closed));
}
