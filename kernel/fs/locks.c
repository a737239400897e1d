/* SPDX-License-Identifier: MIT */
/*
 * File locks: POSIX record locks (owner: descriptor table), OFD locks and flock (owner: open file).
 *
 *   inode->locks -> struct inode_locks { list of ranges, queue of waiters }      made on first use, freed with the inode
 *
 * K1. A POSIX lock dies when any descriptor of the inode is closed by its owner; OFD locks and flocks with the open file.
 * K2. Waiters sleep on the inode's queue and try again whenever a lock goes. A POSIX waiter first looks for a cycle of waiting
 *     owners (-EDEADLK).
 * Lock: locks_lock (spin), one for all inodes: the calls are rare and short.
 */
#include "internal.h"
#include "locks.h"
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <port/uaccess.h>

struct inode_locks {
    struct inode *inode;
    struct list_head link; /* all_locks */
    struct lock_range *list;
    struct waitq wait;
};
struct waiter { /* on the stack of who waits */
    struct list_head link;
    const void *owner, *blocker;
    const struct inode_locks *il;
    const struct lock_range *want;
};
static LIST_HEAD(all_locks); /* newest first */
static spinlock_t locks_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static LIST_HEAD(waiters);

struct flock_k {
    s16 type, whence;
    s32 pad;
    s64 start, len;
    s32 pid, pad2;
};

static struct inode_locks *inode_locks(struct inode *i)
{
    struct inode_locks *il = load_acquire(&i->locks);
    if (il)
        return il;
    il = kzalloc(sizeof(*il), GFP_KERNEL);
    if (!il)
        return NULL;
    waitq_init(&il->wait);
    il->inode = i;
    list_init(&il->link);
    void *none = NULL;
    if (!__atomic_compare_exchange_n(&i->locks, &none, (void *)il, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        kfree(il);
        return none;
    }
    spin_lock(&locks_lock);
    list_add(&il->link, &all_locks);
    spin_unlock(&locks_lock);
    return il;
}

static void free_list(struct lock_range *l)
{
    while (l) {
        struct lock_range *next = l->next;
        kfree(l);
        l = next;
    }
}

void locks_inode_free(struct inode *i)
{
    struct inode_locks *il = i->locks;
    spin_lock(&locks_lock);
    list_del(&il->link);
    spin_unlock(&locks_lock);
    free_list(il->list);
    kfree(il);
    i->locks = NULL;
}

/* Would waiting for blocker close a ring of waiting owners? locks_lock held. */
static bool deadlock(const void *owner, const void *blocker)
{
    for (int depth = 0; depth < 32; depth++) {
        struct waiter *w, *found = NULL;
        if (blocker == owner)
            return true;
        list_for_each_entry (w, &waiters, link) {
            if (w->owner == blocker) {
                found = w;
                break;
            }
        }
        if (!found)
            return false;
        blocker = found->blocker;
    }
    return false;
}

/* One attempt. 0, -EAGAIN with *blocker, -ENOMEM, -EDEADLK (only when w is given, which is then queued on -EAGAIN). */
static int try_lock(struct inode_locks *il, const struct lock_range *want, struct waiter *w)
{
    struct lock_range *spare[2], *garbage = NULL;
    spare[0] = kmalloc(sizeof(**spare), GFP_KERNEL);
    spare[1] = kmalloc(sizeof(**spare), GFP_KERNEL);
    int err = spare[0] && spare[1] ? 0 : -ENOMEM;
    if (!err) {
        spin_lock(&locks_lock);
        struct lock_range *c = want->type == F_UNLCK ? NULL : lock_conflict(il->list, want);
        if (c) {
            err = -EAGAIN;
            if (w && want->kind == LOCK_POSIX && deadlock(want->owner, c->owner)) {
                err = -EDEADLK;
            } else if (w) {
                w->il = il;
                w->want = want;
                w->owner = want->owner;
                w->blocker = c->owner;
                list_add(&w->link, &waiters);
            }
        } else {
            lock_apply(&il->list, want, spare, &garbage);
        }
        spin_unlock(&locks_lock);
    }
    kfree(spare[0]);
    kfree(spare[1]);
    free_list(garbage);
    if (!err)
        waitq_wake_all(&il->wait);
    return err;
}

static void waiter_leave(struct waiter *w)
{
    spin_lock(&locks_lock);
    list_del(&w->link);
    spin_unlock(&locks_lock);
}

static bool still_blocked(struct inode_locks *il, const struct lock_range *want)
{
    spin_lock(&locks_lock);
    bool b = lock_conflict(il->list, want) != NULL;
    spin_unlock(&locks_lock);
    return b;
}

static s64 set_lock(struct inode *i, const struct lock_range *want, bool wait)
{
    struct inode_locks *il = inode_locks(i);
    if (!il)
        return -ENOLCK;
    for (;;) {
        struct waiter w;
        int err = try_lock(il, want, wait ? &w : NULL);
        if (err != -EAGAIN || !wait)
            return err == -ENOMEM ? -ENOLCK : err;
        err = waitq_wait_interruptible(&il->wait, !still_blocked(il, want));
        waiter_leave(&w);
        if (err)
            return -ERESTARTSYS;
    }
}

/* Everything of (kind, owner) on the inode goes. */
static void drop_owner(struct inode *i, u8 kind, const void *owner)
{
    struct inode_locks *il = i->locks;
    struct lock_range *garbage = NULL;
    spin_lock(&locks_lock);
    for (struct lock_range **pp = &il->list; *pp;) {
        struct lock_range *l = *pp;
        if (l->kind == kind && l->owner == owner) {
            *pp = l->next;
            l->next = garbage;
            garbage = l;
        } else {
            pp = &l->next;
        }
    }
    spin_unlock(&locks_lock);
    if (garbage)
        waitq_wake_all(&il->wait);
    free_list(garbage);
}

void locks_close(struct file *f, struct fd_table *files)
{
    drop_owner(f->inode, LOCK_POSIX, files);
}

void locks_release(struct file *f)
{
    drop_owner(f->inode, LOCK_OFD, f);
    drop_owner(f->inode, LOCK_FLOCK, f);
}

/* ---- /proc/locks ---- */
static void put_lock(struct seq *s, u64 nr, const struct inode *i, const struct lock_range *l, bool waits)
{
    static const char *const kinds[] = {"POSIX ", "OFDLCK", "FLOCK "};
    seq_printf(s, "%lu: %s%s ADVISORY  %s %d %02x:%02x:%lu %lu ", nr, waits ? "-> " : "", kinds[l->kind],
               l->type == F_WRLCK ? "WRITE" : "READ", l->kind == LOCK_OFD ? -1 : l->pid, dev_major(i->sb->dev),
               dev_minor(i->sb->dev), i->ino, l->start);
    if (l->end == ~0UL)
        seq_puts(s, "EOF\n");
    else
        seq_printf(s, "%lu\n", l->end - 1);
}

void locks_show(struct seq *s, void *arg)
{
    struct inode_locks *il;
    struct waiter *w;
    u64 nr = 0;
    spin_lock(&locks_lock);
    list_for_each_entry (il, &all_locks, link) {
        for (const struct lock_range *l = il->list; l; l = l->next) {
            put_lock(s, ++nr, il->inode, l, false);
            list_for_each_entry (w, &waiters, link)
                if (w->il == il && w->blocker == l->owner && w->want->kind == l->kind &&
                    w->want->start < l->end && l->start < w->want->end)
                    put_lock(s, nr, il->inode, w->want, true);
        }
    }
    spin_unlock(&locks_lock);
}

static int range_from_user(struct file *f, const struct flock_k *k, struct lock_range *r)
{
    s64 base = k->whence == SEEK_SET   ? 0
               : k->whence == SEEK_CUR ? (s64)f->pos
               : k->whence == SEEK_END ? (s64)f->inode->mapping.size
                                       : -1;
    s64 start, end;
    if (base < 0 || k->type < F_RDLCK || k->type > F_UNLCK)
        return -EINVAL;
    if (__builtin_add_overflow(base, k->start, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    if (k->len > 0) {
        if (__builtin_add_overflow(start, k->len, &end))
            return -EOVERFLOW;
    } else if (k->len < 0) {
        end = start;
        start += k->len;
        if (start < 0)
            return -EINVAL;
    } else {
        end = -1;
    }
    r->start = (u64)start;
    r->end = (u64)end;
    r->type = (u8)k->type;
    return 0;
}

static s64 get_lock(struct file *f, struct flock_k *k, const struct lock_range *want, u64 user)
{
    struct inode_locks *il = inode_locks(f->inode);
    if (!il)
        return -ENOLCK;
    spin_lock(&locks_lock);
    struct lock_range *c = lock_conflict(il->list, want);
    k->type = c ? c->type : F_UNLCK;
    if (c) {
        k->whence = SEEK_SET;
        k->start = (s64)c->start;
        k->len = c->end == ~0UL ? 0 : (s64)(c->end - c->start);
        k->pid = c->kind == LOCK_OFD ? -1 : c->pid;
    }
    spin_unlock(&locks_lock);
    return copy_to_user(user, k, sizeof(*k)) ? -EFAULT : 0;
}

s64 locks_fcntl(struct file *f, u32 cmd, u64 user, int fd)
{
    struct flock_k k;
    bool ofd = cmd >= F_OFD_GETLK;
    if (copy_from_user(&k, user, sizeof(k)))
        return -EFAULT;
    struct lock_range want = {.kind = ofd ? LOCK_OFD : LOCK_POSIX,
                              .pid = current_task()->process->pid,
                              .owner = ofd ? (const void *)f : (const void *)current_task()->files};
    s64 err = range_from_user(f, &k, &want);
    if (err)
        return err;
    if (ofd && k.pid)
        return -EINVAL;
    if (cmd == F_GETLK || cmd == F_OFD_GETLK)
        return want.type == F_UNLCK ? -EINVAL : get_lock(f, &k, &want, user);
    if ((want.type == F_RDLCK && !(f->mode & FMODE_READ)) ||
        (want.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
        return -EBADF;
    err = set_lock(f->inode, &want, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
    if (!err && !ofd &&
        want.type != F_UNLCK) { /* closed by another thread meanwhile: that close missed the lock */
        struct file *now = fd_get(fd);
        if (now != f) {
            drop_owner(f->inode, LOCK_POSIX, current_task()->files);
            err = -EBADF;
        }
        file_put(now);
    }
    return err;
}

SYSCALL(flock)
{
    u32 op = (u32)a1 & ~(u32)LOCK_NB;
    if (op != LOCK_SH && op != LOCK_EX && op != LOCK_UN)
        return -EINVAL;
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    struct lock_range want = {.start = 0,
                              .end = ~0UL,
                              .type = op == LOCK_SH   ? F_RDLCK
                                      : op == LOCK_EX ? F_WRLCK
                                                      : F_UNLCK,
                              .kind = LOCK_FLOCK,
                              .pid = current_task()->process->pid,
                              .owner = r.file};
    s64 err = set_lock(r.file->inode, &want, !((u32)a1 & LOCK_NB));
    fd_return(r);
    return err;
}
