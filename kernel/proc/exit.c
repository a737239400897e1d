/* SPDX-License-Identifier: MIT */
/*
 * The end of threads and processes, and telling the parent.
 *
 *   thread ends: futexes, mm, files, fs · out of the group · (last one: children to a reaper, groups, ZOMBIE, parent told)
 *
 *   ALIVE --last thread ends--> ZOMBIE --wait(2), or the parent ignores SIGCHLD--> REAPED
 *
 * The leader's task stays in the table until the process is reaped, whoever ends last.
 */
#include "proc.h"
#include <kernel/ptrace.h>
#include <kernel/socket.h>
#include <arch/power.h>
#include <arch/mmu.h>
#include <arch/trap.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <mm/mm.h>
#include <port/log.h>

void notify_parent_locked(struct process *p, int code, int status)
{
    struct process *parent = p->parent;
    if (!parent)
        return;
    int sig = code == CLD_STOPPED || code == CLD_CONTINUED ? SIGCHLD : p->exit_signal;
    struct sigaction_k *a = parent->leader ? &parent->leader->sighand->action[SIGCHLD - 1] : NULL;
    bool stopping = code == CLD_STOPPED || code == CLD_CONTINUED;
    if (sig && !(stopping && a && (a->flags & SA_NOCLDSTOP))) {
        struct siginfo_k info = {.signo = sig, .code = code};
        u64 ut, st;
        process_times(p, &ut, &st);
        info.chld.pid = p->pid;
        info.chld.uid = p->leader ? p->leader->cred->uid : 0;
        info.chld.status = status;
        info.chld.utime = (s64)(ut / 10000000);
        info.chld.stime = (s64)(st / 10000000);
        signal_send_entry(parent, NULL, sig, &info, &p->chld);
    }
    waitq_wake_all(&parent->signal.child_wait);
}

void task_drop_mm(struct task *t)
{
    struct mm *mm = t->mm;
    if (!mm)
        return;
    u64 rss = rss_total(mm);
    if (rss < mm->hiwater_rss)
        rss = mm->hiwater_rss;
    if (t->process->maxrss < rss)
        t->process->maxrss = rss;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->mm = NULL;
    mmu_switch(NULL);
    spin_unlock_irqrestore(&t->process->lock, flags);
    mm_put(mm);
}

/* tasklist_lock held. Who takes over the children of p. */
static struct process *reaper_of(struct process *p)
{
    if (p->has_subreaper)
        for (struct process *a = p->parent; a && a != init_process; a = a->parent)
            if (a->child_subreaper && a->state == PROCESS_ALIVE && !a->signal.group_exit)
                return a;
    return init_process;
}

static void hangup_if_orphaned(struct pgrp *g, struct process *without)
{
    struct process *m;
    if (!g || !pgrp_orphaned_locked(g, without) || !pgrp_has_stopped_locked(g))
        return;
    list_for_each_entry (m, &g->members, pgrp_link) {
        signal_send_info(m, NULL, SIGHUP, NULL);
        signal_send_info(m, NULL, SIGCONT, NULL);
    }
}

static void zombie_reap_locked(struct process *p);

static s32 cld_of(s32 status)
{
    return status & 0x80 ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
}

/* si_status of a process that ended. */
static s32 detail_of(s32 status)
{
    return status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
}

static bool parent_ignores(struct process *p)
{
    struct process *parent = p->parent;
    if (p->exit_signal != SIGCHLD || !parent->leader)
        return p->exit_signal == 0;
    struct sigaction_k *a = &parent->leader->sighand->action[SIGCHLD - 1];
    return a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT);
}

static void send_pdeath(struct process *child)
{
    struct task *t;
    list_for_each_entry (t, &child->threads, thread_link)
        if (t->pdeath_signal)
            signal_send_info(child, t, t->pdeath_signal, NULL);
}

static void reparent_children(struct process *p)
{
    struct process *c, *next, *to = reaper_of(p);
    list_for_each_entry_safe (c, next, &p->children, sibling) {
        list_unlink(&c->sibling);
        c->parent = to;
        list_add_tail(&c->sibling, &to->children);
        send_pdeath(c);
        if (c->state == PROCESS_ZOMBIE && c->leader->trace.tracer && c->leader->trace.tracer->process != p) {
            c->exit_signal = SIGCHLD; /* its tracer comes first */
        } else if (c->state == PROCESS_ZOMBIE) {
            c->exit_signal = SIGCHLD;
            if (parent_ignores(c))
                zombie_reap_locked(c);
            else
                notify_parent_locked(c, cld_of(c->exit_code), detail_of(c->exit_code));
        } else {
            c->exit_signal = SIGCHLD;
            if (c->pgrp != p->pgrp && c->sid == p->sid)
                hangup_if_orphaned(c->pgrp, p);
        }
    }
}

/* tasklist_lock held; p is a zombie: out of every table. */
static void zombie_reap_locked(struct process *p)
{
    struct task *leader = p->leader;
    if (leader->trace.tracer)
        ptrace_unlink_locked(leader);
    p->state = PROCESS_REAPED;
    list_unlink(&p->sibling);
    list_init(&p->sibling);
    pgrp_leave_locked(p);
    pid_detach_locked(p->pid);
    spin_lock(&p->lock);
    p->leader = NULL;
    spin_unlock(&p->lock);
    waitq_wake_all(&p->signal.signalfd_wait);
    task_put(leader);
    process_put(p);
}

void process_reap_locked(struct process *p)
{
    struct process *parent = p->parent;
    u64 ut, st;
    process_times(p, &ut, &st);
    parent->cutime_ns += ut + p->cutime_ns;
    parent->cstime_ns += st + p->cstime_ns;
    parent->cmin_flt += p->dead_min_flt + p->cmin_flt;
    parent->cmaj_flt += p->dead_maj_flt + p->cmaj_flt;
    parent->cnvcsw += p->dead_nvcsw + p->cnvcsw;
    parent->cnivcsw += p->dead_nivcsw + p->cnivcsw;
    parent->cio_read += p->dead_io_read + p->cio_read;
    parent->cio_write += p->dead_io_write + p->cio_write;
    for (int i = 0; i < 4; i++)
        parent->gone_calls[i] += p->gone_calls[i];
    u64 rss = max(p->maxrss, p->cmaxrss);
    if (parent->cmaxrss < rss)
        parent->cmaxrss = rss;
    zombie_reap_locked(p);
}

static void account_dead(struct process *p, struct task *t)
{
    u64 ut, st;
    task_times(t, &ut, &st);
    p->dead_utime_ns += ut;
    p->dead_stime_ns += st;
    p->dead_min_flt += t->thread.ctx.min_flt;
    p->dead_maj_flt += t->thread.ctx.maj_flt;
    p->dead_nvcsw += t->nvcsw;
    p->dead_nivcsw += t->nivcsw;
    p->dead_io_read += t->io_read_bytes;
    p->dead_io_write += t->io_write_bytes;
    const u64 calls[4] = {t->rchar, t->wchar, t->syscr, t->syscw};
    for (int i = 0; i < 4; i++)
        p->gone_calls[i] += calls[i];
}

/* The last thread is about to leave: children and groups. tasklist_lock held. */
static void leave_family(struct process *p)
{
    struct pgrp *g = p->pgrp;
    reparent_children(p);
    if (g && p->parent && p->parent->pgrp != g && p->parent->sid == p->sid)
        hangup_if_orphaned(g, p);
}

void process_zombie_locked(struct process *p, struct sigqueue **q)
{
    struct task *leader = p->leader;
    struct sigqueue *none = NULL;
    p->state = PROCESS_ZOMBIE;
    p->signal.stop_report = p->signal.cont_report = false;
    waitq_wake_all(&p->signal.signalfd_wait);
    if (leader->trace.tracer && !ptrace_by_parent(leader)) {
        if (!ptrace_tell_end_locked(leader, p->exit_code, q ? q : &none))
            return; /* the parent hears of it when the tracer has waited */
        ptrace_unlink_locked(leader);
    }
    bool ignore = parent_ignores(p);
    notify_parent_locked(p, cld_of(p->exit_code), detail_of(p->exit_code));
    if (ignore)
        zombie_reap_locked(p);
}

void ptrace_release_locked(struct task *t)
{
    struct process *p = t->process;
    t->trace.zombie = false;
    pid_detach_locked(t->tid);
    if (--p->traced_dead == 0 && list_empty(&p->threads))
        process_zombie_locked(p, NULL);
    task_put(t);
}

void do_exit(int status)
{
    struct task *t = current_task();
    struct process *p = t->process;
    ASSERT(!t->thread.idle && !in_interrupt());
    if (t->thread.kthread)
        sched_exit();
    coredump_join(t); /* sets t->exiting */
    if (unlikely(ptrace_event_enabled(PTRACE_EVENT_EXIT)))
        ptrace_exit_event(status);
    t->exit_code = status;

    u64 flags = spin_lock_irqsave(&p->lock);
    bool last = --p->nr_threads == 0;
    if (last && !p->signal.group_exit)
        p->exit_code = status;
    if (last)
        p->signal.group_exit = true;
    spin_unlock_irqrestore(&p->lock, flags);
    if (p == init_process && last) {
        u32 code = (u32)p->exit_code;
        arch_debug_exit((u8)(code & 0x7f ? 128 + (code & 0x7f) : code >> 8));
        panic("Attempted to kill init! exitcode=0x%08x", code);
    }

    if (last)
        process_timers_exit(p);
    futex_exit(t);
    vfork_release(t);
    task_drop_mm(t);
    /* Out of sight first: /proc takes references of what it finds under RCU. */
    struct fd_table *files = t->files;
    struct fs_struct *fs = t->fs;
    store_release(&t->files, NULL);
    fd_table_put(files);
    store_release(&t->fs, NULL);
    fs_struct_put(fs);
    if (last)
        sysv_exit(p);
    if (last && p->pid == p->sid && tty_session_exit)
        tty_session_exit(p);

    bool leader = t == p->leader;
    bool traced = READ_ONCE(t->trace.tracer) || READ_ONCE(p->leader->trace.tracer);
    struct sigqueue *q = unlikely(traced) ? sigqueue_alloc() : NULL;
    flags = spin_lock_irqsave(&tasklist_lock);
    if (unlikely(!list_empty(&t->trace.traced)))
        ptrace_exit_tracer_locked(t);
    spin_lock(&p->lock);
    signal_flush_pending(&t->signal.pending, ~0UL);
    account_dead(p, t);
    list_unlink(&t->thread_link);
    list_init(&t->thread_link);
    bool group_gone = list_empty(&p->threads);
    if (group_gone)
        signal_flush_pending(&p->signal.pending, ~0UL);
    spin_unlock(&p->lock);
    waitq_wake_all(&p->signal.group_wait);
    if (group_gone)
        leave_family(p);
    if (!leader && !ptrace_exit_tracee_locked(t, &q)) {
        pid_detach_locked(t->tid);
        task_put(t);
    }
    if (group_gone && !p->traced_dead)
        process_zombie_locked(p, &q);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    sigqueue_free(q);
    sched_exit();
}

void do_group_exit(int status)
{
    struct process *p = current_process();
    u64 flags = spin_lock_irqsave(&p->lock);
    if (p->signal.group_exit)
        status = p->exit_code;
    else
        signal_kill_group_locked(p, status);
    spin_unlock_irqrestore(&p->lock, flags);
    do_exit(status);
}

static bool alone(struct process *p)
{
    u64 flags = spin_lock_irqsave(&p->lock);
    bool yes = list_is_singular(&p->threads);
    spin_unlock_irqrestore(&p->lock, flags);
    return yes;
}

int exec_de_thread(void)
{
    struct task *me = current_task(), *t;
    struct process *p = me->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    if (p->signal.group_exit || p->signal.exec_task) {
        spin_unlock_irqrestore(&p->lock, flags);
        return -EAGAIN;
    }
    if (!list_is_singular(&p->threads)) {
        p->signal.exec_task = me;
        list_for_each_entry (t, &p->threads, thread_link) {
            if (t == me)
                continue;
            t->signal.pending.set |= sig_bit(SIGKILL);
            signal_tell_locked(t, true);
        }
        spin_unlock_irqrestore(&p->lock, flags);
        if (waitq_wait_killable(&p->signal.group_wait, alone(p))) {
            p->signal.exec_task = NULL;
            return -EINTR;
        }
        flags = spin_lock_irqsave(&p->lock);
    }
    spin_unlock_irqrestore(&p->lock, flags);

    flags = spin_lock_irqsave(&tasklist_lock);
    struct task *old = p->leader;
    if (old != me) { /* take over the leader's number */
        pid_detach_locked(me->tid);
        me->tid = p->pid;
        pid_attach_locked(p->pid, me);
        spin_lock(&p->lock);
        p->leader = me;
        spin_unlock(&p->lock);
        if (old->trace.tracer) { /* it vanishes unseen; the tracer may wait for somebody else now */
            waitq_wake_all(&old->trace.tracer->process->signal.child_wait);
            ptrace_unlink_locked(old);
        }
        task_put(old);
    }
    p->signal.exec_task = NULL;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return 0;
}

SYSCALL(exit)
{
    do_exit((int)(a0 & 0xff) << 8);
}

SYSCALL(exit_group)
{
    do_group_exit((int)(a0 & 0xff) << 8);
}

void kernel_oops_exit(struct regs *regs)
{
    struct task *t = current_task();
    if (t->thread.idle || t->thread.kthread || t->exiting)
        panic("Fatal exception");
    do_group_exit(SIGSEGV);
}
