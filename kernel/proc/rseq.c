/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences. The thread's struct rseq holds the CPU it runs on and, while it is inside a critical section, a pointer
 * to that section's description. A thread that was switched away or gets a signal inside is sent to the section's abort address.
 */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/mem.h>
#include <port/uaccess.h>

/* Offsets in struct rseq. */
enum {
    RSEQ_CPU_START = 0,
    RSEQ_CPU = 4,
    RSEQ_CS = 8,
    RSEQ_FLAGS = 16,
    RSEQ_NODE = 20,
    RSEQ_MM_CID = 24
};
struct rseq_cs {
    u32 version, flags;
    u64 start, len, abort;
};

/* The description at ptr, whole and within user space, its abort address signed. 0 or -errno. */
static int read_section(const struct task *t, u64 ptr, struct rseq_cs *cs)
{
    u64 limit = t->mm->task_size;
    u32 sig;
    if (ptr >= limit)
        return -EINVAL;
    if (copy_from_user(cs, ptr, sizeof(*cs)))
        return -EFAULT;
    if (cs->version || cs->start >= limit || cs->len >= limit - cs->start || cs->abort >= limit ||
        cs->abort - cs->start < cs->len)
        return -EINVAL;
    if (get_user(sig, cs->abort - 4))
        return -EFAULT;
    return sig == t->rseq_sig ? 0 : -EINVAL;
}

/* Out of the section that regs are in, if any; an old description is forgotten. */
static int leave_section(struct task *t, struct regs *regs)
{
    u64 ptr;
    u32 flags;
    struct rseq_cs cs;
    if (get_user(ptr, t->rseq_addr + RSEQ_CS))
        return -EFAULT;
    if (!ptr)
        return 0;
    int err = read_section(t, ptr, &cs);
    if (err)
        return err;
    bool inside = regs->rip - cs.start < cs.len;
    if (inside && get_user(flags, t->rseq_addr + RSEQ_FLAGS))
        return -EFAULT;
    if (inside && (cs.flags || flags))
        return -EINVAL; /* no flag is left that would mean something */
    if (put_user(0UL, t->rseq_addr + RSEQ_CS))
        return -EFAULT;
    if (inside) {
        regs->rip = cs.abort;
        thread_set_work(&t->thread.ctx, ARCH_WORK_IRET);
    }
    return 0;
}

static int write_cpu(struct task *t)
{
    u32 cpu = cpu_id();
    u32 words[2] = {cpu, cpu}, more[2] = {mem_cpu_node(cpu), cpu};
    if (copy_to_user(t->rseq_addr + RSEQ_CPU_START, words, sizeof(words)))
        return -EFAULT;
    return t->rseq_len >= 28 && copy_to_user(t->rseq_addr + RSEQ_NODE, more, sizeof(more)) ? -EFAULT
                                                                                           : 0;
}

void rseq_return(struct regs *regs)
{
    struct task *t = current_task();
    if (!t->rseq_addr)
        return;
    if (leave_section(t, regs) || write_cpu(t)) {
        t->rseq_addr = 0;
        signal_force(SIGSEGV, SI_KERNEL, 0);
    }
}

void rseq_signal(struct regs *regs)
{
    struct task *t = current_task();
    if (leave_section(t, regs)) {
        t->rseq_addr = 0;
        signal_force(SIGSEGV, SI_KERNEL, 0);
    }
}

SYSCALL(rseq)
{
    struct task *t = current_task();
    u32 len = (u32)a1, flags = (u32)a2, sig = (u32)a3;
    if (flags & 1) { /* unregister */
        if (flags != 1 || t->rseq_addr != a0 || !t->rseq_addr || t->rseq_len != len)
            return -EINVAL;
        if (t->rseq_sig != sig)
            return -EPERM;
        u32 none[2] = {0, ~0u};
        if (copy_to_user(a0, none, sizeof(none)))
            return -EFAULT;
        t->rseq_addr = 0;
        return 0;
    }
    if (flags)
        return -EINVAL;
    if (t->rseq_addr) {
        if (t->rseq_addr != a0 || t->rseq_len != len)
            return -EINVAL;
        return t->rseq_sig != sig ? -EPERM : -EBUSY;
    }
    if (len < 32 || (a0 & 31))
        return -EINVAL;
    if ((s64)a0 < 0)
        return -EFAULT;
    if (put_user(0UL, a0 + RSEQ_CS)) /* whatever lay there describes no section */
        return -EFAULT;
    t->rseq_addr = a0;
    t->rseq_len = len;
    t->rseq_sig = sig;
    thread_set_work(&t->thread.ctx, TASK_RSEQ);
    return 0;
}
