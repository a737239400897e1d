/* SPDX-License-Identifier: MIT */
/* kcmp: do two threads share a file, their memory, tables, actions? pidfd_getfd: a copy of another process's descriptor. */
#include "proc.h"
#include <kernel/ptrace.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <port/random.h>

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD, NR_KINDS };

/*
 * The order of two objects that says nothing about where they lie: 0 the same, 1 less, 2 greater. An odd factor and a mask,
 * different in each boot and for each kind, keep the order total.
 */
static s64 compare(const void *a, const void *b, int kind)
{
    static u64 mask[NR_KINDS], factor[NR_KINDS];
    if (!READ_ONCE(factor[kind])) {
        u64 none = 0;
        mask[kind] = random_u64();
        __atomic_compare_exchange_n(&factor[kind], &none, random_u64() | 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    }
    s64 x = (s64)(((u64)(uptr)a ^ mask[kind]) * factor[kind]), y = (s64)(((u64)(uptr)b ^ mask[kind]) * factor[kind]);
    return (x < y) | (x > y) << 1;
}

static s64 compare_files(struct task *t1, struct task *t2, u64 fd1, u64 fd2)
{
    struct file *a = fd_table_file(t1, (int)fd1), *b = fd_table_file(t2, (int)fd2);
    s64 ret = a && b ? compare(a, b, KCMP_FILE) : -EBADF;
    if (a)
        file_put(a);
    if (b)
        file_put(b);
    return ret;
}

static s64 compare_tasks(struct task *t1, struct task *t2, u64 kind, u64 idx1, u64 idx2)
{
    switch (kind) {
    case KCMP_FILE:
        return compare_files(t1, t2, idx1, idx2);
    case KCMP_VM:
        return compare(t1->mm, t2->mm, KCMP_VM);
    case KCMP_FILES:
        return compare(t1->files, t2->files, KCMP_FILES);
    case KCMP_FS:
        return compare(t1->fs, t2->fs, KCMP_FS);
    case KCMP_SIGHAND:
        return compare(t1->sighand, t2->sighand, KCMP_SIGHAND);
    case KCMP_IO:
        return 0; /* nobody has an I/O context of its own */
    case KCMP_SYSVSEM:
        return compare(sysv_undo_list(t1->process), sysv_undo_list(t2->process), KCMP_SYSVSEM);
    case KCMP_EPOLL_TFD:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

SYSCALL(kcmp)
{
    struct task *t1 = task_find((s32)a0), *t2 = task_find((s32)a1);
    s64 ret = -ESRCH;
    if (t1 && t2) {
        u32 mode = PTRACE_MODE_READ | PTRACE_MODE_REALCREDS;
        ret = ptrace_may_access(t1, mode) || ptrace_may_access(t2, mode) ? -EPERM : compare_tasks(t1, t2, a2, a3, a4);
    }
    if (t1)
        task_put(t1);
    if (t2)
        task_put(t2);
    return ret;
}

SYSCALL(pidfd_getfd)
{
    int err;
    if ((u32)a2)
        return -EINVAL;
    struct process *p = pidfd_process((int)a0, &err);
    if (!p)
        return err;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct task *t = p->leader ? task_get(p->leader) : NULL;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    process_put(p);
    if (!t)
        return -ESRCH;
    s64 ret = ptrace_may_access(t, PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS);
    struct file *f = ret ? NULL : fd_table_file(t, (int)a1);
    if (!ret)
        ret = f ? fd_alloc(f, FD_CLOEXEC, 0) : -EBADF;
    if (f && ret < 0)
        file_put(f);
    task_put(t);
    return ret;
}
