/* SPDX-License-Identifier: MIT */
/*
 * System V message queues.
 *
 * Q1. cbytes and count are the sums over the queue; a queue lives while it has an id or a thread waits in it (refs).
 * Locks: msg_ids.lock guards queues and messages; texts are copied from and to user memory without it.
 */
#include "sysv.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

#define MSG_NR      32000u
#define MSG_MAX     8192u
#define MSG_MNB     16384u
#define MSG_NOERROR 010000
#define MSG_EXCEPT  020000
#define MSG_COPY    040000
enum { MSG_STAT = 11, MSG_INFO, MSG_STAT_ANY };

struct msg {
    struct list_head link;
    s64 type;
    size_t len;
    u8 text[];
};
struct msgq {
    struct sysv_perm perm;
    s32 refs;
    bool dead;
    u64 cbytes, count, qbytes, version;
    s64 stime, rtime, ctime;
    s32 lspid, lrpid;
    struct list_head msgs;
    struct waitq wait;
};
struct msqid64_ds {
    struct ipc64_perm perm;
    s64 stime, rtime, ctime;
    u64 cbytes, qnum, qbytes;
    s32 lspid, lrpid;
    u64 unused[2];
};
BUILD_ASSERT(sizeof(struct msqid64_ds) == 120);

static struct sysv_ids msg_ids = SYSV_IDS_INIT(msg_ids, MSG_NR);

static inline struct msgq *msgq_of(struct sysv_perm *p)
{
    return container_of(p, struct msgq, perm);
}

static void msgq_put(struct msgq *q)
{
    if (--q->refs == 0)
        kfree(q);
}

static void changed(struct msgq *q)
{
    WRITE_ONCE(q->version, q->version + 1);
    waitq_wake_all(&q->wait);
}

static int msg_check(struct sysv_perm *p, void *arg)
{
    return 0;
}
static struct sysv_perm *msg_make(void *arg)
{
    struct msgq *q = kzalloc(sizeof(*q), GFP_KERNEL);
    if (!q)
        return ERR_PTR(-ENOMEM);
    q->refs = 1;
    q->qbytes = MSG_MNB;
    q->ctime = sysv_now();
    list_init(&q->msgs);
    waitq_init(&q->wait);
    return &q->perm;
}
static void msg_unmake(struct sysv_perm *p)
{
    msgq_put(msgq_of(p));
}

SYSCALL(msgget)
{
    struct sysv_get g = {msg_check, msg_make, msg_unmake, NULL};
    return sysv_get(&msg_ids, (s32)a0, (u32)a1, &g);
}

/* Waits for a change of q; lock held on entry and exit. 0, -EIDRM (q may be gone), -EINTR. */
static s64 wait_change(struct msgq *q)
{
    u64 version = q->version;
    q->refs++;
    mutex_unlock(&msg_ids.lock);
    int err =
        waitq_wait_interruptible(&q->wait, READ_ONCE(q->version) != version || READ_ONCE(q->dead));
    mutex_lock(&msg_ids.lock);
    s64 res = q->dead ? -EIDRM : err ? -ERESTARTNOHAND : 0;
    msgq_put(q);
    return res;
}

static s64 send(s32 id, struct msg *m, u32 flags)
{
    mutex_lock(&msg_ids.lock);
    struct sysv_perm *p = sysv_find(&msg_ids, id);
    struct msgq *q = p ? msgq_of(p) : NULL;
    s64 res = q ? 0 : -EINVAL;
    while (!res) {
        res = sysv_access(p, 2);
        if (res || (q->cbytes + m->len <= q->qbytes && q->count + 1 <= q->qbytes))
            break;
        res = flags & IPC_NOWAIT ? -EAGAIN : wait_change(q);
    }
    if (!res) {
        list_add_tail(&m->link, &q->msgs);
        q->cbytes += m->len;
        q->count++;
        q->lspid = current_process()->pid;
        q->stime = sysv_now();
        changed(q);
    }
    mutex_unlock(&msg_ids.lock);
    return res;
}

SYSCALL(msgsnd)
{
    s64 type;
    if (get_user(type, a1))
        return -EFAULT;
    if (a2 > MSG_MAX || (s64)a2 < 0 || (s32)a0 < 0 || type < 1)
        return -EINVAL;
    struct msg *m = kmalloc(sizeof(*m) + a2, GFP_KERNEL);
    if (!m)
        return -ENOMEM;
    m->type = type;
    m->len = a2;
    s64 res = copy_from_user(m->text, a1 + sizeof(type), a2) ? -EFAULT : send((s32)a0, m, (u32)a3);
    if (res)
        kfree(m);
    return res;
}

/* want 0: the first; > 0: of that type (or, MSG_EXCEPT, of another); < 0: of the lowest type up to -want. */
static struct msg *choose(struct msgq *q, s64 want, u32 flags)
{
    struct msg *m, *best = NULL;
    list_for_each_entry (m, &q->msgs, link) {
        if (want == 0)
            return m;
        if (want > 0 && (m->type == want) == !(flags & MSG_EXCEPT))
            return m;
        if (want < 0 && m->type <= -want && (!best || m->type < best->type))
            best = m;
    }
    return best;
}

static s64 receive(s32 id, s64 want, size_t room, u32 flags, struct msg **out)
{
    mutex_lock(&msg_ids.lock);
    struct sysv_perm *p = sysv_find(&msg_ids, id);
    struct msgq *q = p ? msgq_of(p) : NULL;
    s64 res = q ? 0 : -EINVAL;
    while (!res) {
        res = sysv_access(p, 4);
        if (res)
            break;
        struct msg *m = choose(q, want, flags);
        if (m && m->len > room && !(flags & MSG_NOERROR)) {
            res = -E2BIG;
        } else if (m) {
            list_del(&m->link);
            q->cbytes -= m->len;
            q->count--;
            q->lrpid = current_process()->pid;
            q->rtime = sysv_now();
            changed(q);
            *out = m;
            break;
        } else {
            res = flags & IPC_NOWAIT ? -ENOMSG : wait_change(q);
        }
    }
    mutex_unlock(&msg_ids.lock);
    return res;
}

SYSCALL(msgrcv)
{
    struct msg *m = NULL;
    if ((s32)a0 < 0 || (s64)a2 < 0)
        return -EINVAL;
    if (a4 & MSG_COPY)
        return -ENOSYS; /* as without CONFIG_CHECKPOINT_RESTORE */
    s64 res = receive((s32)a0, (s64)a3, a2, (u32)a4, &m);
    if (res)
        return res;
    size_t n = min(m->len, (size_t)a2);
    if (put_user(m->type, a1) || copy_to_user(a1 + sizeof(m->type), m->text, n))
        res = -EFAULT;
    kfree(m);
    return res ? res : (s64)n;
}

/* ---- msgctl ---- */
static s64 msg_stat(s32 id, u32 cmd, u64 user)
{
    struct msqid64_ds d = {0};
    mutex_lock(&msg_ids.lock);
    struct sysv_perm *p = cmd == IPC_STAT ? sysv_find(&msg_ids, id) : sysv_find_slot(&msg_ids, id);
    s64 res = p ? 0 : -EINVAL;
    if (!res && cmd != MSG_STAT_ANY)
        res = sysv_access(p, 4);
    if (!res) {
        struct msgq *q = msgq_of(p);
        sysv_to_user(p, &d.perm);
        d.stime = q->stime;
        d.rtime = q->rtime;
        d.ctime = q->ctime;
        d.cbytes = q->cbytes;
        d.qnum = q->count;
        d.qbytes = q->qbytes;
        d.lspid = q->lspid;
        d.lrpid = q->lrpid;
        res = cmd == IPC_STAT ? 0 : p->id;
    }
    mutex_unlock(&msg_ids.lock);
    return res >= 0 && copy_to_user(user, &d, sizeof(d)) ? -EFAULT : res;
}

static s64 msg_change(s32 id, u32 cmd, u64 user)
{
    struct msqid64_ds d;
    LIST_HEAD(dead);
    if (cmd == IPC_SET && copy_from_user(&d, user, sizeof(d)))
        return -EFAULT;
    mutex_lock(&msg_ids.lock);
    struct sysv_perm *p = sysv_find(&msg_ids, id);
    s64 res = p ? sysv_owner(p) : -EINVAL;
    if (!res && cmd == IPC_SET && d.qbytes > MSG_MNB && !capable(CAP_SYS_RESOURCE))
        res = -EPERM;
    if (!res) {
        struct msgq *q = msgq_of(p);
        if (cmd == IPC_SET) {
            sysv_set(p, &d.perm);
            q->qbytes = d.qbytes;
            q->ctime = sysv_now();
            changed(q);
        } else {
            sysv_remove(&msg_ids, p);
            list_splice_init(&q->msgs, &dead);
            q->dead = true;
            waitq_wake_all(&q->wait);
            msgq_put(q);
        }
    }
    mutex_unlock(&msg_ids.lock);
    struct msg *m, *next;
    list_for_each_entry_safe (m, next, &dead, link)
        kfree(m);
    return res;
}

static s64 msg_info(u32 cmd, u64 user)
{
    struct {
        s32 pool, map, max, mnb, mni, ssz, tql;
        u16 seg, pad;
    } i = {MSG_NR * MSG_MNB / 1024, MSG_MNB, MSG_MAX, MSG_MNB, MSG_NR, 16, MSG_MNB, 0xffff, 0};
    mutex_lock(&msg_ids.lock);
    s64 top = sysv_max_slot(&msg_ids);
    if (cmd == MSG_INFO) {
        i.pool = (s32)msg_ids.in_use;
        i.map = i.tql = 0;
        for (u32 k = 0; k < msg_ids.nr_slots; k++)
            if (msg_ids.slot[k]) {
                i.map += (s32)msgq_of(msg_ids.slot[k])->count;
                i.tql += (s32)msgq_of(msg_ids.slot[k])->cbytes;
            }
    }
    mutex_unlock(&msg_ids.lock);
    return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : top;
}

SYSCALL(msgctl)
{
    if ((s32)a0 < 0 || (s32)a1 < 0)
        return -EINVAL;
    switch ((u32)a1) {
    case IPC_INFO:
    case MSG_INFO:
        return msg_info((u32)a1, a2);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        return msg_stat((s32)a0, (u32)a1, a2);
    case IPC_SET:
    case IPC_RMID:
        return msg_change((s32)a0, (u32)a1, a2);
    default:
        return -EINVAL;
    }
}

static void msg_show(struct seq *out, void *arg)
{
    seq_puts(out, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  "
                  "cuid  cgid      stime      rtime      ctime\n");
    mutex_lock(&msg_ids.lock);
    for (u32 i = 0; i < msg_ids.nr_slots; i++) {
        if (!msg_ids.slot[i])
            continue;
        struct msgq *q = msgq_of(msg_ids.slot[i]);
        const struct sysv_perm *p = &q->perm;
        seq_printf(out, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n",
                   p->key, p->id, p->mode, q->cbytes, q->count, q->lspid, q->lrpid, p->uid, p->gid,
                   p->cuid, p->cgid, (u64)q->stime, (u64)q->rtime, (u64)q->ctime);
    }
    mutex_unlock(&msg_ids.lock);
}

void msg_boot(void)
{
    struct proc_file f = {.path = "/proc/sysvipc/msg", .mode = 0444, .show = msg_show};
    if (proc_register(&f))
        log_print(LOG_ERR, "msg: no memory for /proc/sysvipc\n");
}
