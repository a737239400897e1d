/* SPDX-License-Identifier: MIT */
/* What the files of tmpfs share. */
#ifndef KERNEL_FS_TMPFS_H
#define KERNEL_FS_TMPFS_H
#include "../internal.h"

struct tdir;
struct txattr {
    struct txattr *next;
    size_t size;
    char *name; /* behind the value */
    u8 value[];
};
/* inode->priv */
struct tnode {
    struct tdir *dir;      /* directories */
    char *target;          /* symlinks */
    struct txattr *xattrs; /* inode->lock */
    u32 seals;             /* memfd; F_SEAL_SEAL elsewhere */
};
struct tsb { /* sb->priv; counts are atomic, 0 maximum: no limit */
    u64 max_blocks, used_blocks, max_inodes, used_inodes;
    u32 mode, shown_mode, uid, gid; /* shown_mode: the one that /proc/mounts does not mention */
    bool has_size, has_inodes, has_ids;
};
static inline struct tnode *tnode(const struct inode *i)
{
    return i->priv;
}

extern const struct inode_ops tmpfs_dir_iops, tmpfs_file_iops, tmpfs_link_iops, tmpfs_special_iops;
extern const struct file_ops tmpfs_dir_fops, tmpfs_file_fops;
extern const struct mapping_ops tmpfs_mapping_ops;

/* dir.c: an inode of any type for dir (NULL: the root). ERR_PTR(-ENOSPC, -ENOMEM). */
struct inode *tmpfs_new(struct superblock *sb, struct inode *dir, u32 mode, u64 rdev);
struct inode *tmpfs_new_link(struct superblock *sb, struct inode *dir, const char *target);
/* entries.c: the names of one directory; its inode->lock held */
struct tdir *tdir_alloc(void);
struct inode *tdir_find(struct tdir *d, const char *name, size_t len); /* not referenced */
int tdir_insert(struct tdir *d, const char *name, size_t len,
                struct inode *inode); /* takes over a reference */
struct inode *tdir_remove(struct tdir *d, const char *name,
                          size_t len); /* gives the reference back; NULL */
struct inode *tdir_replace(struct tdir *d, const char *name, size_t len,
                           struct inode *inode); /* the old one */
u64 tdir_count(const struct tdir *d);
/* The entry of the least cookie >= *cookie, or NULL. */
struct inode *tdir_next(struct tdir *d, u64 *cookie, const char **name, size_t *len);
void tdir_free(struct tdir *d); /* and everything below; no lock held */
int tmpfs_setattr(struct inode *i, u32 valid, const struct kstat *st);
int tmpfs_getattr(struct inode *i, struct kstat *st);
void tmpfs_evict(struct inode *i);
/* xattr.c */
ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags);
int tmpfs_removexattr(struct inode *i, const char *name);
void tmpfs_free_xattrs(struct txattr *x);
/* super.c */
extern const struct sb_ops tmpfs_sb_ops;
struct superblock *tmpfs_make(const struct fs_type *type, u32 flags, char *options,
                              u32 default_mode);
#endif
