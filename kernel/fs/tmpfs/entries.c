/* SPDX-License-Identifier: MIT */
/*
 * The names of one tmpfs directory: a hash table that grows, and the same entries by cookie, in the order in which they were
 * made, so that reading a directory stays right while names come and go.
 *
 * E1. An entry holds a reference to its inode.
 * E2. Cookies only grow; 0 and 1 are "." and "..".
 * Lock: the directory's inode->lock.
 */
#include "tmpfs.h"
#include <lib/xarray.h>

struct entry {
    struct entry *next;
    u64 cookie, hash;
    struct inode *inode;
    u32 len;
    char name[];
};
struct tdir {
    struct entry **bucket;
    u64 mask, count, next_cookie;
    struct xarray by_cookie;
    struct tdir *work; /* tdir_free */
};

static void *node_alloc(void)
{
    return kmalloc(sizeof(struct xa_node), GFP_KERNEL);
}
static void
node_free(void *node) /* all access is under the directory's lock: nobody looks any more */
{
    kfree(node);
}
static const struct xa_ops cookie_ops = {.alloc = node_alloc, .free_rcu = node_free};

struct tdir *tdir_alloc(void)
{
    struct tdir *d = kzalloc(sizeof(*d), GFP_KERNEL);
    if (!d)
        return NULL;
    d->mask = 7;
    d->bucket = kzalloc(8 * sizeof(*d->bucket), GFP_KERNEL);
    if (!d->bucket) {
        kfree(d);
        return NULL;
    }
    d->next_cookie = 2;
    xa_init(&d->by_cookie, &cookie_ops);
    return d;
}

static struct entry **find_slot(struct tdir *d, const char *name, size_t len, u64 hash)
{
    struct entry **pp = &d->bucket[hash & d->mask];
    while (*pp && ((*pp)->hash != hash || (*pp)->len != len || memcmp((*pp)->name, name, len)))
        pp = &(*pp)->next;
    return pp;
}

struct inode *tdir_find(struct tdir *d, const char *name, size_t len)
{
    struct entry *e = *find_slot(d, name, len, hash_bytes(name, len));
    return e ? e->inode : NULL;
}

static void grow(struct tdir *d)
{
    u64 mask = d->mask * 4 + 3;
    struct entry **b = kvmalloc((mask + 1) * sizeof(*b), GFP_KERNEL | GFP_ZERO);
    if (!b)
        return; /* longer chains, nothing worse */
    for (u64 i = 0; i <= d->mask; i++) {
        for (struct entry *e = d->bucket[i], *next; e; e = next) {
            next = e->next;
            e->next = b[e->hash & mask];
            b[e->hash & mask] = e;
        }
    }
    kvfree(d->bucket);
    d->bucket = b;
    d->mask = mask;
}

int tdir_insert(struct tdir *d, const char *name, size_t len, struct inode *inode)
{
    if (d->count > 2 * d->mask)
        grow(d);
    struct entry *e = kmalloc(sizeof(*e) + len, GFP_KERNEL);
    if (!e)
        return -ENOMEM;
    e->hash = hash_bytes(name, len);
    e->inode = inode;
    e->len = (u32)len;
    e->cookie = d->next_cookie;
    memcpy(e->name, name, len);
    if (xa_store(&d->by_cookie, e->cookie, e, NULL)) {
        kfree(e);
        return -ENOMEM;
    }
    struct entry **slot = &d->bucket[e->hash & d->mask];
    e->next = *slot;
    *slot = e;
    d->next_cookie++;
    d->count++;
    return 0;
}

struct inode *tdir_remove(struct tdir *d, const char *name, size_t len)
{
    struct entry **pp = find_slot(d, name, len, hash_bytes(name, len)), *e = *pp;
    if (!e)
        return NULL;
    *pp = e->next;
    xa_erase(&d->by_cookie, e->cookie);
    d->count--;
    struct inode *i = e->inode;
    kfree(e);
    return i;
}

struct inode *tdir_replace(struct tdir *d, const char *name, size_t len, struct inode *inode)
{
    struct entry *e = *find_slot(d, name, len, hash_bytes(name, len));
    if (!e)
        return NULL;
    struct inode *old = e->inode;
    e->inode = inode;
    return old;
}

u64 tdir_count(const struct tdir *d)
{
    return d->count;
}

struct inode *tdir_next(struct tdir *d, u64 *cookie, const char **name, size_t *len)
{
    struct entry *e = xa_find(&d->by_cookie, cookie, U64_MAX);
    if (!e)
        return NULL;
    *name = e->name;
    *len = e->len;
    return e->inode;
}

/* Subdirectories that nobody else holds are emptied here too, on a list: no recursion, however deep the tree. */
void tdir_free(struct tdir *d)
{
    struct tdir *work = d;
    d->work = NULL;
    while (work) {
        d = work;
        work = d->work;
        for (u64 i = 0; i <= d->mask; i++) {
            for (struct entry *e = d->bucket[i], *next; e; e = next) {
                next = e->next;
                struct tnode *t = tnode(e->inode);
                if (t->dir && READ_ONCE(e->inode->refs) == 1) {
                    t->dir->work = work;
                    work = t->dir;
                    t->dir = NULL;
                }
                inode_put(e->inode);
                kfree(e);
            }
        }
        xa_destroy(&d->by_cookie);
        kvfree(d->bucket);
        kfree(d);
    }
}
