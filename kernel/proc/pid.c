/* SPDX-License-Identifier: MIT */
/*
 * Process numbers: a bitmap of 32,768, and for each number in use a slot that names the thread, the process group and counts
 * the groups of the session that bear it.
 *
 * P1. A bit is set while its slot names anything, so a number is not given out again while a group or session still has it.
 * Locks: tasklist_lock; slots' memory comes in leaves that stay.
 */
#include "proc.h"
#include <lib/bitmap.h>
#include <port/log.h>

#define LEAF_SLOTS 128

struct slot {
    struct task *task;
    struct pgrp *pgrp;
    u32 session_groups;
    bool reserved; /* given out by pid_alloc(), nothing attached yet */
};

spinlock_t tasklist_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static DECLARE_BITMAP(used, PID_MAX);
static struct slot *leaves[PID_MAX / LEAF_SLOTS];
static u32 last_pid, nr_used;
static u64 nr_forks;

s32 pid_last(void)
{
    return (s32)READ_ONCE(last_pid);
}

u64 pid_forks(void)
{
    return READ_ONCE(nr_forks);
}

/* Number 0: no task, but the group and session of the first program until it makes its own, as on Linux. */
static struct slot slot_zero = {.reserved = true};

static struct slot *slot_of(s32 pid)
{
    if (pid == 0)
        return &slot_zero;
    if (pid < 0 || pid >= PID_MAX || !leaves[pid / LEAF_SLOTS])
        return NULL;
    return &leaves[pid / LEAF_SLOTS][pid % LEAF_SLOTS];
}

static void slot_release(s32 pid, struct slot *s)
{
    if (s->task || s->pgrp || s->session_groups || s->reserved)
        return;
    clear_bit((u64)pid, used);
    nr_used--;
}

static s32 pick(s32 want)
{
    if (want)
        return want < 0 || want >= PID_MAX ? -EINVAL : test_bit((u64)want, used) ? -EEXIST : want;
    u64 pid = bitmap_find_next_zero(used, PID_MAX, last_pid + 1);
    if (pid == PID_MAX)
        pid = bitmap_find_next_zero(used, PID_MAX,
                                    last_pid > 300 ? 300 : 1); /* as Linux: low ones stay free */
    return pid == PID_MAX ? -EAGAIN : (s32)pid;
}

s32 pid_alloc(s32 want)
{
    struct slot *fresh = NULL;
    for (;;) {
        u64 flags = spin_lock_irqsave(&tasklist_lock);
        s32 pid = pick(want);
        if (pid < 0) {
            spin_unlock_irqrestore(&tasklist_lock, flags);
            kfree(fresh);
            return pid;
        }
        u32 leaf = (u32)pid / LEAF_SLOTS;
        if (!leaves[leaf] && fresh) {
            leaves[leaf] = fresh;
            fresh = NULL;
        }
        if (leaves[leaf]) {
            set_bit((u64)pid, used);
            nr_used++;
            slot_of(pid)->reserved = true;
            nr_forks++;
            if (!want)
                last_pid = (u32)pid;
            spin_unlock_irqrestore(&tasklist_lock, flags);
            if (unlikely(fresh))
                kfree(fresh);
            return pid;
        }
        spin_unlock_irqrestore(&tasklist_lock, flags);
        if (!fresh && !(fresh = kzalloc(LEAF_SLOTS * sizeof(struct slot), GFP_KERNEL)))
            return -ENOMEM;
    }
}

void pid_cancel(s32 pid)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct slot *s = slot_of(pid);
    s->reserved = false;
    slot_release(pid, s);
    spin_unlock_irqrestore(&tasklist_lock, flags);
}

/* A thread counts for its user while it has a number. */
static void count(const struct task *t, s64 by)
{
    __atomic_fetch_add(&t->cred->user->nproc, by, __ATOMIC_RELAXED);
}

void pid_attach_locked(s32 pid, struct task *t)
{
    struct slot *s = slot_of(pid);
    if (s->task)
        count(s->task, -1);
    count(t, 1);
    s->task = t;
    s->reserved = false;
}

void pid_detach_locked(s32 pid)
{
    struct slot *s = slot_of(pid);
    count(s->task, -1);
    s->task = NULL;
    slot_release(pid, s);
}

struct task *pid_task_locked(s32 pid)
{
    struct slot *s = slot_of(pid);
    return s ? s->task : NULL;
}

struct process *pid_process_locked(s32 pid)
{
    struct task *t = pid_task_locked(pid);
    return t && t->process->pid == pid ? t->process : NULL;
}

struct pgrp *pgrp_find_locked(s32 pgid)
{
    struct slot *s = slot_of(pgid);
    return s ? s->pgrp : NULL;
}

static void pgrp_free_rcu(struct rcu_head *h)
{
    kfree(container_of(h, struct pgrp, rcu));
}

void pgrp_leave_locked(struct process *p)
{
    struct pgrp *g = p->pgrp;
    if (!g)
        return;
    list_unlink(&p->pgrp_link);
    p->pgrp = NULL;
    if (!list_empty(&g->members))
        return;
    struct slot *s = slot_of(g->pgid);
    s->pgrp = NULL;
    slot_release(g->pgid, s);
    s = slot_of(g->sid);
    s->session_groups--;
    slot_release(g->sid, s);
    rcu_call(&g->rcu, pgrp_free_rcu);
}

void pgrp_join_locked(struct process *p, s32 pgid, s32 sid, struct pgrp **fresh)
{
    struct slot *s = slot_of(pgid);
    struct pgrp *g = s->pgrp;
    if (!g) {
        g = *fresh;
        *fresh = NULL;
        *g = (struct pgrp){.pgid = pgid, .sid = sid};
        list_init(&g->members);
        s->pgrp = g;
        slot_of(sid)->session_groups++;
    }
    if (p->pgrp != g) {
        ASSERT(!p->pgrp); /* the caller has let it leave its old one */
        p->pgrp = g;
        list_add_tail(&p->pgrp_link, &g->members);
    }
    p->pgid = pgid;
    p->sid = sid;
}

bool pgrp_orphaned_locked(struct pgrp *g, struct process *without)
{
    struct process *p;
    list_for_each_entry (p, &g->members, pgrp_link) {
        if (p == without || p->state != PROCESS_ALIVE || !p->parent || p->parent == init_process)
            continue;
        if (p->parent->pgrp != g && p->parent->sid == g->sid)
            return false;
    }
    return true;
}

bool pgrp_has_stopped_locked(struct pgrp *g)
{
    struct process *p;
    list_for_each_entry (p, &g->members, pgrp_link)
        if (p->signal.stopped)
            return true;
    return false;
}

u32 pid_count(void)
{
    return READ_ONCE(nr_used);
}

struct process *process_find(s32 pid)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct process *p = pid_process_locked(pid);
    if (p)
        process_get(p);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return p;
}

struct task *task_find(s32 tid)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct task *t = pid_task_locked(tid);
    if (t)
        task_get(t);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return t;
}

void process_for_each(int (*fn)(void *ctx, struct process *p), void *ctx)
{
    u64 pid = 0;
    for (;;) {
        struct process *p = NULL;
        u64 flags = spin_lock_irqsave(&tasklist_lock);
        while (!p && (pid = bitmap_find_next_set(used, PID_MAX, pid + 1)) < PID_MAX)
            p = pid_process_locked((s32)pid);
        if (p)
            process_get(p);
        spin_unlock_irqrestore(&tasklist_lock, flags);
        if (!p)
            return;
        int stop = fn(ctx, p);
        process_put(p);
        if (stop)
            return;
    }
}
