/* SPDX-License-Identifier: MIT */
/* semctl: looking at and changing semaphore sets as a whole. */
#include "sem.h"
#include <kernel/syscall.h>
#include <lib/string.h>
#include <mm/slab.h>

enum {
    GETPID = 11,
    GETVAL,
    GETALL,
    GETNCNT,
    GETZCNT,
    SETVAL,
    SETALL,
    SEM_STAT,
    SEM_INFO,
    SEM_STAT_ANY
};

struct semid64_ds {
    struct ipc64_perm perm;
    s64 otime;
    u64 unused1;
    s64 ctime;
    u64 unused2, nsems, unused3[2];
};
BUILD_ASSERT(sizeof(struct semid64_ds) == 104);

struct seminfo_k {
    s32 map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem;
};

static s64 sem_info(u32 cmd, u64 user)
{
    mutex_lock(&sem_ids.lock);
    s64 top = sysv_max_slot(&sem_ids);
    struct seminfo_k i = {1024000000, SEM_NR,  1024000000, 1024000000, SEM_MSL,
                          SEM_OPM,    SEM_OPM, 20,         SEM_VMX,    SEM_VMX};
    if (cmd == SEM_INFO) {
        i.usz = (s32)sem_ids.in_use;
        i.aem = 0;
        for (u32 k = 0; k < sem_ids.nr_slots; k++)
            if (sem_ids.slot[k])
                i.aem += (s32)semset_of(sem_ids.slot[k])->n;
    }
    mutex_unlock(&sem_ids.lock);
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : top;
}

static s64 sem_stat(s32 id, u32 cmd, u64 user)
{
    struct semid64_ds d = {0};
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = cmd == IPC_STAT ? sysv_find(&sem_ids, id) : sysv_find_slot(&sem_ids, id);
    s64 res = p ? 0 : -EINVAL;
    if (!res && cmd != SEM_STAT_ANY)
        res = sysv_access(p, 4);
    if (!res) {
        struct semset *s = semset_of(p);
        sysv_to_user(p, &d.perm);
        d.otime = s->otime;
        d.ctime = s->ctime;
        d.nsems = s->n;
        res = cmd == IPC_STAT ? 0 : p->id;
    }
    mutex_unlock(&sem_ids.lock);
    return res >= 0 && copy_to_user(user, &d, sizeof(d)) ? -EFAULT : res;
}

static s64 sem_change(s32 id, u32 cmd, u64 user)
{
    struct semid64_ds d;
    if (cmd == IPC_SET && copy_from_user(&d, user, sizeof(d)))
        return -EFAULT;
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = sysv_find(&sem_ids, id);
    s64 res = p ? sysv_owner(p) : -EINVAL;
    if (!res) {
        struct semset *s = semset_of(p);
        if (cmd == IPC_SET) {
            sysv_set(p, &d.perm);
            s->ctime = sysv_now();
        } else {
            sysv_remove(&sem_ids, p);
            s->dead = true;
            waitq_wake_all(&s->wait);
            semset_put(s);
        }
    }
    mutex_unlock(&sem_ids.lock);
    return res;
}

/* One semaphore: GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL. */
static s64 sem_one(s32 id, s32 num, u32 cmd, u64 arg)
{
    s32 v = (s32)arg;
    if (cmd == SETVAL && (v < 0 || v > SEM_VMX))
        return -ERANGE;
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = sysv_find(&sem_ids, id);
    struct semset *s = p ? semset_of(p) : NULL;
    s64 res = s ? sysv_access(p, cmd == SETVAL ? 2 : 4) : -EINVAL;
    if (!res && (num < 0 || (u32)num >= s->n))
        res = -EINVAL;
    if (!res) {
        struct sem *m = &s->sem[num];
        switch (cmd) {
        case GETPID:
            res = m->pid;
            break;
        case GETVAL:
            res = m->val;
            break;
        case GETNCNT:
            res = m->ncnt;
            break;
        case GETZCNT:
            res = m->zcnt;
            break;
        default:
            m->val = v;
            m->pid = current_process()->pid;
            s->ctime = sysv_now();
            sem_undo_clear(s, num);
            sem_changed(s);
        }
    }
    mutex_unlock(&sem_ids.lock);
    return res;
}

/* The number of semaphores, or -EINVAL. */
static s64 set_size(s32 id)
{
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = sysv_find(&sem_ids, id);
    s64 n = p ? (s64)semset_of(p)->n : -EINVAL;
    mutex_unlock(&sem_ids.lock);
    return n;
}

static s64 sem_all(s32 id, u32 cmd, u64 user)
{
    s64 n = set_size(id);
    if (n < 0)
        return n;
    size_t bytes = (size_t)n * sizeof(u16);
    u16 *vals = kvmalloc(bytes, GFP_KERNEL);
    if (!vals)
        return -ENOMEM;
    s64 res = cmd == SETALL && copy_from_user(vals, user, bytes) ? -EFAULT : 0;
    for (s64 i = 0; i < n && cmd == SETALL && !res; i++)
        if (vals[i] > SEM_VMX)
            res = -ERANGE;
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = sysv_find(&sem_ids, id);
    if (!res)
        res = p ? sysv_access(p, cmd == SETALL ? 2 : 4) : -EIDRM;
    if (!res) {
        struct semset *s = semset_of(p);
        for (s64 i = 0; i < n; i++) {
            if (cmd == GETALL) {
                vals[i] = (u16)s->sem[i].val;
            } else {
                s->sem[i].val = vals[i];
                s->sem[i].pid = current_process()->pid;
            }
        }
        if (cmd == SETALL) {
            s->ctime = sysv_now();
            sem_undo_clear(s, -1);
            sem_changed(s);
        }
    }
    mutex_unlock(&sem_ids.lock);
    if (!res && cmd == GETALL && copy_to_user(user, vals, bytes))
        res = -EFAULT;
    kvfree(vals);
    return res;
}

SYSCALL(semctl)
{
    if ((s32)a0 < 0)
        return -EINVAL;
    switch ((u32)a2) {
    case IPC_INFO:
    case SEM_INFO:
        return sem_info((u32)a2, a3);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return sem_stat((s32)a0, (u32)a2, a3);
    case IPC_SET:
    case IPC_RMID:
        return sem_change((s32)a0, (u32)a2, a3);
    case GETALL:
    case SETALL:
        return sem_all((s32)a0, (u32)a2, a3);
    case GETPID:
    case GETVAL:
    case GETNCNT:
    case GETZCNT:
    case SETVAL:
        return sem_one((s32)a0, (s32)a1, (u32)a2, a3);
    default:
        return -EINVAL;
    }
}
