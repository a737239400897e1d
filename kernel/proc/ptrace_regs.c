/* SPDX-License-Identifier: MIT */
/*
 * Registers of a frozen tracee, by word of Linux's struct user and as register sets.
 *
 *   struct user   0 r15 .. ss (struct regs) | 168 fs_base gs_base ds es fs gs | 216 ... | 848 DR0-7 | 912 ... | 928
 *
 * R1. What the tracer writes is made harmless here: flags a program may not set keep their value, selectors name segments of
 *     user mode, bases and breakpoints lie in user space. A wrong rip or cs shows itself as the tracee's own fault at IRET.
 */
#include "proc.h"
#include <arch/debug.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <kernel/ptrace.h>
#include <port/uaccess.h>

#define NR_WORDS    27
#define SIZE_USER   928 /* with the two words at its end that only the kernel names */
#define OFF_DEBUG   848
#define NR_DEBUG    8
#define FS_BASE     21
#define GS_BASE     22
#define WORD(field) (offsetof(struct regs, field) / 8)

enum { NT_PRSTATUS = 1, NT_PRFPREG = 2, NT_X86_IOPERM = 0x201, NT_X86_XSTATE = 0x202 };
#define FX_SIZE 512

u64 task_user_word(struct task *t, unsigned word)
{
    struct thread_ctx *ctx = &t->thread.ctx;
    u16 seg[4];
    if (word < FS_BASE) {
        u64 v;
        memcpy(&v, (const char *)thread_regs(ctx) + word * 8, 8);
        if (word == WORD(rflags) && t->trace.forced_tf)
            v &= ~RFLAGS_TF;
        return v;
    }
    if (word == FS_BASE)
        return thread_fs_base(ctx);
    if (word == GS_BASE)
        return thread_gs_base(ctx);
    arch_thread_segments(ctx, seg);
    return seg[word - GS_BASE - 1];
}

/* A selector that user mode may hold: the null one, or any of ring 3. */
static bool selector_ok(u64 v)
{
    return (u16)v == 0 || (v & 3) == 3;
}

static s64 set_selector(struct task *t, unsigned word, u64 v)
{
    struct regs *r = thread_regs(&t->thread.ctx);
    if (!selector_ok(v))
        return -EIO;
    if (word == WORD(cs) || word == WORD(ss)) {
        if ((u16)v == 0)
            return -EIO;
        *(word == WORD(cs) ? &r->cs : &r->ss) = (u16)v;
        return 0;
    }
    arch_thread_set_segment(&t->thread.ctx, word - GS_BASE - 1, (u16)v);
    return 0;
}

static void set_flags(struct task *t, u64 v)
{
    struct regs *r = thread_regs(&t->thread.ctx);
    t->trace.forced_tf = t->trace.forced_tf && !(v & RFLAGS_TF);
    if (t->trace.forced_tf)
        v |= RFLAGS_TF;
    r->rflags = (r->rflags & ~RFLAGS_USER) | (v & RFLAGS_USER);
}

static s64 set_word(struct task *t, unsigned word, u64 v)
{
    struct thread_ctx *ctx = &t->thread.ctx;
    thread_set_work(ctx, ARCH_WORK_IRET);
    if (word == WORD(rflags)) {
        set_flags(t, v);
        return 0;
    }
    if (word == WORD(cs) || word == WORD(ss) || word > GS_BASE)
        return set_selector(t, word, v);
    if (word == FS_BASE)
        return thread_set_fs_base(ctx, v) ? -EIO : 0;
    if (word == GS_BASE)
        return thread_set_gs_base(ctx, v) ? -EIO : 0;
    memcpy((char *)thread_regs(ctx) + word * 8, &v, 8);
    return 0;
}

s64 ptrace_peek_user(struct task *t, u64 addr, u64 *value)
{
    if (addr & 7 || addr >= SIZE_USER)
        return -EIO;
    *value = 0;
    if (addr < NR_WORDS * 8)
        *value = task_user_word(t, (unsigned)(addr / 8));
    else if (addr >= OFF_DEBUG && addr < OFF_DEBUG + NR_DEBUG * 8)
        *value = debug_get(&t->thread.ctx, (unsigned)(addr - OFF_DEBUG) / 8);
    return 0;
}

s64 ptrace_poke_user(struct task *t, u64 addr, u64 value)
{
    if (addr & 7 || addr >= SIZE_USER)
        return -EIO;
    if (addr < NR_WORDS * 8)
        return set_word(t, (unsigned)(addr / 8), value);
    if (addr < OFF_DEBUG || addr >= OFF_DEBUG + NR_DEBUG * 8)
        return -EIO;
    if (!t->thread.ctx.debug && !(t->thread.ctx.debug = kzalloc(sizeof(struct debug_regs), GFP_KERNEL)))
        return -ENOMEM;
    return debug_set(&t->thread.ctx, (unsigned)(addr - OFF_DEBUG) / 8, value);
}

void ptrace_set_step(struct task *t, bool on)
{
    struct regs *r = thread_regs(&t->thread.ctx);
    t->trace.step = on;
    if (on && !(r->rflags & RFLAGS_TF)) {
        t->trace.forced_tf = true;
        r->rflags |= RFLAGS_TF;
    } else if (!on && t->trace.forced_tf) {
        t->trace.forced_tf = false;
        r->rflags &= ~RFLAGS_TF;
    }
    thread_set_work(&t->thread.ctx, ARCH_WORK_IRET);
}

/* ---- register sets ---- */

static s64 general(struct task *t, bool set, u64 user, u64 len)
{
    for (u64 i = 0; i < len / 8; i++) {
        u64 v = 0;
        s64 err;
        if (set) {
            if (get_user(v, user + i * 8))
                return -EFAULT;
            err = set_word(t, (unsigned)i, v);
        } else {
            v = task_user_word(t, (unsigned)i);
            err = put_user(v, user + i * 8);
        }
        if (err)
            return err;
    }
    return 0;
}

/* FXSAVE's 512 bytes. */
static s64 legacy(struct task *t, bool set, u64 user, u64 len)
{
    u8 *fx = kmalloc(FX_SIZE, GFP_KERNEL);
    if (!fx)
        return -ENOMEM;
    s64 err = 0;
    arch_fpu_get_legacy(&t->thread.ctx, fx);
    if (!set)
        err = copy_to_user(user, fx, len) ? -EFAULT : 0;
    else if (copy_from_user(fx, user, len))
        err = -EFAULT;
    else
        err = arch_fpu_set_legacy(&t->thread.ctx, fx);
    kfree(fx);
    return err;
}

static s64 extended(struct task *t, bool set, u64 user, u64 len)
{
    size_t size = arch_fpu_size();
    if (set && len != size)
        return -EFAULT;
    u8 *area = kvmalloc(size, GFP_KERNEL);
    if (!area)
        return -ENOMEM;
    s64 err = 0;
    if (!set) {
        arch_fpu_get_extended(&t->thread.ctx, area);
        err = copy_to_user(user, area, len) ? -EFAULT : 0;
    } else if (copy_from_user(area, user, size)) {
        err = -EFAULT;
    } else {
        err = arch_fpu_set_extended(&t->thread.ctx, area);
    }
    kvfree(area);
    return err;
}

s64 ptrace_regset(struct task *t, bool set, u32 type, u64 user, u64 len, u64 *done)
{
    u64 size = type == NT_PRSTATUS                          ? NR_WORDS * 8
               : type == NT_PRFPREG                         ? FX_SIZE
               : type == NT_X86_XSTATE && arch_xfeatures() ? arch_fpu_size()
                                                            : 0;
    if (type == NT_X86_IOPERM && len % 8 == 0)
        return set ? -EOPNOTSUPP : -ENXIO; /* no thread has ports */
    if (!size || len % 8)
        return -EINVAL;
    *done = len = min(len, size);
    return type == NT_PRSTATUS ? general(t, set, user, len)
           : type == NT_PRFPREG ? legacy(t, set, user, len)
                                : extended(t, set, user, len);
}

s64 ptrace_fixed_regset(struct task *t, bool set, u32 type, u64 user)
{
    u64 done;
    return ptrace_regset(t, set, type, user, type == NT_PRSTATUS ? NR_WORDS * 8 : FX_SIZE, &done);
}

enum { SET_GS = 0x1001, SET_FS, GET_FS, GET_GS };

s64 ptrace_arch_prctl(struct task *t, u64 code, u64 addr)
{
    struct thread_ctx *ctx = &t->thread.ctx;
    switch (code) {
    case SET_FS:
        return thread_set_fs_base(ctx, addr);
    case SET_GS:
        return thread_set_gs_base(ctx, addr);
    case GET_FS:
        return put_user(thread_fs_base(ctx), addr);
    case GET_GS:
        return put_user(thread_gs_base(ctx), addr);
    default:
        return -EINVAL;
    }
}
