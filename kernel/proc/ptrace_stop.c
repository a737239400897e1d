/* SPDX-License-Identifier: MIT */
/*
 * The tracee's side of ptrace: stopping, telling the tracer, and what is done with its answer.
 *
 *   signal dequeued ── ptrace_signal ──┐
 *   fork, exec, exit ─ ptrace_event ───┤                     ┌ resumed: trace.code is a signal to go on with, or 0
 *   system call ────── report ─────────┼─► stop() ─ TRACED ──┤
 *   jobctl asks ────── ptrace_trap_... ┘                     └ SIGKILL, tracer gone
 *
 * S1. A thread becomes TRACED with its process->lock held, so whoever holds that sees it either running or fully described
 *     (code, message, info).
 * S2. Only holders of the tracee's process->lock wake it, and none while it is FROZEN.
 * Locks: tasklist_lock, then process->lock, both for a moment; the stop itself holds none.
 */
#include "proc.h"
#include <arch/trap.h>
#include <kernel/ptrace.h>
#include <port/log.h>

#define SIGCHLD_INDEX (SIGCHLD - 1)
#define MSG_ENTRY     1
#define MSG_EXIT      2

/* SIGCHLD to the tracer, and whoever of its threads waits. tasklist_lock held. */
static void tell_tracer(struct task *t, int why, s32 status, struct sigqueue **q)
{
    struct task *tracer = t->trace.tracer;
    const struct sigaction_k *a = &tracer->sighand->action[SIGCHLD_INDEX];
    bool stop = why == CLD_STOPPED || why == CLD_TRAPPED;
    if (!stop || (a->handler != SIG_IGN && !(a->flags & SA_NOCLDSTOP))) {
        struct siginfo_k info = {.signo = SIGCHLD, .code = why};
        u64 user, sys;
        task_times(t, &user, &sys);
        info.chld.pid = t->tid;
        info.chld.uid = t->cred->uid;
        info.chld.status = status;
        info.chld.utime = (s64)(user / 10000000);
        info.chld.stime = (s64)(sys / 10000000);
        signal_send_queued(tracer->process, NULL, SIGCHLD, &info, q);
    }
    waitq_wake_all(&tracer->process->signal.child_wait);
}

/* The running thread stops until its tracer resumes it. Returns trace.code as the tracer left it; without a tracer, code. */
static s32 stop(s32 code, int why, u64 message, struct siginfo_k *info)
{
    struct task *t = current_task();
    struct process *p = t->process;
    struct sigqueue *q = sigqueue_alloc();
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    spin_lock(&p->lock);
    bool go = !t->trace.tracer || (t->signal.pending.set & sig_bit(SIGKILL));
    if (!go) {
        u32 done = JOBCTL_TRAP_STOP | JOBCTL_TRAPPING | JOBCTL_LISTENING;
        if (why == CLD_STOPPED)
            done |= JOBCTL_STOP_PENDING;
        if (info && info->code >> 8 == PTRACE_EVENT_STOP)
            done |= JOBCTL_TRAP_NOTIFY;
        t->trace.jobctl &= ~done;
        t->trace.code = code;
        t->trace.message = message;
        t->trace.info = info;
        sched_prepare(SCHED_TRACED); /* S1 */
    }
    int status = why == CLD_STOPPED ? p->signal.stop_sig & 0x7f : code & 0x7f;
    spin_unlock(&p->lock);
    if (!go)
        tell_tracer(t, why, status, &q);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    sigqueue_free(q);
    if (go)
        return code;
    sched_block();
    sched_cancel();

    flags = spin_lock_irqsave(&p->lock);
    ASSERT(!(t->trace.jobctl & JOBCTL_FROZEN)); /* S2 */
    code = t->trace.code;
    t->trace.code = 0;
    t->trace.message = 0;
    t->trace.info = NULL;
    t->trace.jobctl &= ~JOBCTL_LISTENING;
    signal_recalc();
    spin_unlock_irqrestore(&p->lock, flags);
    return code;
}

static s32 notify(int sig, s32 code, int why, u64 message)
{
    struct siginfo_k info = {.signo = sig, .code = code};
    info.kill.pid = current_task()->tid;
    info.kill.uid = current_task()->cred->uid;
    return stop(code, why, message, &info);
}

void ptrace_wake_locked(struct task *t)
{
    t->trace.jobctl &= ~JOBCTL_FROZEN;
    sched_wake_states(t, 1u << SCHED_TRACED);
}

/* ---- system calls ---- */

/* A stop inside a system call is over: its end is to be reported if the tracer now wants that. */
static void expect_exit(struct task *t)
{
    if (t->trace.syscall || t->trace.step)
        thread_set_work(&t->thread.ctx, TASK_TRACE);
    else
        thread_clear_work(&t->thread.ctx, TASK_TRACE);
}

static void report(struct task *t, u64 message)
{
    s32 code = SIGTRAP | (t->trace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
    s32 sig = notify(SIGTRAP, code, CLD_TRAPPED, message);
    if (sig > 0 && sig <= NSIG)
        signal_send_task(t, sig);
}

/* The entry of threads whose tracer wants their system calls (ARCH_SPECIAL_SYSCALL). */
long kernel_syscall_traced(struct regs *r)
{
    struct task *t = current_task();
    if (t->trace.tracer && (t->trace.syscall || t->trace.emulate)) {
        bool skip = t->trace.emulate;
        report(t, MSG_ENTRY);
        if (skip || fatal_signal_pending())
            return (long)r->rax;
    }
    thread_sync_special(&t->thread.ctx);
    expect_exit(t);
    if (t->trace.step)
        thread_set_work(&t->thread.ctx, ARCH_WORK_IRET); /* SYSRET would trap before the next instruction */
    if ((s32)r->orig_rax == -1)
        return (long)r->rax; /* the tracer wants it left out */
    return kernel_syscall(r);
}

void ptrace_syscall_exit(struct regs *regs)
{
    struct task *t = current_task();
    thread_clear_work(&t->thread.ctx, TASK_TRACE);
    if (!t->trace.tracer || t->trace.emulate)
        return;
    if (t->trace.step) {
        t->trap_nr = TRAP_DB;
        t->trap_err = 0;
        signal_force(SIGTRAP, TRAP_BRKPT, regs->rip);
    } else if (t->trace.syscall) {
        report(t, MSG_EXIT);
    }
}

/* ---- events ---- */

bool ptrace_event_enabled(int event)
{
    return current_task()->trace.options & (1u << event);
}

void ptrace_event(int event, u64 message)
{
    struct task *t = current_task();
    if (likely(!ptrace_event_enabled(event)))
        return;
    notify(SIGTRAP, event << 8 | SIGTRAP, CLD_TRAPPED, message);
    if (event != PTRACE_EVENT_EXIT)
        expect_exit(t);
}

/* The thread is being killed, and still its end is shown: so SIGKILL is taken off for the time of the stop. */
void ptrace_exit_event(s32 status)
{
    struct task *t = current_task();
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    bool killed = t->signal.pending.set & sig_bit(SIGKILL);
    t->signal.pending.set &= ~sig_bit(SIGKILL);
    spin_unlock_irqrestore(&p->lock, flags);
    ptrace_event(PTRACE_EVENT_EXIT, (u64)(u32)status);
    if (!killed)
        return;
    flags = spin_lock_irqsave(&p->lock);
    t->signal.pending.set |= sig_bit(SIGKILL);
    thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
    spin_unlock_irqrestore(&p->lock, flags);
}

void ptrace_exec(s32 old_tid)
{
    struct task *t = current_task();
    if (likely(!t->trace.tracer))
        return;
    if (ptrace_event_enabled(PTRACE_EVENT_EXEC)) {
        ptrace_event(PTRACE_EVENT_EXEC, (u64)(u32)old_tid);
    } else if (!t->trace.seized) {
        struct siginfo_k info = {.signo = SIGTRAP, .code = SI_USER};
        info.kill.pid = t->process->pid;
        info.kill.uid = t->cred->uid;
        signal_send_info(t->process, t, SIGTRAP, &info);
    }
}

void ptrace_handler_step(void)
{
    notify(SIGTRAP, SIGTRAP, CLD_TRAPPED, 0);
}

/* ---- signals and group stops ---- */

int ptrace_signal(int sig, struct siginfo_k *info)
{
    struct task *t = current_task();
    s32 next = stop(sig, CLD_TRAPPED, 0, info);
    if (next <= 0 || next > NSIG)
        return 0;
    if (next != info->signo) {
        *info = (struct siginfo_k){.signo = next, .code = SI_USER};
        u64 flags = spin_lock_irqsave(&tasklist_lock);
        if (t->trace.tracer) {
            info->kill.pid = t->trace.tracer->process->pid;
            info->kill.uid = t->trace.tracer->cred->uid;
        }
        spin_unlock_irqrestore(&tasklist_lock, flags);
    }
    if (t->signal.blocked & sig_bit(next)) { /* the tracer has blocked it meanwhile */
        signal_send_info(t->process, t, next, info);
        return 0;
    }
    return next;
}

bool ptrace_trap_pending(void)
{
    struct task *t = current_task();
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    u32 traps = t->trace.jobctl & JOBCTL_TRAPS;
    bool stopped = p->signal.stopped, seized = t->trace.seized;
    int sig = p->signal.stop_sig;
    if (!t->trace.tracer || (traps == JOBCTL_STOP_PENDING && !stopped)) {
        t->trace.jobctl &= ~JOBCTL_TRAPS;
        traps = 0;
    }
    if (traps && (t->signal.pending.set & sig_bit(SIGKILL)))
        traps = 0;
    spin_unlock_irqrestore(&p->lock, flags);
    if (!traps)
        return false;
    if (!seized) {
        stop(sig ? sig : SIGSTOP, CLD_STOPPED, 0, NULL);
    } else {
        sig = stopped ? sig : SIGTRAP;
        notify(sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
    }
    return true;
}

static void trap_notify(struct task *t)
{
    t->trace.jobctl |= JOBCTL_TRAP_NOTIFY;
    if (t->trace.jobctl & JOBCTL_LISTENING)
        ptrace_wake_locked(t);
}

void ptrace_group_stop_locked(struct task *t)
{
    if (!t->trace.tracer)
        return;
    t->trace.jobctl |= JOBCTL_STOP_PENDING;
    if (t->trace.seized)
        trap_notify(t);
}

void ptrace_group_continue_locked(struct task *t)
{
    t->trace.jobctl &= ~JOBCTL_STOP_PENDING;
    if (t->trace.tracer && t->trace.seized) {
        trap_notify(t);
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
        if (!sched_wake_states(t, 1u << SCHED_INTERRUPTIBLE))
            sched_kick(t);
    }
}

/* ---- the end of a tracee ---- */

/* Tells the tracer that t has ended with this wait status. tasklist_lock held. true: it does not care to wait. */
bool ptrace_tell_end_locked(struct task *t, s32 status, struct sigqueue **q)
{
    const struct sigaction_k *a = &t->trace.tracer->sighand->action[SIGCHLD_INDEX];
    bool forget = a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT);
    s32 why = status & 0x80 ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
    if (a->handler != SIG_IGN)
        tell_tracer(t, why, status & 0x7f ? status & 0x7f : status >> 8 & 0xff, q);
    else
        waitq_wake_all(&t->trace.tracer->process->signal.child_wait);
    return forget;
}

bool ptrace_exit_tracee_locked(struct task *t, struct sigqueue **q)
{
    if (likely(!t->trace.tracer))
        return false;
    struct process *p = t->process;
    if (ptrace_tell_end_locked(t, p->signal.group_exit ? p->exit_code : t->exit_code, q)) {
        ptrace_unlink_locked(t);
        return false;
    }
    t->trace.zombie = true;
    p->traced_dead++;
    return true;
}
