/* SPDX-License-Identifier: MIT */
/*
 * Sessions and job control: whose terminal it is, which group is in front, and what happens to the others.
 *
 *   tty->session = sid of the session that has it;  tty->pgrp = its foreground group, which gets ^C, ^\, ^Z, SIGWINCH
 *   background read -> SIGTTIN; background change (or write with TOSTOP) -> SIGTTOU; ignored, blocked or orphaned: -EIO or allowed
 *
 * process->tty only says TTY_GIVEN_UP or nothing: the rest follows from the session number (T1, T2 in kernel/tty.h).
 */
#include "tty_impl.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>

static struct tty *session_tty_locked(s32 sid)
{
    struct tty *t;
    if (!sid)
        return NULL;
    list_for_each_entry (t, &tty_list, all_link)
        if (t->session == sid)
            return t;
    return NULL;
}

struct tty *tty_of_process(const struct process *p)
{
    if (READ_ONCE(p->tty) == TTY_GIVEN_UP)
        return NULL;
    spin_lock(&tty_ctrl_lock);
    struct tty *t = session_tty_locked(p->sid);
    spin_unlock(&tty_ctrl_lock);
    return t;
}

bool tty_is_mine(const struct tty *tty)
{
    struct process *p = current_process();
    return READ_ONCE(tty->session) == p->sid && p->sid && READ_ONCE(p->tty) != TTY_GIVEN_UP;
}

u64 tty_stat_numbers(const struct process *p, s32 *tpgid)
{
    struct tty *t = tty_of_process(p);
    *tpgid = t ? READ_ONCE(t->pgrp) : -1;
    return t ? dev_make(t->major, t->minor) : 0;
}

void tty_signal_fg(struct tty *tty, int sig)
{
    s32 pgrp = READ_ONCE(tty->pgrp);
    if (pgrp)
        signal_send_pgrp(pgrp, sig);
}

int tty_check_change(struct tty *tty, int sig)
{
    struct process *p = current_process();
    if (!tty_is_mine(tty))
        return 0;
    s32 front = READ_ONCE(tty->pgrp), pgid = READ_ONCE(p->pgid);
    if (!front || pgid == front)
        return 0;
    struct task *t = current_task();
    bool ignored = (t->signal.blocked & sig_bit(sig)) ||
                   READ_ONCE(t->sighand->action[sig - 1].handler) == SIG_IGN;
    if (ignored)
        return sig == SIGTTIN ? -EIO : 0;
    if (pgrp_is_orphaned(pgid))
        return -EIO;
    signal_send_pgrp(pgid, sig);
    return -ERESTARTSYS;
}

/* A session leader without a terminal opens one that nobody has. */
void tty_open_ctty(struct tty *tty, struct file *f)
{
    struct process *p = current_process();
    if (p->pid != p->sid)
        return;
    spin_lock(&tty_ctrl_lock);
    if (!tty->session && !session_tty_locked(p->sid)) {
        tty->session = p->sid;
        tty->pgrp = p->pgid;
        WRITE_ONCE(p->tty, NULL);
    }
    spin_unlock(&tty_ctrl_lock);
}

static s64 set_ctty(struct tty *tty, struct file *f, u64 force)
{
    struct process *p = current_process();
    spin_lock(&tty_ctrl_lock);
    struct tty *mine = session_tty_locked(p->sid);
    s64 err = 0;
    if (p->pid == p->sid && tty->session == p->sid)
        goto out;
    err = -EPERM;
    if (p->pid != p->sid || mine)
        goto out;
    if (tty->session && !(force == 1 && capable(CAP_SYS_ADMIN_TTY)))
        goto out;
    if (!(f->mode & FMODE_READ) && !capable(CAP_SYS_ADMIN_TTY))
        goto out;
    tty->session = p->sid;
    tty->pgrp = p->pgid;
    WRITE_ONCE(p->tty, NULL);
    err = 0;
out:
    spin_unlock(&tty_ctrl_lock);
    return err;
}

/* The session of the current process, or of a leader that ends, loses its terminal. */
static void leave_session(struct process *p, bool exiting)
{
    spin_lock(&tty_ctrl_lock);
    struct tty *t = session_tty_locked(p->sid);
    s32 pgrp = t ? t->pgrp : 0;
    bool pty = t && t->pty;
    if (t && !(exiting && !pty)) /* tty_hangup() does it otherwise */
        t->session = t->pgrp = 0;
    spin_unlock(&tty_ctrl_lock);
    if (!t)
        return;
    if (exiting && !pty) {
        tty_hangup(t);
        return;
    }
    if (pgrp) {
        signal_send_pgrp(pgrp, SIGHUP);
        signal_send_pgrp(pgrp, SIGCONT);
    }
}

void tty_session_exit(struct process *p)
{
    leave_session(p, true);
}

static s64 give_up(struct tty *tty)
{
    struct process *p = current_process();
    if (!tty_is_mine(tty))
        return -ENOTTY;
    if (p->pid == p->sid)
        leave_session(p, false);
    else
        WRITE_ONCE(p->tty, TTY_GIVEN_UP);
    return 0;
}

static s64 set_pgrp(struct tty *tty, u64 arg)
{
    s32 pgid;
    int err = tty_check_change(tty, SIGTTOU);
    if (err)
        return err == -EIO ? -ENOTTY : err;
    if (!tty_is_mine(tty))
        return -ENOTTY;
    if (get_user(pgid, arg))
        return -EFAULT;
    if (pgid < 0)
        return -EINVAL;
    s32 sid = pgrp_session(pgid);
    if (sid < 0)
        return -ESRCH;
    if (sid != current_process()->sid)
        return -EPERM;
    spin_lock(&tty_ctrl_lock);
    tty->pgrp = pgid;
    spin_unlock(&tty_ctrl_lock);
    return 0;
}

/* tty: the slave side of a pty. */
s64 tty_session_ioctl(struct tty *tty, struct file *f, u32 cmd, u64 arg, bool master)
{
    s32 id;
    switch (cmd) {
    case TIOCSCTTY:
        return set_ctty(tty, f, arg);
    case TIOCNOTTY:
        return give_up(tty);
    case TIOCSPGRP:
        return set_pgrp(tty, arg);
    case TIOCGPGRP:
        if (!master && !tty_is_mine(tty))
            return -ENOTTY;
        id = READ_ONCE(tty->pgrp);
        return put_user(id, arg);
    case TIOCGSID:
        if (!master && !tty_is_mine(tty))
            return -ENOTTY;
        id = READ_ONCE(tty->session);
        return id ? put_user(id, arg) : -ENOTTY;
    default:
        return -ENOIOCTLCMD;
    }
}

SYSCALL(vhangup)
{
    if (!capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    struct tty *t = tty_of_process(current_process());
    if (t)
        tty_hangup(t);
    return 0;
}
