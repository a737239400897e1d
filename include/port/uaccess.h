/* SPDX-License-Identifier: MIT */
/*
 * Port: user memory of the current thread. May fault and so sleep; no spinlock and no mmap_lock for writing may be held.
 * Ranges are checked against the user half first. Bytes not copied are counted from the end.
 */
#ifndef PORT_UACCESS_H
#define PORT_UACCESS_H
#include <lib/types.h>
/* Return the number of bytes NOT copied or cleared (0 = all went well). */
size_t copy_to_user(u64 dst, const void *src, size_t n);
size_t copy_from_user(void *dst, u64 src, size_t n);
size_t clear_user(u64 dst, size_t n);
/* Length without the terminator; -EFAULT, or -ENAMETOOLONG when no terminator lies in the first `max` bytes. Always
 * terminates dst when it returns >= 0. */
ssize_t strncpy_from_user(char *dst, u64 src, size_t max);
/* Atomic compare and exchange of an aligned u32: 0 with *old holding what was found, or -EFAULT. */
int user_cmpxchg_u32(u64 addr, u32 *old, u32 new_value);
#endif
