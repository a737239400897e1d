/* SPDX-License-Identifier: MIT */
/*
 * Threads that map, fill, protect, discard, unmap and fork at once in one address space, each checking every byte it
 * reads; with each setting of /proc/sys/vm/fork_share for a third of the time. smp_storm [SECONDS [THREADS]]
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define REGION_PAGES 96ul
#define MAX_THREADS  64

static atomic_bool over;
static atomic_ulong rounds[MAX_THREADS];

static uint64_t word_of(unsigned long seed, unsigned long page)
{
    return (seed * 0x9e3779b97f4a7c15ul) ^ (page * 0xbf58476d1ce4e5b9ul) ^ 0x94d049bb133111ebul;
}

static void fill(char *p, unsigned long from, unsigned long to, unsigned long seed)
{
    for (unsigned long i = from; i < to; i++) {
        *(volatile uint64_t *)(p + i * PAGE) = word_of(seed, i);
        *(volatile uint64_t *)(p + i * PAGE + PAGE - 8) = ~word_of(seed, i);
    }
}

static bool holds(const char *p, unsigned long from, unsigned long to, unsigned long seed)
{
    for (unsigned long i = from; i < to; i++) {
        if (*(volatile uint64_t *)(p + i * PAGE) != word_of(seed, i) ||
            *(volatile uint64_t *)(p + i * PAGE + PAGE - 8) != ~word_of(seed, i))
            return false;
    }
    return true;
}

static bool is_zero(const char *p, unsigned long from, unsigned long to)
{
    for (unsigned long i = from; i < to; i++) {
        if (*(volatile uint64_t *)(p + i * PAGE) || *(volatile uint64_t *)(p + i * PAGE + PAGE - 8))
            return false;
    }
    return true;
}

/* The child sees what the parent had, and its own writes stay its own. */
static void check_fork(char *p, unsigned long seed)
{
    int status = 0;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (!pid) {
        bool good = holds(p, 0, REGION_PAGES / 2, seed);
        fill(p, 0, REGION_PAGES / 4, ~seed);
        good &= holds(p, 0, REGION_PAGES / 4, ~seed);
        _exit(!good);
    }
    fill(p, REGION_PAGES / 4, REGION_PAGES / 2, seed + 1);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(holds(p, 0, REGION_PAGES / 4, seed));
    CHECK(holds(p, REGION_PAGES / 4, REGION_PAGES / 2, seed + 1));
    fill(p, REGION_PAGES / 4, REGION_PAGES / 2, seed);
}

static void one_round(unsigned long *random, unsigned long number)
{
    unsigned long seed = next_random(random), cut = 8 + seed % (REGION_PAGES - 16);
    char *p =
        mmap(NULL, REGION_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK(is_zero(p, 0, REGION_PAGES));
    fill(p, 0, REGION_PAGES, seed);
    CHECK(mprotect(p + cut * PAGE, 4 * PAGE, PROT_READ) == 0);
    CHECK(holds(p, 0, REGION_PAGES, seed));
    CHECK(mprotect(p + cut * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
    if (number % 8 == 0)
        check_fork(p, seed);
    CHECK(madvise(p + cut * PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
    CHECK(is_zero(p, cut, cut + 4));
    fill(p, cut, cut + 4, seed);
    CHECK(munmap(p + cut * PAGE, PAGE) == 0);
    CHECK(holds(p, 0, cut, seed));
    CHECK(holds(p, cut + 1, REGION_PAGES, seed));
    CHECK(munmap(p, REGION_PAGES * PAGE) == 0);
}

static void *work(void *arg)
{
    unsigned long me = (unsigned long)arg, random = 0x1234567 * (me + 1);

    while (!atomic_load(&over)) {
        one_round(&random, atomic_load(&rounds[me]));
        atomic_fetch_add(&rounds[me], 1);
    }
    return NULL;
}

/* No other kernel has the switch. */
static void set_fork_share(const char *entries)
{
    int fd = open("/proc/sys/vm/fork_share", O_WRONLY);
    if (fd < 0)
        return;
    CHECK(write(fd, entries, strlen(entries)) == (ssize_t)strlen(entries));
    CHECK(close(fd) == 0);
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? atol(argv[1]) : 15, threads = argc > 2 ? atol(argv[2]) : 8;
    pthread_t t[MAX_THREADS];
    unsigned long total = 0;

    CHECK(threads > 0 && threads <= MAX_THREADS);
    for (long i = 0; i < threads; i++)
        CHECK(pthread_create(&t[i], NULL, work, (void *)i) == 0);
    static const char *const shares[] = {"0", "1", "16"}; /* fork copies, shares what it can, what is worth it */
    for (int i = 0; i < 3; i++) {
        struct timespec rest = {.tv_sec = seconds / 3, .tv_nsec = seconds % 3 * 333333333};
        set_fork_share(shares[i]);
        while (nanosleep(&rest, &rest) < 0)
            ;
    }
    atomic_store(&over, true);
    for (long i = 0; i < threads; i++) {
        CHECK(pthread_join(t[i], NULL) == 0);
        CHECK(atomic_load(&rounds[i]) > 0);
        total += atomic_load(&rounds[i]);
    }
    printf("%lu rounds by %ld threads in %ld s\n", total, threads, seconds);
    return 0;
}
