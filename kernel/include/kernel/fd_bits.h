/* SPDX-License-Identifier: MIT */
/*
 * The two bit sets of a descriptor table: which numbers are taken, which close on exec. Pure; the table's lock is the caller's.
 * Invariant: a close-on-exec bit is set only where the number is taken.
 */
#ifndef KERNEL_FD_BITS_H
#define KERNEL_FD_BITS_H
#include <lib/bitmap.h>

static inline void fd_bits_take(u64 *open, u64 *cloexec, u64 fd, bool on_exec)
{
    set_bit(fd, open);
    if (on_exec)
        set_bit(fd, cloexec);
    else
        clear_bit(fd, cloexec);
}
static inline void fd_bits_give(u64 *open, u64 *cloexec, u64 fd)
{
    clear_bit(fd, open);
    clear_bit(fd, cloexec);
}
#endif
