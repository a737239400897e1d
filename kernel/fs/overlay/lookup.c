/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: from a name to an inode, through the layers from the top.
 *
 *   whiteout: ends the search   file: is the answer, if nothing was found above   directory: joins the merge; opaque: ends it
 */
#include "ovl.h"

u64 ovl_ino(const struct inode *real, unsigned layer)
{
    return real->ino ^ (u64)layer << 59;
}

/* Numbers and times of the real inode, where the VFS reads them. */
void ovl_sync_attr(struct inode *i)
{
    const struct inode *r = ovl_real(i);
    i->mode = r->mode;
    i->uid = r->uid;
    i->gid = r->gid;
    i->nlink = r->nlink;
    i->rdev = r->rdev;
    i->atime = r->atime;
    i->mtime = r->mtime;
    i->ctime = r->ctime;
    i->btime = r->btime;
    WRITE_ONCE(i->mapping.size, READ_ONCE(r->mapping.size));
}

static u64 origin_of(const struct inode *upper)
{
    u64 ino = 0;
    if (upper->ops->getxattr &&
        upper->ops->getxattr((struct inode *)upper, "trusted.overlay.origin", &ino, sizeof(ino)) ==
            sizeof(ino))
        return ino;
    return ovl_ino(upper, 0);
}

/* ---- overlay inodes by their upper one ---- */
static unsigned hash_of(const struct inode *upper)
{
    return (unsigned)hash_ptr(upper, 8);
}

void ovl_hash(struct inode *i)
{
    struct ovl_sb *os = ovl_sb(i);
    struct ovl_inode *oi = ovl(i);
    if (S_ISDIR(i->mode))
        return; /* directories have one name */
    unsigned h = hash_of(oi->upper);
    spin_lock(&os->hash_lock);
    oi->hash_next = os->by_upper[h];
    os->by_upper[h] = oi;
    oi->hashed = true;
    spin_unlock(&os->hash_lock);
}

static void unhash(struct inode *i, struct ovl_inode *oi)
{
    struct ovl_sb *os = ovl_sb(i);
    if (!oi->hashed)
        return;
    struct ovl_inode **pp = &os->by_upper[hash_of(oi->upper)];
    spin_lock(&os->hash_lock);
    while (*pp != oi)
        pp = &(*pp)->hash_next;
    *pp = oi->hash_next;
    spin_unlock(&os->hash_lock);
}

static struct inode *find_by_upper(struct superblock *sb, const struct inode *upper)
{
    struct ovl_sb *os = sb->priv;
    struct inode *found = NULL;
    spin_lock(&os->hash_lock);
    for (struct ovl_inode *oi = os->by_upper[hash_of(upper)]; oi && !found; oi = oi->hash_next)
        if (oi->upper == upper && inode_try_get(oi->self))
            found = oi->self;
    spin_unlock(&os->hash_lock);
    return found;
}

struct inode *ovl_new_inode(struct superblock *sb, struct inode *upper, struct inode **lower,
                            unsigned n)
{
    struct inode *known = upper && !S_ISDIR(upper->mode) ? find_by_upper(sb, upper) : NULL;
    if (known) {
        inode_put(upper);
        return known;
    }
    struct ovl_inode *oi = kzalloc(sizeof(*oi) + n * sizeof(oi->lower[0]), GFP_KERNEL);
    const struct inode *real = upper ? upper : lower[0];
    struct inode *i = oi ? inode_alloc(sb, real->mode, NULL, 0) : NULL;
    if (!i) {
        kfree(oi);
        inode_put(upper);
        while (n)
            inode_put(lower[--n]);
        return ERR_PTR(-ENOMEM);
    }
    mutex_init(&oi->copy_lock, RANK_NONE);
    oi->self = i;
    oi->upper = upper;
    oi->nr_lower = n;
    memcpy(oi->lower, lower, n * sizeof(*lower));
    i->priv = oi;
    i->ino = upper ? origin_of(upper) : ovl_ino(lower[0], 1);
    if (S_ISDIR(real->mode)) {
        i->ops = &ovl_dir_iops;
        i->fops = &ovl_dir_fops;
    } else if (S_ISREG(real->mode)) {
        i->ops = &ovl_file_iops;
    } else {
        i->ops = S_ISLNK(real->mode) ? &ovl_link_iops : &ovl_special_iops;
    }
    ovl_sync_attr(i);
    if (upper)
        ovl_hash(i);
    return i;
}

void ovl_evict(struct inode *i)
{
    struct ovl_inode *oi = ovl(i);
    if (!oi)
        return;
    unhash(i, oi);
    i->priv = NULL;
    inode_put(oi->upper);
    for (unsigned k = 0; k < oi->nr_lower; k++)
        inode_put(oi->lower[k]);
    inode_put(oi->parent);
    kfree(oi->name);
    kfree(oi);
}

struct inode *ovl_real_lookup(struct inode *dir, const char *name, size_t len, int *err)
{
    struct inode *i = NULL;
    if (!dir->ops->lookup)
        return NULL;
    mutex_lock(&dir->lock);
    int e = dir->ops->lookup(dir, name, len, &i);
    mutex_unlock(&dir->lock);
    if (e && e != -ENOENT)
        *err = e;
    return e ? NULL : i;
}

bool ovl_is_opaque(struct inode *dir)
{
    char v = 0;
    return dir->ops->getxattr && dir->ops->getxattr(dir, "trusted.overlay.opaque", &v, 1) == 1 &&
           v == 'y';
}

bool ovl_lower_has(struct inode *dir, const char *name, size_t len)
{
    struct ovl_inode *oi = ovl(dir);
    for (unsigned k = 0; k < oi->nr_lower; k++) {
        int err = 0;
        struct inode *i = ovl_real_lookup(oi->lower[k], name, len, &err);
        if (!i)
            continue;
        bool shown = !ovl_is_whiteout(i);
        inode_put(i);
        return shown;
    }
    return false;
}

/* Takes the lowers below i into lower[]; i's own directories only. */
static unsigned merge_lower(struct ovl_inode *dir, const char *name, size_t len, bool have_upper,
                            struct inode **lower, int *err)
{
    unsigned n = 0;
    for (unsigned k = 0; k < dir->nr_lower && !*err; k++) {
        struct inode *i = ovl_real_lookup(dir->lower[k], name, len, err);
        if (!i)
            continue;
        bool is_dir = S_ISDIR(i->mode);
        if (ovl_is_whiteout(i) || (!is_dir && (n || have_upper))) {
            inode_put(i);
            break;
        }
        lower[n++] = i;
        if (!is_dir || ovl_is_opaque(i))
            break;
    }
    return n;
}

int ovl_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct ovl_inode *od = ovl(dir);
    struct inode *upper = NULL, *lower[OVL_MAX_LOWER], *real_upper = ovl_upper(dir);
    unsigned n = 0;
    int err = 0;
    if (real_upper) {
        upper = ovl_real_lookup(real_upper, name, len, &err);
        if (err)
            return err;
        if (upper && ovl_is_whiteout(upper)) {
            inode_put(upper);
            return -ENOENT;
        }
    }
    if (!upper || (S_ISDIR(upper->mode) && !ovl_is_opaque(upper)))
        n = merge_lower(od, name, len, upper != NULL, lower, &err);
    if (err) {
        inode_put(upper);
        while (n)
            inode_put(lower[--n]);
        return err;
    }
    if (!upper && !n)
        return -ENOENT;
    struct inode *i = ovl_new_inode(dir->sb, upper, lower, n);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    if (!upper) {
        struct ovl_inode *oi = ovl(i);
        oi->name = kmalloc(len + 1, GFP_KERNEL);
        if (!oi->name) {
            inode_put(i);
            return -ENOMEM;
        }
        memcpy(oi->name, name, len);
        oi->name[len] = 0;
        oi->name_len = (u32)len;
        oi->parent = inode_get(dir);
    }
    *out = i;
    return 0;
}
