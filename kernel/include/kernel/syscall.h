/* SPDX-License-Identifier: MIT */
/*
 * System calls. One function each: `s64 sys_NAME(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)`, arguments as the program passed
 * them; returns the result or -errno (also the -ERESTART* of uapi/errno.h). SYSCALL(name) declares and begins one. The table
 * kernel/syscall/table.c lists number, name and function; a missing entry answers -ENOSYS and is named once in the log.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H
#include <lib/types.h>
#define SYSCALL(name)                                                                              \
    s64 sys_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);                                \
    s64 sys_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
typedef s64 (*syscall_fn)(u64, u64, u64, u64, u64, u64);
/* For the table: weakly declared, so that the table links while a call is absent. */
#define SYSCALL_DECLARE(name) s64 sys_##name(u64, u64, u64, u64, u64, u64) __attribute__((weak))
/* The registers of the current thread's system call or trap. */
struct regs *current_regs(void);
#endif
