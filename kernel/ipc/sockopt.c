/* SPDX-License-Identifier: MIT */
/* Options of sockets (level SOL_SOCKET). What has no meaning for UNIX sockets is kept nowhere: Linux accepts it, and so do we. */
#include "unix.h"
#include <arch/uaccess.h>
#include <lib/string.h>

#define SOL_SOCKET 1
enum {
    SO_DEBUG = 1,
    SO_REUSEADDR,
    SO_TYPE,
    SO_ERROR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_PRIORITY,
    SO_LINGER,
    SO_BSDCOMPAT,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_RCVLOWAT,
    SO_SNDLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_PEERGROUPS = 59,
    SO_RCVTIMEO_NEW = 66,
    SO_SNDTIMEO_NEW = 67,
};
#define BUF_MAX    212992u /* net.core.wmem_max */
#define SNDBUF_MIN 4608u
#define RCVBUF_MIN 2304u

struct timeval_k {
    s64 sec, usec;
};

static int set_timeout(u64 *timeo, u64 user, u32 len)
{
    struct timeval_k tv;
    if (len < sizeof(tv))
        return -EINVAL;
    if (copy_from_user(&tv, user, sizeof(tv)))
        return -EFAULT;
    if (tv.usec < 0 || tv.usec >= 1000000)
        return -EDOM;
    if (tv.sec < 0) { /* as Linux: no waiting at all, as near as a timeout can come */
        *timeo = 1;
        return 0;
    }
    *timeo = tv.sec > (s64)(U64_MAX / 4 / 1000000000)
                 ? 0
                 : (u64)tv.sec * 1000000000 + (u64)tv.usec * 1000;
    return 0;
}

static u32 buf_size(s32 v, u32 least, bool force)
{
    u32 n = v < 0 ? 0 : (u32)v;
    if (!force || v < 0)
        n = min(n, BUF_MAX);
    n = min(n, 0x3fffffffu);
    return max(n * 2, least);
}

s64 unix_setsockopt(struct usock *s, int level, int name, u64 user, u32 len)
{
    s32 v = 0;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (name == SO_RCVTIMEO || name == SO_RCVTIMEO_NEW)
        return set_timeout(&s->rcvtimeo, user, len);
    if (name == SO_SNDTIMEO || name == SO_SNDTIMEO_NEW)
        return set_timeout(&s->sndtimeo, user, len);
    if (len < sizeof(v))
        return -EINVAL;
    if (get_user(v, user))
        return -EFAULT;
    switch (name) {
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        if (!capable(12)) /* CAP_NET_ADMIN */
            return -EPERM;
        if (name == SO_SNDBUFFORCE)
            WRITE_ONCE(s->sndbuf, buf_size(v, SNDBUF_MIN, true));
        else
            WRITE_ONCE(s->rcvbuf, buf_size(v, RCVBUF_MIN, true));
        waitq_wake_all(&s->wr_wait);
        return 0;
    case SO_SNDBUF:
        WRITE_ONCE(s->sndbuf, buf_size(v, SNDBUF_MIN, false));
        waitq_wake_all(&s->wr_wait);
        return 0;
    case SO_RCVBUF:
        WRITE_ONCE(s->rcvbuf, buf_size(v, RCVBUF_MIN, false));
        return 0;
    case SO_PASSCRED:
        s->passcred = v != 0;
        return 0;
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_NO_CHECK:
    case SO_PRIORITY:
    case SO_LINGER:
    case SO_BSDCOMPAT:
    case SO_REUSEPORT:
    case SO_RCVLOWAT:
        return 0;
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
        return -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

s64 unix_getsockopt(struct usock *s, int level, int name, u64 user, u64 user_len)
{
    union {
        s32 v[3];
        struct timeval_k tv;
        struct ucred_k cred;
    } o = {.v = {0}};
    s32 len, size = sizeof(s32);
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (get_user(len, user_len))
        return -EFAULT;
    if (len < 0)
        return -EINVAL;
    switch (name) {
    case SO_TYPE:
        o.v[0] = s->type;
        break;
    case SO_DOMAIN:
        o.v[0] = AF_UNIX;
        break;
    case SO_ERROR:
        o.v[0] = __atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
        break;
    case SO_SNDBUF:
        o.v[0] = (s32)s->sndbuf;
        break;
    case SO_RCVBUF:
        o.v[0] = (s32)s->rcvbuf;
        break;
    case SO_PASSCRED:
        o.v[0] = s->passcred;
        break;
    case SO_ACCEPTCONN:
        o.v[0] = s->state == U_LISTENING;
        break;
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
        o.v[0] = 1;
        break;
    case SO_LINGER:
        size = 8;
        break;
    case SO_PEERCRED:
        o.cred = s->peercred;
        size = sizeof(o.cred);
        break;
    case SO_PEERGROUPS:
        size = 0;
        if (!s->peer)
            return -ENODATA;
        break;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW: {
        u64 t = name == SO_RCVTIMEO || name == SO_RCVTIMEO_NEW ? s->rcvtimeo : s->sndtimeo;
        o.tv = (struct timeval_k){(s64)(t / 1000000000), (s64)(t % 1000000000 / 1000)};
        size = sizeof(o.tv);
        break;
    }
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_NO_CHECK:
    case SO_PRIORITY:
    case SO_BSDCOMPAT:
    case SO_REUSEPORT:
    case SO_PROTOCOL:
        break;
    default:
        return -ENOPROTOOPT;
    }
    len = min(len, size);
    if (copy_to_user(user, &o, (size_t)len))
        return -EFAULT;
    return put_user(len, user_len);
}
