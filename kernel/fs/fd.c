/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables.
 *
 *   fd_table -> fd_array { file[max], open bits, close-on-exec bits }   grows by replacement; the old one is freed by RCU
 *
 * T1. A bit in open is set while the number is reserved or installed; file[] is non-NULL only when installed.
 * T2. Readers take no lock: they read the array under RCU, raise the file's count from > 0 and look again. Files are of
 *     one type for ever (SLAB_RCU), so that a stale pointer is at worst another file, which the second look finds out.
 * T3. A table with one user is changed by that thread only: it may use a file of its table without counting it (fd_borrow).
 * Lock: t->lock (spin) for writers.
 */
#include "internal.h"
#include "fd.h"
#include <kernel/fd_bits.h>

struct fd_array {
    u32 max;
    struct file **file;
    u64 *open, *cloexec;
    struct rcu_head rcu;
};
struct fd_table {
    s32 refs;
    spinlock_t lock;
    struct fd_array *arr;
    u32 next; /* no free number below */
    struct rcu_head rcu;
};

static struct fd_array *array_alloc(u32 max)
{
    size_t bits = BITMAP_WORDS(max) * 8;
    struct fd_array *a =
        kvmalloc(sizeof(*a) + max * sizeof(struct file *) + 2 * bits, GFP_KERNEL | GFP_ZERO);
    if (!a)
        return NULL;
    a->max = max;
    a->file = (struct file **)(a + 1);
    a->open = (u64 *)(a->file + max);
    a->cloexec = a->open + bits / 8;
    return a;
}
static void array_free_rcu(struct rcu_head *h)
{
    kvfree(container_of(h, struct fd_array, rcu));
}
static void table_free_rcu(struct rcu_head *h)
{
    kfree(container_of(h, struct fd_table, rcu));
}

struct fd_table *fd_table_alloc(void)
{
    struct fd_table *t = kzalloc(sizeof(*t), GFP_KERNEL);
    struct fd_array *a = array_alloc(64);
    if (!t || !a) {
        kfree(t);
        kvfree(a);
        return NULL;
    }
    t->refs = 1;
    spin_init(&t->lock, RANK_KERNEL_LEAF);
    t->arr = a;
    return t;
}

void fd_table_get(struct fd_table *t)
{
    __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

/* Called without the lock; the array may be replaced meanwhile, so the caller looks again. 0 or -ENOMEM. */
static int table_grow(struct fd_table *t, u32 want)
{
    u32 max = (u32)roundup_pow2(max(want, 64u));
    struct fd_array *a = array_alloc(max);
    if (!a)
        return -ENOMEM;
    spin_lock(&t->lock);
    struct fd_array *old = t->arr;
    if (old->max >= max) {
        spin_unlock(&t->lock);
        kvfree(a);
        return 0;
    }
    memcpy(a->file, old->file, old->max * sizeof(struct file *));
    memcpy(a->open, old->open, BITMAP_WORDS(old->max) * 8);
    memcpy(a->cloexec, old->cloexec, BITMAP_WORDS(old->max) * 8);
    store_release(&t->arr, a);
    spin_unlock(&t->lock);
    rcu_call(&old->rcu, array_free_rcu);
    return 0;
}

static bool file_try_get(struct file *f)
{
    s32 r = READ_ONCE(f->refs);
    while (r > 0)
        if (__atomic_compare_exchange_n(&f->refs, &r, r + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

static struct file *table_file(struct fd_table *t, u32 fd)
{
    struct file *f;
    rcu_read_lock();
    for (;;) {
        struct fd_array *a = load_acquire(&t->arr);
        f = fd < a->max ? load_acquire(&a->file[fd]) : NULL;
        if (!f || (file_try_get(f) && likely(READ_ONCE(load_acquire(&t->arr)->file[fd]) == f)))
            break;
        if (f->refs > 0)
            file_put(f);
    }
    rcu_read_unlock();
    return f;
}

struct file *fd_get_any(int fd)
{
    return table_file(current_task()->files, (u32)fd);
}

struct file *fd_get(int fd)
{
    struct file *f = fd_get_any(fd);
    if (f && unlikely(f->mode & FMODE_PATH)) {
        file_put(f);
        return NULL;
    }
    return f;
}

struct fdref fd_borrow_any(int fd)
{
    struct fd_table *t = current_task()->files;
    if (likely(READ_ONCE(t->refs) == 1)) {
        struct fd_array *a = t->arr;
        return (struct fdref){likely((u32)fd < a->max) ? a->file[(u32)fd] : NULL, false};
    }
    struct file *f = table_file(t, (u32)fd);
    return (struct fdref){f, f != NULL};
}

struct fdref fd_borrow(int fd)
{
    struct fdref r = fd_borrow_any(fd);
    if (r.file && unlikely(r.file->mode & FMODE_PATH)) {
        fd_return(r);
        return (struct fdref){NULL, false};
    }
    return r;
}

int fd_reserve(u32 fd_flags, int lowest)
{
    struct fd_table *t = current_task()->files;
    u64 limit = min(rlimit_cur(current_task()->process, RLIMIT_NOFILE), (u64)0x40000000);
    for (;;) {
        spin_lock(&t->lock);
        struct fd_array *a = t->arr;
        u32 from = max((u32)lowest, t->next);
        u32 fd = (u32)bitmap_find_next_zero(a->open, a->max, from);
        if (fd < from)
            fd = from;
        if (fd >= limit) {
            spin_unlock(&t->lock);
            return -EMFILE;
        }
        if (fd < a->max) {
            fd_bits_take(a->open, a->cloexec, fd, fd_flags & FD_CLOEXEC);
            if ((u32)lowest <= t->next)
                t->next = fd + 1;
            spin_unlock(&t->lock);
            return (int)fd;
        }
        spin_unlock(&t->lock);
        if (table_grow(t, fd + 1))
            return -ENOMEM;
    }
}

void fd_install(int fd, struct file *f)
{
    struct fd_table *t = current_task()->files;
    spin_lock(&t->lock);
    ASSERT(!t->arr->file[fd]);
    store_release(&t->arr->file[fd], f);
    spin_unlock(&t->lock);
}

static void release_number(struct fd_table *t, u32 fd)
{
    fd_bits_give(t->arr->open, t->arr->cloexec, fd);
    if (fd < t->next)
        t->next = fd;
}

void fd_unreserve(int fd)
{
    struct fd_table *t = current_task()->files;
    spin_lock(&t->lock);
    release_number(t, (u32)fd);
    spin_unlock(&t->lock);
}

int fd_alloc(struct file *f, u32 fd_flags, int lowest)
{
    int fd = fd_reserve(fd_flags, lowest);
    if (fd >= 0)
        fd_install(fd, f);
    return fd;
}

static void file_closed(struct fd_table *t, struct file *f)
{
    if (f->ops && f->ops->flush)
        f->ops->flush(f);
    if (f->inode && unlikely(f->inode->locks))
        locks_close(f, t);
    file_put(f);
}

int fd_close(int fd)
{
    struct fd_table *t = current_task()->files;
    spin_lock(&t->lock);
    struct fd_array *a = t->arr;
    struct file *f = (u32)fd < a->max ? a->file[fd] : NULL;
    if (f) {
        store_release(&a->file[fd], NULL);
        release_number(t, (u32)fd);
    }
    spin_unlock(&t->lock);
    if (!f)
        return -EBADF;
    file_closed(t, f);
    return 0;
}

/* dup2, dup3: fd becomes f, whose reference is taken over; what was there is closed. */
int fd_replace(int fd, struct file *f, u32 fd_flags)
{
    struct fd_table *t = current_task()->files;
    if ((u32)fd >= rlimit_cur(current_task()->process, RLIMIT_NOFILE))
        return -EBADF;
    if ((u32)fd >= t->arr->max && table_grow(t, (u32)fd + 1))
        return -ENOMEM;
    spin_lock(&t->lock);
    struct fd_array *a = t->arr;
    struct file *old = a->file[fd];
    if (!old && test_bit((u32)fd, a->open)) { /* another thread is about to install there */
        spin_unlock(&t->lock);
        return -EBUSY;
    }
    fd_bits_take(a->open, a->cloexec, (u32)fd, fd_flags & FD_CLOEXEC);
    store_release(&a->file[fd], f);
    spin_unlock(&t->lock);
    if (old)
        file_closed(t, old);
    return fd;
}

/* Flags of an open descriptor (FD_CLOEXEC or 0), -EBADF. set >= 0: new flags. */
int fd_flags(int fd, int set)
{
    struct fd_table *t = current_task()->files;
    int ret = -EBADF;
    spin_lock(&t->lock);
    struct fd_array *a = t->arr;
    if ((u32)fd < a->max && a->file[fd]) {
        ret = test_bit((u32)fd, a->cloexec) ? FD_CLOEXEC : 0;
        if (set >= 0)
            fd_bits_take(a->open, a->cloexec, (u32)fd, (u32)set & FD_CLOEXEC);
    }
    spin_unlock(&t->lock);
    return ret;
}

/* Close-on-exec bit of another thread's descriptor, for fdinfo. */
bool fd_table_cloexec(struct task *task, int fd)
{
    bool ret = false;
    rcu_read_lock();
    struct fd_table *t = READ_ONCE(task->files);
    if (t) {
        struct fd_array *a = load_acquire(&t->arr);
        ret = (u32)fd < a->max && test_bit((u32)fd, a->cloexec);
    }
    rcu_read_unlock();
    return ret;
}

/* Closes or marks [first, last]. */
void fd_range(u32 first, u32 last, bool mark_cloexec)
{
    struct fd_table *t = current_task()->files;
    for (u32 fd = first; fd <= last && fd < READ_ONCE(t->arr)->max; fd++) {
        spin_lock(&t->lock);
        fd = (u32)bitmap_find_next_set(t->arr->open, t->arr->max, fd);
        bool end = fd > last || fd >= t->arr->max;
        if (!end && mark_cloexec)
            set_bit(fd, t->arr->cloexec);
        spin_unlock(&t->lock);
        if (end)
            return;
        if (!mark_cloexec)
            fd_close((int)fd);
    }
}

struct fd_table *fd_table_copy(struct fd_table *old)
{
    struct fd_table *t = fd_table_alloc();
    if (!t)
        return NULL;
    for (;;) {
        if (READ_ONCE(old->arr)->max > t->arr->max && table_grow(t, READ_ONCE(old->arr)->max)) {
            fd_table_put(t);
            return NULL;
        }
        spin_lock(&old->lock);
        if (old->arr->max <= t->arr->max)
            break;
        spin_unlock(&old->lock);
    }
    struct fd_array *a = old->arr;
    u64 fd;
    for_each_set_bit(fd, a->open, a->max)
    {
        if (!a->file[fd])
            continue; /* only reserved */
        t->arr->file[fd] = file_get(a->file[fd]);
        fd_bits_take(t->arr->open, t->arr->cloexec, fd, test_bit(fd, a->cloexec));
    }
    t->next = 0;
    spin_unlock(&old->lock);
    return t;
}

void fd_table_put(struct fd_table *t)
{
    if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    struct fd_array *a = t->arr;
    u64 fd;
    for_each_set_bit(fd, a->open, a->max)
    {
        struct file *f = a->file[fd];
        if (!f)
            continue;
        store_release(&a->file[fd], NULL);
        file_closed(t, f);
    }
    rcu_call(&a->rcu, array_free_rcu);
    rcu_call(&t->rcu, table_free_rcu);
}

void fd_table_close_on_exec(struct fd_table *t)
{
    for (u64 fd = 0;;) {
        spin_lock(&t->lock);
        struct fd_array *a = t->arr;
        fd = bitmap_find_next_set(a->cloexec, a->max, fd);
        struct file *f = NULL;
        bool end = fd >= a->max;
        if (!end) {
            f = a->file[fd];
            store_release(&a->file[fd], NULL);
            release_number(t, (u32)fd);
        }
        spin_unlock(&t->lock);
        if (end)
            return;
        if (f)
            file_closed(t, f);
    }
}

int fd_table_unshare(struct task *task)
{
    struct fd_table *old = task->files;
    if (READ_ONCE(old->refs) == 1)
        return 0;
    struct fd_table *t = fd_table_copy(old);
    if (!t)
        return -ENOMEM;
    store_release(&task->files, t);
    fd_table_put(old);
    return 0;
}

/* A table that can't go away: a reference, or NULL. */
static struct fd_table *table_of(struct task *task)
{
    rcu_read_lock();
    struct fd_table *t = load_acquire(&task->files);
    if (t) {
        s32 r = READ_ONCE(t->refs);
        while (r > 0 && !__atomic_compare_exchange_n(&t->refs, &r, r + 1, true, __ATOMIC_ACQUIRE,
                                                     __ATOMIC_RELAXED))
            ;
        if (r <= 0)
            t = NULL;
    }
    rcu_read_unlock();
    return t;
}

struct file *fd_table_file(struct task *task, int fd)
{
    if (task == current_task())
        return fd_get_any(fd);
    struct fd_table *t = table_of(task);
    if (!t)
        return NULL;
    struct file *f = table_file(t, (u32)fd);
    fd_table_put(t);
    return f;
}

int fd_table_next(struct task *task, int from)
{
    int ret = -1;
    rcu_read_lock();
    struct fd_table *t = load_acquire(&task->files);
    if (t) {
        struct fd_array *a = load_acquire(&t->arr);
        for (u64 fd = (u64)from; (fd = bitmap_find_next_set(a->open, a->max, fd)) < a->max; fd++) {
            if (READ_ONCE(a->file[fd])) {
                ret = (int)fd;
                break;
            }
        }
    }
    rcu_read_unlock();
    return ret;
}
