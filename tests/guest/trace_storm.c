/* SPDX-License-Identifier: MIT */
/*
 * Tracers and tracees that end, stop, fork, exec and are killed at any moment, on all processors: nobody may hang, and everybody
 * can be waited for. What a request answers is of no interest here (tests/linux/ptrace_calls.c), only that it does.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

#define WORKERS 6
#define SECONDS 6

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static volatile int word;

static void *busy(void *arg)
{
    for (;;) {
        word++;
        syscall(SYS_getppid);
        if (word % 64 == 0)
            usleep(100);
    }
    return arg;
}

/* Does what tracers want to see. */
static void target(unsigned long seed)
{
    pthread_t t;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (int i = 0; i < 2; i++)
        pthread_create(&t, NULL, busy, NULL);
    for (;;) {
        unsigned long r = next_random(&seed);
        switch (r % 8) {
        case 0: {
            pid_t pid = fork();
            if (!pid)
                _exit(0);
            waitpid(pid, NULL, __WALL);
            break;
        }
        case 1:
            if (pthread_create(&t, NULL, busy, NULL))
                usleep(1000);
            break;
        case 2:
            if (r % 64 == 2)
                execl("/proc/self/exe", "trace_storm", "target", (char *)NULL);
            break;
        case 3:
            syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGCHLD);
            break;
        case 4:
            usleep(r % 500);
            break;
        default:
            word++;
        }
    }
}

static void request(pid_t pid, unsigned long *seed)
{
    static const int requests[] = {PTRACE_CONT,      PTRACE_SYSCALL,    PTRACE_SINGLESTEP, PTRACE_CONT,        PTRACE_SYSCALL,
                                   PTRACE_INTERRUPT, PTRACE_LISTEN,     PTRACE_GETREGS,    PTRACE_GETFPREGS,   PTRACE_GETSIGINFO,
                                   PTRACE_PEEKDATA,  PTRACE_GETSIGMASK, PTRACE_DETACH,     PTRACE_GETEVENTMSG, PTRACE_POKEUSER};
    char room[2048];
    unsigned long r = next_random(seed);
    int req = requests[r % (sizeof(requests) / sizeof(requests[0]))];
    unsigned long addr = req == PTRACE_PEEKDATA     ? (unsigned long)&word
                         : req == PTRACE_GETSIGMASK ? 8
                         : req == PTRACE_POKEUSER   ? offsetof(struct user, u_debugreg[7])
                                                    : 0;
    unsigned long data = req == PTRACE_POKEUSER ? 0 : r % 16 == 0 ? SIGCONT : 0;
    if (req != PTRACE_POKEUSER && req != PTRACE_CONT && req != PTRACE_SYSCALL && req != PTRACE_SINGLESTEP && req != PTRACE_DETACH)
        data = (unsigned long)room;
    syscall(SYS_ptrace, req, pid, addr, data);
}

/* One of the threads of a process; tracers that trace each other could wait for each other for ever. */
static pid_t some_thread(pid_t pid, unsigned long pick)
{
    char path[64];
    pid_t tid = pid;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *d = opendir(path);
    struct dirent *e = NULL;
    for (unsigned long i = 0; d && i < 3 + pick && (e = readdir(d)); i++)
        if (atoi(e->d_name) > 0)
            tid = atoi(e->d_name);
    if (d)
        closedir(d);
    return tid;
}

/* Attaches to a process and its threads, and plays with what comes. */
static void tracer(pid_t pid, unsigned long seed)
{
    int options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                  PTRACE_O_TRACESYSGOOD;
    for (;;) {
        unsigned long r = next_random(&seed);
        if (r % 4)
            syscall(SYS_ptrace, PTRACE_SEIZE, some_thread(pid, r / 4 % 4), 0, options | (r & 16 ? PTRACE_O_EXITKILL : 0));
        else
            syscall(SYS_ptrace, PTRACE_ATTACH, some_thread(pid, r / 4 % 4), 0, 0);
        for (int i = 0; i < 40; i++) {
            int status;
            pid_t who = waitpid(-1, &status, __WALL | WNOHANG);
            if (who > 0 && WIFSTOPPED(status)) {
                for (int k = 0; k < 4; k++)
                    request(who, &seed);
                syscall(SYS_ptrace, PTRACE_CONT, who, 0, 0);
            } else {
                usleep(next_random(&seed) % 200);
            }
        }
    }
}

static pid_t spawn(int what, pid_t pid, unsigned long seed)
{
    pid_t child = fork();
    if (child)
        return child;
    if (what)
        tracer(pid, seed);
    target(seed);
    _exit(0);
}

static void reap(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WIFEXITED(status));
}

static void worker(unsigned long seed, double until)
{
    static const int signals[] = {SIGSTOP, SIGCONT, SIGSTOP, SIGCONT, SIGTRAP, SIGUSR1, SIGCONT, SIGCHLD};
    int rounds = 0;
    for (; now() < until; rounds++) {
        pid_t t = spawn(0, 0, next_random(&seed));
        pid_t a = spawn(1, t, next_random(&seed)), b = spawn(1, t, next_random(&seed));
        for (unsigned long n = next_random(&seed) % 12; n; n--) {
            usleep(next_random(&seed) % 8000);
            unsigned long r = next_random(&seed);
            kill(t, signals[r % 8]);
        }
        if (seed & 1) {
            reap(a);
            usleep(next_random(&seed) % 3000);
            reap(t);
            reap(b);
        } else {
            reap(t);
            reap(b);
            reap(a);
        }
    }
    CHECK(rounds > 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        target(77);
    double until = now() + SECONDS;
    for (unsigned long i = 0; i < WORKERS; i++) {
        pid_t pid = fork();
        if (!pid)
            worker(0x9e3779b97f4a7c15ul * (i + 1), until);
    }
    int status;
    for (int i = 0; i < WORKERS; i++) {
        CHECK(wait(&status) > 0);
        CHECK(status == 0);
    }
    return 0;
}
