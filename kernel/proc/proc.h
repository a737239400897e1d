/* SPDX-License-Identifier: MIT */
/* Inside of kernel/proc: tables, life and death of tasks. */
#ifndef KERNEL_PROC_PROC_H
#define KERNEL_PROC_PROC_H
#include <kernel/file.h>
#include <kernel/sched.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define CLONE_NEWTIME        0x00000080UL
#define CLONE_VM             0x00000100UL
#define CLONE_FS             0x00000200UL
#define CLONE_FILES          0x00000400UL
#define CLONE_SIGHAND        0x00000800UL
#define CLONE_PIDFD          0x00001000UL
#define CLONE_PTRACE         0x00002000UL
#define CLONE_VFORK          0x00004000UL
#define CLONE_PARENT         0x00008000UL
#define CLONE_THREAD         0x00010000UL
#define CLONE_NEWNS          0x00020000UL
#define CLONE_SYSVSEM        0x00040000UL
#define CLONE_SETTLS         0x00080000UL
#define CLONE_PARENT_SETTID  0x00100000UL
#define CLONE_CHILD_CLEARTID 0x00200000UL
#define CLONE_DETACHED       0x00400000UL
#define CLONE_UNTRACED       0x00800000UL
#define CLONE_CHILD_SETTID   0x01000000UL
#define CLONE_NEWCGROUP      0x02000000UL
#define CLONE_NEWUTS         0x04000000UL
#define CLONE_NEWIPC         0x08000000UL
#define CLONE_NEWUSER        0x10000000UL
#define CLONE_NEWPID         0x20000000UL
#define CLONE_NEWNET         0x40000000UL
#define CLONE_IO             0x80000000UL
#define CLONE_CLEAR_SIGHAND  0x100000000UL
#define CLONE_INTO_CGROUP    0x200000000UL
#define CLONE_NEW_ANY                                                                              \
    (CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
     CLONE_NEWPID | CLONE_NEWNET)

enum {
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME
};

/* user.c: what limits count for a user. user_of: referenced, NULL: no memory. user_put: any context. */
extern struct user root_user;
struct user *user_of(u32 uid);
/* RLIMIT_NPROC of the current process: would u have too many threads with so many more? */
bool user_over_nproc(const struct user *u, u64 more);

/* Guards pid tables, parent and child links, process groups. irqsave; outside process->lock. */
extern spinlock_t tasklist_lock;

/* oom.c */
void oom_init(void);
struct oom_task;
/* A process as the OOM killer sees it; false: it has ended. *out stays valid until oom_task_done(). */
bool oom_task_of(struct process *p, struct oom_task *out);
void oom_task_done(const struct oom_task *t);
/* Sets oom_score_adj of p and of who shares its memory. old: by oom_adj, which asks for privilege to lower it at all. 0, -EACCES. */
int oom_set_adj(struct process *p, s16 adj, bool old);

/* A process group; freed with its last member. */
struct pgrp {
    s32 pgid, sid;
    struct list_head members; /* process->pgrp_link */
    struct rcu_head rcu;
};

/* pid.c. All but pid_alloc/pid_cancel want tasklist_lock. */
#define PID_MAX 32768
s32 pid_alloc(s32 want);  /* a fresh number (want 0) or -EAGAIN, -ENOMEM, -EEXIST; may sleep */
void pid_cancel(s32 pid); /* gives an unused one back */
void pid_attach_locked(s32 pid, struct task *t);
void pid_detach_locked(s32 pid);
struct task *pid_task_locked(s32 pid);
struct process *pid_process_locked(s32 pid);
struct pgrp *pgrp_find_locked(s32 pgid);
/* Moves p into pgid (made from `fresh` when new, which is then consumed and set to NULL). */
void pgrp_join_locked(struct process *p, s32 pgid, s32 sid, struct pgrp **fresh);
void pgrp_leave_locked(struct process *p);
/* No member has a parent in another group of the same session (ignoring `without`). */
bool pgrp_orphaned_locked(struct pgrp *g, struct process *without);
bool pgrp_has_stopped_locked(struct pgrp *g);
u32 pid_count(void);
s32 pid_last(void);  /* number given out last */
u64 pid_forks(void); /* threads ever made */

/* task.c */
void task_boot(void);
struct task *task_alloc(void);       /* zeroed, refs 1, with room for the FPU; no stack */
struct process *process_alloc(void); /* zeroed, refs 1 */
void task_free_unstarted(struct task *t);
struct cred *cred_copy(const struct cred *c);
extern struct cred root_cred;

/* exit.c */
void do_exit(int wait_status) __noreturn_fn; /* this thread */
void do_group_exit(int wait_status) __noreturn_fn;
/* The parent of a vforked child is let go. */
void vfork_release(struct task *t);
/* Tells the parent that p stopped, continued or ended (CLD_*). tasklist_lock held. */
void notify_parent_locked(struct process *p, int code, int status);
/* exec: ends all other threads of the group. 0 or -EAGAIN, -EINTR. The caller is the leader afterwards. */
int exec_de_thread(void);
/* The last thread has gone, and nobody traces an ended one: p becomes a zombie, and its parent or tracer is told. q: as for
 * signal_send_queued, for the tracer. tasklist_lock held. */
void process_zombie_locked(struct process *p, struct sigqueue **q);
void process_reap_locked(struct process *p); /* a zombie's times go to the parent */
/* Last reference of the mm of the running thread is dropped or replaced. */
void task_drop_mm(struct task *t);

/* signal.c */
void signal_flush_pending(struct sigpending *p, u64 mask);
void signal_recalc(void); /* of the running thread, after its blocked mask changed */
void signal_set_blocked(u64 mask);
/* t shall look at its signals; fatal: whatever it waits for. t->process->lock held. */
void signal_tell_locked(struct task *t, bool fatal);
void signal_kill_group_locked(struct process *p, int wait_status); /* p->lock held */
bool sig_is_ignored_default(int sig);
bool sig_is_stop(int sig);
bool sig_dumps_core(int sig);
extern const u64 sig_sync_mask;
/* coredump.c: writes the core of the current process if that is wanted and allowed; the other threads end first, and the core
 * bit goes into p->exit_code. May sleep long. */
void coredump(const struct siginfo_k *info);
/* The running thread is about to end: while the core is written it waits, its registers in place. */
void coredump_join(struct task *t);
#define CORE_PATTERN_SIZE 128
extern char core_pattern[CORE_PATTERN_SIZE]; /* /proc/sys/kernel */
extern u64 sysctl_core_uses_pid;
/* sigframe.c: 0, or -EFAULT: the stack is unusable. */
int sigframe_push(struct regs *regs, int sig, const struct sigaction_k *act,
                  const struct siginfo_k *info, u64 mask);

/* limits.c */
extern u64 sysctl_threads_max; /* set with the first process */
void rlimits_init(struct rlimit64 *r, u64 max_threads);
/* futex.c */
void futex_boot(void);
void futex_exit(struct task *t); /* robust list, PI locks, clear_child_tid */
int futex_wake_addr(u64 uaddr, int n);

/* timers of a process, kernel/time/itimer.c */
void process_timers_exit(struct process *p);
void process_timers_check(void);
void posix_timers_exec(struct process *p);

/* pidfd.c: a descriptor for p in the current table, or -errno. */
int pidfd_install(struct process *p);
/* The pid behind a descriptor; -EBADF. */
s32 pidfd_pid(int fd);
/* The process behind a descriptor, referenced; NULL and *err: -EBADF, -ESRCH (reaped). */
struct process *pidfd_process(int fd, int *err);
/* prctl_mm.c */
s64 prctl_set_vma(u64 option, u64 addr, u64 len, u64 uname);
s64 prctl_set_mdwe(u64 bits);
s64 prctl_get_mdwe(void);
s64 prctl_set_thp_disable(bool on);
/* prctl_layout.c: PR_SET_MM. */
s64 prctl_set_mm(u64 option, u64 addr, u64 arg4, u64 arg5);
s64 prctl_get_thp_disable(void);
/* ptrace_regs.c: word n of struct user_regs_struct (0..26) of the running thread or one that is off its CPU. */
u64 task_user_word(struct task *t, unsigned word);
/* exec.c */
int do_exec(struct file *f, const char *path, u64 uargv, u64 uenvp, const char *const *kargv,
            const char *const *kenvp);
/* Terminals: kernel/dev defines it. A session leader with a controlling terminal ends. */
void tty_session_exit(struct process *p) __attribute__((weak));

/* rseq.c: fixes up a preempted restartable sequence, writes the CPU number. */
void rseq_return(struct regs *regs);
/* A handler is about to run: the interrupted section ends before the frame is made. The thread has an area. */
void rseq_signal(struct regs *regs);
/* rusage */
void process_times(struct process *p, u64 *user_ns, u64 *sys_ns);
void task_times(struct task *t, u64 *user_ns, u64 *sys_ns);
#endif
