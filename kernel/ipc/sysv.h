/* SPDX-License-Identifier: MIT */
/*
 * What the three kinds of System V objects share: identifiers, keys, permissions.
 *
 *   key ─ sysv_lookup ─> slot ─> id = sequence number * 32768 + slot      the sequence grows when a slot is used again, so that an
 *                                                                         old id does not name a new object
 * Locks: ids->lock (mutex) guards table, permissions and, but for what shm.c, sem.c and msg.c say, the objects.
 */
#ifndef KERNEL_IPC_SYSV_H
#define KERNEL_IPC_SYSV_H
#include "ipc.h"

#define IPC_PRIVATE 0
#define IPC_CREAT   01000u
#define IPC_EXCL    02000u
#define IPC_NOWAIT  04000u
#define IPC_RMID    0
#define IPC_SET     1
#define IPC_STAT    2
#define IPC_INFO    3
#define SYSV_SLOTS  32768u

struct ipc64_perm {
    s32 key;
    u32 uid, gid, cuid, cgid, mode;
    u16 seq, pad;
    u64 unused[2];
};
BUILD_ASSERT(sizeof(struct ipc64_perm) == 48);

struct sysv_perm {
    s32 key, id;
    u32 uid, gid, cuid, cgid, mode;
};
struct sysv_ids {
    struct mutex lock;
    struct sysv_perm **slot;
    u32 nr_slots, in_use, max;
    u32 seq, next; /* of the next number; the slot to look at first */
    s32 last;      /* slot of the last number, -1 at first */
};
#define SYSV_IDS_INIT(name, limit)                                                                 \
    {                                                                                              \
        .lock = MUTEX_INIT((name).lock), .max = (limit), .last = -1                                            \
    }

/* All with ids->lock held. */
struct sysv_perm *sysv_find(struct sysv_ids *ids, s32 id); /* NULL: none */
struct sysv_perm *sysv_find_slot(struct sysv_ids *ids, s32 slot);
struct sysv_perm *sysv_find_key(struct sysv_ids *ids, s32 key);
int sysv_insert(struct sysv_ids *ids, struct sysv_perm *p, s32 key,
                u32 mode); /* the id, -ENOSPC, -ENOMEM */
void sysv_remove(struct sysv_ids *ids, struct sysv_perm *p);
s32 sysv_max_slot(struct sysv_ids *ids); /* highest in use, 0 if none */

/* want: rwx bits as in a mode's low three or in its owner place. 0 or -EACCES. */
int sysv_access(const struct sysv_perm *p, u32 want);
int sysv_owner(const struct sysv_perm *p); /* IPC_SET, IPC_RMID: 0 or -EPERM */
void sysv_to_user(const struct sysv_perm *p, struct ipc64_perm *out);
void sysv_set(struct sysv_perm *p, const struct ipc64_perm *in);
s64 sysv_now(void); /* seconds */

/*
 * The common part of shmget, semget, msgget: finds the key's object and checks it, or makes one.
 * check(p, arg): may the caller have this existing one. make(arg): a new one, not inserted; ERR_PTR. drop(p): undoes make.
 */
struct sysv_get {
    int (*check)(struct sysv_perm *p, void *arg);
    struct sysv_perm *(*make)(void *arg);
    void (*drop)(struct sysv_perm *p);
    void *arg;
};
s64 sysv_get(struct sysv_ids *ids, s32 key, u32 flags, const struct sysv_get *g);

void shm_boot(void);
void sem_boot(void);
void msg_boot(void);
void sem_exit(struct process *p);
#endif
