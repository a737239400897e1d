/* SPDX-License-Identifier: MIT */
/* tmpfs: mount options, limits, the types tmpfs, ramfs and rootfs, and the kernel's own instance for memfd. */
#include "tmpfs.h"
#include <lib/fmt.h>
#include <mm/phys.h>

#define TMPFS_MAGIC 0x01021994UL
#define RAMFS_MAGIC 0x858458f6UL

/* One option "key" or "key=value". 0 or -EINVAL. */
static int parse_option(struct tsb *ts, const char *opt)
{
    u64 v = 0;
    const char *val = str_chr(opt, '='), *end = NULL;
    if (val)
        val++;
    if (str_starts(opt, "size=")) {
        if (str_parse_size(val, &v, &end))
            return -EINVAL;
        if (*end == '%') {
            v = v * phys_managed() / 100 * PAGE_SIZE;
            end++;
        }
        ts->max_blocks = DIV_ROUND_UP(v, PAGE_SIZE);
        ts->has_size = true;
    } else if (str_starts(opt, "nr_blocks=")) {
        if (str_parse_size(val, &v, &end))
            return -EINVAL;
        ts->max_blocks = v;
        ts->has_size = true;
    } else if (str_starts(opt, "nr_inodes=")) {
        if (str_parse_size(val, &v, &end))
            return -EINVAL;
        ts->max_inodes = v;
        ts->has_inodes = true;
    } else if (str_starts(opt, "mode=")) {
        if (str_parse_u64(val, 8, &v, &end))
            return -EINVAL;
        ts->mode = (u32)v & 07777;
    } else if (str_starts(opt, "uid=") || str_starts(opt, "gid=")) {
        if (str_parse_u64(val, 10, &v, &end))
            return -EINVAL;
        *(opt[0] == 'u' ? &ts->uid : &ts->gid) = (u32)v;
        ts->has_ids = true;
    } else if (str_eq(opt, "inode64") || str_eq(opt, "noswap") || str_eq(opt, "huge=never")) {
        return 0;
    } else {
        log_print(LOG_ERR, "tmpfs: Unknown parameter '%.*s'\n",
                  val ? (int)(val - opt - 1) : (int)str_len(opt), opt);
        return -EINVAL;
    }
    return *end ? -EINVAL : 0;
}

static int parse_options(struct tsb *ts, char *options)
{
    for (char *opt = options, *next; opt && *opt; opt = next) {
        next = str_chr(opt, ',');
        if (next)
            *next++ = 0;
        int err = *opt ? parse_option(ts, opt) : 0;
        if (err)
            return err;
    }
    return 0;
}

static int statfs(struct superblock *sb, struct kstatfs *st)
{
    struct tsb *ts = sb->priv;
    if (ts->max_blocks) {
        st->blocks = ts->max_blocks;
        st->bfree = st->bavail = ts->max_blocks - min(ts->max_blocks, READ_ONCE(ts->used_blocks));
    }
    if (ts->max_inodes) {
        st->files = ts->max_inodes;
        st->ffree = ts->max_inodes - min(ts->max_inodes, READ_ONCE(ts->used_inodes));
    }
    return 0;
}

static void show_options(struct superblock *sb, struct seq *s)
{
    struct tsb *ts = sb->priv;
    if (sb->magic != TMPFS_MAGIC)
        return;
    bool kernel_made = sb->type->flags & FS_KERNEL_MADE;
    if (ts->has_size || kernel_made)
        seq_printf(s, ",size=%luk", ts->max_blocks * (PAGE_SIZE / 1024));
    if (ts->has_inodes || kernel_made)
        seq_printf(s, ",nr_inodes=%lu", ts->max_inodes);
    if (ts->mode != ts->shown_mode)
        seq_printf(s, ",mode=%03o", ts->mode);
    if (ts->uid)
        seq_printf(s, ",uid=%u", ts->uid);
    if (ts->gid)
        seq_printf(s, ",gid=%u", ts->gid);
    seq_puts(s, ",inode64");
}

static int remount(struct superblock *sb, u32 flags, char *options)
{
    struct tsb *ts = sb->priv, t = *ts;
    int err = parse_options(&t, options);
    if (err)
        return err;
    if (t.max_blocks && t.max_blocks < ts->used_blocks)
        return -EINVAL;
    if (t.max_inodes && t.max_inodes < ts->used_inodes)
        return -EINVAL;
    ts->max_blocks = t.max_blocks;
    ts->max_inodes = t.max_inodes;
    ts->has_size = t.has_size;
    ts->has_inodes = t.has_inodes;
    return 0;
}

static void put(struct superblock *sb)
{
    struct tsb *ts = sb->priv;
    ASSERT(ts->used_inodes == 0 && ts->used_blocks == 0);
    kfree(ts);
}

const struct sb_ops tmpfs_sb_ops = {
    .statfs = statfs, .show_options = show_options, .remount = remount, .put = put};

struct superblock *tmpfs_make(const struct fs_type *type, u32 flags, char *options,
                              u32 default_mode)
{
    struct tsb *ts = kzalloc(sizeof(*ts), GFP_KERNEL);
    struct superblock *sb = ts ? sb_alloc(type, &tmpfs_sb_ops, flags) : NULL;
    if (!sb) {
        kfree(ts);
        return ERR_PTR(-ENOMEM);
    }
    u64 half = phys_managed() / 2;
    *ts = (struct tsb){
        .max_blocks = half, .max_inodes = half, .mode = default_mode, .shown_mode = 01777};
    sb->priv = ts;
    sb->magic = TMPFS_MAGIC;
    sb->max_bytes = 1UL << 44; /* mm/page.h, P4 */
    int err = parse_options(ts, options);
    struct inode *root = err ? ERR_PTR(err) : tmpfs_new(sb, NULL, S_IFDIR | ts->mode, 0);
    err = IS_ERR(root) ? (int)PTR_ERR(root) : 0;
    if (!err) {
        if (ts->has_ids) {
            root->uid = ts->uid;
            root->gid = ts->gid;
        }
        err = sb_set_root(sb, root);
    }
    if (err) {
        sb_put(sb);
        return ERR_PTR(err);
    }
    return sb;
}

static struct superblock *mount_tmpfs(const struct fs_type *type, u32 flags, const char *source,
                                      char *options)
{
    return tmpfs_make(type, flags, options, 01777);
}

static struct superblock *mount_ramfs(const struct fs_type *type, u32 flags, const char *source,
                                      char *options)
{
    char none[1] = "";
    struct superblock *sb = tmpfs_make(type, flags, none, 0755);
    if (!IS_ERR(sb)) {
        struct tsb *ts = sb->priv;
        ts->max_blocks = ts->max_inodes = 0;
        sb->magic = RAMFS_MAGIC;
    }
    return sb;
}

static struct superblock *mount_rootfs(const struct fs_type *type, u32 flags, const char *source,
                                       char *options)
{
    struct superblock *sb = tmpfs_make(type, flags, options, 0755);
    if (!IS_ERR(sb))
        ((struct tsb *)sb->priv)->shown_mode = 0755;
    return sb;
}

static struct fs_type tmpfs_type = {.name = "tmpfs", .mount = mount_tmpfs};
static struct fs_type ramfs_type = {.name = "ramfs", .mount = mount_ramfs};
struct fs_type rootfs_type = {.name = "rootfs", .flags = FS_KERNEL_MADE, .mount = mount_rootfs};
static struct superblock *kernel_sb;

struct superblock *tmpfs_kernel_sb(void)
{
    return kernel_sb;
}

struct inode *tmpfs_file_inode(struct superblock *sb, u32 mode)
{
    return tmpfs_new(sb, NULL, mode, 0);
}

void tmpfs_register(void)
{
    fs_register(&tmpfs_type);
    fs_register(&ramfs_type);
    char none[1] = "";
    kernel_sb = tmpfs_make(&tmpfs_type, 0, none, 01777);
    if (IS_ERR(kernel_sb))
        panic("no memory for the kernel's tmpfs");
    struct tsb *ts = kernel_sb->priv;
    ts->max_blocks = ts->max_inodes = 0; /* memfd is bounded by memory, not by a mount option */
}
