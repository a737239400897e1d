/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: first program of a guest whose clock counts instructions (`pagoda bench`), or any
 * program anywhere.
 *
 * A row is one operation, repeated a fixed number of times between two readings of CLOCK_MONOTONIC;
 * the lowest of PASSES passes counts. What a row needs (memory mapped, pages present, files cached)
 * is made ready outside the readings. Every row runs in a child of its own: one that fails does not
 * take the others along. Nothing is printed while a row runs.
 *
 * The floor of a row is what no kernel can avoid: entering and leaving it, and the words that must
 * be cleared, copied or changed. In instructions: TRAP  36  the faulting instruction twice, 15
 * registers saved and restored, swapgs twice, error code dropped, iretq CALL  20  syscall, swapgs
 * twice, two stack switches, three words saved and restored, table check, call, ret, sysret PAGE
 * 512  a page cleared or copied by rep stosq / rep movsq: QEMU counts each repetition ENTRY  1  one
 * page-table entry stored
 *
 * Lines: "@row NAME | VALUE | FLOOR | COUNT", "@fail NAME | REASON", and "@end ROWS" last. VALUE is
 * nanoseconds times 1000.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define PASSES 3

/* Is there memory for it? */
static bool fits(unsigned mib)
{
    struct sysinfo info;
    return !sysinfo(&info) && info.totalram / (MIB / info.mem_unit) > mib + mib / 16;
}

/* In a child: the passes of one row; the answer goes to the pipe that is its standard output. */
__attribute__((noreturn)) static void run_row(const struct row *r)
{
    uint64_t best = UINT64_MAX;
    unsigned long count = 0;

    for (int pass = 0; pass < PASSES; pass++) {
        bench_total_ns = 0;
        count = r->run();
        if (bench_total_ns < best)
            best = bench_total_ns;
    }
    printf("%llu | %u | %lu", (unsigned long long)(best * 1000 / count), r->floor, count);
    fflush(stdout);
    _exit(0);
}

static void report_row(const struct row *r)
{
    char answer[256];
    int ends[2], status = 0;
    size_t have = 0;
    ssize_t n;

    if (pipe(ends) < 0) {
        printf("@fail %s | pipe: %s\n", r->name, strerror(errno));
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        run_row(r);
    }
    close(ends[1]);
    while (have < sizeof(answer) - 1 &&
           (n = read(ends[0], answer + have, sizeof(answer) - 1 - have)) > 0)
        have += (size_t)n;
    answer[have] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("@fail %s | signal %d\n", r->name, WTERMSIG(status));
    else
        printf("%s %s | %s\n", WEXITSTATUS(status) ? "@fail" : "@row", r->name,
               have ? answer : "no answer");
    fflush(stdout);
}

/* Nothing else in the machine: mount what rows need, and let boot work settle. */
static void set_up_guest(char *pattern, size_t room)
{
    struct timespec settle = {.tv_sec = 2, .tv_nsec = 500000000};
    int fd;

    mkdir("/tmp", 01777);
    if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") < 0)
        printf("@note no tmpfs on /tmp: %s\n", strerror(errno));
    fd = open("/bench.rows", O_RDONLY);
    if (fd >= 0) {
        ssize_t n = read(fd, pattern, room - 1);
        pattern[n > 0 ? n : 0] = '\0';
        close(fd);
    }
    nanosleep(&settle, NULL);
}

int main(int argc, char **argv)
{
    static const struct row *const lists[] = {fault_rows, map_rows, process_rows};
    char pattern[128] = "";
    unsigned mib = 0; /* the rows that touch so much */
    unsigned shown = 0;
    bool guest = getpid() == 1;
    uint64_t ns, tsc;

    if (argc > 1 && !strcmp(argv[1], "--exit"))
        _exit(0);
    if (guest) {
        set_up_guest(pattern, sizeof(pattern));
        char *end = strchr(pattern, '\n');
        if (end) {
            mib = (unsigned)strtoul(end, NULL, 10);
            *end = '\0';
        }
    } else {
        ssize_t n = readlink("/proc/self/exe", bench_self, sizeof(bench_self) - 1);
        bench_self[n > 0 ? n : 0] = '\0';
        snprintf(pattern, sizeof(pattern), "%s", argc > 1 ? argv[1] : "");
        mib = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    }
    ns = now_ns();
    tsc = __builtin_ia32_rdtsc();
    for (volatile int i = 0; i < 1000000; i++)
        ;
    tsc = __builtin_ia32_rdtsc() - tsc;
    ns = now_ns() - ns;
    printf("@clock %llu %llu\n", (unsigned long long)tsc, (unsigned long long)ns);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const struct row *r = lists[i]; r->name; r++) {
            if (mib || (*pattern && !strstr(r->name, pattern)))
                continue;
            report_row(r);
            shown++;
        }
    }
    for (const struct large_row *l = large_rows; mib && l->mib; l++) {
        if (l->mib != mib)
            continue;
        if (fits(mib))
            report_row(&l->row);
        else
            printf("@fail %s | needs %u MiB of memory\n", l->row.name, mib + mib / 16);
        shown++;
    }
    printf("@end %u\n", shown);
    fflush(stdout);
    unlink(bench_file);
    if (guest) {
        sync();
        reboot(RB_POWER_OFF);
        for (;;)
            pause();
    }
    return 0;
}
