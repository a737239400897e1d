/* SPDX-License-Identifier: MIT */
/*
 * Sockets that only sockets hold. A socket's file may lie in a message on a queue (in flight); two sockets in each other's
 * queues, or one in its own, would stay for ever when the last descriptor goes. Found by marking:
 *
 *   candidate  every reference to its file comes from messages        root  all others
 *   from the roots' queues (and those of connections not yet accepted) follow the files of messages to candidates: reachable
 *   candidates that nothing reaches: their queues are emptied, which drops the last references
 *
 * G1. inflight is the number of times the socket's file lies in messages on queues; it changes, and such messages are put on
 *     and taken off queues, only under gc_lock. inflight > 0 keeps the file alive.
 * Locks: gc_lock (mutex, inside read_lock) · all_lock · a socket's lock.
 */
#include "unix.h"

enum { GC_ROOT, GC_CANDIDATE, GC_REACHED };

static struct mutex gc_lock = MUTEX_INIT(gc_lock);
static u64 nr_inflight; /* sockets in messages */

void unix_gc_lock(void)
{
    mutex_lock(&gc_lock);
}
void unix_gc_unlock(void)
{
    mutex_unlock(&gc_lock);
}

void unix_inflight(const struct scm_files *sf, s32 by)
{
    for (u32 i = 0; i < sf->n; i++) {
        struct usock *s = usock_of(sf->file[i]);
        if (s) {
            s->inflight += by;
            __atomic_fetch_add(&nr_inflight, (u64)(s64)by, __ATOMIC_RELAXED);
        }
    }
}

struct scm_files *umsg_take_files(struct umsg *msg)
{
    if (!msg->files)
        return NULL;
    mutex_lock(&gc_lock);
    struct scm_files *sf = msg->files;
    if (msg->counted)
        unix_inflight(sf, -1);
    msg->files = NULL;
    mutex_unlock(&gc_lock);
    return sf;
}

static void reach_queue(struct usock *s, struct list_head *work)
{
    struct umsg *msg;
    spin_lock(&s->lock);
    list_for_each_entry (msg, &s->queue, link) {
        for (u32 i = 0; msg->files && i < msg->files->n; i++) {
            struct usock *x = usock_of(msg->files->file[i]);
            if (x && x->gc_state == GC_CANDIDATE) {
                x->gc_state = GC_REACHED;
                list_add(&x->gc_link, work);
            }
        }
    }
    spin_unlock(&s->lock);
}

/* s and the connections that wait for its accept(). */
static void reach_from(struct usock *s, struct list_head *work)
{
    struct usock *child;
    reach_queue(s, work);
    if (s->state != U_LISTENING)
        return;
    spin_lock(&s->lock);
    list_for_each_entry (child, &s->accept, accept_link)
        reach_queue(child, work);
    spin_unlock(&s->lock);
}

/* all_lock held: leaves the sockets nobody reaches on `garbage`, referenced. */
static void mark(struct list_head *socks, struct list_head *garbage)
{
    LIST_HEAD(work);
    struct usock *s;
    list_for_each_entry (s, socks, all_link) {
        bool cand = s->inflight > 0 && READ_ONCE(s->file->refs) == s->inflight;
        bool embryo = s->accept_link.next != NULL;
        s->gc_state = cand ? GC_CANDIDATE : GC_ROOT;
        if (!cand && !embryo && (s->queue_len || s->accept_len))
            list_add(&s->gc_link, &work);
    }
    while (!list_empty(&work)) {
        s = list_first_entry(&work, struct usock, gc_link);
        list_unlink(&s->gc_link);
        reach_from(s, &work);
    }
    list_for_each_entry (s, socks, all_link) {
        if (s->gc_state == GC_CANDIDATE && (s->queue_len || s->accept_len))
            list_add(&usock_get(s)->gc_link, garbage);
    }
}

/* Takes the messages with files off the queue of s, and of connections that wait in it. */
static void strip(struct usock *s, struct list_head *msgs)
{
    struct umsg *msg, *next;
    struct usock *child;
    spin_lock(&s->lock);
    list_for_each_entry_safe (msg, next, &s->queue, link) {
        if (!msg->files)
            continue;
        umsg_unqueue_locked(s, msg);
        unix_inflight(msg->files, -1);
        msg->counted = false;
        list_add_tail(&msg->link, msgs);
    }
    if (s->state == U_LISTENING)
        list_for_each_entry (child, &s->accept, accept_link)
            strip(child, msgs);
    spin_unlock(&s->lock);
}

void unix_gc(void)
{
    LIST_HEAD(garbage);
    LIST_HEAD(msgs);
    struct usock *s, *next;
    struct umsg *msg, *next_msg;
    if (likely(!READ_ONCE(nr_inflight)))
        return;
    mutex_lock(&gc_lock);
    spin_lock(&unix_all_lock);
    mark(&unix_all, &garbage);
    spin_unlock(&unix_all_lock);
    list_for_each_entry_safe (s, next, &garbage, gc_link) {
        strip(s, &msgs);
        usock_put(s); /* its file is in msgs or in another's queue */
    }
    mutex_unlock(&gc_lock);
    list_for_each_entry_safe (msg, next_msg, &msgs, link)
        umsg_free(msg);
}
