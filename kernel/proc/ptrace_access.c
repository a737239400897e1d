/* SPDX-License-Identifier: MIT */
/*
 * Who may look into whom: ptrace, process_vm_readv, most of /proc/PID.
 *
 *   same process ─► yes
 *   all ids of the target are the caller's, or CAP_SYS_PTRACE     (FSCREDS: the ids that files are accessed with)
 *   the target is dumpable, or CAP_SYS_PTRACE
 *   the caller has every capability the target has, or CAP_SYS_PTRACE
 *   ATTACH: what Yama's ptrace_scope allows: 0 all, 1 descendants and who was named by PR_SET_PTRACER, 2 CAP_SYS_PTRACE, 3 none
 */
#include "proc.h"
#include <kernel/ptrace.h>

#define CAP_SYS_PTRACE 19
enum { SCOPE_ANY, SCOPE_RELATIVES, SCOPE_CAPABLE, SCOPE_NONE };
u64 sysctl_yama_ptrace_scope;

static bool has_cap(const struct cred *c)
{
    return c->cap_effective >> CAP_SYS_PTRACE & 1;
}

/* Does p descend from a? tasklist_lock held. */
static bool descends(const struct process *p, const struct process *a)
{
    for (; p && p != a; p = p->parent)
        ;
    return p;
}

/* tasklist_lock held. */
static int yama_attach(struct task *t)
{
    const struct process *p = t->process, *me = current_process();
    switch (sysctl_yama_ptrace_scope) {
    case SCOPE_ANY:
        return 0;
    case SCOPE_RELATIVES:
        if (descends(p, me) || p->yama_tracer == -1 || has_cap(current_task()->cred))
            return 0;
        if (p->yama_tracer > 0 && descends(me, pid_process_locked(p->yama_tracer)))
            return 0;
        return -EPERM;
    case SCOPE_CAPABLE:
        return has_cap(current_task()->cred) ? 0 : -EPERM;
    default:
        return -EPERM;
    }
}

int ptrace_may_access(struct task *t, u32 mode)
{
    const struct task *me = current_task();
    const struct cred *mine = me->cred;
    if (t->process == me->process)
        return 0;
    u32 uid = mode & PTRACE_MODE_FSCREDS ? mine->fsuid : mine->uid;
    u32 gid = mode & PTRACE_MODE_FSCREDS ? mine->fsgid : mine->gid;
    u64 caps = mode & PTRACE_MODE_FSCREDS ? mine->cap_effective : mine->cap_permitted;
    u64 flags = spin_lock_irqsave(&tasklist_lock); /* holds what yama_attach() reads */
    rcu_read_lock();
    const struct cred *c = READ_ONCE(t->cred);
    bool same = uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid && gid == c->sgid && gid == c->gid;
    int err = (same && t->process->dumpable == 1 && !(c->cap_permitted & ~caps)) || has_cap(mine) ? 0 : -EPERM;
    rcu_read_unlock();
    if (!err && mode & PTRACE_MODE_ATTACH)
        err = yama_attach(t);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return err;
}

int ptrace_may_access_process(struct process *p, u32 mode)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct task *t = p->leader ? task_get(p->leader) : NULL;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    if (!t)
        return -ESRCH;
    int err = ptrace_may_access(t, mode);
    task_put(t);
    return err;
}

int ptrace_may_be_traced_by(const struct task *tracer)
{
    const struct cred *c = tracer->cred;
    if ((current_task()->cred->cap_permitted & ~c->cap_permitted) && !has_cap(c))
        return -EPERM;
    if (sysctl_yama_ptrace_scope == SCOPE_NONE || (sysctl_yama_ptrace_scope == SCOPE_CAPABLE && !has_cap(c)))
        return -EPERM;
    return 0;
}

s64 prctl_set_ptracer(u64 pid)
{
    struct process *p = current_process();
    s64 err = 0;
    if (pid == 0 || (s32)pid == -1) {
        p->yama_tracer = (s32)pid;
        return 0;
    }
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct task *t = (s32)pid > 0 ? pid_task_locked((s32)pid) : NULL;
    if (t)
        p->yama_tracer = t->process->pid;
    else
        err = -EINVAL;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return err;
}

bool ptrace_exec_limits(void)
{
    struct task *t = current_task();
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    bool weak = t->trace.tracer && !has_cap(t->trace.tracer->cred);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return weak;
}
