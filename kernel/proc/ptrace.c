/* SPDX-License-Identifier: MIT */
/*
 * ptrace(2): the tracer's side. TRACEME, ATTACH and SEIZE make a link, the other requests act on a stopped tracee.
 *
 *   request ── check(): traced by the caller, stopped, not listening ── FROZEN ── carried out ── thawed, or resumed
 *
 * Registers are in ptrace_regs.c, what a stop is about in ptrace_info.c, the tracee's side in ptrace_stop.c, who may trace whom
 * in ptrace_access.c.
 * Locks: tasklist_lock, then the tracee's process->lock (T1 in kernel/ptrace.h).
 */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/ptrace.h>
#include <kernel/syscall.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <port/uaccess.h>

enum {
    PTRACE_TRACEME,
    PTRACE_PEEKTEXT,
    PTRACE_PEEKDATA,
    PTRACE_PEEKUSER,
    PTRACE_POKETEXT,
    PTRACE_POKEDATA,
    PTRACE_POKEUSER,
    PTRACE_CONT,
    PTRACE_KILL,
    PTRACE_SINGLESTEP,
    PTRACE_GETREGS = 12,
    PTRACE_SETREGS,
    PTRACE_GETFPREGS,
    PTRACE_SETFPREGS,
    PTRACE_ATTACH,
    PTRACE_DETACH,
    PTRACE_OLDSETOPTIONS = 21,
    PTRACE_SYSCALL = 24,
    PTRACE_ARCH_PRCTL = 30,
    PTRACE_SYSEMU,
    PTRACE_SYSEMU_SINGLESTEP,
    PTRACE_SETOPTIONS = 0x4200,
    PTRACE_GETEVENTMSG,
    PTRACE_GETSIGINFO,
    PTRACE_SETSIGINFO,
    PTRACE_GETREGSET,
    PTRACE_SETREGSET,
    PTRACE_SEIZE,
    PTRACE_INTERRUPT,
    PTRACE_LISTEN,
    PTRACE_PEEKSIGINFO,
    PTRACE_GETSIGMASK,
    PTRACE_SETSIGMASK,
    PTRACE_GET_SYSCALL_INFO = 0x420e,
    PTRACE_GET_RSEQ_CONFIGURATION
};
#define NT_PRSTATUS 1
#define NT_PRFPREG  2

void ptrace_init_task(struct task *t)
{
    list_init(&t->trace.traced);
    list_init(&t->trace.link);
}

/* ---- making and breaking the link ---- */

/* tasklist_lock and t->process->lock held. */
static void link_locked(struct task *t, struct task *tracer)
{
    t->trace.tracer = tracer;
    list_add_tail(&t->trace.link, &tracer->trace.traced);
}

void ptrace_unlink_locked(struct task *t)
{
    struct process *p = t->process;
    spin_lock(&p->lock);
    list_unlink(&t->trace.link);
    list_init(&t->trace.link);
    t->trace.tracer = NULL;
    t->trace.options = 0;
    t->trace.seized = t->trace.syscall = t->trace.emulate = t->trace.step = false;
    t->trace.jobctl = 0;
    t->thread.ctx.special &= ~ARCH_SPECIAL_SYSCALL;
    if (p->signal.stopped)
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
    ptrace_wake_locked(t);
    spin_unlock(&p->lock);
}

bool ptrace_by_parent(const struct task *t)
{
    return t->trace.tracer && t->trace.tracer->process == t->process->parent;
}

void ptrace_fork_locked(struct task *child)
{
    struct task *me = current_task();
    struct process *p = child->process;
    spin_lock(&p->lock);
    child->trace.options = me->trace.options;
    child->trace.seized = me->trace.seized;
    link_locked(child, me->trace.tracer);
    if (child->trace.seized)
        child->trace.jobctl |= JOBCTL_TRAP_STOP;
    else
        child->signal.pending.set |= sig_bit(SIGSTOP);
    thread_set_work(&child->thread.ctx, ARCH_WORK_SIGNAL);
    spin_unlock(&p->lock);
}

/* The thread of the parent process that made the caller, or one that speaks for it. tasklist_lock held. */
static struct task *parent_task(struct process *p)
{
    struct process *parent = p->parent;
    struct task *t = parent ? pid_task_locked(p->parent_tid) : NULL;
    if (t && t->process == parent && !list_empty(&t->thread_link))
        return t;
    return parent && !list_empty(&parent->threads) ? list_first_entry(&parent->threads, struct task, thread_link) : NULL;
}

static s64 trace_me(void)
{
    struct task *me = current_task();
    s64 err = 0;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct task *parent = parent_task(me->process);
    if (me->trace.tracer)
        err = -EPERM;
    else if (parent && (err = ptrace_may_be_traced_by(parent)) == 0) {
        spin_lock(&me->process->lock);
        link_locked(me, parent);
        spin_unlock(&me->process->lock);
    }
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return err;
}

static s64 check_options(u64 options)
{
    if (options & ~(u64)PTRACE_O_MASK)
        return -EINVAL;
    if (options & PTRACE_O_SUSPEND_SECCOMP && !capable(21 /* CAP_SYS_ADMIN */))
        return -EPERM;
    return 0;
}

/* tasklist_lock held. */
static s64 attach_locked(struct task *t, bool seize, u32 options)
{
    struct process *p = t->process;
    if (t->trace.tracer || list_empty(&t->thread_link))
        return -EPERM;
    spin_lock(&p->lock);
    t->trace.seized = seize;
    t->trace.options = options;
    link_locked(t, current_task());
    if (p->signal.stopped) { /* out of the group's stop, into one that the tracer can wait for */
        t->trace.jobctl |= JOBCTL_TRAP_STOP;
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
        if (sched_wake_states(t, 1u << SCHED_STOPPED))
            t->trace.jobctl |= JOBCTL_TRAPPING;
    }
    spin_unlock(&p->lock);
    if (!seize)
        signal_send_info(p, t, SIGSTOP, NULL);
    return 0;
}

static s64 attach(struct task *t, bool seize, u64 addr, u64 options)
{
    s64 err;
    if (seize && (addr || options & ~(u64)PTRACE_O_MASK))
        return -EIO;
    if (seize && (err = check_options(options)))
        return err;
    if (t->process == current_process())
        return -EPERM;
    err = ptrace_may_access(t, PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS);
    if (err)
        return err;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    err = attach_locked(t, seize, seize ? (u32)options : 0);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    if (!err)
        waitq_wait_killable(&current_process()->signal.child_wait,
                            !(READ_ONCE(t->trace.jobctl) & JOBCTL_TRAPPING) || READ_ONCE(t->exiting));
    return err;
}

void ptrace_exit_tracer_locked(struct task *tracer)
{
    while (!list_empty(&tracer->trace.traced)) { /* the end of one may take another off the list */
        struct task *t = list_first_entry(&tracer->trace.traced, struct task, trace.link);
        bool kill = t->trace.options & PTRACE_O_EXITKILL, by_parent = ptrace_by_parent(t);
        struct process *p = t->process;
        ptrace_unlink_locked(t);
        if (kill)
            signal_send_info(p, t, SIGKILL, NULL);
        if (t->trace.zombie)
            ptrace_release_locked(t);
        else if (t == p->leader && p->state == PROCESS_ZOMBIE && !by_parent)
            process_zombie_locked(p, NULL); /* now its parent's */
    }
}

/* ---- stopped tracees ---- */

/* T2: t is the caller's, stopped, and stays so until thaw(). -ESRCH. */
static s64 freeze(struct task *t, bool any_state)
{
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    spin_lock(&p->lock);
    bool mine = t->trace.tracer == current_task();
    bool ok = mine && (any_state || (READ_ONCE(t->thread.state) == SCHED_TRACED &&
                                     !(t->trace.jobctl & JOBCTL_LISTENING) &&
                                     !(t->signal.pending.set & sig_bit(SIGKILL))));
    if (ok && !any_state)
        t->trace.jobctl |= JOBCTL_FROZEN;
    spin_unlock(&p->lock);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    if (ok && !any_state)
        sched_wait_off(t);
    return ok ? 0 : -ESRCH;
}

static void thaw(struct task *t)
{
    u64 flags = spin_lock_irqsave(&t->process->lock);
    if (t->trace.jobctl & JOBCTL_FROZEN) {
        t->trace.jobctl &= ~JOBCTL_FROZEN;
        if (t->signal.pending.set & sig_bit(SIGKILL))
            ptrace_wake_locked(t);
    }
    spin_unlock_irqrestore(&t->process->lock, flags);
}

static void wake_with(struct task *t, s32 code)
{
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->trace.code = code;
    ptrace_wake_locked(t);
    spin_unlock_irqrestore(&t->process->lock, flags);
}

static s64 resume(struct task *t, u64 request, u64 sig)
{
    if (sig > NSIG)
        return -EIO;
    t->trace.syscall = request == PTRACE_SYSCALL;
    t->trace.emulate = request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP;
    ptrace_set_step(t, request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP);
    if (t->trace.syscall || t->trace.emulate || t->trace.step)
        t->thread.ctx.special |= ARCH_SPECIAL_SYSCALL;
    else
        t->thread.ctx.special &= ~ARCH_SPECIAL_SYSCALL;
    wake_with(t, (s32)sig);
    return 0;
}

static s64 detach(struct task *t, u64 sig)
{
    if (sig > NSIG)
        return -EIO;
    ptrace_set_step(t, false);
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    t->trace.code = (s32)sig; /* t is frozen */
    ptrace_unlink_locked(t);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return 0;
}

static s64 interrupt(struct task *t)
{
    s64 err = -EIO;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    if (t->trace.seized) {
        err = 0;
        t->trace.jobctl |= JOBCTL_TRAP_STOP;
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL);
        if (t->trace.jobctl & JOBCTL_LISTENING)
            ptrace_wake_locked(t);
        else if (!sched_wake_states(t, 1u << SCHED_INTERRUPTIBLE))
            sched_kick(t);
    }
    spin_unlock_irqrestore(&t->process->lock, flags);
    return err;
}

static s64 listen(struct task *t)
{
    s64 err = -EIO;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    if (t->trace.seized && t->trace.info && t->trace.info->code >> 8 == PTRACE_EVENT_STOP) {
        err = 0;
        t->trace.jobctl |= JOBCTL_LISTENING;
        if (t->trace.jobctl & JOBCTL_TRAP_NOTIFY)
            ptrace_wake_locked(t);
    }
    spin_unlock_irqrestore(&t->process->lock, flags);
    return err;
}

/* ---- memory ---- */

static s64 access(struct task *t, u64 addr, u64 *word, u32 write)
{
    struct mm *mm = task_get_mm(t);
    if (!mm)
        return -EIO;
    size_t n = access_remote(mm, addr, word, sizeof(*word), FAULT_FORCE | write);
    mm_put(mm);
    return n == sizeof(*word) ? 0 : -EIO;
}

static s64 peek(struct task *t, u64 addr, u64 user, bool registers)
{
    u64 word = 0;
    s64 err = registers ? ptrace_peek_user(t, addr, &word) : access(t, addr, &word, 0);
    return err ? err : put_user(word, user);
}

static s64 regset(struct task *t, bool set, u32 type, u64 uiov)
{
    struct iovec_k v;
    u64 done;
    if (copy_from_user(&v, uiov, sizeof(v)))
        return -EFAULT;
    s64 err = ptrace_regset(t, set, type, v.base, v.len, &done);
    return err ? err : put_user(done, uiov + offsetof(struct iovec_k, len));
}

static s64 set_options(struct task *t, u64 options)
{
    s64 err = check_options(options);
    if (!err)
        t->trace.options = (u32)options;
    return err;
}

static s64 act(struct task *t, u64 request, u64 addr, u64 data)
{
    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSER:
        return peek(t, addr, data, request == PTRACE_PEEKUSER);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        return access(t, addr, &data, FAULT_WRITE);
    case PTRACE_POKEUSER:
        return ptrace_poke_user(t, addr, data);
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
    case PTRACE_SINGLESTEP:
    case PTRACE_SYSEMU:
    case PTRACE_SYSEMU_SINGLESTEP:
        return resume(t, request, data);
    case PTRACE_DETACH:
        return detach(t, data);
    case PTRACE_GETREGS:
    case PTRACE_SETREGS:
        return ptrace_fixed_regset(t, request == PTRACE_SETREGS, NT_PRSTATUS, data);
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        return ptrace_fixed_regset(t, request == PTRACE_SETFPREGS, NT_PRFPREG, data);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        return regset(t, request == PTRACE_SETREGSET, (u32)addr, data);
    case PTRACE_ARCH_PRCTL:
        return ptrace_arch_prctl(t, data, addr);
    case PTRACE_OLDSETOPTIONS:
    case PTRACE_SETOPTIONS:
        return set_options(t, data);
    case PTRACE_GETEVENTMSG:
        return put_user(t->trace.message, data);
    case PTRACE_GETSIGINFO:
        return ptrace_get_siginfo(t, data);
    case PTRACE_SETSIGINFO:
        return ptrace_set_siginfo(t, data);
    case PTRACE_PEEKSIGINFO:
        return ptrace_peek_siginfo(t, addr, data);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
        return ptrace_sigmask(t, request == PTRACE_SETSIGMASK, addr, data);
    case PTRACE_LISTEN:
        return listen(t);
    case PTRACE_GET_SYSCALL_INFO:
        return ptrace_syscall_info(t, addr, data);
    case PTRACE_GET_RSEQ_CONFIGURATION:
        return ptrace_rseq(t, addr, data);
    default:
        return -EIO;
    }
}

static s64 request_on(struct task *t, u64 request, u64 addr, u64 data)
{
    if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
        return attach(t, request == PTRACE_SEIZE, addr, data);
    bool any_state = request == PTRACE_KILL || request == PTRACE_INTERRUPT;
    s64 err = freeze(t, any_state);
    if (err)
        return err;
    if (request == PTRACE_KILL) {
        signal_send_task(t, SIGKILL);
        return 0;
    }
    if (request == PTRACE_INTERRUPT)
        return interrupt(t);
    err = act(t, request, addr, data);
    thaw(t);
    return err;
}

SYSCALL(ptrace)
{
    if (a0 == PTRACE_TRACEME)
        return trace_me();
    struct task *t = task_find((s32)a1);
    if (!t)
        return -ESRCH;
    s64 err = request_on(t, a0, a2, a3);
    task_put(t);
    return err;
}
