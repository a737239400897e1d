/* SPDX-License-Identifier: MIT */
/* UNIX sockets: the three types, names, options, control messages, ends. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

static void families(void)
{
    int type;
    socklen_t len = sizeof(type);
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(s >= 0 && (fcntl(s, F_GETFD) & FD_CLOEXEC) && (fcntl(s, F_GETFL) & O_NONBLOCK));
    CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
          len == 4);
    struct stat st;
    CHECK(fstat(s, &st) == 0 && S_ISSOCK(st.st_mode));
    close(s);
    CHECK(socket(AF_UNIX, SOCK_RDM, 0) == -1 && errno == ESOCKTNOSUPPORT);
    CHECK(socket(AF_UNIX, SOCK_STREAM, 5) == -1 && errno == EPROTONOSUPPORT);
    CHECK(socket(77, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT);
    CHECK(send(1, "", 0, 0) == -1 && errno == ENOTSOCK);
    puts("ok families");
}

static void streams(void)
{
    int s[2], n;
    char buf[100];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(write(s[0], "abc", 3) == 3 && send(s[0], "def", 3, 0) == 3);
    CHECK(ioctl(s[1], FIONREAD, &n) == 0 && n == 6);
    CHECK(recv(s[1], buf, 4, MSG_PEEK) == 4 && !memcmp(buf, "abcd", 4));
    CHECK(read(s[1], buf, 100) == 6 && !memcmp(buf, "abcdef", 6));
    CHECK(recv(s[1], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    struct pollfd p = {s[1], POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    CHECK(shutdown(s[0], SHUT_WR) == 0);
    CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT | POLLRDHUP));
    CHECK(read(s[1], buf, 1) == 0 && write(s[1], "x", 1) == 1 && read(s[0], buf, 1) == 1);
    signal(SIGPIPE, SIG_IGN);
    CHECK(write(s[0], "x", 1) == -1 && errno == EPIPE);
    close(s[0]);
    CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP));
    CHECK(send(s[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    close(s[1]);
    /* unread data at close: the peer gets ECONNRESET */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && write(s[0], "abc", 3) == 3);
    close(s[1]);
    CHECK(read(s[0], buf, 1) == -1 && errno == ECONNRESET && read(s[0], buf, 1) == 0);
    close(s[0]);
    puts("ok streams");
}

static void *slow_writer(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < 10; i++) {
        usleep(2000);
        CHECK(write(fd, "0123456789", 10) == 10);
    }
    return NULL;
}

static void waiting(void)
{
    int s[2];
    char buf[200000];
    pthread_t t;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(pthread_create(&t, NULL, slow_writer, &s[0]) == 0);
    CHECK(recv(s[1], buf, 100, MSG_WAITALL) == 100 && !memcmp(buf + 90, "0123456789", 10));
    pthread_join(t, NULL);
    struct timeval tv = {0, 30000};
    CHECK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK(read(s[1], buf, 1) == -1 && errno == EAGAIN);
    /* the buffer has an end, and room comes back */
    CHECK(fcntl(s[0], F_SETFL, O_NONBLOCK) == 0);
    long total = 0, n;
    while ((n = write(s[0], buf, 5000)) > 0)
        total += n;
    CHECK(errno == EAGAIN && total > 50000 && total < 1000000);
    struct pollfd p = {s[0], POLLOUT, 0};
    CHECK(poll(&p, 1, 0) == 0);
    for (long got = 0; got < total; got += n)
        CHECK((n = read(s[1], buf, sizeof(buf))) > 0);
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    close(s[0]);
    close(s[1]);
    puts("ok waiting");
}

static socklen_t name_path(struct sockaddr_un *a, const char *path)
{
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    strcpy(a->sun_path, path);
    return sizeof(*a);
}

static void *client(void *arg)
{
    struct sockaddr_un a;
    char buf[16];
    socklen_t len = name_path(&a, "/tmp/unix.test");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(connect(s, (struct sockaddr *)&a, len) == 0);
    CHECK(write(s, "ping", 4) == 4 && read(s, buf, 16) == 4 && !memcmp(buf, "pong", 4));
    close(s);
    return NULL;
}

static void names(void)
{
    struct sockaddr_un a, b;
    char buf[16];
    int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0), c;
    unlink("/tmp/unix.test");
    socklen_t len = name_path(&a, "/tmp/unix.test"), blen;
    CHECK(connect(s, (struct sockaddr *)&a, len) == -1 && errno == ENOENT);
    CHECK(bind(l, (struct sockaddr *)&a, len) == 0);
    CHECK(bind(s, (struct sockaddr *)&a, len) == -1 && errno == EADDRINUSE);
    CHECK(bind(l, (struct sockaddr *)&a, len) == -1 && errno == EADDRINUSE);
    len = name_path(&b, "/tmp/unix.other");
    CHECK(bind(l, (struct sockaddr *)&b, len) == -1 && errno == EINVAL &&
          access(b.sun_path, F_OK) == -1);
    CHECK(connect(s, (struct sockaddr *)&a, len) == -1 && errno == ECONNREFUSED);
    CHECK(accept(l, NULL, NULL) == -1 && errno == EINVAL);
    CHECK(listen(l, 5) == 0 && listen(s, 5) == -1 && errno == EINVAL);
    struct stat st;
    CHECK(stat("/tmp/unix.test", &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(open("/tmp/unix.test", O_RDWR) == -1 && errno == ENXIO);
    blen = sizeof(b);
    CHECK(getsockname(l, (struct sockaddr *)&b, &blen) == 0 &&
          blen == offsetof(struct sockaddr_un, sun_path) + 15 &&
          !strcmp(b.sun_path, "/tmp/unix.test"));
    CHECK(connect(s, (struct sockaddr *)&a, len) == 0 && write(s, "early", 5) == 5);
    CHECK(connect(s, (struct sockaddr *)&a, len) == -1 && errno == EISCONN);
    blen = sizeof(b);
    c = accept4(l, (struct sockaddr *)&b, &blen, SOCK_CLOEXEC);
    CHECK(c >= 0 && blen == 2 && read(c, buf, 16) == 5);
    blen = sizeof(b);
    CHECK(getpeername(s, (struct sockaddr *)&b, &blen) == 0 &&
          !strcmp(b.sun_path, "/tmp/unix.test"));
    struct ucred u;
    socklen_t ulen = sizeof(u);
    CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &ulen) == 0 && u.pid == getpid() &&
          u.uid == getuid());
    close(c);
    close(s);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, client, NULL) == 0);
    c = accept(l, NULL, NULL);
    CHECK(c >= 0 && read(c, buf, 16) == 4 && write(c, "pong", 4) == 4);
    pthread_join(t, NULL);
    close(c);
    close(l);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(connect(s, (struct sockaddr *)&a, len) == -1 && errno == ECONNREFUSED);
    CHECK(unlink("/tmp/unix.test") == 0);
    close(s);
    puts("ok names");
}

static void abstract(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX}, b;
    memcpy(a.sun_path, "\0pagoda", 7);
    socklen_t len = offsetof(struct sockaddr_un, sun_path) + 7, blen = sizeof(b);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
        d = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(l, (struct sockaddr *)&a, len) == 0 && listen(l, 0) == 0);
    CHECK(bind(s, (struct sockaddr *)&a, len) == -1 && errno == EADDRINUSE);
    CHECK(connect(d, (struct sockaddr *)&a, len) == -1 &&
          errno == ECONNREFUSED); /* each type has names of its own */
    CHECK(connect(s, (struct sockaddr *)&a, len) == 0);
    int s2 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect(s2, (struct sockaddr *)&a, len) == -1 &&
          errno == EAGAIN); /* backlog 0: one may wait */
    close(l);
    char c;
    CHECK(read(s, &c, 1) == -1 && errno == ECONNRESET);
    close(s);
    CHECK(bind(d, (struct sockaddr *)&a, sizeof(sa_family_t)) == 0); /* autobind */
    CHECK(getsockname(d, (struct sockaddr *)&b, &blen) == 0 && blen == 8 && b.sun_path[0] == 0);
    close(d);
    close(s2);
    puts("ok abstract");
}

static void datagrams(void)
{
    struct sockaddr_un a, from;
    char buf[100];
    int r = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0),
        p[2];
    unlink("/tmp/unix.dg");
    socklen_t len = name_path(&a, "/tmp/unix.dg"), flen = sizeof(from);
    CHECK(bind(r, (struct sockaddr *)&a, len) == 0);
    CHECK(send(s, "x", 1, 0) == -1 && errno == ENOTCONN);
    CHECK(sendto(s, "hello", 5, 0, (struct sockaddr *)&a, len) == 5);
    CHECK(sendto(s, "", 0, 0, (struct sockaddr *)&a, len) == 0);
    CHECK(recvfrom(r, buf, 3, MSG_TRUNC, (struct sockaddr *)&from, &flen) == 5 && flen == 0);
    CHECK(recv(r, buf, 100, 0) == 0);
    CHECK(connect(s, (struct sockaddr *)&a, len) == 0);
    int n = 0;
    while (send(s, "abc", 3, 0) == 3)
        n++;
    CHECK(errno == EAGAIN && n == 11); /* max_dgram_qlen is 10 */
    struct pollfd pf = {s, POLLOUT, 0};
    CHECK(poll(&pf, 1, 0) == 0);
    CHECK(recv(r, buf, 100, 0) == 3 && poll(&pf, 1, 1000) == 1);
    close(r);
    CHECK(send(s, "x", 1, 0) == -1 && errno == ECONNREFUSED);
    close(s);
    unlink("/tmp/unix.dg");
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(send(p[0], buf, i + 1, 0) == i + 1);
    for (int i = 0; i < 50; i++)
        CHECK(recv(p[1], buf, 100, 0) == i + 1);
    close(p[0]);
    close(p[1]);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0);
    CHECK(send(p[0], "one", 3, 0) == 3 && send(p[0], "seven", 5, 0) == 5);
    struct iovec iov = {buf, 2};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    CHECK(recvmsg(p[1], &m, 0) == 2 && (m.msg_flags & MSG_TRUNC));
    CHECK(recv(p[1], buf, 100, 0) == 5);
    close(p[0]);
    CHECK(recv(p[1], buf, 100, 0) == 0);
    close(p[1]);
    puts("ok datagrams");
}

static int send_fds(int s, const int *fds, int n)
{
    char c = 'f', control[CMSG_SPACE(sizeof(int) * 8)] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
    return (int)sendmsg(s, &m, 0);
}

static void control(void)
{
    int s[2], p[2], got[2], on = 1, bad = 999;
    char c, buf[64], space[256];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
    CHECK(send_fds(s[0], &bad, 1) == -1 && errno == EBADF);
    CHECK(send_fds(s[0], p, 2) == 1 && write(s[0], "more", 4) == 4);
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    CHECK(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 1 && buf[0] == 'f'); /* stops behind the files */
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(8) && !CMSG_NXTHDR(&m, h));
    memcpy(got, CMSG_DATA(h), 8);
    CHECK((fcntl(got[0], F_GETFD) & FD_CLOEXEC) && write(got[1], "x", 1) == 1 &&
          read(p[0], &c, 1) == 1);
    close(p[0]);
    close(p[1]);
    close(got[1]);
    CHECK(read(got[0], &c, 1) == 0);
    close(got[0]);
    CHECK(read(s[1], buf, 64) == 4);
    /* too little room: the files are dropped, MSG_CTRUNC says so */
    CHECK(pipe(p) == 0 && send_fds(s[0], p, 2) == 1);
    m.msg_controllen = CMSG_LEN(4);
    CHECK(recvmsg(s[1], &m, 0) == 1 && (m.msg_flags & MSG_CTRUNC));
    h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_len == CMSG_LEN(4));
    memcpy(got, CMSG_DATA(h), 4);
    close(got[0]);
    close(p[1]);
    CHECK(read(p[0], &c, 1) == 0);
    close(p[0]);
    /* credentials */
    CHECK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
          write(s[0], "z", 1) == 1);
    m.msg_controllen = sizeof(space);
    CHECK(recvmsg(s[1], &m, 0) == 1 && (h = CMSG_FIRSTHDR(&m)) && h->cmsg_type == SCM_CREDENTIALS);
    struct ucred u;
    memcpy(&u, CMSG_DATA(h), sizeof(u));
    CHECK(u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
    /* files in flight die with the sockets: also a socket in its own queue's chain */
    int chain[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, chain) == 0 && pipe(p) == 0);
    CHECK(send_fds(chain[0], &p[1], 1) == 1 && send_fds(s[0], chain, 2) == 1);
    close(chain[0]);
    close(chain[1]);
    close(p[1]);
    close(s[0]);
    close(s[1]);
    CHECK(read(p[0], &c, 1) == 0);
    close(p[0]);
    puts("ok control");
}

/* Sockets that only lie in each other's queues go, and what lies beside them goes too. */
static void cycles(void)
{
    int s[2], t[2], p[2];
    for (int round = 0; round < 3; round++) {
        CHECK(socketpair(AF_UNIX, round == 1 ? SOCK_DGRAM : SOCK_STREAM, 0, s) == 0);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, t) == 0 && pipe(p) == 0);
        if (round < 2) { /* s[1] in its own queue, with the pipe's end */
            int both[2] = {s[1], p[1]};
            CHECK(send_fds(s[0], both, 2) == 1);
        } else { /* s[1] waits in t[1]'s queue and t[1] in s[1]'s */
            int a[2] = {s[1], p[1]};
            CHECK(send_fds(t[0], a, 2) == 1 && send_fds(s[0], &t[1], 1) == 1);
        }
        /* a chain that a descriptor still reaches stays */
        struct pollfd f = {p[0], POLLIN, 0};
        close(p[1]);
        int keep = round < 2 ? dup(s[1]) : dup(t[1]);
        close(s[0]);
        close(s[1]);
        close(t[0]);
        close(t[1]);
        CHECK(poll(&f, 1, 50) == 0);
        close(keep);
        close(
            socket(AF_UNIX, SOCK_STREAM, 0)); /* the end of a socket is when they are looked for */
        CHECK(poll(&f, 1, 5000) == 1 && f.revents == POLLHUP);
        close(p[0]);
    }
    puts("ok cycles");
}

static void many_messages(void)
{
    int s[2];
    struct mmsghdr mm[4] = {0};
    struct iovec iov[4];
    char bufs[4][8];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
    for (int i = 0; i < 4; i++) {
        memset(bufs[i], 'a' + i, 8);
        iov[i] = (struct iovec){bufs[i], (size_t)i + 1};
        mm[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    CHECK(sendmmsg(s[0], mm, 4, 0) == 4 && mm[3].msg_len == 4);
    for (int i = 0; i < 4; i++)
        iov[i].iov_len = 8;
    CHECK(recvmmsg(s[1], mm, 4, MSG_WAITFORONE, NULL) == 4 && mm[0].msg_len == 1 &&
          mm[3].msg_len == 4 && bufs[3][3] == 'd');
    CHECK(recvmmsg(s[1], mm, 4, MSG_DONTWAIT, NULL) == -1 && errno == EAGAIN);
    close(s[0]);
    close(s[1]);
    puts("ok many messages");
}

static void transfer(void)
{
    int s[2], status;
    enum { SIZE = 4000000 };
    static unsigned char buf[100000];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid_t pid = fork();
    if (!pid) {
        close(s[0]);
        for (int done = 0; done < SIZE;) {
            int n = SIZE - done < (int)sizeof(buf) ? SIZE - done : (int)sizeof(buf);
            for (int i = 0; i < n; i++)
                buf[i] = (unsigned char)((done + i) * 11 >> 4);
            CHECK(write(s[1], buf, n) == n);
            done += n;
        }
        _exit(0);
    }
    close(s[1]);
    long at = 0, n;
    while ((n = read(s[0], buf, 33333)) > 0) {
        for (long i = 0; i < n; i++)
            CHECK(buf[i] == (unsigned char)((at + i) * 11 >> 4));
        at += n;
    }
    CHECK(n == 0 && at == SIZE && waitpid(pid, &status, 0) == pid && status == 0);
    close(s[0]);
    puts("ok transfer");
}

int main(void)
{
    families();
    streams();
    waiting();
    names();
    abstract();
    datagrams();
    control();
    cycles();
    many_messages();
    transfer();
    return 0;
}
