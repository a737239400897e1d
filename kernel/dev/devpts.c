/* SPDX-License-Identifier: MIT */
/*
 * devpts: the folder of pseudo terminals. One instance, which every mount shows: "ptmx" and a node N for each open pty.
 *
 * V1. nodes[N] is the inode (one reference) exactly from devpts_add(N) to devpts_remove(N).
 * Locks: pts_lock (spin) guards nodes and the options.
 */
#include "pty.h"
#include "tty_impl.h"
#include <lib/fmt.h>
#include <lib/string.h>
#include <port/log.h>

#define DEVPTS_MAGIC 0x1cd1
#define INO_PTMX     2
#define INO_PTY      3

static spinlock_t pts_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static struct inode *nodes[PTY_MAX], *ptmx_node;
static struct superblock *pts_sb;
static u32 opt_mode = 0600, opt_ptmx_mode;
static s64 opt_uid = -1, opt_gid = -1;

/* ---- nodes ---- */
static int open_slave(struct inode *inode, struct file *f)
{
    return tty_open_file(inode->priv, f, false);
}
static const struct inode_ops slave_iops = {.open = open_slave};

static int open_master(struct inode *inode, struct file *f)
{
    return ptmx_open(f);
}
static const struct inode_ops ptmx_iops = {.open = open_master};

int devpts_add(u32 index, struct tty *tty)
{
    struct inode *i = inode_alloc(pts_sb, S_IFCHR | opt_mode, NULL, 0);
    if (!i)
        return -ENOMEM;
    i->ino = INO_PTY + index;
    i->rdev = dev_make(tty->major, tty->minor);
    i->ops = &slave_iops;
    i->priv = tty;
    if (opt_uid >= 0)
        i->uid = (u32)opt_uid;
    if (opt_gid >= 0)
        i->gid = (u32)opt_gid;
    spin_lock(&pts_lock);
    nodes[index] = i;
    spin_unlock(&pts_lock);
    return 0;
}

void devpts_remove(u32 index)
{
    spin_lock(&pts_lock);
    struct inode *i = nodes[index];
    nodes[index] = NULL;
    spin_unlock(&pts_lock);
    if (i) {
        i->nlink = 0;
        inode_put(i);
    }
}

/* ---- the folder ---- */
static struct inode *find(const char *name, size_t len)
{
    u64 n;
    char text[12];
    struct inode *i = NULL;
    if (len == 4 && !memcmp(name, "ptmx", 4))
        return inode_get(ptmx_node);
    if (len >= sizeof(text))
        return NULL;
    memcpy(text, name, len);
    text[len] = 0;
    if (str_parse_u64(text, 10, &n, NULL) || n >= PTY_MAX || (len > 1 && text[0] == '0'))
        return NULL;
    spin_lock(&pts_lock);
    if (nodes[n])
        i = inode_get(nodes[n]);
    spin_unlock(&pts_lock);
    return i;
}

static int pts_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    *out = find(name, len);
    return *out ? 0 : -ENOENT;
}

static bool pts_revalidate(struct inode *dir, const char *name, size_t len, struct inode *inode)
{
    struct inode *now = find(name, len);
    if (now)
        inode_put(now); /* the table or ptmx_node still holds it */
    return now && now == inode;
}

static int pts_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    if (f->pos < 2 && !dir_emit_dots(f, emit, ctx))
        return 0;
    if (f->pos == 2) {
        if (!emit(ctx, "ptmx", 4, INO_PTMX, DT_CHR, 3))
            return 0;
        f->pos = 3;
    }
    for (u64 n = f->pos - 3; n < PTY_MAX; n++) {
        char name[12];
        if (!READ_ONCE(nodes[n]))
            continue;
        size_t len = (size_t)fmt_print(name, sizeof(name), "%lu", n);
        if (!emit(ctx, name, len, INO_PTY + n, DT_CHR, n + 4))
            return 0;
        f->pos = n + 4;
    }
    return 0;
}
static const struct inode_ops pts_dir_iops = {.lookup = pts_lookup, .revalidate = pts_revalidate};
static const struct file_ops pts_dir_fops = {.readdir = pts_readdir};

/* ---- mounting ---- */
static int set_option(const char *word)
{
    u64 v;
    if (str_starts(word, "mode=") && !str_parse_u64(word + 5, 8, &v, NULL)) {
        opt_mode = v & 07777;
    } else if (str_starts(word, "ptmxmode=") && !str_parse_u64(word + 9, 8, &v, NULL)) {
        opt_ptmx_mode = v & 07777;
        ptmx_node->mode = S_IFCHR | opt_ptmx_mode;
    } else if (str_starts(word, "uid=") && !str_parse_u64(word + 4, 10, &v, NULL)) {
        opt_uid = (s64)v;
    } else if (str_starts(word, "gid=") && !str_parse_u64(word + 4, 10, &v, NULL)) {
        opt_gid = (s64)v;
    } else if (!str_eq(word, "newinstance") && !str_starts(word, "max=")) {
        return -EINVAL;
    }
    return 0;
}

static int parse_options(char *s)
{
    while (s && *s) {
        char *comma = str_chr(s, ',');
        if (comma)
            *comma = 0;
        int err = *s ? set_option(s) : 0;
        if (err)
            return err;
        s = comma ? comma + 1 : NULL;
    }
    return 0;
}

static struct superblock *pts_mount(const struct fs_type *type, u32 flags, const char *source,
                                    char *options)
{
    int err = parse_options(options);
    return err ? ERR_PTR(err) : sb_get(pts_sb);
}

static int pts_remount(struct superblock *sb, u32 flags, char *options)
{
    return parse_options(options);
}

static void pts_show(struct superblock *sb, struct seq *s)
{
    if (opt_uid >= 0)
        seq_printf(s, ",uid=%ld", opt_uid);
    if (opt_gid >= 0)
        seq_printf(s, ",gid=%ld", opt_gid);
    seq_printf(s, ",mode=%03o,ptmxmode=%03o", opt_mode, opt_ptmx_mode);
}

static const struct sb_ops pts_sb_ops = {.remount = pts_remount, .show_options = pts_show};
static struct fs_type pts_type = {.name = "devpts", .mount = pts_mount};

void devpts_register(void)
{
    pts_sb = sb_alloc(&pts_type, &pts_sb_ops, 0);
    struct inode *root = pts_sb ? inode_alloc(pts_sb, S_IFDIR | 0755, NULL, 0) : NULL;
    ptmx_node = root ? inode_alloc(pts_sb, S_IFCHR, NULL, 0) : NULL;
    if (!ptmx_node)
        panic("no memory for devpts");
    pts_sb->magic = DEVPTS_MAGIC;
    pts_sb->blocksize = 1024;
    pts_sb->sflags = SB_NO_NEGATIVE | SB_NO_CACHE;
    root->ino = 1;
    root->nlink = 2;
    root->ops = &pts_dir_iops;
    root->fops = &pts_dir_fops;
    ptmx_node->ino = INO_PTMX;
    ptmx_node->rdev = dev_make(5, 2);
    ptmx_node->ops = &ptmx_iops;
    if (sb_set_root(pts_sb, root))
        panic("no memory for devpts");
    fs_register(&pts_type);
}
