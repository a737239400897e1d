/* SPDX-License-Identifier: MIT */
/*
 * Write-back of dirty pages by themselves: when they grow old, when there are too many, and the brake on who makes them. Bodies in
 * mm/cache/flusher.c and mm/cache/throttle.c; writing one mapping back on demand is cache_sync() (mm/cache.h).
 *
 *   clean ── first dirty page ──> backing_dev.dirty (oldest first) ── flusher: a pass over what is old or too much ──> clean
 *
 * A home gives each device a struct backing_dev and names it in the mappings of its files (address_space.bdi). A mapping
 * without one is never written but on demand, and its writers are not braked.
 *
 * Locks: backing_dev.lock, inside tree_lock.
 */
#ifndef MM_WRITEBACK_H
#define MM_WRITEBACK_H
#include <mm/cache.h>
#include <port/sched.h>

struct backing_dev {
    const char *name; /* for the log; must stay */
    spinlock_t lock;  /* dirty, pass */
    struct list_head dirty; /* address_space.wb_link: mappings with dirty pages, the one dirty for longest first */
    u64 pass;
    struct waitq wait; /* the flusher sleeps here */
    struct waitq brake; /* writers pause here; nobody wakes them */
    u32 kicked;
    u32 ra_pages; /* readahead of files opened from now on (mm/readahead.h) */
    u32 io_pages; /* of one request that suits the device: larger reads are not cut down to ra_pages */
    u64 written;       /* pages, since the start; the flusher's own */
    s32 users;         /* flusher threads, and faults that are being braked */
    bool stopping;
    struct waitq gone; /* who ends the device waits here for its users */
    u64 rate;          /* pages a second that the device takes, smoothed; 0: not known yet */
};

void backing_dev_init(struct backing_dev *b, const char *name);
/* Starts the device's flusher thread. 0 or -ENOMEM. */
int backing_dev_start(struct backing_dev *b);
/* Ends the flusher and waits until nobody uses b. No mapping names b any more, but what the flusher holds itself. Sleeps. */
void backing_dev_stop(struct backing_dev *b);
/* One pass now, in the caller's thread: mappings dirty since before dirtied_before (clock_ns); pages written. Sleeps. */
u64 backing_dev_flush(struct backing_dev *b, u64 dirtied_before);
/* Wakes the flusher. Any context. */
void backing_dev_kick(struct backing_dev *b);
/* The same, and it is to write all that is dirty now, however young: memory is short. Any context. */
void backing_dev_kick_all(struct backing_dev *b);

/* A mapping has got its first dirty page, or is about to end. tree_lock held for note, not for forget. */
void writeback_note_dirty(struct address_space *m);
void writeback_forget(struct address_space *m);

/* Pages: beyond background the flusher works, towards limit writers are slowed down more and more, at limit they wait. */
struct dirty_limits {
    u64 background, limit;
};
void writeback_limits(struct dirty_limits *out);
/* The caller has made `pages` pages of m dirty: may sleep, ends early on a fatal signal. No lock held but the inode's. */
void writeback_throttle(struct address_space *m, u32 pages);

/*
 * The same for a fault, in two halves: with its locks held, the device that is to brake it, kept from ending, or NULL for not now; then,
 * without any, the brake.
 */
struct backing_dev *writeback_hold_dirtied(struct address_space *m);
void writeback_brake_held(struct backing_dev *b);

/* /proc/sys/vm: Linux's names, units and defaults. Of each pair the one set last is in force, the other reads as 0. */
extern u64 sysctl_dirty_background_ratio, sysctl_dirty_ratio; /* percent of free and file pages: 10, 20 */
extern u64 sysctl_dirty_background_bytes, sysctl_dirty_bytes; /* 0 */
extern u64 sysctl_dirty_writeback_centisecs; /* 500; 0: only when there are too many */
extern u64 sysctl_dirty_expire_centisecs;    /* 3000 */
#endif
