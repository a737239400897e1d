/* SPDX-License-Identifier: MIT */
/*
 * inotify: a queue of events about watched inodes.
 *
 *   watch (group, inode) is on two lists: inode->watches and group->watches; it holds the inode.
 *
 * N1. An event equal to the last one queued is not queued again. A full queue gets one IN_Q_OVERFLOW.
 * Lock: inotify_lock (mutex), one for all groups: the hooks look at inotify_watches first.
 */
#include "internal.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define IN_UNMOUNT     0x2000u
#define IN_Q_OVERFLOW  0x4000u
#define IN_IGNORED     0x8000u
#define IN_ONLYDIR     0x01000000u
#define IN_DONT_FOLLOW 0x02000000u
#define IN_EXCL_UNLINK 0x04000000u
#define IN_MASK_CREATE 0x10000000u
#define IN_MASK_ADD    0x20000000u
#define IN_ONESHOT     0x80000000u
#define IN_ALL_EVENTS  0xfffu
#define MAX_QUEUED     16384

struct event {
    struct list_head link;
    s32 wd;
    u32 mask, cookie, len; /* len: of the name with its padding */
    char name[];
};
struct group {
    struct waitq wait;
    struct list_head events;
    struct list_head watches;
    u32 queued;
    s32 next_wd;
};
struct watch {
    struct list_head link; /* group->watches */
    struct watch *next;    /* inode->watches */
    struct inode *inode;
    struct group *group;
    u32 mask;
    s32 wd;
};

s32 inotify_watches;
static struct mutex inotify_lock = MUTEX_INIT(inotify_lock);

static void queue_event(struct group *g, s32 wd, u32 mask, u32 cookie, const char *name, size_t len)
{
    if (g->queued >= MAX_QUEUED) {
        wd = -1;
        mask = IN_Q_OVERFLOW;
        cookie = 0;
        len = 0;
    }
    u32 padded = len ? (u32)ALIGN_UP(len + 1, 16UL) : 0;
    if (!list_empty(&g->events)) {
        struct event *last = list_last_entry(&g->events, struct event, link);
        if (last->wd == wd && last->mask == mask && last->cookie == cookie && last->len == padded &&
            (!len || (memcmp(last->name, name, len) == 0 && !last->name[len])))
            return;
    }
    struct event *e = kzalloc(sizeof(*e) + padded, GFP_KERNEL);
    if (!e)
        return;
    e->wd = wd;
    e->mask = mask;
    e->cookie = cookie;
    e->len = padded;
    if (len)
        memcpy(e->name, name, len);
    list_add_tail(&e->link, &g->events);
    g->queued++;
    waitq_wake_all(&g->wait);
}

/* Takes the watch off both lists and frees it; the inode is returned to be put without the lock. */
static struct inode *watch_remove(struct watch *w)
{
    struct watch **pp = (struct watch **)&w->inode->watches;
    while (*pp != w)
        pp = &(*pp)->next;
    *pp = w->next;
    list_del(&w->link);
    struct inode *i = w->inode;
    __atomic_sub_fetch(&inotify_watches, 1, __ATOMIC_RELAXED);
    kfree(w);
    return i;
}

void inotify_event(struct inode *inode, u32 mask, u32 cookie, const char *name, size_t len)
{
    unsigned drop = 0;
    if (!READ_ONCE(inode->watches))
        return;
    mutex_lock(&inotify_lock);
    struct watch *next;
    for (struct watch *w = inode->watches; w; w = next) {
        next = w->next;
        if (w->mask & mask & IN_ALL_EVENTS)
            queue_event(w->group, w->wd, mask, cookie, name, len);
        bool once = (w->mask & IN_ONESHOT) && (w->mask & mask & IN_ALL_EVENTS);
        if (once || (mask & (IN_DELETE_SELF | IN_UNMOUNT))) {
            if (mask & IN_UNMOUNT)
                queue_event(w->group, w->wd, IN_UNMOUNT, 0, NULL, 0);
            queue_event(w->group, w->wd, IN_IGNORED, 0, NULL, 0);
            watch_remove(w);
            drop++;
        }
    }
    mutex_unlock(&inotify_lock);
    while (drop--)
        inode_put(inode);
}

void inotify_dentry(struct dentry *d, u32 mask)
{
    struct inode *i = d->inode, *dir = NULL;
    char name[NAME_MAX + 1];
    size_t len = 0;
    if (!i)
        return;
    u32 is_dir = S_ISDIR(i->mode) ? IN_ISDIR : 0;
    spin_lock(&dcache_lock);
    if (d->parent != d && d->parent->inode && d->parent->inode->watches &&
        !(d->flags & D_DELETED)) {
        dir = inode_get(d->parent->inode);
        len = min(d->len, (u32)NAME_MAX);
        memcpy(name, d->name, len);
    }
    spin_unlock(&dcache_lock);
    if (dir) {
        inotify_event(dir, mask | is_dir, 0, name, len);
        inode_put(dir);
    }
    inotify_event(i, mask | is_dir, 0, NULL, 0);
}

/* A watch holds its inode, so none is left when the inode ends. */
void inotify_inode_free(struct inode *inode)
{
    ASSERT(!inode->watches);
}

void inotify_unmount(struct superblock *sb)
{
    while (READ_ONCE(inotify_watches)) {
        struct inode *i, *found = NULL;
        spin_lock(&sb->inodes_lock);
        list_for_each_entry (i, &sb->inodes, sb_link) {
            if (i->watches) {
                found = inode_get(i);
                break;
            }
        }
        spin_unlock(&sb->inodes_lock);
        if (!found)
            return;
        inotify_event(found, IN_UNMOUNT, 0, NULL, 0);
        inode_put(found);
    }
}

static ssize_t put_events(struct group *g, const struct iobuf *b, size_t n)
{
    size_t done = 0;
    while (!list_empty(&g->events)) {
        struct event *e = list_first_entry(&g->events, struct event, link);
        size_t size = 16 + e->len;
        if (size > n - done)
            return done ? (ssize_t)done : -EINVAL;
        if (iobuf_put(b, done, &e->wd, 16) || iobuf_put(b, done + 16, e->name, e->len))
            return done ? (ssize_t)done : -EFAULT;
        list_del(&e->link);
        kfree(e);
        g->queued--;
        done += size;
    }
    return (ssize_t)done;
}

static ssize_t inotify_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct group *g = f->priv;
    for (;;) {
        mutex_lock(&inotify_lock);
        ssize_t r = put_events(g, b, n);
        mutex_unlock(&inotify_lock);
        if (r)
            return r;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (waitq_wait_interruptible(&g->wait, READ_ONCE(g->queued)))
            return -ERESTARTSYS;
    }
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
    struct group *g = f->priv;
    poll_wait(pt, &g->wait);
    return READ_ONCE(g->queued) ? 0x41 : 0; /* EPOLLIN | EPOLLRDNORM */
}

static s64 inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct group *g = f->priv;
    s32 total = 0;
    if (cmd != 0x541B) /* FIONREAD */
        return -ENOTTY;
    mutex_lock(&inotify_lock);
    struct event *e;
    list_for_each_entry (e, &g->events, link) {
        total += 16 + (s32)e->len;
    }
    mutex_unlock(&inotify_lock);
    return copy_to_user(arg, &total, sizeof(total)) ? -EFAULT : 0;
}

static void inotify_release(struct file *f)
{
    struct group *g = f->priv;
    for (;;) {
        mutex_lock(&inotify_lock);
        struct inode *i = list_empty(&g->watches)
                              ? NULL
                              : watch_remove(list_first_entry(&g->watches, struct watch, link));
        mutex_unlock(&inotify_lock);
        if (!i)
            break;
        inode_put(i);
    }
    while (!list_empty(&g->events)) {
        struct event *e = list_first_entry(&g->events, struct event, link);
        list_del(&e->link);
        kfree(e);
    }
    kfree(g);
}

static const struct file_ops inotify_ops = {.read = inotify_read,
                                            .poll = inotify_poll,
                                            .ioctl = inotify_ioctl,
                                            .release = inotify_release,
                                            .lseek = no_lseek};

static s64 make_group(u32 flags)
{
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct group *g = kzalloc(sizeof(*g), GFP_KERNEL);
    if (!g)
        return -ENOMEM;
    waitq_init(&g->wait);
    list_init(&g->events);
    list_init(&g->watches);
    g->next_wd = 1;
    struct file *f =
        file_anon("anon_inode:inotify", &inotify_ops, g, O_RDONLY | (flags & O_NONBLOCK));
    if (IS_ERR(f)) {
        kfree(g);
        return PTR_ERR(f);
    }
    int fd = fd_alloc(f, (flags & O_CLOEXEC) ? FD_CLOEXEC : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

SYSCALL(inotify_init)
{
    return make_group(0);
}
SYSCALL(inotify_init1)
{
    return make_group((u32)a0);
}

static s64 add_watch(struct group *g, struct inode *i, u32 mask)
{
    struct watch *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL), *w;
    if (!fresh)
        return -ENOMEM;
    u32 keep = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
    mutex_lock(&inotify_lock);
    for (w = i->watches; w && w->group != g; w = w->next)
        ;
    s64 ret;
    if (w && (mask & IN_MASK_CREATE)) {
        ret = -EEXIST;
    } else if (w) {
        w->mask = (mask & IN_MASK_ADD) ? w->mask | keep : keep;
        ret = w->wd;
    } else {
        *fresh = (struct watch){.next = i->watches,
                                .inode = inode_get(i),
                                .group = g,
                                .mask = keep,
                                .wd = g->next_wd++};
        i->watches = fresh;
        list_add_tail(&fresh->link, &g->watches);
        __atomic_add_fetch(&inotify_watches, 1, __ATOMIC_RELAXED);
        ret = fresh->wd;
        fresh = NULL;
    }
    mutex_unlock(&inotify_lock);
    kfree(fresh);
    return ret;
}

SYSCALL(inotify_add_watch)
{
    u32 mask = (u32)a2;
    struct path p;
    if (!(mask & IN_ALL_EVENTS) || ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)))
        return -EINVAL;
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    s64 ret = -EINVAL;
    if (r.file->ops == &inotify_ops) {
        u32 look = ((mask & IN_DONT_FOLLOW) ? 0 : LOOKUP_FOLLOW) |
                   ((mask & IN_ONLYDIR) ? LOOKUP_DIRECTORY : 0);
        ret = path_lookup_user(AT_FDCWD, a1, look, &p);
        if (!ret) {
            ret = inode_permission(p.dentry->inode, R_OK);
            if (!ret)
                ret = add_watch(r.file->priv, p.dentry->inode, mask);
            path_put(&p);
        }
    }
    fd_return(r);
    return ret;
}

SYSCALL(inotify_rm_watch)
{
    struct fdref r = fd_borrow((int)a0);
    if (!r.file)
        return -EBADF;
    struct inode *i = NULL;
    if (r.file->ops == &inotify_ops) {
        struct group *g = r.file->priv;
        struct watch *w;
        mutex_lock(&inotify_lock);
        list_for_each_entry (w, &g->watches, link) {
            if (w->wd == (s32)a1) {
                queue_event(g, w->wd, IN_IGNORED, 0, NULL, 0);
                i = watch_remove(w);
                break;
            }
        }
        mutex_unlock(&inotify_lock);
    }
    fd_return(r);
    inode_put(i);
    return i ? 0 : -EINVAL;
}
