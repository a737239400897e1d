/* SPDX-License-Identifier: MIT */
/*
 * Debug registers. DR7 holds, for each of four addresses, two bits "enabled" and four bits of kind and length.
 *
 *   bits 2n, 2n+1     enabled (local, global)            bits 16+4n  0 execute, 1 write, 3 read or write (2: ports)
 *                                                        bits 18+4n  length 0: 1, 1: 2, 2: 8, 3: 4
 *
 * D1. ARCH_SPECIAL_DEBUG is set exactly while some address is enabled. Only then do the CPU's registers hold this thread's.
 * D2. Every enabled address lies in user space with its last byte, aligned to its length.
 */
#include <arch/debug.h>
#include <lib/errno.h>
#include <port/mem.h>
#include <port/pte.h>

#define CONTROL_FIXED    0x400UL      /* bit 10 reads as one */
#define CONTROL_USED     0xffff00ffUL /* the rest is not for users: general detect, reserved bits */
#define ANY_ENABLED      0xffUL
#define STATUS_RESERVED  0xffff0ff0UL

static inline void write_control(u64 v)
{
    __asm__ volatile("movq %0, %%dr7" ::"r"(v));
}

static void load(const struct debug_regs *d)
{
    __asm__ volatile("movq %0, %%dr0\n movq %1, %%dr1\n movq %2, %%dr2\n movq %3, %%dr3" ::"r"(d->addr[0]),
                     "r"(d->addr[1]), "r"(d->addr[2]), "r"(d->addr[3]));
    write_control((d->control & CONTROL_USED) | CONTROL_FIXED);
}

static u64 user_end(void)
{
    return (pt_levels() == 5 ? 1UL << 56 : 1UL << 47) - PAGE_SIZE;
}

static unsigned kind_of(u64 control, unsigned n)
{
    return control >> (16 + 4 * n) & 3;
}

static u64 length_of(u64 control, unsigned n)
{
    static const u8 length[4] = {1, 2, 8, 4};
    return length[control >> (18 + 4 * n) & 3];
}

static bool enabled(u64 control, unsigned n)
{
    return control >> (2 * n) & 3;
}

/* D2, and a kind that makes sense. */
static bool usable(u64 addr, u64 control, unsigned n)
{
    u64 len = length_of(control, n);
    if (kind_of(control, n) == 2 || (kind_of(control, n) == 0 && len != 1))
        return false;
    return addr < user_end() && addr + len - 1 < user_end() && !(addr & (len - 1));
}

u64 debug_get(const struct thread_ctx *t, unsigned n)
{
    const struct debug_regs *d = t->debug;
    if (n == 6)
        return (d ? d->status : 0) ^ STATUS_RESERVED;
    if (!d)
        return 0;
    return n < 4 ? d->addr[n] : n == 7 ? d->control : 0;
}

static int set_control(struct thread_ctx *t, u64 value)
{
    struct debug_regs *d = t->debug;
    for (unsigned n = 0; n < 4; n++)
        if (enabled(value, n) && !usable(d->addr[n], value, n))
            return -EINVAL;
    d->control = value;
    if (value & ANY_ENABLED)
        t->special |= ARCH_SPECIAL_DEBUG;
    else
        t->special &= ~ARCH_SPECIAL_DEBUG;
    return 0;
}

int debug_set(struct thread_ctx *t, unsigned n, u64 value)
{
    struct debug_regs *d = t->debug;
    if (n < 4) {
        if (value >= user_end() || (enabled(d->control, n) && !usable(value, d->control, n)))
            return -EINVAL;
        d->addr[n] = value;
        return 0;
    }
    if (n == 6) {
        d->status = value ^ STATUS_RESERVED;
        return 0;
    }
    return n == 7 ? set_control(t, value) : -EIO;
}

void debug_clear(struct thread_ctx *t)
{
    u64 flags = irq_save();
    if (t->special & ARCH_SPECIAL_DEBUG)
        write_control(CONTROL_FIXED);
    t->special &= ~ARCH_SPECIAL_DEBUG;
    irq_restore(flags);
}

void debug_note(struct thread_ctx *t, u64 status)
{
    if (t->debug)
        t->debug->status = status;
}

bool debug_hit_execute(const struct thread_ctx *t, u64 status)
{
    const struct debug_regs *d = t->debug;
    for (unsigned n = 0; d && n < 4; n++)
        if (status >> n & 1 && enabled(d->control, n) && kind_of(d->control, n) == 0)
            return true;
    return false;
}

void debug_switch(const struct thread_ctx *prev, const struct thread_ctx *next)
{
    if (next->special & ARCH_SPECIAL_DEBUG)
        load(next->debug);
    else if (prev->special & ARCH_SPECIAL_DEBUG)
        write_control(CONTROL_FIXED);
}
