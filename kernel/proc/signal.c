/* SPDX-License-Identifier: MIT */
/*
 * Sending signals, pending sets, who gets them. Delivery is in sigdeliver.c, the calls in sigcalls.c.
 *
 *   send -> ignored? drop -> stop/continue cancel each other -> pending set (of the thread, or shared) -> wake a thread
 *   a signal that will end the process ends it here: every thread gets SIGKILL, so that killable sleeps see it at once
 *
 * Locks: process->lock, irqsave. Entries are allocated before it is taken, never in interrupts, and freed after a grace
 * period, because the slab's locks are not safe inside it. A signal without an entry is delivered with SI_KERNEL.
 */
#include "proc.h"
#include <kernel/ptrace.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <port/log.h>

#define B(s) (1UL << ((s)-1))
static const u64 ignore_default = B(SIGCHLD) | B(SIGCONT) | B(SIGURG) | B(SIGWINCH);
static const u64 stop_signals = B(SIGSTOP) | B(SIGTSTP) | B(SIGTTIN) | B(SIGTTOU);
static const u64 core_signals = B(SIGQUIT) | B(SIGILL) | B(SIGTRAP) | B(SIGABRT) | B(SIGBUS) | B(SIGFPE) | B(SIGSEGV) |
                                B(SIGXCPU) | B(SIGXFSZ) | B(SIGSYS);
const u64 sig_sync_mask = B(SIGSEGV) | B(SIGBUS) | B(SIGILL) | B(SIGTRAP) | B(SIGFPE) | B(SIGSYS);

bool sig_is_ignored_default(int sig)
{
    return ignore_default & sig_bit(sig);
}
bool sig_dumps_core(int sig)
{
    return core_signals & sig_bit(sig);
}
bool sig_is_stop(int sig)
{
    return stop_signals & sig_bit(sig);
}

bool signal_pending(void)
{
    return thread_has_work(thread_ctx_current(), ARCH_WORK_SIGNAL);
}
bool fatal_signal_pending(void)
{
    struct task *t = current_task();
    return thread_has_work(&t->thread.ctx, ARCH_WORK_SIGNAL) &&
           (READ_ONCE(t->signal.pending.set) & B(SIGKILL));
}
bool task_signal_pending(struct task *t)
{
    return thread_has_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
}

static void entry_free_rcu(struct rcu_head *h)
{
    kfree(container_of(h, struct sigqueue, rcu));
}

/* p->lock held: the slab's locks are not safe here, so freeing waits. */
static void entry_free(struct sigqueue *q)
{
    if (q->hold) {
        q->queued = false;
        q->release(q);
    } else {
        __atomic_fetch_sub(&q->user->sigpending, 1, __ATOMIC_RELAXED);
        user_put(q->user);
        rcu_call(&q->rcu, entry_free_rcu);
    }
}

/* The receiver's user pays for a queued entry. false: it has as many as it may (RLIMIT_SIGPENDING). p->lock held. */
static bool charge(struct process *p, const struct task *t, struct sigqueue *q, bool anyway)
{
    if (q->hold)
        return true; /* part of a child or a timer */
    struct user *u = t->cred->user;
    if (!anyway && (u64)READ_ONCE(u->sigpending) >= p->rlim[RLIMIT_SIGPENDING].cur)
        return false;
    __atomic_fetch_add(&u->sigpending, 1, __ATOMIC_RELAXED);
    q->user = user_get(u);
    return true;
}

void signal_tell_locked(struct task *t, bool fatal)
{
    thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
    u32 states = 1u << SCHED_INTERRUPTIBLE;
    if (fatal)
        states |= 1u << SCHED_KILLABLE | 1u << SCHED_STOPPED;
    if (fatal && !(t->trace.jobctl & JOBCTL_FROZEN))
        states |= 1u << SCHED_TRACED;
    if (!sched_wake_states(t, states))
        sched_kick(t);
}

/* p->lock held. */
void signal_kill_group_locked(struct process *p, int wait_status)
{
    struct task *t;
    if (p->signal.group_exit)
        return;
    p->signal.group_exit = true;
    p->exit_code = wait_status;
    p->signal.stopped = false;
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t == current_task())
            continue;
        t->signal.pending.set |= B(SIGKILL);
        signal_tell_locked(t, true);
    }
}

void signal_flush_pending(struct sigpending *p, u64 mask)
{
    struct sigqueue *q, *next;
    p->set &= ~mask;
    p->bare &= ~mask;
    list_for_each_entry_safe (q, next, &p->queue, link) {
        if (mask & sig_bit(q->info.signo)) {
            list_unlink(&q->link);
            entry_free(q);
        }
    }
}

static void flush_group(struct process *p, u64 mask)
{
    struct task *t;
    if (p->signal.pending.set & mask)
        signal_flush_pending(&p->signal.pending, mask);
    list_for_each_entry (t, &p->threads, thread_link)
        if (t->signal.pending.set & mask)
            signal_flush_pending(&t->signal.pending, mask);
}

/* Stop signals and SIGCONT cancel each other as they are sent. */
static void stop_cont(struct process *p, int sig)
{
    struct task *t;
    if (sig_is_stop(sig)) {
        flush_group(p, B(SIGCONT));
    } else if (sig == SIGCONT) {
        flush_group(p, stop_signals);
        if (p->signal.stopped) {
            p->signal.stopped = false;
            p->signal.stop_report = false;
            p->signal.cont_report = true;
            p->signal.cont_notify = true;
        }
        list_for_each_entry (t, &p->threads, thread_link) {
            ptrace_group_continue_locked(t);
            if (p->signal.cont_notify)
                thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
            sched_wake_states(t, 1u << SCHED_STOPPED);
        }
    }
}

/* Would the signal have no effect at all on t? A blocked one is kept: the action may change. */
static bool ignored(struct process *p, struct task *t, int sig)
{
    if ((t->signal.blocked | t->signal.wait_set) & sig_bit(sig))
        return false;
    if (t->trace.tracer && sig != SIGKILL)
        return false; /* the tracer sees it first */
    if (p == init_process && t->sighand->action[sig - 1].handler == SIG_DFL && p->pid == 1)
        return true; /* the first process has no default actions */
    return t->sighand->ignored & sig_bit(sig);
}

static bool wants(struct task *t, int sig)
{
    return !t->exiting && (sig == SIGKILL || !(t->signal.blocked & sig_bit(sig)) ||
                           (t->signal.wait_set & sig_bit(sig)));
}

/* The thread that shall look at a signal to the whole group; NULL: all block it. */
static struct task *choose(struct process *p, int sig)
{
    struct task *t;
    if (p->leader && wants(p->leader, sig))
        return p->leader;
    list_for_each_entry (t, &p->threads, thread_link)
        if (wants(t, sig))
            return t;
    return NULL;
}

static int send_locked(struct process *p, struct task *t, int sig, const struct siginfo_k *info,
                       struct sigqueue **q)
{
    /* What has ended takes nothing more: its queue was emptied, and nobody would empty it again. */
    if (p->state != PROCESS_ALIVE || !p->leader || list_empty(t ? &t->thread_link : &p->threads))
        return 0;
    stop_cont(p, sig);
    struct task *judge = t ? t : p->leader;
    if (ignored(p, judge, sig))
        return 0;
    struct sigpending *pending = t ? &t->signal.pending : &p->signal.pending;
    if (sig < SIGRTMIN && (pending->set & sig_bit(sig)))
        return 0;
    /* One of each plain signal from the kernel or kill(2) is always remembered. */
    bool anyway = sig < SIGRTMIN && info && info->code >= 0;
    if (info && *q && sig != SIGKILL && charge(p, judge, *q, anyway)) {
        (*q)->info = *info;
        (*q)->queued = true;
        list_add_tail(&(*q)->link, &pending->queue);
        *q = NULL;
    } else if (sig >= SIGRTMIN && info && info->code != SI_USER) {
        return -EAGAIN;
    } else if (info) {
        pending->bare |= sig_bit(sig);
    }
    pending->set |= sig_bit(sig);
    waitq_wake_all(&p->signal.signalfd_wait);

    struct task *who = t ? (wants(t, sig) ? t : NULL) : choose(p, sig);
    if (!who)
        return 0;
    bool deadly =
        sig == SIGKILL || (who->sighand->action[sig - 1].handler == SIG_DFL && !sig_is_stop(sig) &&
                           !who->trace.tracer && !sig_dumps_core(sig) &&
                           !sig_is_ignored_default(sig) && !(who->signal.blocked & sig_bit(sig)) &&
                           !(who->signal.wait_set & sig_bit(sig)));
    if (deadly && !p->signal.group_exit) {
        struct task *o;
        p->signal.group_exit = true;
        p->exit_code = sig;
        p->signal.stopped = false;
        list_for_each_entry (o, &p->threads, thread_link) {
            o->signal.pending.set |= B(SIGKILL);
            signal_tell_locked(o, true);
        }
        return 0;
    }
    if (sig == SIGKILL) { /* the end is under way, but some thread may be held up by its tracer, or dump the core */
        struct task *o;
        list_for_each_entry (o, &p->threads, thread_link) {
            o->signal.pending.set |= B(SIGKILL);
            signal_tell_locked(o, true);
        }
        return 0;
    }
    signal_tell_locked(who, false);
    return 0;
}

struct sigqueue *sigqueue_alloc(void)
{
    struct sigqueue *q = kmalloc(sizeof(*q), GFP_NOWAIT);
    if (q)
        q->hold = NULL;
    return q;
}

void sigqueue_free(struct sigqueue *q)
{
    kfree(q);
}

int signal_send_queued(struct process *p, struct task *t, int sig, const struct siginfo_k *info, struct sigqueue **q)
{
    if (p == &kernel_process)
        return 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    int err = send_locked(p, t, sig, info, q);
    spin_unlock_irqrestore(&p->lock, flags);
    return err;
}

int signal_send_info(struct process *p, struct task *t, int sig, const struct siginfo_k *info)
{
    if (p == &kernel_process)
        return 0;
    struct sigqueue *q = info && !in_interrupt() && irq_enabled() ? sigqueue_alloc() : NULL;
    u64 flags = spin_lock_irqsave(&p->lock);
    int err = send_locked(p, t, sig, info, &q);
    spin_unlock_irqrestore(&p->lock, flags);
    sigqueue_free(q);
    return err;
}

int signal_send_entry(struct process *p, struct task *t, int sig, const struct siginfo_k *info,
                      struct sigqueue *q)
{
    if (p == &kernel_process)
        return 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    struct sigqueue *offered = q->queued ? NULL : q;
    struct sigqueue *rest = offered;
    int err = send_locked(p, t, sig, info, &rest);
    if (offered && !rest)
        q->hold(q);
    spin_unlock_irqrestore(&p->lock, flags);
    return err;
}

void signal_send_task(struct task *task, int sig)
{
    signal_send_info(task->process, task, sig, NULL);
}

void signal_send_process(struct process *process, int sig)
{
    signal_send_info(process, NULL, sig, NULL);
}

void signal_send_pgrp(s32 pgid, int sig)
{
    struct process *p;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct pgrp *g = pgrp_find_locked(pgid);
    if (g)
        list_for_each_entry (p, &g->members, pgrp_link)
            signal_send_info(p, NULL, sig, NULL);
    spin_unlock_irqrestore(&tasklist_lock, flags);
}

/* task_signal.forced lives as long as the task's queue: nobody holds or frees it. */
static void forced_keep(struct sigqueue *q)
{
}

/* A blocked or ignored fault would repeat for ever: then the default action is forced. */
static void force_info(int sig, const struct siginfo_k *info)
{
    struct task *t = current_task();
    struct process *p = t->process;
    struct sigqueue *q = &t->signal.forced;
    if (unlikely(q->queued)) /* only we set it */
        q = sigqueue_alloc();
    else
        q->hold = q->release = forced_keep;
    u64 flags = spin_lock_irqsave(&p->lock);
    struct sigaction_k *a = &t->sighand->action[sig - 1];
    if (a->handler == SIG_IGN || (t->signal.blocked & sig_bit(sig))) {
        a->handler = SIG_DFL;
        t->sighand->ignored &= ~sig_bit(sig);
        t->sighand->caught &= ~sig_bit(sig);
        t->signal.blocked &= ~sig_bit(sig);
    }
    if (q && charge(p, t, q, true)) {
        q->info = *info;
        q->queued = true;
        list_add(&q->link, &t->signal.pending.queue);
    }
    t->signal.pending.set |= sig_bit(sig);
    thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
    spin_unlock_irqrestore(&p->lock, flags);
}

void signal_force(int sig, int code, u64 addr)
{
    struct siginfo_k info = {.signo = sig, .code = code};
    info.fault.addr = addr;
    force_info(sig, &info);
}

void signal_force_pkey(u64 addr, u32 key)
{
    struct siginfo_k info = {.signo = SIGSEGV, .code = SEGV_PKUERR};
    info.fault.addr = addr;
    info.fault.lower = key;
    force_info(SIGSEGV, &info);
}

void signal_force_poison(u64 addr)
{
    struct siginfo_k info = {.signo = SIGBUS, .code = BUS_MCEERR_AR};
    info.fault.addr = addr;
    info.fault.addr_lsb = PAGE_SHIFT;
    force_info(SIGBUS, &info);
}

/* ---- taking signals off ---- */

static bool take(struct sigpending *p, int sig, struct siginfo_k *info)
{
    struct sigqueue *q, *found = NULL;
    bool more = false;
    list_for_each_entry (q, &p->queue, link) {
        if (q->info.signo != sig)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = q;
    }
    bool bare = !found && p->bare & sig_bit(sig);
    if (!more)
        p->set &= ~sig_bit(sig);
    if (!more || bare)
        p->bare &= ~sig_bit(sig);
    if (found) {
        list_unlink(&found->link);
        entry_free(
            found); /* may bring a timer's overrun up to date; the memory stays for a grace period */
        *info = found->info;
    } else {
        *info = (struct siginfo_k){.signo = sig, .code = bare ? SI_USER : SI_KERNEL};
    }
    return true;
}

/* p->lock held. Faults first, then the lowest number; the thread's own before the group's. */
int signal_dequeue_locked(u64 mask, struct siginfo_k *info)
{
    struct task *t = current_task();
    struct sigpending *from = &t->signal.pending;
    u64 set = from->set & mask;
    if (!set) {
        from = &t->process->signal.pending;
        set = from->set & mask;
        if (!set)
            return 0;
    }
    if (set & sig_sync_mask)
        set &= sig_sync_mask;
    if (set & B(SIGKILL))
        set = B(SIGKILL);
    int sig = (int)ffs_u64(set) + 1;
    take(from, sig, info);
    return sig;
}

int signal_dequeue(u64 mask, struct siginfo_k *info)
{
    struct process *p = current_process();
    u64 flags = spin_lock_irqsave(&p->lock);
    int sig = signal_dequeue_locked(mask, info);
    signal_recalc();
    spin_unlock_irqrestore(&p->lock, flags);
    return sig;
}

bool signal_any_pending(u64 mask)
{
    struct task *t = current_task();
    return (READ_ONCE(t->signal.pending.set) | READ_ONCE(t->process->signal.pending.set)) & mask;
}

void signal_recalc(void)
{
    struct task *t = current_task();
    struct process *p = t->process;
    bool need = ((t->signal.pending.set | p->signal.pending.set) & ~t->signal.blocked) ||
                (p->signal.stopped && !t->trace.tracer) || p->signal.group_exit || p->signal.cont_notify ||
                (t->trace.jobctl & JOBCTL_TRAPS) ||
                t->signal.pending.set & B(SIGKILL);
    if (need)
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
    else if (thread_has_work(&t->thread.ctx, ARCH_WORK_SIGNAL))
        thread_clear_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
}

void signal_set_blocked(u64 mask)
{
    struct task *t = current_task();
    struct process *p = t->process;
    mask &= ~(B(SIGKILL) | B(SIGSTOP));
    u64 flags = spin_lock_irqsave(&p->lock);
    u64 newly = mask & ~t->signal.blocked;
    t->signal.blocked = mask;
    /* Group signals that only this thread had been told of go to another one. */
    if (newly & p->signal.pending.set) {
        struct task *o;
        list_for_each_entry (o, &p->threads, thread_link)
            if (o != t && (p->signal.pending.set & newly & ~o->signal.blocked))
                signal_tell_locked(o, false);
    }
    signal_recalc();
    spin_unlock_irqrestore(&p->lock, flags);
}

void signal_masks(struct task *t, u64 *pending, u64 *shared, u64 *blocked, u64 *ignore, u64 *caught)
{
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    *pending = t->signal.pending.set;
    *shared = p->signal.pending.set;
    *blocked = t->signal.blocked;
    *ignore = 0;
    for (int i = 0; t->sighand && i < NSIG; i++)
        if (t->sighand->action[i].handler == SIG_IGN)
            *ignore |= BIT(i);
    *caught = t->sighand ? t->sighand->caught : 0;
    spin_unlock_irqrestore(&p->lock, flags);
}

void sighand_reset(struct process *p, struct sighand *s)
{
    for (int i = 0; i < NSIG; i++) {
        struct sigaction_k *a = &s->action[i];
        bool ign = a->handler == SIG_IGN;
        *a = (struct sigaction_k){.handler = ign ? SIG_IGN : SIG_DFL};
        if (ign || sig_is_ignored_default(i + 1))
            s->ignored |= BIT(i);
        else
            s->ignored &= ~BIT(i);
    }
    s->caught = 0;
}

int signal_check_perm(struct process *p, int sig)
{
    const struct cred *me = current_task()->cred;
    struct task *leader = p->leader;
    const struct cred *c = leader ? leader->cred : NULL;
    if (!c || p == current_process() || capable(5 /* CAP_KILL */))
        return 0;
    if (me->euid == c->suid || me->euid == c->uid || me->uid == c->suid || me->uid == c->uid)
        return 0;
    if (sig == SIGCONT && p->sid == current_process()->sid)
        return 0;
    return -EPERM;
}
