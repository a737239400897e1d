/* SPDX-License-Identifier: MIT */
/*
 * Open files, inodes, directory entries, mounts. Bodies in kernel/fs/ (path walk, tmpfs, overlay, 9p, procfs), kernel/ipc/
 * (pipes, sockets, eventfd, epoll) and kernel/dev/ (terminals, devices).
 *
 *   fd_table -> struct file -> struct inode (i_ops, embeds an address_space when cached)
 *                  |-> struct dentry (name) -> struct mount
 *
 * Locks: inode->lock (mutex, RANK_INODE) serialises writers and directory changes; file->pos_lock the file position.
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H
#include <kernel/task.h>
#include <mm/cache.h>
#include <port/lock.h>
#include <port/sched.h>

struct file;
struct inode;
struct dentry;
struct mount;
struct superblock;
struct seq;
struct map_file;

struct timespec_k {
    s64 sec, nsec;
};
struct kstat { /* what stat(2), statx(2) report */
    u64 dev, ino, size, blocks, rdev;
    u32 mode, nlink, uid, gid, blksize;
    struct timespec_k atime, mtime, ctime, btime;
};

/* A reader's or writer's buffer: user memory, or kernel memory for the kernel's own reads. */
struct iobuf {
    bool kernel;
    u64 addr; /* user address or pointer */
};
/* 0 or -EFAULT; off counts from addr. */
int iobuf_put(const struct iobuf *b, size_t off, const void *src, size_t n);
int iobuf_get(const struct iobuf *b, size_t off, void *dst, size_t n);

/* Polling: a file's poll() calls poll_wait() for each queue that would change its answer, then returns its EPOLL* bits. */
struct poll_table;
void poll_wait(struct poll_table *pt, struct waitq *wq);

struct file_ops {
    ssize_t (*read)(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
    ssize_t (*write)(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
    s64 (*lseek)(struct file *f, s64 off, int whence);       /* NULL: generic by inode size */
    u32 (*poll)(struct file *f, struct poll_table *pt);      /* NULL: always readable and writable */
    s64 (*ioctl)(struct file *f, u32 cmd, u64 arg);          /* NULL: -ENOTTY */
    /* Fills in what mm/sys needs; 0 or -ENODEV. NULL: -ENODEV. */
    int (*mmap)(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset);
    /* Calls emit for each entry from f->pos on; emit returns false when its buffer is full. 0 or -errno. */
    int (*readdir)(struct file *f, bool (*emit)(void *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next_pos), void *ctx);
    int (*fsync)(struct file *f, u64 start, u64 end, bool data_only);
    int (*fallocate)(struct file *f, int mode, u64 off, u64 len);
    void (*release)(struct file *f); /* last reference gone */
};

struct file {
    s32 refs;
    u32 flags; /* O_* */
    u64 pos;
    struct mutex pos_lock;
    struct inode *inode;
    struct dentry *dentry;
    struct mount *mount;
    const struct file_ops *ops;
    void *priv;
    s32 owner_pgrp; /* F_SETOWN */
    struct list_head epolls; /* interest of epoll sets in this file */
    spinlock_t epoll_lock;
};

struct inode_ops {
    int (*lookup)(struct inode *dir, const char *name, size_t len, struct inode **out); /* -ENOENT */
    int (*create)(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out); /* any S_IF type but dir and link */
    int (*mkdir)(struct inode *dir, const char *name, size_t len, u32 mode, struct inode **out);
    int (*symlink)(struct inode *dir, const char *name, size_t len, const char *target, struct inode **out);
    int (*link)(struct inode *dir, const char *name, size_t len, struct inode *old);
    int (*unlink)(struct inode *dir, const char *name, size_t len, struct inode *victim);
    int (*rmdir)(struct inode *dir, const char *name, size_t len, struct inode *victim);
    int (*rename)(struct inode *od, const char *on, size_t ol, struct inode *nd, const char *nn, size_t nl, u32 flags);
    ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
    int (*getattr)(struct inode *inode, struct kstat *st);  /* NULL: from the inode */
    int (*setattr)(struct inode *inode, u32 valid, const struct kstat *st); /* ATTR_* */
    int (*open)(struct inode *inode, struct file *f);       /* sets f->ops, f->priv; NULL: inode->fops */
    ssize_t (*getxattr)(struct inode *inode, const char *name, void *buf, size_t size);
    ssize_t (*listxattr)(struct inode *inode, char *buf, size_t size);
    void (*evict)(struct inode *inode);                     /* last reference gone */
};

struct inode {
    s32 refs;
    u32 mode, uid, gid, nlink;
    u64 ino, rdev;
    struct timespec_k atime, mtime, ctime, btime;
    struct superblock *sb;
    const struct inode_ops *ops;
    const struct file_ops *fops;
    struct mutex lock;
    struct address_space mapping; /* mapping.size is the file's size */
    void *priv;
    struct list_head sb_link;
};

/* File references. */
struct file *file_get(struct file *f);
void file_put(struct file *f); /* may sleep */
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i); /* may sleep */

/* Opening from kernel code (exec, init): flags O_*; ERR_PTR on error. Path relative to the current thread's cwd/root. */
struct file *file_open(const char *path, u32 flags, u32 mode);
struct file *file_openat(int dirfd, const char *path, u32 flags, u32 mode);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, u64 pos);
/* An inode without a name for pipes, sockets, eventfd, memfd ("pipe:[123]"): ops, O_ flags. ERR_PTR on error. */
struct file *file_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags);
/* Writes the path as seen from root (" (deleted)" appended as Linux does); returns length or -ENAMETOOLONG. */
ssize_t file_path(struct file *f, char *buf, size_t size);
/* For VMAs: */
extern const struct vma_ops file_vma_ops; /* open/close count vma->file */

/* Descriptor tables. fd_get returns a referenced file or NULL. */
struct file *fd_get(int fd);
int fd_alloc(struct file *f, u32 fd_flags, int lowest); /* installs; takes over the reference on success; -EMFILE */
int fd_close(int fd);
struct fd_table *fd_table_alloc(void);
struct fd_table *fd_table_copy(struct fd_table *t); /* NULL: out of memory */
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t);
void fd_table_close_on_exec(struct fd_table *t);
int fd_table_unshare(struct task *t); /* own copy if shared; exec */
struct fs_struct *fs_struct_alloc(void);
struct fs_struct *fs_struct_copy(struct fs_struct *fs);
void fs_struct_get(struct fs_struct *fs);
void fs_struct_put(struct fs_struct *fs);

/* Boot: mounts the root tmpfs, unpacks the initramfs, registers file systems; fs_boot before the first program. */
int fs_boot(const void *initrd, size_t size);

/* Procfs entries from other parts of the kernel: a text file whose content show() writes at open/read time. */
struct proc_file {
    const char *path; /* below /proc or /sys or /proc/sys, e.g. "/proc/meminfo", "/proc/sys/vm/overcommit_memory" */
    u32 mode;
    void (*show)(struct seq *s, void *arg);
    int (*store)(const char *text, size_t n, void *arg); /* may be NULL; 0 or -errno */
    void *arg;
};
int proc_register(const struct proc_file *f);

/* Devices: /dev/NAME with a number; fops->... called with f->inode->rdev. Appears in devtmpfs mounts. */
int dev_register(const char *name, u32 mode_and_type, u32 major, u32 minor, const struct file_ops *ops, void *priv);
#endif
