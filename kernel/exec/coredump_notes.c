/* SPDX-License-Identifier: MIT */
/*
 * The notes of a core file, in Linux's order:
 *
 *   of the thread that got the signal   PRSTATUS  (of the process: PRPSINFO SIGINFO AUXV FILE)  FPREGSET  X86_XSTATE
 *   of each other thread                PRSTATUS                                               FPREGSET  X86_XSTATE
 *   of the machine                      X86_XSAVE_LAYOUT
 */
#include "coredump.h"
#include <arch/thread.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/fault.h>
#include <mm/mm.h>

enum {
    NT_PRSTATUS = 1,
    NT_FPREGSET = 2,
    NT_PRPSINFO = 3,
    NT_AUXV = 6,
    NT_X86_XSTATE = 0x202,
    NT_X86_XSAVE_LAYOUT = 0x205,
    NT_SIGINFO = 0x53494749,
    NT_FILE = 0x46494c45
};
#define FX_SIZE      512
#define MAX_FEATURES 63u
#define ARGS_SIZE    80

struct prstatus {
    s32 signo, code, err;
    s16 cursig;
    u64 sigpend, sighold;
    s32 pid, ppid, pgrp, sid;
    s64 utime[2], stime[2], cutime[2], cstime[2];
    u64 regs[27];
    s32 fpvalid;
};
BUILD_ASSERT(sizeof(struct prstatus) == 336);

struct prpsinfo {
    u8 state;
    char sname;
    u8 zomb;
    s8 nice;
    u64 flag;
    u32 uid, gid;
    s32 pid, ppid, pgrp, sid;
    char fname[16], args[ARGS_SIZE];
};
BUILD_ASSERT(sizeof(struct prpsinfo) == 136);

struct xfeature {
    u32 type, size, offset, flags;
};

static void pad(struct seq *s)
{
    while (s->len % 4 && !s->overflow)
        seq_putc(s, 0);
}

/* Begins a note of n bytes, which follow, and pad(). */
static void begin(struct seq *s, const char *name, u32 type, size_t n)
{
    u32 head[3] = {(u32)str_len(name) + 1, (u32)n, type};
    seq_write(s, head, sizeof(head));
    seq_write(s, name, head[0]);
    pad(s);
}

static void put(struct seq *s, const char *name, u32 type, const void *data, size_t n)
{
    begin(s, name, type, n);
    seq_write(s, data, n);
    pad(s);
}

static void timeval(s64 tv[2], u64 ns)
{
    tv[0] = (s64)(ns / 1000000000);
    tv[1] = (s64)(ns % 1000000000 / 1000);
}

static s32 parent_pid(const struct process *p)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    s32 pid = p->parent ? p->parent->pid : 0;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return pid;
}

static void put_status(struct seq *s, const struct core_dump *d, struct task *t)
{
    struct process *p = t->process;
    struct prstatus st = {.signo = d->sig,
                          .cursig = (s16)d->sig,
                          .sigpend = t->signal.pending.set,
                          .sighold = t->signal.blocked,
                          .pid = t->tid,
                          .ppid = parent_pid(p),
                          .pgrp = p->pgid,
                          .sid = p->sid,
                          .fpvalid = 1};
    u64 user, sys;
    if (t == p->leader)
        process_times(p, &user, &sys);
    else
        task_times(t, &user, &sys);
    timeval(st.utime, user);
    timeval(st.stime, sys);
    timeval(st.cutime, p->cutime_ns);
    timeval(st.cstime, p->cstime_ns);
    for (unsigned i = 0; i < ARRAY_SIZE(st.regs); i++)
        st.regs[i] = task_user_word(t, i);
    put(s, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

static void put_process(struct seq *s, const struct core_dump *d)
{
    struct task *t = current_task();
    struct process *p = t->process;
    struct mm *mm = t->mm;
    struct prpsinfo ps = {.sname = 'R',
                          .nice = (s8)t->thread.nice,
                          .flag = 0x00400000u | (p->did_exec ? 0 : 0x40u),
                          .uid = t->cred->uid,
                          .gid = t->cred->gid,
                          .pid = p->pid,
                          .ppid = parent_pid(p),
                          .pgrp = p->pgid,
                          .sid = p->sid};
    str_copy(ps.fname, t->comm, sizeof(ps.fname));
    size_t n = min(mm->arg_end - mm->arg_start, (u64)ARGS_SIZE - 1);
    n = access_remote(mm, mm->arg_start, ps.args, n, FAULT_FORCE);
    for (size_t i = 0; i < n; i++)
        if (!ps.args[i])
            ps.args[i] = ' ';
    put(s, "CORE", NT_PRPSINFO, &ps, sizeof(ps));
    put(s, "CORE", NT_SIGINFO, d->info, sizeof(*d->info));
    size_t words = 0;
    do {
        words += 2;
    } while (words < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[words - 2]);
    put(s, "CORE", NT_AUXV, mm->saved_auxv, words * 8);
}

/* count, page size, (start, end, offset in pages) of each, then the names. */
static void file_table(struct seq *s, const struct core_dump *d)
{
    u64 count = 0;
    for (u32 i = 0; i < d->nr_vmas; i++)
        count += d->vma[i].file || d->vma[i].name;
    u64 head[2] = {count, PAGE_SIZE};
    seq_write(s, head, sizeof(head));
    for (u32 i = 0; i < d->nr_vmas; i++) {
        const struct core_vma *c = &d->vma[i];
        u64 at[3] = {c->start, c->end, c->pgoff};
        if (c->file || c->name)
            seq_write(s, at, sizeof(at));
    }
    for (u32 i = 0; i < d->nr_vmas; i++) {
        const struct core_vma *c = &d->vma[i];
        if (!c->file && !c->name)
            continue;
        ssize_t n = c->file ? file_path(c->file, d->name, PATH_MAX) : 0;
        if (c->file)
            seq_write(s, d->name, n < 0 ? 0 : (size_t)n);
        else
            seq_puts(s, c->name);
        seq_putc(s, 0);
    }
}

static void put_files(struct seq *s, const struct core_dump *d)
{
    size_t at = s->len;
    begin(s, "CORE", NT_FILE, 0);
    size_t from = s->len;
    file_table(s, d);
    u32 n = (u32)(s->len - from);
    if (!s->overflow)
        memcpy(s->buf + at + 4, &n, 4);
    pad(s);
}

static void put_float(struct seq *s, const struct task *t, u8 *area)
{
    const struct thread_ctx *ctx = &t->thread.ctx;
    arch_fpu_get_legacy(ctx, area);
    put(s, "CORE", NT_FPREGSET, area, FX_SIZE);
    if (!arch_xfeatures())
        return;
    arch_fpu_get_extended(ctx, area);
    put(s, "LINUX", NT_X86_XSTATE, area, arch_fpu_size());
}

static void put_layout(struct seq *s)
{
    struct xfeature f[MAX_FEATURES];
    u32 n = 0;
    for (u32 i = 2; i < MAX_FEATURES; i++) {
        struct xfeature x = {.type = i};
        if (arch_fpu_component(i, &x.offset, &x.size))
            f[n++] = x;
    }
    if (n)
        put(s, "LINUX", NT_X86_XSAVE_LAYOUT, f, n * sizeof(f[0]));
}

static void put_all(struct seq *s, const struct core_dump *d, u8 *area)
{
    for (u32 i = 0; i < d->nr_threads; i++) {
        put_status(s, d, d->threads[i]);
        if (i == 0) {
            put_process(s, d);
            put_files(s, d);
        }
        put_float(s, d->threads[i], area);
    }
    put_layout(s);
}

int core_notes(struct core_dump *d, void **out, size_t *size)
{
    u8 *area = kvmalloc(max(arch_fpu_size(), (size_t)FX_SIZE), GFP_KERNEL);
    struct seq s;
    int err = area ? -EAGAIN : -ENOMEM;
    arch_fpu_sync(&current_task()->thread.ctx);
    for (size_t room = 64 * 1024; err == -EAGAIN; room *= 2) {
        char *buf = kvmalloc(room, GFP_KERNEL);
        if (!buf) {
            err = -ENOMEM;
            break;
        }
        seq_init(&s, buf, room);
        put_all(&s, d, area);
        if (!s.overflow) {
            *out = buf;
            *size = s.len;
            err = 0;
        } else {
            kvfree(buf);
        }
    }
    kvfree(area);
    return err;
}
