/* SPDX-License-Identifier: MIT */
/*
 * Signals. Bodies in kernel/proc/signal*.c; the frame on the user's stack is built by kernel/proc/sigframe.c with the
 * architecture's help.
 *
 *   struct sighand        actions, shared by CLONE_SIGHAND           sighand->refs
 *   struct process_signal what the thread group shares: pending set, stop and exit state, who waits, CPU-time timers
 *   struct task_signal    per thread: pending set, blocked mask, alternate stack   (embedded in struct task)
 *
 * Lock: process->lock (irqsave) guards pending sets, actions and stop state of the whole group.
 * ARCH_WORK_SIGNAL is set whenever the thread may have to look; only the thread itself clears it.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H
#include <lib/list.h>
#include <lib/types.h>
#include <port/lock.h>
#include <port/sched.h>

struct task;
struct process;
struct file;

enum {
    SIGHUP = 1,
    SIGINT,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGKILL,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGPIPE,
    SIGALRM,
    SIGTERM,
    SIGSTKFLT,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGXCPU,
    SIGXFSZ,
    SIGVTALRM,
    SIGPROF,
    SIGWINCH,
    SIGIO,
    SIGPWR,
    SIGSYS,
    SIGRTMIN = 32,
    SIGRTMAX = 64
};
#define NSIG 64
static inline u64 sig_bit(int sig)
{
    return 1UL << (sig - 1);
}

#define SA_NOCLDSTOP 0x00000001UL
#define SA_NOCLDWAIT 0x00000002UL
#define SA_SIGINFO   0x00000004UL
#define SA_RESTORER  0x04000000UL
#define SA_ONSTACK   0x08000000UL
#define SA_RESTART   0x10000000UL
#define SA_NODEFER   0x40000000UL
#define SA_RESETHAND 0x80000000UL
#define SIG_DFL      0UL
#define SIG_IGN      1UL

/* si_code */
#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_QUEUE      (-1)
#define SI_TIMER      (-2)
#define SI_MESGQ      (-3)
#define SI_TKILL      (-6)
#define ILL_ILLOPN    2
#define FPE_INTDIV    1
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define SEGV_PKUERR   4
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_MCEERR_AR 4
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define TRAP_HWBKPT   4
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

/* The 128 bytes that programs see as siginfo_t. */
struct siginfo_k {
    s32 signo, err, code, pad0;
    union {
        struct {
            s32 pid;
            u32 uid;
            u64 value;
        } kill; /* also sigqueue: value */
        struct {
            s32 tid, overrun;
            u64 value;
        } timer;
        struct {
            s32 pid;
            u32 uid;
            s32 status, pad;
            s64 utime, stime; /* clock ticks of 10 ms */
        } chld;
        struct {
            u64 addr;
            s16 addr_lsb, pad1;
            u32 pad2;
            u64 lower, upper; /* SEGV_PKUERR: lower is the key */
        } fault;
        struct {
            s64 band;
            s32 fd;
        } poll;
        u8 bytes[112];
    };
};
BUILD_ASSERT(sizeof(struct siginfo_k) == 128);

struct sigaction_k { /* as rt_sigaction(2) passes it */
    u64 handler, flags, restorer, mask;
};

struct sighand {
    s32 refs;
    u64 ignored; /* signals whose effect is none: SIG_IGN, or SIG_DFL with default ignore */
    u64 caught;  /* signals with a handler, for /proc/PID/status SigCgt */
    struct sigaction_k action[NSIG];
};

/* A queue entry: kmalloc'd (hold NULL), or part of something that is held while it is queued: a child, a timer. */
struct sigqueue {
    struct list_head link;
    void (*hold)(struct sigqueue *q);
    void (*release)(struct sigqueue *q); /* process->lock held: may not free to the slab */
    bool queued;
    struct user *user; /* for whom it counts, referenced while it is queued; NULL with hold */
    struct rcu_head rcu;
    struct siginfo_k info;
};

struct sigpending {
    u64 set;
    u64 bare;               /* of those, sent with a siginfo for which there was no entry to be had: SI_USER from nobody */
    struct list_head queue; /* struct sigqueue; other signals without an entry carry SI_KERNEL */
};

struct task_signal {
    u64 blocked;
    u64 saved_mask; /* sigsuspend, ppoll, ...: goes back in place after the next delivery */
    bool restore_saved;
    struct sigpending pending;
    u64 alt_sp, alt_size;
    u32 alt_flags;
    struct sigqueue forced; /* the entry of a fault's signal, while queued; memory for it can't be lacking */
    u64 wait_set; /* sigtimedwait is after these although they are blocked */
};

struct process_signal {
    struct sigpending pending;
    struct waitq child_wait;    /* parents in wait4 */
    struct waitq signalfd_wait; /* signalfd, sigtimedwait of the group, pidfd poll */
    bool group_exit;            /* every thread is to end with exit_code */
    bool stopped;               /* job control: threads park in signal_park() */
    bool stop_report; /* the parent has not yet been told / has not yet waited for the stop */
    bool cont_report; /* continued, WCONTINUED may report */
    bool cont_notify; /* the parent shall be told of that by the first thread that comes by */
    s32 stop_sig;
    struct core_wait *core;  /* a core is being written: kernel/exec/coredump.c */
    struct task *exec_task;  /* de_thread: the one that stays */
    struct waitq group_wait; /* exec waits for the others to leave; stopped threads park here */
};

/* Interruption of sleeps; used by waitq_wait_interruptible. */
bool task_signal_pending(struct task *t);

/* Sends with siginfo. t == NULL: to the whole process. -EAGAIN when the queue limit is reached (rt signals). Any context. */
int signal_send_info(struct process *p, struct task *t, int sig, const struct siginfo_k *info);
/* The same with an entry of the caller's; while it is still queued the new one carries none. Any context. */
int signal_send_entry(struct process *p, struct task *t, int sig, const struct siginfo_k *info,
                      struct sigqueue *q);
/* A queue entry for signal_send_queued, allocated where one may; NULL: no memory. NULL may be freed. */
struct sigqueue *sigqueue_alloc(void);
void sigqueue_free(struct sigqueue *q);
/* As signal_send_info with an entry of sigqueue_alloc's: when it is used *q becomes NULL. Any context. */
int signal_send_queued(struct process *p, struct task *t, int sig, const struct siginfo_k *info, struct sigqueue **q);
/* A fault of the running thread: cannot be blocked or ignored. */
void signal_force(int sig, int code, u64 addr);
/* SIGSEGV because of protection key `key`. */
void signal_force_pkey(u64 addr, u32 key);
void signal_force_poison(u64 addr); /* SIGBUS: the page is lost */
/* May current signal p? 0 or -EPERM. */
int signal_check_perm(struct process *p, int sig);

/* Text for /proc/PID/status: pending of thread, of group, blocked, ignored, caught. */
void signal_masks(struct task *t, u64 *pending, u64 *shared, u64 *blocked, u64 *ignored,
                  u64 *caught);

/* Takes the next signal in `mask` (wanted bits) off current; 0 when none. Used by sigtimedwait and signalfd. */
int signal_dequeue(u64 mask, struct siginfo_k *info);
int signal_dequeue_locked(u64 mask, struct siginfo_k *info); /* process->lock held */
/* Is one of mask pending for current? */
bool signal_any_pending(u64 mask);

/* sigmask for ppoll, pselect, epoll_pwait: installs *user_mask (0: none) until the call is over. 0, -EFAULT, -EINVAL. */
int signal_set_user_mask(u64 user_mask, u64 size);
/* End of such a call: puts the old mask back unless interrupted (then delivery does it). */
void signal_restore_user_mask(bool interrupted);

/* User-mode return: delivers signals, handles stops, restarts system calls. kernel/proc/sigdeliver.c */
void signal_deliver(struct regs *regs);

struct sighand *sighand_alloc(void);
struct sighand *sighand_copy(struct sighand *s);
void sighand_put(struct sighand *s);
/* exec: handlers back to default, ignored stay. */
void sighand_reset(struct process *p, struct sighand *s);
#endif
