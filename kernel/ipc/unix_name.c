/* SPDX-License-Identifier: MIT */
/*
 * Names of UNIX sockets.
 *
 *   path       sun_path begins with a character: a node of type S_IFSOCK; inode->ipc is the socket while it is bound
 *   abstract   sun_path begins with NUL: all len bytes are the name, kept in a hash; gone with the socket; each type of
 *              socket has names of its own
 *   autobind   bind() with the family alone: abstract, five hex digits
 *
 * All under unix_mutex.
 */
#include "unix.h"
#include <lib/fmt.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>

#define HASH_BITS 8
static struct uaddr *abstract[1u << HASH_BITS];
static u32 autobind_next;

static struct uaddr **bucket(const struct sockaddr_un_k *name, u32 len)
{
    return &abstract[hash_bytes(name, len) & ((1u << HASH_BITS) - 1)];
}

static struct uaddr *abstract_find(const struct sockaddr_un_k *name, u32 len, int type)
{
    for (struct uaddr *a = *bucket(name, len); a; a = a->hash_next)
        if (a->len == len && a->sock->type == type && !memcmp(&a->name, name, len))
            return a;
    return NULL;
}

static void abstract_insert(struct uaddr *a, struct usock *s)
{
    struct uaddr **b = bucket(&a->name, a->len);
    a->sock = s;
    a->hash_next = *b;
    *b = a;
}

static struct uaddr *uaddr_alloc(const struct sockaddr_un_k *name, u32 len)
{
    struct uaddr *a = kzalloc(sizeof(*a), GFP_KERNEL);
    if (a) {
        a->refs = 1;
        a->len = len;
        memcpy(&a->name, name, len);
    }
    return a;
}

void uaddr_put(struct uaddr *a)
{
    if (a && __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kfree(a);
}

int unix_autobind(struct usock *s)
{
    if (s->addr)
        return 0;
    struct sockaddr_un_k name = {.family = AF_UNIX};
    char digits[8];
    for (u32 tries = 0; tries < 1u << 20; tries++) {
        fmt_print(digits, sizeof(digits), "%05x", autobind_next++ & 0xfffff);
        memcpy(name.path + 1, digits, 5);
        if (abstract_find(&name, 8, s->type))
            continue;
        struct uaddr *a = uaddr_alloc(&name, 8);
        if (!a)
            return -ENOMEM;
        abstract_insert(a, s);
        s->autobound = true;
        store_release(&s->addr, a);
        return 0;
    }
    return -ENOSPC;
}

static int bind_abstract(struct usock *s, struct uaddr *a)
{
    if (abstract_find(&a->name, a->len, s->type))
        return -EADDRINUSE;
    abstract_insert(a, s);
    store_release(&s->addr, a);
    return 0;
}

/* A second bind of a socket: the name is looked at first, as Linux does. */
static int rebind_error(const struct sockaddr_un_k *name, u32 len)
{
    char text[UNIX_PATH_MAX + 1];
    struct path path;
    if (!name->path[0])
        return -EINVAL;
    u32 n = (u32)str_nlen(name->path, len - sizeof(u16));
    memcpy(text, name->path, n);
    text[n] = 0;
    if (!path_lookup(AT_FDCWD, text, 0, &path)) {
        path_put(&path);
        return -EADDRINUSE;
    }
    char *slash = str_rchr(text, '/');
    if (!slash)
        return -EINVAL;
    slash[slash == text] = 0; /* the folder; "/" stays */
    int err = path_lookup(AT_FDCWD, text, LOOKUP_DIRECTORY, &path);
    if (err)
        return err;
    path_put(&path);
    return -EINVAL;
}

static int bind_path(struct usock *s, struct uaddr *a)
{
    struct path path;
    int err = path_mknod(AT_FDCWD, a->name.path, S_IFSOCK | 0777, 0, &path);
    if (err)
        return err == -EEXIST ? -EADDRINUSE : err;
    s->path = path;
    s->bound_fs = true;
    path.dentry->inode->ipc = s;
    store_release(&s->addr, a);
    return 0;
}

int unix_bind(struct usock *s, const struct sockaddr_un_k *name, u32 len)
{
    if (len < sizeof(u16) || len > sizeof(*name) || name->family != AF_UNIX)
        return -EINVAL;
    int err;
    mutex_lock(&unix_mutex);
    if (len == sizeof(u16)) {
        err = unix_autobind(s);
        mutex_unlock(&unix_mutex);
        return err;
    }
    struct sockaddr_un_k copy = *name;
    if (copy.path[0]) { /* a path's length counts its terminator */
        u32 n = (u32)str_nlen(copy.path, len - sizeof(u16));
        len = (u32)sizeof(u16) + n + 1;
    }
    /* one byte more than the struct: a path of 108 characters has its terminator behind it */
    struct uaddr *a = s->addr ? NULL : kzalloc(sizeof(*a) + 8, GFP_KERNEL);
    err = s->addr ? rebind_error(name, len) : a ? 0 : -ENOMEM;
    if (!err) {
        a->refs = 1;
        a->len = len;
        memcpy(&a->name, &copy, min(len, (u32)sizeof(copy)));
        err = copy.path[0] ? bind_path(s, a) : bind_abstract(s, a);
        if (err)
            kfree(a);
    }
    mutex_unlock(&unix_mutex);
    return err;
}

void unix_unbind(struct usock *s)
{
    if (s->bound_fs) {
        s->path.dentry->inode->ipc = NULL;
        path_put(&s->path);
        s->bound_fs = false;
    } else if (s->addr && s->addr->sock == s) {
        struct uaddr **pp = bucket(&s->addr->name, s->addr->len);
        while (*pp != s->addr)
            pp = &(*pp)->hash_next;
        *pp = s->addr->hash_next;
        s->addr->sock = NULL;
    }
}

static struct usock *find_path(const char *name)
{
    struct path path;
    int err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (err)
        return ERR_PTR(err);
    struct inode *inode = path.dentry->inode;
    struct usock *s = NULL;
    err = inode_permission(inode, W_OK);
    if (!err) {
        err = -ECONNREFUSED;
        mutex_lock(&unix_mutex);
        if (S_ISSOCK(inode->mode) && inode->ipc) {
            s = usock_get(inode->ipc);
            err = 0;
        }
        mutex_unlock(&unix_mutex);
    }
    path_put(&path);
    return err ? ERR_PTR(err) : s;
}

struct usock *unix_find(const struct sockaddr_un_k *name, u32 len, int type)
{
    struct usock *s;
    if (len <= sizeof(u16) || len > sizeof(*name) || name->family != AF_UNIX)
        return ERR_PTR(-EINVAL);
    if (name->path[0]) {
        char text[UNIX_PATH_MAX + 1];
        u32 n = (u32)str_nlen(name->path, len - sizeof(u16));
        memcpy(text, name->path, n);
        text[n] = 0;
        s = find_path(text);
    } else {
        mutex_lock(&unix_mutex);
        struct uaddr *a = abstract_find(name, len, type);
        s = a ? usock_get(a->sock) : ERR_PTR(-ECONNREFUSED);
        mutex_unlock(&unix_mutex);
    }
    if (!IS_ERR(s) && s->type != type) {
        usock_put(s);
        return ERR_PTR(-EPROTOTYPE);
    }
    return s;
}
