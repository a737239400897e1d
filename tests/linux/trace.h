/* SPDX-License-Identifier: MIT */
/* What the programs about ptrace share: calls printed with their answers, wait statuses in words. */
#ifndef TESTS_LINUX_TRACE_H
#define TESTS_LINUX_TRACE_H
#define SAY_VALUE say_plain
#include "say.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* The system call itself: PEEK* store at data. */
static inline long pt(long req, pid_t pid, unsigned long addr, unsigned long data)
{
    return syscall(SYS_ptrace, req, pid, addr, data);
}

static inline void show(const char *what, int status)
{
    if (WIFSTOPPED(status))
        printf("%s: stopped by %d, event %d\n", what, WSTOPSIG(status), status >> 16);
    else if (WIFSIGNALED(status))
        printf("%s: killed by %d%s\n", what, WTERMSIG(status), WCOREDUMP(status) ? ", core" : "");
    else if (WIFCONTINUED(status))
        printf("%s: continued\n", what);
    else
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

static inline int await(pid_t pid, const char *what)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, __WALL);
    if (got != pid && pid > 0)
        printf("%s: wait %s\n", what, got < 0 ? strerrorname_np(errno) : "another");
    else
        show(what, status);
    return status;
}

static inline pid_t spawn(void (*fn)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        fn();
        _exit(0);
    }
    return pid;
}

static inline void sleeper(void)
{
    for (;;)
        pause();
}

static inline void finish(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, __WALL) == pid)
        ;
}

#endif
