/* SPDX-License-Identifier: MIT */
/* Requests of ptrace that copy what a stop is about: siginfo, queued signals, mask, system call, restartable sequence. */
#include "proc.h"
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <kernel/ptrace.h>
#include <port/uaccess.h>

s64 ptrace_get_siginfo(struct task *t, u64 user)
{
    struct siginfo_k info;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    bool have = t->trace.info;
    if (have)
        info = *t->trace.info;
    spin_unlock_irqrestore(&t->process->lock, flags);
    if (!have)
        return -EINVAL;
    return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

s64 ptrace_set_siginfo(struct task *t, u64 user)
{
    struct siginfo_k info;
    if (copy_from_user(&info, user, sizeof(info)))
        return -EFAULT;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    bool have = t->trace.info;
    if (have)
        *t->trace.info = info;
    spin_unlock_irqrestore(&t->process->lock, flags);
    return have ? 0 : -EINVAL;
}

struct peek_args {
    u64 off;
    u32 flags;
    s32 nr;
};
#define PEEK_SHARED 1u

/* The entry number `at` of a queue. */
static bool queued_at(struct sigpending *pending, u64 at, struct siginfo_k *info)
{
    struct sigqueue *q;
    list_for_each_entry (q, &pending->queue, link) {
        if (at-- == 0) {
            *info = q->info;
            return true;
        }
    }
    return false;
}

s64 ptrace_peek_siginfo(struct task *t, u64 uargs, u64 user)
{
    struct peek_args a;
    struct siginfo_k info;
    if (copy_from_user(&a, uargs, sizeof(a)))
        return -EFAULT;
    if (a.flags & ~PEEK_SHARED || a.nr < 0)
        return -EINVAL;
    struct sigpending *pending = a.flags & PEEK_SHARED ? &t->process->signal.pending : &t->signal.pending;
    s32 n = 0;
    for (; n < a.nr; n++) {
        u64 flags = spin_lock_irqsave(&t->process->lock);
        bool found = queued_at(pending, a.off + (u64)n, &info);
        spin_unlock_irqrestore(&t->process->lock, flags);
        if (!found)
            break;
        if (copy_to_user(user + (u64)n * sizeof(info), &info, sizeof(info)))
            return n ? n : -EFAULT;
        if (signal_pending())
            return n + 1;
        sched_cond();
    }
    return n;
}

s64 ptrace_sigmask(struct task *t, bool set, u64 size, u64 user)
{
    u64 mask;
    if (size != sizeof(mask))
        return -EINVAL;
    if (set && get_user(mask, user))
        return -EFAULT;
    u64 flags = spin_lock_irqsave(&t->process->lock);
    if (set) {
        t->signal.blocked = mask & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
        t->signal.restore_saved = false;
        thread_set_work(&t->thread.ctx, ARCH_WORK_SIGNAL); /* it looks again when it goes on */
    } else {
        mask = t->signal.restore_saved ? t->signal.saved_mask : t->signal.blocked;
    }
    spin_unlock_irqrestore(&t->process->lock, flags);
    return set ? 0 : put_user(mask, user);
}

struct syscall_info {
    u8 op, pad[3];
    u32 arch;
    u64 ip, sp;
    union {
        struct {
            u64 nr, args[6];
        } entry;
        struct {
            s64 rval;
            u8 is_error;
        } exit;
        u64 room[8];
    };
};
BUILD_ASSERT(sizeof(struct syscall_info) == 88);
#define AUDIT_ARCH_X86_64 0xc000003eu
enum { OP_NONE, OP_ENTRY, OP_EXIT };

s64 ptrace_syscall_info(struct task *t, u64 size, u64 user)
{
    const struct regs *r = thread_regs(&t->thread.ctx);
    struct syscall_info s = {.arch = AUDIT_ARCH_X86_64, .ip = r->rip, .sp = r->rsp};
    u64 actual = offsetof(struct syscall_info, entry);
    u64 flags = spin_lock_irqsave(&t->process->lock);
    bool call = t->trace.info && t->trace.info->code == (SIGTRAP | 0x80);
    spin_unlock_irqrestore(&t->process->lock, flags);
    if (call && t->trace.message == OP_ENTRY) {
        s.op = OP_ENTRY;
        s.entry.nr = r->orig_rax;
        u64 args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
        memcpy(s.entry.args, args, sizeof(args));
        actual = offsetof(struct syscall_info, entry) + sizeof(s.entry);
    } else if (call && t->trace.message == OP_EXIT) {
        s.op = OP_EXIT;
        s.exit.rval = (s64)r->rax;
        s.exit.is_error = r->rax >= (u64)-MAX_ERRNO;
        actual = offsetof(struct syscall_info, exit.is_error) + 1;
    }
    return copy_to_user(user, &s, min(actual, size)) ? -EFAULT : (s64)actual;
}

s64 ptrace_rseq(struct task *t, u64 size, u64 user)
{
    struct {
        u64 addr;
        u32 size, signature, flags, pad;
    } conf = {.addr = t->rseq_addr, .size = t->rseq_len, .signature = t->rseq_sig};
    return copy_to_user(user, &conf, min(size, sizeof(conf))) ? -EFAULT : (s64)sizeof(conf);
}
