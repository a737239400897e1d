/* SPDX-License-Identifier: MIT */
/*
 * Devices by number, and devtmpfs, where they appear by name.
 *
 *   dev_register(name, type, major, minor, ops) -> table (type, number) -> ops      dev_open finds it, whatever file system the
 *                                              -> node in the one devtmpfs           node is on
 *
 * Locks: dev_lock (mutex) guards the table; entries are never removed, so that finders need none.
 */
#include "tmpfs/tmpfs.h"

struct device {
    struct device *next;
    u32 type, major, minor;
    const struct file_ops *ops;
    void *priv;
};
static struct device *devices;
static struct mutex dev_lock = MUTEX_INIT(dev_lock);
static struct superblock *dev_sb;

#define ANY_MINOR (~0u)

static struct device *dev_find(u32 type, u32 major, u32 minor)
{
    struct device *any = NULL;
    for (struct device *d = load_acquire(&devices); d; d = d->next) {
        if (d->type != type || d->major != major)
            continue;
        if (d->minor == minor)
            return d;
        if (d->minor == ANY_MINOR)
            any = d;
    }
    return any;
}

bool dev_has_major(u32 type, u32 major)
{
    for (struct device *d = load_acquire(&devices); d; d = d->next)
        if (d->type == type && d->major == major)
            return true;
    return false;
}

int dev_open(struct inode *inode, struct file *f)
{
    struct device *d =
        dev_find(inode->mode & S_IFMT, dev_major(inode->rdev), dev_minor(inode->rdev));
    if (!d)
        return -ENXIO;
    f->ops = d->ops;
    f->priv = d->priv;
    return d->ops->open ? d->ops->open(f) : 0;
}

/* The entry name in parent, made if missing. Referenced or ERR_PTR. */
static struct dentry *make_entry(struct dentry *parent, const char *name, size_t len, u32 mode,
                                 u64 rdev)
{
    struct inode *dir = parent->inode, *i = NULL;
    mutex_lock(&dir->lock);
    struct dentry *d = lookup_locked(parent, name, len);
    if (!IS_ERR(d) && !d->inode) {
        int err = S_ISDIR(mode) ? dir->ops->mkdir(dir, name, len, mode, &i)
                                : dir->ops->create(dir, name, len, mode, rdev, &i);
        if (err) {
            dentry_put(d);
            d = ERR_PTR(err);
        } else {
            dentry_set_inode(d, i);
            notify_dir(dir, IN_CREATE, name, len);
        }
    }
    mutex_unlock(&dir->lock);
    return d;
}

static int make_node(const char *name, u32 mode, u64 rdev)
{
    struct dentry *at = dentry_get(dev_sb->root);
    for (const char *slash; (slash = str_chr(name, '/')); name = slash + 1) {
        struct dentry *next = make_entry(at, name, (size_t)(slash - name), S_IFDIR | 0755, 0);
        dentry_put(at);
        if (IS_ERR(next))
            return (int)PTR_ERR(next);
        at = next;
    }
    struct dentry *node = make_entry(at, name, str_len(name), mode, rdev);
    dentry_put(at);
    if (IS_ERR(node))
        return (int)PTR_ERR(node);
    node->inode->uid = node->inode->gid = 0;
    dentry_put(node);
    return 0;
}

int dev_node_add(const char *name, u32 mode, u32 major, u32 minor)
{
    mutex_lock(&dev_lock);
    int err = make_node(name, mode, dev_make(major, minor));
    mutex_unlock(&dev_lock);
    return err;
}

void dev_node_remove(const char *name)
{
    struct dentry *root = dev_sb->root;
    mutex_lock(&root->inode->lock);
    struct dentry *d = lookup_locked(root, name, str_len(name));
    if (!IS_ERR(d)) {
        struct inode *victim = d->inode;
        int err = victim ? 0 : -ENOENT;
        if (!err) {
            mutex_lock(&victim->lock);
            err = root->inode->ops->unlink(root->inode, name, str_len(name), victim);
            mutex_unlock(&victim->lock);
        }
        if (!err) {
            dentry_delete(d);
            notify_dir(root->inode, IN_DELETE, name, str_len(name));
        }
        dentry_put(d);
    }
    mutex_unlock(&root->inode->lock);
}

int dev_register(const char *name, u32 mode, u32 major, u32 minor, const struct file_ops *ops,
                 void *priv)
{
    struct device *d = kmalloc(sizeof(*d), GFP_KERNEL);
    if (!d)
        return -ENOMEM;
    mutex_lock(&dev_lock);
    *d = (struct device){.next = devices,
                         .type = mode & S_IFMT,
                         .major = major,
                         .minor = minor,
                         .ops = ops,
                         .priv = priv};
    store_release(&devices, d);
    int err = minor == ANY_MINOR || !name ? 0 : make_node(name, mode, dev_make(major, minor));
    mutex_unlock(&dev_lock);
    return err;
}

static struct superblock *mount(const struct fs_type *type, u32 flags, const char *source,
                                char *options)
{
    return sb_get(dev_sb);
}

static struct fs_type devtmpfs_type = {.name = "devtmpfs", .flags = FS_KERNEL_MADE, .mount = mount};

void devtmpfs_register(void)
{
    char none[1] = "";
    dev_sb = tmpfs_make(&devtmpfs_type, 0, none, 0755);
    if (IS_ERR(dev_sb))
        panic("no memory for devtmpfs");
    fs_register(&devtmpfs_type);
}
