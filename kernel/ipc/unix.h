/* SPDX-License-Identifier: MIT */
/*
 * UNIX sockets inside kernel/ipc.
 *
 *   struct file ─priv─> usock ─peer─> usock        stream, seqpacket: both ways, for good; datagram: whom send() means
 *                         │queue: umsg (data, sender, credentials, files)
 *                         │accept: usocks that connect() made and accept() has not yet fetched
 *   uaddr: the name, shared by a listener and what it accepts; found by path (inode->ipc) or in the hash of abstract names
 *
 * K1. refs: 1 for the file, 1 for each peer pointer, message sent and accept queue entry.
 * K2. wmem is the charge of messages sent and not yet received; poll says writable while four times that fits sndbuf.
 * K3. state and peer change under unix_mutex; peer of a connected stream never changes until its own release.
 * Locks: unix_mutex (names, connections) · read_lock (one receiver) · lock (queue, shut, accept; spin).
 */
#ifndef KERNEL_IPC_UNIX_H
#define KERNEL_IPC_UNIX_H
#include "ipc.h"
#include <kernel/path.h>
#include <kernel/poll.h>

#define AF_UNIX        1
#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_NONBLOCK  O_NONBLOCK
#define SOCK_CLOEXEC   O_CLOEXEC

#define MSG_OOB          0x01u
#define MSG_PEEK         0x02u
#define MSG_CTRUNC       0x08u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_EOR          0x80u
#define MSG_WAITALL      0x100u
#define MSG_NOSIGNAL     0x4000u
#define MSG_WAITFORONE   0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SHUT_RCV         1u
#define SHUT_SND         2u
#define UNIX_PATH_MAX    108
#define UNIX_BUF_DEFAULT 212992
#define UNIX_CHUNK       (32768u - (u32)sizeof(struct umsg)) /* of one stream message */
#define SCM_MAX_FD       253u

enum ustate { U_UNCONNECTED, U_LISTENING, U_CONNECTED, U_CLOSED };

struct sockaddr_un_k {
    u16 family;
    char path[UNIX_PATH_MAX];
};
struct uaddr {
    s32 refs;
    u32 len; /* of name, with the family */
    struct uaddr *hash_next;
    struct usock *sock; /* abstract: who is bound; unix_mutex */
    struct sockaddr_un_k name;
};
struct ucred_k {
    s32 pid;
    u32 uid, gid;
};
struct scm_files {
    u32 n;
    struct list_head link; /* while waiting to be dropped */
    struct file *file[];
};
struct umsg {
    struct list_head link;
    struct usock *sender; /* referenced, charged */
    struct scm_files *files;
    struct ucred_k cred;
    u32 off, len, charge;
    bool counted; /* the sockets among files count this message in inflight: unix_gc.c */
    u8 data[];
};
/* Control data of one call. send: files taken from the caller; recv: to be given to him. */
struct scm {
    struct scm_files *files;
    struct ucred_k cred;
    bool have_cred, want_cred;
};

struct usock {
    s32 refs;
    u8 type, state, shut; /* enum ustate; SHUT_* */
    bool passcred, bound_fs, autobound;
    s32 error; /* SO_ERROR, positive */
    spinlock_t lock;
    struct mutex read_lock;
    struct list_head queue; /* struct umsg */
    u32 queue_len;
    u64 queue_bytes;
    s64 wmem; /* atomic */
    u32 sndbuf, rcvbuf;
    u64 rcvtimeo, sndtimeo; /* ns, 0: none */
    struct usock *peer;
    struct list_head clients, client_link; /* datagram sockets connected to this one; unix_mutex */
    struct uaddr *addr;
    struct path path; /* bound_fs */
    u32 backlog, accept_len;
    struct list_head accept, accept_link;
    struct waitq rd_wait, wr_wait;
    struct waitq peer_wait; /* those who want to connect to us, or to send us datagrams */
    struct ucred_k cred;    /* of who made, or put to listen, this socket */
    struct ucred_k peercred;
    u64 ino;
    struct list_head all_link;
    struct file *file; /* ours, not counted; NULL before accept() */
    s32 inflight, gc_state;
    struct list_head gc_link;
};

/* What a message call passes down. */
struct umsghdr {
    struct iobuf buf;
    size_t len;
    u32 flags; /* MSG_* in; recv: MSG_TRUNC, MSG_CTRUNC out */
    struct sockaddr_un_k name;
    u32 name_len; /* 0: none */
    struct scm scm;
};

extern struct mutex unix_mutex;
extern const struct file_ops socket_ops;
static inline struct usock *usock_of(const struct file *f)
{
    return f->ops == &socket_ops ? f->priv : NULL;
}

/* unix.c: life, queues */
struct usock *usock_alloc(int type);
void usock_put(struct usock *s);
static inline struct usock *usock_get(struct usock *s)
{
    __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}
struct file *usock_file(struct usock *s,
                        u32 flags); /* takes over the reference, also on error; ERR_PTR */
void usock_release(struct usock *s);
int usock_shutdown(struct usock *s, u32 shut);
struct umsg *umsg_alloc(struct usock *sender, struct umsghdr *m, size_t off,
                        size_t n); /* ERR_PTR */
void umsg_free(struct umsg *msg);  /* puts its files too */
void umsg_free_all(struct list_head *msgs);
void umsg_name(const struct umsg *msg, struct umsghdr *m);
void umsg_queue_locked(struct usock *to, struct umsg *msg);
void umsg_unqueue_locked(struct usock *s, struct umsg *msg);
int usock_wait_wmem(struct usock *s, bool nonblock);
struct ucred_k ucred_current(void);
static inline bool usock_writable(const struct usock *s)
{
    return READ_ONCE(s->wmem) * 4 <= (s64)READ_ONCE(s->sndbuf);
}
/* Result of waiting: from waitq_wait_timeout's to an errno (timeout: -EAGAIN). */
int usock_wait_result(s64 res, u64 timeo);
u64 usock_deadline(u64 timeo);
u32 usock_poll(struct file *f, struct poll_table *pt);
bool dgram_full(struct usock *to, const struct usock *from);

/* unix_gc.c: a message with files is queued, and its files are taken, between unix_gc_lock and unlock. */
void unix_gc(void);
void unix_gc_lock(void);
void unix_gc_unlock(void);
void unix_inflight(const struct scm_files *sf, s32 by);
struct scm_files *
umsg_take_files(struct umsg *msg); /* takes the lock itself; NULL: there are none */
extern struct list_head unix_all;
extern spinlock_t unix_all_lock;

/* unix_stream.c, unix_dgram.c */
ssize_t stream_send(struct usock *s, struct umsghdr *m);
ssize_t stream_recv(struct usock *s, struct umsghdr *m, bool nonblock);
ssize_t dgram_send(struct usock *s, struct umsghdr *m);
ssize_t dgram_recv(struct usock *s, struct umsghdr *m, bool nonblock);
ssize_t unix_sendmsg(struct usock *s, struct umsghdr *m);
ssize_t unix_recvmsg(struct usock *s, struct umsghdr *m, bool nonblock);

/* unix_name.c */
int unix_bind(struct usock *s, const struct sockaddr_un_k *name, u32 len);
int unix_autobind(struct usock *s); /* unix_mutex held */
void unix_unbind(struct usock *s);  /* unix_mutex held */
/* A bound socket, referenced, or ERR_PTR(-ECONNREFUSED, -EPROTOTYPE, path errors). */
struct usock *unix_find(const struct sockaddr_un_k *name, u32 len, int type);
void uaddr_put(struct uaddr *a);
static inline struct uaddr *uaddr_get(struct uaddr *a)
{
    if (a)
        __atomic_fetch_add(&a->refs, 1, __ATOMIC_RELAXED);
    return a;
}

/* unix_conn.c */
int unix_listen(struct usock *s, int backlog);
int unix_connect(struct usock *s, const struct sockaddr_un_k *name, u32 len, bool nonblock);
struct usock *unix_accept(struct usock *s, bool nonblock); /* ERR_PTR */
void unix_pair(struct usock *a, struct usock *b);
/* s has no peer any more; what it had received goes to `dropped` (NULL: stays), to be freed without unix_mutex, which is held now. */
void unix_disconnect_dgram(struct usock *s, struct list_head *dropped);

/* scm.c */
int scm_parse(struct scm *scm, u64 user, u64 len);
/* Writes what scm holds to the user's control buffer: *len becomes what was used, MSG_CTRUNC is set in *flags. Takes scm's files. */
void scm_deliver(struct scm *scm, u64 user, u64 *len, u32 *flags);
void scm_files_put(struct scm_files *sf);
struct scm_files *scm_files_copy(const struct scm_files *sf); /* for MSG_PEEK; NULL: no memory */

/* sock_sys.c: as much of the name as fits, and its whole length. 0, -EFAULT, -EINVAL. */
int sock_put_name(const struct sockaddr_un_k *name, u32 name_len, u64 user, u64 user_len);

/* sockopt.c */
s64 unix_setsockopt(struct usock *s, int level, int name, u64 user, u32 len);
s64 unix_getsockopt(struct usock *s, int level, int name, u64 user, u64 user_len);
#endif
