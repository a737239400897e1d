/* SPDX-License-Identifier: MIT */
/*
 * System V semaphores: sets of counters changed by several operations at once, or not at all.
 *
 *   semop ─ try all operations ─ possible: done, wake the others ─ not: wait for any change of the set, try again
 *
 * M1. A set lives while it has an id or a thread waits in it (refs); dead: IPC_RMID has come, waiters leave with -EIDRM.
 * M2. An undo of process p for set s says what to add to each semaphore when p ends.
 * Locks: sem_ids.lock guards everything here; waiting happens without it.
 */
#include "sysv.h"
#include "sem.h"
#include <arch/uaccess.h>
#include <kernel/socket.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/clock.h>
#include <port/log.h>

struct sysv_ids sem_ids = SYSV_IDS_INIT(sem_ids, SEM_NR);
static LIST_HEAD(undos);

void semset_put(struct semset *s)
{
    if (--s->refs == 0)
        kvfree(s);
}

/* ---- semget ---- */
struct sem_want {
    u32 n;
};

static int sem_check(struct sysv_perm *p, void *arg)
{
    return ((struct sem_want *)arg)->n > semset_of(p)->n ? -EINVAL : 0;
}

static struct sysv_perm *sem_make(void *arg)
{
    u32 n = ((struct sem_want *)arg)->n;
    if (!n)
        return ERR_PTR(-EINVAL);
    struct semset *s = kvmalloc(sizeof(*s) + n * sizeof(s->sem[0]), GFP_KERNEL | GFP_ZERO);
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->refs = 1;
    s->n = n;
    s->ctime = sysv_now();
    waitq_init(&s->wait);
    return &s->perm;
}

static void sem_unmake(struct sysv_perm *p)
{
    semset_put(semset_of(p));
}

SYSCALL(semget)
{
    struct sem_want w = {(u32)a1};
    struct sysv_get g = {sem_check, sem_make, sem_unmake, &w};
    if ((s32)a1 < 0 || (s32)a1 > SEM_MSL)
        return -EINVAL;
    return sysv_get(&sem_ids, (s32)a0, (u32)a2, &g);
}

/* ---- undo ---- */
static struct sem_undo *undo_find(struct process *p, struct semset *s)
{
    struct sem_undo *u;
    list_for_each_entry (u, &undos, link)
        if (u->process == p && u->set == s)
            return u;
    return NULL;
}

static struct sem_undo *undo_get(struct process *p, struct semset *s)
{
    struct sem_undo *u = undo_find(p, s);
    if (u)
        return u;
    u = kvmalloc(sizeof(*u) + s->n * sizeof(u->adj[0]), GFP_KERNEL | GFP_ZERO);
    if (u) {
        u->process = p;
        u->set = s;
        s->refs++;
        list_add(&u->link, &undos);
    }
    return u;
}

const void *sysv_undo_list(struct process *p)
{
    struct sem_undo *u;
    const void *list = NULL;
    mutex_lock(&sem_ids.lock);
    list_for_each_entry (u, &undos, link)
        if (u->process == p)
            list = p;
    mutex_unlock(&sem_ids.lock);
    return list;
}

static void undo_free(struct sem_undo *u)
{
    list_del(&u->link);
    semset_put(u->set);
    kvfree(u);
}

/* Takes all adjustments of one semaphore (n < 0: of the whole set) back: SETVAL, SETALL. */
void sem_undo_clear(struct semset *s, s32 n)
{
    struct sem_undo *u;
    list_for_each_entry (u, &undos, link)
        if (u->set == s)
            for (u32 i = 0; i < s->n; i++)
                if (n < 0 || (u32)n == i)
                    u->adj[i] = 0;
}

void sem_changed(struct semset *s)
{
    WRITE_ONCE(s->version, s->version + 1);
    waitq_wake_all(&s->wait);
}

void sem_exit(struct process *p)
{
    struct sem_undo *u, *next;
    if (list_empty(&undos))
        return;
    mutex_lock(&sem_ids.lock);
    list_for_each_entry_safe (u, next, &undos, link) {
        struct semset *s = u->set;
        if (u->process != p)
            continue;
        for (u32 i = 0; i < s->n && !s->dead; i++) {
            s32 v = s->sem[i].val + u->adj[i];
            if (!u->adj[i])
                continue;
            s->sem[i].val = v < 0 ? 0 : min(v, SEM_VMX);
            s->sem[i].pid = p->pid;
            s->otime = sysv_now();
        }
        if (!s->dead)
            sem_changed(s);
        undo_free(u);
    }
    mutex_unlock(&sem_ids.lock);
}

/* ---- semop ---- */
/* Does all n operations: 0; or nothing: 1 (*at is the one that has to wait), -ERANGE. */
static int try_ops(struct semset *s, const struct sembuf_k *op, u32 n, struct sem_undo *u, u32 *at)
{
    u32 i;
    int res = 0;
    for (i = 0; i < n; i++) {
        struct sem *m = &s->sem[op[i].num];
        s32 v = m->val + op[i].op;
        *at = i;
        if (op[i].op == 0 ? m->val != 0 : v < 0)
            res = 1;
        else if (v > SEM_VMX)
            res = -ERANGE;
        else if ((op[i].flags & SEM_UNDO) && (u->adj[op[i].num] - op[i].op > SEM_VMX ||
                                              u->adj[op[i].num] - op[i].op < -SEM_VMX - 1))
            res = -ERANGE;
        if (res)
            break;
        m->val = v;
        if (op[i].flags & SEM_UNDO)
            u->adj[op[i].num] -= op[i].op;
    }
    if (!res) {
        for (i = 0; i < n; i++)
            s->sem[op[i].num].pid = current_process()->pid;
        s->otime = sysv_now();
        return 0;
    }
    while (i--) {
        s->sem[op[i].num].val -= op[i].op;
        if (op[i].flags & SEM_UNDO)
            u->adj[op[i].num] += op[i].op;
    }
    return res;
}

static int check_ops(struct semset *s, const struct sembuf_k *op, u32 n, bool *undo)
{
    bool alter = false;
    *undo = false;
    for (u32 i = 0; i < n; i++) {
        if (op[i].num >= s->n)
            return -EFBIG;
        alter |= op[i].op != 0;
        *undo |= (op[i].flags & SEM_UNDO) != 0;
    }
    return sysv_access(&s->perm, alter ? 2 : 4);
}

/* Lock held on entry and exit, given up while waiting. The set may be dead afterwards. */
static s64 wait_change(struct semset *s, const struct sembuf_k *op, u64 deadline)
{
    struct sem *m = &s->sem[op->num];
    u32 *count = op->op ? &m->ncnt : &m->zcnt;
    u64 version = s->version;
    if (op->flags & IPC_NOWAIT)
        return -EAGAIN;
    s->refs++;
    ++*count;
    mutex_unlock(&sem_ids.lock);
    s64 res = waitq_wait_timeout(&s->wait, READ_ONCE(s->version) != version || READ_ONCE(s->dead),
                                 deadline);
    mutex_lock(&sem_ids.lock);
    --*count;
    if (s->dead)
        res = -EIDRM;
    else
        res = res > 0 ? 0 : res == 0 ? -EAGAIN : -EINTR;
    return res;
}

static s64 do_semop(s32 id, const struct sembuf_k *op, u32 n, u64 deadline)
{
    bool undo;
    mutex_lock(&sem_ids.lock);
    struct sysv_perm *p = sysv_find(&sem_ids, id);
    struct semset *s = p ? semset_of(p) : NULL;
    s64 res = s ? check_ops(s, op, n, &undo) : -EINVAL;
    while (!res) {
        u32 at = 0;
        struct sem_undo *u = undo ? undo_get(current_process(), s) : NULL;
        if (undo && !u) {
            res = -ENOMEM;
            break;
        }
        res = try_ops(s, op, n, u, &at);
        if (res <= 0) {
            if (!res)
                sem_changed(s);
            break;
        }
        res = wait_change(s, &op[at], deadline);
        if (res == -EAGAIN && (op[at].flags & IPC_NOWAIT))
            break;
        bool dead = s->dead;
        semset_put(s);
        if (dead)
            break;
    }
    mutex_unlock(&sem_ids.lock);
    return res;
}

static s64 semop_user(u64 id, u64 user, u64 n, u64 deadline)
{
    struct sembuf_k fast[8], *op = fast;
    if (n == 0)
        return -EINVAL;
    if (n > SEM_OPM)
        return -E2BIG;
    if ((s32)id < 0)
        return -EINVAL;
    if (n > ARRAY_SIZE(fast)) {
        op = kmalloc(n * sizeof(*op), GFP_KERNEL);
        if (!op)
            return -ENOMEM;
    }
    s64 res = copy_from_user(op, user, n * sizeof(*op)) ? -EFAULT
                                                        : do_semop((s32)id, op, (u32)n, deadline);
    if (op != fast)
        kfree(op);
    return res;
}

SYSCALL(semop)
{
    return semop_user(a0, a1, (u32)a2, U64_MAX);
}

SYSCALL(semtimedop)
{
    u64 deadline;
    int err = timeout_from_user(a3, &deadline);
    return err ? err : semop_user(a0, a1, (u32)a2, deadline);
}

static void sem_show(struct seq *out, void *arg)
{
    seq_puts(
        out,
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    mutex_lock(&sem_ids.lock);
    for (u32 i = 0; i < sem_ids.nr_slots; i++) {
        if (!sem_ids.slot[i])
            continue;
        struct semset *s = semset_of(sem_ids.slot[i]);
        const struct sysv_perm *p = &s->perm;
        seq_printf(out, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", p->key, p->id, p->mode,
                   s->n, p->uid, p->gid, p->cuid, p->cgid, (u64)s->otime, (u64)s->ctime);
    }
    mutex_unlock(&sem_ids.lock);
}

void sem_boot(void)
{
    struct proc_file f = {.path = "/proc/sysvipc/sem", .mode = 0444, .show = sem_show};
    if (proc_register(&f))
        log_print(LOG_ERR, "sem: no memory for /proc/sysvipc\n");
}
