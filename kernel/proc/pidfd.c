/* SPDX-License-Identifier: MIT */
/* Descriptors of processes: pidfd_open, pidfd_send_signal, pidfd_getfd's refusal; polling tells the end. */
#include "proc.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define PIDFD_NONBLOCK 04000u

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
    struct process *p = f->priv;
    poll_wait(pt, &p->signal.signalfd_wait);
    return READ_ONCE(p->state) != PROCESS_ALIVE ? 1 /* EPOLLIN */ : 0;
}

static void pidfd_release(struct file *f)
{
    process_put(f->priv);
}

static const struct file_ops pidfd_ops = {.poll = pidfd_poll, .release = pidfd_release};

static int install(struct process *p, u32 flags)
{
    struct file *f = file_anon("anon_inode:[pidfd]", &pidfd_ops, process_get(p), 2u | flags);
    if (IS_ERR(f)) {
        process_put(p);
        return (int)PTR_ERR(f);
    }
    int fd = fd_alloc(f, 1 /* FD_CLOEXEC */, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

int pidfd_install(struct process *p)
{
    return install(p, 0);
}

s32 pidfd_pid(int fd)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    s32 pid = f->ops == &pidfd_ops ? ((struct process *)f->priv)->pid : -EBADF;
    file_put(f);
    return pid;
}

struct process *pidfd_process(int fd, int *err)
{
    struct process *p = NULL;
    struct file *f = fd_get(fd);
    *err = -EBADF;
    if (f && f->ops == &pidfd_ops) {
        p = f->priv;
        *err = READ_ONCE(p->state) == PROCESS_REAPED ? -ESRCH : 0;
        p = *err ? NULL : process_get(p);
    }
    if (f)
        file_put(f);
    return p;
}

SYSCALL(pidfd_open)
{
    if (a1 & ~(u64)PIDFD_NONBLOCK)
        return -EINVAL;
    if ((s32)a0 <= 0)
        return -EINVAL;
    struct process *p = process_find((s32)a0);
    if (!p) {
        struct task *t = task_find((s32)a0);
        if (t)
            task_put(t);
        return t ? -EINVAL : -ESRCH;
    }
    int fd = install(p, (u32)a1);
    process_put(p);
    return fd;
}

SYSCALL(pidfd_send_signal)
{
    int sig = (int)a1;
    struct siginfo_k info = {.signo = sig, .code = SI_USER};
    if (a3 || sig < 0 || sig > NSIG)
        return -EINVAL;
    struct file *f = fd_get((int)a0);
    if (!f)
        return -EBADF;
    s64 err = -EBADF;
    if (f->ops == &pidfd_ops) {
        struct process *p = f->priv;
        info.kill.pid = current_process()->pid;
        info.kill.uid = current_task()->cred->uid;
        err = 0;
        if (a2 && copy_from_user(&info, a2, sizeof(info)))
            err = -EFAULT;
        else if (a2 && (info.signo != sig ||
                        ((info.code >= 0 || info.code == SI_TKILL) && p != current_process())))
            err = info.signo != sig ? -EINVAL : -EPERM;
        else if (p->state == PROCESS_REAPED)
            err = -ESRCH;
        else
            err = signal_check_perm(p, sig);
        if (!err && sig)
            err = signal_send_info(p, NULL, sig, &info);
    }
    file_put(f);
    return err;
}
