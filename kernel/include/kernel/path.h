/* SPDX-License-Identifier: MIT */
/*
 * Names: directory entries, mounts, path walk. Bodies in kernel/fs/{dcache,mount,namei}.c.
 *
 *   struct path = (mount, dentry). A dentry is a cached answer of a directory: inode, or none (negative).
 *   dentry->parent chains up to the root of its superblock; crossing to another superblock goes by the mount table.
 *
 * Locks: a dentry's parent and name change only under the parents' inode->lock and rename_lock (spin); the hash is read
 * under RCU. Mounts: mount_lock (spin).
 */
#ifndef KERNEL_PATH_H
#define KERNEL_PATH_H
#include <kernel/file.h>

struct path {
    struct mount *mount;
    struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(const struct path *p); /* may sleep */

#define DNAME_INLINE 40
struct dentry {
    s32 refs;
    u32 flags; /* D_* */
    u32 hash;
    u32 len;
    struct dentry *parent; /* referenced; itself for a root */
    struct inode *inode;   /* referenced; NULL: negative */
    struct superblock *sb;
    const char *name; /* not for readers without rename_lock, except through dentry_name_eq */
    struct dentry *hash_next, **hash_pprev;
    struct list_head children, sibling; /* dcache tree lock */
    struct list_head lru;
    s32 mounted; /* mounts on it */
    char inline_name[DNAME_INLINE];
    struct rcu_head rcu;
};
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d); /* may sleep */

struct mount {
    s32 refs;
    s32 id;
    u32 flags; /* MS_RDONLY|NOSUID|NODEV|NOEXEC|NOATIME|NODIRATIME|RELATIME of this mount */
    s32 writers;
    struct superblock *sb;
    struct dentry *root;       /* referenced */
    struct mount *parent;      /* NULL: the root mount, or detached; referenced */
    struct dentry *mountpoint; /* referenced */
    struct list_head children, sibling;
    struct mount *hash_next;
    struct mount_ns *ns; /* whose tree it hangs in, not counted; NULL: detached */
    char *source;        /* kmalloc'd */
    u8 propagation;      /* 0 private, 1 shared, 2 slave, 3 unbindable */
};

/* Walking. A name begins at dirfd (or AT_FDCWD) unless it starts with '/'. */
#define LOOKUP_FOLLOW        1u /* follow a symlink in the last place */
#define LOOKUP_DIRECTORY     2u /* -ENOTDIR otherwise */
#define LOOKUP_EMPTY         4u /* "" names dirfd itself */
#define LOOKUP_PARENT        8u
#define LOOKUP_RESOLVE_SHIFT 8 /* RESOLVE_* << 8 */
/* 0 and *out referenced, or -errno. -ENOENT for a negative last component. */
int path_lookup(int dirfd, const char *name, u32 flags, struct path *out);
/* The same with a name in user memory; -EFAULT, -ENAMETOOLONG. */
int path_lookup_user(int dirfd, u64 name, u32 flags, struct path *out);
/* Makes a node (S_IFSOCK by bind, S_IFIFO...) with umask applied; *out may be NULL. -EEXIST. */
int path_mknod(int dirfd, const char *name, u32 mode, u64 rdev, struct path *out);
/* Removes a name, relative to the current directory. 0 or -errno. */
int path_unlink(const char *name);
/* R_OK|W_OK|X_OK by the fs credentials of the current thread; 0 or -EACCES, -EROFS. */
int inode_permission(struct inode *inode, u32 mask);
/* Text of a path seen from the current root, " (deleted)", terminated. Length or -ENAMETOOLONG. */
ssize_t path_text(const struct path *p, char *buf, size_t size);

/* The same as seen from root; *reached: p lies below root. */
ssize_t path_text_from(const struct path *p, const struct path *root, char *buf, size_t size,
                       bool *reached);

struct fs_struct {
    s32 refs;
    u32 umask;
    spinlock_t lock; /* guards root and cwd */
    struct path root, cwd;
    struct mount_ns *ns; /* referenced; changes only while one thread alone has this fs_struct */
    struct rcu_head rcu; /* readable for a grace period: /proc/PID/cwd of others */
};
void fs_get_root(struct fs_struct *fs, struct path *out); /* referenced */
void fs_get_cwd(struct fs_struct *fs, struct path *out);

/* A kernel buffer with a user's path name: getname/putname; ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOENT for "" unless empty_ok, -ENOMEM). */
char *getname(u64 user, bool empty_ok);
void putname(char *name);

/* Mounting from kernel code (init). 0 or -errno. */
int mount_fs(const char *source, const char *target, const char *type, u32 flags,
             const char *options);
#endif
