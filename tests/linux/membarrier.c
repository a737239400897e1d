/* SPDX-License-Identifier: MIT */
/* membarrier(2): each command with and without its registration, what is registered, and what fork and exec keep. */
#include <errno.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int barrier(int cmd, unsigned flags, int cpu)
{
    long r = syscall(SYS_membarrier, cmd, flags, cpu);

    return r < 0 ? -errno : (int)r;
}

static void registered(const char *when)
{
    printf("registered %s: %d\n", when, barrier(512, 0, 0));
    fflush(stdout);
}

static void all_commands(const char *when)
{
    for (int bit = 0; bit < 12; bit++) {
        int cmd = 1 << bit;
        if (cmd & (4 | 16 | 64 | 256)) /* registrations */
            continue;
        printf("%s: command %d: %d, flag 1: %d, flag 2: %d\n", when, cmd, barrier(cmd, 0, 0),
               barrier(cmd, 1, 0), barrier(cmd, 2, 0));
    }
}

/* One registration in a process of its own. */
static void alone(int cmd)
{
    fflush(stdout);
    if (!fork()) {
        printf("register %d: %d\n", cmd, barrier(cmd, 0, 0));
        registered("then");
        all_commands("then");
        if (!fork()) {
            registered("in a child");
            _exit(0);
        }
        wait(NULL);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void *in_thread(void *arg)
{
    registered("as a thread sees it");
    printf("register in a thread: %d\n", barrier(16, 0, 0));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t;

    if (argc > 1) {
        registered("after exec");
        return 0;
    }
    printf("query: %d, with a flag: %d, -1: %d\n", barrier(0, 0, 0), barrier(0, 1, 0),
           barrier(-1, 0, 0));
    registered("at first");
    all_commands("at first");
    for (int bit = 2; bit <= 8; bit += 2)
        alone(1 << bit);
    printf("two bits: %d, registration with a flag: %d\n", barrier(3, 0, 0), barrier(16, 1, 0));
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    for (int bit = 2; bit <= 8; bit += 2)
        printf("register %d: %d\n", 1 << bit, barrier(1 << bit, 0, 0));
    registered("at last");
    all_commands("at last");
    for (int cpu = -1; cpu < 5; cpu++)
        printf("rseq of cpu %d: %d\n", cpu, barrier(128, 1, cpu));
    printf("rseq of cpu 100000: %d\n", barrier(128, 1, 100000));
    fflush(stdout);
    if (!fork())
        execl("/proc/self/exe", argv[0], "again", NULL);
    wait(NULL);
    return 0;
}
