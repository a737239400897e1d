/* SPDX-License-Identifier: MIT */
/*
 * User and group ids, groups, capabilities. A thread's struct cred is never changed in place while others may see it: each call
 * makes a copy. Capabilities follow Linux's rule when uids move between 0 and others.
 */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define CAP_CHOWN_MASK                                                                             \
    0x1fUL /* CAP_CHOWN..CAP_FSETID: follow fsuid, with CAP_MKNOD, MAC_OVERRIDE */
#define CAP_FS_MASK (CAP_CHOWN_MASK | 1UL << 27 | 1UL << 32 | 1UL << 9)
#define CAP_SETGID  6
#define CAP_SETUID  7
#define CAP_SETPCAP 8
#define CAP_LAST    40
#define KEEP        0xffffffffu

static void install(struct cred *n)
{
    struct task *t = current_task();
    struct cred *old = t->cred;
    if (old->euid != n->euid || old->egid != n->egid || old->fsuid != n->fsuid ||
        old->fsgid != n->fsgid)
        t->process->dumpable = false;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->cred = n;
    spin_unlock_irqrestore(&t->process->lock, flags);
    cred_put(old);
}

static void fix_caps(struct cred *n, const struct cred *o)
{
    bool had = o->uid == 0 || o->euid == 0 || o->suid == 0;
    bool has = n->uid == 0 || n->euid == 0 || n->suid == 0;
    if (had && !has && !current_task()->keep_caps) {
        n->cap_permitted = n->cap_effective = n->cap_ambient = 0;
    }
    if (o->euid == 0 && n->euid != 0)
        n->cap_effective = 0;
    if (o->euid != 0 && n->euid == 0)
        n->cap_effective = n->cap_permitted;
}

static struct cred *fresh(void)
{
    return cred_copy(current_task()->cred);
}

SYSCALL(getuid)
{
    return current_task()->cred->uid;
}
SYSCALL(geteuid)
{
    return current_task()->cred->euid;
}
SYSCALL(getgid)
{
    return current_task()->cred->gid;
}
SYSCALL(getegid)
{
    return current_task()->cred->egid;
}

SYSCALL(setresuid)
{
    const struct cred *o = current_task()->cred;
    u32 r = (u32)a0, e = (u32)a1, s = (u32)a2;
#define ALLOWED(id, a, b, c) ((id) == KEEP || (id) == (a) || (id) == (b) || (id) == (c))
    if (!capable(CAP_SETUID) &&
        (!ALLOWED(r, o->uid, o->euid, o->suid) || !ALLOWED(e, o->uid, o->euid, o->suid) ||
         !ALLOWED(s, o->uid, o->euid, o->suid)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (r != KEEP)
        n->uid = r;
    if (e != KEEP)
        n->euid = e;
    if (s != KEEP)
        n->suid = s;
    n->fsuid = n->euid;
    fix_caps(n, o);
    install(n);
    return 0;
}

SYSCALL(setreuid)
{
    const struct cred *o = current_task()->cred;
    u32 r = (u32)a0, e = (u32)a1;
    if (!capable(CAP_SETUID) &&
        (!ALLOWED(r, o->uid, o->euid, o->euid) || !ALLOWED(e, o->uid, o->euid, o->suid)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (r != KEEP)
        n->uid = r;
    if (e != KEEP)
        n->euid = e;
    if (r != KEEP || (e != KEEP && e != o->uid))
        n->suid = n->euid;
    n->fsuid = n->euid;
    fix_caps(n, o);
    install(n);
    return 0;
}

SYSCALL(setuid)
{
    const struct cred *o = current_task()->cred;
    u32 id = (u32)a0;
    if (id == KEEP)
        return -EINVAL;
    if (!capable(CAP_SETUID) && id != o->uid && id != o->suid)
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (capable(CAP_SETUID))
        n->uid = n->suid = id;
    n->euid = n->fsuid = id;
    fix_caps(n, o);
    install(n);
    return 0;
}

SYSCALL(setresgid)
{
    const struct cred *o = current_task()->cred;
    u32 r = (u32)a0, e = (u32)a1, s = (u32)a2;
    if (!capable(CAP_SETGID) &&
        (!ALLOWED(r, o->gid, o->egid, o->sgid) || !ALLOWED(e, o->gid, o->egid, o->sgid) ||
         !ALLOWED(s, o->gid, o->egid, o->sgid)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (r != KEEP)
        n->gid = r;
    if (e != KEEP)
        n->egid = e;
    if (s != KEEP)
        n->sgid = s;
    n->fsgid = n->egid;
    install(n);
    return 0;
}

SYSCALL(setregid)
{
    const struct cred *o = current_task()->cred;
    u32 r = (u32)a0, e = (u32)a1;
    if (!capable(CAP_SETGID) &&
        (!ALLOWED(r, o->gid, o->egid, o->egid) || !ALLOWED(e, o->gid, o->egid, o->sgid)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (r != KEEP)
        n->gid = r;
    if (e != KEEP)
        n->egid = e;
    if (r != KEEP || (e != KEEP && e != o->gid))
        n->sgid = n->egid;
    n->fsgid = n->egid;
    install(n);
    return 0;
}

SYSCALL(setgid)
{
    const struct cred *o = current_task()->cred;
    u32 id = (u32)a0;
    if (id == KEEP)
        return -EINVAL;
    if (!capable(CAP_SETGID) && id != o->gid && id != o->sgid)
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    if (capable(CAP_SETGID))
        n->gid = n->sgid = id;
    n->egid = n->fsgid = id;
    install(n);
    return 0;
}

SYSCALL(setfsuid)
{
    const struct cred *o = current_task()->cred;
    u32 id = (u32)a0, old = o->fsuid;
    if (id == KEEP ||
        !(capable(CAP_SETUID) || id == o->uid || id == o->euid || id == o->suid || id == old))
        return old;
    struct cred *n = fresh();
    if (n) {
        n->fsuid = id;
        if (old == 0 && id != 0)
            n->cap_effective &= ~CAP_FS_MASK;
        if (old != 0 && id == 0)
            n->cap_effective |= n->cap_permitted & CAP_FS_MASK;
        install(n);
    }
    return old;
}

SYSCALL(setfsgid)
{
    const struct cred *o = current_task()->cred;
    u32 id = (u32)a0, old = o->fsgid;
    if (id == KEEP ||
        !(capable(CAP_SETGID) || id == o->gid || id == o->egid || id == o->sgid || id == old))
        return old;
    struct cred *n = fresh();
    if (n) {
        n->fsgid = id;
        install(n);
    }
    return old;
}

static s64 put3(u64 a, u64 b, u64 c, u32 x, u32 y, u32 z)
{
    return put_user(x, a) || put_user(y, b) || put_user(z, c) ? -EFAULT : 0;
}
SYSCALL(getresuid)
{
    const struct cred *c = current_task()->cred;
    return put3(a0, a1, a2, c->uid, c->euid, c->suid);
}
SYSCALL(getresgid)
{
    const struct cred *c = current_task()->cred;
    return put3(a0, a1, a2, c->gid, c->egid, c->sgid);
}

SYSCALL(getgroups)
{
    const struct cred *c = current_task()->cred;
    s32 n = (s32)a0;
    if (n < 0 || (n && (u32)n < c->ngroups))
        return -EINVAL;
    if (n && copy_to_user(a1, c->groups, c->ngroups * 4UL))
        return -EFAULT;
    return c->ngroups;
}

SYSCALL(setgroups)
{
    if (!capable(CAP_SETGID))
        return -EPERM;
    if (a0 > ARRAY_SIZE(current_task()->cred->groups))
        return -EINVAL;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    n->ngroups = (u32)a0;
    if (copy_from_user(n->groups, a1, a0 * 4)) {
        cred_put(n);
        return -EFAULT;
    }
    install(n);
    return 0;
}

/* ---- capabilities ---- */

struct cap_header {
    u32 version;
    s32 pid;
};
struct cap_data {
    u32 effective, permitted, inheritable;
};
#define CAP_V1 0x19980330u
#define CAP_V2 0x20071026u
#define CAP_V3 0x20080522u

static s64 cap_words(u64 uheader, struct cap_header *h)
{
    if (copy_from_user(h, uheader, sizeof(*h)))
        return -EFAULT;
    if (h->version == CAP_V1)
        return 1;
    if (h->version == CAP_V2 || h->version == CAP_V3)
        return 2;
    u32 v = CAP_V3;
    return put_user(v, uheader) ? -EFAULT : -EINVAL;
}

SYSCALL(capget)
{
    struct cap_header h;
    s64 n = cap_words(a0, &h);
    if (n < 0)
        return n == -EINVAL && !a1 ? 0 : n;
    if (h.pid < 0)
        return -EINVAL;
    struct task *t = h.pid ? task_find(h.pid) : task_get(current_task());
    if (!t)
        return -ESRCH;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    const struct cred *c = t->cred;
    struct cap_data d[2] = {{(u32)c->cap_effective, (u32)c->cap_permitted, (u32)c->cap_inheritable},
                            {(u32)(c->cap_effective >> 32), (u32)(c->cap_permitted >> 32),
                             (u32)(c->cap_inheritable >> 32)}};
    spin_unlock_irqrestore(&t->process->lock, flags);
    task_put(t);
    return a1 && copy_to_user(a1, d, (size_t)n * sizeof(d[0])) ? -EFAULT : 0;
}

SYSCALL(capset)
{
    struct cap_header h;
    struct cap_data d[2] = {0};
    s64 words = cap_words(a0, &h);
    if (words < 0)
        return words;
    if (h.pid != 0 && h.pid != current_task()->tid)
        return -EPERM;
    if (copy_from_user(d, a1, (size_t)words * sizeof(d[0])))
        return -EFAULT;
    u64 mask = (1UL << (CAP_LAST + 1)) - 1;
    u64 eff = (d[0].effective | (u64)d[1].effective << 32) & mask;
    u64 perm = (d[0].permitted | (u64)d[1].permitted << 32) & mask;
    u64 inh = (d[0].inheritable | (u64)d[1].inheritable << 32) & mask;
    const struct cred *o = current_task()->cred;
    if ((perm & ~o->cap_permitted) || (eff & ~perm) ||
        (inh & ~(o->cap_inheritable | o->cap_bounding)) ||
        (!capable(CAP_SETPCAP) && (inh & ~(o->cap_inheritable | o->cap_permitted))))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    n->cap_effective = eff;
    n->cap_permitted = perm;
    n->cap_inheritable = inh;
    n->cap_ambient &= perm & inh;
    install(n);
    return 0;
}
