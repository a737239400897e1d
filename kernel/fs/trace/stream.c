/* SPDX-License-Identifier: MIT */
/*
 * The files "trace", the events as they lie in the buffers, and "trace_pipe", which takes them out and waits for more.
 * Events become text line by line as the reader comes to them.
 *
 * Lock: stream->lock (mutex): the reader's place, and the line that is being handed out.
 */
#include "tracefs.h"
#include <kernel/poll.h>

#define LINE_SIZE 2048

struct stream {
    struct mutex lock;
    struct trace_iter it;
    struct trace_record record;
    char line[LINE_SIZE];
    size_t len, off;
    u64 pos; /* bytes handed out */
    bool begun;
};

static int stream_open(struct file *f, bool take)
{
    struct stream *t = kvmalloc(sizeof(*t), GFP_KERNEL);
    if (!t)
        return -ENOMEM;
    memset(t, 0, sizeof(*t));
    mutex_init(&t->lock, RANK_NONE);
    t->it.take = take;
    f->priv = t;
    return 0;
}

static void stream_release(struct file *f)
{
    kvfree(f->priv);
}

static void rewind(struct stream *t)
{
    memset(&t->it, 0, sizeof(t->it));
    t->len = t->off = t->pos = 0;
    t->begun = false;
}

/* The next line is in t->line; false: there is none now. */
static bool make_line(struct stream *t)
{
    struct seq s;
    seq_init(&s, t->line, sizeof(t->line));
    if (!t->begun && !t->it.take)
        trace_header(&s);
    else if (trace_next(&t->it, &t->record))
        trace_line(&s, &t->it, &t->record);
    t->begun = true;
    t->len = s.len;
    t->off = 0;
    return s.len;
}

/* As much as there is, at most n bytes. lock held. */
static ssize_t hand_out(struct stream *t, const struct iobuf *b, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (t->off == t->len && !make_line(t))
            break;
        size_t part = min(n - done, t->len - t->off);
        if (iobuf_put(b, done, t->line + t->off, part))
            return done ? (ssize_t)done : -EFAULT;
        t->off += part;
        t->pos += part;
        done += part;
    }
    return (ssize_t)done;
}

/* ---- trace ---- */

static int trace_open(struct file *f)
{
    return stream_open(f, false);
}

static ssize_t trace_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct stream *t = f->priv;
    mutex_lock(&t->lock);
    if (*pos < t->pos)
        rewind(t);
    while (t->pos < *pos && (t->off < t->len || make_line(t))) {
        size_t skip = min((size_t)(*pos - t->pos), t->len - t->off);
        t->off += skip;
        t->pos += skip;
    }
    ssize_t done = t->pos == *pos ? hand_out(t, b, n) : 0;
    if (done > 0)
        *pos += (u64)done;
    mutex_unlock(&t->lock);
    return done;
}

/* What is written does not matter: opening the file to be cut has emptied the buffers. */
static ssize_t trace_store(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    *pos += n;
    return (ssize_t)n;
}

const struct file_ops trace_file_ops = {.open = trace_open,
                                        .read = trace_read,
                                        .write = trace_store,
                                        .lseek = text_lseek,
                                        .release = stream_release};

/* ---- trace_pipe ---- */

/* Ends with 0 when tracing has been switched off since something was read, as on Linux. */
static ssize_t pipe_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct stream *t = f->priv;
    ssize_t done;
    for (;;) {
        mutex_lock(&t->lock);
        done = hand_out(t, b, n);
        bool over = !trace_recording() && t->pos;
        mutex_unlock(&t->lock);
        if (done || over || !n)
            return done;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = waitq_wait_interruptible(&trace_waitq,
                                           trace_pending(&t->it) || (!trace_recording() && t->pos));
        if (err)
            return err;
    }
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
    struct stream *t = f->priv;
    poll_wait(pt, &trace_waitq);
    mutex_lock(&t->lock);
    bool ready = t->off < t->len || trace_pending(&t->it);
    mutex_unlock(&t->lock);
    return ready ? POLL_READABLE : 0;
}

/* Who has the file open may wait in poll() or an epoll set and so is woken by every event. */
static int pipe_open(struct file *f)
{
    int err = stream_open(f, true);
    if (!err)
        trace_wait_begin();
    return err;
}

static void pipe_release(struct file *f)
{
    trace_wait_end();
    stream_release(f);
}

const struct file_ops trace_pipe_ops = {.open = pipe_open,
                                        .read = pipe_read,
                                        .poll = pipe_poll,
                                        .lseek = no_lseek,
                                        .release = pipe_release};
