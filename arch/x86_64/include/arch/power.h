/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine. All stop the other CPUs first and never return.
 */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H
#include <lib/types.h>

void arch_poweroff(void) __noreturn_fn;
void arch_reboot(void) __noreturn_fn;
void arch_halt(void) __noreturn_fn;
/* Hands a status to QEMU's isa-debug-exit (QEMU ends with 2 * status + 1) when the machine has it:
 * detected by "debug_exit=" on the command line (port, default 0xf4 or 0x501); returns when there
 * is none. */
void arch_debug_exit(u8 status);
#endif
