/* SPDX-License-Identifier: MIT */
/* Texts for oopses. */
#ifndef ARCH_BACKTRACE_H
#define ARCH_BACKTRACE_H
#include <arch/regs.h>
/* Prints the chain of return addresses from a frame pointer. Any context. */
void backtrace_print(u64 rbp);
/* Prints all registers. */
void regs_print(const struct regs *r);
#endif
