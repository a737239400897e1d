/* SPDX-License-Identifier: MIT */
/* What the files of kernel/fs/ share with each other and with nobody else. */
#ifndef KERNEL_FS_INTERNAL_H
#define KERNEL_FS_INTERNAL_H
#include "../proc/proc.h"
#include <kernel/path.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

#define CAP_CHOWN           0
#define CAP_DAC_OVERRIDE    1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER          3
#define CAP_FSETID          4
#define CAP_SYS_CHROOT      18
#define CAP_SYS_ADMIN       21
#define CAP_SYS_RESOURCE    24
#define CAP_MKNOD           27

/* ---- dcache.c ---- */
#define D_HASHED  1u
#define D_LRU     2u           /* on the list of unused dentries */
#define D_USED    4u           /* found since the shrinker last looked */
#define D_DELETED 8u           /* unlinked: shown as " (deleted)" */
extern spinlock_t dcache_lock; /* children lists, hash writers, LRU, parent and name of dentries */
void dcache_boot(void);
void shrink_boot(void); /* shrink.c: memory that files can give back */
u32 dcache_hash(const struct dentry *parent, const char *name, size_t len);
/* Referenced, or NULL. Takes no lock. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash);
/* A new hashed dentry, inode's reference taken over (NULL: negative); NULL: no memory, inode put. parent's inode->lock held. */
struct dentry *dcache_add(struct dentry *parent, const char *name, size_t len, struct inode *inode);
struct dentry *dentry_alloc(struct superblock *sb, struct dentry *parent, const char *name,
                            size_t len);
void dentry_set_inode(
    struct dentry *d,
    struct inode *inode);             /* negative becomes positive; takes over the reference */
void dentry_drop(struct dentry *d);   /* no longer found */
void dentry_delete(struct dentry *d); /* unlinked: dropped and marked */
void dentry_move(struct dentry *d, struct dentry *new_parent, const char *name, size_t len);
void dentry_exchange(struct dentry *a, struct dentry *b);
void dcache_prune(struct dentry *parent); /* frees unused dentries below parent */
u64 dcache_shrink(u64 count);
u64 dcache_unused(void); /* dentries that dcache_shrink() could look at */
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d); /* a == d counts */
static inline bool dentry_is_dir(const struct dentry *d)
{
    return d->inode && S_ISDIR(d->inode->mode);
}

/* ---- inode.c, super.c ---- */
void inode_boot(void);
bool inode_try_get(struct inode *i); /* fails when its end has begun */
struct superblock *sb_first(void);
extern struct list_head sb_list;
extern struct mutex sb_list_lock;

/* ---- mount.c ---- */
extern spinlock_t mount_lock;
extern struct mount *root_mount;   /* of the first name space */
extern struct mutex mount_mutex;   /* mount_sys.c: one change of the trees at a time */
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);
struct mount *mount_alloc(struct superblock *sb, struct dentry *root, const char *source,
                          u32 flags);
struct mount *mount_find(struct mount *parent, struct dentry *at); /* referenced or NULL */
int mount_attach(struct mount *m,
                 const struct path *at); /* takes over the caller's reference on success */
bool mount_up(
    struct path *p); /* from the root of a mount to the place it is mounted on; false at the top */
int mount_want_write(struct mount *m);
void mount_drop_write(struct mount *m);
/* The one after m in the order of the tree below top; mount_lock or mount_mutex held. */
struct mount *mount_next(struct mount *m, struct mount *top);
void mounts_show(struct seq *s, const struct path *root,
                 int form);                    /* 0 mounts, 1 mountinfo, 2 mountstats */
void path_cross_down(struct path *p);          /* into whatever is mounted here */
int mount_unmount(struct mount *m, u32 flags); /* the caller holds a reference; -EBUSY */
int mount_move(struct mount *m, const struct path *to);
/* A copy of the tree whose root m is becomes ns's, which ns->root holds. mount_mutex held. 0 or -ENOMEM. */
int mount_copy_tree(struct mount *m, struct mount_ns *ns);
void mount_free_tree(struct mount *m);
struct mount *mount_find_on(const struct dentry *at); /* any mount on it, referenced, or NULL */
int mount_pivot(struct mount *new_root, struct mount *old_root, const struct path *put_old);
int mount_clone_tree(struct mount *m, struct dentry *root, const struct path *at, bool recursive);

/* ---- mount_ns.c ---- */
struct mount_ns {
    s32 refs;
    struct mount *root; /* referenced */
};
struct mount_ns *mount_ns_boot(struct mount *root); /* the first, of the root mount */
struct mount_ns *mount_ns_get(struct mount_ns *ns);
void mount_ns_put(struct mount_ns *ns); /* sleeps */
bool mount_is_ours(const struct mount *m); /* of the running thread's name space */
/* Is something mounted on it in the running thread's name space? Then its name stays. */
bool mount_blocks(const struct dentry *d);
/* Its name is gone: what others have mounted on it is detached. No inode's lock held; sleeps. */
void mount_detach_on(const struct dentry *d);

/* ---- namei.c ---- */
enum last_type { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
    struct path path, root;
    u32 resolve;
    unsigned links;
    char *buf; /* kmalloc'd text that is walked after a symlink */
    const char *next;
    const char *last;
    size_t last_len;
    enum last_type last_type;
    bool trailing; /* slashes after the last component */
};
int walk_begin(struct walk *w, int dirfd, const char *name, u32 flags);
int walk_run(struct walk *w, const char *name, u32 flags);
void walk_end(struct walk *w);
/* The dentry of the last component under w->path (referenced, may be negative), parent's inode->lock held. ERR_PTR. */
struct dentry *lookup_locked(struct dentry *parent, const char *name, size_t len);
struct dentry *lookup_component(struct dentry *parent, const char *name, size_t len);
/* Follows the symlink in link (whose directory is w->path): w->next is what walk_run has then to walk. */
int walk_follow(struct walk *w, struct dentry *link, const char *rest);
/* Parent directory locked and the (negative or not) dentry of the last name. w must be ended by name_end(). */
struct name_op {
    struct walk w;
    struct dentry *dentry;
};
int name_begin(struct name_op *op, int dirfd, const char *name, bool want_new, u32 flags);
void name_end(struct name_op *op);
int may_create(struct inode *dir);
int may_delete(struct inode *dir, struct inode *victim, bool is_dir);

/* ---- open.c, file.c ---- */
struct open_how_k {
    u32 flags, mode, resolve;
};
struct file *do_open(int dirfd, const char *name, const struct open_how_k *how);
void file_boot(void);
void sync_all(void); /* every file system: sync(2) */
struct file *file_alloc(void); /* refs 1, zeroed but for locks; -ENFILE: too many, -ENOMEM */
/* An open file under a name that is in no directory (memfd, pipes). ERR_PTR. */
struct file *file_anon_inode(struct inode *inode, const char *name, const struct file_ops *ops,
                             void *priv, u32 flags);
/* Opens inode for f (f->inode unset): ops by type, write access. f->flags, f->mode set by the caller. */
int file_open_inode(struct file *f, struct inode *inode);
/* An open file on an inode without a path: overlay's real files. */
struct file *file_open_backing(struct inode *inode, u32 flags);
ssize_t vfs_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos);
ssize_t vfs_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos);
int vfs_setattr(const struct path *p, u32 valid, struct kstat *st);
int vfs_getattr(struct inode *inode, struct kstat *st);
int vfs_truncate(struct file *f, struct inode *inode, u64 size);
/* Writes back and waits; also tells, once to each open file, what went wrong before. */
int vfs_fsync(struct file *f, u64 start, u64 end, bool data_only);
struct address_space *file_pages(struct file *f); /* the pages behind an open file */
int dev_open(struct inode *inode,
             struct file *f); /* devtmpfs.c: character and block devices by number */
bool dev_has_major(u32 type, u32 major);
u64 file_count(void); /* open files */
void sb_drop_clean_pages(struct superblock *sb);
bool cap_owner(const struct inode *inode); /* owner or CAP_FOWNER */
bool in_group(u32 gid);

/* ---- locks.c, inotify.c ---- */
void locks_close(struct file *f,
                 struct fd_table *files); /* POSIX locks of this table on the inode go */
void locks_release(struct file *f);       /* flock and OFD locks of this open file go */
void locks_inode_free(struct inode *inode);
#define IN_ACCESS        0x001u
#define IN_MODIFY        0x002u
#define IN_ATTRIB        0x004u
#define IN_CLOSE_WRITE   0x008u
#define IN_CLOSE_NOWRITE 0x010u
#define IN_OPEN          0x020u
#define IN_MOVED_FROM    0x040u
#define IN_MOVED_TO      0x080u
#define IN_CREATE        0x100u
#define IN_DELETE        0x200u
#define IN_DELETE_SELF   0x400u
#define IN_MOVE_SELF     0x800u
#define IN_ISDIR         0x40000000u
extern s32 inotify_watches; /* how many exist: the hooks cost one load while there are none */
void inotify_event(struct inode *inode, u32 mask, u32 cookie, const char *name, size_t len);
void inotify_inode_free(struct inode *inode);
void inotify_unmount(struct superblock *sb);
/* Something happened to what d names: tells watches of the inode and of its directory. */
void inotify_dentry(struct dentry *d, u32 mask);
static inline void notify_dir(struct inode *dir, u32 mask, const char *name, size_t len)
{
    if (unlikely(READ_ONCE(inotify_watches)))
        inotify_event(dir, mask, 0, name, len);
}
static inline void notify_file(struct file *f, u32 mask)
{
    if (unlikely(READ_ONCE(inotify_watches)) && f->dentry)
        inotify_dentry(f->dentry, mask);
}

/* ---- file systems ---- */
void tmpfs_register(void);
extern struct fs_type rootfs_type;
void devtmpfs_register(void);
void overlay_register(void);
void procfs_register(void);
void memdev_register(void);
void kmsg_register(void);
extern const struct file_ops proc_kmsg_fops;
void initramfs_default(void); /* /dev/console, /root */
int initramfs_unpack(const void *data, size_t size);
struct inode *tmpfs_file_inode(struct superblock *sb,
                               u32 mode); /* nameless file of a tmpfs: memfd */
extern u64 sysctl_memfd_noexec; /* memfd.c */
struct superblock *tmpfs_kernel_sb(void); /* the tmpfs of memfd, SysV shm */

static inline u32 fs_umask(void)
{
    return READ_ONCE(current_task()->fs->umask);
}
#endif
