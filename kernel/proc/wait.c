/* SPDX-License-Identifier: MIT */
/*
 * wait4, waitid, and the times of processes.
 *
 * A waiter looks through the children of its process (children belong to the process) and the threads that its threads trace,
 * takes what it finds under tasklist_lock, and sleeps on child_wait when there is somebody who may yet come.
 *
 *   child                          traced by nobody: end, stop, continue      traced by the waiter's process: as a tracee
 *                                  traced by others: end only after them
 *   tracee                         its stops whatever the options say, the end of any of its threads
 */
#include "proc.h"
#include <kernel/ptrace.h>
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/clock.h>
#include <port/uaccess.h>

#define WNOHANG    1
#define WUNTRACED  2
#define WEXITED    4
#define WCONTINUED 8
#define WNOWAIT    0x01000000
#define WNOTHREAD  0x20000000
#define WALL       0x40000000
#define WCLONE     0x80000000u
enum { P_ALL, P_PID, P_PGID, P_PIDFD };

/* What is counted of threads, but for times. */
struct usage {
    u64 min_flt, maj_flt, nvcsw, nivcsw, io_read, io_write;
};

static struct usage usage_of_dead(const struct process *p)
{
    return (struct usage){p->dead_min_flt, p->dead_maj_flt, p->dead_nvcsw, p->dead_nivcsw, p->dead_io_read, p->dead_io_write};
}

static struct usage usage_of_children(const struct process *p)
{
    return (struct usage){p->cmin_flt, p->cmaj_flt, p->cnvcsw, p->cnivcsw, p->cio_read, p->cio_write};
}

static struct usage usage_of(const struct task *t)
{
    return (struct usage){t->thread.ctx.min_flt, t->thread.ctx.maj_flt, t->nvcsw, t->nivcsw, t->io_read_bytes, t->io_write_bytes};
}

static void usage_add(struct usage *a, struct usage b)
{
    a->min_flt += b.min_flt;
    a->maj_flt += b.maj_flt;
    a->nvcsw += b.nvcsw;
    a->nivcsw += b.nivcsw;
    a->io_read += b.io_read;
    a->io_write += b.io_write;
}

struct wait_query {
    int type;
    s32 id;
    u32 options;
    /* answer */
    s32 pid, status, code, detail; /* status: of wait(2); code: CLD_*; detail: si_status */
    u32 uid;
    bool eligible;
    u64 utime, stime;
    u64 maxrss;
    struct usage use;
};

void task_times(struct task *t, u64 *user_ns, u64 *sys_ns)
{
    u64 total = sched_runtime(t), ut = t->utime_ns, st = t->stime_ns;
    /* The ticks only tell the proportion. */
    u64 ticks = ut + st;
    if (!ticks) {
        *user_ns = 0;
        *sys_ns = total;
        return;
    }
    *user_ns = (total >> 10) * (ut / ((ticks >> 10) + 1));
    if (*user_ns > total)
        *user_ns = total;
    *sys_ns = total - *user_ns;
}

void process_times(struct process *p, u64 *user_ns, u64 *sys_ns)
{
    struct task *t;
    u64 u, s, flags = spin_lock_irqsave(&p->lock);
    *user_ns = p->dead_utime_ns;
    *sys_ns = p->dead_stime_ns;
    list_for_each_entry (t, &p->threads, thread_link) {
        task_times(t, &u, &s);
        *user_ns += u;
        *sys_ns += s;
    }
    spin_unlock_irqrestore(&p->lock, flags);
}

static bool matches(const struct process *c, const struct wait_query *q)
{
    if (q->type == P_PID && c->pid != q->id)
        return false;
    if (q->type == P_PGID && c->pgid != q->id)
        return false;
    bool clone_child = c->exit_signal != SIGCHLD;
    return (q->options & WALL) || clone_child == !!(q->options & WCLONE);
}

static void fill(struct wait_query *q, struct task *t, s32 status, s32 code, s32 detail)
{
    struct process *c = t->process;
    q->pid = t->tid;
    q->status = status;
    q->code = code;
    q->detail = detail;
    q->uid = t->cred->uid;
    process_times(c, &q->utime, &q->stime);
    q->utime += c->cutime_ns;
    q->stime += c->cstime_ns;
    q->maxrss = max(c->maxrss, c->cmaxrss);
    q->use = usage_of_dead(c);
    usage_add(&q->use, usage_of_children(c));
}

static void fill_end(struct wait_query *q, struct task *t, s32 st)
{
    fill(q, t, st, st & 0x80 ? CLD_DUMPED : st & 0x7f ? CLD_KILLED : CLD_EXITED, st & 0x7f ? st & 0x7f : st >> 8 & 0xff);
}

static bool collect_continued(struct process *c, struct wait_query *q)
{
    if (!(q->options & WCONTINUED) || !c->signal.cont_report || c->state != PROCESS_ALIVE)
        return false;
    fill(q, c->leader, 0xffff, CLD_CONTINUED, SIGCONT);
    if (!(q->options & WNOWAIT))
        c->signal.cont_report = false;
    return true;
}

/* A zombie that its tracer, who is not its parent, has seen: now it is the parent's. */
static void hand_over(struct process *c)
{
    ptrace_unlink_locked(c->leader);
    process_zombie_locked(c, NULL);
}

/* tasklist_lock held. true when t, traced by the waiter's process, has something to say. */
static bool collect_traced(struct task *t, struct wait_query *q)
{
    struct process *c = t->process;
    bool peek = q->options & WNOWAIT;
    if (t->trace.zombie) {
        if (!(q->options & WEXITED))
            return false;
        fill_end(q, t, c->signal.group_exit ? c->exit_code : t->exit_code);
        if (!peek) {
            ptrace_unlink_locked(t);
            ptrace_release_locked(t);
        }
        return true;
    }
    if (t == c->leader && c->state == PROCESS_ZOMBIE) {
        if (!(q->options & WEXITED))
            return false;
        fill_end(q, t, c->exit_code);
        if (!peek && ptrace_by_parent(t))
            process_reap_locked(c);
        else if (!peek)
            hand_over(c);
        return true;
    }
    spin_lock(&c->lock);
    s32 code = READ_ONCE(t->thread.state) == SCHED_TRACED && !(t->trace.jobctl & JOBCTL_LISTENING) ? t->trace.code : 0;
    if (!peek && code)
        t->trace.code = 0;
    spin_unlock(&c->lock);
    if (!code)
        return collect_continued(c, q);
    fill(q, t, code << 8 | 0x7f, CLD_TRAPPED, code);
    return true;
}

/* tasklist_lock held. true when c has something to say. */
static bool collect(struct process *c, struct wait_query *q)
{
    bool peek = q->options & WNOWAIT;
    if (unlikely(c->leader->trace.tracer)) {
        if (ptrace_by_parent(c->leader))
            return collect_traced(c->leader, q);
        if (c->state == PROCESS_ZOMBIE)
            return false;
    }
    if (c->state == PROCESS_ZOMBIE && (q->options & WEXITED)) {
        fill_end(q, c->leader, c->exit_code);
        if (!peek)
            process_reap_locked(c);
        return true;
    }
    if (c->state != PROCESS_ALIVE)
        return false;
    if ((q->options & WUNTRACED) && c->signal.stop_report && c->signal.stopped) {
        fill(q, c->leader, c->signal.stop_sig << 8 | 0x7f, CLD_STOPPED, c->signal.stop_sig);
        if (!peek)
            c->signal.stop_report = false;
        return true;
    }
    return collect_continued(c, q);
}

/* What the threads of p, or the caller alone, trace. tasklist_lock held. */
static bool scan_traced(struct process *p, struct wait_query *q)
{
    struct task *me = current_task(), *tracer, *t, *next;
    list_for_each_entry (tracer, &p->threads, thread_link) {
        if (q->options & WNOTHREAD && tracer != me)
            continue;
        list_for_each_entry_safe (t, next, &tracer->trace.traced, trace.link) {
            if ((q->type == P_PID && t->tid != q->id) || (q->type == P_PGID && t->process->pgid != q->id))
                continue;
            q->eligible = true;
            if (collect_traced(t, q))
                return true;
        }
    }
    return false;
}

static bool scan(struct wait_query *q)
{
    struct process *p = current_process(), *c, *next;
    bool found = false;
    q->eligible = false;
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    if (q->type == P_PID) {
        c = pid_process_locked(q->id);
        if (c && c->parent == p && matches(c, q)) {
            q->eligible = true;
            found = collect(c, q);
        }
    } else {
        list_for_each_entry_safe (c, next, &p->children, sibling) {
            if (!matches(c, q))
                continue;
            q->eligible = true;
            if ((found = collect(c, q)))
                break;
        }
    }
    if (!found)
        found = scan_traced(p, q);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return found;
}

/* 0 with q->pid, or q->pid 0 for WNOHANG; -ECHILD, -ERESTARTSYS. */
static s64 do_wait(struct wait_query *q)
{
    q->pid = 0;
    if (scan(q))
        return 0;
    if (!q->eligible)
        return -ECHILD;
    if (q->options & WNOHANG)
        return 0;
    bool found = false;
    s64 err = waitq_wait_interruptible(&current_process()->signal.child_wait,
                                       (found = scan(q)) || !q->eligible);
    return found ? 0 : err ? err : -ECHILD;
}

struct rusage_k {
    s64 utime_sec, utime_usec, stime_sec, stime_usec;
    s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
        nsignals, nvcsw, nivcsw;
};

static void rusage_fill(struct rusage_k *r, u64 ut, u64 st, u64 maxrss_pages, struct usage use)
{
    *r = (struct rusage_k){.utime_sec = (s64)(ut / 1000000000),
                           .utime_usec = (s64)(ut % 1000000000 / 1000),
                           .stime_sec = (s64)(st / 1000000000),
                           .stime_usec = (s64)(st % 1000000000 / 1000),
                           .maxrss = (s64)(maxrss_pages * 4),
                           .minflt = (s64)use.min_flt,
                           .majflt = (s64)use.maj_flt,
                           .inblock = (s64)(use.io_read / 512),
                           .oublock = (s64)(use.io_write / 512),
                           .nvcsw = (s64)use.nvcsw,
                           .nivcsw = (s64)use.nivcsw};
}

SYSCALL(wait4)
{
    s32 pid = (s32)a0;
    struct wait_query q = {.options = (u32)a2 | WEXITED};
    if ((u32)a2 & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
        return -EINVAL;
    if (pid == -2147483647 - 1)
        return -ESRCH;
    if (pid == -1) {
        q.type = P_ALL;
    } else if (pid > 0) {
        q.type = P_PID;
        q.id = pid;
    } else {
        q.type = P_PGID;
        q.id = pid == 0 ? current_process()->pgid : -pid;
    }
    s64 err = do_wait(&q);
    kstack_trim();
    if (err || !q.pid)
        return err;
    if (a1 && copy_to_user(a1, &q.status, 4))
        return -EFAULT;
    if (a3) {
        struct rusage_k r;
        rusage_fill(&r, q.utime, q.stime, q.maxrss, q.use);
        if (copy_to_user(a3, &r, sizeof(r)))
            return -EFAULT;
    }
    return q.pid;
}

SYSCALL(waitid)
{
    struct wait_query q = {.type = (int)a0, .id = (s32)a1, .options = (u32)a3};
    if (a3 &
        ~(u64)(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE))
        return -EINVAL;
    if (!(a3 & (WEXITED | WUNTRACED | WCONTINUED)))
        return -EINVAL;
    if (q.type == P_PIDFD) {
        s32 pid = pidfd_pid((int)a1);
        if (pid < 0)
            return pid;
        q.type = P_PID;
        q.id = pid;
    } else if (q.type == P_PGID) {
        if (q.id < 0)
            return -EINVAL;
        if (q.id == 0)
            q.id = current_process()->pgid;
    } else if (q.type == P_PID) {
        if (q.id <= 0)
            return -EINVAL;
    } else if (q.type != P_ALL) {
        return -EINVAL;
    }
    s64 err = do_wait(&q);
    if (err)
        return err;
    if (a2) {
        struct siginfo_k info = {0};
        if (q.pid) {
            info.signo = SIGCHLD;
            info.code = q.code;
            info.chld.pid = q.pid;
            info.chld.uid = q.uid;
            info.chld.status = q.detail;
        }
        if (copy_to_user(a2, &info, sizeof(info)))
            return -EFAULT;
    }
    if (a4) {
        struct rusage_k r;
        rusage_fill(&r, q.utime, q.stime, q.maxrss, q.use);
        if (copy_to_user(a4, &r, sizeof(r)))
            return -EFAULT;
    }
    return 0;
}

SYSCALL(getrusage)
{
    struct process *p = current_process();
    struct task *t, *me = current_task();
    struct rusage_k r;
    u64 ut, st;
    s32 who = (s32)a0;
    if (who == -1) {
        rusage_fill(&r, p->cutime_ns, p->cstime_ns, p->cmaxrss, usage_of_children(p));
    } else if (who == 1) {
        task_times(me, &ut, &st);
        rusage_fill(&r, ut, st, 0, usage_of(me));
    } else if (who == 0) {
        process_times(p, &ut, &st);
        u64 flags = spin_lock_irqsave(&p->lock);
        struct usage use = usage_of_dead(p);
        list_for_each_entry (t, &p->threads, thread_link)
            usage_add(&use, usage_of(t));
        spin_unlock_irqrestore(&p->lock, flags);
        rusage_fill(&r, ut, st, 0, use);
    } else {
        return -EINVAL;
    }
    if (who >= 0) {
        u64 rss = max(rss_total(me->mm), me->mm->hiwater_rss);
        r.maxrss = (s64)(max(rss, p->maxrss) * 4);
    }
    return copy_to_user(a1, &r, sizeof(r)) ? -EFAULT : 0;
}

SYSCALL(times)
{
    struct process *p = current_process();
    u64 ut, st, tick = 10000000;
    process_times(p, &ut, &st);
    u64 tms[4] = {ut / tick, st / tick, p->cutime_ns / tick, p->cstime_ns / tick};
    if (a0 && copy_to_user(a0, tms, sizeof(tms)))
        return -EFAULT;
    return (s64)(clock_ns() / tick);
}
