/* SPDX-License-Identifier: MIT */
/*
 * Superblocks and the table of file system types.
 *
 * S1. A mount, and the kernel's own users (tmpfs of memfd), hold one reference each; the last sb_put drops the dentry tree, which
 *     drops the inodes, and then calls ops->put.
 * Locks: sb_list_lock (mutex) guards the list of superblocks and of types.
 */
#include "internal.h"

LIST_HEAD(sb_list);
struct mutex sb_list_lock;
static struct fs_type *fs_types;
static u32 next_minor = 1;

void fs_register(struct fs_type *type)
{
    struct fs_type **pp = &fs_types;
    while (*pp)
        pp = &(*pp)->next;
    type->next = NULL;
    *pp = type;
}

struct fs_type *fs_find(const char *name)
{
    for (struct fs_type *t = fs_types; t; t = t->next)
        if (!name || str_eq(t->name, name))
            return t;
    return NULL;
}

struct superblock *sb_alloc(const struct fs_type *type, const struct sb_ops *ops, u32 flags)
{
    struct superblock *sb = kzalloc(sizeof(*sb), GFP_KERNEL);
    if (!sb)
        return NULL;
    sb->refs = 1;
    sb->dev = dev_make(0, __atomic_fetch_add(&next_minor, 1, __ATOMIC_RELAXED));
    sb->blocksize = 4096;
    sb->max_bytes = 0x7fffffffffffffffUL;
    sb->flags = flags;
    sb->type = type;
    sb->ops = ops;
    list_init(&sb->inodes);
    spin_init(&sb->inodes_lock, RANK_KERNEL_LEAF);
    mutex_init(&sb->rename_lock, RANK_NONE);
    mutex_lock(&sb_list_lock);
    list_add_tail(&sb->link, &sb_list);
    mutex_unlock(&sb_list_lock);
    return sb;
}

struct superblock *sb_get(struct superblock *sb)
{
    __atomic_fetch_add(&sb->refs, 1, __ATOMIC_RELAXED);
    return sb;
}

void sb_put(struct superblock *sb)
{
    if (__atomic_sub_fetch(&sb->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    mutex_lock(&sb_list_lock);
    list_del(&sb->link);
    mutex_unlock(&sb_list_lock);
    inotify_unmount(sb);
    if (sb->root) {
        dcache_prune(sb->root);
        dentry_drop(sb->root);
        dentry_put(sb->root);
    }
    if (sb->ops && sb->ops->put)
        sb->ops->put(sb);
    rcu_synchronize(); /* walkers without references may still look at sb through an inode */
    kfree(sb);
}

int sb_set_root(struct superblock *sb, struct inode *root)
{
    struct dentry *d = dentry_alloc(sb, NULL, "/", 1);
    if (!d) {
        inode_put(root);
        return -ENOMEM;
    }
    d->inode = root;
    sb->root = d;
    return 0;
}
