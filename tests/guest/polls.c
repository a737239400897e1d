/* SPDX-License-Identifier: MIT */
/* select, ppoll, epoll in all its modes, eventfd. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <time.h>

#include "check.h"

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void selects(void)
{
    int p[2];
    fd_set in, out;
    CHECK(pipe(p) == 0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    struct timeval tv = {5, 0};
    CHECK(select(p[1] + 1, &in, &out, NULL, &tv) == 1 && !FD_ISSET(p[0], &in) &&
          FD_ISSET(p[1], &out));
    CHECK(write(p[1], "x", 1) == 1);
    FD_SET(p[0], &in);
    CHECK(select(p[1] + 1, &in, &out, NULL, NULL) == 2 && FD_ISSET(p[0], &in));
    char c;
    CHECK(read(p[0], &c, 1) == 1);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    tv = (struct timeval){0, 40000};
    long t0 = now_ms();
    CHECK(select(p[0] + 1, &in, NULL, NULL, &tv) == 0 && now_ms() - t0 >= 39 && tv.tv_sec == 0 &&
          tv.tv_usec == 0);
    close(p[0]);
    close(p[1]);
    FD_SET(p[0], &in);
    CHECK(select(p[0] + 1, &in, NULL, NULL, NULL) == -1 && errno == EBADF);
    CHECK(select(-1, NULL, NULL, NULL, NULL) == -1 && errno == EINVAL);
    puts("ok select");
}

static volatile int alarms;
static void on_alarm(int sig)
{
    alarms++;
}

static void signals(void)
{
    sigset_t none, block;
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &block, NULL) == 0);
    kill(getpid(), SIGUSR1);
    CHECK(poll(NULL, 0, 10) == 0 && alarms == 0);
    struct timespec ts = {5, 0};
    CHECK(ppoll(NULL, 0, &ts, &none) == -1 && errno == EINTR && alarms == 1);
    kill(getpid(), SIGUSR1);
    CHECK(pselect(0, NULL, NULL, NULL, &ts, &none) == -1 && errno == EINTR && alarms == 2);
    int ep = epoll_create1(0);
    struct epoll_event ev;
    kill(getpid(), SIGUSR1);
    CHECK(epoll_pwait(ep, &ev, 1, 5000, &none) == -1 && errno == EINTR && alarms == 3);
    CHECK(ppoll(NULL, 0, &(struct timespec){0, 1000000}, &none) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
    close(ep);
    puts("ok signals");
}

static void eventfds(void)
{
    uint64_t v;
    int e = eventfd(3, EFD_NONBLOCK);
    CHECK(e >= 0 && read(e, &v, 8) == 8 && v == 3);
    CHECK(read(e, &v, 8) == -1 && errno == EAGAIN);
    CHECK(read(e, &v, 7) == -1 && errno == EINVAL);
    v = 5;
    CHECK(write(e, &v, 8) == 8 && write(e, &v, 8) == 8 && read(e, &v, 8) == 8 && v == 10);
    v = ~0ull;
    CHECK(write(e, &v, 8) == -1 && errno == EINVAL);
    v = ~0ull - 1;
    CHECK(write(e, &v, 8) == 8);
    v = 1;
    CHECK(write(e, &v, 8) == -1 && errno == EAGAIN);
    struct pollfd f = {e, POLLIN | POLLOUT, 0};
    CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLIN);
    close(e);
    e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK(read(e, &v, 8) == 8 && v == 1 && read(e, &v, 8) == 8 && v == 1 && read(e, &v, 8) == -1);
    close(e);
    puts("ok eventfd");
}

static int ep_add(int ep, int op, int fd, unsigned events, unsigned long data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    return epoll_ctl(ep, op, fd, &ev);
}

static void epolls(void)
{
    struct epoll_event ev[8];
    int ep = epoll_create1(EPOLL_CLOEXEC), p[2],
        file = open("/tmp/epoll.file", O_CREAT | O_RDWR, 0600);
    char c;
    CHECK(ep >= 0 && pipe2(p, O_NONBLOCK) == 0);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 11) == 0);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 11) == -1 && errno == EEXIST);
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[1], EPOLLIN, 11) == -1 && errno == ENOENT);
    CHECK(ep_add(ep, EPOLL_CTL_DEL, p[1], 0, 0) == -1 && errno == ENOENT);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, file, EPOLLIN, 1) == -1 && errno == EPERM);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1) == -1 && errno == EINVAL);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 1) == -1 && errno == EBADF);
    CHECK(ep_add(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN, 1) == -1 && errno == EINVAL);
    CHECK(epoll_wait(ep, ev, 0, 0) == -1 && errno == EINVAL);
    CHECK(epoll_wait(ep, ev, 8, 0) == 0);
    /* level */
    CHECK(write(p[1], "ab", 2) == 2);
    CHECK(epoll_wait(ep, ev, 8, -1) == 1 && ev[0].events == EPOLLIN && ev[0].data.u64 == 11);
    CHECK(epoll_wait(ep, ev, 8, 0) == 1 && read(p[0], &c, 1) == 1 && epoll_wait(ep, ev, 8, 0) == 1);
    CHECK(read(p[0], &c, 1) == 1 && epoll_wait(ep, ev, 8, 0) == 0);
    /* edge */
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 12) == 0);
    CHECK(write(p[1], "a", 1) == 1 && epoll_wait(ep, ev, 8, -1) == 1 && ev[0].data.u64 == 12);
    CHECK(epoll_wait(ep, ev, 8, 0) == 0);
    CHECK(write(p[1], "a", 1) == 1 && epoll_wait(ep, ev, 8, -1) == 1 &&
          epoll_wait(ep, ev, 8, 0) == 0);
    /* one shot */
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 13) == 0);
    CHECK(epoll_wait(ep, ev, 8, -1) == 1 && ev[0].data.u64 == 13 && epoll_wait(ep, ev, 8, 0) == 0);
    CHECK(write(p[1], "a", 1) == 1 && epoll_wait(ep, ev, 8, 0) == 0);
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 14) == 0 &&
          epoll_wait(ep, ev, 8, 0) == 1);
    /* two files, fairness */
    int e = eventfd(1, 0);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, e, EPOLLIN, 15) == 0);
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 14) == 0);
    CHECK(epoll_wait(ep, ev, 8, 0) == 2);
    CHECK(epoll_wait(ep, ev, 1, 0) == 1 && epoll_wait(ep, ev + 1, 1, 0) == 1 &&
          ev[0].data.u64 != ev[1].data.u64);
    /* closing removes; a duplicate keeps */
    int dup_e = dup(e);
    close(e);
    CHECK(epoll_wait(ep, ev, 8, 0) == 2);
    close(dup_e);
    CHECK(epoll_wait(ep, ev, 8, 0) == 1);
    /* hang-up without having been asked for */
    while (read(p[0], &c, 1) == 1)
        ;
    CHECK(ep_add(ep, EPOLL_CTL_MOD, p[0], 0, 16) == 0 && epoll_wait(ep, ev, 8, 0) == 0);
    close(p[1]);
    CHECK(epoll_wait(ep, ev, 8, -1) == 1 && ev[0].events == EPOLLHUP);
    CHECK(ep_add(ep, EPOLL_CTL_DEL, p[0], 0, 0) == 0 && epoll_wait(ep, ev, 8, 0) == 0);
    long t0 = now_ms();
    CHECK(epoll_wait(ep, ev, 8, 40) == 0 && now_ms() - t0 >= 39);
    CHECK(epoll_pwait2(ep, ev, 8, &(struct timespec){0, 1000000}, NULL) == 0);
    close(ep);
    close(p[0]);
    close(file);
    puts("ok epoll");
}

static void nested(void)
{
    struct epoll_event ev[2];
    int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(0, 0);
    CHECK(ep_add(a, EPOLL_CTL_ADD, b, EPOLLIN, 1) == 0 &&
          ep_add(b, EPOLL_CTL_ADD, e, EPOLLIN, 2) == 0);
    CHECK(ep_add(b, EPOLL_CTL_ADD, a, EPOLLIN, 3) == -1 && errno == ELOOP);
    CHECK(epoll_wait(a, ev, 2, 0) == 0);
    CHECK(eventfd_write(e, 1) == 0);
    CHECK(epoll_wait(a, ev, 2, -1) == 1 && ev[0].data.u64 == 1 && epoll_wait(b, ev, 2, -1) == 1 &&
          ev[0].data.u64 == 2);
    struct pollfd f = {a, POLLIN, 0};
    CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
    eventfd_t v;
    CHECK(eventfd_read(e, &v) == 0 && epoll_wait(a, ev, 2, 0) == 0 && poll(&f, 1, 0) == 0);
    close(b);
    CHECK(eventfd_write(e, 1) == 0 && epoll_wait(a, ev, 2, 0) == 0);
    close(a);
    close(e);
    puts("ok nested");
}

#define ROUNDS 3000
static int ping[2], pong[2];
static void *echo(void *arg)
{
    struct epoll_event ev;
    int ep = epoll_create1(0);
    CHECK(ep_add(ep, EPOLL_CTL_ADD, ping[0], EPOLLIN | EPOLLET, 0) == 0);
    for (int left = ROUNDS; left;) {
        char c;
        CHECK(epoll_wait(ep, &ev, 1, -1) == 1);
        while (read(ping[0], &c, 1) == 1) {
            CHECK(write(pong[1], &c, 1) == 1);
            left--;
        }
    }
    close(ep);
    return NULL;
}

/* No event may be lost between two threads. */
static void round_trips(void)
{
    pthread_t t;
    CHECK(pipe2(ping, O_NONBLOCK) == 0 && pipe2(pong, O_NONBLOCK) == 0);
    CHECK(pthread_create(&t, NULL, echo, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        char c = (char)i, d;
        struct pollfd f = {pong[0], POLLIN, 0};
        CHECK(write(ping[1], &c, 1) == 1);
        CHECK(poll(&f, 1, 10000) == 1 && read(pong[0], &d, 1) == 1 && c == d);
    }
    pthread_join(t, NULL);
    puts("ok round trips");
}

static void many(void)
{
    enum { N = 300 };
    static int fds[N];
    static struct epoll_event ev[N];
    int ep = epoll_create1(0);
    for (int i = 0; i < N; i++)
        CHECK((fds[i] = eventfd(0, 0)) >= 0 && ep_add(ep, EPOLL_CTL_ADD, fds[i], EPOLLIN, i) == 0);
    for (int i = 0; i < N; i += 3)
        CHECK(eventfd_write(fds[i], 1) == 0);
    CHECK(epoll_wait(ep, ev, N, 0) == N / 3);
    static struct pollfd pf[N];
    for (int i = 0; i < N; i++)
        pf[i] = (struct pollfd){fds[i], POLLIN, 0};
    CHECK(poll(pf, N, -1) == N / 3);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    CHECK(epoll_wait(ep, ev, N, 0) == 0);
    close(ep);
    puts("ok many");
}

int main(void)
{
    selects();
    signals();
    eventfds();
    epolls();
    nested();
    round_trips();
    many();
    return 0;
}
