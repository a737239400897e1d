/* SPDX-License-Identifier: MIT */
/* Who am I: process numbers, groups, sessions. */
#include "proc.h"
#include <kernel/syscall.h>

SYSCALL(getpid)
{
    return current_process()->pid;
}
SYSCALL(gettid)
{
    return current_task()->tid;
}
SYSCALL(getppid)
{
    struct process *parent = READ_ONCE(current_process()->parent);
    return parent ? parent->pid : 0;
}
SYSCALL(getpgrp)
{
    return current_process()->pgid;
}

static s64 id_of(s32 pid, bool session)
{
    if (pid == 0)
        return session ? current_process()->sid : current_process()->pgid;
    struct process *p = process_find(pid);
    if (!p)
        return -ESRCH;
    s64 id = session ? p->sid : p->pgid;
    process_put(p);
    return id;
}
SYSCALL(getpgid)
{
    return id_of((s32)a0, false);
}
SYSCALL(getsid)
{
    return id_of((s32)a0, true);
}

static s64 setpgid_locked(s32 pid, s32 pgid, struct pgrp **fresh)
{
    struct process *cur = current_process(), *p = pid_process_locked(pid);
    if (!p)
        return -ESRCH;
    if (p != cur) {
        if (p->parent != cur)
            return -ESRCH;
        if (p->sid != cur->sid)
            return -EPERM;
        if (p->did_exec)
            return -EACCES;
    }
    if (p->pid == p->sid)
        return -EPERM; /* a session leader */
    if (pgid != pid) {
        struct pgrp *g = pgrp_find_locked(pgid);
        if (!g || g->sid != cur->sid)
            return -EPERM;
    }
    if (p->pgid == pgid)
        return 0;
    s32 sid = p->sid;
    pgrp_leave_locked(p);
    pgrp_join_locked(p, pgid, sid, fresh);
    return 0;
}

SYSCALL(setpgid)
{
    s32 pid = (s32)a0 ? (s32)a0 : current_process()->pid;
    s32 pgid = (s32)a1 ? (s32)a1 : pid;
    if (pgid < 0)
        return -EINVAL;
    struct pgrp *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
    if (!fresh)
        return -ENOMEM;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    s64 err = setpgid_locked(pid, pgid, &fresh);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    kfree(fresh);
    return err;
}

SYSCALL(setsid)
{
    struct process *p = current_process();
    struct pgrp *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
    s64 ret = p->pid;
    if (!fresh)
        return -ENOMEM;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    if (p->sid == p->pid || pgrp_find_locked(p->pid)) {
        ret = -EPERM;
    } else {
        pgrp_leave_locked(p);
        pgrp_join_locked(p, p->pid, p->pid, &fresh);
        p->tty = NULL;
    }
    spin_unlock_irqrestore(&tasklist_lock, flags);
    kfree(fresh);
    return ret;
}
