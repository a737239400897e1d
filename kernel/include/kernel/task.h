/* SPDX-License-Identifier: MIT */
/*
 * struct task: one thread; struct process: what the threads of one program share (a thread group). Bodies in kernel/proc/ and
 * kernel/sched/. The scheduler's and the architecture's parts are opaque here (task->sched, task->arch).
 *
 * Locks: process->lock (spinlock, irqsave) guards threads, children, signals, limits; tasklist_lock the pid tables.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H
#include <lib/list.h>
#include <lib/types.h>
#include <port/lock.h>
#include <port/sched.h>
#include <kernel/ptrace.h>
#include <kernel/sched.h>
#include <kernel/signal.h>

struct mm;
struct fd_table;  /* kernel/file.h */
struct fs_struct; /* cwd, root, umask */
struct regs;
struct task_completion;
struct pgrp;

#define TASK_COMM_LEN 16
#define NR_RLIMITS    16

/* Of task->personality (personality(2)). */
#define ADDR_NO_RANDOMIZE  0x0040000u
#define MMAP_PAGE_ZERO     0x0100000u
#define ADDR_COMPAT_LAYOUT 0x0200000u
#define READ_IMPLIES_EXEC  0x0400000u

/* kernel/proc/user.c */
struct user {
    u32 uid;
    s32 refs;
    s64 nproc, sigpending; /* threads; queued signals; atomic */
    s64 pipe_pages, epoll_watches; /* slots of pipes; items of epoll sets; atomic */
    struct list_head link;
    struct rcu_head rcu;
};

/* Referenced; user_put from any context. */
struct user *user_get(struct user *u);
void user_put(struct user *u);

struct cred {
    s32 refs;
    struct user *user; /* of uid, referenced */
    u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    u64 cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    u32 ngroups;
    u32 groups[32];
    struct rcu_head rcu; /* freed after a grace period: others may be reading it */
};

struct rlimit64 {
    u64 cur, max; /* ~0 = infinity */
};

struct task {
    struct thread thread; /* kernel/sched.h; first */
    s32 refs;
    s32 tid; /* thread id; equals process->pid for the leader; 0 for kernel threads */
    struct process *process; /* kernel threads: kernel_process */
    struct mm *mm;           /* NULL for kernel threads */
    struct fd_table *files;  /* shared by CLONE_FILES */
    struct fs_struct *fs;    /* shared by CLONE_FS */
    struct cred *cred;
    struct sighand *sighand;
    struct task_signal signal;
    struct task_trace trace;
    char comm[TASK_COMM_LEN];
    /* page faults: thread.ctx.min_flt, .maj_flt */
    u64 utime_ns, stime_ns, start_ns; /* sampled by the tick; exact total: sched_runtime() */
    u64 nvcsw, nivcsw;
    u64 rchar, wchar, syscr, syscw;
    u64 io_read_bytes, io_write_bytes; /* from block devices; of pages made dirty, and past the cache */
    struct list_head thread_link;       /* process->threads */
    u64 set_child_tid, clear_child_tid; /* user addresses */
    u64 robust_list;
    u64 rseq_addr;
    u32 rseq_len, rseq_sig;
    s32 exit_signal, exit_code;
    s32 pdeath_signal;
    struct task_completion *vfork_done; /* the parent waits for exec or exit */
    u64 restart_deadline, restart_rem;  /* of an interrupted nanosleep or poll */
    u64 restart_fds;                    /* of an interrupted poll; 0: it was nanosleep */
    u32 restart_nfds;
    void *futex;                        /* kernel/proc/futex.c */
    u64 timer_slack_ns;
    bool keep_caps;
    bool nproc_exceeded; /* it became a user that has too many threads already: exec asks again */
    u16 ioprio; /* as ioprio_set(2) takes it; 0: never set */
    u64 personality;
    u64 trap_nr, trap_err, trap_cr2; /* of the last fault, for signal frames */
    bool exiting;
    struct rcu_head rcu;
};

/* The running thread. */
static inline struct task *current_task(void)
{
    return (struct task *)cpu_thread();
}
static inline struct process *current_process(void)
{
    return current_task()->process;
}

/* A fatal or, for interruptible sleeps, any deliverable signal is pending for the current thread. */
bool signal_pending(void);
bool fatal_signal_pending(void);
/* Sends a signal from the kernel: to a thread, to the whole process, to every process of a group. sig 1..64. */
void signal_send_task(struct task *task, int sig);
void signal_send_process(struct process *process, int sig);
void signal_send_pgrp(s32 pgid, int sig);
/* Job control: the session of a process group or -ESRCH; is no member's parent in another group of the session? */
s32 pgrp_session(s32 pgid);
bool pgrp_is_orphaned(s32 pgid);
struct siginfo_k; /* kernel/signal.h */

/* Waiting: port/sched.h (waitq_wait, _killable, _interruptible: interruptible waits return -ERESTARTSYS
 * when a signal is pending, killable ones -EINTR), kernel/sched.h (waitq_wait_timeout, waitq_callback). */

/* Process identity as terminals and /proc need it. */
struct process {
    s32 refs;
    s32 pid, pgid, sid;
    struct process *parent; /* tasklist_lock */
    struct task *leader;
    struct list_head children, sibling, threads,
        all_link; /* all_link: every process, tasklist_lock */
    struct pgrp *pgrp;
    struct list_head pgrp_link;
    u32 nr_threads; /* alive */
    spinlock_t lock;
    void *tty; /* controlling terminal, struct tty */
    struct rlimit64 rlim[NR_RLIMITS];
    struct process_signal signal;
    struct sigqueue chld;          /* what the parent is told; its lock */
    u64 next_xcpu_ns;              /* CPU time of the next SIGXCPU */
    struct process_timers *timers; /* kernel/time/itimer.c; NULL until used */
    s32 exit_code;                 /* wait status, once dead */
    s32 exit_signal;               /* to the parent; 0 none */
    s32 parent_tid;                /* the thread of the parent that made it */
    s32 yama_tracer;               /* PR_SET_PTRACER: a number, 0 none, -1 anybody */
    u32 traced_dead;               /* ended threads that their tracer has not waited for; tasklist_lock */
    u8 state;                      /* enum process_state */
    u32 membarrier;                /* kinds registered for */
    u8 dumpable; /* 0 no, 1 yes, 2 only for root */
    bool no_new_privs, did_exec, child_subreaper, has_subreaper;
    u64 start_ns;
    u64 cmin_flt, cmaj_flt, cutime_ns, cstime_ns, cmaxrss, cnvcsw, cnivcsw, cio_read, cio_write; /* of reaped children */
    u64 dead_min_flt, dead_maj_flt, dead_utime_ns, dead_stime_ns, dead_nvcsw,
        dead_nivcsw, dead_io_read, dead_io_write; /* of ended threads */
    u64 gone_calls[4]; /* rchar, wchar, syscr, syscw of ended threads and reaped children */
    u64 maxrss;      /* pages, at exec or exit */
    s16 oom_score_adj, oom_score_adj_min; /* min: as low as it may be set without privilege */
    struct mm *oom_mm; /* kernel/proc/oom.c */
    struct rcu_head rcu;
    char exe_path[256];
};
enum process_state { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED };
extern struct process kernel_process; /* of kernel threads; pid 0, in no table */
extern struct process *init_process;

struct process *process_get(struct process *p);
struct task *task_get(struct task *t);
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c); /* any context */
/* Lookup with a reference (process_put). NULL when there is none. */
struct process *process_find(s32 pid);
void process_put(struct process *p);
/* uname -r, -v, -n; 65 bytes each. */
void uts_read(char *release, char *version, char *nodename);
void uts_domain(char *name);                                /* 65 bytes */
void uts_set_name(bool domain, const char *name, size_t n); /* cut at 64 */
struct task *task_find(s32 tid);
void task_put(struct task *t); /* any context */
/* Calls fn for each process in pid order, referenced during the call, no lock held. */
void process_for_each(int (*fn)(void *ctx, struct process *p), void *ctx);
/* The mm of a task, referenced (mm_get), or NULL. */
struct mm *task_get_mm(struct task *t);
struct mm *process_get_mm(struct process *p);
/* Credentials check: CAP_* numbers of Linux. */
bool capable(int cap);
static inline u64 rlimit_cur(const struct process *p, int which)
{
    return p->rlim[which].cur;
}
#endif
