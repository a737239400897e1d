/* SPDX-License-Identifier: MIT */
/* /proc/PID/fd, fdinfo, cwd, root, exe: links that lead to the thing itself, not to its name. */
#include "pfs.h"
#include "../fd.h"
#include <mm/mm.h>

struct fs_struct *fs_struct_of(struct task *t)
{
    rcu_read_lock();
    struct fs_struct *fs = load_acquire(&t->fs);
    if (fs) {
        s32 r = READ_ONCE(fs->refs);
        while (r > 0 && !__atomic_compare_exchange_n(&fs->refs, &r, r + 1, true, __ATOMIC_ACQUIRE,
                                                     __ATOMIC_RELAXED))
            ;
        if (r <= 0)
            fs = NULL;
    }
    rcu_read_unlock();
    return fs;
}

static void evict_link(struct inode *i)
{
    struct pid_inode *pi = i->priv;
    task_put(pi->t);
    process_put(pi->p);
    kfree(pi);
}

static ssize_t text_of(const struct path *p, char *buf, size_t size)
{
    char *tmp = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!tmp)
        return -ENOMEM;
    ssize_t n = path_text(p, tmp, PATH_MAX);
    if (n > 0) {
        n = min(n, (ssize_t)size);
        memcpy(buf, tmp, (size_t)n);
    }
    kfree(tmp);
    return n;
}

/* ---- cwd, root, exe ---- */
static int fs_place(struct inode *i, struct path *out,
                    void (*get)(struct fs_struct *, struct path *))
{
    struct pid_inode *pi = i->priv;
    if (!pid_may_trace(pi))
        return -EACCES;
    struct fs_struct *fs = fs_struct_of(pi->t);
    if (!fs)
        return -ENOENT;
    get(fs, out);
    fs_struct_put(fs);
    return 0;
}
static int cwd_follow(struct inode *i, struct path *out)
{
    return fs_place(i, out, fs_get_cwd);
}
static int root_follow(struct inode *i, struct path *out)
{
    return fs_place(i, out, fs_get_root);
}
static int exe_follow(struct inode *i, struct path *out)
{
    struct pid_inode *pi = i->priv;
    if (!pid_may_trace(pi))
        return -EACCES;
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return -ENOENT;
    int err = -ENOENT;
    mmap_read_lock(mm);
    struct file *f = mm->exe_file;
    if (f && f->mount) {
        *out = (struct path){f->mount, f->dentry};
        path_get(out);
        err = 0;
    }
    mmap_read_unlock(mm);
    mm_put(mm);
    return err;
}

static ssize_t link_text(struct inode *i, char *buf, size_t size,
                         int (*follow)(struct inode *, struct path *))
{
    struct path p;
    int err = follow(i, &p);
    if (err)
        return err;
    ssize_t n = text_of(&p, buf, size);
    path_put(&p);
    return n;
}
static ssize_t cwd_readlink(struct inode *i, char *buf, size_t size)
{
    return link_text(i, buf, size, cwd_follow);
}
static ssize_t root_readlink(struct inode *i, char *buf, size_t size)
{
    return link_text(i, buf, size, root_follow);
}
static ssize_t exe_readlink(struct inode *i, char *buf, size_t size)
{
    return link_text(i, buf, size, exe_follow);
}
const struct inode_ops pid_cwd_iops = {
    .readlink = cwd_readlink, .follow = cwd_follow, .evict = evict_link};
const struct inode_ops pid_root_iops = {
    .readlink = root_readlink, .follow = root_follow, .evict = evict_link};
const struct inode_ops pid_exe_iops = {
    .readlink = exe_readlink, .follow = exe_follow, .evict = evict_link};

/* ---- fd/N ---- */
static int fd_follow(struct inode *i, struct path *out)
{
    struct pid_inode *pi = i->priv;
    if (!pid_may_trace(pi))
        return -EACCES;
    struct file *f = fd_table_file(pi->t, pi->fd);
    if (!f)
        return -ENOENT;
    int err = -ENXIO; /* pipes, sockets: no place to go to; open() has its own way below */
    if (f->mount) {
        *out = (struct path){f->mount, f->dentry};
        path_get(out);
        err = 0;
    } else if (f->dentry && root_mount) {
        *out = (struct path){mount_get(root_mount), dentry_get(f->dentry)};
        err = 0;
    }
    file_put(f);
    return err;
}

static ssize_t fd_readlink(struct inode *i, char *buf, size_t size)
{
    struct pid_inode *pi = i->priv;
    if (!pid_may_trace(pi))
        return -EACCES;
    struct file *f = fd_table_file(pi->t, pi->fd);
    if (!f)
        return -ENOENT;
    struct path p = {f->mount, f->dentry};
    ssize_t n = f->dentry ? text_of(&p, buf, size) : -ENOENT;
    file_put(f);
    return n;
}

static int fd_getattr(struct inode *i, struct kstat *st)
{
    struct pid_inode *pi = i->priv;
    struct file *f = fd_table_file(pi->t, pi->fd);
    if (!f)
        return -ENOENT;
    st->mode = S_IFLNK | ((f->mode & FMODE_READ) ? 0500 : 0) | ((f->mode & FMODE_WRITE) ? 0300 : 0);
    st->size = 64;
    file_put(f);
    return 0;
}
static const struct inode_ops fd_link_iops = {
    .readlink = fd_readlink, .follow = fd_follow, .getattr = fd_getattr, .evict = evict_link};

/* ---- fdinfo/N ---- */
static void show_fdinfo(struct seq *s, void *arg)
{
    struct pid_inode *pi = ((struct inode *)arg)->priv;
    struct file *f = fd_table_file(pi->t, pi->fd);
    if (!f)
        return;
    u32 flags = f->flags | (fd_table_cloexec(pi->t, pi->fd) ? O_CLOEXEC : 0);
    seq_printf(s, "pos:\t%li\nflags:\t0%o\nmnt_id:\t%i\nino:\t%lu\n", (s64)f->pos, flags,
               f->mount ? f->mount->id : 0, f->inode->ino);
    if (f->ops->show_fdinfo)
        f->ops->show_fdinfo(f, s);
    file_put(f);
}
static int fdinfo_open(struct inode *i, struct file *f)
{
    return text_open(f, show_fdinfo, NULL, i, NULL);
}
static const struct inode_ops fdinfo_iops = {.open = fdinfo_open, .evict = evict_link};

/* ---- the two directories ---- */
static bool parse_fd(const char *name, size_t len, s32 *fd)
{
    s64 v = 0;
    if (!len || len > 10 || (len > 1 && name[0] == '0'))
        return false;
    for (size_t k = 0; k < len; k++) {
        if (name[k] < '0' || name[k] > '9')
            return false;
        v = v * 10 + (name[k] - '0');
    }
    *fd = (s32)v;
    return v <= 0x7fffffff;
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out, bool info)
{
    struct pid_inode *pi = dir->priv, like = *pi;
    if (!parse_fd(name, len, &like.fd))
        return -ENOENT;
    struct file *f = fd_table_file(pi->t, like.fd);
    if (!f)
        return -ENOENT;
    u32 mode =
        info ? S_IFREG | 0444
             : S_IFLNK | ((f->mode & FMODE_READ) ? 0500 : 0) | ((f->mode & FMODE_WRITE) ? 0300 : 0);
    file_put(f);
    u64 ino = PID_INO(pi->t->tid, pi->in_task, info ? 101 : 100, like.fd);
    *out = pid_make_inode(dir->sb, &like, mode, ino, info ? &fdinfo_iops : &fd_link_iops, NULL);
    return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}
static int fd_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    return lookup(dir, name, len, out, false);
}
static int fdinfo_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    return lookup(dir, name, len, out, true);
}

static int readdir(struct file *f, emit_fn *emit, void *ctx, bool info)
{
    struct pid_inode *pi = f->inode->priv;
    char name[24];
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    for (int fd = (int)(f->pos - 2); (fd = fd_table_next(pi->t, fd)) >= 0; fd++) {
        size_t len = (size_t)fmt_print(name, sizeof(name), "%d", fd);
        u64 ino = PID_INO(pi->t->tid, pi->in_task, info ? 101 : 100, fd);
        if (!emit(ctx, name, len, ino, info ? DT_REG : DT_LNK, (u64)fd + 3))
            return 0;
        f->pos = (u64)fd + 3;
    }
    return 0;
}
static int fd_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    return readdir(f, emit, ctx, false);
}
static int fdinfo_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    return readdir(f, emit, ctx, true);
}

static bool revalidate(struct inode *dir, const char *name, size_t len, struct inode *inode)
{
    return false; /* a number may name another file by now */
}
static int permission(struct inode *i, u32 mask)
{
    return pid_may_trace(i->priv) ? 0 : -EACCES;
}
static int dir_getattr(struct inode *i, struct kstat *st)
{
    struct pid_inode *pi = i->priv;
    st->uid = pi->t->cred->euid;
    st->gid = pi->t->cred->egid;
    return 0;
}
const struct inode_ops pid_fd_iops = {.lookup = fd_lookup,
                                      .revalidate = revalidate,
                                      .permission = permission,
                                      .getattr = dir_getattr,
                                      .evict = evict_link};
const struct inode_ops pid_fdinfo_iops = {.lookup = fdinfo_lookup,
                                          .revalidate = revalidate,
                                          .permission = permission,
                                          .getattr = dir_getattr,
                                          .evict = evict_link};
const struct file_ops pid_fd_fops = {.readdir = fd_readdir};
const struct file_ops pid_fdinfo_fops = {.readdir = fdinfo_readdir};
