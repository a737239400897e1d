/* SPDX-License-Identifier: MIT */
/*
 * Files of text. The text is made whole, in a buffer that grows until it fits, when reading begins at 0, and then handed
 * out piece by piece: one reader sees one moment. A text of records (struct seq: maps, smaps) is made part by part; a reader
 * sees one moment in each.
 *
 *      0          base         base + seq.len
 *      |  earlier  |  the part in buf  |  seq.more: from seq.cursor on
 *
 * Lock: t->lock (mutex) guards the buffer.
 */
#include "pfs.h"

#define MAX_TEXT  (64UL << 20)
#define MAX_STORE 4095

struct text {
    struct mutex lock;
    show_fn *show;
    int (*store)(const char *, size_t, void *);
    void *arg;
    void (*done)(void *arg);
    s64 (*ioctl)(void *arg, u32 cmd, u64 uarg);
    char *buf;
    size_t size;
    u64 base;
    struct seq seq;
};

/* The part that begins with the record `cursor`. */
static int make_part(struct text *t, u64 cursor)
{
    size_t size = t->size ? t->size : PAGE_SIZE;
    for (;; size *= 4) {
        if (size > t->size) {
            kvfree(t->buf);
            t->size = 0;
            t->buf = kvmalloc(size, GFP_KERNEL);
            if (!t->buf)
                return -ENOMEM;
            t->size = size;
        }
        seq_init(&t->seq, t->buf, t->size);
        t->seq.cursor = cursor;
        t->show(&t->seq, t->arg);
        if (unlikely(t->seq.err)) {
            t->seq.len = 0;
            return t->seq.err;
        }
        if (!t->seq.overflow)
            return 0;
        if (size >= MAX_TEXT)
            return -ENOMEM;
    }
}

/* Puts the part with the byte at pos, or the last one, into the buffer. */
static int find_part(struct text *t, u64 pos)
{
    int err = 0;
    if (pos < t->base || !pos || !t->buf) {
        t->base = 0;
        err = make_part(t, 0);
    }
    while (!err && t->seq.more && pos - t->base >= t->seq.len) {
        t->base += t->seq.len;
        err = make_part(t, t->seq.cursor);
    }
    return err;
}

static ssize_t read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct text *t = f->priv;
    ssize_t done;
    if (!t->show)
        return -EINVAL;
    mutex_lock(&t->lock);
    done = find_part(t, *pos);
    size_t from = *pos - t->base;
    if (!done && from < t->seq.len) {
        size_t put = iobuf_put_part(b, 0, t->buf + from, min(n, t->seq.len - from));
        *pos += put;
        done = put || !n ? (ssize_t)put : -EFAULT;
    }
    mutex_unlock(&t->lock);
    return done;
}

static ssize_t write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct text *t = f->priv;
    if (!t->store)
        return -EIO;
    if (n > MAX_STORE)
        return -EINVAL;
    char *buf = kmalloc(n + 1, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    int err = iobuf_get(b, 0, buf, n);
    if (!err) {
        buf[n] = 0;
        err = t->store(buf, n, t->arg);
    }
    kfree(buf);
    if (err)
        return err;
    *pos += n;
    return (ssize_t)n;
}

s64 text_lseek(struct file *f, s64 off, int whence)
{
    if (whence == SEEK_CUR)
        off += (s64)f->pos;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (off < 0)
        return -EINVAL;
    f->pos = (u64)off;
    return off;
}

static void release(struct file *f)
{
    struct text *t = f->priv;
    if (t->done)
        t->done(t->arg);
    kvfree(t->buf);
    kfree(t);
}

static s64 text_ioctl(struct file *f, u32 cmd, u64 uarg)
{
    struct text *t = f->priv;
    return t->ioctl ? t->ioctl(t->arg, cmd, uarg) : -ENOTTY;
}

static const struct file_ops text_fops = {
    .read = read, .write = write, .lseek = text_lseek, .release = release, .ioctl = text_ioctl};

void text_set_ioctl(struct file *f, s64 (*ioctl)(void *arg, u32 cmd, u64 uarg))
{
    ((struct text *)f->priv)->ioctl = ioctl;
}

int text_open(struct file *f, show_fn *show, int (*store)(const char *, size_t, void *), void *arg,
              void (*done)(void *arg))
{
    struct text *t = kzalloc(sizeof(*t), GFP_KERNEL);
    if (!t)
        return -ENOMEM;
    mutex_init(&t->lock, RANK_NONE);
    t->show = show;
    t->store = store;
    t->arg = arg;
    t->done = done;
    f->ops = &text_fops;
    f->priv = t;
    return 0;
}
