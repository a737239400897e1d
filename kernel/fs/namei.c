/* SPDX-License-Identifier: MIT */
/*
 * The walk from a name to a place.
 *
 *   name --walk_begin--> start (root, cwd or a descriptor) --component by component--> path
 *            component: dcache, else the directory under its lock; then down into mounts; a symlink replaces itself in the text
 *
 * N1. w->path is referenced and a directory whenever a component is taken from it.
 * N2. At most 40 symlinks are followed.
 * Entry points: path_lookup, name_begin/name_end (for calls that change the last name), walk_* for open.
 */
#include "internal.h"
#include <port/uaccess.h>

#define MAX_LINKS 40

char *getname(u64 user, bool empty_ok)
{
    char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!buf)
        return ERR_PTR(-ENOMEM);
    ssize_t n = strncpy_from_user(buf, user, PATH_MAX);
    if (n == 0 && !empty_ok)
        n = -ENOENT;
    if (n < 0) {
        kfree(buf);
        return ERR_PTR(n);
    }
    return buf;
}

void putname(char *name)
{
    kfree(name);
}

/* An answer that its directory no longer stands by is dropped. */
static bool still_right(struct dentry *parent, struct dentry *d, const char *name, size_t len)
{
    const struct inode_ops *ops = parent->inode->ops;
    if (likely(!ops->revalidate) || ops->revalidate(parent->inode, name, len, d->inode))
        return true;
    if (READ_ONCE(d->mounted))
        return true;
    dentry_drop(d);
    return false;
}

struct dentry *lookup_locked(struct dentry *parent, const char *name, size_t len)
{
    u32 hash = dcache_hash(parent, name, len);
    struct dentry *d = dcache_find(parent, name, len, hash);
    if (d) {
        if (still_right(parent, d, name, len))
            return d;
        dentry_put(d);
    }
    struct inode *dir = parent->inode, *inode = NULL;
    if (dir->state & I_DEAD)
        return ERR_PTR(-ENOENT);
    int err = dir->ops->lookup ? dir->ops->lookup(dir, name, len, &inode) : -ENOENT;
    if (err && err != -ENOENT)
        return ERR_PTR(err);
    d = dcache_add(parent, name, len, err ? NULL : inode);
    return d ? d : ERR_PTR(-ENOMEM);
}

struct dentry *lookup_component(struct dentry *parent, const char *name, size_t len)
{
    struct dentry *d = dcache_find(parent, name, len, dcache_hash(parent, name, len));
    if (likely(d)) {
        if (still_right(parent, d, name, len))
            return d;
        dentry_put(d);
    }
    mutex_lock(&parent->inode->lock);
    d = lookup_locked(parent, name, len);
    mutex_unlock(&parent->inode->lock);
    return d;
}

static int walk_dotdot(struct walk *w)
{
    for (;;) {
        if (w->path.dentry == w->root.dentry && w->path.mount == w->root.mount)
            return (w->resolve & RESOLVE_BENEATH) ? -EXDEV : 0;
        if (w->path.dentry != w->path.mount->root)
            break;
        if (w->resolve & RESOLVE_NO_XDEV)
            return -EXDEV;
        if (!mount_up(&w->path))
            return 0;
    }
    spin_lock(&dcache_lock);
    struct dentry *up = dentry_get(w->path.dentry->parent);
    spin_unlock(&dcache_lock);
    dentry_put(w->path.dentry);
    w->path.dentry = up;
    path_cross_down(&w->path);
    return 0;
}

static int walk_to_root(struct walk *w)
{
    if (w->resolve & RESOLVE_BENEATH)
        return -EXDEV;
    if ((w->resolve & RESOLVE_NO_XDEV) && w->path.mount != w->root.mount)
        return -EXDEV;
    path_get(&w->root);
    path_put(&w->path);
    w->path = w->root;
    return 0;
}

/* Sets w->next to the text that remains to be walked: the link's target and then rest. */
int walk_follow(struct walk *w, struct dentry *link, const char *rest)
{
    struct inode *inode = link->inode;
    if ((w->resolve & RESOLVE_NO_SYMLINKS) || ++w->links > MAX_LINKS)
        return -ELOOP;
    if (w->path.mount->flags & MS_NOSYMFOLLOW)
        return -ELOOP;
    if (inode->ops->follow) {
        if (w->resolve & RESOLVE_NO_MAGICLINKS)
            return -ELOOP;
        if (w->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
            return -EXDEV;
        struct path to;
        int err = inode->ops->follow(inode, &to);
        if (err)
            return err;
        path_put(&w->path);
        w->path = to;
        w->next = rest;
        return 0;
    }
    if (!inode->ops->readlink)
        return -EINVAL;
    size_t rest_len = str_len(rest);
    char *text = kmalloc(PATH_MAX + 1 + rest_len + 1, GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    ssize_t n = inode->ops->readlink(inode, text, PATH_MAX - 1);
    if (n <= 0) {
        kfree(text);
        return n ? (int)n : -ENOENT;
    }
    if (rest_len) {
        text[n++] = '/';
        memcpy(text + n, rest, rest_len);
    }
    text[n + rest_len] = 0;
    kfree(w->buf); /* rest stood in it */
    w->buf = text;
    w->next = text;
    return *text == '/' ? walk_to_root(w) : 0;
}

static bool is_dots(const char *s, size_t n)
{
    return s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.'));
}

/* One ordinary component: w->path moves on. 1: a symlink, the walk goes on with w->next. */
static int walk_step(struct walk *w, const char *s, size_t len, const char *rest, bool follow)
{
    struct dentry *d = lookup_component(w->path.dentry, s, len);
    if (IS_ERR(d))
        return (int)PTR_ERR(d);
    struct inode *inode = READ_ONCE(d->inode);
    if (!inode) {
        dentry_put(d);
        return -ENOENT;
    }
    if (unlikely(S_ISLNK(inode->mode)) && follow) {
        int err = walk_follow(w, d, rest);
        dentry_put(d);
        return err ? err : 1;
    }
    dentry_put(w->path.dentry);
    w->path.dentry = d;
    if (unlikely(READ_ONCE(d->mounted))) {
        struct mount *before = w->path.mount;
        path_cross_down(&w->path);
        if (w->path.mount != before && (w->resolve & RESOLVE_NO_XDEV))
            return -EXDEV;
    }
    return 0;
}

int walk_run(struct walk *w, const char *name, u32 flags)
{
    const char *s = name;
    w->last_type = LAST_ROOT;
    w->last_len = 0;
    w->trailing = false;
    for (;;) {
        while (*s == '/')
            s++;
        if (!*s)
            break;
        struct inode *dir = w->path.dentry->inode;
        if (!S_ISDIR(dir->mode))
            return -ENOTDIR;
        int err = inode_permission(dir, X_OK);
        if (err)
            return err;
        const char *end = s;
        while (*end && *end != '/')
            end++;
        size_t len = (size_t)(end - s);
        const char *rest = end;
        while (*rest == '/')
            rest++;
        bool last = !*rest, dots = len <= 2 && is_dots(s, len);
        if (len > NAME_MAX)
            return -ENAMETOOLONG;
        w->trailing = last && *end == '/';
        w->last = s;
        w->last_len = len;
        w->last_type = dots ? (len == 1 ? LAST_DOT : LAST_DOTDOT) : LAST_NAME;
        if (last && (flags & LOOKUP_PARENT))
            return 0;
        if (dots) {
            err = len == 2 ? walk_dotdot(w) : 0;
        } else {
            bool follow = !last || (flags & LOOKUP_FOLLOW) || w->trailing;
            err = walk_step(w, s, len, rest, follow);
        }
        if (err < 0)
            return err;
        if (err && last && w->trailing)
            flags |= LOOKUP_DIRECTORY;
        if (err)
            w->last_type = LAST_DOT;
        s = err ? w->next : rest;
    }
    if (flags & LOOKUP_PARENT)
        return 0;
    if (((flags & LOOKUP_DIRECTORY) || w->trailing) && !dentry_is_dir(w->path.dentry))
        return -ENOTDIR;
    return 0;
}

int walk_begin(struct walk *w, int dirfd, const char *name, u32 flags)
{
    memset(w, 0, sizeof(*w));
    w->resolve = flags >> LOOKUP_RESOLVE_SHIFT;
    if (w->resolve & RESOLVE_CACHED)
        return -EAGAIN;
    struct fs_struct *fs = current_task()->fs;
    bool scoped = w->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);
    if (*name == '/' && !scoped) {
        fs_get_root(fs, &w->path);
    } else if (dirfd == AT_FDCWD) {
        fs_get_cwd(fs, &w->path);
    } else {
        struct fdref r = fd_borrow_any(dirfd);
        if (!r.file)
            return -EBADF;
        if (!r.file->dentry) {
            fd_return(r);
            return -ENOTDIR;
        }
        w->path = (struct path){r.file->mount, r.file->dentry};
        path_get(&w->path);
        fd_return(r);
        if (*name && !dentry_is_dir(w->path.dentry)) {
            path_put(&w->path);
            return -ENOTDIR;
        }
    }
    if (scoped) {
        w->root = w->path;
        path_get(&w->root);
    } else {
        fs_get_root(fs, &w->root);
    }
    if (*name == '/' && (w->resolve & RESOLVE_BENEATH)) {
        walk_end(w);
        return -EXDEV;
    }
    return 0;
}

void walk_end(struct walk *w)
{
    path_put(&w->path);
    path_put(&w->root);
    kfree(w->buf);
}

int path_lookup(int dirfd, const char *name, u32 flags, struct path *out)
{
    struct walk w;
    if (!*name && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    int err = walk_begin(&w, dirfd, name, flags);
    if (err)
        return err;
    err = walk_run(&w, name, flags);
    if (!err) {
        *out = w.path;
        path_get(out);
    }
    walk_end(&w);
    return err;
}

int path_lookup_user(int dirfd, u64 user, u32 flags, struct path *out)
{
    char *name = getname(user, flags & LOOKUP_EMPTY);
    if (IS_ERR(name))
        return (int)PTR_ERR(name);
    int err = path_lookup(dirfd, name, flags, out);
    putname(name);
    return err;
}

int may_create(struct inode *dir)
{
    if (dir->state & I_DEAD)
        return -ENOENT;
    return inode_permission(dir, W_OK | X_OK);
}

int may_delete(struct inode *dir, struct inode *victim, bool is_dir)
{
    int err = inode_permission(dir, W_OK | X_OK);
    if (err)
        return err;
    if ((dir->mode & S_ISVTX) && current_task()->cred->fsuid != victim->uid && !cap_owner(dir))
        return -EPERM;
    if (is_dir && !S_ISDIR(victim->mode))
        return -ENOTDIR;
    if (!is_dir && S_ISDIR(victim->mode))
        return -EISDIR;
    return 0;
}

int name_begin(struct name_op *op, int dirfd, const char *name, bool want_new, u32 flags)
{
    if (!*name)
        return -ENOENT;
    int err = walk_begin(&op->w, dirfd, name, flags);
    if (err)
        return err;
    err = walk_run(&op->w, name, flags | LOOKUP_PARENT);
    if (err)
        goto out;
    if (op->w.last_type != LAST_NAME) {
        err = want_new                         ? -EEXIST
              : op->w.last_type == LAST_DOT    ? -EINVAL
              : op->w.last_type == LAST_DOTDOT ? -ENOTEMPTY
                                               : -EBUSY;
        goto out;
    }
    err = mount_want_write(op->w.path.mount);
    bool read_only = err == -EROFS; /* an existing name is reported first */
    mutex_lock(&op->w.path.dentry->inode->lock);
    op->dentry = lookup_locked(op->w.path.dentry, op->w.last, op->w.last_len);
    err = IS_ERR(op->dentry) ? (int)PTR_ERR(op->dentry) : 0;
    if (!err && want_new && op->dentry->inode)
        err = -EEXIST;
    if (!err && !want_new && !op->dentry->inode)
        err = -ENOENT;
    if (!err && read_only)
        err = -EROFS;
    if (!err)
        return 0;
    if (!IS_ERR(op->dentry))
        dentry_put(op->dentry);
    mutex_unlock(&op->w.path.dentry->inode->lock);
    if (!read_only)
        mount_drop_write(op->w.path.mount);
out:
    walk_end(&op->w);
    return err;
}

void name_end(struct name_op *op)
{
    mutex_unlock(&op->w.path.dentry->inode->lock);
    dentry_put(op->dentry);
    mount_drop_write(op->w.path.mount);
    walk_end(&op->w);
}
