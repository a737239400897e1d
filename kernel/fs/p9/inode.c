/* SPDX-License-Identifier: MIT */
/*
 * Names and attributes of the host's files. One inode per qid.path, with a fid to walk from.
 *
 * Attributes are asked for when the inode is made and believed afterwards (cache=loose): the host's root is not expected to
 * change under a running guest.
 *
 * Locks: the VFS holds dir->lock around directory operations.
 */
#include "p9.h"
#include <lib/errno.h>
#include <mm/slab.h>
#include <port/log.h>

#define GETATTR_BASIC 0x7ffUL

static void load_attributes(struct inode *inode, struct p9_msg *m)
{
    p9_get64(m); /* valid */
    p9_get_qid(m);
    inode->mode = p9_get32(m);
    inode->uid = p9_get32(m);
    inode->gid = p9_get32(m);
    inode->nlink = (u32)p9_get64(m);
    inode->rdev = dev_from_user(p9_get64(m));
    u64 size = p9_get64(m);
    p9_get64(m); /* blksize */
    inode->blocks = p9_get64(m);
    struct timespec_k *t[3] = {&inode->atime, &inode->mtime, &inode->ctime};
    for (int i = 0; i < 3; i++) {
        t[i]->sec = (s64)p9_get64(m);
        t[i]->nsec = (s64)p9_get64(m);
    }
    WRITE_ONCE(inode->mapping.size, size);
}

static int getattr_fid(struct p9_client *c, u32 fid, struct p9_msg *m)
{
    int err = p9_begin(m, P9_TGETATTR);
    if (err)
        return err;
    p9_put32(m, fid);
    p9_put64(m, GETATTR_BASIC);
    return p9_rpc(c, m, NULL);
}

int p9_refresh(struct inode *inode)
{
    struct p9_msg m;
    int err = getattr_fid(p9_client_of(inode), p9_inode_of(inode)->fid, &m);
    if (!err)
        load_attributes(inode, &m);
    p9_end(&m);
    return err;
}

static void set_operations(struct inode *inode)
{
    if (S_ISDIR(inode->mode)) {
        inode->ops = &p9_dir_iops;
        inode->fops = &p9_dir_fops;
    } else if (S_ISREG(inode->mode)) {
        inode->ops = &p9_file_iops;
        inode->fops = &p9_file_fops;
    } else if (S_ISLNK(inode->mode)) {
        inode->ops = &p9_link_iops;
    } else {
        inode->ops = &p9_special_iops;
    }
}

struct inode *p9_inode_get(struct superblock *sb, u32 fid, struct p9_qid qid)
{
    struct p9_client *c = sb->priv;
    struct inode *inode = inode_find(sb, qid.path);
    if (inode) {
        p9_clunk(c, fid);
        return inode;
    }
    struct p9_msg m;
    int err = getattr_fid(c, fid, &m);
    struct p9_inode *p = kzalloc(sizeof(*p), GFP_KERNEL);
    inode = err || !p ? NULL : inode_alloc(sb, S_IFREG, c->read_only ? &p9_mapping_ro_ops : &p9_mapping_ops, 0);
    if (!inode) {
        p9_end(&m);
        kfree(p);
        p9_clunk(c, fid);
        return ERR_PTR(err ? err : -ENOMEM);
    }
    *p = (struct p9_inode){fid, P9_NOFID, P9_NOFID};
    inode->priv = p;
    inode->mapping.bdi = &c->bdi;
    inode->ino = qid.path;
    load_attributes(inode, &m);
    p9_end(&m);
    set_operations(inode);
    return inode_hash(inode);
}

static void evict(struct inode *inode)
{
    struct p9_client *c = p9_client_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    if (inode->nlink)
        p9_flush_inode(inode);
    mapping_destroy(&inode->mapping);
    p9_clunk(c, p->write_fid);
    p9_clunk(c, p->read_fid);
    p9_clunk(c, p->fid);
    kfree(p);
    inode->priv = NULL;
}

/* The inode of a name that exists. */
static int walk_to(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    u32 fid;
    struct p9_qid qid;
    int err = p9_walk(p9_client_of(dir), p9_inode_of(dir)->fid, name, len, &fid, &qid);
    if (err)
        return err;
    struct inode *inode = p9_inode_get(dir->sb, fid, qid);
    if (IS_ERR(inode))
        return (int)PTR_ERR(inode);
    *out = inode;
    return 0;
}

/* Sends a request that changes a directory, then asks for the directory's new attributes. */
static int change(struct inode *dir, struct p9_msg *m)
{
    int err = p9_rpc(p9_client_of(dir), m, NULL);
    p9_end(m);
    if (!err)
        p9_refresh(dir);
    return err;
}

static int create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct inode **out)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TMKNOD);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(dir)->fid);
    p9_put_str(&m, name, len);
    p9_put32(&m, mode);
    p9_put32(&m, (u32)(rdev >> 20));
    p9_put32(&m, (u32)(rdev & 0xfffff));
    p9_put32(&m, current_task()->cred->fsgid);
    err = change(dir, &m);
    return err ? err : walk_to(dir, name, len, out);
}

static int make_dir(struct inode *dir, const char *name, size_t len, u32 mode, struct inode **out)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TMKDIR);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(dir)->fid);
    p9_put_str(&m, name, len);
    p9_put32(&m, mode);
    p9_put32(&m, current_task()->cred->fsgid);
    err = change(dir, &m);
    return err ? err : walk_to(dir, name, len, out);
}

static int make_symlink(struct inode *dir, const char *name, size_t len, const char *target, struct inode **out)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TSYMLINK);
    if (err)
        return err;
    size_t n = 0;
    while (target[n])
        n++;
    p9_put32(&m, p9_inode_of(dir)->fid);
    p9_put_str(&m, name, len);
    p9_put_str(&m, target, n);
    p9_put32(&m, current_task()->cred->fsgid);
    err = change(dir, &m);
    return err ? err : walk_to(dir, name, len, out);
}

static int make_link(struct inode *dir, const char *name, size_t len, struct inode *old)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TLINK);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(dir)->fid);
    p9_put32(&m, p9_inode_of(old)->fid);
    p9_put_str(&m, name, len);
    err = change(dir, &m);
    if (!err)
        p9_refresh(old);
    return err;
}

static int remove_name(struct inode *dir, const char *name, size_t len, struct inode *victim, u32 flags)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TUNLINKAT);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(dir)->fid);
    p9_put_str(&m, name, len);
    p9_put32(&m, flags);
    err = change(dir, &m);
    if (!err && victim->nlink)
        victim->nlink = S_ISDIR(victim->mode) ? 0 : victim->nlink - 1;
    return err;
}

static int unlink_file(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    return remove_name(dir, name, len, victim, 0);
}

static int remove_dir(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
    return remove_name(dir, name, len, victim, AT_REMOVEDIR);
}

static int rename(struct inode *od, const char *on, size_t ol, struct inode *nd, const char *nn, size_t nl, u32 flags)
{
    struct p9_msg m;
    if (flags & RENAME_EXCHANGE)
        return -EINVAL;
    int err = p9_begin(&m, P9_TRENAMEAT);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(od)->fid);
    p9_put_str(&m, on, ol);
    p9_put32(&m, p9_inode_of(nd)->fid);
    p9_put_str(&m, nn, nl);
    err = change(od, &m);
    if (!err && nd != od)
        p9_refresh(nd);
    return err;
}

static ssize_t read_link(struct inode *inode, char *buf, size_t size)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TREADLINK);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(inode)->fid);
    err = p9_rpc(p9_client_of(inode), &m, NULL);
    size_t len = 0;
    if (!err) {
        const char *s = p9_get_str(&m, &len);
        len = min(len, size);
        memcpy(buf, s, len);
        if (m.bad)
            err = -EIO;
    }
    p9_end(&m);
    return err ? err : (ssize_t)len;
}

/* The bits of Tsetattr: mode 1, uid 2, gid 4, size 8, atime 0x10, mtime 0x20, ctime 0x40, their values given 0x80, 0x100. */
static u32 setattr_bits(u32 valid)
{
    u32 bits = valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE);
    if (valid & ATTR_ATIME)
        bits |= 0x10 | 0x80;
    if (valid & ATTR_MTIME)
        bits |= 0x20 | 0x100;
    return bits;
}

static int set_attributes(struct inode *inode, u32 valid, const struct kstat *st)
{
    struct p9_msg m;
    if (valid & ATTR_SIZE) {
        p9_flush_inode(inode);
        int err = cache_truncate(&inode->mapping, st->size);
        if (err)
            return err;
    }
    int err = p9_begin(&m, P9_TSETATTR);
    if (err)
        return err;
    p9_put32(&m, p9_inode_of(inode)->fid);
    p9_put32(&m, setattr_bits(valid));
    p9_put32(&m, st->mode);
    p9_put32(&m, st->uid);
    p9_put32(&m, st->gid);
    p9_put64(&m, st->size);
    p9_put64(&m, (u64)st->atime.sec);
    p9_put64(&m, (u64)st->atime.nsec);
    p9_put64(&m, (u64)st->mtime.sec);
    p9_put64(&m, (u64)st->mtime.nsec);
    err = p9_rpc(p9_client_of(inode), &m, NULL);
    p9_end(&m);
    return err ? err : p9_refresh(inode);
}

const struct inode_ops p9_dir_iops = {
    .lookup = walk_to,
    .create = create,
    .mkdir = make_dir,
    .symlink = make_symlink,
    .link = make_link,
    .unlink = unlink_file,
    .rmdir = remove_dir,
    .rename = rename,
    .setattr = set_attributes,
    .open = p9_file_open,
    .evict = evict,
};
const struct inode_ops p9_file_iops = {.setattr = set_attributes, .open = p9_file_open, .evict = evict};
const struct inode_ops p9_link_iops = {.readlink = read_link, .setattr = set_attributes, .evict = evict};
const struct inode_ops p9_special_iops = {.setattr = set_attributes, .evict = evict};
