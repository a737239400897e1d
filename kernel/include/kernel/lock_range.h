/* SPDX-License-Identifier: MIT */
/* Arithmetic of file locks. Pure: no locks, no memory. Body: kernel/fs/lock_range.c. */
#ifndef KERNEL_LOCK_RANGE_H
#define KERNEL_LOCK_RANGE_H
#include <lib/types.h>
#include <uapi/fcntl.h>

/* Ranges of record locks, pure (lock_range.c). Half-open [start, end); end ~0: to infinity. */
struct lock_range {
    u64 start, end;
    u8 type; /* F_RDLCK or F_WRLCK */
    u8 kind; /* LOCK_POSIX, LOCK_OFD, LOCK_FLOCK */
    s32 pid;
    const void *owner;
    struct lock_range *next; /* sorted by (kind, owner), then start */
};
enum { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };
/* A lock of another owner that forbids want, or NULL. POSIX and OFD locks exclude each other; flock stands apart. */
struct lock_range *lock_conflict(struct lock_range *list, const struct lock_range *want);
/*
 * Gives want's owner want's type (F_UNLCK: none) on want's range: its own ranges are cut and joined. spare: two free nodes, which are
 * used up from the front (set NULL); freed nodes are pushed to *garbage.
 */
void lock_apply(struct lock_range **list, const struct lock_range *want,
                struct lock_range *spare[2], struct lock_range **garbage);
#endif
