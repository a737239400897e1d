/* SPDX-License-Identifier: MIT */
/*
 * Random calls on pipes, sockets, epoll sets, terminals and System V objects, with good, bad and wild arguments, in several
 * processes of two threads at once. Whatever a call answers is right; the kernel must live, and so must this program.
 * ipc_fuzz [SECONDS [SEED]]
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define FDS 40
static char *area;          /* two pages, then a hole */
static unsigned long mixed; /* seed of this process */

static const unsigned ioctls[] = {
    0x5401,     0x5402,     0x5403,     0x5404,     0x5405,     0x5406,     0x5409,     0x540a,
    0x540b,     0x540c,     0x540d,     0x540e,     0x540f,     0x5410,     0x5411,     0x5412,
    0x5413,     0x5414,     0x5415,     0x541b,     0x541e,     0x5420,     0x5421,     0x5422,
    0x5423,     0x5424,     0x5429,     0x802c542a, 0x402c542b, 0x80045430, 0x40045431, 0x80045432,
    0x40045436, 0x80045438, 0x80045439, 0x5441,     0x5452,     0x5456,     0x5457};

static unsigned long wild(unsigned long *s)
{
    static const unsigned long some[] = {
        0,    1,       4096, 0x7ffffffff000, 0x800000000000, 0xffff800000000000, 0xffffffff81000000,
        ~0ul, ~0ul - 8};
    return some[next_random(s) % (sizeof(some) / sizeof(some[0]))];
}

static unsigned long pointer(unsigned long *s)
{
    unsigned long r = next_random(s) % 10;
    if (r < 7)
        return (unsigned long)area + next_random(s) % 4096;
    if (r < 9)
        return (unsigned long)area + 2 * PAGE - next_random(s) % 64; /* runs into the hole */
    return wild(s);
}

static unsigned long number(unsigned long *s)
{
    switch (next_random(s) % 6) {
    case 0:
        return next_random(s) % 8;
    case 1:
        return next_random(s) % 5000;
    case 2:
        return 1ul << next_random(s) % 64;
    case 3:
        return wild(s);
    default:
        return next_random(s) % 70;
    }
}

/* Sockets, pipes and sets into sockets: also into themselves and in rings. */
static void pass_files(unsigned long fd, unsigned long a, unsigned long b)
{
    char c = 0, control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec iov = {&c, 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(2 * sizeof(int));
    ((int *)CMSG_DATA(h))[0] = (int)a;
    ((int *)CMSG_DATA(h))[1] = (int)b;
    sendmsg((int)fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void one_call(unsigned long *s)
{
    unsigned long fd = next_random(s) % FDS, fd2 = next_random(s) % FDS, p = pointer(s),
                  q = pointer(s), n = number(s), m = number(s);
    if (fd < 3)
        fd = 3;
    if (fd2 < 3)
        fd2 = 3;
    /* leave lengths in memory that calls read */
    if (next_random(s) % 2)
        *(unsigned *)(area + (next_random(s) % 1000) * 4) = (unsigned)number(s);
    switch (next_random(s) % 48) {
    case 0:
        syscall(SYS_pipe2, p, next_random(s) % 2 ? O_NONBLOCK : n);
        break;
    case 1:
        syscall(SYS_socket, next_random(s) % 3,
                next_random(s) % 6 | (next_random(s) % 2 ? SOCK_NONBLOCK : 0), 0);
        break;
    case 2:
        syscall(SYS_socketpair, 1, next_random(s) % 6 | SOCK_NONBLOCK, 0, p);
        break;
    case 3:
    case 4:
        syscall(SYS_read, fd, p, n % 100000);
        break;
    case 5:
    case 6:
        syscall(SYS_write, fd, p, n % 100000);
        break;
    case 7:
        syscall(SYS_close, fd);
        break;
    case 8:
        syscall(SYS_poll, p, n % 20, next_random(s) % 3);
        break;
    case 9:
        syscall(SYS_ppoll, p, n % 20, q, 0, 8);
        break;
    case 10:
        syscall(SYS_select, n % 100, p, q, 0, area + 4000);
        break;
    case 11:
        syscall(SYS_epoll_create1, 0);
        break;
    case 12:
    case 13:
    case 14:
        syscall(SYS_epoll_ctl, fd, 1 + next_random(s) % 3, fd2, p);
        break;
    case 15:
        syscall(SYS_epoll_wait, fd, p, n, 1);
        break;
    case 16:
        syscall(SYS_eventfd2, n, next_random(s) % 2 ? O_NONBLOCK : m);
        break;
    case 17:
        syscall(SYS_bind, fd, p, n % 130);
        break;
    case 18:
        syscall(SYS_connect, fd, p, n % 130);
        break;
    case 19:
        syscall(SYS_listen, fd, n);
        break;
    case 20:
        syscall(SYS_accept4, fd, p, q, next_random(s) % 2 ? O_NONBLOCK : m);
        break;
    case 21:
        syscall(SYS_sendto, fd, p, n % 100000, MSG_NOSIGNAL | (m & 0x40), q, m % 130);
        break;
    case 22:
        syscall(SYS_recvfrom, fd, p, n % 100000, m & 0x1ff, q, area + 100);
        break;
    case 23:
        syscall(SYS_sendmsg, fd, p, MSG_NOSIGNAL);
        break;
    case 24:
        syscall(SYS_recvmsg, fd, p, n);
        break;
    case 25:
        syscall(SYS_shutdown, fd, n % 4);
        break;
    case 26:
        syscall(SYS_getsockopt, fd, 1, n % 70, p, q);
        break;
    case 27:
        syscall(SYS_setsockopt, fd, 1, n % 70, p, m % 20);
        break;
    case 28:
        syscall(SYS_getsockname, fd, p, q);
        break;
    case 29:
        syscall(SYS_getpeername, fd, p, q);
        break;
    case 30:
    case 31:
        syscall(SYS_ioctl, fd, ioctls[next_random(s) % (sizeof(ioctls) / sizeof(ioctls[0]))],
                next_random(s) % 2 ? p : m);
        break;
    case 32:
        syscall(SYS_fcntl, fd, next_random(s) % 2 ? F_SETPIPE_SZ : F_SETFL, n);
        break;
    case 33:
        syscall(SYS_openat, AT_FDCWD, next_random(s) % 2 ? "/dev/ptmx" : "/dev/pts/0",
                O_RDWR | O_NONBLOCK);
        break;
    case 34:
        syscall(SYS_dup2, fd, fd2);
        break;
    case 35:
        syscall(SYS_tee, fd, fd2, n, 2);
        break;
    case 36:
        syscall(SYS_splice, fd, 0, fd2, 0, n % 100000, 2);
        break;
    case 37:
        syscall(SYS_shmget, n % 5, n, IPC_CREAT | 0600);
        break;
    case 38:
        syscall(SYS_shmat, n % 40000, 0, m);
        break;
    case 39:
        syscall(SYS_shmctl, n % 40000, m % 16, p);
        break;
    case 40:
        syscall(SYS_semget, n % 5, m % 20, IPC_CREAT | 0600);
        break;
    case 41:
        syscall(SYS_semop, n % 40000, p, m % 10);
        break;
    case 42:
        syscall(SYS_semctl, n % 40000, m % 20, next_random(s) % 21, p);
        break;
    case 43:
        syscall(SYS_msgget, n % 5, IPC_CREAT | 0600);
        break;
    case 44:
        syscall(SYS_msgsnd, n % 40000, p, m % 9000, next_random(s) % 2 ? IPC_NOWAIT : 0);
        break;
    case 46:
    case 47:
        pass_files(fd, fd2, 3 + n % FDS);
        break;
    case 45:
        syscall(SYS_msgrcv, n % 40000, p, m % 9000, next_random(s) % 4,
                next_random(s) % 2 ? IPC_NOWAIT : 0);
        break;
    }
}

static time_t until;
static void *run(void *arg)
{
    unsigned long s = mixed + (unsigned long)arg * 77777 + 1;
    for (int i = 0; i < 50; i++)
        next_random(&s);
    while (time(NULL) < until)
        for (int i = 0; i < 100; i++)
            one_call(&s);
    return NULL;
}

static void nothing(int sig)
{
}

static int child(void)
{
    struct itimerval tick = {{0, 20000}, {0, 20000}}; /* out of whatever blocks */
    struct sigaction sa = {.sa_handler = nothing};
    pthread_t t;
    for (int i = 1; i < 32; i++)
        if (i != SIGALRM && i != SIGSEGV && i != SIGBUS)
            signal(i, SIG_IGN);
    sigaction(SIGALRM, &sa, NULL);
    setsid();
    CHECK(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    CHECK(pthread_create(&t, NULL, run, (void *)1) == 0);
    run(NULL);
    _exit(0); /* the other thread may sit in a call */
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 5, status;
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
    until = time(NULL) + seconds;
    area = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED && munmap(area + 2 * PAGE, PAGE) == 0);
    pid_t pid[4];
    for (int i = 0; i < 4; i++) {
        mixed = seed * 1000003 + i * 12345;
        pid[i] = fork();
        if (!pid[i])
            child();
    }
    for (int i = 0; i < 4; i++) {
        CHECK(waitpid(pid[i], &status, 0) == pid[i]);
        if (!WIFEXITED(status) && WTERMSIG(status) != SIGSEGV &&
            WTERMSIG(status) != SIGBUS) { /* shmat may replace our stack: fine */
            printf("child %d: status %x\n", i, status);
            return 1;
        }
    }
    puts("ok");
    return 0;
}
