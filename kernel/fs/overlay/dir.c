/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: changing directories. All happens in the upper layer; names that lower layers still show get a whiteout.
 * The overlay directories are locked by the VFS; the upper ones here.
 */
#include "ovl.h"

/* The upper directory, made if need be, locked. ERR_PTR. */
static struct inode *lock_upper(struct inode *dir)
{
    int err = ovl_copy_up(dir);
    if (err)
        return ERR_PTR(err);
    struct inode *up = ovl_upper(dir);
    mutex_lock(&up->lock);
    return up;
}

/* name in the upper directory (locked), referenced, or NULL. */
static struct inode *find_upper(struct inode *up, const char *name, size_t len)
{
    struct inode *i = NULL;
    return up->ops->lookup(up, name, len, &i) ? NULL : i;
}

/* A whiteout of that name goes, so that something can be made there. 1 when there was one, 0, -errno. */
static int clear_whiteout(struct inode *up, const char *name, size_t len)
{
    struct inode *w = find_upper(up, name, len);
    int ret = 0;
    if (w && ovl_is_whiteout(w)) {
        mutex_lock(&w->lock);
        ret = up->ops->unlink(up, name, len, w);
        mutex_unlock(&w->lock);
        ret = ret ? ret : 1;
    }
    inode_put(w);
    return ret;
}

static int make_whiteout(struct inode *up, const char *name, size_t len)
{
    struct inode *w = NULL;
    int err = up->ops->create ? up->ops->create(up, name, len, S_IFCHR, 0, &w) : -EPERM;
    if (!err)
        inode_put(w);
    return err;
}

static int set_opaque(struct inode *up_dir)
{
    if (!up_dir->ops->setxattr)
        return -EOPNOTSUPP;
    mutex_lock(&up_dir->lock);
    int err = up_dir->ops->setxattr(up_dir, "trusted.overlay.opaque", "y", 1, 0);
    mutex_unlock(&up_dir->lock);
    return err;
}

/* Ends a creation: hidden tells that a whiteout was taken away, which must come back on errors. */
static int created(struct inode *dir, struct inode *up, const char *name, size_t len, int hidden,
                   int err, struct inode *real, struct inode **out)
{
    if (!err && hidden > 0 && S_ISDIR(real->mode)) {
        err = set_opaque(real);
        if (err) {
            mutex_lock(&real->lock);
            up->ops->rmdir(up, name, len, real);
            mutex_unlock(&real->lock);
            inode_put(real);
        }
    }
    if (err && hidden > 0)
        make_whiteout(up, name, len);
    mutex_unlock(&up->lock);
    if (err)
        return err;
    *out = ovl_new_inode(dir->sb, real, NULL, 0);
    ovl_sync_attr(dir);
    return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}

static int create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
                  struct inode **out)
{
    if (S_ISCHR(mode) && rdev == 0)
        return -EPERM; /* a whiteout */
    struct inode *up = lock_upper(dir), *real = NULL;
    if (IS_ERR(up))
        return (int)PTR_ERR(up);
    int hidden = clear_whiteout(up, name, len),
        err = hidden < 0        ? hidden
              : up->ops->create ? up->ops->create(up, name, len, mode, rdev, &real)
                                : -EPERM;
    return created(dir, up, name, len, hidden, err, real, out);
}

static int mkdir(struct inode *dir, const char *name, size_t len, u32 mode, struct inode **out)
{
    struct inode *up = lock_upper(dir), *real = NULL;
    if (IS_ERR(up))
        return (int)PTR_ERR(up);
    int hidden = clear_whiteout(up, name, len),
        err = hidden < 0       ? hidden
              : up->ops->mkdir ? up->ops->mkdir(up, name, len, mode, &real)
                               : -EPERM;
    return created(dir, up, name, len, hidden, err, real, out);
}

static int symlink(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out)
{
    struct inode *up = lock_upper(dir), *real = NULL;
    if (IS_ERR(up))
        return (int)PTR_ERR(up);
    int hidden = clear_whiteout(up, name, len),
        err = hidden < 0         ? hidden
              : up->ops->symlink ? up->ops->symlink(up, name, len, target, &real)
                                 : -EPERM;
    return created(dir, up, name, len, hidden, err, real, out);
}

static int tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
    struct inode *up = lock_upper(dir), *real = NULL;
    if (IS_ERR(up))
        return (int)PTR_ERR(up);
    int err = up->ops->tmpfile ? up->ops->tmpfile(up, mode, &real) : -EOPNOTSUPP;
    mutex_unlock(&up->lock);
    if (err)
        return err;
    *out = ovl_new_inode(dir->sb, real, NULL, 0);
    return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}

static int link(struct inode *dir, const char *name, size_t len, struct inode *old)
{
    int err = ovl_copy_up(old);
    if (err)
        return err;
    struct inode *up = lock_upper(dir), *real = ovl_upper(old);
    if (IS_ERR(up))
        return (int)PTR_ERR(up);
    int hidden = clear_whiteout(up, name, len);
    err = hidden < 0 ? hidden : 0;
    if (!err) {
        mutex_lock(&real->lock);
        err = up->ops->link ? up->ops->link(up, name, len, real) : -EPERM;
        mutex_unlock(&real->lock);
    }
    if (err && hidden > 0)
        make_whiteout(up, name, len);
    mutex_unlock(&up->lock);
    ovl_sync_attr(old);
    ovl_sync_attr(dir);
    return err;
}

/* Takes a name away: from the upper layer if it is there, and covers what lower layers show. */
static int remove_name(struct inode *dir, const char *name, size_t len, struct inode *victim,
                       bool is_dir)
{
    bool below = ovl_lower_has(dir, name, len);
    mutex_lock(&ovl(victim)->copy_lock); /* no copy-up comes in between */
    struct inode *up = lock_upper(dir), *real = ovl_upper(victim);
    int err = IS_ERR(up) ? (int)PTR_ERR(up) : 0;
    if (!err && real) {
        if (is_dir)
            err = ovl_clear_whiteouts(real);
        mutex_lock(&real->lock);
        if (!err)
            err = (is_dir ? up->ops->rmdir : up->ops->unlink)(up, name, len, real);
        if (!err && is_dir)
            real->state |= I_DEAD;
        mutex_unlock(&real->lock);
    }
    if (!err && below)
        err = make_whiteout(up, name, len);
    if (!IS_ERR(up))
        mutex_unlock(&up->lock);
    mutex_unlock(&ovl(victim)->copy_lock);
    if (!err) {
        ovl_sync_attr(dir);
        if (real)
            ovl_sync_attr(victim);
        else
            victim->nlink = is_dir || victim->nlink <= 1 ? 0 : victim->nlink - 1;
    }
    return err;
}

static int unlink(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    return remove_name(dir, name, len, victim, false);
}

static int rmdir(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    int err = ovl_check_empty(victim);
    return err ? err : remove_name(dir, name, len, victim, true);
}

static void lock_two(struct inode *a, struct inode *b)
{
    mutex_lock((uptr)a <= (uptr)b ? &a->lock : &b->lock);
    if (a != b)
        mutex_lock((uptr)a <= (uptr)b ? &b->lock : &a->lock);
}

/* What a lower layer shows under the new name must not shine through a directory that comes to stand there. */
static int prepare_moved_dir(struct inode *moved, bool below)
{
    if (!S_ISDIR(moved->mode) || !below)
        return 0;
    return set_opaque(ovl_upper(moved));
}

static int rename_upper(struct inode *od, const char *on, size_t ol, struct inode *nd,
                        const char *nn, size_t nl, struct inode *old, struct inode *target,
                        u32 flags)
{
    bool below_old = ovl_lower_has(od, on, ol), below_new = ovl_lower_has(nd, nn, nl);
    struct inode *uo = ovl_upper(od), *un = ovl_upper(nd);
    int err = prepare_moved_dir(old, below_new);
    if (!err && (flags & RENAME_EXCHANGE))
        err = prepare_moved_dir(target, below_old);
    if (!err && target && S_ISDIR(target->mode) && ovl_upper(target) && !(flags & RENAME_EXCHANGE))
        err = ovl_clear_whiteouts(ovl_upper(target));
    if (err)
        return err;
    lock_two(uo, un);
    struct inode *there = find_upper(un, nn, nl);
    bool whiteout = there && ovl_is_whiteout(there);
    if (whiteout && S_ISDIR(old->mode)) /* a directory can't replace the whiteout */
        err = clear_whiteout(un, nn, nl) < 0 ? -EIO : 0;
    bool lock_there = there && !whiteout && there != ovl_upper(old);
    if (lock_there)
        mutex_lock(&there->lock);
    if (!err)
        err = uo->ops->rename ? uo->ops->rename(uo, on, ol, un, nn, nl, flags) : -EPERM;
    if (lock_there)
        mutex_unlock(&there->lock);
    if (!err && below_old && !(flags & RENAME_EXCHANGE))
        err = make_whiteout(uo, on, ol);
    inode_put(there);
    mutex_unlock(&uo->lock);
    if (uo != un)
        mutex_unlock(&un->lock);
    return err;
}

static int rename(struct inode *od, struct dentry *od_entry, struct inode *nd,
                  struct dentry *nd_entry, u32 flags)
{
    struct inode *old = od_entry->inode, *target = nd_entry->inode;
    bool exchange = flags & RENAME_EXCHANGE;
    if (S_ISDIR(old->mode) && ovl(old)->nr_lower)
        return -EXDEV; /* a directory with a lower part stays where it is */
    if (target && exchange && S_ISDIR(target->mode) && ovl(target)->nr_lower)
        return -EXDEV;
    int err = target && S_ISDIR(target->mode) && !exchange ? ovl_check_empty(target) : 0;
    if (!err)
        err = ovl_copy_up(old);
    if (!err && target && exchange)
        err = ovl_copy_up(target);
    if (!err)
        err = ovl_copy_up(od);
    if (!err)
        err = ovl_copy_up(nd);
    if (!err)
        err = rename_upper(od, od_entry->name, od_entry->len, nd, nd_entry->name, nd_entry->len,
                           old, target, flags);
    if (err)
        return err;
    ovl_sync_attr(od);
    ovl_sync_attr(nd);
    ovl_sync_attr(old);
    if (target && (exchange || ovl_upper(target)))
        ovl_sync_attr(target);
    else if (target)
        target->nlink = S_ISDIR(target->mode) || target->nlink <= 1 ? 0 : target->nlink - 1;
    return 0;
}

const struct inode_ops ovl_dir_iops = {.lookup = ovl_lookup,
                                       .create = create,
                                       .mkdir = mkdir,
                                       .symlink = symlink,
                                       .link = link,
                                       .unlink = unlink,
                                       .rmdir = rmdir,
                                       .rename_inodes = rename,
                                       .tmpfile = tmpfile,
                                       OVL_ATTR_OPS};
