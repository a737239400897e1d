/* SPDX-License-Identifier: MIT */
/*
 * Processes as the OOM killer sees them (mm/oom.h), and what it does to them.
 *
 *   process->oom_mm   the address space for which the process was chosen, grabbed until the process is freed: while it is not
 *                     MMF_OOM_SKIP nobody else is chosen (O1 in mm/reclaim/oom.c), also when no thread has it any more
 *
 * Locks: tasklist_lock, process->lock inside; neither is held while the core looks at a process.
 */
#include "proc.h"
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/oom.h>
#include <mm/trace.h>
#include <port/cpu.h>
#include <port/log.h>

/* p->lock held. Does it end without anybody's help? A dump of its core may take long. */
static bool dying(const struct process *p, const struct task *t)
{
    if (p->signal.core)
        return false;
    return p->signal.group_exit || (t->exiting && list_is_singular(&p->threads));
}

/* p->lock held. The first thread with memory, or the leader. */
static struct task *thread_with_mm(struct process *p)
{
    struct task *t;
    list_for_each_entry (t, &p->threads, thread_link)
        if (t->mm && !t->thread.kthread)
            return t;
    return p->leader;
}

/* tasklist_lock and p->lock held. */
static void describe(struct process *p, struct task *t, struct oom_task *out)
{
    struct process *parent = p->parent;
    *out = (struct oom_task){.process = p,
                             .mm = t->mm,
                             .pid = t->tid,
                             .tgid = p->pid,
                             .uid = t->cred->uid,
                             .adj = p->oom_score_adj,
                             .victim_mm = p->oom_mm};
    memcpy(out->name, t->comm, sizeof(out->name));
    if (p == init_process)
        out->flags |= OOM_TASK_INIT;
    if (dying(p, t))
        out->flags |= OOM_TASK_DYING;
    if (t->vfork_done && t->mm && parent && parent->leader && parent->leader->mm == t->mm)
        out->flags |= OOM_TASK_VFORK;
    if (out->mm)
        mm_grab(out->mm);
}

static bool show(struct process *p, struct oom_task *out)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    spin_lock(&p->lock);
    struct task *t = p->state == PROCESS_ALIVE ? thread_with_mm(p) : NULL;
    if (t)
        describe(p, t, out);
    spin_unlock(&p->lock);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return t;
}

bool oom_task_of(struct process *p, struct oom_task *out)
{
    return show(p, out);
}

void oom_task_done(const struct oom_task *t)
{
    if (t->mm)
        mm_drop(t->mm);
}

struct adjust {
    struct process *of;
    struct mm *mm;
    s16 adj;
    bool old;
};

static void adjust(struct process *p, const struct adjust *a)
{
    p->oom_score_adj = a->adj;
    trace_oom_score_adj_update(p->pid, p->leader ? p->leader->comm : "", a->adj);
    if (!a->old && capable(24 /* CAP_SYS_RESOURCE */))
        p->oom_score_adj_min = a->adj;
}

static int adjust_sharer(void *ctx, struct process *p)
{
    const struct adjust *a = ctx;
    struct oom_task t;
    if (p == a->of || !show(p, &t))
        return 0;
    if (t.mm == a->mm && !(t.flags & OOM_TASK_INIT))
        adjust(p, a);
    oom_task_done(&t);
    return 0;
}

int oom_set_adj(struct process *p, s16 adj, bool old)
{
    struct adjust a = {.of = p, .adj = adj, .old = old};
    struct oom_task t;
    if (adj < (old ? p->oom_score_adj : p->oom_score_adj_min) && !capable(24 /* CAP_SYS_RESOURCE */))
        return -EACCES;
    adjust(p, &a);
    if (!show(p, &t))
        return 0;
    /* A child by vfork runs in its parent's memory only until it execs: it sets its own. */
    a.mm = t.mm && !(t.flags & OOM_TASK_VFORK) && READ_ONCE(t.mm->users) > 1 ? t.mm : NULL;
    if (a.mm)
        process_for_each(adjust_sharer, &a);
    oom_task_done(&t);
    return 0;
}

struct visit {
    bool (*fn)(void *ctx, const struct oom_task *t);
    void *ctx;
};

static int visit(void *ctx, struct process *p)
{
    struct visit *v = ctx;
    struct oom_task t;
    if (!show(p, &t))
        return 0;
    bool stop = v->fn(v->ctx, &t);
    oom_task_done(&t);
    return stop;
}

static void for_each(bool (*fn)(void *ctx, const struct oom_task *t), void *ctx)
{
    struct visit v = {fn, ctx};
    process_for_each(visit, &v);
}

static void hold(const struct oom_task *t)
{
    process_get(t->process);
    if (t->mm)
        mm_grab(t->mm);
}

static void release(const struct oom_task *t)
{
    oom_task_done(t);
    process_put(t->process);
}

static bool current(struct oom_task *out)
{
    struct task *t = current_task();
    struct process *p = t->process;
    if (t->thread.kthread || !t->mm)
        return false;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    spin_lock(&p->lock);
    describe(p, t, out);
    spin_unlock(&p->lock);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    process_get(p);
    return true;
}

static void kill(const struct oom_task *t)
{
    signal_send_process(t->process, SIGKILL);
}

static void mark(const struct oom_task *t)
{
    struct process *p = t->process;
    struct mm *none = NULL;
    mm_grab(t->mm);
    if (!__atomic_compare_exchange_n(&p->oom_mm, &none, t->mm, false, __ATOMIC_RELEASE,
                                     __ATOMIC_RELAXED))
        mm_drop(t->mm);
}

static bool current_is_victim(void)
{
    struct task *t = current_task();
    return !t->thread.kthread && load_acquire(&t->process->oom_mm);
}

static void describe_current(struct seq *s, char name[16], s16 *adj)
{
    struct task *t = current_task();
    char release_name[65], version[65], node[65];
    uts_read(release_name, version, node);
    const char *end = str_chr(version, ' ');
    memcpy(name, t->comm, sizeof(t->comm));
    *adj = t->process->oom_score_adj;
    seq_printf(s, "CPU: %u UID: %u PID: %d Comm: %s Not tainted %s %.*s", cpu_id(), t->cred->uid,
               t->tid, t->comm, release_name, end ? (int)(end - version) : 65, version);
}

void oom_init(void)
{
    static const struct oom_ops ops = {.for_each = for_each,
                                       .current = current,
                                       .hold = hold,
                                       .release = release,
                                       .kill = kill,
                                       .mark = mark,
                                       .current_is_victim = current_is_victim,
                                       .describe_current = describe_current};
    if (oom_boot(&ops))
        panic("no memory for the OOM reaper");
}
