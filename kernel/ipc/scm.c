/* SPDX-License-Identifier: MIT */
/*
 * Control messages of UNIX sockets: open files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS).
 *
 *   cmsghdr: u64 len (header and data), s32 level, s32 type; data; padded to 8
 *
 * Dropping files that nobody fetched may close sockets whose queues hold files again: scm_files_put() works such chains off
 * in a loop, not by recursion, because a sender can make them as long as he likes.
 */
#include "unix.h"
#include <lib/string.h>
#include <mm/slab.h>

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define CMSG_HDR        16u
#define CONTROL_MAX     20480u /* bytes; Linux: net.core.optmem_max */

struct cmsg_k {
    u64 len;
    s32 level, type;
};

/* ---- dropping ---- */
struct drainer {
    struct task *task;
    struct list_head link, files;
};
static LIST_HEAD(drainers);
static spinlock_t drain_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static struct drainer *drainer_find(void)
{
    struct drainer *d;
    list_for_each_entry (d, &drainers, link)
        if (d->task == current_task())
            return d;
    return NULL;
}

void scm_files_put(struct scm_files *sf)
{
    struct drainer mine = {.task = current_task()};
    spin_lock(&drain_lock);
    struct drainer *d = drainer_find();
    if (d) { /* we are inside a file_put() of the loop below */
        list_add_tail(&sf->link, &d->files);
        spin_unlock(&drain_lock);
        return;
    }
    list_init(&mine.files);
    list_add(&mine.link, &drainers);
    list_add_tail(&sf->link, &mine.files);
    while (!list_empty(&mine.files)) {
        sf = list_first_entry(&mine.files, struct scm_files, link);
        list_unlink(&sf->link);
        spin_unlock(&drain_lock);
        for (u32 i = 0; i < sf->n; i++)
            file_put(sf->file[i]);
        kfree(sf);
        spin_lock(&drain_lock);
    }
    list_unlink(&mine.link);
    spin_unlock(&drain_lock);
}

static struct scm_files *files_alloc(u32 n)
{
    struct scm_files *sf = kmalloc(sizeof(*sf) + n * sizeof(sf->file[0]), GFP_KERNEL);
    if (sf)
        sf->n = 0;
    return sf;
}

struct scm_files *scm_files_copy(const struct scm_files *sf)
{
    struct scm_files *c = files_alloc(sf->n);
    for (; c && c->n < sf->n; c->n++)
        c->file[c->n] = file_get(sf->file[c->n]);
    return c;
}

/* ---- sending ---- */
static int take_rights(struct scm *scm, const u8 *data, size_t bytes)
{
    u32 n = (u32)(bytes / sizeof(s32));
    const s32 *fds = (const s32 *)data;
    u32 have = scm->files ? scm->files->n : 0;
    if (!n)
        return 0;
    if (have + n > SCM_MAX_FD)
        return -EINVAL;
    struct scm_files *sf = files_alloc(have + n);
    if (!sf)
        return -ENOMEM;
    for (u32 i = 0; i < have; i++)
        sf->file[sf->n++] = scm->files->file[i];
    kfree(scm->files);
    scm->files = sf;
    for (u32 i = 0; i < n; i++) {
        struct file *f = fds[i] < 0 ? NULL : fd_get(fds[i]);
        if (!f)
            return -EBADF;
        sf->file[sf->n++] = f;
    }
    return 0;
}

static int take_cred(struct scm *scm, const u8 *data, size_t bytes)
{
    struct ucred_k u;
    struct cred *c = current_task()->cred;
    if (bytes != sizeof(u))
        return -EINVAL;
    memcpy(&u, data, sizeof(u));
    bool pid = u.pid == current_process()->pid || capable(CAP_SYS_ADMIN);
    bool uid = u.uid == c->uid || u.uid == c->euid || u.uid == c->suid || capable(CAP_SETUID);
    bool gid = u.gid == c->gid || u.gid == c->egid || u.gid == c->sgid || capable(CAP_SETGID);
    if (!pid || !uid || !gid)
        return -EPERM;
    scm->cred = u;
    scm->have_cred = true;
    return 0;
}

static int parse_all(struct scm *scm, const u8 *buf, u64 len)
{
    int err = 0;
    for (u64 at = 0; !err && at + CMSG_HDR <= len;) {
        const struct cmsg_k *h = (const struct cmsg_k *)(buf + at);
        if (h->len < CMSG_HDR || h->len > len - at)
            return -EINVAL;
        const u8 *data = buf + at + CMSG_HDR;
        size_t bytes = h->len - CMSG_HDR;
        if (h->level == SOL_SOCKET) {
            if (h->type == SCM_RIGHTS)
                err = take_rights(scm, data, bytes);
            else if (h->type == SCM_CREDENTIALS)
                err = take_cred(scm, data, bytes);
            else
                err = -EINVAL;
        }
        at += ALIGN_UP(h->len, 8);
    }
    return err;
}

int scm_parse(struct scm *scm, u64 user, u64 len)
{
    *scm = (struct scm){0};
    if (!len)
        return 0;
    if (len > CONTROL_MAX)
        return -ENOBUFS;
    u8 *buf = kmalloc(len, GFP_KERNEL);
    if (!buf)
        return -ENOBUFS;
    int err = copy_from_user(buf, user, len) ? -EFAULT : parse_all(scm, buf, len);
    kfree(buf);
    if (err && scm->files) {
        scm_files_put(scm->files);
        scm->files = NULL;
    }
    return err;
}

/* ---- receiving ---- */
struct out {
    u64 user, room, used;
    u32 *flags;
};

static void put_header(struct out *o, int type, size_t bytes)
{
    struct cmsg_k h = {CMSG_HDR + bytes, SOL_SOCKET, type};
    (void)copy_to_user(o->user + o->used, &h, sizeof(h));
    o->used += min(ALIGN_UP(CMSG_HDR + bytes, 8UL), o->room - o->used);
}

static void put_cred(struct out *o, const struct ucred_k *c)
{
    if (o->room - o->used < CMSG_HDR + sizeof(*c)) {
        *o->flags |= MSG_CTRUNC;
        return;
    }
    (void)copy_to_user(o->user + o->used + CMSG_HDR, c, sizeof(*c));
    put_header(o, SCM_CREDENTIALS, sizeof(*c));
}

/* As many files as there is room and descriptors for. */
static void put_rights(struct out *o, struct scm_files *sf, bool cloexec)
{
    u64 room = o->room - o->used;
    u32 fit = room < CMSG_HDR + sizeof(s32) ? 0
                                            : (u32)min((room - CMSG_HDR) / sizeof(s32), (u64)sf->n),
        n = 0;
    for (; n < fit; n++) {
        int fd = fd_reserve(cloexec ? FD_CLOEXEC : 0, 0);
        if (fd < 0)
            break;
        if (copy_to_user(o->user + o->used + CMSG_HDR + n * sizeof(s32), &fd, sizeof(s32))) {
            fd_unreserve(fd);
            break;
        }
        fd_install(fd, file_get(sf->file[n]));
    }
    if (n < sf->n)
        *o->flags |= MSG_CTRUNC;
    if (n)
        put_header(o, SCM_RIGHTS, n * sizeof(s32));
}

void scm_deliver(struct scm *scm, u64 user, u64 *len, u32 *flags)
{
    struct out o = {.user = user, .room = user ? *len : 0, .flags = flags};
    if (scm->want_cred && scm->have_cred)
        put_cred(&o, &scm->cred);
    if (scm->files) {
        put_rights(&o, scm->files, *flags & MSG_CMSG_CLOEXEC);
        scm_files_put(scm->files);
        scm->files = NULL;
    }
    *len = o.used;
}
