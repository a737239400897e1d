/* SPDX-License-Identifier: MIT */
/*
 * The directory entry cache: answers of directories, positive and negative, by (parent, name).
 *
 *   refs > 0   in use          refs == 0  cached, on the LRU list          refs < 0  being freed
 *
 * D1. A dentry holds a reference to its parent and to its inode.
 * D2. A hashed dentry may be found by anyone without a lock: finders raise refs from >= 0 and then check that it is still hashed.
 *     A finder that races with a change may miss; whoever misses asks again under the directory's lock, so a miss is never wrong.
 * D3. A positive dentry never becomes negative: unlinking drops it from the hash.
 * D4. The inode of a dentry only changes from NULL, under the directory's inode->lock.
 * Locks: dcache_lock (spin) for all writers of hash, LRU, children, parent, name. Memory is freed after a grace period.
 */
#include "internal.h"
#include <mm/phys.h>

spinlock_t dcache_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static struct dentry **dhash;
static u32 dhash_bits = 13;
static struct slab_cache *dentry_cache;
static LIST_HEAD(dentry_lru);
static u64 nr_unused, max_unused;

void dcache_boot(void)
{
    u64 pages = phys_managed();
    while (dhash_bits < 20 && (1UL << dhash_bits) < pages / 8)
        dhash_bits++;
    dhash = kvmalloc(sizeof(*dhash) << dhash_bits, GFP_KERNEL | GFP_ZERO);
    dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 64, SLAB_RECLAIM);
    if (!dhash || !dentry_cache)
        panic("no memory for the dentry cache");
    max_unused = max(pages / 16, 1024UL);
}

u32 dcache_hash(const struct dentry *parent, const char *name, size_t len)
{
    u64 h = (u64)(uptr)parent;
    while (len >= 8) {
        u64 w;
        memcpy(&w, name, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15UL;
        h ^= h >> 32;
        name += 8;
        len -= 8;
    }
    u64 w = len;
    for (size_t i = 0; i < len; i++)
        w = w << 8 | (u8)name[i];
    h = (h ^ w) * 0x9e3779b97f4a7c15UL;
    return (u32)(h >> 32);
}

static struct dentry **dhash_slot(u32 hash)
{
    return &dhash[hash >> (32 - dhash_bits)];
}

static bool dentry_try_get(struct dentry *d)
{
    s32 r = READ_ONCE(d->refs);
    while (r >= 0)
        if (__atomic_compare_exchange_n(&d->refs, &r, r + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash)
{
    rcu_read_lock();
    for (struct dentry *d = load_acquire(dhash_slot(hash)); d; d = load_acquire(&d->hash_next)) {
        if (d->hash != hash || READ_ONCE(d->parent) != parent || d->len != len ||
            memcmp(READ_ONCE(d->name), name, len))
            continue;
        if (!dentry_try_get(d))
            continue;
        if (likely(READ_ONCE(d->flags) & D_HASHED)) {
            rcu_read_unlock();
            if (!(d->flags & D_USED))
                __atomic_fetch_or(&d->flags, D_USED, __ATOMIC_RELAXED);
            return d;
        }
        rcu_read_unlock();
        dentry_put(d);
        return NULL;
    }
    rcu_read_unlock();
    return NULL;
}

static void set_flag(struct dentry *d, u32 f)
{
    __atomic_fetch_or(&d->flags, f, __ATOMIC_RELAXED);
}
static void clear_flag(struct dentry *d, u32 f)
{
    __atomic_fetch_and(&d->flags, ~f, __ATOMIC_RELAXED);
}

static void hash_locked(struct dentry *d)
{
    struct dentry **slot = dhash_slot(d->hash);
    d->hash_next = *slot;
    if (*slot)
        (*slot)->hash_pprev = &d->hash_next;
    d->hash_pprev = slot;
    set_flag(d, D_HASHED);
    store_release(slot, d);
}
static void unhash_locked(struct dentry *d)
{
    if (!(d->flags & D_HASHED))
        return;
    clear_flag(d, D_HASHED);
    store_release(d->hash_pprev, d->hash_next);
    if (d->hash_next)
        d->hash_next->hash_pprev = d->hash_pprev;
}

static bool set_name(struct dentry *d, const char *name, size_t len)
{
    char *p = d->inline_name;
    if (len >= DNAME_INLINE) {
        p = kmalloc(len + 1, GFP_KERNEL);
        if (!p)
            return false;
    }
    memcpy(p, name, len);
    p[len] = 0;
    d->name = p;
    d->len = (u32)len;
    return true;
}

struct dentry *dentry_alloc(struct superblock *sb, struct dentry *parent, const char *name,
                            size_t len)
{
    struct dentry *d = slab_alloc(dentry_cache, GFP_KERNEL | GFP_ZERO);
    if (!d)
        return NULL;
    if (!set_name(d, name, len)) {
        slab_free(dentry_cache, d);
        return NULL;
    }
    d->refs = 1;
    d->sb = sb;
    d->parent = parent ? dentry_get(parent) : d;
    d->hash = dcache_hash(parent, name, len);
    list_init(&d->children);
    list_init(&d->sibling);
    list_init(&d->lru);
    return d;
}

struct dentry *dcache_add(struct dentry *parent, const char *name, size_t len, struct inode *inode)
{
    struct dentry *d = dentry_alloc(parent->sb, parent, name, len);
    if (!d) {
        inode_put(inode);
        return NULL;
    }
    d->inode = inode;
    spin_lock(&dcache_lock);
    list_add(&d->sibling, &parent->children);
    if (inode || !(parent->sb->sflags & SB_NO_NEGATIVE))
        hash_locked(d);
    spin_unlock(&dcache_lock);
    if (unlikely(READ_ONCE(nr_unused) > max_unused))
        dcache_shrink(256);
    return d;
}

void dentry_set_inode(struct dentry *d, struct inode *inode)
{
    ASSERT(!d->inode);
    store_release(&d->inode, inode);
    spin_lock(&dcache_lock);
    if (!(d->flags & (D_HASHED | D_DELETED)))
        hash_locked(d);
    spin_unlock(&dcache_lock);
}

struct dentry *dentry_get(struct dentry *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    return d;
}

static void dentry_free_rcu(struct rcu_head *h)
{
    struct dentry *d = container_of(h, struct dentry, rcu);
    if (d->name != d->inline_name)
        kfree(d->name);
    slab_free(dentry_cache, d);
}

/* d->refs is -1 and d unreachable by new finders. Returns the parent, whose reference the caller must drop. */
static struct dentry *dentry_kill(struct dentry *d)
{
    spin_lock(&dcache_lock);
    unhash_locked(d);
    if (d->flags & D_LRU) {
        list_del_init(&d->lru);
        nr_unused--;
    }
    list_del_init(&d->sibling);
    struct dentry *parent = d->parent != d ? d->parent : NULL;
    spin_unlock(&dcache_lock);
    struct inode *inode = d->inode;
    rcu_call(&d->rcu, dentry_free_rcu);
    inode_put(inode);
    return parent;
}

static bool claim_unused(struct dentry *d)
{
    s32 zero = 0;
    return __atomic_compare_exchange_n(&d->refs, &zero, -1, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

void dentry_put(struct dentry *d)
{
    while (d) {
        u32 flags = READ_ONCE(d->flags);
        bool keep = (flags & D_HASHED) && !(d->sb->sflags & SB_NO_CACHE);
        if (keep && !(flags & D_LRU)) {
            spin_lock(
                &dcache_lock); /* on the list while still referenced: nobody can free it before */
            if (!(d->flags & D_LRU)) {
                set_flag(d, D_LRU);
                list_add_tail(&d->lru, &dentry_lru);
                nr_unused++;
            }
            spin_unlock(&dcache_lock);
        }
        rcu_read_lock(); /* d stays readable after the reference has gone */
        s32 left = __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL);
        ASSERT(left >= 0);
        bool kill = left == 0 && (!keep || !(READ_ONCE(d->flags) & D_HASHED)) && claim_unused(d);
        rcu_read_unlock();
        if (!kill)
            return;
        d = dentry_kill(d);
    }
}

void dentry_drop(struct dentry *d)
{
    spin_lock(&dcache_lock);
    unhash_locked(d);
    spin_unlock(&dcache_lock);
}

void dentry_delete(struct dentry *d)
{
    spin_lock(&dcache_lock);
    unhash_locked(d);
    set_flag(d, D_DELETED);
    spin_unlock(&dcache_lock);
}

/* Takes up to n unused dentries (below parent, or from the LRU list) out and kills them outside of the lock. */
#define KILL_BATCH 32
static unsigned collect_children(struct dentry *parent, struct dentry **out)
{
    unsigned n = 0;
    struct dentry *d;
    list_for_each_entry (d, &parent->children, sibling) {
        if (n < KILL_BATCH && claim_unused(d))
            out[n++] = d;
    }
    return n;
}

/* First descendant of top with children of its own that are unused; depth first without recursion. */
static struct dentry *next_below(struct dentry *d, struct dentry *top)
{
    if (!list_empty(&d->children))
        return list_first_entry(&d->children, struct dentry, sibling);
    while (d != top) {
        if (d->sibling.next != &d->parent->children)
            return list_entry(d->sibling.next, struct dentry, sibling);
        d = d->parent;
    }
    return NULL;
}

void dcache_prune(struct dentry *parent)
{
    struct dentry *batch[KILL_BATCH];
    for (;;) {
        unsigned n = 0;
        spin_lock(&dcache_lock);
        for (struct dentry *d = parent; d && !n; d = next_below(d, parent))
            n = collect_children(d, batch);
        spin_unlock(&dcache_lock);
        if (!n)
            return;
        for (unsigned i = 0; i < n; i++)
            dentry_put(dentry_kill(batch[i]));
    }
}

u64 dcache_unused(void)
{
    return READ_ONCE(nr_unused);
}

u64 dcache_shrink(u64 count)
{
    struct dentry *batch[KILL_BATCH];
    u64 freed = 0;
    while (freed < count) {
        unsigned n = 0;
        spin_lock(&dcache_lock);
        for (unsigned scan = 0; scan < 4 * KILL_BATCH && n < KILL_BATCH && !list_empty(&dentry_lru);
             scan++) {
            struct dentry *d = list_first_entry(&dentry_lru, struct dentry, lru);
            if (d->flags & D_USED) {
                clear_flag(d, D_USED);
                list_rotate(&dentry_lru);
            } else if (claim_unused(d)) {
                batch[n++] = d;
                list_del_init(&d->lru);
                clear_flag(d, D_LRU);
                nr_unused--;
            } else { /* in use: comes back when it is put */
                list_del_init(&d->lru);
                clear_flag(d, D_LRU);
                nr_unused--;
            }
        }
        spin_unlock(&dcache_lock);
        for (unsigned i = 0; i < n; i++)
            dentry_put(dentry_kill(batch[i]));
        freed += n;
        if (!n)
            break;
    }
    return freed;
}

struct old_name {
    struct rcu_head rcu;
    const char *name;
};
static void old_name_free(struct rcu_head *h)
{
    struct old_name *o = container_of(h, struct old_name, rcu);
    kfree(o->name);
    kfree(o);
}

/*
 * Both directories' locks held. When memory for a long name is short, the dentry keeps its old name and can't be found any
 * more, which costs a lookup.
 */
void dentry_move(struct dentry *d, struct dentry *new_parent, const char *name, size_t len)
{
    char *fresh = len >= DNAME_INLINE ? kmalloc(len + 1, GFP_KERNEL) : NULL;
    struct old_name *old = d->name != d->inline_name ? kmalloc(sizeof(*old), GFP_KERNEL) : NULL;
    if ((len >= DNAME_INLINE && !fresh) || (d->name != d->inline_name && !old)) {
        kfree(fresh);
        kfree(old);
        dentry_drop(d);
        return;
    }
    struct dentry *old_parent = d->parent;
    dentry_get(new_parent);
    spin_lock(&dcache_lock);
    unhash_locked(d);
    if (old)
        old->name = d->name;
    char *dst = fresh ? fresh : d->inline_name;
    memcpy(dst, name, len);
    dst[len] = 0;
    WRITE_ONCE(d->name, dst);
    d->len = (u32)len;
    d->hash = dcache_hash(new_parent, name, len);
    list_del(&d->sibling);
    WRITE_ONCE(d->parent, new_parent);
    list_add(&d->sibling, &new_parent->children);
    hash_locked(d);
    spin_unlock(&dcache_lock);
    if (old)
        rcu_call(&old->rcu, old_name_free);
    dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
    size_t al = a->len, bl = b->len;
    char *an = kmalloc(al + 1, GFP_KERNEL), *bn = kmalloc(bl + 1, GFP_KERNEL);
    if (an && bn) {
        memcpy(an, a->name, al);
        memcpy(bn, b->name, bl);
        struct dentry *ap = dentry_get(a->parent), *bp = dentry_get(b->parent);
        dentry_move(a, bp, bn, bl);
        dentry_move(b, ap, an, al);
        dentry_put(ap);
        dentry_put(bp);
    } else {
        dentry_drop(a);
        dentry_drop(b);
    }
    kfree(an);
    kfree(bn);
}

bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
    bool found = false;
    spin_lock(&dcache_lock);
    for (;; d = d->parent) {
        if (d == a) {
            found = true;
            break;
        }
        if (d->parent == d)
            break;
    }
    spin_unlock(&dcache_lock);
    return found;
}
