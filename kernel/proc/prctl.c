/* SPDX-License-Identifier: MIT */
/* prctl, arch_prctl, personality. */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <port/task.h>
#include <port/uaccess.h>

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_TSC = 25,
    PR_GET_SECUREBITS = 27,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_MM = 35,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_SET_MDWE = 65,
    PR_GET_MDWE = 66,
    PR_SET_VMA = 0x53564d41,
    PR_SET_PTRACER = 0x59616d61
};

static s64 ambient(u64 op, u64 cap)
{
    struct task *t = current_task();
    const struct cred *o = t->cred;
    if (op == 4) { /* CLEAR_ALL */
        struct cred *n = cred_copy(o);
        if (!n)
            return -ENOMEM;
        n->cap_ambient = 0;
        t->cred = n;
        cred_put((struct cred *)o);
        return 0;
    }
    if (op < 1 || op > 3 || cap > 40)
        return -EINVAL;
    if (op == 1)
        return o->cap_ambient >> cap & 1;
    if (op == 2 && !((o->cap_permitted & o->cap_inheritable) >> cap & 1))
        return -EPERM;
    struct cred *n = cred_copy(o);
    if (!n)
        return -ENOMEM;
    n->cap_ambient = op == 2 ? n->cap_ambient | 1UL << cap : n->cap_ambient & ~(1UL << cap);
    t->cred = n;
    cred_put((struct cred *)o);
    return 0;
}

static s64 drop_bounding(u64 cap)
{
    struct task *t = current_task();
    if (cap > 40)
        return -EINVAL;
    if (!capable(8))
        return -EPERM;
    struct cred *old = t->cred, *n = cred_copy(old);
    if (!n)
        return -ENOMEM;
    n->cap_bounding &= ~(1UL << cap);
    t->cred = n;
    cred_put(old);
    return 0;
}

SYSCALL(prctl)
{
    struct task *t = current_task();
    struct process *p = t->process;
    char name[TASK_COMM_LEN] = {0};
    switch ((u32)a0) {
    case PR_SET_PDEATHSIG:
        if (a1 > NSIG)
            return -EINVAL;
        t->pdeath_signal = (s32)a1;
        return 0;
    case PR_GET_PDEATHSIG:
        return put_user((u32)t->pdeath_signal, a1);
    case PR_GET_DUMPABLE:
        return p->dumpable;
    case PR_SET_DUMPABLE:
        if (a1 > 1)
            return -EINVAL;
        p->dumpable = (u8)a1;
        return 0;
    case PR_SET_MM:
        return prctl_set_mm(a1, a2, a3, a4);
    case PR_SET_PTRACER:
        return prctl_set_ptracer(a1);
    case PR_GET_KEEPCAPS:
        return t->keep_caps;
    case PR_SET_KEEPCAPS:
        if (a1 > 1)
            return -EINVAL;
        t->keep_caps = a1;
        return 0;
    case PR_SET_NAME: {
        ssize_t n = strncpy_from_user(name, a1, sizeof(name));
        if (n == -ENAMETOOLONG) {
            if (copy_from_user(name, a1, sizeof(name) - 1))
                return -EFAULT;
        } else if (n < 0) {
            return n;
        }
        memcpy(t->comm, name, sizeof(name));
        t->comm[sizeof(name) - 1] = '\0';
        return 0;
    }
    case PR_GET_NAME:
        memcpy(name, t->comm, sizeof(name));
        return copy_to_user(a1, name, sizeof(name)) ? -EFAULT : 0;
    case PR_GET_SECCOMP:
        return 0;
    case PR_CAPBSET_READ:
        return a1 > 40 ? -EINVAL : (s64)(t->cred->cap_bounding >> a1 & 1);
    case PR_CAPBSET_DROP:
        return drop_bounding(a1);
    case PR_GET_TSC:
        return put_user(1u, a1);
    case PR_GET_SECUREBITS:
        return 0;
    case PR_SET_TIMERSLACK:
        t->timer_slack_ns = a1 ? a1 : 50000;
        return 0;
    case PR_GET_TIMERSLACK:
        return (s64)t->timer_slack_ns;
    case PR_SET_CHILD_SUBREAPER:
        p->child_subreaper = a1 != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user((u32)p->child_subreaper, a1);
    case PR_SET_NO_NEW_PRIVS:
        if (a1 != 1 || a2 || a3 || a4)
            return -EINVAL;
        p->no_new_privs = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return a1 || a2 || a3 || a4 ? -EINVAL : p->no_new_privs;
    case PR_GET_TID_ADDRESS:
        return put_user(t->clear_child_tid, a1);
    case PR_SET_VMA:
        return prctl_set_vma(a1, a2, a3, a4);
    case PR_SET_MDWE:
        return a2 || a3 || a4 ? -EINVAL : prctl_set_mdwe(a1);
    case PR_GET_MDWE:
        return a1 || a2 || a3 || a4 ? -EINVAL : prctl_get_mdwe();
    case PR_SET_THP_DISABLE:
        return a2 || a3 || a4 ? -EINVAL : prctl_set_thp_disable(a1 != 0);
    case PR_GET_THP_DISABLE:
        return a1 || a2 || a3 || a4 ? -EINVAL : prctl_get_thp_disable();
    case PR_CAP_AMBIENT:
        return ambient(a1, a2);
    default:
        return -EINVAL;
    }
}

enum {
    ARCH_SET_GS = 0x1001,
    ARCH_SET_FS,
    ARCH_GET_FS,
    ARCH_GET_GS,
    ARCH_GET_CPUID = 0x1011,
    ARCH_SET_CPUID
};

SYSCALL(arch_prctl)
{
    struct thread_ctx *ctx = thread_ctx_current();
    switch ((u32)a0) {
    case ARCH_SET_FS:
        return thread_set_fs_base(ctx, a1);
    case ARCH_SET_GS:
        return thread_set_gs_base(ctx, a1);
    case ARCH_GET_FS:
        return put_user(thread_fs_base(ctx), a1);
    case ARCH_GET_GS:
        return put_user(thread_gs_base(ctx), a1);
    case ARCH_GET_CPUID:
        return 1;
    default:
        return -EINVAL;
    }
}

SYSCALL(personality)
{
    struct task *t = current_task();
    u32 old = (u32)t->personality;
    if ((u32)a0 != 0xffffffff)
        t->personality = (u32)a0;
    if (t->personality & READ_IMPLIES_EXEC)
        task_personality_seen = true;
    return old;
}
