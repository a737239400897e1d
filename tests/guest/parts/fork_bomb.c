/* SPDX-License-Identifier: MIT */
/*
 * Processes until there are no more: each holds a little memory and waits. Where fork fails, or a child is killed for want of
 * memory, the rest must go on; when all have ended, their memory is back.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../check.h"

#define MAX_CHILDREN 3000
#define SLACK_KB     32768 /* caches of the kernel: stacks, process tables, per-CPU lists */
#define HOLD         (1ul << 20)

static long meminfo(const char *name)
{
    char line[128];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, name, strlen(name)))
            kb = atol(line + strlen(name));
    }
    if (f)
        fclose(f);
    return kb;
}

/* Nobody may pick this process when memory runs out. */
static void stay(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (fd >= 0 && write(fd, "-1000", 5) < 0)
        printf("no oom_score_adj\n");
    if (fd >= 0)
        close(fd);
}

static void child(int ready)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (fd >= 0 && write(fd, "500", 3) < 0)
        _exit(1);
    char *p = mmap(NULL, HOLD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        _exit(2);
    memset(p, 1, HOLD);
    if (write(ready, "r", 1) != 1)
        _exit(3);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    static pid_t pids[MAX_CHILDREN];
    int n = 0, killed = 0, gone = 0, status, ready[2];
    long before, after = 0;
    int most = argc > 1 ? atoi(argv[1]) : MAX_CHILDREN;
    char byte;

    stay();
    CHECK(pipe2(ready, O_NONBLOCK | O_CLOEXEC) == 0);
    before = meminfo("MemFree:");
    /* On until fork fails or four children have been lost. */
    while (n < most && n < MAX_CHILDREN && gone < 4) {
        pid_t pid = fork();
        if (pid < 0) {
            printf("fork: %s\n", strerror(errno));
            break;
        }
        if (!pid)
            child(ready[1]);
        pids[n++] = pid;
        while (waitpid(-1, &status, WNOHANG) > 0)
            gone++;
        while (read(ready[0], &byte, 1) == 1)
            ;
        if (meminfo("MemFree:") < 8192)
            usleep(2000);
    }
    for (int i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    while (waitpid(-1, &status, 0) > 0)
        killed++;
    CHECK(errno == ECHILD && killed + gone == n);
    for (int tries = 0; tries < 30 && before - (after = meminfo("MemFree:")) > SLACK_KB; tries++)
        usleep(100000);
    printf("%d processes, %d gone before the end, %ld KiB not back\n", n, gone, before - after);
    CHECK(before - after <= SLACK_KB);
    return 0;
}
