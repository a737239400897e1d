/* SPDX-License-Identifier: MIT */
/*
 * mount -t 9p TAG DIR -o trans=virtio,version=9p2000.L,msize=N,cache=loose|mmap|none
 * Options that Linux knows and that change nothing here (access=, uname=, aname=, dfltuid=, posixacl ...) are accepted.
 */
#include "p9.h"
#include <kernel/path.h>
#include <lib/errno.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

#define P9_MAGIC      0x01021997
#define DEFAULT_MSIZE 131072u
#define FID_STACK     4096

void p9_client_boot(void);

/* One word of the option string. 0 or -EINVAL. */
static int parse_option(struct p9_client *c, const char *o)
{
    u64 v;
    if (str_starts(o, "msize=")) {
        if (str_parse_u64(o + 6, 0, &v, NULL) || v < 8192 || v > 1u << 20)
            return -EINVAL;
        c->msize = (u32)v;
        return 0;
    }
    if (str_starts(o, "trans="))
        return str_cmp(o, "trans=virtio") ? -EINVAL : 0;
    if (str_starts(o, "version="))
        return str_cmp(o, "version=9p2000.L") ? -EINVAL : 0;
    return 0;
}

static int parse_options(struct p9_client *c, char *options)
{
    char *word = options;
    for (char *p = options; p && *word; p++) {
        if (*p && *p != ',')
            continue;
        bool last = !*p;
        *p = 0;
        int err = parse_option(c, word);
        if (err)
            return err;
        if (last)
            break;
        word = p + 1;
    }
    return 0;
}

static int statfs(struct superblock *sb, struct kstatfs *st)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TSTATFS);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(sb->root->inode)->fid);
    err = p9_rpc(sb->priv, &m, NULL);
    if (!err) {
        p9_get32(&m); /* the host's type: ours is V9FS_MAGIC, as on Linux */
        st->bsize = p9_get32(&m);
        st->blocks = p9_get64(&m);
        st->bfree = p9_get64(&m);
        st->bavail = p9_get64(&m);
        st->files = p9_get64(&m);
        st->ffree = p9_get64(&m);
        p9_get64(&m);
        st->namelen = p9_get32(&m);
    }
    p9_end(&m);
    return err;
}

static void show_options(struct superblock *sb, struct seq *s)
{
    struct p9_client *c = sb->priv;
    seq_printf(s, ",access=client,msize=%u,trans=virtio", c->msize);
}

/* The flusher may hold the last reference to an inode, and puts it before it ends. */
static void disconnect(struct p9_client *c)
{
    backing_dev_stop(&c->bdi);
    p9_channel_release(c->channel);
    kfree(c->free_fids);
    kfree(c);
}

static void put(struct superblock *sb)
{
    struct p9_client *c = sb->priv;
    disconnect(c);
}

static const struct sb_ops p9_sb_ops = {.statfs = statfs, .show_options = show_options, .put = put};

static struct p9_client *connect(u32 flags, const char *source, char *options, int *err)
{
    struct p9_client *c = kzalloc(sizeof(*c), GFP_KERNEL);
    *err = -ENOMEM;
    if (!c)
        return NULL;
    c->free_fids = kmalloc(sizeof(u32) * FID_STACK, GFP_KERNEL);
    if (!c->free_fids)
        goto fail;
    c->cap_free = FID_STACK;
    c->msize = DEFAULT_MSIZE;
    c->read_only = flags & MS_RDONLY;
    spin_init(&c->lock, RANK_KERNEL_LEAF);
    backing_dev_init(&c->bdi, "9p");
    *err = parse_options(c, options);
    if (*err)
        goto fail;
    c->channel = p9_channel_claim(source);
    if (IS_ERR(c->channel)) {
        *err = (int)PTR_ERR(c->channel);
        log_print(LOG_ERR, "9pnet_virtio: no channels available for device %s\n", source);
        goto fail;
    }
    *err = p9_version(c);
    if (!*err && !c->read_only)
        *err = backing_dev_start(&c->bdi);
    if (!*err)
        return c;
    p9_channel_release(c->channel);
fail:
    kfree(c->free_fids);
    kfree(c);
    return NULL;
}

static struct superblock *mount(const struct fs_type *type, u32 flags, const char *source, char *options)
{
    int err;
    struct p9_client *c = connect(flags, source, options, &err);
    if (!c)
        return ERR_PTR(err);
    struct superblock *sb = sb_alloc(type, &p9_sb_ops, flags);
    if (!sb) {
        disconnect(c);
        return ERR_PTR(-ENOMEM);
    }
    sb->priv = c;
    sb->magic = P9_MAGIC;
    sb->blocksize = PAGE_SIZE;
    sb->max_bytes = (1UL << 44) - 1;
    u32 fid;
    struct p9_qid qid;
    err = p9_attach(c, &fid, &qid);
    if (!err) {
        struct inode *root = p9_inode_get(sb, fid, qid);
        err = IS_ERR(root) ? (int)PTR_ERR(root) : sb_set_root(sb, root);
    }
    if (err) {
        sb_put(sb);
        return ERR_PTR(err);
    }
    return sb;
}

static struct fs_type p9_type = {.name = "9p", .mount = mount};

void p9_boot(void)
{
    p9_client_boot();
    fs_register(&p9_type);
}
