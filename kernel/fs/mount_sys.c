/* SPDX-License-Identifier: MIT */
/* mount, umount2, pivot_root, and the texts /proc/mounts and /proc/PID/mountinfo. */
#include "internal.h"
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <port/uaccess.h>

#define MNT_FLAGS                                                                                  \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME |     \
     MS_NOSYMFOLLOW)

/* One change of the tree at a time; walkers and readers only need mount_lock. */
struct mutex mount_mutex = MUTEX_INIT(mount_mutex);

static u32 mount_flags(u32 flags)
{
    u32 f = flags & MNT_FLAGS;
    if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
        f |= MS_RELATIME;
    return f;
}

static int new_mount(const char *source, const struct path *at, const char *type, u32 flags,
                     char *options)
{
    struct fs_type *t = type ? fs_find(type) : NULL;
    if (!type)
        return -EINVAL;
    if (!t)
        return -ENODEV;
    struct superblock *sb = t->mount(t, flags & (MS_RDONLY | MS_SYNCHRONOUS), source, options);
    if (IS_ERR(sb))
        return (int)PTR_ERR(sb);
    struct mount *m =
        mount_alloc(sb, sb->root, source && *source ? source : "none", mount_flags(flags));
    if (!m) {
        sb_put(sb);
        return -ENOMEM;
    }
    int err = mount_attach(m, at);
    if (err)
        mount_put(m);
    return err;
}

static int bind_mount(const char *source, const struct path *at, bool recursive)
{
    struct path from;
    if (!source)
        return -EINVAL;
    int err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
    if (err)
        return err;
    err = mount_is_ours(from.mount) ? mount_clone_tree(from.mount, from.dentry, at, recursive) : -EINVAL;
    path_put(&from);
    return err;
}

static int move_mount(const char *source, const struct path *at)
{
    struct path from;
    if (!source)
        return -EINVAL;
    int err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);
    if (err)
        return err;
    if (from.dentry != from.mount->root || !from.mount->parent || !mount_is_ours(from.mount))
        err = -EINVAL;
    else if (dentry_is_dir(from.dentry) != dentry_is_dir(at->dentry))
        err = -ENOTDIR;
    else
        err = mount_move(from.mount, at);
    path_put(&from);
    return err;
}

static int remount(const struct path *at, u32 flags, char *options)
{
    struct mount *m = at->mount;
    struct superblock *sb = m->sb;
    if (at->dentry != m->root)
        return -EINVAL;
    if ((flags & MS_RDONLY) && !(flags & MS_BIND)) {
        bool busy = false;
        struct inode *i;
        spin_lock(&sb->inodes_lock);
        list_for_each_entry (i, &sb->inodes, sb_link) {
            busy |= READ_ONCE(i->writecount) > 0;
        }
        spin_unlock(&sb->inodes_lock);
        if (busy)
            return -EBUSY;
    }
    if (!(flags & MS_BIND)) {
        int err = sb->ops && sb->ops->remount ? sb->ops->remount(sb, flags, options) : 0;
        if (err)
            return err;
        sb->flags = (sb->flags & ~MS_RDONLY) | (flags & MS_RDONLY);
    }
    spin_lock(&mount_lock);
    int err = (flags & MS_RDONLY) && (flags & MS_BIND) && m->writers ? -EBUSY : 0;
    if (!err)
        m->flags = mount_flags(flags);
    spin_unlock(&mount_lock);
    return err;
}

static int set_propagation(const struct path *at, u32 flags)
{
    if (at->dentry != at->mount->root)
        return -EINVAL;
    u8 p = (flags & MS_SHARED) ? 1 : (flags & MS_SLAVE) ? 2 : (flags & MS_UNBINDABLE) ? 3 : 0;
    at->mount->propagation = p;
    return 0;
}

static int do_mount(const char *source, const char *target, const char *type, u32 flags,
                    char *options)
{
    struct path at;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~MS_MGC_MSK;
    int err = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, &at);
    if (err)
        return err;
    mutex_lock(&mount_mutex);
    if (!capable(CAP_SYS_ADMIN))
        err = -EPERM;
    else if (!mount_is_ours(at.mount))
        err = -EINVAL;
    else if (flags & MS_REMOUNT)
        err = remount(&at, flags, options);
    else if (flags & MS_BIND)
        err = bind_mount(source, &at, flags & MS_REC);
    else if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
        err = set_propagation(&at, flags);
    else if (flags & MS_MOVE)
        err = move_mount(source, &at);
    else
        err = new_mount(source, &at, type, flags, options);
    mutex_unlock(&mount_mutex);
    path_put(&at);
    return err;
}

int mount_fs(const char *source, const char *target, const char *type, u32 flags,
             const char *options)
{
    char *opt = kstrdup(options ? options : "", GFP_KERNEL);
    if (!opt)
        return -ENOMEM;
    int err = do_mount(source, target, type, flags, opt);
    kfree(opt);
    return err;
}

static char *optional(u64 user, int *err)
{
    char *s = user ? getname(user, true) : NULL;
    if (IS_ERR(s)) {
        *err = (int)PTR_ERR(s);
        return NULL;
    }
    return s;
}

SYSCALL(mount)
{
    int err = 0;
    char *source = optional(a0, &err), *target = optional(a1, &err), *type = optional(a2, &err),
         *opt = optional(a4, &err);
    if (!err && !target)
        err = -EFAULT;
    char none[1] = "";
    if (!err)
        err = do_mount(source, target, type, (u32)a3, opt ? opt : none);
    putname(source);
    putname(target);
    putname(type);
    putname(opt);
    return err;
}

SYSCALL(umount2)
{
    struct path p;
    u32 flags = (u32)a1;
    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    s64 err = path_lookup_user(AT_FDCWD, a0, (flags & UMOUNT_NOFOLLOW) ? 0 : LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    struct mount *m = mount_get(p.mount);
    bool is_root = p.dentry == m->root;
    path_put(&p);
    mutex_lock(&mount_mutex);
    if (!is_root)
        err = -EINVAL;
    else if (!capable(CAP_SYS_ADMIN))
        err = -EPERM;
    else if (!mount_is_ours(m))
        err = -EINVAL;
    else if (flags & MNT_EXPIRE)
        err = -EAGAIN;
    else
        err = mount_unmount(m, flags);
    mutex_unlock(&mount_mutex);
    mount_put(m);
    return err;
}

struct repoint {
    struct path from, to;
};

/* Root and working directory of one fs_struct, if they are the old root. */
static void repoint_one(struct repoint *r, struct fs_struct *fs)
{
    struct path drop[2];
    unsigned n = 0;
    spin_lock(&fs->lock);
    struct path *slot[2] = {&fs->root, &fs->cwd};
    for (int k = 0; k < 2; k++) {
        if (slot[k]->mount == r->from.mount && slot[k]->dentry == r->from.dentry) {
            drop[n++] = *slot[k];
            *slot[k] = r->to;
            path_get(slot[k]);
        }
    }
    spin_unlock(&fs->lock);
    while (n)
        path_put(&drop[--n]);
}

/* pivot_root moves every thread whose root or working directory was the old root. */
static int repoint(void *ctx, struct process *p)
{
    struct fs_struct *batch[32];
    unsigned n = 0;
    struct task *t;
    u64 irq = spin_lock_irqsave(&p->lock);
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->fs && n < ARRAY_SIZE(batch) && (!n || batch[n - 1] != t->fs)) {
            fs_struct_get(t->fs);
            batch[n++] = t->fs;
        }
    }
    spin_unlock_irqrestore(&p->lock, irq);
    while (n) {
        repoint_one(ctx, batch[--n]);
        fs_struct_put(batch[n]);
    }
    return 0;
}

SYSCALL(pivot_root)
{
    struct path new, old, root;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    s64 err = path_lookup_user(AT_FDCWD, a0, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
    if (err)
        return err;
    err = path_lookup_user(AT_FDCWD, a1, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &old);
    if (err) {
        path_put(&new);
        return err;
    }
    fs_get_root(current_task()->fs, &root);
    mutex_lock(&mount_mutex);
    if (new.mount == root.mount || old.mount == root.mount)
        err = -EBUSY;
    else if (new.dentry != new.mount->root || root.dentry != root.mount->root ||
             !new.mount->parent || !root.mount->parent || !mount_is_ours(new.mount) || !mount_is_ours(root.mount))
        err = -EINVAL; /* the initial root file system can't be pivoted away from, as on Linux */
    else if (old.mount != new.mount || !dentry_is_ancestor(new.dentry, old.dentry))
        err = -EINVAL;
    else
        err = mount_pivot(new.mount, root.mount, &old);
    mutex_unlock(&mount_mutex);
    if (!err) {
        struct repoint r = {root, new};
        process_for_each(repoint, &r);
    }
    path_put(&root);
    path_put(&old);
    path_put(&new);
    return err;
}

/* ---- texts ---- */
/* Blanks, tabs, newlines, backslashes (and '#' in names of sources) as octal. */
static void put_mangled(struct seq *s, const char *text)
{
    for (; *text; text++) {
        if (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\\' || *text == '#')
            seq_printf(s, "\\%03o", (u8)*text);
        else
            seq_putc(s, *text);
    }
}

static void put_flags(struct seq *s, u32 f)
{
    static const struct {
        u32 flag;
        const char *text;
    } names[] = {{MS_NOSUID, ",nosuid"},          {MS_NODEV, ",nodev"},
                 {MS_NOEXEC, ",noexec"},          {MS_NOATIME, ",noatime"},
                 {MS_NODIRATIME, ",nodiratime"},  {MS_RELATIME, ",relatime"},
                 {MS_NOSYMFOLLOW, ",nosymfollow"}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (f & names[i].flag)
            seq_puts(s, names[i].text);
}

static void put_mount(struct seq *s, struct mount *m, const char *where, const char *inner,
                      int form)
{
    struct superblock *sb = m->sb;
    bool ro = (m->flags | sb->flags) & MS_RDONLY;
    if (form == 1) {
        seq_printf(s, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : m->id, dev_major(sb->dev),
                   dev_minor(sb->dev));
        put_mangled(s, inner);
        seq_putc(s, ' ');
        put_mangled(s, where);
        seq_puts(s, (m->flags & MS_RDONLY) ? " ro" : " rw");
        put_flags(s, m->flags);
        if (m->propagation == 1)
            seq_printf(s, " shared:%d", m->id);
        seq_printf(s, " - %s ", sb->type->name);
        put_mangled(s, m->source);
        seq_puts(s, (sb->flags & MS_RDONLY) ? " ro" : " rw");
    } else if (form == 0) {
        put_mangled(s, m->source);
        seq_putc(s, ' ');
        put_mangled(s, where);
        seq_printf(s, " %s %s", sb->type->name, ro ? "ro" : "rw");
        put_flags(s, m->flags);
    } else {
        seq_puts(s, "device ");
        put_mangled(s, m->source);
        seq_puts(s, " mounted on ");
        put_mangled(s, where);
        seq_printf(s, " with fstype %s\n", sb->type->name);
        return;
    }
    if (sb->ops && sb->ops->show_options)
        sb->ops->show_options(sb, s);
    seq_puts(s, form == 0 ? " 0 0\n" : "\n");
}

void mounts_show(struct seq *s, const struct path *root, int form)
{
    char *where = kmalloc(2 * PATH_MAX, GFP_KERNEL);
    struct mount **all = kmalloc(512 * sizeof(*all), GFP_KERNEL);
    unsigned n = 0;
    if (where && all) {
        spin_lock(&mount_lock);
        struct mount *top = root->mount;
        while (top->parent)
            top = top->parent;
        for (struct mount *m = top; m && n < 512; m = mount_next(m, top))
            all[n++] = mount_get(m);
        spin_unlock(&mount_lock);
        for (unsigned i = 0; i < n; i++) {
            struct mount *m = all[i];
            struct path at = {m, m->root}, inner_root = {NULL, m->sb->root},
                        inner = {NULL, m->root};
            bool reached, dummy;
            ssize_t len = path_text_from(&at, root, where, PATH_MAX, &reached);
            ssize_t in = path_text_from(&inner, &inner_root, where + PATH_MAX, PATH_MAX, &dummy);
            if (len > 0 && in > 0 && reached)
                put_mount(s, m, where, where + PATH_MAX, form);
            mount_put(m);
        }
    }
    kfree(all);
    kfree(where);
}
