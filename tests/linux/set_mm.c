/* SPDX-License-Identifier: MIT */
/* prctl(PR_SET_MM) in all its options, and what /proc/self shows of it; the outputs under two kernels must be the same. */
#define SAY_VALUE say_plain
#include "say.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long set(unsigned long option, unsigned long addr, unsigned long a4, unsigned long a5)
{
    return syscall(SYS_prctl, PR_SET_MM, option, addr, a4, a5);
}

/* The words of /proc/self/stat behind the name. */
static unsigned long stat_word(int n)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    char *p = strrchr(text, ')');
    for (int i = 2; p && i < n; i++)
        p = strchr(p + 1, ' ');
    return p ? strtoul(p + 1, NULL, 10) : 0;
}

static void show_text(const char *path)
{
    char text[256];
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, text, sizeof(text));
    close(fd);
    printf("%s:", path);
    for (ssize_t i = 0; i < got && i < 24; i++)
        printf(text[i] ? "%c" : "|", text[i]);
    printf("\n");
}

static void fill(struct prctl_mm_map *m)
{
    memset(m, 0, sizeof(*m));
    m->start_code = stat_word(26), m->end_code = stat_word(27), m->start_stack = stat_word(28);
    m->start_data = stat_word(45), m->end_data = stat_word(46), m->start_brk = stat_word(47);
    m->arg_start = stat_word(48), m->arg_end = stat_word(49), m->env_start = stat_word(50), m->env_end = stat_word(51);
    m->brk = (unsigned long)sbrk(0);
    m->exe_fd = ~0u;
}

static void try_places(char *p)
{
    unsigned long here = (unsigned long)p;
    SAY(set(0, here, 0, 0));
    SAY(set(16, here, 0, 0));
    SAY(set(PR_SET_MM_START_CODE, here, 1, 0));
    SAY(set(PR_SET_MM_START_CODE, here, 0, 1));
    SAY(set(PR_SET_MM_START_CODE, 0, 0, 0));
    SAY(set(PR_SET_MM_START_CODE, ~0ul, 0, 0));
    SAY(set(PR_SET_MM_START_CODE, here, 0, 0)); /* behind its end */
    SAY(set(PR_SET_MM_END_CODE, here, 0, 0));
    printf("end_code %d\n", stat_word(27) == here);
    SAY(set(PR_SET_MM_START_CODE, here - 4096, 0, 0));
    printf("start_code %d\n", stat_word(26) == here - 4096);
    SAY(set(PR_SET_MM_END_CODE, here - 4096, 0, 0)); /* nothing between */
    SAY(set(PR_SET_MM_START_DATA, here, 0, 0));
    SAY(set(PR_SET_MM_END_DATA, here + 1, 0, 0));
    printf("end_data %d\n", stat_word(46) == here + 1);
    SAY(set(PR_SET_MM_START_DATA, here + 1, 0, 0));
    SAY(set(PR_SET_MM_START_STACK, 0x7fffffffe000, 0, 0)); /* nothing is mapped there or above */
    SAY(set(PR_SET_MM_START_STACK, here, 0, 0));
    printf("start_stack %d\n", stat_word(28) == here);
    SAY(set(PR_SET_MM_BRK, 65536, 0, 0));
    SAY(set(PR_SET_MM_ARG_START, here, 0, 0));
    SAY(set(PR_SET_MM_ENV_END, here, 0, 0));
    SAY(set(PR_SET_MM_EXE_FILE, 99, 0, 0));
    SAY(set(PR_SET_MM_EXE_FILE, 1, 0, 0));
    /* The own executable as a new one: EBUSY, but 0 on Linux's overlayfs, whose mappings are of the file below. */
}

static void try_auxv(void)
{
    unsigned long v[64] = {6, 4096, 77, 88};
    char text[1024];
    SAY(set(PR_SET_MM_AUXV, (unsigned long)v, 52 * 8 + 8, 0));
    SAY(set(PR_SET_MM_AUXV, (unsigned long)v, 52 * 8, 0));
    SAY(set(PR_SET_MM_AUXV, 8, 16, 0));
    SAY(set(PR_SET_MM_AUXV, (unsigned long)v, 48, 0));
    int fd = open("/proc/self/auxv", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    memcpy(v, text, 48);
    printf("auxv %zd bytes: %lu %lu %lu %lu\n", n, v[0], v[1], v[2], v[3]);
}

static void try_map(char *p)
{
    struct prctl_mm_map m;
    unsigned size = 0;
    unsigned long auxv[4] = {6, 4097, 0, 0};
    SAY(set(PR_SET_MM_MAP_SIZE, (unsigned long)&size, 0, 0));
    printf("size %u\n", size);
    SAY(set(PR_SET_MM_MAP_SIZE, 8, 0, 0));
    fill(&m);
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m) - 1, 0));
    SAY(set(PR_SET_MM_MAP, 8, sizeof(m), 0));
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    m.arg_start = (unsigned long)p;
    m.arg_end = (unsigned long)p + 4;
    m.env_start = (unsigned long)p + 8;
    m.env_end = (unsigned long)p + 12;
    m.auxv = (void *)auxv;
    m.auxv_size = sizeof(auxv);
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    show_text("/proc/self/cmdline");
    show_text("/proc/self/environ");
    show_text("/proc/self/auxv");
    m.env_end = m.env_start - 1;
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    m.env_end = m.env_start;
    m.auxv = NULL;
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    m.auxv_size = 0;
    m.brk = m.start_brk - 1;
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    m.brk = m.start_brk;
    m.exe_fd = 99;
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    m.exe_fd = ~0u;
    struct rlimit r = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_DATA, &r);
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
    SAY(set(PR_SET_MM_START_STACK, (unsigned long)p, 0, 0));
    r.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_DATA, &r);
}

static void as_nobody(char *p)
{
    struct prctl_mm_map m;
    if (setgid(65534) || setuid(65534))
        return;
    SAY(set(PR_SET_MM_START_STACK, (unsigned long)p, 0, 0));
    SAY(set(PR_SET_MM_AUXV, (unsigned long)p, 16, 0));
    fill(&m);
    m.exe_fd = 1;
    SAY(set(PR_SET_MM_MAP, (unsigned long)&m, sizeof(m), 0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 4096);
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(p, "one\0two\0A=b", 12);
    if (!fork()) {
        try_places(p);
        _exit(0);
    }
    wait(NULL);
    try_auxv();
    try_map(p);
    as_nobody(p);
    return 0;
}
