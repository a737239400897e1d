/* SPDX-License-Identifier: MIT */
/* What kernel memory a user may have: files of the machine, slots of pipes, watches of epoll; the knobs and what they refuse. */
#include "say.h"
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static long get(const char *path)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return -1;
    close(fd);
    return atol(text);
}
static int set(const char *path, long v)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld", v);
    int fd = open(path, O_WRONLY);
    int r = fd < 0 ? -1 : (int)write(fd, text, strlen(text));
    int err = errno;
    if (fd >= 0)
        close(fd);
    errno = err;
    return r < 0 ? -1 : 0;
}

/* In a child that is nobody. */
#define AS_NOBODY(body)                                                                            \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        if (!fork()) {                                                                             \
            if (setgroups(0, NULL) || setgid(65534) || setuid(65534))                              \
                _exit(1);                                                                          \
            body;                                                                                  \
            fflush(stdout);                                                                        \
            _exit(0);                                                                              \
        }                                                                                          \
        wait(NULL);                                                                                \
    } while (0)

#define SOFT  "/proc/sys/fs/pipe-user-pages-soft"
#define HARD  "/proc/sys/fs/pipe-user-pages-hard"
#define WATCH "/proc/sys/fs/epoll/max_user_watches"
#define FILES "/proc/sys/fs/file-max"

/* Pipes until one is small, until there is none. */
static void pipes(const char *who, int most)
{
    int fd[2], normal = 0, small = 0, err = 0;
    for (int i = 0; i < most && !err; i++) {
        if (pipe(fd)) {
            err = errno;
            break;
        }
        long size = fcntl(fd[0], F_GETPIPE_SZ);
        normal += size == 65536;
        small += size == 8192;
    }
    printf("%s: %d of 64 KiB, %d of 8 KiB, %s\n", who, normal, small,
           err ? strerrorname_np(err) : "no error");
}

static void pipe_sizes(void)
{
    int a[2];
    SAY(pipe(a));
    SAY(fcntl(a[0], F_SETPIPE_SZ, 1 << 20));
    SAY(fcntl(a[0], F_SETPIPE_SZ, 4096));
    SAY(fcntl(a[0], F_SETPIPE_SZ, 1 << 18));
    SAY(fcntl(a[0], F_SETPIPE_SZ, 1 << 19));
    SAY(fcntl(a[0], F_GETPIPE_SZ));
}

static int watches(int most)
{
    int ep = epoll_create1(0), n = 0;
    for (; n < most; n++) {
        struct epoll_event e = {.events = EPOLLIN};
        int fd = eventfd(0, 0);
        if (fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
            break;
    }
    printf("%d watches, %s\n", n, n < most ? strerrorname_np(errno) : "no error");
    close(ep);
    return n;
}

static void files(const char *who)
{
    int n = 0, err = 0;
    for (; n < 3000; n++)
        if (open("/dev/null", O_RDONLY) < 0) {
            err = errno;
            break;
        }
    printf("%s: %s, %s\n", who, n == 3000 ? "all" : "some",
           err ? strerrorname_np(err) : "no error");
}

int main(void)
{
    struct rlimit many = {8192, 8192};
    printf("soft %ld, hard %ld\n", get(SOFT), get(HARD));
    SAY(setrlimit(RLIMIT_NOFILE, &many));
    /* pipes */
    SAY(set(SOFT, 64));
    pipes("root", 10);
    AS_NOBODY(pipes("nobody, soft 64", 10));
    SAY(set(HARD, 70));
    AS_NOBODY(pipes("nobody, hard 70", 20));
    pipes("root", 10);
    AS_NOBODY(pipe_sizes());
    SAY(set(SOFT, 0));
    AS_NOBODY(pipes("nobody, no soft", 20));
    SAY(set(HARD, 0));
    AS_NOBODY(pipes("nobody, no limit", 20));
    SAY(set(SOFT, 16384));
    SAY(set(SOFT, -1));
    /* epoll */
    long was = get(WATCH);
    SAY(was > 1000);
    SAY(set(WATCH, 20));
    watches(30);
    watches(30);
    AS_NOBODY(watches(30));
    SAY(set(WATCH, -1));
    SAY(set(WATCH, 0));
    watches(1);
    SAY(set(WATCH, was));
    watches(30);
    /* files */
    was = get(FILES);
    SAY(was >= 8192);
    SAY(set(FILES, 1000));
    AS_NOBODY(files("nobody, of 1000"));
    if (!fork()) {
        files("root, of 1000");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    SAY(set(FILES, was));
    AS_NOBODY(files("nobody"));
    SAY(set(FILES, -1));
    return 0;
}
