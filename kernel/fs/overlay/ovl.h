/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: a writable directory over read-only ones.
 *
 *   super.c  options, layers      lookup.c  names through the layers      dir.c  changing directories
 *   copyup.c lower becomes upper  file.c    open files                    readdir.c merged lists        attr.c attributes
 *
 *   overlay inode ── upper inode (or none)                a file shows the upper one if there is one, else lower[0];
 *                 └─ lower[0..nr) inodes, topmost first   a directory merges all of them
 *
 * O1. upper only ever goes from NULL to an inode (copy-up), under copy_lock; readers load it with acquire.
 * O2. A name of a lower layer is hidden by a character device 0:0 (whiteout) of that name in a layer above, a whole directory by the
 *     attribute trusted.overlay.opaque = "y".
 * O3. The number an inode shows is that of what it was first found as; copy-up notes it in trusted.overlay.origin.
 * O4. While there is no upper, parent and name tell where one will go.
 * O5. Two names of one upper file are one overlay inode, found by the upper inode.
 * Locks, outer first: overlay inode->lock (by the VFS) · copy_lock · locks of the real inodes.
 */
#ifndef KERNEL_FS_OVERLAY_OVL_H
#define KERNEL_FS_OVERLAY_OVL_H
#include "../internal.h"

#define OVL_MAX_LOWER 16
#define OVL_HASH      256
struct ovl_sb {
    struct path upper, work; /* mount NULL: read-only overlay */
    struct path lower[OVL_MAX_LOWER];
    unsigned nr_lower;
    char *options; /* as shown in /proc/mounts */
    spinlock_t hash_lock;
    struct ovl_inode *by_upper[OVL_HASH]; /* O5 */
};
struct ovl_inode {
    struct inode *self;
    struct ovl_inode *hash_next;
    bool hashed;
    struct inode *upper;
    struct inode *parent; /* overlay inode of the directory; O4 */
    char *name;
    u32 name_len;
    struct mutex copy_lock;
    unsigned nr_lower;
    struct inode *lower[];
};
static inline struct ovl_inode *ovl(const struct inode *i)
{
    return i->priv;
}
static inline struct ovl_sb *ovl_sb(const struct inode *i)
{
    return i->sb->priv;
}
static inline struct inode *ovl_upper(const struct inode *i)
{
    return load_acquire(&ovl(i)->upper);
}
/* The inode whose contents and attributes are shown. */
static inline struct inode *ovl_real(const struct inode *i)
{
    struct inode *u = ovl_upper(i);
    return u ? u : ovl(i)->lower[0];
}
static inline bool ovl_is_whiteout(const struct inode *real)
{
    return S_ISCHR(real->mode) && real->rdev == 0;
}

/* lookup.c */
/* An overlay inode over upper (reference taken over; may be NULL) and lower[0..n) (references taken over). */
struct inode *ovl_new_inode(struct superblock *sb, struct inode *upper, struct inode **lower,
                            unsigned n);
int ovl_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
/* name in one real directory: referenced or NULL; *err other than -ENOENT. Takes its lock. */
struct inode *ovl_real_lookup(struct inode *real_dir, const char *name, size_t len, int *err);
bool ovl_is_opaque(struct inode *real_dir);
/* Does any lower layer of dir show name? */
bool ovl_lower_has(struct inode *dir, const char *name, size_t len);
void ovl_sync_attr(struct inode *i);
void ovl_evict(struct inode *i);
u64 ovl_ino(const struct inode *real, unsigned layer);
void ovl_hash(struct inode *i); /* its upper is set */

/* copyup.c: makes an upper for i and its parents. 0 or -errno (-EROFS without an upper layer). May sleep long. */
int ovl_copy_up(struct inode *i);
int ovl_real_setattr(struct inode *real, u32 valid, const struct kstat *st); /* real->lock held */

/* attr.c */
int ovl_getattr(struct inode *i, struct kstat *st);
int ovl_setattr(struct inode *i, u32 valid, const struct kstat *st);
ssize_t ovl_readlink(struct inode *i, char *buf, size_t size);
ssize_t ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t ovl_listxattr(struct inode *i, char *buf, size_t size);
int ovl_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
int ovl_removexattr(struct inode *i, const char *name);
#define OVL_ATTR_OPS                                                                               \
    .getattr = ovl_getattr, .setattr = ovl_setattr, .getxattr = ovl_getxattr,                      \
    .listxattr = ovl_listxattr, .setxattr = ovl_setxattr, .removexattr = ovl_removexattr,          \
    .evict = ovl_evict

/* readdir.c */
extern const struct file_ops ovl_dir_fops;
/* 0 when the merged directory shows no name, -ENOTEMPTY, or another error. */
int ovl_check_empty(struct inode *dir);
/* Removes the whiteouts in an upper directory that shows nothing, so that it can be removed. */
int ovl_clear_whiteouts(struct inode *upper_dir);

extern const struct inode_ops ovl_dir_iops, ovl_file_iops, ovl_link_iops, ovl_special_iops;
int ovl_open(struct inode *i, struct file *f);
#endif
