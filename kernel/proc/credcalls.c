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

/* n takes the place of the caller's credentials, and the caller is counted with the user it now is. 0 or -EAGAIN. */
static s64 install(struct cred *n)
{
    struct task *t = current_task();
    struct cred *old = t->cred;
    if (n->uid != n->user->uid) {
        struct user *u = user_of(n->uid);
        if (!u) {
            cred_put(n);
            return -EAGAIN;
        }
        t->nproc_exceeded = user_over_nproc(u, 0); /* as Linux: before the caller itself is counted */
        __atomic_fetch_add(&u->nproc, 1, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&n->user->nproc, 1, __ATOMIC_RELAXED);
        user_put(n->user);
        n->user = u;
    }
    if (old->euid != n->euid || old->egid != n->egid || old->fsuid != n->fsuid ||
        old->fsgid != n->fsgid)
        t->process->dumpable = false;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->cred = n;
    spin_unlock_irqrestore(&t->process->lock, flags);
    cred_put(old);
    return 0;
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

/* The four ids of one kind: the calls for users and for groups follow the same rules. */
enum id_kind { USER, GROUP };
struct ids {
    u32 *real, *effective, *saved, *fs;
};

static struct ids ids_of(struct cred *c, enum id_kind kind)
{
    return kind == USER ? (struct ids){&c->uid, &c->euid, &c->suid, &c->fsuid}
                        : (struct ids){&c->gid, &c->egid, &c->sgid, &c->fsgid};
}

static bool may_take_any(enum id_kind kind)
{
    return capable(kind == USER ? CAP_SETUID : CAP_SETGID);
}

/* KEEP, or one that the thread has already. */
static bool is_own(u32 id, const struct ids *o)
{
    return id == KEEP || id == *o->real || id == *o->effective || id == *o->saved;
}

static void set_unless_keep(u32 *field, u32 id)
{
    if (id != KEEP)
        *field = id;
}

/* fs follows the effective id, capabilities the user's. */
static s64 finish(struct cred *n, enum id_kind kind)
{
    struct ids ids = ids_of(n, kind);
    *ids.fs = *ids.effective;
    if (kind == USER)
        fix_caps(n, current_task()->cred);
    return install(n);
}

static s64 set_three(enum id_kind kind, u32 real, u32 effective, u32 saved)
{
    struct ids o = ids_of(current_task()->cred, kind);
    if (!may_take_any(kind) && !(is_own(real, &o) && is_own(effective, &o) && is_own(saved, &o)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    struct ids ids = ids_of(n, kind);
    set_unless_keep(ids.real, real);
    set_unless_keep(ids.effective, effective);
    set_unless_keep(ids.saved, saved);
    return finish(n, kind);
}

SYSCALL(setresuid)
{
    return set_three(USER, (u32)a0, (u32)a1, (u32)a2);
}
SYSCALL(setresgid)
{
    return set_three(GROUP, (u32)a0, (u32)a1, (u32)a2);
}

static s64 set_two(enum id_kind kind, u32 real, u32 effective)
{
    struct ids o = ids_of(current_task()->cred, kind);
    bool real_is_own = real == KEEP || real == *o.real || real == *o.effective;
    if (!may_take_any(kind) && !(real_is_own && is_own(effective, &o)))
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    struct ids ids = ids_of(n, kind);
    set_unless_keep(ids.real, real);
    set_unless_keep(ids.effective, effective);
    if (real != KEEP || (effective != KEEP && effective != *o.real))
        *ids.saved = *ids.effective;
    return finish(n, kind);
}

SYSCALL(setreuid)
{
    return set_two(USER, (u32)a0, (u32)a1);
}
SYSCALL(setregid)
{
    return set_two(GROUP, (u32)a0, (u32)a1);
}

static s64 set_one(enum id_kind kind, u32 id)
{
    struct ids o = ids_of(current_task()->cred, kind);
    if (id == KEEP)
        return -EINVAL;
    if (!may_take_any(kind) && id != *o.real && id != *o.saved)
        return -EPERM;
    struct cred *n = fresh();
    if (!n)
        return -ENOMEM;
    struct ids ids = ids_of(n, kind);
    if (may_take_any(kind))
        *ids.real = *ids.saved = id;
    *ids.effective = id;
    return finish(n, kind);
}

SYSCALL(setuid)
{
    return set_one(USER, (u32)a0);
}
SYSCALL(setgid)
{
    return set_one(GROUP, (u32)a0);
}

/* Answers the old id, whatever happens. */
static s64 set_fs(enum id_kind kind, u32 id)
{
    struct ids o = ids_of(current_task()->cred, kind);
    u32 old = *o.fs;
    struct cred *n;
    if (id == KEEP || !(may_take_any(kind) || is_own(id, &o) || id == old) || !(n = fresh()))
        return old;
    *ids_of(n, kind).fs = id;
    if (kind == USER && old == 0 && id != 0)
        n->cap_effective &= ~CAP_FS_MASK;
    if (kind == USER && old != 0 && id == 0)
        n->cap_effective |= n->cap_permitted & CAP_FS_MASK;
    install(n);
    return old;
}

SYSCALL(setfsuid)
{
    return set_fs(USER, (u32)a0);
}
SYSCALL(setfsgid)
{
    return set_fs(GROUP, (u32)a0);
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
    return install(n);
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
    return install(n);
}
