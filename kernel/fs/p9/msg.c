/* SPDX-License-Identifier: MIT */
/* The bytes of 9P messages: little-endian fields, strings with a 16-bit length. See p9.h. */
#include "p9.h"
#include <lib/errno.h>
#include <mm/slab.h>

int p9_begin(struct p9_msg *m, enum p9_type type)
{
    *m = (struct p9_msg){.buf = kmalloc(2 * P9_HALF, GFP_KERNEL)};
    if (!m->buf)
        return -ENOMEM;
    m->reply = m->buf + P9_HALF;
    p9_put32(m, 0); /* size: p9_rpc fills it in */
    p9_put8(m, type);
    p9_put16(m, type == P9_TVERSION ? 0xffff : 0); /* tag: every request has a channel slot of its own */
    return 0;
}

void p9_end(struct p9_msg *m)
{
    kfree(m->buf);
}

static void put(struct p9_msg *m, u64 v, u32 n)
{
    if (m->len + n > P9_HALF) {
        m->bad = true;
        return;
    }
    for (u32 i = 0; i < n; i++)
        m->buf[m->len++] = (u8)(v >> 8 * i);
}

void p9_put8(struct p9_msg *m, u8 v)
{
    put(m, v, 1);
}

void p9_put16(struct p9_msg *m, u16 v)
{
    put(m, v, 2);
}

void p9_put32(struct p9_msg *m, u32 v)
{
    put(m, v, 4);
}

void p9_put64(struct p9_msg *m, u64 v)
{
    put(m, v, 8);
}

void p9_put_str(struct p9_msg *m, const char *s, size_t len)
{
    if (m->len + 2 + len > P9_HALF) {
        m->bad = true;
        return;
    }
    put(m, len, 2);
    memcpy(m->buf + m->len, s, len);
    m->len += (u32)len;
}

static u64 get(struct p9_msg *m, u32 n)
{
    if (m->at + n > m->reply_len) {
        m->bad = true;
        return 0;
    }
    u64 v = 0;
    for (u32 i = 0; i < n; i++)
        v |= (u64)m->reply[m->at++] << 8 * i;
    return v;
}

u8 p9_get8(struct p9_msg *m)
{
    return (u8)get(m, 1);
}

u16 p9_get16(struct p9_msg *m)
{
    return (u16)get(m, 2);
}

u32 p9_get32(struct p9_msg *m)
{
    return (u32)get(m, 4);
}

u64 p9_get64(struct p9_msg *m)
{
    return get(m, 8);
}

const char *p9_get_str(struct p9_msg *m, size_t *len)
{
    *len = get(m, 2);
    if (m->at + *len > m->reply_len) {
        m->bad = true;
        *len = 0;
    }
    const char *s = (const char *)m->reply + m->at;
    m->at += (u32)*len;
    return s;
}

struct p9_qid p9_get_qid(struct p9_msg *m)
{
    struct p9_qid q;
    q.type = p9_get8(m);
    q.version = p9_get32(m);
    q.path = p9_get64(m);
    return q;
}
