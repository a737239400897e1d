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
/* Hands a status to QEMU's isa-debug-exit, at its default port 501h and at f4h, where test set-ups
 * like to put it: QEMU ends with 2 * status + 1. Returns when there is no such device. */
void arch_debug_exit(u8 status);
#endif
