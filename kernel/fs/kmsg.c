/* SPDX-License-Identifier: MIT */
/*
 * /dev/kmsg and /proc/kmsg: the log as files.
 *
 *   the log's bytes: "<level>[seconds.micros] text\n" ...      /dev/kmsg: one record "level,seq,micros,-;text\n" a read
 *
 * The log wakes nobody (it is written in any context), so a reader that has seen all looks again ten times a second.
 */
#include "internal.h"
#include <arch/trap.h>
#include <lib/fmt.h>
#include <port/clock.h>

#define LINE_MAX 800
#define LOOK_NS  100000000UL

struct kmsg {
    struct mutex lock;
    struct waitq never;
    u64 pos, seq;
    char line[LINE_MAX];
};

static int kmsg_open(struct file *f)
{
    struct kmsg *k = kzalloc(sizeof(*k), GFP_KERNEL);
    if (!k)
        return -ENOMEM;
    mutex_init(&k->lock, RANK_NONE);
    waitq_init(&k->never);
    f->priv = k;
    return 0;
}

static void kmsg_release(struct file *f)
{
    kfree(f->priv);
}

/* Waits until there is more than k->pos. 0, -EAGAIN, -ERESTARTSYS. */
static int wait_more(struct file *f, struct kmsg *k)
{
    while (READ_ONCE(k->pos) >= log_end()) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        s64 r = waitq_wait_timeout(&k->never, k->pos < log_end(), clock_ns() + LOOK_NS);
        if (r < 0)
            return -ERESTARTSYS;
    }
    return 0;
}

static u64 number(const char **p, const char *end)
{
    u64 v = 0;
    while (*p < end && (**p == ' ' || **p == '[' || **p == '<'))
        ++*p;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        v = v * 10 + (u64)(**p - '0');
    return v;
}

/* Takes the next line of the log and makes a record of it; length, 0: none. lock held. */
static size_t next_record(struct kmsg *k, char *out, size_t size)
{
    u64 pos = k->pos;
    size_t n = log_read(&pos, k->line, sizeof(k->line)), len = 0;
    pos -= n; /* where the text really began: old lines may have gone */
    while (len < n && k->line[len] != '\n')
        len++;
    if (!n)
        return 0;
    k->pos = pos + min(len + 1, n);
    const char *p = k->line, *end = k->line + len;
    u64 level = number(&p, end), sec, micros;
    while (p < end && (*p == '>'))
        p++;
    sec = number(&p, end);
    p += p < end && *p == '.';
    micros = number(&p, end);
    p += p < end && *p == ']';
    p += p < end && *p == ' ';
    return (size_t)fmt_print(out, size, "%lu,%lu,%lu,-;%.*s\n", level, k->seq++,
                             sec * 1000000 + micros, (int)(end - p), p);
}

static ssize_t kmsg_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct kmsg *k = f->priv;
    char *out = kmalloc(LINE_MAX + 64, GFP_KERNEL);
    if (!out)
        return -ENOMEM;
    ssize_t ret;
    do {
        ret = wait_more(f, k);
        if (ret)
            break;
        mutex_lock(&k->lock);
        u64 pos_before = k->pos, seq_before = k->seq;
        size_t len = next_record(k, out, LINE_MAX + 64);
        ret = (ssize_t)len;
        if (len > n) {
            k->pos = pos_before;
            k->seq = seq_before;
            ret = -EINVAL;
        } else if (len && iobuf_put(b, 0, out, len)) {
            ret = -EFAULT;
        }
        mutex_unlock(&k->lock);
    } while (!ret);
    kfree(out);
    return ret;
}

static ssize_t proc_kmsg_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct kmsg *k = f->priv;
    int err = wait_more(f, k);
    if (err)
        return err;
    mutex_lock(&k->lock);
    size_t got = log_read(&k->pos, k->line, min(n, sizeof(k->line)));
    ssize_t ret = iobuf_put(b, 0, k->line, got) ? -EFAULT : (ssize_t)got;
    mutex_unlock(&k->lock);
    return ret;
}

static ssize_t kmsg_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    char text[LINE_MAX - 100];
    if (n > 1024)
        return -EINVAL;
    size_t take = min(n, sizeof(text) - 1);
    if (iobuf_get(b, 0, text, take))
        return -EFAULT;
    text[take] = 0;
    const char *p = text;
    int level = LOG_NOTICE;
    if (*p == '<') { /* "<facility * 8 + level>" */
        u64 v;
        const char *end;
        if (!str_parse_u64(p + 1, 10, &v, &end) && *end == '>') {
            level = (int)(v & 7);
            p = end + 1;
        }
    }
    log_print(level, "%s", p);
    return (ssize_t)n;
}

static s64 kmsg_lseek(struct file *f, s64 off, int whence)
{
    struct kmsg *k = f->priv;
    if (off)
        return -ESPIPE;
    if (whence != SEEK_SET && whence != SEEK_DATA && whence != SEEK_END)
        return -EINVAL;
    mutex_lock(&k->lock);
    k->pos = whence == SEEK_END ? log_end() : 0;
    k->seq = 0;
    mutex_unlock(&k->lock);
    return 0;
}

static const struct file_ops kmsg_ops = {.open = kmsg_open,
                                         .read = kmsg_read,
                                         .write = kmsg_write,
                                         .lseek = kmsg_lseek,
                                         .release = kmsg_release};
const struct file_ops proc_kmsg_fops = {
    .open = kmsg_open, .read = proc_kmsg_read, .lseek = no_lseek, .release = kmsg_release};

void kmsg_register(void)
{
    dev_register("kmsg", S_IFCHR | 0644, 1, 11, &kmsg_ops, NULL);
}
