/* SPDX-License-Identifier: MIT */
/*
 * The fixed names of /proc and /sys: one tree of nodes each, filled by proc_register() and never emptied.
 *
 * Lock: tree_lock (mutex) for registration; children are appended with a release store, so that lookups need no lock.
 */
#include "pfs.h"

static struct mutex tree_lock = MUTEX_INIT(tree_lock);
static u64 next_ino = 1;
struct pnode proc_root_node = {.name = "proc", .mode = S_IFDIR | 0555, .ino = 1};
struct pnode sys_root_node = {.name = "sys", .mode = S_IFDIR | 0755, .ino = 1};
struct pnode trace_root_node = {.name = "tracing", .mode = S_IFDIR | 0700, .ino = 1};
#define TRACE_ROOT "/sys/kernel/tracing/"

struct pnode *pnode_child(struct pnode *n, const char *name, size_t len)
{
    for (struct pnode *c = load_acquire(&n->child); c; c = load_acquire(&c->sibling))
        if (c->len == len && memcmp(c->name, name, len) == 0)
            return c;
    return NULL;
}

static struct pnode *add_child(struct pnode *parent, const char *name, size_t len, u32 mode)
{
    struct pnode *c = kzalloc(sizeof(*c), GFP_KERNEL);
    if (!c)
        return NULL;
    *c = (struct pnode){
        .name = name, .len = (u32)len, .mode = mode, .ino = ++next_ino, .parent = parent};
    struct pnode **pp = &parent->child;
    while (*pp)
        pp = &(*pp)->sibling;
    store_release(pp, c);
    if (S_ISDIR(mode))
        parent->nr_dirs++;
    return c;
}

struct pnode *pnode_make(const char *path, u32 mode)
{
    struct pnode *n = str_starts(path, "/proc/")     ? &proc_root_node
                      : str_starts(path, TRACE_ROOT) ? &trace_root_node
                      : str_starts(path, "/sys/")    ? &sys_root_node
                                                     : NULL;
    const char *s = n == &trace_root_node ? path + sizeof(TRACE_ROOT) - 2 : str_chr(path + 1, '/');
    if (!n || !s)
        return NULL;
    mutex_lock(&tree_lock);
    while (n && *s) {
        const char *name = ++s;
        while (*s && *s != '/')
            s++;
        struct pnode *c = pnode_child(n, name, (size_t)(s - name));
        if (!c)
            c = add_child(n, name, (size_t)(s - name), *s ? S_IFDIR | (n->mode & 0777) : mode);
        n = c;
    }
    mutex_unlock(&tree_lock);
    return n;
}

int proc_register(const struct proc_file *f)
{
    struct pnode *n = pnode_make(f->path, S_IFREG | (f->mode & 07777));
    if (!n)
        return -ENOMEM;
    n->file = *f;
    return 0;
}

int proc_symlink(const char *path, const char *target)
{
    struct pnode *n = pnode_make(path, S_IFLNK | 0777);
    if (!n)
        return -ENOMEM;
    n->target = target;
    return 0;
}

int proc_mkdir(const char *path)
{
    return pnode_make(path, S_IFDIR | (str_starts(path, "/sys/") ? 0755 : 0555)) ? 0 : -ENOMEM;
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct pnode *c = pnode_child(dir->priv, name, len);
    if (!c)
        return -ENOENT;
    *out = pnode_inode(dir->sb, c);
    return *out ? 0 : -ENOMEM;
}

int pnode_readdir(struct pnode *n, struct file *f, emit_fn *emit, void *ctx, u64 first)
{
    u64 pos = first;
    for (struct pnode *c = load_acquire(&n->child); c; c = load_acquire(&c->sibling), pos++) {
        if (pos < f->pos)
            continue;
        if (!emit(ctx, c->name, c->len, c->ino, mode_to_dt(c->mode), pos + 1))
            return 1;
        f->pos = pos + 1;
    }
    return 0;
}

static int readdir(struct file *f, emit_fn *emit, void *ctx)
{
    if (dir_emit_dots(f, emit, ctx))
        pnode_readdir(f->inode->priv, f, emit, ctx, 2);
    return 0;
}

static ssize_t readlink(struct inode *i, char *buf, size_t size)
{
    struct pnode *n = i->priv;
    if (n->readlink)
        return n->readlink(buf, size);
    size_t len = min(str_len(n->target), size);
    memcpy(buf, n->target, len);
    return (ssize_t)len;
}

static int open_text(struct inode *i, struct file *f)
{
    struct pnode *n = i->priv;
    if (n->fops) {
        f->ops = n->fops;
        return n->fops->open ? n->fops->open(f) : 0;
    }
    if (!n->file.show && (f->mode & FMODE_READ) && !n->file.store)
        return -EACCES;
    /* The modes of /proc/sys hold for root, too. */
    if (n->file.path && str_starts(n->file.path, "/proc/sys/") &&
        (((f->mode & FMODE_READ) && !(n->mode & 0444)) || ((f->mode & FMODE_WRITE) && !(n->mode & 0222))))
        return -EACCES;
    return text_open(f, n->file.show, n->file.store, n->file.arg, NULL);
}

int proc_setattr(struct inode *i, u32 valid, const struct kstat *st)
{
    if (valid & (ATTR_MODE | ATTR_UID | ATTR_GID))
        return -EPERM;
    setattr_copy(i, valid, st);
    return 0;
}

static int text_setattr(struct inode *i, u32 valid, const struct kstat *st)
{
    struct pnode *n = i->priv;
    int err = proc_setattr(i, valid, st);
    if (!err && valid & ATTR_SIZE && n->cut)
        n->cut();
    return err;
}

static const struct inode_ops dir_iops = {.lookup = lookup, .setattr = proc_setattr};
static const struct file_ops dir_fops = {.readdir = readdir};
static const struct inode_ops link_iops = {.readlink = readlink, .setattr = proc_setattr};
static const struct inode_ops text_iops = {.open = open_text, .setattr = text_setattr};

struct inode *pnode_inode(struct superblock *sb, struct pnode *n)
{
    struct inode *i = inode_find(sb, n->ino);
    if (i)
        return i;
    i = inode_alloc(sb, n->mode, NULL, 0);
    if (!i)
        return NULL;
    i->ino = n->ino;
    i->uid = i->gid = 0;
    i->priv = n;
    if (S_ISDIR(n->mode)) {
        i->ops = &dir_iops;
        i->fops = &dir_fops;
        i->nlink = 2 + n->nr_dirs;
    } else if (S_ISLNK(n->mode)) {
        i->ops = &link_iops;
    } else {
        i->ops = &text_iops;
        if (sb->magic == 0x62656572)
            i->mapping.size = 4096;
    }
    return inode_hash(i);
}

/* ---- the file systems ---- */
static struct superblock *proc_sb, *sysfs_sb, *tracefs_sb;

static struct superblock *mount_proc(const struct fs_type *type, u32 flags, const char *source,
                                     char *options)
{
    return sb_get(proc_sb);
}
static struct superblock *mount_sysfs(const struct fs_type *type, u32 flags, const char *source,
                                      char *options)
{
    return sb_get(sysfs_sb);
}
static struct superblock *mount_tracefs(const struct fs_type *type, u32 flags, const char *source,
                                        char *options)
{
    return sb_get(tracefs_sb);
}
static struct fs_type proc_type = {.name = "proc", .mount = mount_proc};
static struct fs_type sysfs_type = {.name = "sysfs", .mount = mount_sysfs};
static struct fs_type tracefs_type = {.name = "tracefs", .mount = mount_tracefs};

static int statfs(struct superblock *sb, struct kstatfs *st)
{
    st->bsize = PAGE_SIZE;
    return 0;
}
static const struct sb_ops pseudo_ops = {.statfs = statfs};

static struct superblock *make_sb(struct fs_type *type, u64 magic, struct pnode *root)
{
    struct superblock *sb = sb_alloc(type, NULL, 0);
    if (!sb)
        panic("no memory for %s", type->name);
    sb->magic = magic;
    sb->blocksize = magic == 0x9fa0 ? 1024 : 4096;
    sb->ops = &pseudo_ops;
    sb->sflags = SB_NO_CACHE | SB_NO_NEGATIVE | SB_NO_ATIME;
    struct inode *i = pnode_inode(sb, root);
    if (!i || sb_set_root(sb, i))
        panic("no memory for %s", type->name);
    fs_register(type);
    return sb;
}

void procfs_register(void)
{
    proc_sb = make_sb(&proc_type, 0x9fa0, &proc_root_node);
    proc_sb->root->inode->ops = &proc_root_iops;
    proc_sb->root->inode->fops = &proc_root_fops;
    sysfs_sb = make_sb(&sysfs_type, 0x62656572, &sys_root_node);
    tracefs_sb = make_sb(&tracefs_type, 0x74726163, &trace_root_node);
    proc_system_register();
    proc_sysctl_register();
    proc_sysctl_vm_register();
    proc_kpage_register();
    proc_pressure_register();
    proc_sysrq_register();
    sysfs_register();
    tracefs_register();
}
