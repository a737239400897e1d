/* SPDX-License-Identifier: MIT */
/*
 * ioctls of terminals: settings (termios in its four shapes), window size, queues, flow. Sessions are in tty_jobctl.c.
 *
 * The structs: termio (6 words of 16 bit and 8 characters), termios (36 bytes), termios2 (44: with the speeds as numbers).
 */
#include "tty_impl.h"
#include <arch/uaccess.h>
#include <lib/string.h>
#include <port/clock.h>
#include <port/uaccess.h>

#define TERMIOS_SIZE 36 /* without the speeds */

struct termio_k {
    u16 iflag, oflag, cflag, lflag;
    u8 line, cc[8];
};

static const u32 baud[] = {0,       50,      75,      110,     134,     150,     200,    300,
                           600,     1200,    1800,    2400,    4800,    9600,    19200,  38400,
                           57600,   115200,  230400,  460800,  500000,  576000,  921600, 1000000,
                           1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

/* The speed that the CBAUD bits of cflag name. */
static u32 cflag_speed(u32 cflag)
{
    u32 i = cflag & CBAUD;
    if (i & BOTHER)
        i = (i & ~BOTHER) + 15;
    return i < ARRAY_SIZE(baud) ? baud[i] : 0;
}

u32 tty_speed_cflag(u32 speed)
{
    for (u32 i = 0; i < ARRAY_SIZE(baud); i++)
        if (baud[i] == speed)
            return i < 16 ? i : (i - 15) | BOTHER;
    return BOTHER;
}

static bool is_change(u32 cmd)
{
    switch (cmd) {
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
    case TCXONC:
    case TCFLSH:
    case TIOCSETD:
        return true;
    default:
        return false;
    }
}

static void apply(struct tty *tty, const struct termios_k *t)
{
    mutex_lock(&tty->cfg_lock);
    spin_lock(&tty->in_lock);
    u32 old_l = tty->termios.lflag, old_i = tty->termios.iflag;
    spin_lock(&tty->out_lock);
    tty->termios = *t;
    spin_unlock(&tty->out_lock);
    tty_mode_changed(tty, old_l);
    bool ready = tty_input_ready(tty, 1);
    spin_unlock(&tty->in_lock);
    if ((old_i & IXON) && !(t->iflag & IXON))
        tty_start(tty);
    if (tty->driver->set_termios)
        tty->driver->set_termios(tty);
    mutex_unlock(&tty->cfg_lock);
    if (ready)
        waitq_wake_all(&tty->read_wait);
}

static s64 get_termios(struct tty *tty, u32 cmd, u64 arg)
{
    mutex_lock(&tty->cfg_lock);
    struct termios_k t = tty->termios;
    mutex_unlock(&tty->cfg_lock);
    if (cmd == TCGETA) {
        struct termio_k s = {(u16)t.iflag, (u16)t.oflag, (u16)t.cflag, (u16)t.lflag, t.line, {0}};
        memcpy(s.cc, t.cc, sizeof(s.cc));
        return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
    }
    return copy_to_user(arg, &t, cmd == TCGETS2 ? sizeof(t) : TERMIOS_SIZE) ? -EFAULT : 0;
}

enum set_when { SET_NOW, SET_DRAIN, SET_FLUSH };

static u32 keep(u32 fresh, u32 old, u32 mask)
{
    return (fresh & ~mask) | (old & mask);
}

/* Locked bits and characters keep their old values. */
static void apply_locks(const struct tty *tty, struct termios_k *t)
{
    const struct termios_k *old = &tty->termios, *l = &tty->locked;
    t->iflag = keep(t->iflag, old->iflag, l->iflag);
    t->oflag = keep(t->oflag, old->oflag, l->oflag);
    t->cflag = keep(t->cflag, old->cflag, l->cflag);
    t->lflag = keep(t->lflag, old->lflag, l->lflag);
    if (l->line)
        t->line = old->line;
    for (unsigned i = 0; i < TTY_NCCS; i++)
        if (l->cc[i])
            t->cc[i] = old->cc[i];
}

static s64 lock_termios(struct tty *tty, u64 arg)
{
    struct termios_k l = {0};
    if (!capable(CAP_SYS_ADMIN_TTY))
        return -EPERM;
    if (copy_from_user(&l, arg, TERMIOS_SIZE))
        return -EFAULT;
    mutex_lock(&tty->cfg_lock);
    tty->locked = l;
    mutex_unlock(&tty->cfg_lock);
    return 0;
}

static s64 soft_carrier(struct tty *tty, u32 cmd, u64 arg)
{
    u32 v = tty->termios.cflag & CLOCAL ? 1 : 0;
    if (cmd == TIOCGSOFTCAR)
        return put_user(v, arg);
    if (get_user(v, arg))
        return -EFAULT;
    struct termios_k t = tty->termios;
    t.cflag = (t.cflag & ~CLOCAL) | (v ? CLOCAL : 0);
    apply(tty, &t);
    return 0;
}

static s64 set_termios(struct tty *tty, u32 size, enum set_when when, u64 arg)
{
    struct termios_k t = tty->termios;
    if (size == sizeof(struct termio_k)) {
        struct termio_k s;
        if (copy_from_user(&s, arg, sizeof(s)))
            return -EFAULT;
        t.iflag = (t.iflag & 0xffff0000) | s.iflag;
        t.oflag = (t.oflag & 0xffff0000) | s.oflag;
        t.cflag = (t.cflag & 0xffff0000) | s.cflag;
        t.lflag = (t.lflag & 0xffff0000) | s.lflag;
        t.line = s.line;
        memcpy(t.cc, s.cc, sizeof(s.cc));
    } else if (copy_from_user(&t, arg, size)) {
        return -EFAULT;
    }
    if (size != sizeof(t) || (t.cflag & CBAUD) != BOTHER)
        t.ispeed = t.ospeed = cflag_speed(t.cflag);
    apply_locks(tty, &t);
    if (when != SET_NOW) {
        int err = tty_drain(tty);
        if (err)
            return err;
    }
    if (when == SET_FLUSH)
        tty_flush_input(tty);
    apply(tty, &t);
    return 0;
}

static s64 termios_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
    switch (cmd) {
    case TCGETS:
    case TCGETS2:
    case TCGETA:
        return get_termios(tty, cmd, arg);
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
        return set_termios(tty, sizeof(struct termio_k), cmd - TCSETA, arg);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_termios(tty, TERMIOS_SIZE, cmd - TCSETS, arg);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return set_termios(tty, sizeof(struct termios_k), cmd - TCSETS2, arg);
    case TIOCGLCKTRMIOS:
        return copy_to_user(arg, &tty->locked, TERMIOS_SIZE) ? -EFAULT : 0;
    case TIOCSLCKTRMIOS:
        return lock_termios(tty, arg);
    case TIOCGSOFTCAR:
    case TIOCSSOFTCAR:
        return soft_carrier(tty, cmd, arg);
    default:
        return -ENOIOCTLCMD;
    }
}

static s64 set_winsize(struct tty *tty, u64 arg)
{
    struct winsize_k w;
    if (copy_from_user(&w, arg, sizeof(w)))
        return -EFAULT;
    mutex_lock(&tty->cfg_lock);
    bool changed = memcmp(&w, &tty->winsize, sizeof(w)) != 0;
    tty->winsize = w;
    mutex_unlock(&tty->cfg_lock);
    if (changed)
        tty_signal_fg(tty, SIGWINCH);
    return 0;
}

static s64 flush(struct tty *tty, u64 what)
{
    if (what > 2)
        return -EINVAL;
    if (what != 1)
        tty_flush_input(tty);
    if (what != 0) {
        spin_lock(&tty->out_lock);
        if (tty->driver->flush_output)
            tty->driver->flush_output(tty);
        spin_unlock(&tty->out_lock);
        waitq_wake_all(&tty->write_wait);
    }
    return 0;
}

static s64 flow(struct tty *tty, u64 what)
{
    u8 c;
    switch (what) {
    case 0: /* TCOOFF */
        tty_stop(tty);
        return 0;
    case 1: /* TCOON */
        tty_start(tty);
        return 0;
    case 2: /* TCIOFF, TCION: tell the other side */
    case 3:
        c = tty->termios.cc[what == 2 ? VSTOP : VSTART];
        spin_lock(&tty->out_lock);
        if (c)
            tty->driver->write(tty, &c, 1);
        spin_unlock(&tty->out_lock);
        return 0;
    default:
        return -EINVAL;
    }
}

static s64 send_break(struct tty *tty, u32 cmd, u64 arg)
{
    int err = tty_drain(tty);
    if (err || (cmd == TCSBRK && arg) || !tty->driver->send_break)
        return err;
    struct waitq never;
    waitq_init(&never);
    tty->driver->send_break(tty, true);
    s64 res = waitq_wait_timeout(
        &never, false, clock_ns() + (cmd == TCSBRKP && arg ? arg * 100000000UL : 250000000UL));
    tty->driver->send_break(tty, false);
    return res < 0 ? -EINTR : 0;
}

static s64 misc_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
    u32 v;
    switch (cmd) {
    case TIOCGWINSZ:
        return copy_to_user(arg, &tty->winsize, sizeof(tty->winsize)) ? -EFAULT : 0;
    case TIOCSWINSZ:
        return set_winsize(tty, arg);
    case TIOCEXCL:
    case TIOCNXCL:
        tty->exclusive = cmd == TIOCEXCL;
        return 0;
    case TIOCGEXCL:
        v = tty->exclusive;
        return put_user(v, arg);
    case TIOCGDEV:
        v = (u32)dev_user(dev_make(tty->major, tty->minor));
        return put_user(v, arg);
    case TIOCGETD:
        v = 0; /* N_TTY */
        return put_user(v, arg);
    case TIOCSETD:
        return get_user(v, arg) ? -EFAULT : v == 0 ? 0 : -EINVAL;
    case TIOCOUTQ:
        v = tty->driver->pending ? (u32)tty->driver->pending(tty) : 0;
        return put_user(v, arg);
    case TCXONC:
        return flow(tty, arg);
    case TCFLSH:
        return flush(tty, arg);
    case TCSBRK:
    case TCSBRKP:
        return send_break(tty, cmd, arg);
    case TIOCSBRK:
    case TIOCCBRK:
        if (tty->driver->send_break)
            tty->driver->send_break(tty, cmd == TIOCSBRK);
        return 0;
    case TIOCMGET:
        if (!tty->driver->modem)
            return -ENOTTY;
        v = tty->driver->modem(tty);
        return put_user(v, arg);
    case TIOCSTI:
        return -EIO; /* as with CONFIG_LEGACY_TIOCSTI off */
    default:
        return tty->driver->ioctl ? tty->driver->ioctl(tty, cmd, arg) : -ENOIOCTLCMD;
    }
}

s64 tty_common_ioctl(struct tty *tty, u32 cmd, u64 arg, bool master)
{
    if (!master && is_change(cmd)) {
        int err = tty_check_change(tty, SIGTTOU);
        if (err)
            return err;
    }
    s64 res = termios_ioctl(tty, cmd, arg);
    return res != -ENOIOCTLCMD ? res : misc_ioctl(tty, cmd, arg);
}

s64 tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct tty_file *tf = f->priv;
    struct tty *tty = tf->tty;
    if (tty_file_hung(tf))
        return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
    if (cmd == FIONREAD) {
        s32 n = (s32)tty_input_bytes(tty);
        return put_user(n, arg);
    }
    if (cmd == TIOCVHANGUP) {
        if (!capable(CAP_SYS_ADMIN_TTY))
            return -EPERM;
        tty_hangup(tty);
        return 0;
    }
    s64 res = tty_session_ioctl(tty, f, cmd, arg, false);
    return res != -ENOIOCTLCMD ? res : tty_common_ioctl(tty, cmd, arg, false);
}
