/* SPDX-License-Identifier: MIT */
/* System V identifiers, keys and permissions. Picture in sysv.h. */
#include "sysv.h"
#include <kernel/socket.h>
#include <lib/string.h>
#include <mm/slab.h>

#define FIRST_SLOTS 64u
#define SYSV_SEQS   65535u

s64 sysv_now(void)
{
    return time_now().sec;
}

struct sysv_perm *sysv_find_slot(struct sysv_ids *ids, s32 slot)
{
    return slot >= 0 && (u32)slot < ids->nr_slots ? ids->slot[slot] : NULL;
}

struct sysv_perm *sysv_find(struct sysv_ids *ids, s32 id)
{
    struct sysv_perm *p = id >= 0 ? sysv_find_slot(ids, id % (s32)SYSV_SLOTS) : NULL;
    return p && p->id == id ? p : NULL;
}

struct sysv_perm *sysv_find_key(struct sysv_ids *ids, s32 key)
{
    for (u32 i = 0; i < ids->nr_slots; i++)
        if (ids->slot[i] && ids->slot[i]->key == key)
            return ids->slot[i];
    return NULL;
}

s32 sysv_max_slot(struct sysv_ids *ids)
{
    for (u32 i = ids->nr_slots; i > 0; i--)
        if (ids->slot[i - 1])
            return (s32)i - 1;
    return 0;
}

/* Room for `want` slots. */
static int grow(struct sysv_ids *ids, u32 want)
{
    u32 nr = max(ids->nr_slots, FIRST_SLOTS);
    while (nr < want)
        nr *= 2;
    struct sysv_perm **slot = kvmalloc(nr * sizeof(*slot), GFP_KERNEL | GFP_ZERO);
    if (!slot)
        return -ENOMEM;
    if (ids->nr_slots) {
        memcpy(slot, ids->slot, ids->nr_slots * sizeof(*slot));
        kvfree(ids->slot);
    }
    ids->slot = slot;
    ids->nr_slots = nr;
    return 0;
}

/* Slots are taken in turn, so that a number comes back late; the sequence goes up at every turn. */
int sysv_insert(struct sysv_ids *ids, struct sysv_perm *p, s32 key, u32 mode)
{
    struct cred *c = current_task()->cred;
    if (ids->in_use >= ids->max)
        return -ENOSPC;
    u32 turn = min(max(ids->in_use * 3 / 2, FIRST_SLOTS), ids->max);
    int err = turn > ids->nr_slots ? grow(ids, turn) : 0;
    if (err)
        return err;
    u32 i = ids->next < turn ? ids->next : 0;
    while (ids->slot[i])
        i = i + 1 < turn ? i + 1 : 0;
    if ((s32)i <= ids->last)
        ids->seq = (ids->seq + 1) % SYSV_SEQS;
    ids->last = (s32)i;
    ids->next = i + 1;
    ids->slot[i] = p;
    ids->in_use++;
    p->key = key;
    p->mode = mode & 0777;
    p->uid = p->cuid = c->euid;
    p->gid = p->cgid = c->egid;
    p->id = (s32)(ids->seq * SYSV_SLOTS + i);
    return p->id;
}

void sysv_remove(struct sysv_ids *ids, struct sysv_perm *p)
{
    ids->slot[(u32)p->id % SYSV_SLOTS] = NULL;
    ids->in_use--;
}

int sysv_access(const struct sysv_perm *p, u32 want)
{
    struct cred *c = current_task()->cred;
    u32 mode = p->mode, need = (want >> 6 | want >> 3 | want) & 7;
    if (c->euid == p->uid || c->euid == p->cuid)
        mode >>= 6;
    else if (c->egid == p->gid || c->egid == p->cgid)
        mode >>= 3;
    else
        for (u32 i = 0; i < c->ngroups; i++)
            if (c->groups[i] == p->gid || c->groups[i] == p->cgid) {
                mode >>= 3;
                break;
            }
    return (need & ~mode & 7) && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

int sysv_owner(const struct sysv_perm *p)
{
    u32 uid = current_task()->cred->euid;
    return uid == p->uid || uid == p->cuid || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void sysv_to_user(const struct sysv_perm *p, struct ipc64_perm *out)
{
    *out = (struct ipc64_perm){.key = p->key,
                               .uid = p->uid,
                               .gid = p->gid,
                               .cuid = p->cuid,
                               .cgid = p->cgid,
                               .mode = p->mode,
                               .seq = (u16)((u32)p->id / SYSV_SLOTS)};
}

void sysv_set(struct sysv_perm *p, const struct ipc64_perm *in)
{
    p->uid = in->uid;
    p->gid = in->gid;
    p->mode = (p->mode & ~0777u) | (in->mode & 0777);
}

s64 sysv_get(struct sysv_ids *ids, s32 key, u32 flags, const struct sysv_get *g)
{
    s64 res;
    mutex_lock(&ids->lock);
    struct sysv_perm *p = key == IPC_PRIVATE ? NULL : sysv_find_key(ids, key);
    if (p) {
        res = (flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL) ? -EEXIST
                                                                         : g->check(p, g->arg);
        if (!res)
            res = sysv_access(p, flags);
        if (!res)
            res = p->id;
    } else if (key != IPC_PRIVATE && !(flags & IPC_CREAT)) {
        res = -ENOENT;
    } else {
        p = g->make(g->arg);
        res = IS_ERR(p) ? PTR_ERR(p) : sysv_insert(ids, p, key, flags);
        if (res < 0 && !IS_ERR(p))
            g->drop(p);
    }
    mutex_unlock(&ids->lock);
    return res;
}

void sysv_exit(struct process *p)
{
    sem_exit(p);
}

void sysv_boot(void)
{
    shm_boot();
    sem_boot();
    msg_boot();
}
