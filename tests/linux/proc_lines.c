/* SPDX-License-Identifier: MIT */
/*
 * The texts under /proc and /sys that show memory: names, order and form of their lines, and exact values where a program makes
 * them. Numbers that are the machine's own are printed as '#'.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define MAP_DROPPABLE_ 8

static char text[4 << 20];

static size_t slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    size_t len = 0;
    ssize_t n;
    if (fd < 0) {
        printf("%s: %s\n", path, strerror(errno));
        text[0] = 0;
        return 0;
    }
    while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        printf("%s: read: %s\n", path, strerror(errno));
    close(fd);
    text[len] = 0;
    return len;
}

/* Runs of digits become '#', runs of blanks one; equal lines in a row are printed once. */
static void shape(const char *path)
{
    char last[4096] = "", now[4096];
    struct stat st;
    slurp(path);
    if (stat(path, &st))
        return;
    printf("== %s %o\n", path, st.st_mode & 07777);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        char *out = now;
        for (char *p = line; p < end && out < now + sizeof(now) - 2; p++) {
            if (isdigit((unsigned char)*p)) {
                while (p + 1 < end && isdigit((unsigned char)p[1]))
                    p++;
                *out++ = '#';
            } else if (*p != ' ' || out == now || out[-1] != ' ') {
                *out++ = *p;
            }
        }
        *out = 0;
        if (strcmp(now, last))
            puts(now);
        strcpy(last, now);
    }
}

/* Names up to the first blank or colon, and how long the line is: of columns that are as wide as they are. */
static void names(const char *path, bool width)
{
    slurp(path);
    printf("== %s\n", path);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (strstr(line, "[rollup]\n") == end - 8)
            continue; /* addresses */
        int n = (int)strcspn(line, " :\t");
        printf("%.*s%c", n, line, line[n] == '\n' ? ' ' : line[n]);
        if (width)
            printf(" %ld", (long)(end - line));
        printf("\n");
    }
}

static void fields(const char *path)
{
    unsigned n = 0;
    slurp(path);
    for (char *p = strtok(text, " \n"); p; p = strtok(NULL, " \n"))
        n++;
    printf("== %s: %u fields\n", path, n);
}

/* Head lines as they are, the others counted by whether they scan. */
static void slabinfo(void)
{
    unsigned good = 0, bad = 0, line_nr = 0;
    slurp("/proc/slabinfo");
    printf("== /proc/slabinfo\n");
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, line_nr++) {
        char name[64];
        unsigned long v[11];
        *end = 0;
        if (line_nr < 2)
            puts(line);
        else if (sscanf(line, "%63s %lu %lu %lu %lu %lu : tunables %lu %lu %lu : slabdata %lu %lu %lu", name, &v[0], &v[1], &v[2],
                        &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10]) == 12 &&
                 v[0] <= v[1] && v[8] <= v[9])
            good++;
        else
            bad++;
    }
    printf("rows: %s, bad %u\n", good > 10 ? "many" : "few", bad);
}

static void vmallocinfo(void)
{
    unsigned good = 0, bad = 0;
    slurp("/proc/vmallocinfo");
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        unsigned long from, to, size;
        *end = 0;
        bool ok = sscanf(line, "0x%16lx-0x%16lx %lu ", &from, &to, &size) == 3 && line[37] == ' ';
        *(ok ? &good : &bad) += 1;
    }
    printf("== /proc/vmallocinfo: %s, bad %u\n", good ? "some" : "none", bad);
}

/* The lines of smaps for the area at p, without its first line; numa_maps' line from the second word on. */
static void area(const char *what, const char *p)
{
    bool here = false, forked = !strncmp(what, "forked", 6);
    char start[20];
    slurp("/proc/self/smaps");
    printf("-- %s\n", what);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        unsigned long from, to;
        char perms[5];
        *end = 0;
        if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) == 3) {
            here = (unsigned long)p >= from && (unsigned long)p < to;
            if (here)
                printf("%s\n", perms);
        } else if (here && !strstr(line, " 0 kB") &&
                   !(forked && !strncmp(line, "Referenced", 10))) { /* a shared table knows whose access it was as little as the CPU */
            puts(line);
        }
    }
    slurp("/proc/self/numa_maps");
    snprintf(start, sizeof(start), "%lx ", (unsigned long)p);
    char *at = strstr(text, start);
    if (!at)
        return;
    at[strcspn(at, "\n")] = 0;
    for (char *word = strtok(at + strlen(start), " "); word; word = strtok(NULL, " "))
        if (strncmp(word, "active=", 7)) /* reclaim's own business */
            printf("%s ", word);
    puts("");
}

static void touch(char *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        *(volatile char *)(p + i * PAGE) = 1;
}
static void look(char *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (void)*(volatile char *)(p + i * PAGE);
}

static char *map(unsigned pages, int prot, int flags, int fd)
{
    return mmap(NULL, pages * PAGE, prot, flags, fd, 0);
}

static void wait_child(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    printf("child: %x\n", status);
}

/* Each area of its own: PROT_NONE pages keep them apart. */
static void areas(void)
{
    int rw = PROT_READ | PROT_WRITE, fd = open("/dev/shm/proc_lines.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (ftruncate(fd, 16 * PAGE))
        exit(1);
    unlink("/dev/shm/proc_lines.data");
    char *apart[8], *p = map(32, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    apart[0] = map(1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    area("untouched", p);
    look(p, 20);
    area("zero page", p);
    touch(p, 8);
    area("8 written", p);
    char *q = map(16, rw, MAP_SHARED, fd), *r = map(16, rw, MAP_PRIVATE, fd);
    touch(q, 4);
    area("shared file, 4 written", q);
    touch(r, 2);
    area("private file, 2 written", r);
    char *s = map(8, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
    touch(s, 3);
    area("shared anonymous, 3 written", s);
    apart[1] = map(1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *l = map(8, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    printf("mlock: %d\n", mlock(l, 8 * PAGE));
    area("locked", l);
    munlock(l, 8 * PAGE);
    char *v = map(4, rw, MAP_DROPPABLE_ | MAP_ANONYMOUS, -1);
    if (v != MAP_FAILED) {
        area("droppable", v);
        munmap(v, 4 * PAGE);
    }
    madvise(l, 8 * PAGE, MADV_DONTFORK);
    madvise(l, 8 * PAGE, MADV_DONTDUMP);
    madvise(l, 8 * PAGE, MADV_SEQUENTIAL);
    mprotect(l, 8 * PAGE, PROT_READ);
    area("advised", l);
    fflush(stdout);
    for (int depth = 0; depth < 2; depth++) { /* two forks, one below the other, each writes one page */
        pid_t pid = fork();
        if (!pid) {
            area("forked: anonymous", p);
            area("forked: private file", r);
            area("forked: shared anonymous", s);
            touch(p, 1);
            area("forked: one page written", p);
            fflush(stdout);
            if (depth == 1)
                _exit(0);
            continue;
        }
        wait_child(pid);
        fflush(stdout);
        if (depth == 1)
            _exit(0);
        break;
    }
    area("after the children", p);
    (void)apart;
}

static void statm(void)
{
    unsigned long a[7], b[7], vm = 0, rss = 0, file = 0, shmem = 0, data = 0, stack = 0;
    slurp("/proc/self/statm");
    sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &a[6]);
    char *p = map(64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(p, 64);
    slurp("/proc/self/statm");
    sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &b[6]);
    printf("statm: %+ld %s %+ld %+ld %lu %+ld %lu\n", (long)(b[0] - a[0]), b[1] - a[1] >= 32 ? "grown" : "same", (long)(b[2] - a[2]),
           (long)(b[3] - a[3]), b[4], (long)(b[5] - a[5]), b[6]);
    slurp("/proc/self/status");
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        sscanf(line, "VmSize: %lu", &vm);
        sscanf(line, "VmRSS: %lu", &rss);
        sscanf(line, "RssFile: %lu", &file);
        sscanf(line, "RssShmem: %lu", &shmem);
        sscanf(line, "VmData: %lu", &data);
        sscanf(line, "VmStk: %lu", &stack);
    }
    printf("status: size %d, data %d, resident %d\n", vm == b[0] * 4, data + stack == b[5] * 4, rss > file + shmem);
    munmap(p, 64 * PAGE);
}

static void try_write(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0) {
        printf("%s <- '%s': %s\n", path, value, strerror(errno));
        return;
    }
    ssize_t n = write(fd, value, strlen(value));
    printf("%s <- '%s': %s\n", path, value, n < 0 ? strerror(errno) : "ok");
    close(fd);
    slurp(path);
    printf("   %s", text);
}

static void knobs(void)
{
    static const char *const tests[][2] = {
        {"swappiness", "201"}, {"swappiness", "200"}, {"swappiness", "-1"}, {"swappiness", "abc"}, {"swappiness", "1x"},
        {"swappiness", "0x10"}, {"swappiness", " 60 "}, {"dirty_bytes", "100"}, {"dirty_bytes", "100000000"}, {"dirty_ratio", "101"},
        {"dirty_ratio", "20"}, {"dirty_background_ratio", "10"}, {"lowmem_reserve_ratio", "255"}, {"lowmem_reserve_ratio", "256 256 32 0 0"},
        {"lowmem_reserve_ratio", "1 x"}, {"percpu_pagelist_high_fraction", "7"}, {"percpu_pagelist_high_fraction", "8"},
        {"percpu_pagelist_high_fraction", "0"}, {"page-cluster", "32"}, {"page-cluster", "3"}, {"panic_on_oom", "3"},
        {"watermark_scale_factor", "0"}, {"watermark_scale_factor", "3001"}, {"watermark_scale_factor", "10"},
        {"min_free_kbytes", "8000"}, {"min_free_kbytes", "-1"}, {"stat_refresh", "1"}, {"laptop_mode", "4294967296"},
        {"vfs_cache_pressure", "-1"}, {"stat_interval", "1"}, {"overcommit_memory", "3"}, {"overcommit_memory", "x"},
        {"max_map_count", "-1"}, {"overcommit_ratio", "70"}, {"overcommit_kbytes", "100000"}, {"overcommit_kbytes", "0"},
        {"overcommit_ratio", "50"}, {"admin_reserve_kbytes", "-5"}, {"admin_reserve_kbytes", "8192"},
        {"mmap_rnd_bits", "33"}, {"mmap_rnd_bits", "28"}, {"mmap_rnd_compat_bits", "7"}, {"legacy_va_layout", "1"},
        {"legacy_va_layout", "0"}, {"mmap_min_addr", "65536"}, {"dirtytime_expire_seconds", "43200"},
    };
    static const char *const defaults[] = {
        "dirty_background_bytes", "dirty_background_ratio", "dirty_bytes", "dirty_expire_centisecs", "dirty_ratio",
        "dirty_writeback_centisecs", "dirtytime_expire_seconds", "drop_caches", "laptop_mode", "lowmem_reserve_ratio",
        "admin_reserve_kbytes", "legacy_va_layout", "max_map_count", "mmap_min_addr", "mmap_rnd_bits", "mmap_rnd_compat_bits",
        "overcommit_kbytes", "oom_dump_tasks", "oom_kill_allocating_task", "overcommit_memory", "overcommit_ratio",
        "page-cluster", "page_lock_unfairness", "panic_on_oom", "percpu_pagelist_high_fraction", "stat_interval", "stat_refresh",
        "swappiness", "vfs_cache_pressure", "watermark_boost_factor", "watermark_scale_factor"};
    char path[128];
    for (unsigned i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        struct stat st = {0};
        snprintf(path, sizeof(path), "/proc/sys/vm/%s", defaults[i]);
        stat(path, &st);
        printf("%s %o ", defaults[i], st.st_mode & 07777);
        if (!slurp(path))
            printf("nothing\n");
        printf("%s", text);
    }
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        snprintf(path, sizeof(path), "/proc/sys/vm/%s", tests[i][0]);
        try_write(path, tests[i][1]);
    }
    static const char *const drops[] = {"0", "5", "x", "", "3"};
    for (unsigned i = 0; i < 5; i++) {
        int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
        ssize_t n = write(fd, drops[i], strlen(drops[i]));
        printf("drop_caches <- '%s': %s\n", drops[i], n < 0 ? strerror(errno) : "ok");
        close(fd);
    }
}

static void scores(void)
{
    static const char *const adj[] = {"0", "1000", "1001", "-1001", "500", "x", "-1000", "0"};
    for (unsigned i = 0; i < 8; i++)
        try_write("/proc/self/oom_score_adj", adj[i]);
    static const char *const old[] = {"15", "16", "-17", "-18", "8", "0"};
    for (unsigned i = 0; i < 6; i++)
        try_write("/proc/self/oom_adj", old[i]);
    slurp("/proc/self/oom_score_adj");
    printf("score_adj %s", text);
    static const char *const slack[] = {"1000", "0", "x", "-1"};
    for (unsigned i = 0; i < 4; i++)
        try_write("/proc/self/timerslack_ns", slack[i]);
}

static void locks(void)
{
    int fd = open("/dev/shm/proc_lines.lock", O_RDWR | O_CREAT, 0600);
    unlink("/dev/shm/proc_lines.lock");
    struct flock l = {.l_type = F_WRLCK, .l_start = 10, .l_len = 5};
    fcntl(fd, F_SETLK, &l);
    flock(fd, LOCK_SH);
    slurp("/proc/locks");
    unsigned posix = 0, whole = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        unsigned long nr, a, ino;
        unsigned major, minor;
        int pid;
        char rest[16];
        *end = 0;
        if (sscanf(line, "%lu: POSIX  ADVISORY  WRITE %d %x:%x:%lu %lu %15s", &nr, &pid, &major, &minor, &ino, &a, rest) == 7 && a == 10)
            posix += pid == getpid() && !strcmp(rest, "14");
        if (sscanf(line, "%lu: FLOCK  ADVISORY  READ %d %x:%x:%lu 0 %15s", &nr, &pid, &major, &minor, &ino, rest) == 6)
            whole += pid == getpid() && !strcmp(rest, "EOF");
    }
    printf("locks: %u %u\n", posix, whole);
    close(fd);
}

static long mlocked(void)
{
    slurp("/proc/meminfo");
    char *at = strstr(text, "Mlocked:");
    return at ? atol(at + 8) : -1;
}

/* Linux gathers up to 15 pages per CPU before it unlocks them. */
static void put_mlocked(long before, long kb)
{
    long now = 0;
    for (int i = 0; i < 20; i++) {
        now = mlocked() - before;
        if (now >= kb && now <= kb + 240)
            break;
        usleep(50000);
    }
    printf(" %ld", now >= kb && now <= kb + 240 ? kb : now);
}

static void locked_pages(void)
{
    long before = mlocked();
    char *p = map(1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    mlock(p, 1024 * PAGE);
    printf("Mlocked:");
    put_mlocked(before, 4096);
    munlock(p, 512 * PAGE);
    put_mlocked(before, 2048);
    munmap(p, 768 * PAGE);
    put_mlocked(before, 1024);
    munmap(p, 1024 * PAGE);
    put_mlocked(before, 0);
    printf("\n");
}

static void map_files(void)
{
    int fd = open("/dev/shm/proc_lines.map", O_RDWR | O_CREAT, 0600);
    char name[128], to[128] = "", buf[8] = "";
    struct stat st;
    if (ftruncate(fd, 4 * PAGE) || pwrite(fd, "hello", 5, 0) != 5)
        exit(1);
    char *p = map(4, PROT_READ, MAP_SHARED, fd);
    snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + 4 * PAGE);
    int err = lstat(name, &st);
    printf("lstat %d mode %o size %ld\n", err, st.st_mode, (long)st.st_size);
    printf("readlink %zd %s\n", readlink(name, to, sizeof(to) - 1), to);
    int again = open(name, O_RDONLY);
    printf("open %d: %zd %s\n", again >= 0, read(again, buf, 5), buf);
    snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + PAGE);
    printf("a part: %d %d\n", lstat(name, &st), errno);
    snprintf(name, sizeof(name), "/proc/self/map_files/0%lx-%lx", (unsigned long)p, (unsigned long)p + 4 * PAGE);
    printf("leading zero: %d %d\n", lstat(name, &st), errno);
    unlink("/dev/shm/proc_lines.map");
    snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + 4 * PAGE);
    memset(to, 0, sizeof(to));
    printf("deleted: %zd %s\n", readlink(name, to, sizeof(to) - 1), to);
    err = stat(name, &st);
    printf("stat %d links %lu\n", err, (unsigned long)st.st_nlink);
    err = stat("/proc/self/map_files", &st);
    printf("dir %d mode %o\n", err, st.st_mode);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        if (setresuid(1000, 1000, 1000))
            _exit(1);
        prctl(PR_SET_DUMPABLE, 1);
        snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)p, (unsigned long)p + 4 * PAGE);
        printf("unprivileged: readlink %d", readlink(name, to, sizeof(to) - 1) > 0);
        printf(" open %d", open(name, O_RDONLY));
        printf(" %d\n", errno);
        printf("another's: %d", open("/proc/1/map_files", O_RDONLY | O_DIRECTORY));
        printf(" %d\n", errno);
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    areas();
    statm();
    names("/proc/meminfo", false);
    names("/proc/vmstat", false);
    shape("/proc/zoneinfo");
    shape("/proc/buddyinfo");
    shape("/proc/pagetypeinfo");
    slabinfo();
    vmallocinfo();
    shape("/proc/swaps");
    names("/proc/self/status", false);
    fields("/proc/self/stat");
    fields("/proc/self/statm");
    names("/proc/self/io", false);
    shape("/proc/self/limits");
    names("/proc/self/smaps_rollup", true);
    shape("/sys/devices/system/node/node0/numastat");
    names("/sys/devices/system/node/node0/vmstat", false);
    shape("/sys/devices/system/node/node0/meminfo");
    knobs();
    scores();
    locks();
    locked_pages();
    map_files();
    return 0;
}
