/* SPDX-License-Identifier: MIT */
/*
 * The way in for system calls. A call that nobody defines keeps its weak, absent symbol: a NULL in the table.
 * The null call costs one load, one compare, one indirect call here.
 */
#include <arch/trap.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <port/log.h>

#define NR_SYSCALLS 463

#define X(nr, name) SYSCALL_DECLARE(name);
#include "numbers.h"
#undef X

static const syscall_fn table[NR_SYSCALLS] = {
#define X(nr, name) [nr] = sys_##name,
#include "numbers.h"
#undef X
};

static const char *const names[NR_SYSCALLS] = {
#define X(nr, name) [nr] = #name,
#include "numbers.h"
#undef X
};

static u64 named[DIV_ROUND_UP(512, 64)];

static long unknown(struct regs *r)
{
    u64 nr = r->orig_rax;
    u64 bit = nr < 512 ? nr : 511;
    if (!atomic_test_and_set_bit(bit, named)) {
        struct task *t = current_task();
        log_print(LOG_INFO, "%s[%d]: system call %lu (%s) is not provided\n", t->comm, t->tid, nr,
                  nr < NR_SYSCALLS && names[nr] ? names[nr] : "unknown");
    }
    return -ENOSYS;
}

long kernel_syscall(struct regs *r)
{
    u64 nr = r->orig_rax;
    if (likely(nr < NR_SYSCALLS)) {
        syscall_fn fn = table[nr];
        if (likely(fn))
            return fn(r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
    }
    return unknown(r);
}

struct regs *current_regs(void)
{
    return thread_regs(thread_ctx_current());
}
