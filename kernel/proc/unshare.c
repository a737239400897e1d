/* SPDX-License-Identifier: MIT */
/* unshare, of name spaces only that of mounts; I/O priorities, which are kept and reported. */
#include "proc.h"
#include <kernel/syscall.h>
#include <mm/mm.h>

SYSCALL(unshare)
{
    struct task *t = current_task();
    u64 shared = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_VM;
    if (a0 & ~(shared | CLONE_NEW_ANY))
        return -EINVAL;
    if (a0 & CLONE_NEW_ANY & ~CLONE_NEWNS)
        return -EINVAL; /* the others are configured out */
    if ((a0 & CLONE_NEWNS) && !capable(21 /* CAP_SYS_ADMIN */))
        return -EPERM;
    if ((a0 & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && t->process->nr_threads > 1)
        return -EINVAL;
    if ((a0 & CLONE_SIGHAND) && READ_ONCE(t->sighand->refs) > 1)
        return -EINVAL;
    if ((a0 & CLONE_VM) && READ_ONCE(t->mm->users) > 1)
        return -EINVAL;
    struct fs_struct *fs = NULL;
    if ((a0 & (CLONE_FS | CLONE_NEWNS)) && !(fs = fs_struct_copy(t->fs)))
        return -ENOMEM;
    if ((a0 & CLONE_NEWNS) && mount_ns_unshare(fs)) {
        fs_struct_put(fs);
        return -ENOMEM;
    }
    if (a0 & CLONE_FILES) {
        int err = fd_table_unshare(t);
        if (err) {
            if (fs)
                fs_struct_put(fs);
            return err;
        }
    }
    if (fs) {
        struct fs_struct *old = t->fs;
        store_release(&t->fs, fs);
        fs_struct_put(old);
    }
    return 0;
}

/* ---- ioprio ---- */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_WHO_PGRP, IOPRIO_WHO_USER };
#define IOPRIO_CLASS(v) ((v) >> 13 & 7)

SYSCALL(ioprio_set)
{
    u32 v = (u32)a2, class = IOPRIO_CLASS(v);
    if (class > 3 || (v & 7) != (v & 0x1fff) || (class == 0 && (v & 0x1fff)))
        return -EINVAL;
    if (class == 1 && !capable(21) && !capable(23))
        return -EPERM;
    if (a0 != IOPRIO_WHO_PROCESS)
        return a0 == IOPRIO_WHO_PGRP || a0 == IOPRIO_WHO_USER ? -ESRCH : -EINVAL;
    struct task *t = a1 ? task_find((s32)a1) : task_get(current_task());
    if (!t)
        return -ESRCH;
    t->ioprio = (u16)v;
    task_put(t);
    return 0;
}

SYSCALL(ioprio_get)
{
    if (a0 != IOPRIO_WHO_PROCESS)
        return a0 == IOPRIO_WHO_PGRP || a0 == IOPRIO_WHO_USER ? -ESRCH : -EINVAL;
    struct task *t = a1 ? task_find((s32)a1) : task_get(current_task());
    if (!t)
        return -ESRCH;
    s64 v = t->ioprio ? t->ioprio : 2 << 13 | 4; /* best effort, the middle */
    task_put(t);
    return v;
}
