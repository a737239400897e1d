/* SPDX-License-Identifier: MIT */
/* Resource limits, priorities, scheduling parameters and affinity. */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/uaccess.h>

#define INF (~0UL)

/* Linux's initial limits of the first process; NPROC and SIGPENDING depend on memory. */
void rlimits_init(struct rlimit64 *r, u64 max_threads)
{
    for (int i = 0; i < NR_RLIMITS; i++)
        r[i] = (struct rlimit64){INF, INF};
    r[RLIMIT_STACK].cur = 8UL << 20;
    r[RLIMIT_CORE].cur = 0;
    r[RLIMIT_NPROC] = (struct rlimit64){max_threads / 2, max_threads / 2};
    r[RLIMIT_NOFILE] = (struct rlimit64){1024, 4096};
    r[RLIMIT_MEMLOCK] = (struct rlimit64){8UL << 20, 8UL << 20};
    r[RLIMIT_SIGPENDING] = (struct rlimit64){max_threads / 2, max_threads / 2};
    r[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
    r[RLIMIT_NICE] = r[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

static s64 do_prlimit(struct process *p, u64 which, const struct rlimit64 *new,
                      struct rlimit64 *old)
{
    if (which >= NR_RLIMITS)
        return -EINVAL;
    if (new &&new->cur > new->max)
        return -EINVAL;
    if (new &&which == RLIMIT_NOFILE &&new->max > 1048576)
        return -EPERM;
    s64 err = 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    *old = p->rlim[which];
    if (new &&new->max > old->max && !capable(24 /* CAP_SYS_RESOURCE */))
        err = -EPERM;
    else if (new)
        p->rlim[which] = *new;
    spin_unlock_irqrestore(&p->lock, flags);
    return err;
}

SYSCALL(prlimit64)
{
    struct rlimit64 new, old;
    if (a2 && copy_from_user(&new, a2, sizeof(new)))
        return -EFAULT;
    struct process *p = (s32)a0 ? process_find((s32)a0) : process_get(current_process());
    if (!p)
        return -ESRCH;
    s64 err = p != current_process() ? signal_check_perm(p, 0) : 0;
    if (!err)
        err = do_prlimit(p, (u32)a1, a2 ? &new : NULL, &old);
    process_put(p);
    if (err)
        return err;
    return a3 && copy_to_user(a3, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(getrlimit)
{
    struct rlimit64 old;
    s64 err = do_prlimit(current_process(), (u32)a0, NULL, &old);
    return err ? err : copy_to_user(a1, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(setrlimit)
{
    struct rlimit64 new, old;
    if (copy_from_user(&new, a1, sizeof(new)))
        return -EFAULT;
    return do_prlimit(current_process(), (u32)a0, &new, &old);
}

/* ---- priorities ---- */

struct prio_query {
    int which;
    s32 who;
    int nice;
    bool set, found;
    int best; /* lowest nice found */
    s64 err;
};

static int prio_one(void *ctx, struct process *p)
{
    struct prio_query *q = ctx;
    struct task *t;
    u32 uid = p->leader ? p->leader->cred->uid : 0;
    if (p->state != PROCESS_ALIVE)
        return 0;
    if (q->which == 1 ? p->pgid != q->who : q->which == 2 && uid != (u32)q->who)
        return 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    list_for_each_entry (t, &p->threads, thread_link) {
        q->found = true;
        if (q->best > t->thread.nice)
            q->best = t->thread.nice;
        if (q->set)
            sched_set_nice(t, q->nice);
    }
    spin_unlock_irqrestore(&p->lock, flags);
    return 0;
}

static s64 prio(struct prio_query *q)
{
    if (q->which < 0 || q->which > 2)
        return -EINVAL;
    q->best = 20;
    if (q->which == 0) {
        struct task *t = q->who ? task_find(q->who) : task_get(current_task());
        if (!t)
            return -ESRCH;
        s64 err = 0;
        const struct cred *c = current_task()->cred;
        if (q->set && c->euid != t->cred->uid && c->euid != t->cred->euid && !capable(23))
            err = -EPERM;
        else if (q->set && q->nice < t->thread.nice && !capable(23) &&
                 20 - q->nice > (s64)t->process->rlim[RLIMIT_NICE].cur)
            err = -EACCES;
        else if (q->set)
            sched_set_nice(t, q->nice);
        q->best = t->thread.nice;
        task_put(t);
        return err;
    }
    if (q->who == 0)
        q->who = q->which == 1 ? current_process()->pgid : (s32)current_task()->cred->uid;
    process_for_each(prio_one, q);
    return q->found ? 0 : -ESRCH;
}

SYSCALL(getpriority)
{
    struct prio_query q = {.which = (int)a0, .who = (s32)a1};
    s64 err = prio(&q);
    return err ? err : 20 - q.best;
}

SYSCALL(setpriority)
{
    int nice = (int)a2;
    struct prio_query q = {.which = (int)a0,
                           .who = (s32)a1,
                           .set = true,
                           .nice = nice < -20  ? -20
                                   : nice > 19 ? 19
                                               : nice};
    return prio(&q);
}

/* ---- sched_* ---- */

static struct task *target(u64 pid)
{
    return (s32)pid < 0 ? NULL : (s32)pid ? task_find((s32)pid) : task_get(current_task());
}

SYSCALL(sched_yield)
{
    sched_yield_cpu();
    return 0;
}

SYSCALL(sched_setaffinity)
{
    u64 bits = 0;
    struct task *t = target(a0);
    if (!t)
        return -ESRCH;
    s64 err = copy_from_user(&bits, a2, min(a1, 8UL)) ? -EFAULT
                                                      : sched_set_affinity(t, (cpumask_t){bits});
    task_put(t);
    return err;
}

SYSCALL(sched_getaffinity)
{
    struct task *t = target(a0);
    if (!t)
        return -ESRCH;
    u64 bits = cpumask_and(t->thread.affinity, cpu_online_mask()).bits;
    task_put(t);
    if (a1 < 8 || (a1 & 7))
        return -EINVAL;
    return put_user(bits, a2) ? -EFAULT : 8;
}

static s64 set_policy(u64 pid, int policy, u64 uparam)
{
    u32 prio = 0;
    if ((s32)pid < 0 || !uparam)
        return -EINVAL;
    if (get_user(prio, uparam))
        return -EFAULT;
    struct task *t = target(pid);
    if (!t)
        return -ESRCH;
    s64 err = 0;
    if (policy < 0)
        policy = t->thread.policy;
    policy &= ~0x40000000; /* SCHED_RESET_ON_FORK */
    bool rt = policy == 1 || policy == 2;
    if ((policy > 3 && policy != 5) || (rt ? prio < 1 || prio > 99 : prio != 0))
        err = -EINVAL;
    else if (rt && !capable(23 /* CAP_SYS_NICE */))
        err = -EPERM;
    else {
        t->thread.policy = (u8)policy;
        t->thread.rt_prio = (u8)prio;
    }
    task_put(t);
    return err;
}

SYSCALL(sched_setscheduler)
{
    return (s32)a1 < 0 ? -EINVAL : set_policy(a0, (int)a1, a2);
}
SYSCALL(sched_setparam)
{
    return set_policy(a0, -1, a1);
}
SYSCALL(sched_getscheduler)
{
    struct task *t = target(a0);
    if (!t)
        return (s32)a0 < 0 ? -EINVAL : -ESRCH;
    s64 policy = t->thread.policy;
    task_put(t);
    return policy;
}
SYSCALL(sched_getparam)
{
    struct task *t = target(a0);
    if (!t || !a1) {
        if (t)
            task_put(t);
        return (s32)a0 < 0 || !a1 ? -EINVAL : -ESRCH;
    }
    u32 prio = t->thread.rt_prio;
    task_put(t);
    return put_user(prio, a1);
}
SYSCALL(sched_get_priority_max)
{
    return a0 == 1 || a0 == 2 ? 99 : a0 == 0 || a0 == 3 || a0 == 5 || a0 == 6 ? 0 : -EINVAL;
}
SYSCALL(sched_get_priority_min)
{
    return a0 == 1 || a0 == 2 ? 1 : a0 == 0 || a0 == 3 || a0 == 5 || a0 == 6 ? 0 : -EINVAL;
}
SYSCALL(sched_rr_get_interval)
{
    s64 ts[2] = {0, 4000000};
    struct task *t = target(a0);
    if (!t)
        return (s32)a0 < 0 ? -EINVAL : -ESRCH;
    task_put(t);
    return copy_to_user(a1, ts, sizeof(ts)) ? -EFAULT : 0;
}

struct sched_attr_k {
    u32 size, policy;
    u64 flags;
    s32 nice;
    u32 priority;
    u64 runtime, deadline, period;
    u32 util_min, util_max;
};

SYSCALL(sched_getattr)
{
    struct task *t = target(a0);
    if (!t)
        return -ESRCH;
    struct sched_attr_k at = {.size = sizeof(at),
                              .policy = t->thread.policy,
                              .nice = t->thread.nice,
                              .priority = t->thread.rt_prio,
                              .util_max = 1024};
    task_put(t);
    if (a2 < 48 || a2 > PAGE_SIZE || a3)
        return -EINVAL;
    at.size = (u32)min(a2, sizeof(at));
    return copy_to_user(a1, &at, at.size) ? -EFAULT : 0;
}

SYSCALL(sched_setattr)
{
    struct sched_attr_k at = {0};
    u32 size;
    if (get_user(size, a1))
        return -EFAULT;
    if (size == 0)
        size = 48;
    if (size < 48 || size > PAGE_SIZE)
        return -E2BIG;
    if (copy_from_user(&at, a1, min((size_t)size, sizeof(at))))
        return -EFAULT;
    struct task *t = target(a0);
    if (!t)
        return -ESRCH;
    s64 err = 0;
    bool rt = at.policy == 1 || at.policy == 2;
    if ((at.policy > 3 && at.policy != 5) ||
        (rt ? at.priority < 1 || at.priority > 99 : at.priority != 0)) {
        err = -EINVAL;
    } else if (rt && !capable(23)) {
        err = -EPERM;
    } else {
        t->thread.policy = (u8)at.policy;
        t->thread.rt_prio = (u8)at.priority;
        if (!rt)
            sched_set_nice(t, at.nice);
    }
    task_put(t);
    return err;
}

SYSCALL(getcpu)
{
    u32 cpu = cpu_id(), node = mem_cpu_node(cpu);
    if (a0 && put_user(cpu, a0))
        return -EFAULT;
    return a1 && put_user(node, a1) ? -EFAULT : 0;
}
