/* SPDX-License-Identifier: MIT */
/* UNIX sockets: life, message queues, charges, polling, shutdown and release. Picture in unix.h. */
#include "unix.h"
#include <kernel/socket.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/clock.h>
#include <port/log.h>

struct mutex unix_mutex = MUTEX_INIT(unix_mutex);
spinlock_t unix_all_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
LIST_HEAD(unix_all);
static u64 max_dgram_qlen = 10; /* /proc/sys/net/unix/max_dgram_qlen */

struct ucred_k ucred_current(void)
{
    struct cred *c = current_task()->cred;
    return (struct ucred_k){current_process()->pid, c->euid, c->egid};
}

struct usock *usock_alloc(int type)
{
    struct usock *s = kzalloc(sizeof(*s), GFP_KERNEL);
    if (!s)
        return NULL;
    s->refs = 1;
    s->type = (u8)type;
    s->sndbuf = s->rcvbuf = UNIX_BUF_DEFAULT;
    spin_init(&s->lock, RANK_KERNEL_LEAF);
    mutex_init(&s->read_lock, RANK_NONE);
    list_init(&s->queue);
    list_init(&s->clients);
    list_init(&s->client_link);
    list_init(&s->accept);
    waitq_init(&s->rd_wait);
    waitq_init(&s->wr_wait);
    waitq_init(&s->peer_wait);
    s->cred = ucred_current();
    s->peercred = (struct ucred_k){0, ~0u, ~0u};
    spin_lock(&unix_all_lock);
    list_add_tail(&s->all_link, &unix_all);
    spin_unlock(&unix_all_lock);
    return s;
}

void usock_put(struct usock *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
        return;
    spin_lock(&unix_all_lock);
    list_del(&s->all_link);
    spin_unlock(&unix_all_lock);
    uaddr_put(s->addr);
    kfree(s);
}

/* ---- messages ---- */
struct umsg *umsg_alloc(struct usock *sender, struct umsghdr *m, size_t off, size_t n)
{
    struct umsg *msg = kvmalloc(sizeof(*msg) + n, GFP_KERNEL);
    if (!msg)
        return ERR_PTR(-ENOBUFS);
    if (n && buf_get(&m->buf, off, msg->data, n)) {
        kvfree(msg);
        return ERR_PTR(-EFAULT);
    }
    msg->off = 0;
    msg->len = (u32)n;
    msg->charge = (u32)(sizeof(*msg) + n + 255) & ~255u;
    msg->sender = usock_get(sender);
    msg->cred = m->scm.have_cred ? m->scm.cred : ucred_current();
    msg->files = m->scm.files;
    msg->counted = false;
    m->scm.files = NULL;
    __atomic_fetch_add(&sender->wmem, msg->charge, __ATOMIC_RELAXED);
    return msg;
}

void umsg_free(struct umsg *msg)
{
    struct usock *s = msg->sender;
    __atomic_fetch_sub(&s->wmem, msg->charge, __ATOMIC_SEQ_CST);
    if (usock_writable(s))
        waitq_wake_all(&s->wr_wait);
    usock_put(s);
    struct scm_files *sf = umsg_take_files(msg);
    if (sf)
        scm_files_put(sf);
    kvfree(msg);
}

void umsg_free_all(struct list_head *msgs)
{
    struct umsg *msg, *next;
    list_for_each_entry_safe (msg, next, msgs, link)
        umsg_free(msg);
}

/* The sender's name as it is now. */
void umsg_name(const struct umsg *msg, struct umsghdr *m)
{
    struct uaddr *a = load_acquire(&msg->sender->addr);
    if (!a)
        return;
    m->name_len = a->len;
    memcpy(&m->name, &a->name, min((size_t)a->len, sizeof(m->name)));
}

void umsg_queue_locked(struct usock *to, struct umsg *msg)
{
    list_add_tail(&msg->link, &to->queue);
    WRITE_ONCE(to->queue_len, to->queue_len + 1);
    to->queue_bytes += msg->len;
    if (unlikely(msg->files)) {
        unix_inflight(msg->files, 1);
        msg->counted = true;
    }
}

void umsg_unqueue_locked(struct usock *s, struct umsg *msg)
{
    list_del(&msg->link);
    WRITE_ONCE(s->queue_len, s->queue_len - 1);
    s->queue_bytes -= msg->len - msg->off;
}

/* ---- waiting ---- */
u64 usock_deadline(u64 timeo)
{
    return timeo ? clock_ns() + timeo : U64_MAX;
}

int usock_wait_result(s64 res, u64 timeo)
{
    return res > 0 ? 0 : res == 0 ? -EAGAIN : timeo ? -EINTR : -ERESTARTSYS;
}

int usock_wait_wmem(struct usock *s, bool nonblock)
{
    if (likely(READ_ONCE(s->wmem) < (s64)READ_ONCE(s->sndbuf)))
        return 0;
    if (nonblock)
        return -EAGAIN;
    s64 res = waitq_wait_timeout(&s->wr_wait,
                                 READ_ONCE(s->wmem) < (s64)READ_ONCE(s->sndbuf) ||
                                     (READ_ONCE(s->shut) & SHUT_SND),
                                 usock_deadline(s->sndtimeo));
    return usock_wait_result(res, s->sndtimeo);
}

/* Has `to` as many datagrams waiting as it may, seen by a sender that it is not itself connected to? */
bool dgram_full(struct usock *to, const struct usock *from)
{
    return READ_ONCE(to->peer) != from && READ_ONCE(to->queue_len) > READ_ONCE(max_dgram_qlen);
}

static bool dgram_peer_full(struct usock *s)
{
    mutex_lock(&unix_mutex);
    bool full = s->peer && dgram_full(s->peer, s);
    mutex_unlock(&unix_mutex);
    return full;
}

u32 usock_poll(struct file *f, struct poll_table *pt)
{
    struct usock *s = f->priv;
    u32 mask = 0;
    poll_wait(pt, &s->rd_wait);
    poll_wait(pt, &s->wr_wait);
    u8 state = READ_ONCE(s->state), shut = READ_ONCE(s->shut);
    if (READ_ONCE(s->error))
        mask |= EPOLLERR;
    if (shut == (SHUT_RCV | SHUT_SND))
        mask |= EPOLLHUP;
    if (shut & SHUT_RCV)
        mask |= EPOLLRDHUP | POLL_READABLE;
    if (state == U_LISTENING)
        return mask | (READ_ONCE(s->accept_len) ? POLL_READABLE : 0);
    if (READ_ONCE(s->queue_len))
        mask |= POLL_READABLE;
    if (s->type != SOCK_DGRAM && state == U_UNCONNECTED)
        mask |= EPOLLHUP;
    if (usock_writable(s) && !(s->type == SOCK_DGRAM && READ_ONCE(s->peer) && dgram_peer_full(s)))
        mask |= POLL_WRITABLE | EPOLLWRBAND;
    return mask;
}

/* ---- the end ---- */
static void add_shut(struct usock *s, u32 shut)
{
    spin_lock(&s->lock);
    WRITE_ONCE(s->shut, s->shut | shut);
    spin_unlock(&s->lock);
    waitq_wake_all(&s->rd_wait);
    waitq_wake_all(&s->wr_wait);
    waitq_wake_all(&s->peer_wait);
}

int usock_shutdown(struct usock *s, u32 shut)
{
    struct usock *peer = NULL;
    mutex_lock(&unix_mutex);
    if (s->type != SOCK_DGRAM && s->peer)
        peer = usock_get(s->peer);
    mutex_unlock(&unix_mutex);
    add_shut(s, shut);
    if (peer) {
        add_shut(peer, (shut & SHUT_RCV ? SHUT_SND : 0) | (shut & SHUT_SND ? SHUT_RCV : 0));
        usock_put(peer);
    }
    return 0;
}

void usock_release(struct usock *s)
{
    LIST_HEAD(msgs);
    LIST_HEAD(children);
    struct usock *child, *next_child, *peer;
    mutex_lock(&unix_mutex);
    bool embryo =
        s->state == U_CONNECTED && s->accept_link.next; /* still on a listener's queue list */
    unix_unbind(s);
    if (s->type == SOCK_DGRAM)
        unix_disconnect_dgram(s, NULL);
    while (!list_empty(&s->clients)) /* they find out when they send */
        list_del_init(s->clients.next);
    spin_lock(&s->lock);
    WRITE_ONCE(s->state, U_CLOSED);
    WRITE_ONCE(s->shut, SHUT_RCV | SHUT_SND);
    list_splice_tail_init(&s->queue, &msgs);
    s->queue_len = 0;
    list_splice_init(&s->accept, &children);
    s->accept_len = 0;
    spin_unlock(&s->lock);
    peer = s->peer;
    s->peer = NULL;
    mutex_unlock(&unix_mutex);

    if (peer) { /* stream, seqpacket */
        if (!list_empty(&msgs) || embryo)
            WRITE_ONCE(peer->error, ECONNRESET);
        add_shut(peer, SHUT_RCV | SHUT_SND);
        usock_put(peer);
    }
    waitq_wake_all(&s->peer_wait);
    list_for_each_entry_safe (child, next_child, &children, accept_link)
        usock_release(child);
    struct umsg *msg, *next_msg;
    list_for_each_entry_safe (msg, next_msg, &msgs, link)
        umsg_free(msg);
    usock_put(s);
    unix_gc();
}

/* ---- the file ---- */
static ssize_t sock_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct umsghdr m = {.buf = *buf, .len = n};
    if (!n)
        return 0;
    ssize_t done = unix_recvmsg(f->priv, &m, f->flags & O_NONBLOCK);
    if (m.scm.files) /* read() has no place for them */
        scm_files_put(m.scm.files);
    return done;
}

static ssize_t sock_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct umsghdr m = {.buf = *buf, .len = n, .flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0};
    return unix_sendmsg(f->priv, &m);
}

#define SIOCOUTQ 0x5411u
static s64 sock_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct usock *s = f->priv;
    s32 n = 0;
    switch (cmd) {
    case FIONREAD:
        if (s->state == U_LISTENING)
            return -EINVAL;
        spin_lock(&s->lock);
        struct umsg *first = list_first_entry_or_null(&s->queue, struct umsg, link);
        n = s->type != SOCK_DGRAM ? (s32)s->queue_bytes : first ? (s32)first->len : 0;
        spin_unlock(&s->lock);
        break;
    case SIOCOUTQ:
        n = (s32)READ_ONCE(s->wmem);
        break;
    default:
        return -ENOIOCTLCMD;
    }
    return copy_to_user(arg, &n, sizeof(n)) ? -EFAULT : 0;
}

static void sock_release(struct file *f)
{
    usock_release(f->priv);
}

const struct file_ops socket_ops = {
    .read = sock_read,
    .write = sock_write,
    .lseek = no_lseek,
    .poll = usock_poll,
    .ioctl = sock_ioctl,
    .release = sock_release,
};

bool file_is_socket(const struct file *f)
{
    return f->ops == &socket_ops;
}

struct file *usock_file(struct usock *s, u32 flags)
{
    struct file *f = file_anon_mode("socket:[]", S_IFSOCK | 0777, &socket_ops, s, O_RDWR | flags);
    if (IS_ERR(f)) {
        usock_release(s);
        return f;
    }
    s->ino = f->inode->ino;
    s->file = f;
    return f;
}

/* ---- /proc/net/unix ---- */
static void show_one(struct seq *out, struct usock *s)
{
    static const u8 states[] = {
        [U_UNCONNECTED] = 1, [U_LISTENING] = 1, [U_CONNECTED] = 3, [U_CLOSED] = 4};
    seq_printf(out, "%016lx: %08X %08X %08X %04X %02X %5lu", 0UL, (u32)s->refs, 0u,
               s->state == U_LISTENING ? 0x10000u : 0u, s->type, states[s->state], s->ino);
    if (s->addr) {
        u32 n = s->addr->len - (u32)sizeof(u16);
        seq_putc(out, ' ');
        if (s->addr->name.path[0])
            n = (u32)str_nlen(s->addr->name.path, n);
        for (u32 i = 0; i < n; i++)
            seq_putc(out, s->addr->name.path[i] ? s->addr->name.path[i] : '@');
    }
    seq_putc(out, '\n');
}

static void unix_show(struct seq *out, void *arg)
{
    struct usock *s;
    seq_puts(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    spin_lock(&unix_all_lock);
    list_for_each_entry (s, &unix_all, all_link)
        show_one(out, s);
    spin_unlock(&unix_all_lock);
}

static void qlen_show(struct seq *out, void *arg)
{
    seq_printf(out, "%lu\n", max_dgram_qlen);
}
static int qlen_store(const char *text, size_t n, void *arg)
{
    const char *end;
    return str_parse_u64(text, 10, &max_dgram_qlen, &end);
}

void socket_boot(void)
{
    struct proc_file unix_file = {.path = "/proc/net/unix", .mode = 0444, .show = unix_show};
    struct proc_file qlen_file = {.path = "/proc/sys/net/unix/max_dgram_qlen",
                                  .mode = 0644,
                                  .show = qlen_show,
                                  .store = qlen_store};
    if (proc_register(&unix_file) || proc_register(&qlen_file))
        log_print(LOG_ERR, "unix: no memory for /proc files");
}
