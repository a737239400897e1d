/* SPDX-License-Identifier: MIT */
/*
 * Mount name spaces: each is a tree of mounts of its own.
 *
 *   unshare(CLONE_NEWNS), clone(CLONE_NEWNS)
 *   struct fs_struct ──► struct mount_ns ──► root mount ─ children ...      a copy of the tree, mount by mount
 *        root, cwd  ─────────────────────────► the copies of where they were
 *
 * A thread's space is that of its fs_struct, as whoever has a new one has a root and a working directory of its own.
 *
 * Invariants
 *  N1. mount->ns is the space whose tree the mount hangs in, not counted; NULL once it is detached. Trees change by calls of
 *      threads of their own space only, so no mount is in two.
 *  N2. The last fs_struct of a space takes its tree apart. What is still open stays usable, as after MNT_DETACH.
 *
 * Locks: mount_mutex for changes, mount_lock for looks.
 */
#include "internal.h"

static struct mount_ns initial = {.refs = 1};

struct mount_ns *mount_ns_boot(struct mount *root)
{
    initial.root = root;
    root->ns = &initial;
    return &initial;
}

struct mount_ns *mount_ns_get(struct mount_ns *ns)
{
    __atomic_fetch_add(&ns->refs, 1, __ATOMIC_RELAXED);
    return ns;
}

void mount_ns_put(struct mount_ns *ns)
{
    if (!ns || __atomic_sub_fetch(&ns->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    mutex_lock(&mount_mutex);
    mount_free_tree(ns->root);
    mutex_unlock(&mount_mutex);
    kfree(ns);
}

bool mount_is_ours(const struct mount *m)
{
    return READ_ONCE(m->ns) == current_task()->fs->ns;
}

/* p leads into the old tree: it leads to the same place of the new one. drop: references to what it was. */
static void repoint(struct path *p, const struct mount *old, struct mount *new, struct path *drop)
{
    if (p->mount != old)
        return;
    *drop = *p;
    p->mount = new;
    path_get(p);
}

/* Both trees have the same shape. */
static void repoint_all(struct fs_struct *fs, struct mount_ns *old, struct mount_ns *new)
{
    struct path drop[2] = {0};
    struct path root = fs->root, cwd = fs->cwd;
    struct mount *o = old->root, *n = new->root;
    while (o && n) {
        repoint(&root, o, n, &drop[0]);
        repoint(&cwd, o, n, &drop[1]);
        o = mount_next(o, old->root);
        n = mount_next(n, new->root);
    }
    ASSERT(!o && !n);
    fs->root = root;
    fs->cwd = cwd;
    for (int i = 0; i < 2; i++)
        if (drop[i].mount)
            path_put(&drop[i]);
}

int mount_ns_unshare(struct fs_struct *fs)
{
    struct mount_ns *old = fs->ns, *new = kzalloc(sizeof(*new), GFP_KERNEL);
    if (!new)
        return -ENOMEM;
    new->refs = 1;
    mutex_lock(&mount_mutex);
    int err = mount_copy_tree(old->root, new);
    if (!err) {
        fs->ns = new;
        repoint_all(fs, old, new);
    }
    mutex_unlock(&mount_mutex);
    if (err)
        kfree(new);
    else
        mount_ns_put(old);
    return err;
}

/* ---- names that go while something is mounted on them ---- */

bool mount_blocks(const struct dentry *d)
{
    if (likely(!READ_ONCE(d->mounted)))
        return false;
    const struct mount_ns *ns = current_task()->fs->ns;
    bool ours = false;
    spin_lock(&mount_lock);
    for (struct mount *m = ns->root; m && !ours; m = mount_next(m, ns->root))
        ours = m->mountpoint == d;
    spin_unlock(&mount_lock);
    return ours;
}

void mount_detach_on(const struct dentry *d)
{
    struct mount *m;
    mutex_lock(&mount_mutex);
    while (READ_ONCE(d->mounted) && (m = mount_find_on(d))) {
        mount_unmount(m, MNT_DETACH);
        mount_put(m);
    }
    mutex_unlock(&mount_mutex);
}
