/* SPDX-License-Identifier: MIT */
/* Record locks (fcntl) and whole-file locks (flock): locks.c. Seals of memfd: memfd.c. */
#ifndef KERNEL_FS_LOCKS_H
#define KERNEL_FS_LOCKS_H
#include <kernel/file.h>
s64 locks_fcntl(struct file *f, u32 cmd, u64 user_flock, int fd);
s64 memfd_fcntl(struct file *f, u32 cmd, u32 seals);

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
void lock_apply(struct lock_range **list, const struct lock_range *want, struct lock_range *spare[2], struct lock_range **garbage);
#endif
