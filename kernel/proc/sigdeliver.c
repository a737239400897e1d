/* SPDX-License-Identifier: MIT */
/*
 * What happens to pending signals on the way to user mode: end, stop, handler; and what becomes of an interrupted system call.
 *
 *   group_exit -> do_exit      stopped -> park until SIGCONT      handler -> frame, once, then look again
 *
 *   interrupted call            handler runs                     no handler runs
 *   -ERESTARTSYS                restart with SA_RESTART, or -EINTR   restart
 *   -ERESTARTNOINTR             restart                          restart
 *   -ERESTARTNOHAND             -EINTR                           restart
 *   -ERESTART_RESTARTBLOCK      -EINTR                           restart_syscall(2)
 */
#include "proc.h"
#include <arch/trap.h>
#include <kernel/ptrace.h>
#include <port/log.h>

#define NR_RESTART_SYSCALL 219

/* A system call was interrupted: rax holds one of the -ERESTART*. */
static bool interrupted(const struct regs *r)
{
    s64 v = (s64)r->rax;
    return (s64)r->orig_rax >= 0 && v <= -ERESTARTSYS && v >= -ERESTART_RESTARTBLOCK &&
           v != -ENOIOCTLCMD;
}

static void restart(struct regs *r, u64 nr)
{
    r->rax = nr;
    r->rip -= 2; /* the length of SYSCALL */
    r->orig_rax = ~0UL;
    thread_set_work(thread_ctx_current(), ARCH_WORK_IRET);
}

static void fail(struct regs *r)
{
    r->rax = (u64)-EINTR;
    r->orig_rax = ~0UL;
}

static void settle_for_handler(struct regs *r, u64 sa_flags)
{
    if (!interrupted(r))
        return;
    s64 v = -(s64)r->rax;
    if (v == ERESTARTNOINTR || (v == ERESTARTSYS && (sa_flags & SA_RESTART)))
        restart(r, r->orig_rax);
    else
        fail(r);
}

static void settle_without_handler(struct regs *r)
{
    if (!interrupted(r))
        return;
    restart(r, -(s64)r->rax == ERESTART_RESTARTBLOCK ? NR_RESTART_SYSCALL : r->orig_rax);
}

static void park(struct process *p)
{
    const struct task *t = current_task();
    while (READ_ONCE(p->signal.stopped) && !READ_ONCE(t->trace.tracer) && !fatal_signal_pending()) {
        sched_prepare(SCHED_STOPPED);
        if (READ_ONCE(p->signal.stopped) && !READ_ONCE(t->trace.tracer) && !fatal_signal_pending())
            sched_block();
        sched_cancel();
    }
}

/* The whole group stops for sig. */
static void stop_group(struct process *p, int sig)
{
    struct task *t, *me = current_task();
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    if (sig != SIGSTOP && p->pgrp && pgrp_orphaned_locked(p->pgrp, NULL)) {
        spin_unlock_irqrestore(&tasklist_lock, flags);
        return; /* nobody could continue it */
    }
    spin_lock(&p->lock);
    bool stop = !p->signal.group_exit && !(p->signal.pending.set & sig_bit(SIGCONT));
    if (stop) {
        p->signal.stopped = true;
        p->signal.stop_report = true;
        p->signal.cont_report = false;
        p->signal.stop_sig = sig;
        list_for_each_entry (t, &p->threads, thread_link) {
            ptrace_group_stop_locked(t);
            if (t == me)
                continue;
            thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
            if (!sched_wake_states(t, 1u << SCHED_INTERRUPTIBLE))
                sched_kick(t);
        }
    }
    spin_unlock(&p->lock);
    if (stop && !ptrace_by_parent(p->leader)) /* as the leader's tracer it is told of the leader's own stop */
        notify_parent_locked(p, CLD_STOPPED, sig);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    if (stop)
        park(p);
}

static void notify_continued(struct process *p)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    bool first = p->signal.cont_notify;
    p->signal.cont_notify = false;
    if (first)
        notify_parent_locked(p, CLD_CONTINUED, SIGCONT);
    spin_unlock_irqrestore(&tasklist_lock, flags);
}

/* Runs the handler of act. false: no frame could be made. */
static bool call_handler(struct regs *regs, int sig, const struct sigaction_k *act,
                         const struct siginfo_k *info)
{
    struct task *t = current_task();
    u64 mask = t->signal.restore_saved ? t->signal.saved_mask : t->signal.blocked;
    bool stepped = t->trace.step;
    settle_for_handler(regs, act->flags);
    if (stepped)
        ptrace_set_step(t, false); /* the frame shows the program's own flags */
    if (t->rseq_addr)
        rseq_signal(regs);
    if (sigframe_push(regs, sig, act, info, mask))
        return false;
    t->signal.restore_saved = false;
    u64 block = t->signal.blocked | act->mask;
    if (!(act->flags & SA_NODEFER))
        block |= sig_bit(sig);
    signal_set_blocked(block);
    if (stepped)
        ptrace_handler_step();
    return true;
}

/* The action for sig, taken down if it was for once. */
static struct sigaction_k take_action(struct task *t, int sig)
{
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    struct sigaction_k *a = &t->sighand->action[sig - 1], act = *a;
    if (act.handler > SIG_IGN && (act.flags & SA_RESETHAND)) {
        a->handler = SIG_DFL;
        t->sighand->caught &= ~sig_bit(sig);
        if (sig_is_ignored_default(sig))
            t->sighand->ignored |= sig_bit(sig);
    }
    spin_unlock_irqrestore(&p->lock, flags);
    return act;
}

/* The default action of sig ends the process; some signals leave the core behind. */
static void __noreturn_fn end_by(int sig, const struct siginfo_k *info)
{
    if (sig_dumps_core(sig))
        coredump(info);
    do_group_exit(sig);
}

void signal_deliver(struct regs *regs)
{
    struct task *t = current_task();
    struct process *p = t->process;
    for (;;) {
        struct siginfo_k info;
        u64 flags = spin_lock_irqsave(&p->lock);
        if (p->signal.group_exit || (t->signal.pending.set & sig_bit(SIGKILL))) {
            int code = p->signal.exec_task && p->signal.exec_task != t ? 0 : p->exit_code;
            spin_unlock_irqrestore(&p->lock, flags);
            do_exit(code);
        }
        if (p->signal.cont_notify) {
            spin_unlock_irqrestore(&p->lock, flags);
            notify_continued(p);
            continue;
        }
        if (t->trace.jobctl & JOBCTL_TRAPS) {
            spin_unlock_irqrestore(&p->lock, flags);
            ptrace_trap_pending();
            continue;
        }
        if (p->signal.stopped && !t->trace.tracer) {
            spin_unlock_irqrestore(&p->lock, flags);
            park(p);
            continue;
        }
        int sig = signal_dequeue_locked(~t->signal.blocked, &info);
        signal_recalc();
        spin_unlock_irqrestore(&p->lock, flags);
        if (!sig)
            break;
        if (t->trace.tracer && sig != SIGKILL && !(sig = ptrace_signal(sig, &info)))
            continue;
        struct sigaction_k act = take_action(t, sig);
        if (act.handler == SIG_IGN || (act.handler == SIG_DFL && sig_is_ignored_default(sig)))
            continue;
        if (act.handler == SIG_DFL) {
            if (p == init_process && !(sig_sync_mask & sig_bit(sig)))
                continue;
            if (sig_is_stop(sig)) {
                stop_group(p, sig);
                continue;
            }
            end_by(sig, &info);
        }
        if (call_handler(regs, sig, &act, &info))
            return; /* more signals: the work bit is still set, and we are called again */
        if (sig == SIGSEGV)
            end_by(SIGSEGV, &info);
        signal_force(SIGSEGV, SI_KERNEL, 0);
    }
    settle_without_handler(regs);
    if (t->signal.restore_saved) {
        t->signal.restore_saved = false;
        signal_set_blocked(t->signal.saved_mask);
    }
}

void kernel_exit_to_user(struct regs *regs)
{
    struct thread_ctx *ctx = thread_ctx_current();
    if (thread_has_work(ctx, TASK_RCU)) {
        thread_clear_work(ctx, TASK_RCU);
        u64 flags = irq_save();
        rcu_quiescent();
        irq_restore(flags);
        if (rcu_run_callbacks())
            thread_set_work(ctx, TASK_RCU);
    }
    if (thread_has_work(ctx, ARCH_WORK_RESCHED))
        sched_preempt();
    if (thread_has_work(ctx, TASK_TIMER)) {
        thread_clear_work(ctx, TASK_TIMER);
        process_timers_check();
    }
    if (unlikely(thread_has_work(ctx, TASK_TRACE | ARCH_WORK_SIGNAL))) {
        if (thread_has_work(ctx, TASK_TRACE))
            ptrace_syscall_exit(regs);
        if (thread_has_work(ctx, ARCH_WORK_SIGNAL))
            signal_deliver(regs);
    }
    if (thread_has_work(ctx, TASK_RSEQ)) {
        thread_clear_work(ctx, TASK_RSEQ);
        rseq_return(regs);
    }
}
