/* SPDX-License-Identifier: MIT */
/* System V semaphore sets: sem.c (operations, undo), semctl.c (control). */
#ifndef KERNEL_IPC_SEM_H
#define KERNEL_IPC_SEM_H
#include "sysv.h"

#define SEM_NR   32000u /* sets */
#define SEM_MSL  32000  /* semaphores in a set */
#define SEM_OPM  500u   /* operations in a call */
#define SEM_VMX  32767
#define SEM_UNDO 0x1000

struct sembuf_k {
    u16 num;
    s16 op, flags;
};
struct sem {
    s32 val, pid;
    u32 ncnt, zcnt; /* threads that wait for it to grow, to become zero */
};
struct semset {
    struct sysv_perm perm;
    s32 refs; /* the id, waiters, undos: sem_ids.lock */
    u32 n;
    bool dead;
    u64 version; /* grows with each change */
    s64 otime, ctime;
    struct waitq wait;
    struct sem sem[];
};
struct sem_undo {
    struct list_head link;
    struct process *process; /* only compared: sem_exit() takes it off the list */
    struct semset *set;
    s32 adj[];
};
extern struct sysv_ids sem_ids;
static inline struct semset *semset_of(struct sysv_perm *p)
{
    return container_of(p, struct semset, perm);
}
/* sem_ids.lock held. */
void semset_put(struct semset *s);
void sem_changed(struct semset *s);
void sem_undo_clear(struct semset *s, s32 n);
#endif
