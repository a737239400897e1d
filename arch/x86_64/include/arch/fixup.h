/* SPDX-License-Identifier: MIT */
/* The exception table: where a kernel fault at a known instruction continues (trap/extable.c). */
#ifndef ARCH_FIXUP_H
#define ARCH_FIXUP_H
#include <arch/regs.h>
/* Continues behind the fault and returns true when regs->rip has an entry. */
bool extable_fixup(struct regs *regs);
#endif
