/* SPDX-License-Identifier: MIT */
/*
 * Connecting UNIX sockets.
 *
 *   connect ── makes the server's end of the connection, hangs it on listener->accept ──> accept takes it off
 *   The connection works from connect() on: data may be sent before accept() is called.
 */
#include "unix.h"
#include <lib/string.h>
#include <mm/slab.h>

int unix_listen(struct usock *s, int backlog)
{
    int err = 0;
    mutex_lock(&unix_mutex);
    if (s->type == SOCK_DGRAM)
        err = -EOPNOTSUPP;
    else if (!s->addr || (s->state != U_UNCONNECTED && s->state != U_LISTENING))
        err = -EINVAL;
    if (!err) {
        s->backlog = (u32)(backlog < 0 || backlog > 4096 ? 4096 : backlog); /* somaxconn */
        s->cred = ucred_current();
        WRITE_ONCE(s->state, U_LISTENING);
    }
    mutex_unlock(&unix_mutex);
    waitq_wake_all(&s->peer_wait);
    return err;
}

void unix_pair(struct usock *a, struct usock *b)
{
    mutex_lock(&unix_mutex);
    a->peer = usock_get(b);
    b->peer = usock_get(a);
    a->peercred = b->peercred = ucred_current();
    if (a->type == SOCK_DGRAM) {
        list_add(&a->client_link, &b->clients);
        list_add(&b->client_link, &a->clients);
    } else {
        a->state = b->state = U_CONNECTED;
    }
    mutex_unlock(&unix_mutex);
}

void unix_disconnect_dgram(struct usock *s, struct list_head *dropped)
{
    struct usock *old = s->peer;
    list_del_init(&s->client_link);
    WRITE_ONCE(s->peer, NULL);
    if (!old)
        return;
    bool had = false;
    if (dropped &&
        mutex_trylock(&s->read_lock)) { /* a reader has its message, or waits on an empty queue */
        spin_lock(&s->lock);
        had = s->queue_len;
        list_splice_tail_init(&s->queue, dropped);
        WRITE_ONCE(s->queue_len, 0);
        s->queue_bytes = 0;
        spin_unlock(&s->lock);
        mutex_unlock(&s->read_lock);
    }
    if (had && old->state != U_CLOSED && old->peer == s)
        WRITE_ONCE(old->error, ECONNRESET);
    usock_put(old);
}

static int connect_dgram(struct usock *s, const struct sockaddr_un_k *name, u32 len)
{
    LIST_HEAD(dropped);
    if (name->family == 0) { /* AF_UNSPEC: no peer any more */
        mutex_lock(&unix_mutex);
        unix_disconnect_dgram(s, &dropped);
        mutex_unlock(&unix_mutex);
        umsg_free_all(&dropped);
        return 0;
    }
    struct usock *to = unix_find(name, len, SOCK_DGRAM);
    if (IS_ERR(to))
        return (int)PTR_ERR(to);
    int err = 0;
    mutex_lock(&unix_mutex);
    if (to->state == U_CLOSED)
        err = -ECONNREFUSED;
    else if (to->peer && to->peer != s)
        err = -EPERM;
    else if (s->passcred)
        err = unix_autobind(s);
    if (!err && s->peer == to) {
        err = 1; /* as it was */
    } else if (!err) {
        unix_disconnect_dgram(s, &dropped);
        WRITE_ONCE(s->peer, to);
        list_add(&s->client_link, &to->clients);
        s->peercred = to->cred;
    }
    mutex_unlock(&unix_mutex);
    umsg_free_all(&dropped);
    if (err)
        usock_put(to);
    waitq_wake_all(&s->wr_wait);
    waitq_wake_all(&s->peer_wait);
    return err < 0 ? err : 0;
}

/* unix_mutex held. 0, or -EAGAIN: the queue is full. child is used up on success. */
static int join_locked(struct usock *s, struct usock *to, struct usock *child)
{
    if (to->state != U_LISTENING || (to->shut & SHUT_RCV))
        return -ECONNREFUSED;
    if (to->accept_len > to->backlog)
        return -EAGAIN;
    if (s->state != U_UNCONNECTED)
        return s->state == U_CONNECTED ? -EISCONN : -EINVAL;
    if (s->passcred && unix_autobind(s))
        return -ENOMEM;
    child->peer = usock_get(s);
    child->peercred = ucred_current();
    child->addr = uaddr_get(to->addr);
    child->state = U_CONNECTED;
    s->peer = usock_get(child);
    s->peercred = to->cred;
    WRITE_ONCE(s->state, U_CONNECTED);
    spin_lock(&to->lock);
    list_add_tail(&child->accept_link, &to->accept);
    WRITE_ONCE(to->accept_len, to->accept_len + 1);
    spin_unlock(&to->lock);
    return 0;
}

static bool may_join(const struct usock *to)
{
    return READ_ONCE(to->accept_len) <= READ_ONCE(to->backlog) ||
           READ_ONCE(to->state) != U_LISTENING || (READ_ONCE(to->shut) & SHUT_RCV);
}

int unix_connect(struct usock *s, const struct sockaddr_un_k *name, u32 len, bool nonblock)
{
    if (s->type == SOCK_DGRAM)
        return connect_dgram(s, name, len);
    u64 deadline = usock_deadline(s->sndtimeo);
    struct usock *child = NULL, *to;
    int err;
    for (;;) {
        to = unix_find(name, len, s->type);
        if (IS_ERR(to)) {
            err = (int)PTR_ERR(to);
            break;
        }
        if (!child)
            child = usock_alloc(s->type);
        err = -ENOMEM;
        if (child) {
            mutex_lock(&unix_mutex);
            err = join_locked(s, to, child);
            mutex_unlock(&unix_mutex);
        }
        if (!err) {
            child = NULL;
            waitq_wake_one(&to->rd_wait);
        } else if (err == -EAGAIN && !nonblock) {
            s64 res = waitq_wait_timeout(&to->peer_wait, may_join(to), deadline);
            err = usock_wait_result(res, s->sndtimeo);
            usock_put(to);
            if (err)
                break;
            continue;
        }
        usock_put(to);
        break;
    }
    if (child)
        usock_put(child);
    return err;
}

static struct usock *accept_take(struct usock *s)
{
    spin_lock(&s->lock);
    struct usock *c = list_first_entry_or_null(&s->accept, struct usock, accept_link);
    if (c) {
        list_unlink(&c->accept_link);
        c->accept_link.next = NULL; /* fetched: usock_release() looks at it */
        WRITE_ONCE(s->accept_len, s->accept_len - 1);
    }
    spin_unlock(&s->lock);
    return c;
}

struct usock *unix_accept(struct usock *s, bool nonblock)
{
    if (s->type == SOCK_DGRAM)
        return ERR_PTR(-EOPNOTSUPP);
    if (s->state != U_LISTENING)
        return ERR_PTR(-EINVAL);
    u64 deadline = usock_deadline(s->rcvtimeo);
    for (;;) {
        struct usock *c = accept_take(s);
        if (c) {
            c->passcred = s->passcred;
            waitq_wake_one(&s->peer_wait);
            if (READ_ONCE(s->accept_len))
                waitq_wake_one(&s->rd_wait);
            return c;
        }
        if (nonblock)
            return ERR_PTR(-EAGAIN);
        if (READ_ONCE(s->shut) & SHUT_RCV)
            return ERR_PTR(-EINVAL);
        s64 res = waitq_wait_timeout(
            &s->rd_wait, READ_ONCE(s->accept_len) || (READ_ONCE(s->shut) & SHUT_RCV), deadline);
        int err = usock_wait_result(res, s->rcvtimeo);
        if (err) {
            if (READ_ONCE(s->accept_len)) /* the wake-up may have been meant for us alone */
                waitq_wake_one(&s->rd_wait);
            return ERR_PTR(err);
        }
    }
}
