/* SPDX-License-Identifier: MIT */
/* overlayfs: mounting. Options lowerdir=A:B:C, upperdir=U, workdir=W; the switches of features that are absent may only be off. */
#include "ovl.h"
#include <lib/fmt.h>

#define OVERLAY_MAGIC 0x794c7630UL

static int statfs(struct superblock *sb, struct kstatfs *st)
{
    struct ovl_sb *os = sb->priv;
    struct superblock *real = (os->upper.mount ? os->upper : os->lower[0]).dentry->sb;
    st->bsize = real->blocksize;
    return real->ops && real->ops->statfs ? real->ops->statfs(real, st) : 0;
}

static int sync(struct superblock *sb)
{
    struct ovl_sb *os = sb->priv;
    struct superblock *real = os->upper.mount ? os->upper.dentry->sb : NULL;
    return real && real->ops && real->ops->sync ? real->ops->sync(real) : 0;
}

static void show_options(struct superblock *sb, struct seq *s)
{
    struct ovl_sb *os = sb->priv;
    seq_printf(s, ",%s", os->options);
}

static void free_sb(struct ovl_sb *os)
{
    if (os->upper.mount)
        path_put(&os->upper);
    if (os->work.mount)
        path_put(&os->work);
    for (unsigned k = 0; k < os->nr_lower; k++)
        path_put(&os->lower[k]);
    kfree(os->options);
    kfree(os);
}

static void put(struct superblock *sb)
{
    free_sb(sb->priv);
}

static const struct sb_ops ovl_sb_ops = {
    .statfs = statfs, .sync = sync, .show_options = show_options, .put = put};

static int add_lower(struct ovl_sb *os, char *list)
{
    for (char *p = list, *next; p; p = next) {
        next = str_chr(p, ':');
        if (next)
            *next++ = 0;
        if (os->nr_lower == OVL_MAX_LOWER || !*p)
            return -EINVAL;
        int err =
            path_lookup(AT_FDCWD, p, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &os->lower[os->nr_lower]);
        if (err)
            return err;
        os->nr_lower++;
    }
    return 0;
}

static int one_option(struct ovl_sb *os, char *opt)
{
    static const char *const known_off[] = {
        "index=off", "metacopy=off",        "redirect_dir=off", "redirect_dir=nofollow",
        "xino=off",  "xino=auto",           "nfs_export=off",   "volatile",
        "userxattr", "default_permissions", "uuid=auto",        "uuid=on",
        "uuid=null"};
    if (str_starts(opt, "lowerdir="))
        return add_lower(os, opt + 9);
    if (str_starts(opt, "upperdir=") && !os->upper.mount)
        return path_lookup(AT_FDCWD, opt + 9, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &os->upper);
    if (str_starts(opt, "workdir=") && !os->work.mount)
        return path_lookup(AT_FDCWD, opt + 8, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &os->work);
    for (size_t k = 0; k < ARRAY_SIZE(known_off); k++)
        if (str_eq(opt, known_off[k]))
            return 0;
    return -EINVAL;
}

static int parse(struct ovl_sb *os, char *options)
{
    os->options = kstrdup(options, GFP_KERNEL);
    if (!os->options)
        return -ENOMEM;
    int err = 0;
    for (char *p = options, *next; p && *p && !err; p = next) {
        next = str_chr(p, ',');
        if (next)
            *next++ = 0;
        err = one_option(os, p);
    }
    if (!err && (os->nr_lower == 0 || (os->upper.mount && !os->work.mount)))
        err = -EINVAL;
    if (!err && os->upper.mount && os->upper.mount != os->work.mount)
        err = -EINVAL;
    if (!err && os->upper.mount && (os->upper.mount->flags & MS_RDONLY))
        err = -EINVAL;
    return err;
}

static struct superblock *mount(const struct fs_type *type, u32 flags, const char *source,
                                char *options)
{
    struct ovl_sb *os = kzalloc(sizeof(*os), GFP_KERNEL);
    if (!os)
        return ERR_PTR(-ENOMEM);
    spin_init(&os->hash_lock, RANK_KERNEL_LEAF);
    int err = parse(os, options);
    struct superblock *sb =
        err ? NULL : sb_alloc(type, &ovl_sb_ops, flags | (os->upper.mount ? 0 : MS_RDONLY));
    if (!sb) {
        free_sb(os);
        return ERR_PTR(err ? err : -ENOMEM);
    }
    sb->priv = os;
    sb->magic = OVERLAY_MAGIC;
    struct inode *lower[OVL_MAX_LOWER];
    for (unsigned k = 0; k < os->nr_lower; k++)
        lower[k] = inode_get(os->lower[k].dentry->inode);
    struct inode *upper = os->upper.mount ? inode_get(os->upper.dentry->inode) : NULL;
    if (upper) { /* the overlay changes it beneath its dentries: none is kept that nobody uses */
        upper->sb->sflags |= SB_NO_CACHE | SB_NO_NEGATIVE;
        dcache_prune(os->upper.dentry);
    }
    struct inode *root = ovl_new_inode(sb, upper, lower, os->nr_lower);
    err = IS_ERR(root) ? (int)PTR_ERR(root) : sb_set_root(sb, root);
    if (err) {
        sb_put(sb);
        return ERR_PTR(err);
    }
    return sb;
}

static struct fs_type overlay_type = {.name = "overlay", .mount = mount};

void overlay_register(void)
{
    fs_register(&overlay_type);
}
