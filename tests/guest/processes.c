/* SPDX-License-Identifier: MIT */
/* Processes: waiting, groups and sessions, orphans, exec from a thread, limits, descriptors of processes, robust and PI mutexes. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

static int status;

static void waiting(void)
{
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    pid_t a = fork();
    if (a == 0)
        _exit(7);
    pid_t b = fork();
    if (b == 0) {
        pause();
        _exit(0);
    }
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)a, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == a &&
          info.si_status == 7 && info.si_code == CLD_EXITED);
    CHECK(waitpid(b, &status, WNOHANG) == 0);
    CHECK(waitpid(-1, &status, 0) == a && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(waitpid(a, &status, 0) == -1 && errno == ECHILD);
    CHECK(kill(b, SIGTERM) == 0);
    struct rusage ru;
    CHECK(wait4(b, &status, 0, &ru) == b && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM &&
          ru.ru_minflt > 0);
    CHECK(waitpid(-1, &status, 0xff00) == -1 && errno == EINVAL);
    /* Whoever ignores SIGCHLD has no zombies, and waits until all are gone. */
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(1);
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    signal(SIGCHLD, SIG_DFL);
}

static void groups(void)
{
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    pid_t a = fork();
    if (a == 0) {
        CHECK(setpgid(0, 0) == 0 && getpgrp() == getpid());
        CHECK(setsid() == -1 && errno == EPERM); /* a group leader */
        CHECK(write(p[1], "x", 1) == 1);
        pause();
        _exit(0);
    }
    CHECK(read(p[0], &c, 1) == 1 && getpgid(a) == a && getsid(a) == getsid(0));
    CHECK(setpgid(a, 0x7000000) == -1 && errno == EPERM);
    CHECK(kill(-a, SIGTERM) == 0);
    CHECK(waitpid(-a, &status, 0) == a && WTERMSIG(status) == SIGTERM);
    pid_t b = fork();
    if (b == 0) {
        CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
        _exit(3);
    }
    CHECK(waitpid(b, &status, 0) == b && WEXITSTATUS(status) == 3);
    close(p[0]);
    close(p[1]);
}

static void orphans(void)
{
    int p[2];
    pid_t got;
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(p) == 0);
    pid_t a = fork();
    if (a == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            while (getppid() == parent)
                usleep(1000);
            pid_t now = getppid();
            CHECK(write(p[1], &now, sizeof(now)) == sizeof(now));
            _exit(5);
        }
        _exit(0);
    }
    CHECK(waitpid(a, &status, 0) == a);
    CHECK(read(p[0], &got, sizeof(got)) == sizeof(got) && got == getpid());
    CHECK(waitpid(-1, &status, 0) > 0 && WEXITSTATUS(status) == 5);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    /* A child that asked for it hears of its parent's end. */
    a = fork();
    if (a == 0) {
        if (fork() == 0) {
            sigset_t set;
            int sig;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            CHECK(write(p[1], "r", 1) == 1);
            CHECK(sigwait(&set, &sig) == 0 && sig == SIGUSR1);
            CHECK(write(p[1], "d", 1) == 1);
            _exit(0);
        }
        char c;
        CHECK(read(p[0], &c, 1) == 1 && c == 'r');
        _exit(0);
    }
    char c;
    CHECK(waitpid(a, &status, 0) == a && read(p[0], &c, 1) == 1 && c == 'd');
    close(p[0]);
    close(p[1]);
}

static void *exec_here(void *arg)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", getpid());
    execl("/proc/self/exe", "processes", "exec", pid, NULL);
    return arg;
}
static void *sit(void *arg)
{
    pause();
    return arg;
}
/* exec from a thread that is not the leader: the others go, the number stays the process's. */
static void exec_from_thread(void)
{
    pid_t a = fork();
    if (a == 0) {
        pthread_t t;
        for (int i = 0; i < 3; i++)
            pthread_create(&t, NULL, sit, NULL);
        pthread_create(&t, NULL, exec_here, NULL);
        pause();
    }
    CHECK(waitpid(a, &status, 0) == a && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK(execl("/nonexistent", "x", NULL) == -1 && errno == ENOENT);
    CHECK(execl("/", "x", NULL) == -1 && errno == EACCES);
}

static void limits(void)
{
    struct rlimit r;
    CHECK(getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_cur >= 65536);
    pid_t a = fork();
    if (a == 0) {
        struct rlimit cpu = {1, 2};
        CHECK(setrlimit(RLIMIT_CPU, &cpu) == 0);
        for (;;)
            ;
    }
    CHECK(waitpid(a, &status, 0) == a && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
    CHECK(getpriority(PRIO_PROCESS, 0) == 0 && setpriority(PRIO_PROCESS, 0, 5) == 0 &&
          getpriority(PRIO_PROCESS, 0) == 5);
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 1);
    CPU_ZERO(&set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == -1 && errno == EINVAL);
    CPU_SET(0, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0 && sched_getcpu() == 0);
}

static void pidfds(void)
{
    pid_t a = fork();
    if (a == 0) {
        pause();
        _exit(0);
    }
    int fd = (int)syscall(SYS_pidfd_open, a, 0);
    CHECK(fd >= 0);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
    CHECK(poll(&p, 1, 5000) == 1 && (p.revents & POLLIN));
    siginfo_t info;
    CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == a &&
          info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    CHECK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH);
    close(fd);
}

static pthread_mutex_t *shared_mutex(int robust, int protocol)
{
    pthread_mutexattr_t at;
    pthread_mutex_t *m =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&at);
    pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
    if (robust)
        pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&at, protocol);
    CHECK(pthread_mutex_init(m, &at) == 0);
    return m;
}

static void mutexes(void)
{
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        pthread_mutex_t *m = shared_mutex(1, protocol);
        pid_t a = fork();
        if (a == 0) {
            pthread_mutex_lock(m);
            usleep(50000);
            _exit(0); /* with the lock held */
        }
        usleep(20000);
        CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
        CHECK(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0 &&
              pthread_mutex_lock(m) == 0);
        CHECK(pthread_mutex_unlock(m) == 0 && waitpid(a, &status, 0) == a);
    }
    pthread_mutex_t *m = shared_mutex(0, PTHREAD_PRIO_INHERIT);
    unsigned long *sum = (unsigned long *)(m + 4);
    for (int k = 0; k < 4; k++) {
        if (fork() == 0) {
            for (int i = 0; i < 500; i++) {
                CHECK(pthread_mutex_lock(m) == 0);
                unsigned long v = *sum;
                if (i % 50 == 0)
                    sched_yield();
                *sum = v + 1;
                CHECK(pthread_mutex_unlock(m) == 0);
            }
            _exit(0);
        }
    }
    for (int k = 0; k < 4; k++)
        CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(*sum == 2000);
    struct timespec past = {1, 0};
    CHECK(pthread_mutex_lock(m) == 0);
    pid_t a = fork();
    if (a == 0)
        _exit(pthread_mutex_timedlock(m, &past) == ETIMEDOUT ? 0 : 1);
    CHECK(waitpid(a, &status, 0) == a && WEXITSTATUS(status) == 0);
}

static void many(void)
{
    for (volatile int i = 0; i < 300; i++) {
        pid_t a = vfork();
        if (a == 0)
            _exit(i & 127);
        CHECK(waitpid(a, &status, 0) == a && WEXITSTATUS(status) == (i & 127));
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "exec") == 0)
        return getpid() == atoi(argv[2]) && syscall(SYS_gettid) == getpid() ? 42 : 1;
    waiting();
    groups();
    orphans();
    exec_from_thread();
    limits();
    pidfds();
    mutexes();
    many();
    puts("processes: ok");
    return 0;
}
