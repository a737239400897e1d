/* SPDX-License-Identifier: MIT */
/*
 * Random calls on pipes, UNIX sockets, epoll sets, eventfds and a pseudo terminal, none of which blocks, by one thread: each prints
 * its result, so that the texts of two kernels can be compared line by line. ipc_calls [STEPS [SEED]]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 3
#define LAST  22

static unsigned long state;
static unsigned rnd(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20) % n;
}
static int any_fd(void)
{
    return FIRST + (int)rnd(LAST - FIRST);
}
static char buf[4096];

static long result(const char *what, long r)
{
    if (r < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, r);
    return r;
}

static void data(long n)
{
    unsigned sum = 0;
    for (long i = 0; i < n; i++)
        sum = sum * 31 + (unsigned char)buf[i];
    if (n > 0)
        printf("  data %x\n", sum);
}

static void fill(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf[i] = (char)rnd(256);
}

static socklen_t any_name(struct sockaddr_un *a)
{
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    switch (rnd(8)) {
    case 0:
        a->sun_family = 77;
        return sizeof(*a);
    case 1:
        return sizeof(sa_family_t);
    case 2:
        sprintf(a->sun_path, "/nowhere/x");
        return sizeof(*a);
    case 3:
    case 4:
    case 5:
        sprintf(a->sun_path + 1, "ipc-calls-%u", rnd(3));
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1));
    default:
        sprintf(a->sun_path, "/tmp/ipc-calls.%u", rnd(3));
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(a->sun_path) + rnd(2));
    }
}

static void show_name(long r, struct sockaddr_un *a, socklen_t len)
{
    if (r < 0)
        return;
    /* automatic names differ from run to run */
    int autobound = len == 8 && a->sun_path[0] == 0;
    printf("  name %u %u %s\n", len, len >= 2 ? a->sun_family : 0,
           len <= 2 || autobound ? ""
           : a->sun_path[0]      ? a->sun_path
                                 : a->sun_path + 1);
}

static void make(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RDM};
    int fds[2];
    switch (rnd(8)) {
    case 0:
        result("pipe2", pipe2(fds, O_NONBLOCK | (rnd(6) ? 0 : O_DIRECT)));
        break;
    case 1:
    case 2:
        result("socketpair", socketpair(AF_UNIX, types[rnd(5)] | SOCK_NONBLOCK, 0, fds));
        break;
    case 3:
    case 4:
    case 5:
        result("socket", socket(rnd(12) ? AF_UNIX : 33, types[rnd(5)] | SOCK_NONBLOCK,
                                (int)(rnd(10) ? 0 : rnd(3))));
        break;
    case 6:
        result("epoll_create1", epoll_create1(0));
        break;
    default:
        result("eventfd", eventfd(rnd(4), EFD_NONBLOCK | (rnd(2) ? EFD_SEMAPHORE : 0)));
    }
}

static void send_message(int fd)
{
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    unsigned n = rnd(50);
    fill(n);
    struct iovec iov[2] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    int files = (int)rnd(3);
    if (files) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(files * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(files * sizeof(int));
        for (int i = 0; i < files; i++)
            ((int *)CMSG_DATA(h))[i] = any_fd();
    }
    result("sendmsg", sendmsg(fd, &m, MSG_NOSIGNAL));
}

static void receive_message(int fd)
{
    char control[64];
    struct sockaddr_un a;
    struct iovec iov = {buf, rnd(60)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_name = &a,
                       .msg_namelen = sizeof(a),
                       .msg_control = control,
                       .msg_controllen = rnd(3) ? sizeof(control) : rnd(24)};
    memset(&a, 0, sizeof(a));
    long r = result("recvmsg", recvmsg(fd, &m, rnd(4) ? 0 : MSG_PEEK));
    if (r < 0)
        return;
    printf("  flags %x control %zu name %u\n", m.msg_flags, m.msg_controllen, m.msg_namelen);
    data(r < (long)iov.iov_len ? r : (long)iov.iov_len);
}

static void poll_some(void)
{
    struct pollfd p[4];
    for (int i = 0; i < 4; i++)
        p[i] = (struct pollfd){any_fd(), POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
    long r = result("poll", poll(p, 4, 0));
    for (int i = 0; r > 0 && i < 4; i++)
        printf("  %d:%x", p[i].fd, p[i].revents);
    puts("");
}

static int by_data(const void *x, const void *y)
{
    const struct epoll_event *a = x, *b = y;
    return a->data.fd - b->data.fd;
}

static void epoll_some(int fd)
{
    struct epoll_event ev[16] = {{0}};
    if (rnd(3)) {
        ev[0].events = EPOLLIN | (rnd(2) ? EPOLLOUT : 0) | (rnd(3) ? 0 : EPOLLET) |
                       (rnd(5) ? 0 : EPOLLONESHOT) | (rnd(3) ? 0 : EPOLLRDHUP);
        int target = any_fd();
        ev[0].data.fd = target;
        result("epoll_ctl", epoll_ctl(fd, 1 + (int)rnd(3), target, ev));
        return;
    }
    long r = result("epoll_wait", epoll_wait(fd, ev, 16, 0));
    if (r > 0) /* the order is not promised */
        qsort(ev, (size_t)r, sizeof(ev[0]), by_data);
    for (long i = 0; i < r; i++)
        printf("  %d:%x", ev[i].data.fd, ev[i].events);
    puts("");
}

static void options(int fd)
{
    static const int names[] = {SO_TYPE,     SO_ERROR,  SO_ACCEPTCONN, SO_PASSCRED, SO_DOMAIN,
                                SO_PROTOCOL, SO_SNDBUF, SO_REUSEADDR,  999};
    int v = 1, name = names[rnd(9)];
    socklen_t len = rnd(5) ? 4 : rnd(6);
    if (rnd(3) == 0) {
        result("setsockopt",
               setsockopt(fd, SOL_SOCKET, name == SO_SNDBUF ? SO_REUSEADDR : name, &v, len));
        return;
    }
    long r = result("getsockopt", getsockopt(fd, rnd(8) ? SOL_SOCKET : 6, name, &v, &len));
    if (r == 0 && len == 4)
        printf("  %d: %d %u\n", name, v, len);
}

static void step(void)
{
    struct sockaddr_un a;
    socklen_t len = sizeof(a);
    int fd = any_fd(), n;
    long r;
    printf("%d ", fd);
    switch (rnd(24)) {
    case 0:
    case 1:
        make();
        break;
    case 2:
    case 3:
        r = result("read", read(fd, buf, rnd(100)));
        data(r);
        break;
    case 4:
    case 5:
        n = (int)rnd(100);
        fill((unsigned)n);
        result("write", write(fd, buf, (size_t)(rnd(8) ? n : 8)));
        break;
    case 6:
        if (rnd(2))
            result("close", close(fd));
        break;
    case 7:
    case 8:
        poll_some();
        break;
    case 9:
    case 10:
        epoll_some(fd);
        break;
    case 11:
        len = any_name(&a);
        result("bind", bind(fd, (void *)&a, len));
        break;
    case 12:
    case 13:
        len = any_name(&a);
        result("connect", connect(fd, (void *)&a, len));
        break;
    case 14:
        result("listen", listen(fd, (int)rnd(3)));
        break;
    case 15:
    case 16:
        r = result("accept4", accept4(fd, (void *)&a, &len, SOCK_NONBLOCK));
        show_name(r, &a, len);
        break;
    case 17:
        len = any_name(&a);
        fill(20);
        result("sendto", sendto(fd, buf, rnd(20), MSG_NOSIGNAL, rnd(2) ? (void *)&a : NULL, len));
        break;
    case 18:
        memset(&a, 0, sizeof(a));
        r = result("recvfrom",
                   recvfrom(fd, buf, rnd(40), rnd(3) ? 0 : MSG_TRUNC, (void *)&a, &len));
        show_name(r, &a, len);
        break;
    case 19:
        send_message(fd);
        break;
    case 20:
        receive_message(fd);
        break;
    case 21:
        result("shutdown", shutdown(fd, (int)rnd(4)));
        break;
    case 22:
        memset(&a, 0, sizeof(a));
        r = rnd(2) ? result("getsockname", getsockname(fd, (void *)&a, &len))
                   : result("getpeername", getpeername(fd, (void *)&a, &len));
        show_name(r, &a, len);
        break;
    default:
        if (rnd(2))
            options(fd);
        else if (result("FIONREAD", ioctl(fd, FIONREAD, &n)) == 0)
            printf("  %d\n", n);
    }
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 20000;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
    state = seed * 0x9e3779b97f4a7c15ul + 1;
    signal(SIGPIPE, SIG_IGN);
    for (int fd = FIRST; fd < 64; fd++)
        close(fd);
    for (int i = 0; i < 3; i++) {
        sprintf(buf, "/tmp/ipc-calls.%d", i);
        unlink(buf);
    }
    for (int i = 0; i < steps; i++) {
        if (i % 500 == 499) { /* begin anew now and then */
            for (int fd = FIRST; fd < LAST + 40; fd++)
                close(fd);
            for (int k = 0; k < 3; k++) {
                sprintf(buf, "/tmp/ipc-calls.%d", k);
                unlink(buf);
            }
        }
        printf("%d ", i);
        step();
    }
    return 0;
}
