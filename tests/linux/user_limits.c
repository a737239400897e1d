/* SPDX-License-Identifier: MIT */
/* RLIMIT_NPROC and RLIMIT_SIGPENDING, which count for a user; the outputs under two kernels must be the same. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER 54321

static void limit(int which, rlim_t n)
{
    struct rlimit r = {n, n};
    if (setrlimit(which, &r))
        printf("setrlimit %s\n", strerrorname_np(errno));
}

static void *wait_for_end(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void try_nproc(void)
{
    limit(RLIMIT_NPROC, 4);
    if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
        _exit(1);
    if (!fork()) {
        for (int i = 0; i < 2; i++) {
            int n = 0;
            pid_t pids[8];
            for (; n < 8 && (pids[n] = fork()) >= 0; n++)
                if (!pids[n])
                    wait_for_end(NULL);
            printf("round %d: %d children, then %s\n", i, n, strerrorname_np(errno));
            pthread_t t;
            printf("a thread: %s\n", pthread_create(&t, NULL, wait_for_end, NULL) == EAGAIN ? "EAGAIN" : "there");
            if (n > 0) {
                kill(pids[0], SIGKILL);
                siginfo_t si;
                waitid(P_PID, (id_t)pids[0], &si, WEXITED | WNOWAIT);
                pid_t pid = fork(); /* a zombie counts */
                if (!pid)
                    _exit(0);
                printf("beside a zombie: %s\n", pid < 0 ? strerrorname_np(errno) : "there");
            }
            for (int k = 0; k < n; k++) {
                kill(pids[k], SIGKILL);
                waitpid(pids[k], NULL, 0);
            }
        }
        _exit(0);
    }
    wait(NULL);
}

static void try_exec(void)
{
    int ready[2];
    if (pipe(ready))
        return;
    pid_t sleeper = fork();
    if (!sleeper) {
        if (setuid(USER + 1))
            _exit(1);
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        wait_for_end(NULL);
    }
    char c;
    if (read(ready[0], &c, 1) != 1)
        return;
    for (rlim_t n = 1; n < 3; n++) {
        fflush(stdout);
        pid_t pid = fork();
        if (!pid) {
            limit(RLIMIT_NPROC, n);
            printf("setuid %d\n", setuid(USER + 1));
            fflush(stdout);
            execl("/bin/true", "true", (char *)NULL);
            printf("exec %s\n", strerrorname_np(errno));
            fflush(stdout);
            _exit(7);
        }
        int status;
        waitpid(pid, &status, 0);
        printf("limit %d: exit %d\n", (int)n, WEXITSTATUS(status));
    }
    kill(sleeper, SIGKILL);
    waitpid(sleeper, NULL, 0);
}

static void show_queue(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "SigQ", 4) || !strncmp(line, "ShdPnd", 6) || !strncmp(line, "SigPnd", 6))
            printf("%s", line);
    if (f)
        fclose(f);
}

static void try_sigpending(void)
{
    sigset_t all;
    siginfo_t si;
    struct timespec none = {0, 0};
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    limit(RLIMIT_SIGPENDING, 3);
    if (setresgid(USER + 2, USER + 2, USER + 2) || setresuid(USER + 2, USER + 2, USER + 2))
        _exit(1);
    prctl(PR_SET_DUMPABLE, 1);
    for (int i = 0; i < 5; i++) {
        int r = sigqueue(getpid(), SIGRTMIN + i % 2, (union sigval){.sival_int = i});
        printf("sigqueue %d: %s\n", i, r ? strerrorname_np(errno) : "fine");
    }
    show_queue();
    printf("kill: %d\n", kill(getpid(), SIGUSR1));
    printf("kill of a real-time one: %d\n", kill(getpid(), SIGRTMAX));
    printf("tgkill of a real-time one: %s\n",
           syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMAX - 1) ? strerrorname_np(errno) : "fine");
    printf("sigqueue of a plain one: %s\n", sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 9}) ? strerrorname_np(errno) : "fine");
    show_queue();
    while (sigtimedwait(&all, &si, &none) > 0)
        printf("took %d code %d\n", si.si_signo, si.si_code);
    show_queue();
    printf("again: %d\n", sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}));
    show_queue();
}

int main(void)
{
    static void (*const parts[])(void) = {try_nproc, try_exec, try_sigpending};
    setvbuf(stdout, NULL, _IOLBF, 4096);
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        fflush(stdout);
        if (!fork()) {
            parts[i]();
            _exit(0);
        }
        wait(NULL);
    }
    return 0;
}
