/* SPDX-License-Identifier: MIT */
/* process_madvise and process_mrelease: what one process may do to the pages of another that it holds a pidfd of. */
#include "proc.h"
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <mm/sys.h>
#include <port/uaccess.h>
#include <uapi/mman.h>

#define MAX_IOV      1024
#define MAX_RW       0x7ffff000UL
#define CAP_SYS_NICE 23

static bool may_advise(int advice)
{
    return advice == UAPI_MADV_COLD || advice == UAPI_MADV_PAGEOUT || advice == UAPI_MADV_WILLNEED;
}

/* Copies the vector and checks it. Returns the bytes it names (*out: kmalloc'd), or -errno. */
static s64 load_vector(u64 user, u64 nr, struct iovec_k **out)
{
    u64 total = 0, limit = current_task()->mm->task_size;
    if (nr > MAX_IOV)
        return -EINVAL;
    struct iovec_k *v = kmalloc(max(nr, 1UL) * sizeof(*v), GFP_KERNEL);
    if (!v)
        return -ENOMEM;
    s64 err = copy_from_user(v, user, nr * sizeof(*v)) ? -EFAULT : 0;
    for (u64 i = 0; i < nr && !err; i++) /* all of them before any address */
        if ((s64)v[i].len < 0)
            err = -EINVAL;
    for (u64 i = 0; i < nr && !err; i++) {
        if (v[i].base >= limit || v[i].len > limit - v[i].base)
            err = -EFAULT;
        v[i].len = min(v[i].len, MAX_RW - total);
        total += v[i].len;
    }
    if (err) {
        kfree(v);
        return err;
    }
    *out = v;
    return (s64)total;
}

/* Bytes advised, of the `total` that there are, or the first error when there were none. Of the pieces without bytes only the first
 * one is looked at. */
static s64 advise_all(struct mm *mm, const struct iovec_k *v, u64 nr, s64 total, int advice)
{
    s64 done = 0;
    for (u64 i = 0; i < nr && done < total; i++) {
        s64 err = v[i].len || !i ? sys_mm_madvise(mm, v[i].base, v[i].len, advice) : 0;
        if (err)
            return done ? done : err;
        done += (s64)v[i].len;
    }
    return done;
}

SYSCALL(process_madvise)
{
    struct iovec_k *v;
    if ((u32)a4)
        return -EINVAL;
    s64 ret = load_vector(a1, a2, &v);
    if (ret < 0)
        return ret;
    int err, advice = (int)a3;
    struct process *p = pidfd_process((int)a0, &err);
    if (!p) {
        kfree(v);
        return err;
    }
    struct mm *mm = NULL;
    if (!may_advise(advice))
        ret = -EINVAL;
    else if (!(mm = process_get_mm(p)))
        ret = -ESRCH;
    else if (mm != current_task()->mm && ptrace_may_access_process(p, PTRACE_MODE_READ | PTRACE_MODE_FSCREDS))
        ret = -EACCES;
    else if (mm != current_task()->mm && !capable(CAP_SYS_NICE))
        ret = -EPERM;
    else
        ret = advise_all(mm, v, a2, ret, advice);
    if (mm)
        mm_put(mm);
    process_put(p);
    kfree(v);
    return ret;
}

struct sharer {
    struct mm *mm;
    bool lives;
};

static int look_for_sharer(void *ctx, struct process *p)
{
    struct sharer *s = ctx;
    struct mm *mm = process_get_mm(p);
    if (mm == s->mm && !READ_ONCE(p->signal.group_exit))
        s->lives = true;
    if (mm)
        mm_put(mm);
    return s->lives;
}

SYSCALL(process_mrelease)
{
    int err;
    if ((u32)a1)
        return -EINVAL;
    struct process *p = pidfd_process((int)a0, &err);
    if (!p)
        return err;
    struct mm *mm = process_get_mm(p);
    if (!mm) {
        process_put(p);
        return -ESRCH;
    }
    struct sharer s = {.mm = mm};
    process_for_each(look_for_sharer, &s);
    s64 ret = s.lives ? -EINVAL : 0;
    if (!s.lives)
        mm_reap(mm);
    mm_put(mm);
    process_put(p);
    return ret;
}
