/* SPDX-License-Identifier: MIT */
/*
 * The signal frame on the user's stack, in Linux's x86-64 layout, and rt_sigreturn.
 *
 *   high  ... interrupted stack, 128 bytes of red zone
 *         XSAVE state, 64-byte aligned (arch_fpu_save_user)
 *         struct frame: return address, ucontext, siginfo      <- rsp, 8 below a multiple of 16
 */
#include "proc.h"
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/uaccess.h>

#define UC_FP_XSTATE         1UL
#define UC_SIGCONTEXT_SS     2UL
#define UC_STRICT_RESTORE_SS 4UL
#define SS_ONSTACK           1
#define SS_DISABLE           2
#define SS_AUTODISARM        (1u << 31)

struct stack_k {
    u64 sp;
    u32 flags, pad;
    u64 size;
};
struct sigcontext_k {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};
struct ucontext_k {
    u64 flags, link;
    struct stack_k stack;
    struct sigcontext_k mc;
    u64 sigmask;
};
struct frame {
    u64 restorer;
    struct ucontext_k uc;
    struct siginfo_k info;
};
BUILD_ASSERT(sizeof(struct sigcontext_k) == 256);
BUILD_ASSERT(sizeof(struct frame) == 440);

static bool on_alt(const struct task *t, u64 sp)
{
    return !(t->signal.alt_flags & SS_AUTODISARM) && sp - t->signal.alt_sp - 1 < t->signal.alt_size;
}

static void fill_context(struct sigcontext_k *c, const struct regs *r, const struct task *t,
                         u64 mask)
{
    *c = (struct sigcontext_k){.r8 = r->r8,
                               .r9 = r->r9,
                               .r10 = r->r10,
                               .r11 = r->r11,
                               .r12 = r->r12,
                               .r13 = r->r13,
                               .r14 = r->r14,
                               .r15 = r->r15,
                               .rdi = r->rdi,
                               .rsi = r->rsi,
                               .rbp = r->rbp,
                               .rbx = r->rbx,
                               .rdx = r->rdx,
                               .rax = r->rax,
                               .rcx = r->rcx,
                               .rsp = r->rsp,
                               .rip = r->rip,
                               .rflags = r->rflags,
                               .cs = (u16)r->cs,
                               .ss = (u16)r->ss,
                               .err = t->trap_err,
                               .trapno = t->trap_nr,
                               .cr2 = t->trap_cr2,
                               .oldmask = mask};
}

int sigframe_push(struct regs *regs, int sig, const struct sigaction_k *act,
                  const struct siginfo_k *info, u64 mask)
{
    struct task *t = current_task();
    struct frame f;
    u64 sp = regs->rsp - 128;
    bool alt = false;
    if ((act->flags & SA_ONSTACK) && t->signal.alt_size && !on_alt(t, regs->rsp)) {
        sp = t->signal.alt_sp + t->signal.alt_size;
        alt = true;
    }
    bool inside = on_alt(t, regs->rsp) || alt;
    if (!(act->flags & SA_RESTORER))
        return -EFAULT;

    u64 fp = ALIGN_DOWN(sp - arch_fpu_frame_size(), 64UL);
    sp = ALIGN_DOWN(fp - sizeof(f), 16UL) - 8;
    if (inside && t->signal.alt_size && !(t->signal.alt_flags & SS_AUTODISARM) &&
        sp - t->signal.alt_sp >= t->signal.alt_size)
        return -EFAULT; /* the alternate stack is full */
    if ((s64)sp < 0 || sp > t->mm->task_size)
        return -EFAULT;
    if (arch_fpu_save_user(fp))
        return -EFAULT;

    memset(&f.uc, 0, sizeof(f.uc));
    f.restorer = act->restorer;
    f.uc.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (arch_xfeatures() ? UC_FP_XSTATE : 0);
    f.uc.stack.sp = t->signal.alt_sp;
    f.uc.stack.size = t->signal.alt_size;
    f.uc.stack.flags = !t->signal.alt_size
                           ? SS_DISABLE
                           : t->signal.alt_flags | (on_alt(t, regs->rsp) ? SS_ONSTACK : 0u);
    fill_context(&f.uc.mc, regs, t, mask);
    f.uc.mc.fpstate = fp;
    f.uc.sigmask = mask;
    f.info = *info;
    if (copy_to_user(sp, &f, sizeof(f)))
        return -EFAULT;
    if (alt && (t->signal.alt_flags & SS_AUTODISARM))
        t->signal.alt_sp = t->signal.alt_size = t->signal.alt_flags = 0;

    arch_fpu_handler_state();
    regs->rdi = (u64)sig;
    regs->rsi = sp + offsetof(struct frame, info);
    regs->rdx = sp + offsetof(struct frame, uc);
    regs->rax = 0;
    regs->rip = act->handler;
    regs->rsp = sp;
    regs->cs = USER_CS;
    regs->ss = USER_DS;
    regs->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
    regs->orig_rax = ~0UL;
    thread_set_work(&t->thread.ctx, ARCH_WORK_IRET);
    return 0;
}

static int set_altstack(struct task *t, const struct stack_k *s, u64 sp, bool from_return)
{
    u32 mode = s->flags & ~SS_AUTODISARM;
    if (on_alt(t, sp) && !from_return)
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        t->signal.alt_sp = t->signal.alt_size = 0;
        t->signal.alt_flags = 0;
        return 0;
    }
    if (s->size < 2048)
        return -ENOMEM;
    t->signal.alt_sp = s->sp;
    t->signal.alt_size = s->size;
    t->signal.alt_flags = s->flags & SS_AUTODISARM;
    return 0;
}

SYSCALL(sigaltstack)
{
    struct task *t = current_task();
    struct stack_k new, old = {.sp = t->signal.alt_sp, .size = t->signal.alt_size};
    u64 sp = current_regs()->rsp;
    old.flags =
        !t->signal.alt_size ? SS_DISABLE : t->signal.alt_flags | (on_alt(t, sp) ? SS_ONSTACK : 0u);
    if (a0) {
        if (copy_from_user(&new, a0, sizeof(new)))
            return -EFAULT;
        int err = set_altstack(t, &new, sp, false);
        if (err)
            return err;
    }
    return a1 && copy_to_user(a1, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(rt_sigreturn)
{
    struct task *t = current_task();
    struct regs *r = current_regs();
    struct ucontext_k uc;
    u64 frame = r->rsp - 8; /* the handler's RET has taken the restorer's address */
    if (copy_from_user(&uc, frame + offsetof(struct frame, uc), sizeof(uc)))
        goto bad;
    signal_set_blocked(uc.sigmask);
    const struct sigcontext_k *c = &uc.mc;
    if ((s64)c->rip < 0 || arch_fpu_restore_user(c->fpstate))
        goto bad;
    r->r8 = c->r8, r->r9 = c->r9, r->r10 = c->r10, r->r11 = c->r11;
    r->r12 = c->r12, r->r13 = c->r13, r->r14 = c->r14, r->r15 = c->r15;
    r->rdi = c->rdi, r->rsi = c->rsi, r->rbp = c->rbp, r->rbx = c->rbx;
    r->rdx = c->rdx, r->rax = c->rax, r->rcx = c->rcx, r->rsp = c->rsp, r->rip = c->rip;
    r->rflags = (r->rflags & ~RFLAGS_USER) | (c->rflags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
    r->cs = USER_CS;
    r->ss = USER_DS;
    r->orig_rax = ~0UL;
    uc.stack.flags &= ~(u32)SS_ONSTACK;
    set_altstack(t, &uc.stack, r->rsp, true);
    thread_set_work(&t->thread.ctx, ARCH_WORK_IRET);
    return (s64)r->rax;
bad:
    r->orig_rax = ~0UL;
    signal_force(SIGSEGV, SI_KERNEL, 0);
    return 0;
}
