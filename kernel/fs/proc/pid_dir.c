/* SPDX-License-Identifier: MIT */
/* /proc: the root (fixed names, then processes by number), and /proc/PID/task. */
#include "pfs.h"

#define FIRST_PID_POS 0x100000UL

/* The leader, referenced, or NULL when the process has been reaped. */
static struct task *leader_get(struct process *p)
{
    u64 irq = spin_lock_irqsave(&tasklist_lock);
    struct task *t = p->leader ? task_get(p->leader) : NULL;
    spin_unlock_irqrestore(&tasklist_lock, irq);
    return t;
}

/* ---- /proc/PID/task ---- */
static bool parse_pid(const char *name, size_t len, s32 *out)
{
    s64 v = 0;
    if (len == 0 || len > 9 || (name[0] == '0'))
        return false;
    for (size_t k = 0; k < len; k++) {
        if (name[k] < '0' || name[k] > '9')
            return false;
        v = v * 10 + (name[k] - '0');
    }
    *out = (s32)v;
    return true;
}

static int task_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct pid_inode *pi = dir->priv, like = *pi;
    s32 tid;
    if (!parse_pid(name, len, &tid))
        return -ENOENT;
    struct task *t = task_find(tid);
    if (!t || t->process != pi->p) {
        if (t)
            task_put(t);
        return -ENOENT;
    }
    like.t = t;
    like.in_task = true;
    like.e = NULL;
    *out = pid_make_inode(dir->sb, &like, S_IFDIR | 0555, PID_INO(tid, 1, 0, 0), &pid_dir_iops,
                          &pid_dir_fops);
    task_put(t);
    return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}

/* The lowest thread number >= from of the group, or 0. */
static s32 next_tid(struct process *p, s32 from)
{
    s32 best = 0;
    struct task *t;
    u64 irq = spin_lock_irqsave(&p->lock);
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->tid >= from && (!best || t->tid < best))
            best = t->tid;
    }
    spin_unlock_irqrestore(&p->lock, irq);
    return best;
}

static size_t put_number(char *buf, u64 v)
{
    return (size_t)fmt_print(buf, 24, "%lu", v);
}

static int task_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct pid_inode *pi = f->inode->priv;
    char name[24];
    if (pid_gone(pi))
        return -ENOENT;
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    for (s32 tid = (s32)(f->pos - 2); (tid = next_tid(pi->p, tid)); tid++) {
        if (!emit(ctx, name, put_number(name, (u64)tid), PID_INO(tid, 1, 0, 0), DT_DIR,
                  (u64)tid + 3))
            return 0;
        f->pos = (u64)tid + 3;
    }
    return 0;
}
static int task_getattr(struct inode *i, struct kstat *st)
{
    struct pid_inode *pi = i->priv;
    st->nlink = 2 + READ_ONCE(pi->p->nr_threads);
    return pid_getattr(i, st);
}
const struct inode_ops pid_task_iops = {.lookup = task_lookup,
                                        .getattr = task_getattr,
                                        .revalidate = pid_revalidate,
                                        .evict = pid_evict};
const struct file_ops pid_task_fops = {.readdir = task_readdir};

/* ---- the root ---- */
static int root_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    s32 pid;
    struct pnode *c = pnode_child(&proc_root_node, name, len);
    if (c) {
        *out = pnode_inode(dir->sb, c);
        return *out ? 0 : -ENOMEM;
    }
    if (!parse_pid(name, len, &pid))
        return -ENOENT;
    /* a thread's number names its group, unlisted */
    struct task *t = task_find(pid);
    struct process *p = t ? process_get(t->process) : process_find(pid);
    if (p && !t)
        t = leader_get(p);
    int err = -ENOENT;
    if (p && t && READ_ONCE(p->state) != PROCESS_REAPED) {
        struct pid_inode like = {.p = p, .t = t};
        *out = pid_make_inode(dir->sb, &like, S_IFDIR | 0555, PID_INO(pid, 0, 0, 0), &pid_dir_iops,
                              &pid_dir_fops);
        err = IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
    }
    if (t)
        task_put(t);
    if (p)
        process_put(p);
    return err;
}

struct root_dir {
    struct file *f;
    emit_fn *emit;
    void *ctx;
};
static int emit_process(void *ctx, struct process *p)
{
    struct root_dir *r = ctx;
    char name[24];
    u64 pos = FIRST_PID_POS + (u64)p->pid;
    if (pos < r->f->pos || p->state == PROCESS_REAPED)
        return 0;
    if (!r->emit(r->ctx, name, put_number(name, (u64)p->pid), PID_INO(p->pid, 0, 0, 0), DT_DIR,
                 pos + 1))
        return 1;
    r->f->pos = pos + 1;
    return 0;
}

static int root_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct root_dir r = {f, emit, ctx};
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    if (f->pos < FIRST_PID_POS && pnode_readdir(&proc_root_node, f, emit, ctx, 2))
        return 0;
    if (f->pos < FIRST_PID_POS)
        f->pos = FIRST_PID_POS;
    process_for_each(emit_process, &r);
    return 0;
}

const struct inode_ops proc_root_iops = {.lookup = root_lookup, .revalidate = pid_revalidate};
const struct file_ops proc_root_fops = {.readdir = root_readdir};
