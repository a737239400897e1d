/* SPDX-License-Identifier: MIT */
/*
 * Open files, inodes, superblocks. Bodies in kernel/fs/ (path walk, tmpfs, overlay, 9p, procfs), kernel/ipc/ (pipes,
 * sockets, eventfd, epoll) and kernel/dev/ (terminals, devices). Names and mounts are in kernel/path.h.
 *
 *   fd_table -> struct file -> struct inode (i_ops, embeds an address_space when cached) -> struct superblock
 *                  |-> struct dentry (name) , struct mount
 *
 * Locks: inode->lock (mutex, not ranked: directories nest parent before child) serialises writers and directory changes;
 * file->pos_lock the file position (before inode->lock).
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H
#include <kernel/task.h>
#include <mm/readahead.h>
#include <port/lock.h>
#include <port/sched.h>
#include <lib/errno.h>
#include <uapi/fcntl.h>
#include <uapi/stat.h>

struct file;
struct inode;
struct dentry;
struct mount;
struct path;
struct superblock;
struct seq;
struct map_file;

struct timespec_k {
    s64 sec, nsec;
};
struct kstat { /* what stat(2), statx(2) report; dev and rdev in the kernel's form (dev_make) */
    u64 dev, ino, size, blocks, rdev;
    u32 mode, nlink, uid, gid, blksize;
    struct timespec_k atime, mtime, ctime, btime;
};
/* The wall clock, for time stamps. */
struct timespec_k time_now(void);
static inline bool time_later(struct timespec_k a, struct timespec_k b)
{
    return a.sec > b.sec || (a.sec == b.sec && a.nsec > b.nsec);
}

/*
 * A reader's or writer's buffer: user memory, or kernel memory for the kernel's own reads. With iov set the bytes lie in
 * iov[0..nr_iov) one after another, else at addr. ops->read and ops->write get the total length, so that readv and writev are one call.
 */
struct iovec_k {
    u64 base, len;
};
struct iobuf {
    bool kernel;
    bool nowait; /* RWF_NOWAIT: -EAGAIN rather than wait; only files with FMODE_NOWAIT see it */
    bool append, noappend; /* RWF_APPEND, RWF_NOAPPEND: instead of what the file's O_APPEND says */
    u64 addr; /* user address or pointer */
    const struct iovec_k *iov;
    u32 nr_iov;
};
/* 0 or -EFAULT; off counts from the beginning of the buffer. */
int iobuf_put(const struct iobuf *b, size_t off, const void *src, size_t n);
int iobuf_get(const struct iobuf *b, size_t off, void *dst, size_t n);
/* How many bytes could be moved before the first that is not there. */
size_t iobuf_put_part(const struct iobuf *b, size_t off, const void *src, size_t n);
size_t iobuf_get_part(const struct iobuf *b, size_t off, void *dst, size_t n);
/* The piece that holds byte off: its address, and in *n the bytes in one piece from there (at most the *n given). */
u64 iobuf_piece(const struct iobuf *b, size_t off, size_t *n);

/* Polling: a file's poll() calls poll_wait() for each queue that would change its answer, then returns its EPOLL* bits. */
struct poll_table;
void poll_wait(struct poll_table *pt, struct waitq *wq);

/* Takes one directory entry; false when the buffer is full (the entry was not taken). */
typedef bool emit_fn(void *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next_pos);

struct file_ops {
    /* Bytes done or -errno; *pos is advanced by the callee. NULL: -EINVAL (and -EISDIR for directories). */
    ssize_t (*read)(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
    ssize_t (*write)(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
    s64 (*lseek)(struct file *f, s64 off,
                 int whence); /* NULL: generic by inode size; streams use no_lseek */
    u32 (*poll)(struct file *f, struct poll_table *pt); /* NULL: always readable and writable */
    s64 (*ioctl)(struct file *f, u32 cmd, u64 arg);     /* NULL or -ENOIOCTLCMD: -ENOTTY */
    /* Fills in what mm/sys needs (all of *out); 0 or -ENODEV. NULL: -ENODEV. Cached files: generic_file_mmap. */
    int (*mmap)(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset);
    /*
     * Calls emit for each entry from f->pos on and sets f->pos = next_pos of the last one taken. 0 or -errno.
     * inode->lock held. "." and ".." are entries 0 and 1: dir_emit_dots().
     */
    int (*readdir)(struct file *f, emit_fn *emit, void *ctx);
    int (*fsync)(struct file *f, u64 start, u64 end, bool data_only);
    bool direct; /* O_DIRECT is understood */
    /* generic_file_write() of a file with O_DIRECT, inode->lock held; -ENOTBLK: through the cache. NULL: always that way. */
    ssize_t (*write_direct)(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
    int (*fallocate)(struct file *f, int mode, u64 off, u64 len);
    int (*open)(
        struct file *
            f); /* device files only: called when opened through the file system; on error no release */
    void (*flush)(struct file *f);                      /* each close(2) of a descriptor */
    void (*release)(struct file *f);                    /* last reference gone */
    void (*show_fdinfo)(struct file *f, struct seq *s); /* further lines of /proc/PID/fdinfo/N */
};

struct file {
    s32 refs;
    u32 flags; /* O_*; O_CLOEXEC belongs to the descriptor and is not kept here */
    u32 mode;  /* FMODE_* */
    u64 pos;
    struct mutex pos_lock;
    struct inode *inode;
    struct dentry *dentry;
    struct mount *mount;
    const struct file_ops *ops;
    void *priv;
    s32 owner_pgrp;          /* F_SETOWN: > 0 process, < 0 process group */
    s32 owner_sig;           /* F_SETSIG */
    struct list_head epolls; /* interest of epoll sets in this file */
    spinlock_t epoll_lock;
    errseq_t wb_err;         /* write-back errors up to here have been told by fsync */
    u64 scratch[1];           /* the owner of ops, as it likes */
    struct file_ra_state *ra; /* what reads and faults go by: ra_state, or that of the file behind (overlay) */
    struct file_ra_state ra_state;
};
#define FMODE_READ  1u
#define FMODE_WRITE 2u
#define FMODE_EXEC  4u
#define FMODE_PATH  8u /* O_PATH: names a place only */
#define FMODE_STREAM                                                                               \
    16u /* no position: pipes, sockets, terminals; lseek gives -ESPIPE, no pos_lock taken */
#define FMODE_NOWAIT      64u /* set by open: RWF_NOWAIT is understood */
#define FMODE_MOUNT_WRITE 32u /* counted in mount->writers */

/*
 * Directory operations are called with dir->lock held (rename: both directories). Names are not terminated; len 1..255,
 * never "." or "..". *out is a referenced inode. The VFS has checked permissions, existence and types, as far as dentries know.
 */
struct inode_ops {
    int (*lookup)(struct inode *dir, const char *name, size_t len,
                  struct inode **out); /* -ENOENT */
    int (*create)(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
                  struct inode **out); /* any S_IF type but dir and link */
    int (*mkdir)(struct inode *dir, const char *name, size_t len, u32 mode, struct inode **out);
    int (*symlink)(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out);
    int (*link)(struct inode *dir, const char *name, size_t len, struct inode *old);
    int (*unlink)(struct inode *dir, const char *name, size_t len, struct inode *victim);
    int (*rmdir)(struct inode *dir, const char *name, size_t len, struct inode *victim);
    /* flags: RENAME_NOREPLACE (already checked), RENAME_EXCHANGE; others -EINVAL. An existing target is replaced. */
    int (*rename)(struct inode *od, const char *on, size_t ol, struct inode *nd, const char *nn,
                  size_t nl, u32 flags);
    /* Used instead of rename when set: the VFS's own inodes of the two names (target NULL: none). */
    int (*rename_inodes)(struct inode *od, struct dentry *old, struct inode *nd,
                         struct dentry *target, u32 flags);
    int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out); /* O_TMPFILE; nlink 0 */
    struct inode *(*data)(
        struct inode *inode); /* whose mapping holds the contents (overlay); NULL: its own */
    ssize_t (*readlink)(struct inode *inode, char *buf,
                        size_t size); /* length (cut at size), not terminated */
    /* Magic links (/proc/PID/fd/N): the place itself, referenced. 0 or -errno. */
    int (*follow)(struct inode *inode, struct path *out);
    /* Is the cached answer for name still right? inode NULL: a negative one. Called on each use; NULL: always right. */
    bool (*revalidate)(struct inode *dir, const char *name, size_t len, struct inode *inode);
    int (*permission)(struct inode *inode, u32 mask);      /* R_OK|W_OK|X_OK; NULL: by mode bits */
    int (*getattr)(struct inode *inode, struct kstat *st); /* NULL: from the inode */
    /* inode->lock held. ATTR_SIZE must truncate. NULL: setattr_copy(). */
    int (*setattr)(struct inode *inode, u32 valid, const struct kstat *st); /* ATTR_* */
    int (*open)(struct inode *inode, struct file *f); /* sets f->ops, f->priv; NULL: inode->fops */
    ssize_t (*getxattr)(struct inode *inode, const char *name, void *buf,
                        size_t size); /* size 0: length only; -ENODATA, -ERANGE */
    ssize_t (*listxattr)(struct inode *inode, char *buf, size_t size);
    int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size,
                    u32 flags);
    int (*removexattr)(struct inode *inode, const char *name);
    void (*evict)(struct inode *inode); /* last reference gone: drop mapping and priv; may sleep */
};
#define ATTR_MODE  1u
#define ATTR_UID   2u
#define ATTR_GID   4u
#define ATTR_SIZE  8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_CTIME 64u
/* Copies the attributes named by valid into the inode (not the size) and sets ctime. */
void setattr_copy(struct inode *inode, u32 valid, const struct kstat *st);

struct inode {
    s32 refs;
    u32 mode, uid, gid, nlink;
    u32 state; /* I_* */
    u64 ino, rdev;
    struct timespec_k atime, mtime, ctime, btime;
    struct superblock *sb;
    const struct inode_ops *ops;
    const struct file_ops *fops;
    struct mutex lock;
    struct address_space mapping; /* mapping.size is the file's size */
    u64 blocks;                   /* 512-byte units, where the file system keeps them here */
    void *priv;                   /* the file system's */
    void *
        ipc; /* pipe of a FIFO, socket bound to a socket node: kernel/ipc, under lock; ipc_inode_evict() */
    void *locks;             /* POSIX and flock locks, kernel/fs/locks.c */
    void *watches;           /* inotify, kernel/fs/inotify.c */
    s32 writecount;          /* files open for writing; < 0: being executed, writers get -ETXTBSY */
    struct inode *hash_next; /* by (sb, ino): inode_find() */
    struct list_head sb_link;
    struct rcu_head rcu;
};
#define I_DEAD   1u /* directory removed: no new entries */
#define I_HASHED 2u

struct kstatfs {
    u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen;
};
struct sb_ops {
    int (*statfs)(struct superblock *sb,
                  struct kstatfs *st); /* type, bsize, namelen are filled in before */
    int (*sync)(struct superblock *sb);
    void (*show_options)(struct superblock *sb, struct seq *s); /* ",size=64k": after rw or ro */
    int (*remount)(struct superblock *sb, u32 flags, char *options);
    void (*put)(struct superblock *sb); /* last use gone, all inodes evicted: free priv */
};
struct superblock {
    s32 refs;
    u64 dev; /* kernel form; st_dev */
    u64 magic, blocksize, max_bytes;
    u32 flags;  /* MS_RDONLY, MS_SYNCHRONOUS... */
    u32 sflags; /* SB_* */
    const struct fs_type *type;
    const struct sb_ops *ops;
    void *priv;
    struct dentry *root;
    struct list_head inodes;
    spinlock_t inodes_lock;
    struct list_head link;
    u64 next_ino;
    struct mutex rename_lock; /* directory renames, outermost */
};
#define SB_NO_NEGATIVE 1u /* negative answers are not cached */
#define SB_NO_ATIME    2u
#define SB_NO_CACHE    4u /* unused dentries are dropped at once (procfs) */

struct fs_type {
    const char *name;
    u32 flags; /* FS_* */
    /* A superblock with its root (sb_alloc, sb_set_root), or a further reference to an existing one (sb_get). ERR_PTR. options may be changed. */
    struct superblock *(*mount)(const struct fs_type *type, u32 flags, const char *source,
                                char *options);
    struct fs_type *next;
};
#define FS_NEEDS_DEV   1u
#define FS_KERNEL_MADE 2u /* mounted by the kernel itself (rootfs, devtmpfs) */
void fs_register(struct fs_type *type);
struct fs_type *fs_find(const char *name);
/* refs 1, a new anonymous device number 0:N. NULL: out of memory. */
struct superblock *sb_alloc(const struct fs_type *type, const struct sb_ops *ops, u32 flags);
struct superblock *sb_get(struct superblock *sb);
void sb_put(struct superblock *sb); /* may sleep; the last one drops the dentry tree */
/* Takes over the reference to root. 0 or -ENOMEM (root put). */
int sb_set_root(struct superblock *sb, struct inode *root);

/* File references. */
struct file *file_get(struct file *f);
void file_put(struct file *f); /* may sleep */
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i); /* may sleep */
/* A new inode of sb: refs 1, nlink 1, owner of the current thread, times now, mapping initialised with mops (may be NULL). NULL: no memory. */
struct inode *inode_alloc(struct superblock *sb, u32 mode, const struct mapping_ops *mops,
                          u32 as_flags);
/* The inode of number ino that is in memory, referenced, or NULL. Only for inodes that inode_hash() was called for. */
struct inode *inode_find(struct superblock *sb, u64 ino);
/* Publishes inode (ino set). If another of the same number came first: puts inode, returns that one referenced. */
struct inode *inode_hash(struct inode *inode);
void inode_unhash(struct inode *inode);
void inode_touch(struct inode *i, u32 which); /* ATTR_ATIME|MTIME|CTIME := now */

/* Operations of plain cached files and of directories, to be put in file_ops. */
ssize_t generic_file_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
ssize_t generic_file_write(struct file *f, const struct iobuf *buf, size_t n,
                           u64 *pos); /* takes inode->lock, sets times */
int generic_file_mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags,
                      u64 offset);
/* The same for a mapping, whoever owns it: no times, no limits, no lock. */
ssize_t cached_read(struct address_space *m, struct file_ra_state *ra, const struct iobuf *buf, size_t n, u64 *pos);
ssize_t cached_write(struct address_space *m, const struct iobuf *buf, size_t n, u64 *pos);
int generic_fsync(struct file *f, u64 start, u64 end, bool data_only);
s64 generic_lseek(struct file *f, s64 off, int whence);
/* In a file of size bytes whose position may be at most `most`. */
s64 lseek_within(struct file *f, s64 off, int whence, u64 size, u64 most);
s64 no_lseek(struct file *f, s64 off, int whence); /* -ESPIPE */
s64 noop_lseek(struct file *f, s64 off, int whence); /* a stream that answers 0 */

/* /proc/sys/fs: files of the machine; slots of a user's pipes, 0: any number; items of a user's epoll sets. */
extern u64 sysctl_file_max, sysctl_pipe_user_pages_soft, sysctl_pipe_user_pages_hard, sysctl_epoll_user_watches;
bool dir_emit_dots(struct file *f, emit_fn *emit, void *ctx);
static inline u8 mode_to_dt(u32 mode)
{
    return (mode & S_IFMT) >> 12;
}

/* Opening from kernel code (exec, init): flags O_*; ERR_PTR on error. Path relative to the current thread's cwd/root. */
struct file *file_open(const char *path, u32 flags, u32 mode);
struct file *file_openat(int dirfd, const char *path, u32 flags, u32 mode);
/* Opens a program: execute (not read) permission, regular file, no noexec mount. */
struct file *file_open_exec(int dirfd, const char *path, u32 at_flags);
int file_deny_write(struct file *f); /* 0 or -ETXTBSY; until file_allow_write() */
void file_allow_write(struct file *f);
/* Opens the place itself (magic links, O_PATH reopen). */
struct file *file_open_path(const struct path *path, u32 flags);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, u64 pos);
/* An inode without a name for pipes, sockets, eventfd, memfd ("pipe:[123]"): ops, O_ flags, S_IF type 0 or given. ERR_PTR on error. */
struct file *file_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags);
struct file *file_anon_mode(const char *name, u32 mode, const struct file_ops *ops, void *priv,
                            u32 flags);
/* A second open file on the inode of f (pipe ends). ERR_PTR on error. */
struct file *file_anon_clone(struct file *f, const struct file_ops *ops, void *priv, u32 flags);
/* Writes the path as seen from root (" (deleted)" appended as Linux does), terminated; returns length or -ENAMETOOLONG. */
ssize_t file_path(struct file *f, char *buf, size_t size);
/* For VMAs: */
extern const struct vma_ops file_vma_ops; /* open/close count vma->file */

/*
 * Descriptor tables. fd_get returns a referenced file or NULL (also for O_PATH files; fd_get_any gives those too).
 * fd_borrow is cheaper where the file is used only inside one system call of the current thread.
 */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
struct fdref {
    struct file *file; /* NULL: -EBADF */
    bool counted;
};
struct fdref fd_borrow(int fd);
struct fdref fd_borrow_any(int fd);
static inline void fd_return(struct fdref r)
{
    if (unlikely(r.counted))
        file_put(r.file);
}
int fd_alloc(
    struct file *f, u32 fd_flags,
    int lowest); /* FD_CLOEXEC or 0; installs; takes over the reference on success; -EMFILE, -ENOMEM */
int fd_close(int fd);
/* Two steps, for calls that must not fail after the file exists: reserve a number, then install or give it back. */
int fd_reserve(u32 fd_flags, int lowest);
void fd_install(int fd, struct file *f); /* takes over the reference */
void fd_unreserve(int fd);
struct file *fd_table_file(struct task *t,
                           int fd);          /* of another thread, referenced, or NULL; any kind */
int fd_table_next(struct task *t, int from); /* lowest open descriptor >= from, or -1 */
struct fd_table *fd_table_alloc(void);
struct fd_table *fd_table_copy(struct fd_table *t); /* NULL: out of memory */
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t);
void fd_table_close_on_exec(struct fd_table *t);
int fd_table_unshare(struct task *t);    /* own copy if shared; exec */
struct fs_struct *fs_struct_alloc(void); /* cwd and root at the root of the root mount, umask 022 */
struct fs_struct *fs_struct_copy(struct fs_struct *fs);
void fs_struct_get(struct fs_struct *fs);
void fs_struct_put(struct fs_struct *fs);
/* fs, which nobody else has, gets a name space of mounts of its own: a copy. 0 or -ENOMEM. Sleeps. */
int mount_ns_unshare(struct fs_struct *fs);

/* Boot: mounts the root tmpfs, unpacks the initramfs, registers file systems; fs_boot before the first program. */
int fs_boot(const void *initrd, size_t size);

/* Procfs entries from other parts of the kernel: a text file whose content show() writes at open/read time. */
struct proc_file {
    const char *
        path; /* below /proc or /sys or /proc/sys, e.g. "/proc/meminfo", "/proc/sys/vm/overcommit_memory" */
    u32 mode;
    void (*show)(struct seq *s, void *arg);
    int (*store)(const char *text, size_t n,
                 void *arg); /* may be NULL; 0 or -errno; text is terminated */
    void *arg;
};
int proc_register(const struct proc_file *f); /* copies *f; strings must stay */
int proc_symlink(const char *path, const char *target);
int proc_mkdir(const char *path); /* parents of files appear by themselves */

/*
 * Devices: /dev/NAME (may hold directories: "pts/ptmx") with a number; fops called with f->inode->rdev, f->priv = priv.
 * Appears in devtmpfs mounts, now and later. fops->open runs at each open.
 */
int dev_register(const char *name, u32 mode_and_type, u32 major, u32 minor,
                 const struct file_ops *ops, void *priv);
/* The node /dev/NAME (no directories) of a registered device goes, or comes again. 0 or -errno. */
void dev_node_remove(const char *name);
int dev_node_add(const char *name, u32 mode_and_type, u32 major, u32 minor);

/* Supplied by kernel/ipc: opening a FIFO node (sets f->ops, f->priv), and the end of an inode whose ->ipc is set. */
int fifo_open(struct inode *inode, struct file *f); /* may sleep: waits for the other side */
void ipc_inode_evict(struct inode *inode);
void userfaultfd_register(void); /* /dev/userfaultfd */
#endif
