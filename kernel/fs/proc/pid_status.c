/* SPDX-License-Identifier: MIT */
/* /proc/PID/status, stat, io, limits, schedstat. */
#include "pfs.h"
#include <arch/cpu.h>
#include <arch/cpu.h>
#include <kernel/tty.h>
#include <mm/obs_mm.h>
#include <mm/phys.h>
#include <mm/vma.h>
#include <port/cpu.h>

#define TICK_NS 10000000UL

void put_comm(struct seq *s, const char *comm, bool escape)
{
    for (unsigned k = 0; k < TASK_COMM_LEN && comm[k]; k++) {
        if (escape && comm[k] == '\n')
            seq_puts(s, "\\n");
        else if (escape && comm[k] == '\\')
            seq_puts(s, "\\\\");
        else
            seq_putc(s, comm[k]);
    }
}

static char state_char(const struct pid_inode *pi)
{
    if (READ_ONCE(pi->p->state) == PROCESS_ZOMBIE && !pi->in_task)
        return 'Z';
    switch (READ_ONCE(pi->t->thread.state)) {
    case SCHED_READY:
        return 'R';
    case SCHED_INTERRUPTIBLE:
        return 'S';
    case SCHED_STOPPED:
        return 'T';
    case SCHED_TRACED:
        return 't';
    case SCHED_DEAD:
        return READ_ONCE(pi->p->state) == PROCESS_ZOMBIE ? 'Z' : 'X';
    default:
        return 'D';
    }
}

static const char *state_name(char c)
{
    switch (c) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    case 't':
        return "t (tracing stop)";
    case 'Z':
        return "Z (zombie)";
    case 'X':
        return "X (dead)";
    default:
        return "D (disk sleep)";
    }
}

static s32 parent_pid(struct process *p)
{
    u64 irq = spin_lock_irqsave(&tasklist_lock);
    s32 pid = p->parent ? p->parent->pid : 0;
    spin_unlock_irqrestore(&tasklist_lock, irq);
    return pid;
}

static s32 tracer_pid(struct task *t)
{
    u64 irq = spin_lock_irqsave(&tasklist_lock);
    s32 pid = t->trace.tracer ? t->trace.tracer->process->pid : 0;
    spin_unlock_irqrestore(&tasklist_lock, irq);
    return pid;
}

static void put_ids(struct seq *s, const char *label, u32 a, u32 b, u32 c, u32 d)
{
    seq_printf(s, "%s:\t%u\t%u\t%u\t%u\n", label, a, b, c, d);
}

static u64 fd_size(struct pid_inode *pi)
{
    u64 n = 64;
    for (int fd = 0; (fd = fd_table_next(pi->t, fd)) >= 0; fd++)
        while (n <= (u64)fd)
            n *= 2;
    return READ_ONCE(pi->t->files) ? n : 0;
}

static void put_identity(struct seq *s, struct pid_inode *pi)
{
    struct task *t = pi->t;
    struct process *p = pi->p;
    struct fs_struct *fs = fs_struct_of(t);
    rcu_read_lock();
    struct cred c = *t->cred;
    rcu_read_unlock();
    seq_puts(s, "Name:\t");
    put_comm(s, t->comm, true);
    if (fs) {
        seq_printf(s, "\nUmask:\t%#04o", fs->umask);
        fs_struct_put(fs);
    }
    seq_printf(s, "\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
               state_name(state_char(pi)), p->pid, t->tid, parent_pid(p), tracer_pid(t));
    put_ids(s, "Uid", c.uid, c.euid, c.suid, c.fsuid);
    put_ids(s, "Gid", c.gid, c.egid, c.sgid, c.fsgid);
    seq_printf(s, "FDSize:\t%lu\nGroups:\t", fd_size(pi));
    for (u32 k = 0; k < c.ngroups; k++)
        seq_printf(s, "%u ", c.groups[k]);
    if (!c.ngroups)
        seq_putc(s, ' ');
    seq_printf(s, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t%d\n", p->pid,
               t->tid, p->pgid, p->sid, t->thread.kthread);
}

static s64 sigpending(const struct task *t)
{
    rcu_read_lock();
    s64 n = READ_ONCE(t->cred->user->sigpending);
    rcu_read_unlock();
    return n;
}

static void put_signals(struct seq *s, struct pid_inode *pi)
{
    u64 pending, shared, blocked, ignored, caught;
    struct process *p = pi->p;
    signal_masks(pi->t, &pending, &shared, &blocked, &ignored, &caught);
    seq_printf(s, "Threads:\t%u\nSigQ:\t%ld/%lu\n", max(READ_ONCE(p->nr_threads), 1u), sigpending(pi->t),
               rlimit_cur(p, RLIMIT_SIGPENDING));
    seq_printf(
        s, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
        pending, shared, blocked, ignored, caught);
}

/* Do loads of this processor run ahead of stores to the same place? Not on AMD's families 15 to 18, or where CPUID says so. */
static bool bypasses_stores(void)
{
    bool amd = !memcmp(cpu_feat.vendor, "AuthenticAMD", 12);
    if (amd && cpu_feat.family >= 0x0f && cpu_feat.family <= 0x12)
        return false;
    return !(cpuid(0x80000000, 0).a >= 0x80000008 && cpuid(0x80000008, 0).b >> 26 & 1);
}

static void put_caps(struct seq *s, struct pid_inode *pi)
{
    rcu_read_lock();
    struct cred c = *pi->t->cred;
    rcu_read_unlock();
    seq_printf(
        s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
        c.cap_inheritable, c.cap_permitted, c.cap_effective, c.cap_bounding, c.cap_ambient);
    seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", pi->p->no_new_privs);
    seq_printf(s, "Speculation_Store_Bypass:\t%s\nSpeculationIndirectBranch:\talways enabled\n",
               bypasses_stores() ? "vulnerable" : "not vulnerable");
}

/* "0-3,7" */
static void put_list(struct seq *s, u64 bits)
{
    bool first = true;
    for (unsigned k = 0; k < 64; k++) {
        if (!(bits >> k & 1))
            continue;
        unsigned end = k;
        while (end < 63 && (bits >> (end + 1) & 1))
            end++;
        seq_printf(s, end > k ? "%s%u-%u" : "%s%u", first ? "" : ",", k, end);
        first = false;
        k = end;
    }
}

#define LINUX_NODES 1024 /* bits of a mask of nodes, with MAX_NUMNODES as Debian has it */

static void put_allowed(struct seq *s, struct pid_inode *pi)
{
    unsigned nr = cpu_nr_possible();
    u64 cpus = pi->t->thread.affinity.bits & cpumask_first_n(nr).bits;
    seq_puts(s, "Cpus_allowed:\t");
    if (nr > 32)
        seq_printf(s, "%0*x,%08x", (int)DIV_ROUND_UP(nr - 32, 4u), (u32)(cpus >> 32), (u32)cpus);
    else
        seq_printf(s, "%0*x", (int)DIV_ROUND_UP(nr, 4u), (u32)cpus);
    seq_puts(s, "\nCpus_allowed_list:\t");
    put_list(s, cpus);
    seq_puts(s, "\nMems_allowed:\t");
    for (unsigned k = 1; k < LINUX_NODES / 32; k++)
        seq_puts(s, "00000000,");
    seq_printf(s, "%08lx\nMems_allowed_list:\t", BIT(nr_nodes) - 1);
    put_list(s, BIT(nr_nodes) - 1);
    seq_printf(s, "\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
               pi->t->nvcsw, pi->t->nivcsw);
    seq_puts(s, "x86_Thread_features:\t\nx86_Thread_features_locked:\t\n"); /* there are no shadow stacks */
}

void pid_show_status(struct seq *s, struct pid_inode *pi)
{
    put_identity(s, pi);
    struct mm *mm = task_get_mm(pi->t);
    if (mm) {
        obs_status(s, mm);
        mm_put(mm);
    }
    put_signals(s, pi);
    put_caps(s, pi);
    put_allowed(s, pi);
}

/* ---- stat ---- */
struct sums {
    u64 min_flt, maj_flt, utime, stime;
};

static void sum_up(struct pid_inode *pi, struct sums *z)
{
    if (pi->in_task) {
        *z = (struct sums){.min_flt = pi->t->thread.ctx.min_flt,
                           .maj_flt = pi->t->thread.ctx.maj_flt};
        task_times(pi->t, &z->utime, &z->stime);
        return;
    }
    *z = (struct sums){.min_flt = pi->p->dead_min_flt, .maj_flt = pi->p->dead_maj_flt};
    struct task *t;
    u64 irq = spin_lock_irqsave(&pi->p->lock);
    list_for_each_entry (t, &pi->p->threads, thread_link) {
        z->min_flt += t->thread.ctx.min_flt;
        z->maj_flt += t->thread.ctx.maj_flt;
    }
    spin_unlock_irqrestore(&pi->p->lock, irq);
    process_times(pi->p, &z->utime, &z->stime);
}

static void put_stat_memory(struct seq *s, struct mm *mm, bool permitted, const struct process *p)
{
    seq_printf(s, " %lu %lu %lu", mm ? mm->total_vm << PAGE_SHIFT : 0, mm ? rss_total(mm) : 0,
               rlimit_cur(p, RLIMIT_RSS));
    u64 v = mm ? (permitted ? 0 : 1) : 0;
    seq_printf(s, " %lu %lu %lu 0 0", mm && permitted ? mm->start_code : v,
               mm && permitted ? mm->end_code : v, mm && permitted ? mm->start_stack : 0);
}

void pid_show_stat(struct seq *s, struct pid_inode *pi)
{
    struct task *t = pi->t;
    struct process *p = pi->p;
    struct sums z;
    s32 tpgid = -1;
    u64 tty = tty_stat_numbers(p, &tpgid), pending, shared, blocked, ignored, caught;
    bool permitted = pid_may_trace(pi);
    struct mm *mm = task_get_mm(t);
    sum_up(pi, &z);
    signal_masks(t, &pending, &shared, &blocked, &ignored, &caught);
    seq_printf(s, "%d (", t->tid);
    put_comm(s, t->comm, false);
    seq_printf(s, ") %c %d %d %d %d %d %u", state_char(pi), parent_pid(p), p->pgid, p->sid,
               (s32)dev_user(tty), tpgid,
               (t->thread.kthread ? 0x00200000u : 0x00400000u) | (p->did_exec ? 0 : 0x40u));
    seq_printf(s, " %lu %lu %lu %lu %lu %lu %lu %lu", z.min_flt, p->cmin_flt, z.maj_flt,
               p->cmaj_flt, z.utime / TICK_NS, z.stime / TICK_NS, p->cutime_ns / TICK_NS,
               p->cstime_ns / TICK_NS);
    s64 prio = t->thread.rt_prio ? -1 - (s64)t->thread.rt_prio : 20 + t->thread.nice;
    seq_printf(s, " %ld %d %u 0 %lu", prio, t->thread.nice, max(READ_ONCE(p->nr_threads), 1u),
               t->start_ns / TICK_NS);
    put_stat_memory(s, mm, permitted, p);
    seq_printf(s, " %lu %lu %lu %lu", pending & 0x7fffffff, blocked & 0x7fffffff,
               ignored & 0x7fffffff, caught & 0x7fffffff);
    seq_printf(s, " %d 0 0 %d %u %u %u 0 0 0",
               permitted && READ_ONCE(t->thread.state) != SCHED_READY,
               pi->in_task ? t->exit_signal : p->exit_signal, t->thread.cpu, t->thread.rt_prio,
               t->thread.policy);
    if (mm && permitted)
        seq_printf(s, " %lu %lu %lu %lu %lu %lu %lu", mm->start_data, mm->end_data, mm->start_brk,
                   mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
    else
        seq_puts(s, " 0 0 0 0 0 0 0");
    seq_printf(s, " %d\n", permitted ? p->exit_code : 0);
    if (mm)
        mm_put(mm);
}

void pid_show_schedstat(struct seq *s, struct pid_inode *pi)
{
    seq_printf(s, "%lu 0 %lu\n", sched_runtime(pi->t), pi->t->nvcsw + pi->t->nivcsw);
}

void pid_show_io(struct seq *s, struct pid_inode *pi)
{
    u64 v[6] = {0};
    struct task *t;
    u64 irq = spin_lock_irqsave(&pi->p->lock);
    list_for_each_entry (t, &pi->p->threads, thread_link) {
        if (pi->in_task && t != pi->t)
            continue;
        u64 one[6] = {t->rchar, t->wchar, t->syscr, t->syscw, t->io_read_bytes, t->io_write_bytes};
        for (int k = 0; k < 6; k++)
            v[k] += one[k];
    }
    if (!pi->in_task) {
        for (int k = 0; k < 4; k++) /* as on Linux with those of reaped children */
            v[k] += pi->p->gone_calls[k];
        v[4] += pi->p->dead_io_read + pi->p->cio_read;
        v[5] += pi->p->dead_io_write + pi->p->cio_write;
    }
    spin_unlock_irqrestore(&pi->p->lock, irq);
    seq_printf(s,
               "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: %lu\nwrite_bytes: "
               "%lu\ncancelled_write_bytes: 0\n",
               v[0], v[1], v[2], v[3], v[4], v[5]);
}

void pid_show_limits(struct seq *s, struct pid_inode *pi)
{
    static const struct {
        const char *name, *unit;
    } limits[NR_RLIMITS] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", NULL},
        {"Max realtime priority", NULL}, {"Max realtime timeout", "us"},
    };
    seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int k = 0; k < NR_RLIMITS; k++) {
        u64 v[2] = {pi->p->rlim[k].cur, pi->p->rlim[k].max};
        seq_printf(s, "%-25s ", limits[k].name);
        for (int j = 0; j < 2; j++) {
            if (v[j] == ~0UL)
                seq_printf(s, "%-20s ", "unlimited");
            else
                seq_printf(s, "%-20lu ", v[j]);
        }
        if (limits[k].unit)
            seq_printf(s, "%-10s\n", limits[k].unit);
        else
            seq_putc(s, '\n');
    }
}
