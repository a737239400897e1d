/* SPDX-License-Identifier: MIT */
/*
 * rename, renameat2.
 *
 * Locks: two directories of one superblock: sb->rename_lock, then the ancestor before the descendant, else by address; one
 * directory: its lock only. Then the file system acts and the dentries follow.
 */
#include "internal.h"
#include <kernel/syscall.h>

struct rename {
    struct walk from, to;
    struct dentry *old, *new;
    u32 flags;
};

static void lock_dirs(struct dentry *a, struct dentry *b)
{
    if (a == b) {
        mutex_lock(&a->inode->lock);
        return;
    }
    mutex_lock(&a->sb->rename_lock);
    bool b_first = dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && (uptr)b < (uptr)a);
    mutex_lock(b_first ? &b->inode->lock : &a->inode->lock);
    mutex_lock(b_first ? &a->inode->lock : &b->inode->lock);
}

static void unlock_dirs(struct dentry *a, struct dentry *b)
{
    mutex_unlock(&a->inode->lock);
    if (a == b)
        return;
    mutex_unlock(&b->inode->lock);
    mutex_unlock(&a->sb->rename_lock);
}

/* Both dentries found, directories locked. */
static int check(struct rename *r)
{
    struct inode *from = r->from.path.dentry->inode, *to = r->to.path.dentry->inode;
    struct inode *old = r->old->inode, *target = r->new->inode;
    bool exchange = r->flags & RENAME_EXCHANGE;
    if (!old)
        return -ENOENT;
    if (target && (r->flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (exchange && !target)
        return -ENOENT;
    if (!S_ISDIR(old->mode)) {
        if (r->from.trailing || (!exchange && r->to.trailing))
            return -ENOTDIR;
    }
    if (exchange && r->to.trailing && !S_ISDIR(target->mode))
        return -ENOTDIR;
    if (dentry_is_ancestor(r->old, r->to.path.dentry))
        return -EINVAL;
    if (target && dentry_is_ancestor(r->new, r->from.path.dentry))
        return exchange ? -EINVAL : -ENOTEMPTY;
    int err = may_delete(from, old, S_ISDIR(old->mode));
    if (!err && !target)
        err = may_create(to);
    if (!err && target)
        err = may_delete(to, target, exchange ? S_ISDIR(target->mode) : S_ISDIR(old->mode));
    if (!err && S_ISDIR(old->mode) && from != to)
        err = inode_permission(old, W_OK); /* its ".." changes */
    if (!err && (mount_blocks(r->old) || mount_blocks(r->new)))
        err = -EBUSY;
    if (!err && !from->ops->rename && !from->ops->rename_inodes)
        err = -EPERM;
    return err;
}

static u32 next_cookie;

static void tell(struct rename *r, struct inode *moved, struct inode *from, struct inode *to)
{
    if (likely(!READ_ONCE(inotify_watches)))
        return;
    u32 cookie = __atomic_add_fetch(&next_cookie, 1, __ATOMIC_RELAXED),
        d = S_ISDIR(moved->mode) ? IN_ISDIR : 0;
    inotify_event(from, IN_MOVED_FROM | d, cookie, r->from.last, r->from.last_len);
    inotify_event(to, IN_MOVED_TO | d, cookie, r->to.last, r->to.last_len);
    inotify_event(moved, IN_MOVE_SELF, 0, NULL, 0);
}

static int rename_locked(struct rename *r)
{
    struct dentry *pf = r->from.path.dentry, *pt = r->to.path.dentry;
    struct inode *from = pf->inode, *to = pt->inode;
    int err = check(r);
    if (err)
        return err;
    struct inode *old = inode_get(r->old->inode),
                 *target = r->new->inode ? inode_get(r->new->inode) : NULL;
    if (old == target && !(r->flags & RENAME_EXCHANGE)) /* two names of one file: nothing happens */
        goto out;
    if (target)
        mutex_lock(&target->lock);
    if (from->ops->rename_inodes)
        err = from->ops->rename_inodes(from, r->old, to, r->new, r->flags);
    else
        err = from->ops->rename(from, r->from.last, r->from.last_len, to, r->to.last,
                                r->to.last_len, r->flags);
    if (!err && target && !(r->flags & RENAME_EXCHANGE) && S_ISDIR(target->mode))
        target->state |= I_DEAD;
    if (target)
        mutex_unlock(&target->lock);
    if (err)
        goto out;
    if (r->flags & RENAME_EXCHANGE) {
        dentry_exchange(r->old, r->new);
    } else {
        if (target && S_ISDIR(target->mode))
            dcache_prune(r->new);
        if (target)
            dentry_delete(r->new);
        else
            dentry_drop(r->new);
        dentry_move(r->old, pt, r->to.last, r->to.last_len);
    }
    tell(r, old, from, to);
    if (target && !(r->flags & RENAME_EXCHANGE) && unlikely(READ_ONCE(inotify_watches)))
        inotify_event(target, target->nlink ? IN_ATTRIB : IN_DELETE_SELF, 0, NULL, 0);
out:
    inode_put(old);
    inode_put(target);
    return err;
}

static int rename_walked(struct rename *r)
{
    struct dentry *pf = r->from.path.dentry, *pt = r->to.path.dentry;
    if (r->from.path.mount != r->to.path.mount)
        return -EXDEV;
    if (r->from.last_type != LAST_NAME)
        return -EBUSY;
    if (r->to.last_type != LAST_NAME)
        return (r->flags & RENAME_NOREPLACE) ? -EEXIST : -EBUSY;
    int err = mount_want_write(r->from.path.mount);
    if (err)
        return err;
    lock_dirs(pf, pt);
    r->old = lookup_locked(pf, r->from.last, r->from.last_len);
    err = IS_ERR(r->old) ? (int)PTR_ERR(r->old) : 0;
    if (!err) {
        r->new = lookup_locked(pt, r->to.last, r->to.last_len);
        err = IS_ERR(r->new) ? (int)PTR_ERR(r->new) : rename_locked(r);
        unlock_dirs(pf, pt);
        if (!err && !(r->flags & RENAME_EXCHANGE) && unlikely(READ_ONCE(r->new->mounted)))
            mount_detach_on(r->new);
        if (!IS_ERR(r->new))
            dentry_put(r->new);
        dentry_put(r->old);
    } else {
        unlock_dirs(pf, pt);
    }
    mount_drop_write(r->from.path.mount);
    return err;
}

static s64 rename_at(int fd1, u64 user1, int fd2, u64 user2, u32 flags)
{
    struct rename r = {.flags = flags};
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
        return -EINVAL;
    if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
        return -EINVAL;
    if (flags & RENAME_WHITEOUT)
        return capable(CAP_MKNOD) ? -EINVAL : -EPERM;
    char *a = getname(user1, false), *b = getname(user2, false);
    s64 err = IS_ERR(a) ? PTR_ERR(a) : IS_ERR(b) ? PTR_ERR(b) : 0;
    if (!err)
        err = walk_begin(&r.from, fd1, a, 0);
    if (!err) {
        err = walk_run(&r.from, a, LOOKUP_PARENT);
        if (!err)
            err = walk_begin(&r.to, fd2, b, 0);
        if (!err) {
            err = walk_run(&r.to, b, LOOKUP_PARENT);
            if (!err && (!dentry_is_dir(r.from.path.dentry) || !dentry_is_dir(r.to.path.dentry)))
                err = -ENOTDIR;
            if (!err)
                err = rename_walked(&r);
            walk_end(&r.to);
        }
        walk_end(&r.from);
    }
    if (!IS_ERR(a))
        putname(a);
    if (!IS_ERR(b))
        putname(b);
    return err;
}

SYSCALL(rename)
{
    return rename_at(AT_FDCWD, a0, AT_FDCWD, a1, 0);
}
SYSCALL(renameat)
{
    return rename_at((int)a0, a1, (int)a2, a3, 0);
}
SYSCALL(renameat2)
{
    return rename_at((int)a0, a1, (int)a2, a3, (u32)a4);
}
