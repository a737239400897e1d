/* SPDX-License-Identifier: MIT */
/*
 * userfaultfd: faults of chosen areas are answered by a program. Bodies in mm/uffd/; entries are written in mm/fault/uffd.c,
 * mm/pt/wp.c and mm/pt/move.c.
 *
 *   thread that faults                        monitor (another thread or process, with the descriptor)
 *   fault ─ area registered ─ uffd_wait ────► read: a message
 *     sleeps on its own queue                 UFFDIO_COPY ...: fills the entry
 *   tries again  ◄──────────────────────────  uffd_wake(range)
 *
 *   thread that changes the layout
 *   uffd_event_post (mmap_lock held) ─ mmap_write_unlock ─ sleeps until the event is read
 *
 * Invariants
 *  U1. vma->uffd is set exactly for areas with one of VM_UFFD; both change only with the area write-locked. It counts no
 *      reference: the end of the descriptor takes it out of every area before it drops its own. An mm without users is not
 *      cleared, and nobody looks at its areas.
 *  U2. A waiter stands on exactly one list of its context, or on none once it is woken. It lies on its thread's stack, which
 *      stays until the thread has held u->lock after it was taken off: who wakes it holds that lock.
 *  U3. A fault looks at its entry again after it stands on the list; who fills an entry wakes afterwards. So none is missed.
 *  U4. mmap_changing counts the events that were posted and not yet read. While it is not 0 nothing is filled or protected
 *      (-EAGAIN). It rises with changing_lock held for writing, fillers hold it for reading: what is being filled when a
 *      change begins is done before it goes on.
 *  U5. PTE_UFFD_WP stands only in entries and markers of areas with VM_UFFD_WP, never beside PTE_RW; their tables are not
 *      shared by fork.
 *
 * Locks: mmap_lock, changing_lock, then those of the page tables; u->lock is innermost and alone.
 */
#ifndef MM_UFFD_H
#define MM_UFFD_H
#include <mm/vma.h>
#include <uapi/userfaultfd.h>

#define UFFD_INITIALIZED (1u << 31) /* in features, as /proc/PID/fdinfo shows it on Linux */

struct uffd_event;
struct uffd {
    struct mm *mm; /* grabbed */
    s32 refs;
    u32 flags;    /* what userfaultfd(2) was given */
    u32 features; /* 0 until UFFDIO_API */
    bool released;
    s32 mmap_changing;         /* U4 */
    struct rwsem changing_lock;
    spinlock_t lock;           /* the lists */
    struct list_head pending;  /* faults that nobody has read, oldest first */
    struct list_head read;     /* faults that were read */
    struct list_head events;   /* other messages */
    struct waitq readers;      /* read and poll */
};

enum uffd_wait_state {
    UFFD_QUEUED,
    UFFD_READING, /* an event whose reader is busy with it */
    UFFD_DONE,
};
struct uffd_wait {
    struct list_head link;
    struct uffd *u;
    struct uffd *forked; /* FORK: the child's context */
    struct uapi_uffd_msg msg;
    enum uffd_wait_state state;
    struct waitq waitq;
};

/* ---- ctx.c ---- */
/* A context of mm with one reference, or NULL. flags: UAPI_UFFD_USER_MODE_ONLY and whatever the home wants to find again. */
struct uffd *uffd_alloc(struct mm *mm, u32 flags);
static inline void uffd_get(struct uffd *u)
{
    __atomic_fetch_add(&u->refs, 1, __ATOMIC_RELAXED);
}
void uffd_put(struct uffd *u);
static inline bool uffd_has(const struct uffd *u, u64 feature)
{
    return READ_ONCE(u->features) & feature;
}
/* The end of the descriptor: every area is freed of it, every waiter woken, its reference dropped. May sleep. */
void uffd_release(struct uffd *u);

/* ---- ioctl.c ---- */
/* UFFDIO_*: arg is the user address of its structure. may_fork: the caller may ask for fork events. May sleep. */
s64 uffd_ioctl(struct uffd *u, u32 cmd, u64 arg, bool may_fork);

/* ---- queue.c ---- */
/*
 * Takes the oldest message: 0, or -EAGAIN when there is none. A FORK event leaves *event set: the caller makes a descriptor of
 * (*event)->forked, whose reference becomes the descriptor's, and ends with uffd_read_done(), which says whether that went
 * well; if it did not, the event is read again.
 */
int uffd_read(struct uffd *u, struct uapi_uffd_msg *msg, struct uffd_wait **event);
void uffd_read_done(struct uffd *u, struct uffd_wait *event, bool good);
bool uffd_readable(struct uffd *u);
void uffd_counts(struct uffd *u, u64 *pending, u64 *total);
/* Wakes the faults of [start, start+len); all when len is 0. */
void uffd_wake(struct uffd *u, u64 start, u64 len);
/* A fault comes onto the list / sleeps / leaves. sleep: 0, or -EINTR: a signal (a fatal one, unless interruptible). */
void uffd_wait_begin(struct uffd_wait *w, struct uffd *u, const struct uapi_uffd_msg *msg);
int uffd_wait_sleep(struct uffd_wait *w, bool interruptible);
void uffd_wait_end(struct uffd_wait *w);
/* Sleeps until the event is read; when it never is (killed, descriptor closed) the forked context ends. */
void uffd_wait_event(struct uffd *u, const struct uapi_uffd_msg *msg, struct uffd *forked);
/* The descriptor is closed: all go. */
void uffd_wake_all(struct uffd *u);

/* ---- event.c: what happens to registered areas ---- */
/* mmap_lock held for writing by the callers of all but uffd_remove and uffd_deliver. 0 or -ENOMEM. */
int uffd_fork_area(struct vma *child_vma, struct mm *parent);
void uffd_fork_failed(struct mm *parent);
int uffd_unmap_prepare(struct mm *mm, u64 start, u64 end);
/* mremap: event_new beforehand (NULL when none is wanted and *err 0), post or drop afterwards; mark: behind which events. */
struct uffd_event *uffd_remap_prepare(const struct vma *vma, int *err);
struct uffd_event **uffd_events_mark(struct mm *mm);
void uffd_remap_done(struct uffd_event *e, struct uffd_event **mark, u64 from, u64 to, u64 len);
void uffd_remap_failed(struct uffd_event *e);
/* Takes a moved or forked copy of an area out of its context: flags, prot, pointer; its entries lose PTE_UFFD_WP. */
void uffd_forget_area(struct vma *vma);
/* madvise, mmap_lock held for reading. True: nothing to tell. False: told, mmap_lock was released meanwhile and is not held. */
bool uffd_remove(struct vma *vma, u64 start, u64 end);
/* Sends what was posted and waits for its readers; no lock held. mmap_write_unlock() calls it. */
void uffd_deliver(struct uffd_event *events);

/* ---- register.c, fill.c, move.c: 0 or -errno; bytes done or -errno ---- */
int uffd_register(struct uffd *u, u64 start, u64 len, u64 vm_flags);
int uffd_unregister(struct uffd *u, u64 start, u64 len);
int uffd_write_protect(struct uffd *u, u64 start, u64 len, bool protect);
enum uffd_fill {
    UFFD_FILL_COPY,
    UFFD_FILL_ZERO,
    UFFD_FILL_CONTINUE,
    UFFD_FILL_POISON,
};
/* wp: the entries are write-protected. src: user address, for COPY. */
s64 uffd_fill(struct uffd *u, enum uffd_fill what, u64 dst, u64 src, u64 len, bool wp);
s64 uffd_move(struct uffd *u, u64 dst, u64 src, u64 len, bool holes);
/* Do protections of vma stand in entries without a page? */
bool uffd_wp_uses_markers(const struct vma *vma);
#endif
