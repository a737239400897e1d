/* SPDX-License-Identifier: MIT */
/*
 * Inodes: life, the table by number, time stamps, attributes.
 *
 *   inode_alloc -> refs 1 -> ... -> inode_put of the last: evict, off the table, freed after a grace period
 *
 * I1. refs > 0 while anybody uses the inode; the table gives only inodes of refs > 0.
 * I2. The struct stays readable for an RCU grace period after its end (path walk reads mode and owner without a reference).
 * Locks: a bucket lock of the table; sb->inodes_lock. Entry points: inode_alloc, inode_find, inode_hash, inode_put.
 */
#include "internal.h"

#define IHASH_BITS  12
#define IHASH_LOCKS 64
static struct inode *ihash[1u << IHASH_BITS];
static spinlock_t ihash_lock[IHASH_LOCKS];
static struct slab_cache *inode_cache;
static const struct mapping_ops no_pages; /* of inodes whose contents are not cached */

void inode_boot(void)
{
    for (unsigned i = 0; i < IHASH_LOCKS; i++)
        spin_init(&ihash_lock[i], RANK_KERNEL_LEAF);
    inode_cache = slab_cache_create("inode_cache", sizeof(struct inode), 64, SLAB_RECLAIM);
    if (!inode_cache)
        panic("no memory for the inode cache");
}

static unsigned ihash_bucket(const struct superblock *sb, u64 ino)
{
    return (unsigned)hash_u64(ino ^ mix64((u64)(uptr)sb), IHASH_BITS);
}

void inode_touch(struct inode *i, u32 which)
{
    struct timespec_k now = time_now();
    if (which & ATTR_ATIME)
        i->atime = now;
    if (which & ATTR_MTIME)
        i->mtime = now;
    if (which & ATTR_CTIME)
        i->ctime = now;
}

struct inode *inode_alloc(struct superblock *sb, u32 mode, const struct mapping_ops *mops,
                          u32 as_flags)
{
    struct inode *i = slab_alloc(inode_cache, GFP_KERNEL | GFP_ZERO);
    if (!i)
        return NULL;
    struct cred *c = current_task() ? current_task()->cred : NULL;
    i->refs = 1;
    i->mode = mode;
    i->nlink = 1;
    i->uid = c ? c->fsuid : 0;
    i->gid = c ? c->fsgid : 0;
    i->sb = sb;
    i->atime = i->mtime = i->ctime = i->btime = time_now();
    mutex_init(&i->lock, RANK_NONE);
    mapping_init(&i->mapping, mops ? mops : &no_pages, i, as_flags);
    spin_lock(&sb->inodes_lock);
    i->ino = ++sb->next_ino;
    list_add_tail(&i->sb_link, &sb->inodes);
    spin_unlock(&sb->inodes_lock);
    return i;
}

struct inode *inode_get(struct inode *i)
{
    __atomic_fetch_add(&i->refs, 1, __ATOMIC_RELAXED);
    return i;
}

static void inode_free_rcu(struct rcu_head *h)
{
    slab_free(inode_cache, container_of(h, struct inode, rcu));
}

void inode_put(struct inode *i)
{
    if (!i || __atomic_sub_fetch(&i->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (i->locks)
        locks_inode_free(i);
    if (i->watches)
        inotify_inode_free(i);
    if (i->ipc)
        ipc_inode_evict(i);
    if (i->ops && i->ops->evict)
        i->ops->evict(i);
    inode_unhash(i);
    mapping_destroy(&i->mapping);
    spin_lock(&i->sb->inodes_lock);
    list_del(&i->sb_link);
    spin_unlock(&i->sb->inodes_lock);
    rcu_call(&i->rcu, inode_free_rcu);
}

bool inode_try_get(struct inode *i)
{
    s32 r = READ_ONCE(i->refs);
    while (r > 0)
        if (__atomic_compare_exchange_n(&i->refs, &r, r + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

static struct inode *ihash_get(unsigned b, struct superblock *sb, u64 ino)
{
    for (struct inode *i = ihash[b]; i; i = i->hash_next)
        if (i->ino == ino && i->sb == sb && inode_try_get(i))
            return i;
    return NULL;
}

struct inode *inode_find(struct superblock *sb, u64 ino)
{
    unsigned b = ihash_bucket(sb, ino);
    spin_lock(&ihash_lock[b % IHASH_LOCKS]);
    struct inode *i = ihash_get(b, sb, ino);
    spin_unlock(&ihash_lock[b % IHASH_LOCKS]);
    return i;
}

struct inode *inode_hash(struct inode *inode)
{
    unsigned b = ihash_bucket(inode->sb, inode->ino);
    spin_lock(&ihash_lock[b % IHASH_LOCKS]);
    struct inode *other = ihash_get(b, inode->sb, inode->ino);
    if (!other) {
        inode->hash_next = ihash[b];
        ihash[b] = inode;
        inode->state |= I_HASHED;
    }
    spin_unlock(&ihash_lock[b % IHASH_LOCKS]);
    if (!other)
        return inode;
    inode_put(inode);
    return other;
}

void inode_unhash(struct inode *inode)
{
    if (!(inode->state & I_HASHED))
        return;
    unsigned b = ihash_bucket(inode->sb, inode->ino);
    spin_lock(&ihash_lock[b % IHASH_LOCKS]);
    struct inode **pp = &ihash[b];
    while (*pp && *pp != inode)
        pp = &(*pp)->hash_next;
    if (*pp)
        *pp = inode->hash_next;
    inode->state &= ~I_HASHED;
    spin_unlock(&ihash_lock[b % IHASH_LOCKS]);
}

void setattr_copy(struct inode *inode, u32 valid, const struct kstat *st)
{
    if (valid & ATTR_UID)
        inode->uid = st->uid;
    if (valid & ATTR_GID)
        inode->gid = st->gid;
    if (valid & ATTR_MODE)
        inode->mode = (inode->mode & S_IFMT) | (st->mode & 07777);
    if (valid & ATTR_ATIME)
        inode->atime = st->atime;
    if (valid & ATTR_MTIME)
        inode->mtime = st->mtime;
    inode->ctime = (valid & ATTR_CTIME) ? st->ctime : time_now();
}

bool in_group(u32 gid)
{
    const struct cred *c = current_task()->cred;
    if (c->fsgid == gid)
        return true;
    for (u32 i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return false;
}

bool cap_owner(const struct inode *inode)
{
    return current_task()->cred->fsuid == inode->uid || capable(CAP_FOWNER);
}

/* The class of bits that applies to the caller decides alone; then capabilities. */
static int mode_permission(struct inode *inode, u32 mask)
{
    u32 mode = READ_ONCE(inode->mode), bits = mode;
    if (current_task()->cred->fsuid == inode->uid)
        bits >>= 6;
    else if ((mode & 070) && in_group(inode->gid))
        bits >>= 3;
    else if (!(mode & 070) && ((mode ^ (mode >> 3)) & 7) && in_group(inode->gid))
        bits >>= 3;
    if ((mask & ~bits & 7) == 0)
        return 0;
    if (S_ISDIR(mode)) {
        if (!(mask & W_OK) && capable(CAP_DAC_READ_SEARCH))
            return 0;
        return capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
    }
    if (mask == R_OK && capable(CAP_DAC_READ_SEARCH))
        return 0;
    if ((!(mask & X_OK) || (mode & 0111)) && capable(CAP_DAC_OVERRIDE))
        return 0;
    return -EACCES;
}

int inode_permission(struct inode *inode, u32 mask)
{
    if ((mask & W_OK) && (inode->sb->flags & MS_RDONLY) &&
        (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
        return -EROFS;
    if (unlikely(inode->ops && inode->ops->permission))
        return inode->ops->permission(inode, mask);
    return mode_permission(inode, mask);
}
