/* SPDX-License-Identifier: MIT */
/*
 * overlayfs: lists of directories. The merged list is made when reading begins at 0 and kept with the open file: names of
 * upper layers first, whiteouts left out together with what they cover.
 *
 *   list: records [ino 8][len 2][type 1][hidden 1][name] one after another; position = 2 + offset of the record
 */
#include "ovl.h"

struct record {
    u64 ino;
    u16 len;
    u8 type, hidden;
    char name[];
} __packed_struct;

struct list {
    char *buf;
    size_t used, size;
    u32 *slot; /* open hash of offsets + 1 */
    u32 nr_slots, nr;
    int err;
};
struct merge { /* one layer being read */
    struct list *l;
    struct inode *dir;
    unsigned layer;
};

static u32 *find_slot(struct list *l, const char *name, size_t len)
{
    u32 h = (u32)hash_bytes(name, len) & (l->nr_slots - 1);
    while (l->slot[h]) {
        struct record *r = (struct record *)(l->buf + l->slot[h] - 1);
        if (r->len == len && memcmp(r->name, name, len) == 0)
            break;
        h = (h + 1) & (l->nr_slots - 1);
    }
    return &l->slot[h];
}

static int rehash(struct list *l)
{
    u32 nr = l->nr_slots ? l->nr_slots * 2 : 64, *old = l->slot;
    u32 *fresh = kvmalloc(nr * sizeof(u32), GFP_KERNEL | GFP_ZERO);
    if (!fresh)
        return -ENOMEM;
    l->slot = fresh;
    l->nr_slots = nr;
    for (size_t at = 0; at < l->used;) {
        struct record *r = (struct record *)(l->buf + at);
        *find_slot(l, r->name, r->len) = (u32)at + 1;
        at += sizeof(*r) + r->len;
    }
    kvfree(old);
    return 0;
}

static int room_for(struct list *l, size_t n)
{
    if (l->used + n <= l->size)
        return 0;
    size_t size = l->size ? l->size * 2 : 4096;
    char *buf = kvmalloc(size, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    if (l->used)
        memcpy(buf, l->buf, l->used);
    kvfree(l->buf);
    l->buf = buf;
    l->size = size;
    return 0;
}

static bool take(void *ctx, const char *name, size_t len, u64 ino, u8 type, u64 next_pos)
{
    struct merge *m = ctx;
    struct list *l = m->l;
    if (len <= 2 && name[0] == '.' && (len == 1 || name[1] == '.'))
        return true;
    if (l->nr * 2 >= l->nr_slots)
        l->err = rehash(l);
    if (!l->err)
        l->err = room_for(l, sizeof(struct record) + len);
    if (l->err)
        return false;
    u32 *slot = find_slot(l, name, len);
    if (*slot)
        return true;
    struct record *r = (struct record *)(l->buf + l->used);
    *r = (struct record){.ino = ino ^ (u64)m->layer << 59,
                         .len = (u16)len,
                         .type = type,
                         .hidden = type == DT_CHR ? 2 : 0};
    memcpy(r->name, name, len);
    *slot = (u32)l->used + 1;
    l->used += sizeof(*r) + len;
    l->nr++;
    return true;
}

/* Character devices of the layer just read: is it a whiteout? 2 becomes 1 (hidden) or 0. */
static void settle(struct list *l, struct inode *dir)
{
    for (size_t at = 0; at < l->used;) {
        struct record *r = (struct record *)(l->buf + at);
        if (r->hidden == 2) {
            int err = 0;
            struct inode *i = ovl_real_lookup(dir, r->name, r->len, &err);
            r->hidden = i && ovl_is_whiteout(i);
            inode_put(i);
        }
        at += sizeof(*r) + r->len;
    }
}

static int read_layer(struct list *l, struct inode *dir, unsigned layer)
{
    struct merge m = {.l = l, .dir = dir, .layer = layer};
    struct file *f = file_open_backing(dir, O_RDONLY | O_DIRECTORY);
    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    int err = f->ops->readdir ? 0 : -ENOTDIR;
    mutex_lock(&dir->lock);
    for (u64 before = ~0UL;
         !err && f->pos != before;) { /* a call may end before the directory does */
        before = f->pos;
        err = f->ops->readdir(f, take, &m);
        if (l->err)
            err = l->err;
    }
    mutex_unlock(&dir->lock);
    file_put(f);
    settle(l, dir);
    return err;
}

static void list_free(struct list *l)
{
    kvfree(l->buf);
    kvfree(l->slot);
    *l = (struct list){0};
}

static int list_make(struct list *l, struct inode *dir)
{
    struct ovl_inode *oi = ovl(dir);
    struct inode *upper = ovl_upper(dir);
    *l = (struct list){0};
    int err = upper ? read_layer(l, upper, 0) : 0;
    for (unsigned k = 0; k < oi->nr_lower && !err; k++)
        err = read_layer(l, oi->lower[k], 1);
    if (err)
        list_free(l);
    return err;
}

int ovl_check_empty(struct inode *dir)
{
    struct list l;
    int err = list_make(&l, dir);
    for (size_t at = 0; at < l.used && !err;) {
        struct record *r = (struct record *)(l.buf + at);
        if (!r->hidden)
            err = -ENOTEMPTY;
        at += sizeof(*r) + r->len;
    }
    list_free(&l);
    return err;
}

int ovl_clear_whiteouts(struct inode *up)
{
    struct list l = {0};
    int err = read_layer(&l, up, 0);
    mutex_lock(&up->lock);
    for (size_t at = 0; at < l.used && !err;) {
        struct record *r = (struct record *)(l.buf + at);
        struct inode *w = NULL;
        if (r->hidden && up->ops->lookup(up, r->name, r->len, &w) == 0) {
            mutex_lock(&w->lock);
            err = up->ops->unlink(up, r->name, r->len, w);
            mutex_unlock(&w->lock);
            inode_put(w);
        }
        at += sizeof(*r) + r->len;
    }
    mutex_unlock(&up->lock);
    list_free(&l);
    return err;
}

/* f->pos is "." 0, ".." 1, then 2 + offset. inode->lock (held) guards the list. */
static int readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct list *l = f->priv;
    if (f->pos == 0 && l) {
        list_free(l);
        kfree(l);
        f->priv = l = NULL;
    }
    if (!l) {
        l = kzalloc(sizeof(*l), GFP_KERNEL);
        int err = l ? list_make(l, f->inode) : -ENOMEM;
        if (err) {
            kfree(l);
            return err;
        }
        f->priv = l;
    }
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    for (size_t at = 0;
         at < l->used;) { /* from the start: a program may seek between two records */
        struct record *r = (struct record *)(l->buf + at);
        size_t next = at + sizeof(*r) + r->len;
        if (at + 2 < f->pos) {
            at = next;
            continue;
        }
        if (!r->hidden && !emit(ctx, r->name, r->len, r->ino, r->type, next + 2))
            return 0;
        at = next;
        f->pos = at + 2;
    }
    return 0;
}

static void release(struct file *f)
{
    struct list *l = f->priv;
    if (l)
        list_free(l);
    kfree(l);
}

static int fsync(struct file *f, u64 start, u64 end, bool data_only)
{
    return 0;
}

static s64 lseek(struct file *f, s64 off, int whence)
{
    if (whence == SEEK_CUR)
        off += (s64)f->pos;
    else if (whence != SEEK_SET)
        return -EINVAL;
    struct list *l = f->priv;
    if (off < 0 || (off > 2 && l && (u64)off - 2 > l->used))
        return -EINVAL;
    f->pos = (u64)off;
    return off;
}

const struct file_ops ovl_dir_fops = {
    .readdir = readdir, .lseek = lseek, .fsync = fsync, .release = release};
