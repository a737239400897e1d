/* SPDX-License-Identifier: MIT */
/*
 * Pipes: the ring and the file operations. Picture in kernel/pipe.h.
 *
 *   write  fills up the page of the last slot when all of the odd rest fits (so PIPE_BUF bytes stay in one piece), then
 *          takes a fresh page per slot; sleeps on wr_wait while no slot is free
 *   read   empties slots from the tail; sleeps on rd_wait while there are none and a writer is left
 *
 * P1. 0 < slot.len and slot.off + slot.len <= PAGE_SIZE in slots [tail, head).
 * P2. Who is woken alone (wake_one) passes the wake-up on when it leaves data or room behind.
 * P3. inode->ipc is the pipe while nr_files > 0; nr_files changes under inode->lock.
 *
 * Locks: inode->lock (life), then pipe->lock.
 */
#include "ipc.h"
#include <kernel/pipe.h>
#include <kernel/poll.h>
#include <mm/phys.h>
#include <mm/slab.h>
#include <port/log.h>

static struct slab_cache *pipe_cache;

static inline struct pipe_buf *slot_of(struct pipe *p, u32 n)
{
    return &p->slots[n & (p->nr_slots - 1)];
}
static inline bool pipe_empty(const struct pipe *p)
{
    return READ_ONCE(p->head) == READ_ONCE(p->tail);
}
static inline bool pipe_full(const struct pipe *p)
{
    return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->nr_slots);
}

/* ---- what a user's pipes may hold ---- */
u64 sysctl_pipe_user_pages_soft = 16384, sysctl_pipe_user_pages_hard;

#define PIPE_POOR_SLOTS 2u /* of who is over the soft limit */

/* Has u, who has no privilege, more slots than limit? */
static bool over(const struct user *u, u64 limit)
{
    return unlikely(limit && (u64)READ_ONCE(u->pipe_pages) > limit) && !capable(CAP_SYS_RESOURCE) &&
           !capable(CAP_SYS_ADMIN);
}

static void charge(struct user *u, s64 slots)
{
    __atomic_fetch_add(&u->pipe_pages, slots, __ATOMIC_RELAXED);
}

bool pipe_charge(struct pipe *p, u32 slots)
{
    s64 more = (s64)slots - p->charged;
    charge(p->user, more);
    if (more > 0 && (over(p->user, READ_ONCE(sysctl_pipe_user_pages_soft)) ||
                     over(p->user, READ_ONCE(sysctl_pipe_user_pages_hard)))) {
        charge(p->user, -more);
        return false;
    }
    p->charged = slots;
    return true;
}

/* Charges a new pipe of *slots, fewer when u has many. */
static bool charge_new(struct user *u, u32 *slots)
{
    charge(u, *slots);
    if (over(u, READ_ONCE(sysctl_pipe_user_pages_soft))) {
        charge(u, (s64)PIPE_POOR_SLOTS - *slots);
        *slots = PIPE_POOR_SLOTS;
    }
    return !over(u, READ_ONCE(sysctl_pipe_user_pages_hard));
}

static void uncharge(struct user *u, u32 slots)
{
    charge(u, -(s64)slots);
    user_put(u);
}

struct pipe *pipe_alloc(void)
{
    struct user *u = user_get(current_task()->cred->user);
    u32 slots = PIPE_DEF_SLOTS;
    if (!charge_new(u, &slots)) {
        uncharge(u, slots);
        return ERR_PTR(-ENFILE);
    }
    struct pipe *p = slab_alloc(pipe_cache, GFP_KERNEL | GFP_ZERO);
    if (!p) {
        uncharge(u, slots);
        return ERR_PTR(-ENFILE); /* as Linux says it */
    }
    p->user = u;
    p->charged = slots;
    mutex_init(&p->lock, RANK_NONE);
    p->nr_slots = slots;
    p->slots = p->inline_slots;
    waitq_init(&p->rd_wait);
    waitq_init(&p->wr_wait);
    return p;
}

void pipe_free(struct pipe *p)
{
    for (; p->tail != p->head; p->tail++)
        page_put(slot_of(p, p->tail)->page);
    for (unsigned i = 0; i < PIPE_SPARE; i++)
        if (p->spare[i])
            page_put(p->spare[i]);
    if (p->slots != p->inline_slots)
        kvfree(p->slots);
    uncharge(p->user, p->charged);
    slab_free(pipe_cache, p);
}

struct page *pipe_page_alloc(struct pipe *p)
{
    for (unsigned i = 0; i < PIPE_SPARE; i++) {
        struct page *page = p->spare[i];
        if (page) {
            p->spare[i] = NULL;
            return page;
        }
    }
    return alloc_page(GFP_KERNEL);
}

void pipe_page_put(struct pipe *p, struct page *page)
{
    if (page_refs(page) == 1)
        for (unsigned i = 0; i < PIPE_SPARE; i++)
            if (!p->spare[i]) {
                p->spare[i] = page;
                return;
            }
    page_put(page);
}

s64 pipe_wait_readable(struct pipe *p, bool nonblock)
{
    while (p->head == p->tail) {
        if (!p->writers)
            return 0;
        if (nonblock)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        int err = waitq_wait_interruptible(&p->rd_wait, !pipe_empty(p) || !READ_ONCE(p->writers));
        mutex_lock(&p->lock);
        if (err)
            return err;
    }
    return 1;
}

s64 pipe_wait_room(struct pipe *p, bool nonblock)
{
    for (;;) {
        if (!p->readers) {
            signal_send_task(current_task(), SIGPIPE);
            return -EPIPE;
        }
        if (p->head - p->tail < p->nr_slots)
            return 1;
        if (nonblock)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        waitq_wake_one(&p->rd_wait);
        int err = waitq_wait_interruptible(&p->wr_wait, !pipe_full(p) || !READ_ONCE(p->readers));
        mutex_lock(&p->lock);
        if (err)
            return err;
    }
}

static ssize_t pipe_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct pipe *p = f->priv;
    size_t done = 0;
    bool freed = false;
    if (unlikely(!n))
        return 0;
    mutex_lock(&p->lock);
    s64 ret = 1;
    if (p->head == p->tail)
        ret = pipe_wait_readable(p, f->flags & O_NONBLOCK);
    while (ret > 0 && done < n && p->head != p->tail) {
        struct pipe_buf *b = slot_of(p, p->tail);
        size_t part = min((size_t)b->len, n - done);
        if (unlikely(buf_put(buf, done, (u8 *)page_to_virt(b->page) + b->off, part))) {
            ret = -EFAULT;
            break;
        }
        bool packet = b->flags & PIPE_BUF_PACKET;
        done += part;
        b->off += part;
        b->len -= part;
        if (!b->len || packet) {
            pipe_page_put(p, b->page);
            WRITE_ONCE(p->tail, p->tail + 1);
            freed = true;
            if (packet)
                break;
        }
    }
    bool more = p->head != p->tail;
    mutex_unlock(&p->lock);
    if (freed)
        waitq_wake_one(&p->wr_wait);
    if (more)
        waitq_wake_one(&p->rd_wait);
    return done ? (ssize_t)done : ret < 0 ? ret : 0;
}

/* Puts n bytes behind those of the last slot, if they fit wholly. True when it did; *err is set on a fault. */
static bool pipe_append(struct pipe *p, const struct iobuf *buf, size_t n, s64 *err)
{
    struct pipe_buf *b = slot_of(p, p->head - 1);
    if ((b->flags & (PIPE_BUF_PACKET | PIPE_BUF_SHARED)) || b->off + b->len + n > PAGE_SIZE)
        return false;
    if (buf_get(buf, 0, (u8 *)page_to_virt(b->page) + b->off + b->len, n)) {
        *err = -EFAULT;
        return false;
    }
    b->len += n;
    return true;
}

static ssize_t pipe_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct pipe *p = f->priv;
    size_t done = 0, odd = n & (PAGE_SIZE - 1);
    u32 packet = unlikely(f->flags & O_DIRECT) ? PIPE_BUF_PACKET : 0;
    s64 ret = 0;
    if (unlikely(!n))
        return 0;
    mutex_lock(&p->lock);
    if (p->head != p->tail && odd && !packet && p->readers && pipe_append(p, buf, odd, &ret))
        done = odd;
    while (done < n && ret >= 0) {
        ret = 1;
        if (unlikely(!p->readers || p->head - p->tail >= p->nr_slots))
            ret = pipe_wait_room(p, f->flags & O_NONBLOCK);
        if (ret < 0)
            break;
        struct page *page = pipe_page_alloc(p);
        size_t part = min(n - done, (size_t)PAGE_SIZE);
        if (unlikely(!page)) {
            ret = -ENOMEM;
            break;
        }
        if (unlikely(buf_get(buf, done, page_to_virt(page), part))) {
            pipe_page_put(p, page);
            ret = -EFAULT;
            break;
        }
        *slot_of(p, p->head) = (struct pipe_buf){page, 0, (u32)part, packet};
        WRITE_ONCE(p->head, p->head + 1);
        done += part;
    }
    bool room = p->head - p->tail < p->nr_slots;
    mutex_unlock(&p->lock);
    if (done)
        waitq_wake_one(&p->rd_wait);
    if (room)
        waitq_wake_one(&p->wr_wait);
    return done ? (ssize_t)done : ret;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->priv;
    u32 mask = 0;
    if (f->mode & FMODE_READ)
        poll_wait(pt, &p->rd_wait);
    if (f->mode & FMODE_WRITE)
        poll_wait(pt, &p->wr_wait);
    if (f->mode & FMODE_READ) {
        if (!pipe_empty(p))
            mask |= POLL_READABLE;
        if (!READ_ONCE(p->writers) && f->scratch[0] != READ_ONCE(p->w_count))
            mask |= EPOLLHUP;
    }
    if (f->mode & FMODE_WRITE) {
        if (!pipe_full(p))
            mask |= POLL_WRITABLE;
        if (!READ_ONCE(p->readers))
            mask |= EPOLLERR;
    }
    return mask;
}

static s64 pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct pipe *p = f->priv;
    if (cmd != FIONREAD)
        return -ENOIOCTLCMD;
    s32 bytes = 0;
    mutex_lock(&p->lock);
    for (u32 i = p->tail; i != p->head; i++)
        bytes += (s32)slot_of(p, i)->len;
    mutex_unlock(&p->lock);
    return copy_to_user(arg, &bytes, sizeof(bytes)) ? -EFAULT : 0;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->priv;
    struct inode *inode = f->inode;
    mutex_lock(&inode->lock);
    mutex_lock(&p->lock);
    if (f->mode & FMODE_READ)
        p->readers--;
    if (f->mode & FMODE_WRITE)
        p->writers--;
    mutex_unlock(&p->lock);
    bool last = --p->nr_files == 0;
    if (last)
        inode->ipc = NULL;
    mutex_unlock(&inode->lock);
    if (last) {
        pipe_free(p);
        return;
    }
    waitq_wake_all(&p->rd_wait);
    waitq_wake_all(&p->wr_wait);
}

const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .lseek = no_lseek,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

struct pipe *file_pipe(const struct file *f)
{
    return f->ops == &pipe_ops ? f->priv : NULL;
}

void pipe_boot(void)
{
    pipe_cache = slab_cache_create("pipe", sizeof(struct pipe), 64, 0);
    if (!pipe_cache)
        panic("no memory for pipes");
}
