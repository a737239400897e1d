/* SPDX-License-Identifier: MIT */
/* getdents, and what a process knows of directories: getcwd, chdir, fchdir, chroot, umask; struct fs_struct. */
#include "internal.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

/* ---- getdents ---- */
struct dents {
    u64 user;
    size_t room, used;
    int err;
    bool old;
};

static bool put_dent(void *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next_pos)
{
    struct dents *d = ctx;
    char buf[24 + NAME_MAX + 8];
    size_t head = d->old ? 18 : 19, size = ALIGN_UP(head + len + (d->old ? 2 : 1), 8UL);
    if (size > d->room - d->used) {
        if (!d->used)
            d->err = -EINVAL;
        return false;
    }
    memset(buf + size - 8, 0, 8);
    u16 reclen = (u16)size;
    memcpy(buf, &ino, 8);
    memcpy(buf + 8, &next_pos, 8);
    memcpy(buf + 16, &reclen, 2);
    if (!d->old)
        buf[18] = (char)type;
    memcpy(buf + head, name, len);
    buf[head + len] = 0;
    if (d->old)
        buf[size - 1] = (char)type;
    if (copy_to_user(d->user + d->used, buf, size)) {
        d->err = -EFAULT;
        return false;
    }
    d->used += size;
    return true;
}

static s64 do_getdents(int fd, u64 user, u32 count, bool old)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    struct dents d = {.user = user, .room = count, .old = old};
    s64 err = -ENOTDIR;
    if (f->ops->readdir && S_ISDIR(f->inode->mode)) {
        mutex_lock(&f->pos_lock);
        mutex_lock(&f->inode->lock);
        err = (f->inode->state & I_DEAD) ? -ENOENT : f->ops->readdir(f, put_dent, &d);
        mutex_unlock(&f->inode->lock);
        mutex_unlock(&f->pos_lock);
    }
    file_put(f);
    if (d.used)
        return (s64)d.used;
    return err ? err : d.err;
}

SYSCALL(getdents64)
{
    return do_getdents((int)a0, a1, (u32)a2, false);
}
SYSCALL(getdents)
{
    return do_getdents((int)a0, a1, (u32)a2, true);
}

/* ---- path to text ---- */
/*
 * Builds from the end of buf backwards; dcache_lock and mount_lock are held together, which orders them: mount_lock inside.
 * Returns the start, or NULL when it does not fit. *reached: whether root was met.
 */
static char *build(const struct path *p, const struct path *root, char *buf, char *end,
                   bool *reached)
{
    const struct dentry *d = p->dentry;
    const struct mount *m = p->mount;
    char *s = end;
    *reached = true;
    while (d != root->dentry || m != root->mount) {
        if (m && d == m->root) {
            if (!m->parent) {
                *reached = false;
                break;
            }
            d = m->mountpoint;
            m = m->parent;
            continue;
        }
        if (d->parent == d) {
            *reached = false;
            if (!m && s == end) { /* a name in no directory: "pipe:[7]" */
                if ((size_t)(s - buf) < d->len)
                    return NULL;
                s -= d->len;
                memcpy(s, d->name, d->len);
            }
            break;
        }
        if ((size_t)(s - buf) < d->len + 1)
            return NULL;
        s -= d->len;
        memcpy(s, d->name, d->len);
        *--s = '/';
        d = d->parent;
    }
    if (s == end) {
        if (s == buf)
            return NULL;
        *--s = '/';
    }
    return s;
}

ssize_t path_text_from(const struct path *p, const struct path *root, char *buf, size_t size,
                       bool *reached)
{
    static const char deleted[] = " (deleted)";
    if (size < 2)
        return -ENAMETOOLONG;
    bool gone = p->dentry->flags & D_DELETED;
    char *end = buf + size - 1;
    if (gone) {
        if (size < sizeof(deleted) + 2)
            return -ENAMETOOLONG;
        end -= sizeof(deleted) - 1;
    }
    spin_lock(&dcache_lock);
    spin_lock(&mount_lock);
    char *s = build(p, root, buf, end, reached);
    spin_unlock(&mount_lock);
    spin_unlock(&dcache_lock);
    if (!s)
        return -ENAMETOOLONG;
    if (gone) {
        memcpy(end, deleted, sizeof(deleted) - 1);
        end += sizeof(deleted) - 1;
    }
    size_t n = (size_t)(end - s);
    memmove(buf, s, n);
    buf[n] = 0;
    return (ssize_t)n;
}

ssize_t path_text(const struct path *p, char *buf, size_t size)
{
    struct path root = {NULL, NULL};
    bool reached;
    if (current_task() && current_task()->fs)
        fs_get_root(current_task()->fs, &root);
    ssize_t n = path_text_from(p, &root, buf, size, &reached);
    if (root.mount)
        path_put(&root);
    return n;
}

ssize_t file_path(struct file *f, char *buf, size_t size)
{
    if (!f->dentry)
        return -ENAMETOOLONG;
    struct path p = {f->mount, f->dentry};
    return path_text(&p, buf, size);
}

SYSCALL(getcwd)
{
    struct path cwd, root;
    bool reached;
    char *buf = kmalloc(PATH_MAX + 16, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    fs_get_cwd(current_task()->fs, &cwd);
    fs_get_root(current_task()->fs, &root);
    static const char unreachable[] = "(unreachable)";
    const size_t pre = sizeof(unreachable) - 1;
    s64 n;
    if (cwd.dentry->flags & D_DELETED)
        n = -ENOENT;
    else
        n = path_text_from(&cwd, &root, buf + pre, PATH_MAX - pre, &reached);
    if (n >= 0) {
        char *s = buf + pre;
        n++; /* with the terminator */
        if (!reached) {
            memcpy(buf, unreachable, pre);
            s = buf;
            n += (s64)pre;
        }
        if ((u64)n > a1)
            n = -ERANGE;
        else if (copy_to_user(a0, s, (size_t)n))
            n = -EFAULT;
    }
    path_put(&cwd);
    path_put(&root);
    kfree(buf);
    return n;
}

/* ---- struct fs_struct ---- */
struct fs_struct *fs_struct_alloc(void)
{
    struct fs_struct *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
    if (!fs)
        return NULL;
    fs->refs = 1;
    fs->umask = 022;
    spin_init(&fs->lock, RANK_KERNEL_LEAF);
    if (root_mount) {
        fs->root = (struct path){root_mount, root_mount->root};
        path_get(&fs->root);
        fs->cwd = fs->root;
        path_get(&fs->cwd);
        fs->ns = mount_ns_get(root_mount->ns);
    }
    return fs;
}

struct fs_struct *fs_struct_copy(struct fs_struct *old)
{
    struct fs_struct *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
    if (!fs)
        return NULL;
    fs->refs = 1;
    spin_init(&fs->lock, RANK_KERNEL_LEAF);
    spin_lock(&old->lock);
    fs->umask = old->umask;
    fs->root = old->root;
    fs->cwd = old->cwd;
    path_get(&fs->root);
    path_get(&fs->cwd);
    fs->ns = old->ns ? mount_ns_get(old->ns) : NULL;
    spin_unlock(&old->lock);
    return fs;
}

void fs_struct_get(struct fs_struct *fs)
{
    __atomic_fetch_add(&fs->refs, 1, __ATOMIC_RELAXED);
}

void fs_struct_put(struct fs_struct *fs)
{
    if (!fs || __atomic_sub_fetch(&fs->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (fs->root.mount) {
        path_put(&fs->root);
        path_put(&fs->cwd);
    }
    mount_ns_put(fs->ns);
    kfree_rcu_head(&fs->rcu, offsetof(struct fs_struct, rcu));
}

void fs_get_root(struct fs_struct *fs, struct path *out)
{
    spin_lock(&fs->lock);
    *out = fs->root;
    path_get(out);
    spin_unlock(&fs->lock);
}

void fs_get_cwd(struct fs_struct *fs, struct path *out)
{
    spin_lock(&fs->lock);
    *out = fs->cwd;
    path_get(out);
    spin_unlock(&fs->lock);
}

/* Takes over the reference to p. */
static void fs_set(struct path *slot, struct path p)
{
    struct fs_struct *fs = current_task()->fs;
    spin_lock(&fs->lock);
    struct path old = *slot;
    *slot = p;
    spin_unlock(&fs->lock);
    path_put(&old);
}

SYSCALL(chdir)
{
    struct path p;
    s64 err = path_lookup_user(AT_FDCWD, a0, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
    if (err)
        return err;
    err = inode_permission(p.dentry->inode, X_OK);
    if (err)
        path_put(&p);
    else
        fs_set(&current_task()->fs->cwd, p);
    return err;
}

SYSCALL(fchdir)
{
    struct fdref r = fd_borrow_any((int)a0);
    if (!r.file)
        return -EBADF;
    s64 err = -ENOTDIR;
    if (S_ISDIR(r.file->inode->mode) && r.file->mount)
        err = inode_permission(r.file->inode, X_OK);
    if (!err) {
        struct path p = {r.file->mount, r.file->dentry};
        path_get(&p);
        fs_set(&current_task()->fs->cwd, p);
    }
    fd_return(r);
    return err;
}

SYSCALL(chroot)
{
    struct path p;
    s64 err = path_lookup_user(AT_FDCWD, a0, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
    if (err)
        return err;
    err = inode_permission(p.dentry->inode, X_OK);
    if (!err && !capable(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        path_put(&p);
    else
        fs_set(&current_task()->fs->root, p);
    return err;
}

SYSCALL(umask)
{
    return __atomic_exchange_n(&current_task()->fs->umask, (u32)a0 & 0777, __ATOMIC_RELAXED);
}
