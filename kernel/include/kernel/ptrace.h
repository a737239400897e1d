/* SPDX-License-Identifier: MIT */
/*
 * One thread controls another: ptrace(2). Bodies in kernel/proc/ptrace*.c.
 *
 *   RUNNING ──signal, event, system call, trap asked for──► TRACED (SCHED_TRACED) ──CONT, SYSCALL, STEP, DETACH──► RUNNING
 *                                                             │ LISTEN: still TRACED, but the tracer may ask nothing
 *                                                             └ SIGKILL: RUNNING at once, unless FROZEN
 *
 * T1. trace.tracer is changed with tasklist_lock and the tracee's process->lock held; either keeps it. While it is set, the
 *     tracee is on tracer->trace.traced.
 * T2. A tracer's request looks at registers and trace.info only between ptrace_freeze() and ptrace_thaw(): the tracee is off
 *     its CPU, and does not wake meanwhile even for SIGKILL.
 * T3. A traced thread that has ended stays in the table of numbers until its tracer has waited for it or is gone (zombie).
 * T4. jobctl is changed under the tracee's process->lock.
 */
#ifndef KERNEL_PTRACE_H
#define KERNEL_PTRACE_H
#include <lib/list.h>
#include <lib/types.h>

struct task;
struct process;
struct regs;
struct siginfo_k;
struct sigqueue;

/* trace.jobctl */
#define JOBCTL_STOP_PENDING 1u  /* shall take part in the group's stop */
#define JOBCTL_TRAP_STOP    2u  /* shall stop for the tracer: INTERRUPT, attached while stopped, group stop */
#define JOBCTL_TRAP_NOTIFY  4u  /* seized: the group stopped or went on */
#define JOBCTL_LISTENING    8u  /* PTRACE_LISTEN */
#define JOBCTL_FROZEN       16u /* T2 */
#define JOBCTL_TRAPPING     32u /* the attaching thread waits for the trap */
#define JOBCTL_TRAPS        (JOBCTL_STOP_PENDING | JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY)

#define PTRACE_O_TRACESYSGOOD    0x01u
#define PTRACE_O_TRACEFORK       0x02u
#define PTRACE_O_TRACEVFORK      0x04u
#define PTRACE_O_TRACECLONE      0x08u
#define PTRACE_O_TRACEEXEC       0x10u
#define PTRACE_O_TRACEVFORKDONE  0x20u
#define PTRACE_O_TRACEEXIT       0x40u
#define PTRACE_O_TRACESECCOMP    0x80u
#define PTRACE_O_EXITKILL        (1u << 20)
#define PTRACE_O_SUSPEND_SECCOMP (1u << 21)
#define PTRACE_O_MASK            (0xffu | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP)

enum {
    PTRACE_EVENT_FORK = 1, /* option bit: 1 << event */
    PTRACE_EVENT_VFORK,
    PTRACE_EVENT_CLONE,
    PTRACE_EVENT_EXEC,
    PTRACE_EVENT_VFORK_DONE,
    PTRACE_EVENT_EXIT,
    PTRACE_EVENT_STOP = 128
};

/* Part of struct task. */
struct task_trace {
    struct task *tracer;           /* T1 */
    struct list_head traced, link; /* threads that this one traces; its place among its tracer's. T1's locks */
    u32 options;                   /* PTRACE_O_* */
    u32 jobctl;                    /* T4 */
    bool seized;
    bool zombie;            /* T3; tasklist_lock */
    bool syscall, step, emulate; /* resumed with SYSCALL, SINGLESTEP, SYSEMU */
    bool forced_tf;         /* RFLAGS.TF is the tracer's, not the program's */
    s32 code;               /* in a stop: what wait(2) reports, 0 when it has; at its end: the signal to go on with */
    u64 message;            /* PTRACE_GETEVENTMSG */
    struct siginfo_k *info; /* of the stop, in the tracee's stack; NULL: none. process->lock */
};

/* What a right to look into another process is asked for (ptrace_may_access). */
#define PTRACE_MODE_READ      1u
#define PTRACE_MODE_ATTACH    2u
#define PTRACE_MODE_FSCREDS   8u
#define PTRACE_MODE_REALCREDS 16u
/* May the caller look into t? Exactly one of READ, ATTACH and one of FSCREDS, REALCREDS. 0 or -EPERM. No lock held. */
int ptrace_may_access(struct task *t, u32 mode);
/* The same for the leader of p; -ESRCH when it has been reaped. */
int ptrace_may_access_process(struct process *p, u32 mode);
/* PTRACE_TRACEME: may the caller be traced by its parent's thread? tasklist_lock held. 0 or -EPERM. */
int ptrace_may_be_traced_by(const struct task *tracer);
/* prctl(PR_SET_PTRACER): a number, 0 none, -1 anybody. */
s64 prctl_set_ptracer(u64 pid);
extern u64 sysctl_yama_ptrace_scope;

/* ---- what the rest of the kernel tells ---- */
void ptrace_init_task(struct task *t); /* at birth: traced by nobody */
/* Is the event wanted of the running thread? */
bool ptrace_event_enabled(int event);
/* The running thread stops for the event if it is wanted. May sleep. */
void ptrace_event(int event, u64 message);
/* exec of a set-id program by a traced thread: is the tracer too weak to let it gain anything? */
bool ptrace_exec_limits(void);
/* exec is done: the event, or the plain SIGTRAP of a tracer that asked for none. old_tid: the number before. */
void ptrace_exec(s32 old_tid);
/* The child inherits its maker's tracer. Before it is visible; tasklist_lock held. */
void ptrace_fork_locked(struct task *child);
/* Delivery of a signal: the tracer sees it and may change it. Returns the signal to act on, 0: none. May sleep. */
int ptrace_signal(int sig, struct siginfo_k *info);
/* A stop that jobctl asks for. false: there was none. May sleep. */
bool ptrace_trap_pending(void);
/* The running thread ends: who it traces is let go. tasklist_lock held. */
void ptrace_exit_tracer_locked(struct task *t);
/* A thread, not the leader, has ended. true: it stays until its tracer has waited (T3). tasklist_lock held. q: as for
 * signal_send_queued. */
bool ptrace_exit_tracee_locked(struct task *t, struct sigqueue **q);
/* Tells t's tracer that it, or its process, has ended with this wait status. true: the tracer ignores SIGCHLD, nobody will
 * wait. tasklist_lock held. */
bool ptrace_tell_end_locked(struct task *t, s32 status, struct sigqueue **q);
/* PTRACE_EVENT_EXIT of the running thread. */
void ptrace_exit_event(s32 status);
/* Ends the tracing of t, which stops no longer. tasklist_lock held, t->process->lock not. */
void ptrace_unlink_locked(struct task *t);
/* Is t traced by a thread of its own parent process? tasklist_lock held. */
bool ptrace_by_parent(const struct task *t);
/* A traced thread that ended is waited for, or its tracer gone: out of the tables. tasklist_lock held; t untraced. */
void ptrace_release_locked(struct task *t);
/* Marks t for a stop of its group (SIGSTOP and its like) or the end of one. process->lock held. */
void ptrace_group_stop_locked(struct task *t);
void ptrace_group_continue_locked(struct task *t);
/* A handler has been entered by a thread that is stepped: it stops at the handler's first instruction. */
void ptrace_handler_step(void);
/* On the way to user mode after a traced system call. */
void ptrace_syscall_exit(struct regs *regs);

/* ---- between the files ---- */
/* Resumes a tracee that is in a stop. process->lock held. */
void ptrace_wake_locked(struct task *t);
/* Registers of a frozen tracee: ptrace_regs.c. */
s64 ptrace_peek_user(struct task *t, u64 addr, u64 *value);
s64 ptrace_poke_user(struct task *t, u64 addr, u64 value);
s64 ptrace_regset(struct task *t, bool set, u32 type, u64 user, u64 len, u64 *done);
s64 ptrace_fixed_regset(struct task *t, bool set, u32 type, u64 user);
void ptrace_set_step(struct task *t, bool on);
s64 ptrace_arch_prctl(struct task *t, u64 code, u64 addr);
/* ptrace_info.c: requests that copy what the tracee's stop is about. */
s64 ptrace_get_siginfo(struct task *t, u64 user);
s64 ptrace_set_siginfo(struct task *t, u64 user);
s64 ptrace_peek_siginfo(struct task *t, u64 uargs, u64 user);
s64 ptrace_sigmask(struct task *t, bool set, u64 size, u64 user);
s64 ptrace_syscall_info(struct task *t, u64 size, u64 user);
s64 ptrace_rseq(struct task *t, u64 size, u64 user);
#endif
