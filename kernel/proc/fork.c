/* SPDX-License-Identifier: MIT */
/*
 * clone, clone3, fork, vfork.
 *
 *   check flags · task + stack · process · files, fs, signal actions, mm · number · registers · into the tables · start
 *
 * What was made is unmade in reverse order when a later step fails; nobody can see the child before it is in the tables.
 */
#include "proc.h"
#include <kernel/ptrace.h>
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/phys.h>
#include <port/clock.h>
#include <port/uaccess.h>

struct clone_request {
    u64 flags;
    u64 pidfd, child_tid, parent_tid, stack, tls;
    s32 exit_signal;
    s32 set_tid;
};

/* What a vforking parent sleeps on; on its stack, gone when `done`. */
struct task_completion {
    struct waitq wait;
    bool done;
    s32 refs;
};

static int check_flags(const struct clone_request *r)
{
    u64 f = r->flags;
    if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
        return -EINVAL;
    if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
        return -EINVAL;
    if ((f & CLONE_CLEAR_SIGHAND) && (f & CLONE_SIGHAND))
        return -EINVAL;
    if ((f & CLONE_NEWNS) && (f & CLONE_FS))
        return -EINVAL;
    if ((f & CLONE_NEWNS) && !capable(21 /* CAP_SYS_ADMIN */))
        return -EPERM;
    if (f & CLONE_NEW_ANY & ~CLONE_NEWNS)
        return capable(21 /* CAP_SYS_ADMIN */) || (f & CLONE_NEWUSER) ? -EINVAL : -EPERM;
    if ((f & CLONE_PIDFD) && (f & CLONE_DETACHED))
        return -EINVAL;
    if ((f & CLONE_PARENT) && current_process() == init_process)
        return -EINVAL;
    if (r->exit_signal < 0 || r->exit_signal > NSIG)
        return -EINVAL;
    return 0;
}

u64 sysctl_threads_max;

static u32 max_threads(void)
{
    return (u32)min(READ_ONCE(sysctl_threads_max), PID_MAX - 300UL);
}

static struct process *new_process(const struct clone_request *r, struct task *leader)
{
    struct process *p = process_alloc(), *cur = current_process();
    if (!p)
        return NULL;
    memcpy(p->rlim, cur->rlim, sizeof(p->rlim));
    p->leader = leader;
    p->exit_signal = r->flags & CLONE_PARENT ? cur->exit_signal : r->exit_signal;
    p->dumpable = cur->dumpable;
    p->no_new_privs = cur->no_new_privs;
    p->membarrier = cur->membarrier;
    p->has_subreaper = cur->has_subreaper || cur->child_subreaper;
    p->oom_score_adj = cur->oom_score_adj;
    p->oom_score_adj_min = cur->oom_score_adj_min;
    p->start_ns = leader->start_ns;
    p->tty = cur->tty;
    str_copy(p->exe_path, cur->exe_path, sizeof(p->exe_path));
    return p;
}

/* files, fs, sighand, mm. On failure what was taken is given back by put_shared(). */
static int copy_shared(struct task *t, const struct clone_request *r)
{
    struct task *cur = current_task();
    u64 f = r->flags;
    if (f & CLONE_SIGHAND) {
        __atomic_fetch_add(&cur->sighand->refs, 1, __ATOMIC_RELAXED);
        t->sighand = cur->sighand;
    } else if (!(t->sighand = sighand_copy(cur->sighand))) {
        return -ENOMEM;
    }
    if (f & CLONE_CLEAR_SIGHAND)
        sighand_reset(t->process, t->sighand);
    if (f & CLONE_FILES) {
        fd_table_get(cur->files);
        t->files = cur->files;
    } else if (!(t->files = fd_table_copy(cur->files))) {
        return -ENOMEM;
    }
    if (f & CLONE_FS) {
        fs_struct_get(cur->fs);
        t->fs = cur->fs;
    } else if (!(t->fs = fs_struct_copy(cur->fs))) {
        return -ENOMEM;
    }
    if ((f & CLONE_NEWNS) && mount_ns_unshare(t->fs))
        return -ENOMEM;
    if (f & CLONE_VM) {
        mm_get(cur->mm);
        t->mm = cur->mm;
        return 0;
    }
    return mm_fork(cur->mm, &t->mm);
}

static void put_shared(struct task *t)
{
    if (t->mm)
        mm_put(t->mm);
    if (t->fs)
        fs_struct_put(t->fs);
    if (t->files)
        fd_table_put(t->files);
    if (t->sighand)
        sighand_put(t->sighand);
    t->sighand = NULL;
}

static void child_start(void *arg)
{
    struct task *t = arg;
    if (t->set_child_tid)
        put_user((u32)t->tid, t->set_child_tid);
}

static void init_thread(struct task *t, const struct clone_request *r)
{
    struct task *cur = current_task();
    struct thread *th = &t->thread;
    th->nice = cur->thread.nice;
    th->policy = cur->thread.policy;
    th->rt_prio = cur->thread.rt_prio;
    th->affinity = cur->thread.affinity;
    th->cpu = cur->thread.cpu;
    th->slice = 4000000;
    memcpy(t->comm, cur->comm, sizeof(t->comm));
    t->cred = cred_get(cur->cred);
    t->signal.blocked = cur->signal.restore_saved ? cur->signal.saved_mask : cur->signal.blocked;
    if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK)) {
        t->signal.alt_sp = cur->signal.alt_sp;
        t->signal.alt_size = cur->signal.alt_size;
        t->signal.alt_flags = cur->signal.alt_flags;
    }
    t->start_ns = clock_ns();
    t->timer_slack_ns = cur->timer_slack_ns;
    t->personality = cur->personality;
    t->set_child_tid = r->flags & CLONE_CHILD_SETTID ? r->child_tid : 0;
    t->clear_child_tid = r->flags & CLONE_CHILD_CLEARTID ? r->child_tid : 0;
    if (!(r->flags & CLONE_VM)) {
        t->rseq_addr = cur->rseq_addr;
        t->rseq_len = cur->rseq_len;
        t->rseq_sig = cur->rseq_sig;
    }
}

static void init_registers(struct task *t, const struct clone_request *r)
{
    struct thread_ctx *ctx = &t->thread.ctx;
    arch_thread_init(ctx, (u64)t->thread.kstack + THREAD_STACK_SIZE,
                     r->flags & CLONE_CHILD_SETTID ? child_start : NULL, t);
    struct regs *regs = thread_regs(ctx);
    *regs = *current_regs();
    regs->rax = 0;
    if (r->stack)
        regs->rsp = r->stack;
    arch_thread_fork(ctx, &current_task()->thread.ctx);
}

/* Into the tables. -ERESTARTNOINTR when the parent is being killed: it has no children any more. */
static int publish(struct task *t, const struct clone_request *r, bool trace)
{
    struct process *p = t->process, *cur = current_process();
    int err = 0;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    spin_lock(&cur->lock);
    if (fatal_signal_pending() || cur->signal.group_exit || cur->signal.exec_task) {
        err = -ERESTARTNOINTR;
    } else if (p == cur) {
        list_add_tail(&t->thread_link, &p->threads);
        p->nr_threads++;
    }
    spin_unlock(&cur->lock);
    if (!err) {
        if (p != cur) {
            list_add_tail(&t->thread_link, &p->threads);
            p->nr_threads = 1;
            p->parent = r->flags & CLONE_PARENT ? cur->parent : cur;
            p->parent_tid = r->flags & CLONE_PARENT ? cur->parent_tid : current_task()->tid;
            list_add_tail(&p->sibling, &p->parent->children);
            struct pgrp *none = NULL;
            p->pid = t->tid;
            pgrp_join_locked(p, cur->pgid, cur->sid, &none);
        }
        task_get(t);
        if (p != cur)
            process_get(
                p); /* the table's, until it is reaped; the leader's is that of process_alloc() */
        pid_attach_locked(t->tid, t);
        if (unlikely(trace) && current_task()->trace.tracer)
            ptrace_fork_locked(t);
    }
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return err;
}

static int wait_vfork(struct task_completion *c)
{
    /* Killed: the child goes on alone with its own reference to c. */
    return waitq_wait_killable(&c->wait, READ_ONCE(c->done));
}

static void completion_put(struct task_completion *c)
{
    if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kfree(c);
}

void vfork_release(struct task *t)
{
    struct task_completion *c = t->vfork_done;
    if (!c)
        return;
    t->vfork_done = NULL;
    WRITE_ONCE(c->done, true);
    waitq_wake_all(&c->wait);
    completion_put(c);
}

static bool over_nproc(void)
{
    return user_over_nproc(current_task()->cred->user, 1) && !capable(24 /* CAP_SYS_RESOURCE */) &&
           !capable(21 /* CAP_SYS_ADMIN */);
}

/* The event that a tracer may want to see; 0: none is wanted. */
static int event_of(const struct clone_request *r)
{
    int event = r->flags & CLONE_VFORK         ? PTRACE_EVENT_VFORK
                : r->exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
                                               : PTRACE_EVENT_FORK;
    return r->flags & CLONE_UNTRACED || !ptrace_event_enabled(event) ? 0 : event;
}

static s64 do_clone(const struct clone_request *r)
{
    int event = 0, err = check_flags(r);
    if (err)
        return err;
    if (pid_count() >= max_threads() && current_task()->cred->uid)
        return -EAGAIN;
    if (pid_count() >= max_threads() + 64)
        return -EAGAIN;
    if (over_nproc())
        return -EAGAIN;
    kstack_trim();
    struct task *t = task_alloc();
    if (!t)
        return -ENOMEM;
    struct task_completion *vfork = NULL;
    err = -ENOMEM;
    if (!(t->thread.kstack = kstack_alloc()))
        goto fail_task;
    init_thread(t, r);
    t->process = r->flags & CLONE_THREAD ? process_get(current_process()) : new_process(r, t);
    if (!t->process)
        goto fail_task;
    if ((r->flags & CLONE_VFORK)) {
        if (!(vfork = kmalloc(sizeof(*vfork), GFP_KERNEL)))
            goto fail_process;
        waitq_init(&vfork->wait);
        vfork->done = false;
        vfork->refs = 2;
        t->vfork_done = vfork;
    }
    err = copy_shared(t, r);
    if (err)
        goto fail_shared;
    init_registers(t, r);
    if ((r->flags & CLONE_SETTLS) && (err = thread_set_fs_base(&t->thread.ctx, r->tls)))
        goto fail_shared;
    s32 tid = pid_alloc(r->set_tid);
    if (tid < 0) {
        err = tid;
        goto fail_shared;
    }
    t->tid = tid;
    int pidfd = -1;
    if (r->flags & CLONE_PIDFD) {
        t->process->pid = r->flags & CLONE_THREAD ? t->process->pid : tid;
        pidfd = pidfd_install(t->process);
        err = pidfd < 0 ? pidfd : put_user((u32)pidfd, r->pidfd);
        if (err)
            goto fail_pid;
    }
    if (r->flags & CLONE_PARENT_SETTID)
        put_user((u32)tid, r->parent_tid);
    if (unlikely(current_task()->trace.tracer))
        event = event_of(r);
    err = publish(t, r, event || r->flags & CLONE_PTRACE);
    if (err)
        goto fail_pid;
    sched_start(t);
    if (unlikely(event))
        ptrace_event(event, (u64)tid);
    if (vfork) {
        if (!wait_vfork(vfork))
            ptrace_event(PTRACE_EVENT_VFORK_DONE, (u64)tid);
        completion_put(vfork);
    }
    return tid;

fail_pid:
    if (pidfd >= 0)
        fd_close(pidfd);
    pid_cancel(tid);
fail_shared:
    put_shared(t);
    if (vfork)
        kfree(vfork);
fail_process:
    process_put(t->process);
fail_task:
    task_free_unstarted(t);
    return err;
}

SYSCALL(clone)
{
    struct clone_request r = {.flags = a0 & 0xffffff00UL,
                              .exit_signal = (s32)(a0 & 0xff),
                              .stack = a1,
                              .parent_tid = a2,
                              .child_tid = a3,
                              .pidfd = a2,
                              .tls = a4};
    if ((a0 & CLONE_PIDFD) && (a0 & CLONE_PARENT_SETTID))
        return -EINVAL;
    return do_clone(&r);
}

SYSCALL(fork)
{
    struct clone_request r = {.exit_signal = SIGCHLD};
    return do_clone(&r);
}

SYSCALL(vfork)
{
    struct clone_request r = {.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD};
    return do_clone(&r);
}

struct clone_args_k {
    u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

SYSCALL(clone3)
{
    struct clone_args_k c = {0};
    if (a1 > PAGE_SIZE)
        return -E2BIG;
    if (a1 < 64)
        return -EINVAL;
    if (copy_from_user(&c, a0, min(a1, sizeof(c))))
        return -EFAULT;
    for (u64 i = sizeof(c); i < a1; i++) {
        u8 b;
        if (get_user(b, a0 + i))
            return -EFAULT;
        if (b)
            return -E2BIG;
    }
    if ((c.flags & ~(0xffffffffUL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)) ||
        (c.flags & (CLONE_DETACHED | 0x7f)))
        return -EINVAL;
    if ((c.flags & CLONE_INTO_CGROUP) || c.exit_signal > NSIG)
        return -EINVAL;
    if ((c.flags & (CLONE_THREAD | CLONE_PARENT)) && c.exit_signal)
        return -EINVAL;
    if (!c.stack != !c.stack_size || (c.set_tid_size && !c.set_tid) ||
        (c.set_tid && !c.set_tid_size) || c.set_tid_size > 1)
        return -EINVAL;
    struct clone_request r = {.flags = c.flags,
                              .pidfd = c.pidfd,
                              .child_tid = c.child_tid,
                              .parent_tid = c.parent_tid,
                              .stack = c.stack ? c.stack + c.stack_size : 0,
                              .tls = c.tls,
                              .exit_signal = (s32)c.exit_signal};
    if (c.set_tid) {
        if (!capable(21))
            return -EPERM;
        if (get_user(r.set_tid, c.set_tid))
            return -EFAULT;
        if (r.set_tid <= 0)
            return -EINVAL;
    }
    return do_clone(&r);
}
