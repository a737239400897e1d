/* SPDX-License-Identifier: MIT */
/* Kernel bugs: what is printed, and what becomes of the thread. Bodies in trap/oops.c. */
#ifndef TRAP_OOPS_H
#define TRAP_OOPS_H
#include <arch/regs.h>
/* Prints the registers and the way there, then gives the thread up, or the machine when there is
 * no thread to give. */
void oops(struct regs *regs, const char *what, u64 error) __noreturn_fn;
void oops_page_fault(struct regs *regs, u64 error, u64 addr) __noreturn_fn;
#endif
