/* SPDX-License-Identifier: MIT */
/* tmpfs: extended attributes, a short list per inode. Lock: inode->lock for changes and, here, for reading. */
#include "tmpfs.h"

static struct txattr **find(struct inode *i, const char *name)
{
    struct txattr **pp = &tnode(i)->xattrs;
    while (*pp && !str_eq((*pp)->name, name))
        pp = &(*pp)->next;
    return pp;
}

ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
    if (!READ_ONCE(tnode(i)->xattrs))
        return -ENODATA;
    mutex_lock(&i->lock);
    struct txattr *x = *find(i, name);
    ssize_t n = x ? (ssize_t)x->size : -ENODATA;
    if (n > 0 && size) {
        if (size < x->size)
            n = -ERANGE;
        else
            memcpy(buf, x->value, x->size);
    }
    mutex_unlock(&i->lock);
    return n;
}

ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
    ssize_t n = 0;
    mutex_lock(&i->lock);
    for (struct txattr *x = tnode(i)->xattrs; x; x = x->next) {
        size_t len = str_len(x->name) + 1;
        if (str_starts(x->name, "trusted.") && !capable(CAP_SYS_ADMIN))
            continue;
        if (size && (size_t)n + len > size) {
            n = -ERANGE;
            break;
        }
        if (size)
            memcpy(buf + n, x->name, len);
        n += (ssize_t)len;
    }
    mutex_unlock(&i->lock);
    return n;
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, u32 flags)
{
    struct txattr **pp = find(i, name), *old = *pp;
    if (old && (flags & 1))
        return -EEXIST;
    if (!old && (flags & 2))
        return -ENODATA;
    size_t len = str_len(name) + 1;
    struct txattr *x = kvmalloc(sizeof(*x) + size + len, GFP_KERNEL);
    if (!x)
        return -ENOMEM;
    x->size = size;
    x->name = (char *)x->value + size;
    if (size)
        memcpy(x->value, value, size);
    memcpy(x->name, name, len);
    x->next = old ? old->next : NULL;
    *pp = x;
    kvfree(old);
    inode_touch(i, ATTR_CTIME);
    return 0;
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
    struct txattr **pp = find(i, name), *x = *pp;
    if (!x)
        return -ENODATA;
    *pp = x->next;
    kvfree(x);
    inode_touch(i, ATTR_CTIME);
    return 0;
}

void tmpfs_free_xattrs(struct txattr *x)
{
    while (x) {
        struct txattr *next = x->next;
        kvfree(x);
        x = next;
    }
}
