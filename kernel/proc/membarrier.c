/* SPDX-License-Identifier: MIT */
/*
 * membarrier: every thread of the caller's kind passes a full barrier between the call and its return. An interrupt to each
 * CPU does it: taking it serialises the CPU, its return too; a thread that is not running passed one when it was switched.
 *
 *   command          needs          also
 *   GLOBAL           nothing
 *   GLOBAL_EXP       nothing
 *   PRIV             REG_PRIV
 *   PRIV_CORE        REG_PRIV_CORE
 *   PRIV_RSEQ        REG_PRIV_RSEQ  threads inside a restartable sequence begin it anew
 *
 * process->membarrier holds the registrations: fork copies them, exec forgets them.
 */
#include "proc.h"
#include <arch/smp.h>
#include <kernel/syscall.h>

enum {
    QUERY = 0,
    GLOBAL = 1,
    GLOBAL_EXP = 2,
    REG_GLOBAL_EXP = 4,
    PRIV = 8,
    REG_PRIV = 16,
    PRIV_CORE = 32,
    REG_PRIV_CORE = 64,
    PRIV_RSEQ = 128,
    REG_PRIV_RSEQ = 256,
    GET_REGISTRATIONS = 512,
    ALL_COMMANDS = 1023,
};
#define FLAG_CPU 1u

static void nothing(void *arg)
{
}

static void restart_sequence(void *arg)
{
    struct task *t = current_task();
    if (t->process == arg)
        thread_set_work(&t->thread.ctx, TASK_RSEQ);
}

/* A registration for one kind says that the process uses private ones, without permission for the plain kind. */
static s64 registrations(const struct process *p)
{
    u32 r = READ_ONCE(p->membarrier);
    return r & (REG_PRIV_CORE | REG_PRIV_RSEQ) ? r | REG_PRIV : r;
}

SYSCALL(membarrier)
{
    struct process *p = current_process();
    u32 cmd = (u32)a0, flags = (u32)a1;
    if (flags && !(cmd == PRIV_RSEQ && flags == FLAG_CPU))
        return -EINVAL;
    switch (cmd) {
    case QUERY:
        return ALL_COMMANDS;
    case GET_REGISTRATIONS:
        return registrations(p);
    case REG_GLOBAL_EXP:
    case REG_PRIV:
    case REG_PRIV_CORE:
    case REG_PRIV_RSEQ:
        __atomic_fetch_or(&p->membarrier, cmd, __ATOMIC_RELAXED);
        return 0;
    case PRIV:
    case PRIV_CORE:
    case PRIV_RSEQ:
        if (!(READ_ONCE(p->membarrier) & cmd << 1))
            return -EPERM;
        break;
    case GLOBAL:
    case GLOBAL_EXP:
        break;
    default:
        return -EINVAL;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    smp_call(cpu_online_mask(), cmd == PRIV_RSEQ ? restart_sequence : nothing, p);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return 0;
}
