/* SPDX-License-Identifier: MIT */
/*
 * Debug registers of a thread: breakpoints and watchpoints that its tracer set. Loaded at a switch only for threads that use
 * them (ARCH_SPECIAL_DEBUG).
 */
#ifndef ARCH_DEBUG_H
#define ARCH_DEBUG_H
#include <arch/thread.h>

struct debug_regs {
    u64 addr[4];
    u64 status;  /* what the tracer sees as DR6 */
    u64 control; /* DR7 as the tracer wrote it */
};

/* Register n (0..7; 4 and 5 do not exist and read 0) of a thread; 0 without ctx->debug. */
u64 debug_get(const struct thread_ctx *t, unsigned n);
/* Sets one of a thread that does not run and has ctx->debug. 0, -EIO (no such register), -EINVAL (not in user space, not
 * aligned, a kind that is not allowed). */
int debug_set(struct thread_ctx *t, unsigned n, u64 value);
/* exec: the running thread has none any more. The caller frees ctx->debug afterwards. */
void debug_clear(struct thread_ctx *t);
/* A debug exception with these bits of DR6 came from the running thread. */
void debug_note(struct thread_ctx *t, u64 status);
#define DEBUG_STEP (1UL << 14)
#define DEBUG_HITS 15UL
/* One of the breakpoints hit is on an instruction, which would hit again unless RFLAGS.RF is set. */
bool debug_hit_execute(const struct thread_ctx *t, u64 status);
/* At a switch; interrupts off. */
void debug_switch(const struct thread_ctx *prev, const struct thread_ctx *next);
#endif
