/* SPDX-License-Identifier: MIT */
/*
 * epoll: a set of (file, descriptor) pairs and a list of those that may be ready.
 *
 *   event on a file's queue ─ item callback ─> item goes on ep->ready ─> ep->wait (epoll_wait), ep->poll_wait (ep is polled itself)
 *   epoll_wait ─ takes items off ep->ready, asks each file; level-triggered ones that were ready go back to the end
 *
 * E1. item->ready_link is linked while the item is on ep->ready or on a collector's own list (both under ep->lock).
 * E2. An item is off every list before its file is asked, so that an event during the question puts it back.
 * E3. The file outlives the item: file_put() calls epoll_file_release() before the file's release().
 * E4. ep->refs counts the epoll file and its items; the last one frees ep.
 *
 * Locks: nest_mutex (sets in sets) · ep->mtx (items, hash) · file->epoll_lock (file->epolls) ; from queues: wq->lock · ep->lock (irqsave).
 */
#include "ipc.h"
#include "poller.h"
#include "epoll.h"
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <lib/hash.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <port/log.h>
#include <lib/fmt.h>

u64 sysctl_epoll_user_watches;

static struct slab_cache *item_cache, *hook_cache;
static struct mutex nest_mutex = MUTEX_INIT(nest_mutex);

static const struct file_ops epoll_ops;
static bool is_epoll(const struct file *f)
{
    return f->ops == &epoll_ops;
}

/* ---- the hash of items ---- */
static u32 bucket_of(const struct eventpoll *ep, const struct file *f, int fd)
{
    return (u32)hash_u64((u64)f ^ ((u64)(u32)fd << 48), 32) & (ep->nr_buckets - 1);
}

static struct epitem *item_find(struct eventpoll *ep, const struct file *f, int fd)
{
    struct epitem *it = ep->buckets[bucket_of(ep, f, fd)];
    while (it && (it->file != f || it->fd != fd))
        it = it->hash_next;
    return it;
}

static void hash_grow(struct eventpoll *ep)
{
    u32 nr = ep->nr_buckets * 4, old_nr = ep->nr_buckets;
    struct epitem **fresh = kvmalloc(nr * sizeof(*fresh), GFP_KERNEL | GFP_ZERO),
                  **old = ep->buckets;
    if (!fresh)
        return; /* long chains, but right */
    ep->buckets = fresh;
    ep->nr_buckets = nr;
    for (u32 i = 0; i < old_nr; i++)
        for (struct epitem *it = old[i], *next; it; it = next) {
            next = it->hash_next;
            struct epitem **b = &fresh[bucket_of(ep, it->file, it->fd)];
            it->hash_next = *b;
            *b = it;
        }
    if (old != ep->first_buckets)
        kvfree(old);
}

static void ep_put(struct eventpoll *ep)
{
    if (__atomic_sub_fetch(&ep->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (ep->buckets != ep->first_buckets)
        kvfree(ep->buckets);
    user_put(ep->user);
    kfree(ep);
}

/* ---- events ---- */
static bool item_event(struct waitq_callback *cb)
{
    struct epitem *it = container_of(cb, struct ephook, cb)->item;
    struct eventpoll *ep = it->ep;
    u64 flags = spin_lock_irqsave(&ep->lock);
    bool wake = false;
    if (READ_ONCE(it->events) & ~EP_PRIVATE) { /* a spent one-shot item stays asleep */
        wake = true;
        if (list_empty(&it->ready_link))
            list_add_tail(&it->ready_link, &ep->ready);
    }
    spin_unlock_irqrestore(&ep->lock, flags);
    if (wake) {
        waitq_wake_one(&ep->wait);
        waitq_wake_all(&ep->poll_wait);
    }
    return wake;
}

struct item_table {
    struct poll_table pt;
    struct epitem *item;
    bool failed;
};
static void item_queue(struct poll_table *pt, struct waitq *wq)
{
    struct item_table *t = container_of(pt, struct item_table, pt);
    struct epitem *it = t->item;
    struct ephook *h = &it->hook;
    if (it->hooked) {
        h = slab_alloc(hook_cache, GFP_KERNEL);
        if (!h) {
            t->failed = true;
            return;
        }
        h->next = it->more;
        it->more = h;
    }
    it->hooked = true;
    h->item = it;
    waitq_callback_add(wq, &h->cb, item_event);
}

static u32 item_poll(struct epitem *it)
{
    return file_poll(it->file, NULL) & READ_ONCE(it->events) & ~EP_PRIVATE;
}

/* Marks it ready as if an event had come. */
static void item_kick(struct eventpoll *ep, struct epitem *it)
{
    u64 flags = spin_lock_irqsave(&ep->lock);
    if (list_empty(&it->ready_link))
        list_add_tail(&it->ready_link, &ep->ready);
    spin_unlock_irqrestore(&ep->lock, flags);
    waitq_wake_one(&ep->wait);
    waitq_wake_all(&ep->poll_wait);
}

/* ep->mtx held. */
static void item_remove(struct eventpoll *ep, struct epitem *it)
{
    if (it->hooked)
        waitq_callback_remove(&it->hook.cb);
    while (it->more) {
        struct ephook *h = it->more;
        it->more = h->next;
        waitq_callback_remove(&h->cb);
        slab_free(hook_cache, h);
    }
    struct epitem **pp = &ep->buckets[bucket_of(ep, it->file, it->fd)];
    while (*pp != it)
        pp = &(*pp)->hash_next;
    *pp = it->hash_next;
    ep->nr_items--;
    u64 flags = spin_lock_irqsave(&ep->lock);
    list_del_init(&it->ready_link);
    spin_unlock_irqrestore(&ep->lock, flags);
    spin_lock(&it->file->epoll_lock);
    list_del_init(&it->file_link);
    spin_unlock(&it->file->epoll_lock);
    slab_free(item_cache, it);
    __atomic_fetch_sub(&ep->user->epoll_watches, 1, __ATOMIC_RELAXED);
    ep_put(ep);
}

/* ---- control ---- */
static int item_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event_k *ev)
{
    if ((u64)READ_ONCE(ep->user->epoll_watches) >= READ_ONCE(sysctl_epoll_user_watches))
        return -ENOSPC;
    struct epitem *it = slab_alloc(item_cache, GFP_KERNEL | GFP_ZERO);
    if (!it)
        return -ENOMEM;
    __atomic_fetch_add(&ep->user->epoll_watches, 1, __ATOMIC_RELAXED);
    it->ep = ep;
    it->file = f;
    it->fd = fd;
    it->events = ev->events;
    it->data = ev->data;
    list_init(&it->ready_link);
    if (ep->nr_items >= ep->nr_buckets * 2)
        hash_grow(ep);
    struct epitem **b = &ep->buckets[bucket_of(ep, f, fd)];
    it->hash_next = *b;
    *b = it;
    ep->nr_items++;
    __atomic_fetch_add(&ep->refs, 1, __ATOMIC_RELAXED);
    spin_lock(&f->epoll_lock);
    list_add_tail(&it->file_link, &f->epolls);
    spin_unlock(&f->epoll_lock);

    struct item_table t = {.pt.queue = item_queue, .item = it};
    u32 mask = file_poll(f, &t.pt) & it->events & ~EP_PRIVATE;
    if (t.failed) {
        item_remove(ep, it);
        return -ENOMEM;
    }
    if (mask)
        item_kick(ep, it);
    return 0;
}

static int item_modify(struct eventpoll *ep, struct epitem *it, const struct epoll_event_k *ev)
{
    if (it->events & EPOLLEXCLUSIVE)
        return -EINVAL;
    __atomic_store_n(&it->events, ev->events, __ATOMIC_SEQ_CST);
    it->data = ev->data;
    if (item_poll(it))
        item_kick(ep, it);
    return 0;
}

/* Would the set `to` be reachable from `from`, or the chain get deeper than five? nest_mutex held. */
static bool nest_bad(struct eventpoll *from, const struct eventpoll *to, int depth)
{
    if (from == to || depth > EP_MAX_NEST)
        return true;
    bool bad = false;
    mutex_lock(&from->mtx);
    for (u32 i = 0; i < from->nr_buckets && !bad; i++)
        for (struct epitem *it = from->buckets[i]; it && !bad; it = it->hash_next)
            if (is_epoll(it->file))
                bad = nest_bad(it->file->priv, to, depth + 1);
    mutex_unlock(&from->mtx);
    return bad;
}

static int check_events(u32 op, struct epoll_event_k *ev, const struct file *f)
{
    if (ev->events & EPOLLEXCLUSIVE) {
        if (op == EPOLL_CTL_MOD || is_epoll(f))
            return -EINVAL;
        if (ev->events &
            ~(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))
            return -EINVAL;
    }
    ev->events |= EPOLLERR | EPOLLHUP;
    return 0;
}

static int ep_control(struct file *epf, int op, struct file *f, int fd, struct epoll_event_k *ev)
{
    struct eventpoll *ep = epf->priv;
    bool nested = op == EPOLL_CTL_ADD && is_epoll(f);
    int err = op == EPOLL_CTL_DEL ? 0 : check_events((u32)op, ev, f);
    if (err)
        return err;
    if (nested) {
        mutex_lock(&nest_mutex);
        if (nest_bad(f->priv, ep, 1)) {
            mutex_unlock(&nest_mutex);
            return -ELOOP;
        }
    }
    mutex_lock(&ep->mtx);
    struct epitem *it = item_find(ep, f, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        err = it ? -EEXIST : item_insert(ep, f, fd, ev);
        break;
    case EPOLL_CTL_MOD:
        err = it ? item_modify(ep, it, ev) : -ENOENT;
        break;
    case EPOLL_CTL_DEL:
        err = it ? 0 : -ENOENT;
        if (it)
            item_remove(ep, it);
        break;
    default:
        err = -EINVAL;
    }
    mutex_unlock(&ep->mtx);
    if (nested)
        mutex_unlock(&nest_mutex);
    return err;
}

SYSCALL(epoll_ctl)
{
    struct epoll_event_k ev = {0, 0};
    if (a1 != EPOLL_CTL_DEL && copy_from_user(&ev, a3, sizeof(ev)))
        return -EFAULT;
    struct fdref epf = fd_borrow((int)a0), target = fd_borrow((int)a2);
    s64 err = -EBADF;
    if (epf.file && target.file) {
        if (!target.file->ops->poll)
            err = -EPERM; /* regular files and directories are always ready */
        else if (!is_epoll(epf.file) || epf.file == target.file)
            err = -EINVAL;
        else
            err = ep_control(epf.file, (int)a1, target.file, (int)a2, &ev);
    }
    if (epf.file)
        fd_return(epf);
    if (target.file)
        fd_return(target);
    return err;
}

void epoll_file_release_slow(struct file *f)
{
    for (;;) {
        spin_lock(&f->epoll_lock);
        struct epitem *it = list_first_entry_or_null(&f->epolls, struct epitem, file_link);
        struct eventpoll *ep = it ? it->ep : NULL;
        if (ep)
            __atomic_fetch_add(&ep->refs, 1, __ATOMIC_RELAXED);
        spin_unlock(&f->epoll_lock);
        if (!ep)
            return;
        mutex_lock(&ep->mtx);
        spin_lock(&f->epoll_lock);
        it = list_first_entry_or_null(&f->epolls, struct epitem, file_link);
        spin_unlock(&f->epoll_lock);
        if (it && it->ep == ep)
            item_remove(ep, it);
        mutex_unlock(&ep->mtx);
        ep_put(ep);
    }
}

/* ---- the file ---- */
/* Takes what is ready, at most max; hands it to put(ctx). Number of events, or -errno of the first put. ep->mtx held. */
s64 ep_collect(struct eventpoll *ep, u32 max, int (*put)(void *ctx, const struct epoll_event_k *ev),
               void *ctx)
{
    LIST_HEAD(work);
    s64 n = 0;
    u64 flags = spin_lock_irqsave(&ep->lock);
    list_splice_init(&ep->ready, &work);
    while (n < max && n >= 0 && !list_empty(&work)) {
        struct epitem *it = list_first_entry(&work, struct epitem, ready_link);
        list_del_init(&it->ready_link);
        spin_unlock_irqrestore(&ep->lock, flags);
        u32 mask = item_poll(it), events = it->events;
        int err = 0;
        if (mask) {
            struct epoll_event_k ev = {mask, it->data};
            err = put(ctx, &ev);
            if (!err)
                n++;
            else if (!n)
                n = err;
            if (!err && (events & EPOLLONESHOT))
                __atomic_and_fetch(&it->events, EP_PRIVATE, __ATOMIC_SEQ_CST);
        }
        flags = spin_lock_irqsave(&ep->lock);
        bool again = err || (mask && !(events & (EPOLLET | EPOLLONESHOT)));
        if (again && list_empty(&it->ready_link))
            list_add_tail(&it->ready_link, &ep->ready);
        if (err)
            break;
    }
    list_splice_init(&work, &ep->ready);
    bool more = !list_empty(&ep->ready);
    spin_unlock_irqrestore(&ep->lock, flags);
    if (more)
        waitq_wake_one(&ep->wait);
    return n;
}

/* Something to report? Looks at the files, because an entry may have become stale. */
static int count_one(void *ctx, const struct epoll_event_k *ev)
{
    return -EAGAIN; /* puts the item back */
}
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
    struct eventpoll *ep = f->priv;
    poll_wait(pt, &ep->poll_wait);
    if (list_empty(&ep->ready))
        return 0;
    mutex_lock(&ep->mtx);
    s64 n = ep_collect(ep, 1, count_one, NULL);
    mutex_unlock(&ep->mtx);
    return n ? POLL_READABLE : 0;
}

static void epoll_release(struct file *f)
{
    struct eventpoll *ep = f->priv;
    mutex_lock(&ep->mtx);
    for (u32 i = 0; i < ep->nr_buckets; i++)
        while (ep->buckets[i])
            item_remove(ep, ep->buckets[i]);
    mutex_unlock(&ep->mtx);
    ep_put(ep);
}

static void epoll_show(struct file *f, struct seq *s)
{
    struct eventpoll *ep = f->priv;
    mutex_lock(&ep->mtx);
    for (u32 i = 0; i < ep->nr_buckets; i++)
        for (struct epitem *it = ep->buckets[i]; it; it = it->hash_next)
            seq_printf(s, "tfd: %8d events: %8x data: %16lx  pos:%li ino:%lx sdev:%lx\n", it->fd,
                       it->events, it->data, (s64)it->file->pos, it->file->inode->ino,
                       it->file->inode->sb->dev);
    mutex_unlock(&ep->mtx);
}

/* Linux knows two for busy polling of network devices, and refuses all others so. */
static s64 epoll_ioctl(struct file *f, u32 cmd, u64 arg)
{
    return -EINVAL;
}

static const struct file_ops epoll_ops = {
    .lseek = noop_lseek,
    .ioctl = epoll_ioctl,
    .poll = epoll_poll,
    .release = epoll_release,
    .show_fdinfo = epoll_show,
};
struct eventpoll *file_epoll(const struct file *f)
{
    return is_epoll(f) ? f->priv : NULL;
}

static s64 epoll_make(u32 flags)
{
    if (flags & ~O_CLOEXEC)
        return -EINVAL;
    struct eventpoll *ep = kzalloc(sizeof(*ep), GFP_KERNEL);
    if (!ep)
        return -ENOMEM;
    ep->refs = 1;
    mutex_init(&ep->mtx, RANK_NONE);
    spin_init(&ep->lock, RANK_KERNEL_LEAF);
    list_init(&ep->ready);
    waitq_init(&ep->wait);
    waitq_init(&ep->poll_wait);
    ep->buckets = ep->first_buckets;
    ep->nr_buckets = EP_FIRST_BUCKETS;
    ep->user = user_get(current_task()->cred->user);
    struct file *f = file_anon("anon_inode:[eventpoll]", &epoll_ops, ep, O_RDWR);
    if (IS_ERR(f))
        ep_put(ep);
    return fd_publish(f, flags & O_CLOEXEC ? FD_CLOEXEC : 0);
}

SYSCALL(epoll_create)
{
    return (s32)a0 <= 0 ? -EINVAL : epoll_make(0);
}
SYSCALL(epoll_create1)
{
    return epoll_make((u32)a0);
}

/* What a watch costs, for the default: a 25th of memory is for a user's watches. */
#define WATCH_BYTES 192

void poll_boot(void)
{
    sysctl_epoll_user_watches = phys_managed() / 25 * PAGE_SIZE / WATCH_BYTES;
    item_cache = slab_cache_create("eventpoll_epi", sizeof(struct epitem), 64, 0);
    hook_cache = slab_cache_create("eventpoll_pwq", sizeof(struct ephook), 0, 0);
    if (!item_cache || !hook_cache)
        panic("no memory for epoll");
}
