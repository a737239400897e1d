/* SPDX-License-Identifier: MIT */
/*
 * Datagram and seqpacket sockets: whole messages. A read takes one; what does not fit is dropped (MSG_TRUNC).
 *
 * A datagram receiver that is not connected back to the sender takes max_dgram_qlen + 1 messages, then senders wait on its peer_wait.
 */
#include "unix.h"
#include <lib/string.h>
#include <mm/slab.h>

static ssize_t broken_pipe(const struct umsghdr *m)
{
    if (!(m->flags & MSG_NOSIGNAL))
        signal_send_task(current_task(), SIGPIPE);
    return -EPIPE;
}

/* Whom the message is for: referenced, or ERR_PTR. */
static struct usock *target_of(struct usock *s, const struct umsghdr *m)
{
    if (m->name_len && s->type != SOCK_SEQPACKET) { /* a connected one does not look at names */
        return unix_find(&m->name, m->name_len, s->type);
    }
    mutex_lock(&unix_mutex);
    struct usock *to = s->peer ? usock_get(s->peer) : NULL;
    mutex_unlock(&unix_mutex);
    return to ? to : ERR_PTR(-ENOTCONN);
}

/* A connected datagram socket whose peer has gone loses it. */
static void forget_dead_peer(struct usock *s, struct usock *to)
{
    LIST_HEAD(dropped);
    mutex_lock(&unix_mutex);
    if (s->type == SOCK_DGRAM && s->peer == to)
        unix_disconnect_dgram(s, &dropped);
    mutex_unlock(&unix_mutex);
    umsg_free_all(&dropped);
}

/* Puts msg on to's queue. 0, -EAGAIN: full, or the error. */
static int deliver(struct usock *s, struct usock *to, struct umsg *msg)
{
    int err = 0;
    bool files = msg->files; /* msg may be gone once it is queued */
    if (files)
        unix_gc_lock();
    spin_lock(&to->lock);
    if (s->type == SOCK_DGRAM && READ_ONCE(to->peer) && to->peer != s)
        err = -EPERM;
    else if (to->state == U_CLOSED)
        err = s->type == SOCK_SEQPACKET ? -EPIPE : -ECONNREFUSED;
    else if (to->shut & SHUT_RCV)
        err = -EPIPE;
    else if (s->type == SOCK_DGRAM && dgram_full(to, s))
        err = -EAGAIN;
    else
        umsg_queue_locked(to, msg);
    spin_unlock(&to->lock);
    if (files)
        unix_gc_unlock();
    return err;
}

ssize_t dgram_send(struct usock *s, struct umsghdr *m)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (s->type == SOCK_SEQPACKET && s->state != U_CONNECTED)
        return -ENOTCONN;
    if (s->passcred && !s->addr) {
        mutex_lock(&unix_mutex);
        int err = unix_autobind(s);
        mutex_unlock(&unix_mutex);
        if (err)
            return err;
    }
    /* Linux's order of questions: a name is looked up when all else is ready */
    bool named = m->name_len && s->type != SOCK_SEQPACKET;
    if (named && (m->name_len <= sizeof(u16) || m->name.family != AF_UNIX))
        return -EINVAL;
    struct usock *to = named ? NULL : target_of(s, m);
    if (IS_ERR(to))
        return PTR_ERR(to);
    ssize_t ret = m->len > (size_t)s->sndbuf - 32 ? -EMSGSIZE : 0;
    if (!ret && READ_ONCE(s->error))
        ret = -__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
    if (!ret && (READ_ONCE(s->shut) & SHUT_SND))
        ret = broken_pipe(m);
    if (!ret)
        ret = usock_wait_wmem(s, m->flags & MSG_DONTWAIT);
    struct umsg *msg = ret ? NULL : umsg_alloc(s, m, 0, m->len);
    if (!ret && IS_ERR(msg))
        ret = PTR_ERR(msg);
    if (!ret && named) {
        to = target_of(s, m);
        if (IS_ERR(to)) {
            umsg_free(msg);
            return PTR_ERR(to);
        }
    }
    u64 deadline = usock_deadline(s->sndtimeo);
    while (!ret) {
        int err = deliver(s, to, msg);
        if (!err) {
            waitq_wake_all(&to->rd_wait);
            ret = (ssize_t)m->len;
            usock_put(to);
            return ret;
        }
        if (err == -EAGAIN && !(m->flags & MSG_DONTWAIT)) {
            s64 res = waitq_wait_timeout(&to->peer_wait, !dgram_full(to, s) || READ_ONCE(to->shut),
                                         deadline);
            err = usock_wait_result(res, s->sndtimeo);
            if (!err)
                continue;
        }
        if (err == -ECONNREFUSED)
            forget_dead_peer(s, to);
        umsg_free(msg);
        ret = err == -EPIPE ? broken_pipe(m) : err;
    }
    if (to)
        usock_put(to);
    return ret;
}

/* Room again: senders that wait, and pollers of sockets connected to us. */
static void wake_senders(struct usock *s)
{
    struct usock *c;
    waitq_wake_all(&s->peer_wait);
    if (list_empty(&s->clients))
        return;
    mutex_lock(&unix_mutex);
    list_for_each_entry (c, &s->clients, client_link)
        waitq_wake_all(&c->wr_wait);
    mutex_unlock(&unix_mutex);
}

static struct umsg *wait_msg(struct usock *s, bool nonblock)
{
    u64 deadline = usock_deadline(s->rcvtimeo);
    for (;;) {
        if (READ_ONCE(s->error))
            return ERR_PTR(-__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED));
        spin_lock(&s->lock);
        struct umsg *msg = list_first_entry_or_null(&s->queue, struct umsg, link);
        u32 shut = s->shut;
        spin_unlock(&s->lock);
        if (msg)
            return msg;
        if ((shut & SHUT_RCV) &&
            !(nonblock && s->type == SOCK_DGRAM)) /* Linux's order of questions */
            return NULL;
        if (nonblock)
            return ERR_PTR(-EAGAIN);
        s64 res = waitq_wait_timeout(&s->rd_wait,
                                     READ_ONCE(s->queue_len) || (READ_ONCE(s->shut) & SHUT_RCV) ||
                                         READ_ONCE(s->error),
                                     deadline);
        int err = usock_wait_result(res, s->rcvtimeo);
        if (err)
            return ERR_PTR(err);
    }
}

static ssize_t recv_one(struct usock *s, struct umsghdr *m, bool nonblock)
{
    struct umsg *msg = wait_msg(s, nonblock);
    if (!msg || IS_ERR(msg))
        return msg ? PTR_ERR(msg) : 0;
    bool peek = m->flags & MSG_PEEK, want_len = m->flags & MSG_TRUNC;
    size_t n = min(m->len, (size_t)msg->len);
    m->flags &= ~MSG_TRUNC;
    if (n < msg->len)
        m->flags |= MSG_TRUNC;
    if (n && buf_put(&m->buf, 0, msg->data, n))
        return -EFAULT;
    umsg_name(msg, m);
    m->scm.cred = msg->cred;
    m->scm.have_cred = true;
    if (msg->files) {
        m->scm.files = peek ? scm_files_copy(msg->files) : umsg_take_files(msg);
    }
    size_t whole = msg->len;
    if (!peek) {
        spin_lock(&s->lock);
        umsg_unqueue_locked(s, msg);
        spin_unlock(&s->lock);
        umsg_free(msg);
    }
    return (ssize_t)(want_len ? whole : n);
}

ssize_t dgram_recv(struct usock *s, struct umsghdr *m, bool nonblock)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (s->type == SOCK_SEQPACKET && s->state != U_CONNECTED)
        return -ENOTCONN;
    if (mutex_lock_interruptible(&s->read_lock))
        return s->rcvtimeo ? -EINTR : -ERESTARTSYS;
    ssize_t n = recv_one(s, m, nonblock);
    mutex_unlock(&s->read_lock);
    if (n >= 0 && !(m->flags & MSG_PEEK))
        wake_senders(s);
    return n;
}

ssize_t unix_sendmsg(struct usock *s, struct umsghdr *m)
{
    ssize_t n = s->type == SOCK_STREAM ? stream_send(s, m) : dgram_send(s, m);
    if (m->scm.files) {
        scm_files_put(m->scm.files);
        m->scm.files = NULL;
    }
    return n;
}

ssize_t unix_recvmsg(struct usock *s, struct umsghdr *m, bool nonblock)
{
    nonblock |= (m->flags & MSG_DONTWAIT) != 0;
    m->scm = (struct scm){.want_cred = s->passcred};
    m->name_len = 0;
    ssize_t n = s->type == SOCK_STREAM ? stream_recv(s, m, nonblock) : dgram_recv(s, m, nonblock);
    return n;
}
