/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/map_files: a link START-END for each area over a file, to the file itself.
 *
 * Looking needs the right to trace; going where a link leads needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, as it may lead to
 * files that no path of the caller's leads to.
 */
#include "pfs.h"
#include <mm/mm.h>
#include <mm/vma.h>

#define CAP_CHECKPOINT_RESTORE 40
#define NAME_SIZE              40 /* two addresses of 16 digits, a dash */

/* The area that is exactly [start,end) and over a file. mmap_lock held. */
static struct vma *find_exact(struct mm *mm, u64 start, u64 end)
{
    struct vma *v = vma_find(mm, start);
    return v && vma_start(v) == start && vma_end(v) == end && (v->file || v->mapping) ? v : NULL;
}

/* "1000-2000": lower case, no leading zeros, nothing else. */
static bool parse_hex(const char **p, const char *end, u64 *out)
{
    const char *from = *p;
    *out = 0;
    for (; *p < end; (*p)++) {
        char c = **p;
        if (c >= '0' && c <= '9')
            *out = *out << 4 | (u64)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (u64)(c - 'a' + 10);
        else
            break;
    }
    return *p > from && *p - from <= 16 && (*from != '0' || *p - from == 1);
}

static bool parse_name(const char *name, size_t len, u64 *start, u64 *end)
{
    const char *p = name, *stop = name + len;
    if (!parse_hex(&p, stop, start) || p == stop || *p++ != '-')
        return false;
    return parse_hex(&p, stop, end) && p == stop;
}

static int get_link(struct inode *i, struct path *out)
{
    struct pid_inode *pi = i->priv;
    struct mm *mm = pid_may_trace(pi) ? task_get_mm(pi->t) : NULL;
    int err = -ENOENT;
    if (!pid_may_trace(pi))
        return -EACCES;
    if (!mm)
        return err;
    mmap_read_lock(mm);
    struct vma *v = find_exact(mm, pi->start, pi->end);
    struct file *f = v ? v->file : NULL;
    if (f && f->dentry && (f->mount || root_mount)) {
        *out = (struct path){f->mount ? f->mount : root_mount, f->dentry};
        path_get(out);
        err = 0;
    }
    mmap_read_unlock(mm);
    mm_put(mm);
    return err;
}

static int follow(struct inode *i, struct path *out)
{
    if (!capable(CAP_SYS_ADMIN) && !capable(CAP_CHECKPOINT_RESTORE))
        return -EPERM;
    return get_link(i, out);
}

static ssize_t readlink(struct inode *i, char *buf, size_t size)
{
    struct path p;
    int err = get_link(i, &p);
    if (err)
        return err;
    char *tmp = kmalloc(PATH_MAX, GFP_KERNEL);
    ssize_t n = tmp ? path_text(&p, tmp, PATH_MAX) : -ENOMEM;
    if (n > 0) {
        n = min(n, (ssize_t)size);
        memcpy(buf, tmp, (size_t)n);
    }
    kfree(tmp);
    path_put(&p);
    return n;
}

static int link_getattr(struct inode *i, struct kstat *st)
{
    st->size = 64;
    return pid_getattr(i, st);
}

static const struct inode_ops link_iops = {
    .readlink = readlink, .follow = follow, .getattr = link_getattr, .evict = pid_evict};

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct pid_inode *pi = dir->priv, like = *pi;
    if (pid_gone(pi))
        return -ENOENT;
    if (!pid_may_trace(pi))
        return -EACCES;
    if (!parse_name(name, len, &like.start, &like.end))
        return -ENOENT;
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return -ENOENT;
    u32 mode = 0;
    mmap_read_lock(mm);
    struct vma *v = find_exact(mm, like.start, like.end);
    struct file *f = v ? v->file : NULL;
    if (f)
        mode = S_IFLNK | ((f->mode & FMODE_READ) ? 0400 : 0) | ((f->mode & FMODE_WRITE) ? 0200 : 0);
    mmap_read_unlock(mm);
    mm_put(mm);
    if (!mode)
        return -ENOENT;
    *out = pid_make_inode(dir->sb, &like, mode, PID_INO(pi->t->tid, 0, 102, like.start >> PAGE_SHIFT), &link_iops, NULL);
    return IS_ERR(*out) ? (int)PTR_ERR(*out) : 0;
}

/* The next area over a file that ends above addr: its bounds. */
static bool next_area(struct mm *mm, u64 addr, u64 *start, u64 *end)
{
    mmap_read_lock(mm);
    struct vma *v = vma_find(mm, addr);
    while (v && !v->file)
        v = vma_next(v);
    if (v) {
        *start = vma_start(v);
        *end = vma_end(v);
    }
    mmap_read_unlock(mm);
    return v != NULL;
}

/* A position is 2 plus the page at which to go on. */
static int readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct pid_inode *pi = f->inode->priv;
    char name[NAME_SIZE];
    u64 start, end;
    if (pid_gone(pi))
        return -ENOENT;
    if (!pid_may_trace(pi))
        return -EACCES;
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return 0;
    while (next_area(mm, (f->pos - 2) << PAGE_SHIFT, &start, &end)) {
        size_t len = (size_t)fmt_print(name, sizeof(name), "%lx-%lx", start, end);
        if (!emit(ctx, name, len, PID_INO(pi->t->tid, 0, 102, start >> PAGE_SHIFT), DT_LNK, 2 + (end >> PAGE_SHIFT)))
            break;
        f->pos = 2 + (end >> PAGE_SHIFT);
    }
    mm_put(mm);
    return 0;
}

static bool revalidate(struct inode *dir, const char *name, size_t len, struct inode *inode)
{
    return false; /* the area may be gone, or another's */
}

static int permission(struct inode *i, u32 mask)
{
    return pid_may_trace(i->priv) ? 0 : -EACCES;
}

const struct inode_ops pid_map_files_iops = {
    .lookup = lookup, .revalidate = revalidate, .permission = permission, .getattr = pid_getattr, .evict = pid_evict};
const struct file_ops pid_map_files_fops = {.readdir = readdir};
