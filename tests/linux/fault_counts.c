/* SPDX-License-Identifier: MIT */
/* How many faults each kind of access takes, what mincore and the resident sizes say; the same under two kernels. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096ul
#define PAGES 64ul
#define LEN   (PAGES * PAGE)

static long faults(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return ru.ru_minflt;
}

static void read_all(char *p)
{
    for (unsigned long i = 0; i < LEN; i += PAGE)
        (void)*(volatile char *)(p + i);
}

static void write_all(char *p)
{
    for (unsigned long i = 0; i < LEN; i += PAGE)
        *(volatile char *)(p + i) = 1;
}

/* After a fork the stack's own pages fault again; how many of them are in use depends on where it begins. */
static __attribute__((noinline)) void warm_stack(void)
{
    volatile char below[3 * PAGE];

    for (unsigned long i = 0; i < sizeof(below); i += 512)
        below[i] = 1;
}

#define COUNT(what, action)                                                                        \
    do {                                                                                           \
        warm_stack();                                                                              \
        long before = faults();                                                                    \
        action;                                                                                    \
        printf("%s: %ld\n", what, faults() - before);                                              \
    } while (0)

static void resident(const char *what, char *p)
{
    unsigned char vec[PAGES];
    int n = 0;

    if (mincore(p, LEN, vec) < 0) {
        printf("%s: no mincore\n", what);
        return;
    }
    for (unsigned long i = 0; i < PAGES; i++)
        n += vec[i] & 1;
    printf("%s: %d resident\n", what, n);
}

/* A line of /proc/self/smaps for the area that begins at p. */
static void smaps(const char *what, char *p, const char *key)
{
    char line[512], start[32];
    bool here = false;
    FILE *f = fopen("/proc/self/smaps", "r");

    snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
    while (f && fgets(line, sizeof(line), f)) {
        if (strchr(line, '-') && strstr(line, ":") && line[0] >= '0' && line[0] <= 'f' &&
            !strstr(line, "kB"))
            here = !strncmp(line, start, strlen(start));
        if (here && !strncmp(line, key, strlen(key)) && line[strlen(key)] == ':') {
            printf("%s %s: %d kB\n", what, key, atoi(line + strlen(key) + 1));
            break;
        }
    }
    if (f)
        fclose(f);
}

static void wait_ok(pid_t pid)
{
    int status;

    waitpid(pid, &status, 0);
    printf("child: %d\n", WEXITSTATUS(status));
}

static char *map(int flags, int fd)
{
    return mmap(NULL, LEN, PROT_READ | PROT_WRITE, flags, fd, 0);
}

int main(void)
{
    int fd = open("/dev/shm/fault_counts.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    static char block[LEN];
    char *p, *q;

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    memset(block, 1, sizeof(block));
    if (fd < 0 || write(fd, block, LEN) != (ssize_t)LEN)
        return 1;
    faults();
    printf("warm up\n");

    p = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    resident("untouched", p);
    COUNT("anonymous read", read_all(p));
    resident("after reading", p);
    smaps("after reading", p, "Rss");
    COUNT("write after read", write_all(p));
    COUNT("write again", write_all(p));
    smaps("after writing", p, "Rss");
    smaps("after writing", p, "Anonymous");
    smaps("after writing", p, "Private_Dirty");
    madvise(p, LEN / 2, MADV_DONTNEED);
    smaps("half given back", p, "Rss");
    COUNT("write after DONTNEED", write_all(p));
    mprotect(p, LEN, PROT_READ);
    COUNT("read after mprotect", read_all(p));
    mprotect(p, LEN, PROT_READ | PROT_WRITE);
    COUNT("write after mprotect", write_all(p));

    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        COUNT("child reads", read_all(p));
        COUNT("child writes", write_all(p));
        fflush(stdout);
        _exit(0);
    }
    wait_ok(pid);
    COUNT("parent writes after the child's end", write_all(p));
    smaps("after fork", p, "Rss");
    q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, map(MAP_PRIVATE | MAP_ANONYMOUS, -1));
    COUNT("write after mremap", write_all(q));
    munmap(q, LEN);

    p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    COUNT("write after populate", write_all(p));
    munmap(p, LEN);

    p = map(MAP_PRIVATE, fd);
    COUNT("file write, private", write_all(p));
    smaps("file private", p, "Anonymous");
    munmap(p, LEN);
    p = map(MAP_SHARED, fd);
    COUNT("file write, shared", write_all(p));
    smaps("file shared", p, "Rss");
    smaps("file shared", p, "Shared_Dirty");
    munmap(p, LEN);
    p = map(MAP_SHARED | MAP_ANONYMOUS, -1);
    COUNT("shared anonymous write", write_all(p));
    fflush(stdout);
    pid = fork();
    if (!pid) {
        COUNT("child writes shared anonymous", write_all(p));
        fflush(stdout);
        _exit(0);
    }
    wait_ok(pid);
    munmap(p, LEN);
    unlink("/dev/shm/fault_counts.data");
    return 0;
}
