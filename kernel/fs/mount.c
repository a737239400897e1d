/* SPDX-License-Identifier: MIT */
/*
 * The mount table: which superblock's tree hangs where.
 *
 *   mount(parent, mountpoint) --root--> dentry of another superblock
 *
 * M1. An attached mount holds its parent and its mountpoint; the table holds one reference to it. dentry->mounted counts the
 *     mounts on a dentry, so that a walk asks the table only there.
 * M2. Detached (lazily unmounted) mounts have no parent and live as long as paths into them do.
 * Locks: mount_lock (spin) for the table, the tree and mount->flags.
 */
#include "internal.h"

#define MHASH 64
spinlock_t mount_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
struct mount *root_mount;
static struct mount *mhash[MHASH];
static s32 next_id = 1;

static unsigned mslot(const struct mount *m, const struct dentry *d)
{
    return (unsigned)hash_u64((u64)(uptr)m * 31 + (u64)(uptr)d, 6);
}

struct mount *mount_get(struct mount *m)
{
    __atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
    return m;
}

void mount_put(struct mount *m)
{
    if (__atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    ASSERT(!m->parent && list_empty(&m->children));
    dentry_put(m->root);
    sb_put(m->sb);
    kfree(m->source);
    rcu_synchronize();
    kfree(m);
}

/* Takes over the reference to sb on success; NULL: no memory. */
struct mount *mount_alloc(struct superblock *sb, struct dentry *root, const char *source, u32 flags)
{
    struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);
    if (!m)
        return NULL;
    m->source = kstrdup(source, GFP_KERNEL);
    if (!m->source) {
        kfree(m);
        return NULL;
    }
    m->refs = 1;
    m->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
    m->flags = flags;
    m->sb = sb;
    m->root = dentry_get(root);
    list_init(&m->children);
    list_init(&m->sibling);
    return m;
}

static struct mount *find_locked(const struct mount *parent, const struct dentry *at)
{
    struct mount *m = mhash[mslot(parent, at)];
    while (m && (m->parent != parent || m->mountpoint != at))
        m = m->hash_next;
    return m;
}

struct mount *mount_find(struct mount *parent, struct dentry *at)
{
    spin_lock(&mount_lock);
    struct mount *m = find_locked(parent, at);
    if (m)
        mount_get(m);
    spin_unlock(&mount_lock);
    return m;
}

void path_cross_down(struct path *p)
{
    while (unlikely(READ_ONCE(p->dentry->mounted))) {
        struct mount *m = mount_find(p->mount, p->dentry);
        if (!m)
            return;
        struct path old = *p;
        p->mount = m;
        p->dentry = dentry_get(m->root);
        path_put(&old);
    }
}

bool mount_up(struct path *p)
{
    struct path up = {NULL, NULL};
    spin_lock(&mount_lock);
    if (p->mount->parent) {
        up.mount = mount_get(p->mount->parent);
        up.dentry = dentry_get(p->mount->mountpoint);
    }
    spin_unlock(&mount_lock);
    if (!up.mount)
        return false;
    path_put(p);
    *p = up;
    return true;
}

static void attach_locked(struct mount *m, struct mount *parent, struct dentry *at)
{
    m->parent = mount_get(parent);
    m->mountpoint = dentry_get(at);
    m->ns = parent->ns;
    at->mounted++;
    list_add_tail(&m->sibling, &parent->children);
    unsigned s = mslot(parent, at);
    m->hash_next = mhash[s];
    mhash[s] = m;
}

/* The references that m held on its place are the caller's to drop. */
static struct path detach_locked(struct mount *m)
{
    struct path at = {m->parent, m->mountpoint};
    struct mount **pp = &mhash[mslot(m->parent, m->mountpoint)];
    while (*pp != m)
        pp = &(*pp)->hash_next;
    *pp = m->hash_next;
    list_del_init(&m->sibling);
    m->mountpoint->mounted--;
    m->parent = NULL;
    m->mountpoint = NULL;
    m->ns = NULL;
    return at;
}

int mount_attach(struct mount *m, const struct path *at)
{
    if (S_ISDIR(at->dentry->inode->mode) != S_ISDIR(m->root->inode->mode))
        return -ENOTDIR;
    spin_lock(&mount_lock);
    attach_locked(m, at->mount, at->dentry);
    spin_unlock(&mount_lock);
    return 0;
}

int mount_want_write(struct mount *m)
{
    if (!m)
        return 0;
    spin_lock(&mount_lock);
    bool ro = (m->flags & MS_RDONLY) || (m->sb->flags & MS_RDONLY);
    if (!ro)
        m->writers++;
    spin_unlock(&mount_lock);
    return ro ? -EROFS : 0;
}

void mount_drop_write(struct mount *m)
{
    if (!m)
        return;
    spin_lock(&mount_lock);
    m->writers--;
    spin_unlock(&mount_lock);
}

struct mount *mount_next(struct mount *m, struct mount *top)
{
    if (!list_empty(&m->children))
        return list_first_entry(&m->children, struct mount, sibling);
    while (m != top) {
        if (m->sibling.next != &m->parent->children)
            return list_next_entry(m, sibling);
        m = m->parent;
    }
    return NULL;
}

int mount_unmount(struct mount *m, u32 flags)
{
    struct path place[16];
    struct mount *gone[16];
    for (;;) {
        unsigned n = 0;
        bool busy = false, done = false;
        spin_lock(&mount_lock);
        if (!m->parent) {
            spin_unlock(&mount_lock);
            return m->ns ? -EBUSY : 0; /* a root, or gone already */
        }
        /* two: the table's and the caller's */
        if (!(flags & MNT_DETACH) && (m->refs > 2 || !list_empty(&m->children)))
            busy = true;
        while (!busy && n < ARRAY_SIZE(gone)) { /* leaves first */
            struct mount *leaf = m, *next;
            while ((next = mount_next(leaf, m)))
                leaf = next;
            gone[n] = leaf;
            place[n++] = detach_locked(leaf);
            if (leaf == m) {
                done = true;
                break;
            }
        }
        spin_unlock(&mount_lock);
        for (unsigned i = 0; i < n; i++) {
            path_put(&place[i]);
            mount_put(gone[i]);
        }
        if (busy)
            return -EBUSY;
        if (done)
            return 0;
    }
}

int mount_move(struct mount *m, const struct path *to)
{
    struct path old;
    spin_lock(&mount_lock);
    for (struct mount *p = to->mount; p; p = p->parent) {
        if (p == m) {
            spin_unlock(&mount_lock);
            return -ELOOP;
        }
    }
    old = detach_locked(m);
    attach_locked(m, to->mount, to->dentry);
    spin_unlock(&mount_lock);
    path_put(&old);
    return 0;
}

/* new becomes what the root, which is mounted itself, was; the old root appears at put_old, a place below new. */
int mount_pivot(struct mount *new_root, struct mount *old_root, const struct path *put_old)
{
    struct path place, root_place;
    spin_lock(&mount_lock);
    place = detach_locked(new_root);
    root_place = detach_locked(old_root);
    attach_locked(new_root, root_place.mount, root_place.dentry);
    attach_locked(old_root, put_old->mount, put_old->dentry);
    spin_unlock(&mount_lock);
    path_put(&place);
    path_put(&root_place);
    return 0;
}

/* A copy of the tree below m, of which only what is reachable under root is taken, mounted at at. */
int mount_clone_tree(struct mount *m, struct dentry *root, const struct path *at, bool recursive)
{
    struct mount *c = mount_alloc(sb_get(m->sb), root, m->source, m->flags);
    if (!c) {
        sb_put(m->sb);
        return -ENOMEM;
    }
    c->propagation = m->propagation;
    int err = mount_attach(c, at);
    if (err) {
        mount_put(c);
        return err;
    }
    if (!recursive)
        return 0;
    for (struct mount *k = m; (k = mount_next(k, m));) {
        if (k->parent != m || !dentry_is_ancestor(root, k->mountpoint) || k == c)
            continue;
        struct path sub = {c, k->mountpoint};
        err = mount_clone_tree(k, k->root, &sub, true);
        if (err)
            return err;
    }
    return 0;
}

/* Whatever the tree below m and m itself held goes; paths into them stay usable. Consumes the reference to m, a root. */
void mount_free_tree(struct mount *m)
{
    m->ns = NULL;
    while (!list_empty(&m->children)) {
        struct mount *child = list_first_entry(&m->children, struct mount, sibling);
        mount_get(child);
        int err = mount_unmount(child, MNT_DETACH);
        ASSERT(!err);
        mount_put(child);
    }
    mount_put(m);
}

struct mount *mount_find_on(const struct dentry *at)
{
    struct mount *m = NULL;
    spin_lock(&mount_lock);
    for (unsigned i = 0; i < MHASH && !m; i++)
        for (m = mhash[i]; m && m->mountpoint != at; m = m->hash_next)
            ;
    if (m)
        mount_get(m);
    spin_unlock(&mount_lock);
    return m;
}

int mount_copy_tree(struct mount *m, struct mount_ns *ns)
{
    struct mount *c = mount_alloc(sb_get(m->sb), m->root, m->source, m->flags);
    int err = 0;
    if (!c) {
        sb_put(m->sb);
        return -ENOMEM;
    }
    c->propagation = m->propagation;
    c->ns = ns;
    struct mount *k;
    list_for_each_entry (k, &m->children, sibling) {
        struct path sub = {c, k->mountpoint};
        err = mount_clone_tree(k, k->root, &sub, true);
        if (err)
            break;
    }
    if (err)
        mount_free_tree(c);
    else
        ns->root = c;
    return err;
}

void path_get(const struct path *p)
{
    mount_get(p->mount);
    dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
    dentry_put(p->dentry);
    mount_put(p->mount);
}
