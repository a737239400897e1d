/* SPDX-License-Identifier: MIT */
/*
 * Stream sockets: bytes in order, cut into messages of at most UNIX_CHUNK bytes that a read may take in pieces.
 *
 * A read goes on from one message to the next, but stops behind one that carries files, and before one of another sender's
 * credentials when the reader wants credentials.
 */
#include "unix.h"
#include <lib/string.h>
#include <mm/slab.h>

static ssize_t broken_pipe(const struct umsghdr *m, size_t done)
{
    if (done)
        return (ssize_t)done;
    if (!(m->flags & MSG_NOSIGNAL))
        signal_send_task(current_task(), SIGPIPE);
    return -EPIPE;
}

ssize_t stream_send(struct usock *s, struct umsghdr *m)
{
    struct usock *to = load_acquire(&s->peer);
    if (m->name_len)
        return s->state == U_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    if (!to)
        return -ENOTCONN;
    size_t done = 0;
    if (unlikely(!m->len)) /* nothing to send: files have no byte to ride on */
        return (READ_ONCE(s->shut) & SHUT_SND) ? broken_pipe(m, 0) : 0;
    while (done < m->len) {
        if (READ_ONCE(s->shut) & SHUT_SND)
            return broken_pipe(m, done);
        if (unlikely(READ_ONCE(s->error)))
            return done ? (ssize_t)done : -__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
        int err = usock_wait_wmem(s, m->flags & MSG_DONTWAIT);
        if (err)
            return done ? (ssize_t)done : err;
        size_t part = min(m->len - done, (size_t)UNIX_CHUNK);
        if (part > s->sndbuf / 2 && s->sndbuf > 512)
            part = s->sndbuf / 2;
        struct umsg *msg = umsg_alloc(s, m, done, part);
        if (IS_ERR(msg))
            return done ? (ssize_t)done : PTR_ERR(msg);
        bool files = msg->files; /* msg may be gone once it is queued */
        if (files)
            unix_gc_lock();
        spin_lock(&to->lock);
        bool dead = to->state == U_CLOSED || (to->shut & SHUT_RCV);
        if (!dead)
            umsg_queue_locked(to, msg);
        spin_unlock(&to->lock);
        if (files)
            unix_gc_unlock();
        if (dead) {
            umsg_free(msg);
            return broken_pipe(m, done);
        }
        waitq_wake_all(&to->rd_wait);
        done += part;
    }
    return (ssize_t)done;
}

static bool same_cred(const struct ucred_k *a, const struct ucred_k *b)
{
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Waits for a message after `after` (NULL: the first). The message, NULL at the end of the stream, ERR_PTR. */
static struct umsg *next_msg(struct usock *s, struct umsg *after, bool wait, u64 deadline,
                             bool enough)
{
    for (;;) {
        spin_lock(&s->lock);
        struct list_head *at = after ? after->link.next : s->queue.next;
        struct umsg *msg = at == &s->queue ? NULL : list_entry(at, struct umsg, link);
        u32 shut = s->shut;
        spin_unlock(&s->lock);
        if (msg)
            return msg;
        if (enough)
            return ERR_PTR(-EAGAIN); /* an error is kept for the next call */
        if (READ_ONCE(s->error))
            return ERR_PTR(-__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED));
        if (shut & SHUT_RCV)
            return NULL;
        if (!wait)
            return ERR_PTR(-EAGAIN);
        u32 len = after ? READ_ONCE(s->queue_len) : 0; /* peeking: longer than it is now */
        s64 res = waitq_wait_timeout(&s->rd_wait,
                                     READ_ONCE(s->queue_len) > len ||
                                         (READ_ONCE(s->shut) & SHUT_RCV) || READ_ONCE(s->error),
                                     deadline);
        int err = usock_wait_result(res, s->rcvtimeo);
        if (err)
            return ERR_PTR(err);
    }
}

static void consume(struct usock *s, struct umsg *msg, size_t n)
{
    if (n < msg->len - msg->off) {
        spin_lock(&s->lock);
        msg->off += n;
        s->queue_bytes -= n;
        spin_unlock(&s->lock);
        return;
    }
    spin_lock(&s->lock);
    umsg_unqueue_locked(s, msg);
    spin_unlock(&s->lock);
    umsg_free(msg);
}

/* The bytes of m->buf, read_lock held. */
static ssize_t recv_bytes(struct usock *s, struct umsghdr *m, bool nonblock)
{
    bool peek = m->flags & MSG_PEEK;
    size_t done = 0, target = m->flags & MSG_WAITALL ? m->len : 1;
    u64 deadline = usock_deadline(s->rcvtimeo);
    struct umsg *peeked = NULL;
    while (done < m->len) {
        struct umsg *msg =
            next_msg(s, peeked, !nonblock && done < target, deadline, done >= target);
        if (IS_ERR(msg))
            return done ? (ssize_t)done : PTR_ERR(msg);
        if (!msg)
            break;
        if (m->scm.have_cred && m->scm.want_cred && !same_cred(&m->scm.cred, &msg->cred))
            break;
        if (!done)
            umsg_name(msg, m);
        m->scm.cred = msg->cred;
        m->scm.have_cred = true;
        size_t part = min(m->len - done, (size_t)(msg->len - msg->off));
        if (buf_put(&m->buf, done, msg->data + msg->off, part))
            return done ? (ssize_t)done : -EFAULT;
        done += part;
        bool files = msg->files;
        if (files) {
            m->scm.files = peek ? scm_files_copy(msg->files) : umsg_take_files(msg);
        }
        if (peek)
            peeked = msg;
        else
            consume(s, msg, part);
        if (files)
            break;
    }
    return (ssize_t)done;
}

ssize_t stream_recv(struct usock *s, struct umsghdr *m, bool nonblock)
{
    if (s->state != U_CONNECTED)
        return s->state == U_UNCONNECTED || s->state == U_LISTENING ? -EINVAL : 0;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (mutex_lock_interruptible(&s->read_lock))
        return s->rcvtimeo ? -EINTR : -ERESTARTSYS;
    ssize_t n = recv_bytes(s, m, nonblock);
    mutex_unlock(&s->read_lock);
    return n;
}
