/* SPDX-License-Identifier: MIT */
/* The system calls of signals. */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <port/clock.h>
#include <port/uaccess.h>

#define UNBLOCKABLE (sig_bit(SIGKILL) | sig_bit(SIGSTOP))

SYSCALL(rt_sigaction)
{
    int sig = (int)a0;
    struct task *t = current_task();
    struct process *p = t->process;
    struct sigaction_k new, old;
    if (a3 != 8)
        return -EINVAL;
    if (a1 && copy_from_user(&new, a1, sizeof(new)))
        return -EFAULT;
    if (sig < 1 || sig > NSIG || (a1 && (UNBLOCKABLE & sig_bit(sig))))
        return -EINVAL;
    u64 flags = spin_lock_irqsave(&p->lock);
    struct sighand *s = t->sighand;
    old = s->action[sig - 1];
    if (a1) {
        new.mask &= ~UNBLOCKABLE;
        new.flags &= SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK |
                     SA_RESTART | SA_NODEFER | SA_RESETHAND;
        s->action[sig - 1] = new;
        bool ign = new.handler == SIG_IGN || (new.handler == SIG_DFL &&sig_is_ignored_default(sig));
        u64 bit = sig_bit(sig);
        s->ignored = ign ? s->ignored | bit : s->ignored & ~bit;
        s->caught = new.handler > SIG_IGN ? s->caught | bit : s->caught & ~bit;
        if (ign) {
            struct task *o;
            signal_flush_pending(&p->signal.pending, bit);
            list_for_each_entry (o, &p->threads, thread_link)
                signal_flush_pending(&o->signal.pending, bit);
        }
    }
    spin_unlock_irqrestore(&p->lock, flags);
    return a2 && copy_to_user(a2, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(rt_sigprocmask)
{
    struct task *t = current_task();
    u64 set, old = t->signal.blocked;
    if (a3 != 8)
        return -EINVAL;
    if (a1) {
        if (get_user(set, a1))
            return -EFAULT;
        u64 next = a0 == 0 ? old | set : a0 == 1 ? old & ~set : set;
        if (a0 > 2)
            return -EINVAL;
        if ((next & ~UNBLOCKABLE) != old)
            signal_set_blocked(next);
    }
    return a2 ? put_user(old, a2) : 0;
}

SYSCALL(rt_sigpending)
{
    struct task *t = current_task();
    if (a1 > 8)
        return -EINVAL;
    u64 set = (t->signal.pending.set | t->process->signal.pending.set) & t->signal.blocked;
    return copy_to_user(a0, &set, a1) ? -EFAULT : 0;
}

int signal_set_user_mask(u64 user_mask, u64 size)
{
    struct task *t = current_task();
    u64 set;
    if (!user_mask)
        return 0;
    if (size != 8)
        return -EINVAL;
    if (get_user(set, user_mask))
        return -EFAULT;
    t->signal.saved_mask = t->signal.blocked;
    t->signal.restore_saved = true;
    signal_set_blocked(set);
    return 0;
}

void signal_restore_user_mask(bool interrupted)
{
    struct task *t = current_task();
    if (!t->signal.restore_saved)
        return;
    if (interrupted) { /* signal_deliver() does it, also when somebody else took the signal */
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
        return;
    }
    t->signal.restore_saved = false;
    signal_set_blocked(t->signal.saved_mask);
}

static s64 wait_for_signal(void)
{
    while (!signal_pending()) {
        sched_prepare(SCHED_INTERRUPTIBLE);
        if (!signal_pending())
            sched_block();
        sched_cancel();
    }
    return -ERESTARTNOHAND;
}

SYSCALL(rt_sigsuspend)
{
    if (!a0)
        return -EFAULT;
    int err = signal_set_user_mask(a0, a1);
    return err ? err : wait_for_signal();
}

SYSCALL(pause)
{
    return wait_for_signal();
}

SYSCALL(rt_sigtimedwait)
{
    struct task *t = current_task();
    struct process *p = t->process;
    struct siginfo_k info;
    u64 set, deadline = U64_MAX;
    if (a3 != 8)
        return -EINVAL;
    if (get_user(set, a0))
        return -EFAULT;
    int err = timeout_from_user(a2, &deadline);
    if (err)
        return err;
    set &= ~UNBLOCKABLE;
    int sig = signal_dequeue(set, &info);
    if (!sig && deadline > clock_ns()) {
        u64 flags = spin_lock_irqsave(&p->lock);
        t->signal.wait_set = set & t->signal.blocked;
        u64 blocked = t->signal.blocked;
        t->signal.blocked &= ~set;
        signal_recalc();
        spin_unlock_irqrestore(&p->lock, flags);
        bool timed_out = false;
        while (!signal_pending() && !timed_out) {
            sched_prepare(SCHED_INTERRUPTIBLE);
            if (!signal_pending())
                timed_out = sched_block_until(deadline);
            sched_cancel();
        }
        flags = spin_lock_irqsave(&p->lock);
        t->signal.blocked = blocked;
        t->signal.wait_set = 0;
        sig = signal_dequeue_locked(set, &info);
        signal_recalc();
        spin_unlock_irqrestore(&p->lock, flags);
        if (!sig)
            return timed_out ? -EAGAIN : -EINTR;
    }
    if (!sig)
        return -EAGAIN;
    return a1 && copy_to_user(a1, &info, sizeof(info)) ? -EFAULT : sig;
}

/* ---- sending ---- */

static struct siginfo_k user_info(int sig, int code)
{
    struct siginfo_k info = {.signo = sig, .code = code};
    info.kill.pid = current_process()->pid;
    info.kill.uid = current_task()->cred->uid;
    return info;
}

static int send_checked(struct process *p, struct task *t, int sig, const struct siginfo_k *info)
{
    int err = signal_check_perm(p, sig);
    if (err || sig == 0)
        return err;
    return signal_send_info(p, t, sig, info);
}

struct kill_many {
    int sig, err;
    bool any;
    s32 pgid; /* -1: everyone but us and init */
};
static int kill_one(void *ctx, struct process *p)
{
    struct kill_many *k = ctx;
    if (p->state != PROCESS_ALIVE && k->pgid < 0)
        return 0;
    if (k->pgid >= 0 ? p->pgid != k->pgid : p->pid == 1 || p == current_process())
        return 0;
    struct siginfo_k info = user_info(k->sig, SI_USER);
    int err = send_checked(p, NULL, k->sig, &info);
    if (!err)
        k->any = true;
    else
        k->err = err;
    return 0;
}

SYSCALL(kill)
{
    s32 pid = (s32)a0;
    int sig = (int)a1;
    if (sig < 0 || sig > NSIG)
        return -EINVAL;
    if (pid > 0) {
        struct process *p = process_find(pid);
        if (!p)
            return -ESRCH;
        struct siginfo_k info = user_info(sig, SI_USER);
        int err = send_checked(p, NULL, sig, &info);
        process_put(p);
        return err;
    }
    if (pid == -2147483647 - 1)
        return -ESRCH;
    struct kill_many k = {.sig = sig,
                          .err = -ESRCH,
                          .pgid = pid == 0    ? current_process()->pgid
                                  : pid == -1 ? -1
                                              : -pid};
    process_for_each(kill_one, &k);
    return k.any ? 0 : k.err;
}

static s64 do_tkill(s32 tgid, s32 tid, int sig, struct siginfo_k *given)
{
    if (tid <= 0 || sig < 0 || sig > NSIG)
        return -EINVAL;
    struct task *t = task_find(tid);
    if (!t)
        return -ESRCH;
    s64 err = -ESRCH;
    if (!tgid || t->process->pid == tgid) {
        struct siginfo_k info = given ? *given : user_info(sig, SI_TKILL);
        err = send_checked(t->process, t, sig, &info);
    }
    task_put(t);
    return err;
}

SYSCALL(tkill)
{
    return do_tkill(0, (s32)a0, (int)a1, NULL);
}

SYSCALL(tgkill)
{
    if ((s32)a0 <= 0)
        return -EINVAL;
    return do_tkill((s32)a0, (s32)a1, (int)a2, NULL);
}

static int info_from_user(u64 addr, int sig, s32 target, struct siginfo_k *info)
{
    if (copy_from_user(info, addr, sizeof(*info)))
        return -EFAULT;
    info->signo = sig;
    if ((info->code >= 0 || info->code == SI_TKILL) && target != current_process()->pid)
        return -EPERM;
    return 0;
}

SYSCALL(rt_sigqueueinfo)
{
    struct siginfo_k info;
    int sig = (int)a1;
    int err = info_from_user(a2, sig, (s32)a0, &info);
    if (err)
        return err;
    if (sig < 0 || sig > NSIG)
        return -EINVAL;
    struct process *p = process_find((s32)a0);
    if (!p)
        return -ESRCH;
    err = send_checked(p, NULL, sig, &info);
    process_put(p);
    return err;
}

SYSCALL(rt_tgsigqueueinfo)
{
    struct siginfo_k info;
    if ((s32)a0 <= 0 || (s32)a1 <= 0)
        return -EINVAL;
    int err = info_from_user(a3, (int)a2, (s32)a0, &info);
    return err ? err : do_tkill((s32)a0, (s32)a1, (int)a2, &info);
}
