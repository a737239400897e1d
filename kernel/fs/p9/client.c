/* SPDX-License-Identifier: MIT */
/*
 * Requests and fids.
 *
 * The tag of a request only has to differ among those under way: it is taken from a bitmap. Locks: client->lock for fids and tags.
 */
#include "p9.h"
#include <lib/errno.h>
#include <mm/slab.h>
#include <port/log.h>

#define NR_TAGS 256
static u64 tag_map[NR_TAGS / 64];
static spinlock_t tag_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static struct waitq tag_wait;

static int try_tag(void)
{
    int tag = -1;
    spin_lock(&tag_lock);
    for (unsigned i = 0; i < NR_TAGS / 64 && tag < 0; i++)
        if (~tag_map[i]) {
            unsigned bit = (unsigned)__builtin_ctzl(~tag_map[i]);
            tag_map[i] |= 1UL << bit;
            tag = (int)(i * 64 + bit);
        }
    spin_unlock(&tag_lock);
    return tag;
}

static u16 tag_alloc(void)
{
    int tag;
    waitq_wait(&tag_wait, (tag = try_tag()) >= 0);
    return (u16)tag;
}

static void tag_free(u16 tag)
{
    spin_lock(&tag_lock);
    tag_map[tag / 64] &= ~(1UL << tag % 64);
    spin_unlock(&tag_lock);
    waitq_wake_one(&tag_wait);
}

void p9_client_boot(void);
void p9_client_boot(void)
{
    waitq_init(&tag_wait);
}

/* The server's error number is Linux's; anything else is a broken server. */
static int check_reply(struct p9_msg *m, s64 written)
{
    if (written < P9_HDR)
        return -EIO;
    m->reply_len = (u32)min((u64)written, (u64)P9_HALF);
    p9_get32(m);
    u8 type = p9_get8(m);
    p9_get16(m);
    if (type == P9_RLERROR) {
        u32 code = p9_get32(m);
        return m->bad || !code || code > 133 ? -EIO : -(int)code;
    }
    return type == m->buf[4] + 1 ? 0 : -EIO;
}

int p9_rpc(struct p9_client *c, struct p9_msg *m, const struct p9_data *data)
{
    struct virtio_buf bufs[2 + P9_MAX_PAGES];
    unsigned n_out = 1, n_in = 1, extra = 0;
    if (m->bad)
        return -ENAMETOOLONG;
    u32 size = m->len, head = P9_HALF;
    if (data) {
        for (unsigned i = 0; i < data->nr; i++)
            extra += data->piece[i].len;
        if (data->to_server)
            size += extra;
        else
            head = P9_HDR + 4; /* count[4] or ecode[4]: data begins right behind */
    }
    bool version = m->buf[4] == P9_TVERSION;
    u16 tag = version ? 0xffff : tag_alloc();
    for (unsigned i = 0; i < 4; i++)
        m->buf[i] = (u8)(size >> 8 * i);
    m->buf[5] = (u8)tag;
    m->buf[6] = (u8)(tag >> 8);

    unsigned n = 0;
    bufs[n++] = (struct virtio_buf){virt_to_phys(m->buf), m->len};
    if (data && data->to_server)
        for (unsigned i = 0; i < data->nr; i++, n_out++)
            bufs[n++] = data->piece[i];
    bufs[n++] = (struct virtio_buf){virt_to_phys(m->reply), head};
    if (data && !data->to_server)
        for (unsigned i = 0; i < data->nr; i++, n_in++)
            bufs[n++] = data->piece[i];
    s64 written = p9_channel_exchange(c->channel, bufs, n_out, n_in);
    if (!version)
        tag_free(tag);
    if (written < 0)
        return (int)written;
    return check_reply(m, min(written, (s64)head));
}

u32 p9_fid_alloc(struct p9_client *c)
{
    spin_lock(&c->lock);
    u32 fid = c->nr_free ? c->free_fids[--c->nr_free] : P9_NOFID;
    spin_unlock(&c->lock);
    return fid != P9_NOFID ? fid : __atomic_fetch_add(&c->next_fid, 1, __ATOMIC_RELAXED);
}

void p9_fid_free(struct p9_client *c, u32 fid)
{
    spin_lock(&c->lock);
    if (c->nr_free < c->cap_free)
        c->free_fids[c->nr_free++] = fid; /* else the number is simply not used again */
    spin_unlock(&c->lock);
}

void p9_clunk(struct p9_client *c, u32 fid)
{
    struct p9_msg m;
    if (fid == P9_NOFID)
        return;
    if (p9_begin(&m, P9_TCLUNK)) {
        log_print(LOG_WARN, "9p: out of memory: the server keeps fid %u\n", fid);
        return;
    }
    p9_put32(&m, fid);
    p9_rpc(c, &m, NULL);
    p9_end(&m);
    p9_fid_free(c, fid);
}

int p9_walk(struct p9_client *c, u32 fid, const char *name, size_t len, u32 *out, struct p9_qid *qid)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TWALK);
    if (err)
        return err;
    u32 to = p9_fid_alloc(c);
    p9_put32(&m, fid);
    p9_put32(&m, to);
    p9_put16(&m, name ? 1 : 0);
    if (name)
        p9_put_str(&m, name, len);
    err = p9_rpc(c, &m, NULL);
    if (!err) {
        u16 n = p9_get16(&m);
        if (name && n == 1)
            *qid = p9_get_qid(&m);
        else if (name)
            err = -ENOENT;
        if (m.bad)
            err = -EIO;
    }
    p9_end(&m);
    if (err)
        p9_fid_free(c, to);
    else
        *out = to;
    return err;
}

int p9_open(struct p9_client *c, u32 fid, u32 flags)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TLOPEN);
    if (err)
        return err;
    p9_put32(&m, fid);
    p9_put32(&m, flags);
    err = p9_rpc(c, &m, NULL);
    p9_end(&m);
    return err;
}

int p9_version(struct p9_client *c)
{
    static const char version[] = "9P2000.L";
    struct p9_msg m;
    int err = p9_begin(&m, P9_TVERSION);
    if (err)
        return err;
    p9_put32(&m, c->msize);
    p9_put_str(&m, version, sizeof(version) - 1);
    err = p9_rpc(c, &m, NULL);
    if (!err) {
        size_t len;
        u32 msize = p9_get32(&m);
        const char *got = p9_get_str(&m, &len);
        if (m.bad || len != sizeof(version) - 1 || memcmp(got, version, len))
            err = -EPROTONOSUPPORT;
        else if (msize < 8192)
            err = -EIO;
        else
            c->msize = min(c->msize, msize);
    }
    p9_end(&m);
    return err;
}

int p9_attach(struct p9_client *c, u32 *fid, struct p9_qid *qid)
{
    struct p9_msg m;
    int err = p9_begin(&m, P9_TATTACH);
    if (err)
        return err;
    *fid = p9_fid_alloc(c);
    p9_put32(&m, *fid);
    p9_put32(&m, P9_NOFID); /* no authentication */
    p9_put_str(&m, "root", 4);
    p9_put_str(&m, "", 0);
    p9_put32(&m, 0);
    err = p9_rpc(c, &m, NULL);
    if (!err) {
        *qid = p9_get_qid(&m);
        if (m.bad)
            err = -EIO;
    }
    p9_end(&m);
    return err;
}
