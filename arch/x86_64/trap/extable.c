/* SPDX-License-Identifier: MIT */
/*
 * The exception table: pairs of instruction and continuation, collected by the linker from
 * uaccess code (EX_TABLE in arch/uaccess.h), sorted once at boot so that a look-up is a binary
 * search.
 */
#include <arch/fixup.h>
#include <arch/setup.h>
#include <arch/uaccess.h>

extern struct ex_entry ex_table_start[], ex_table_end[];

static u64 ex_insn(const struct ex_entry *e)
{
    return (u64)&e->insn + e->insn;
}

static u64 ex_fixup(const struct ex_entry *e)
{
    return (u64)&e->fixup + e->fixup;
}

static void ex_set(struct ex_entry *e, u64 insn, u64 fixup)
{
    e->insn = (s32)(insn - (u64)&e->insn);
    e->fixup = (s32)(fixup - (u64)&e->fixup);
}

/* Insertion sort: the linker hands over runs that are nearly in order. */
void extable_init(void)
{
    for (struct ex_entry *e = ex_table_start + 1; e < ex_table_end; e++) {
        u64 insn = ex_insn(e), fixup = ex_fixup(e);
        struct ex_entry *at = e;
        for (; at > ex_table_start && ex_insn(at - 1) > insn; at--)
            ex_set(at, ex_insn(at - 1), ex_fixup(at - 1));
        ex_set(at, insn, fixup);
    }
}

bool extable_fixup(struct regs *regs)
{
    const struct ex_entry *lo = ex_table_start, *hi = ex_table_end;
    while (lo < hi) {
        const struct ex_entry *mid = lo + (hi - lo) / 2;
        u64 insn = ex_insn(mid);
        if (insn == regs->rip) {
            regs->rip = ex_fixup(mid);
            return true;
        }
        if (insn < regs->rip)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}
