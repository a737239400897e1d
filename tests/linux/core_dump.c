/* SPDX-License-Identifier: MIT */
/*
 * Core dumps: when there is one, what it is called, which notes and which memory it holds; the outputs under two kernels must
 * be the same. The memory that is looked at lies at addresses of the program's choice.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define BASE 0x200000000ul
#define STEP 0x10000000ul
#define DIR  "/tmp/core_dump.d"

enum { TOUCHED, UNTOUCHED, DONTDUMP, SHARED, FILE_CLEAN, FILE_DIRTY, FILE_SHARED, NOTHING, ELF_FILE, SPARSE, NR_AREAS };
static const char *const area_names[NR_AREAS] = {"touched",    "untouched",   "dontdump",  "shared anonymous", "clean file",
                                                 "dirty file", "shared file", "PROT_NONE", "ELF file",         "sparse"};
static volatile int ready;
static volatile unsigned long wild = 0x18;

static char *at(int area)
{
    return (char *)(BASE + (unsigned long)area * STEP);
}

static void map(int area, unsigned long pages, int prot, int flags, int fd)
{
    if (mmap(at(area), pages * PAGE, prot, MAP_FIXED | flags, fd, 0) == MAP_FAILED)
        _exit(90 + area);
}

static void map_all(void)
{
    int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
    int fd = open("data", O_RDWR), self = open("/proc/self/exe", O_RDONLY);
    map(TOUCHED, 4, rw, anon, -1);
    map(UNTOUCHED, 4, rw, anon, -1);
    map(DONTDUMP, 4, rw, anon, -1);
    map(SHARED, 4, rw, MAP_SHARED | MAP_ANONYMOUS, -1);
    map(FILE_CLEAN, 4, rw, MAP_PRIVATE, fd);
    map(FILE_DIRTY, 4, rw, MAP_PRIVATE, fd);
    map(FILE_SHARED, 4, rw, MAP_SHARED, fd);
    map(NOTHING, 4, PROT_NONE, anon, -1);
    map(ELF_FILE, 4, PROT_READ, MAP_PRIVATE, self);
    map(SPARSE, 16384, rw, anon, -1);
    memset(at(TOUCHED), 'a', 2 * PAGE);
    memset(at(DONTDUMP), 'b', PAGE);
    memset(at(SHARED), 'c', PAGE);
    memset(at(FILE_DIRTY) + PAGE, 'd', 10);
    at(SPARSE)[8000 * PAGE] = 'e';
    madvise(at(DONTDUMP), 4 * PAGE, MADV_DONTDUMP);
}

static void *idle(void *arg)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return arg;
}

struct plan {
    rlim_t limit;
    const char *filter; /* for /proc/self/coredump_filter */
    int sig, threads;
    bool hidden;
};

static void crash(const struct plan *p)
{
    struct rlimit r = {p->limit, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &r);
    if (p->filter) {
        int fd = open("/proc/self/coredump_filter", O_WRONLY);
        if (fd < 0 || write(fd, p->filter, strlen(p->filter)) < 0)
            _exit(80);
        close(fd);
    }
    if (p->hidden)
        prctl(PR_SET_DUMPABLE, 0);
    map_all();
    for (int i = 0; i < p->threads; i++) {
        pthread_t t;
        pthread_create(&t, NULL, idle, NULL);
    }
    while (ready < p->threads)
        usleep(1000);
    if (p->sig == SIGSEGV)
        *(volatile int *)wild = 1;
    raise(p->sig);
    _exit(70);
}

static pid_t run(const char *what, const struct plan *p)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid)
        crash(p);
    waitpid(pid, &status, 0);
    printf("-- %s: signal %d core %d exit %d\n", what, WTERMSIG(status), WCOREDUMP(status) != 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return pid;
}

/* ---- reading a core ---- */

static const char *note_name(unsigned type)
{
    switch (type) {
    case NT_PRSTATUS:
        return "PRSTATUS";
    case NT_FPREGSET:
        return "FPREGSET";
    case NT_PRPSINFO:
        return "PRPSINFO";
    case NT_AUXV:
        return "AUXV";
    case NT_SIGINFO:
        return "SIGINFO";
    case NT_FILE:
        return "FILE";
    case NT_X86_XSTATE:
        return "X86_XSTATE";
    case 0x205:
        return "X86_XSAVE_LAYOUT";
    default:
        return "?";
    }
}

static void show_files(const char *d)
{
    const unsigned long *w = (const unsigned long *)d;
    const char *name = d + 16 + w[0] * 24;
    for (unsigned long i = 0; i < w[0]; i++, name += strlen(name) + 1) {
        const unsigned long *e = w + 2 + i * 3;
        if (e[0] >= BASE && e[0] < (unsigned long)at(NR_AREAS))
            printf("  file of %s: %ld pages from %ld %s\n", area_names[(e[0] - BASE) / STEP], (long)(e[1] - e[0]) / 4096, (long)e[2],
                   strrchr(name, '/') ? strrchr(name, '/') : name);
    }
}

static void show_note(const char *owner, unsigned type, const char *d, unsigned n, pid_t pid)
{
    bool fixed = type == NT_PRSTATUS || type == NT_FPREGSET || type == NT_PRPSINFO || type == NT_SIGINFO;
    printf("  note %s %s", owner, note_name(type));
    if (fixed)
        printf(" %u bytes", n);
    if (type == NT_PRSTATUS) {
        struct elf_prstatus st;
        memcpy(&st, d, sizeof(st));
        printf(": signal %d %d first %d ppid %d cs %lx fpvalid %d", st.pr_info.si_signo, st.pr_cursig, st.pr_pid == pid,
               st.pr_ppid == getpid(), (long)st.pr_reg[17], st.pr_fpvalid);
    } else if (type == NT_PRPSINFO) {
        struct elf_prpsinfo ps;
        memcpy(&ps, d, sizeof(ps));
        printf(": %d%c%d%d uid %u pid %d name %s args %d", ps.pr_state, ps.pr_sname, ps.pr_zomb, ps.pr_nice, ps.pr_uid,
               ps.pr_pid == pid, ps.pr_fname, ps.pr_psargs[0] != 0);
    } else if (type == NT_SIGINFO) {
        const siginfo_t *si = (const siginfo_t *)d;
        printf(": %d code %d address %lx", si->si_signo, si->si_code, si->si_signo == SIGSEGV ? (long)si->si_addr : 0);
    } else if (type == NT_AUXV) {
        const unsigned long *a = (const unsigned long *)d;
        unsigned i = 0;
        while (a[2 * i] && i < n / 16)
            i++;
        printf(": ends with its length %d", (i + 1) * 16 == n);
    }
    printf("\n");
    if (type == NT_FILE)
        show_files(d);
}

static void show_core(const char *path, pid_t pid)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st)) {
        printf("  no %s\n", path);
        return;
    }
    printf("  mode %o, sparse %d\n", st.st_mode, st.st_blocks * 512 < st.st_size / 2);
    char *f = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)f;
    const Elf64_Phdr *p = (const Elf64_Phdr *)(f + h->e_phoff);
    printf("  type %d machine %d phoff %ld, notes first %d align %ld\n", h->e_type, h->e_machine, (long)h->e_phoff, p->p_type == PT_NOTE,
           (long)p->p_align);
    for (unsigned long o = 0; o < p->p_filesz;) {
        const Elf64_Nhdr *n = (const Elf64_Nhdr *)(f + p->p_offset + o);
        const char *owner = (const char *)(n + 1), *desc = owner + ((n->n_namesz + 3) & ~3u);
        show_note(owner, n->n_type, desc, n->n_descsz, pid);
        o = (unsigned long)(desc - f) - p->p_offset + ((n->n_descsz + 3) & ~3u);
    }
    unsigned long end = 0;
    for (int i = 1; i < h->e_phnum; i++) {
        unsigned long v = p[i].p_vaddr;
        end = p[i].p_offset + p[i].p_filesz;
        if (v < BASE || v >= (unsigned long)at(NR_AREAS))
            continue;
        const char *m = f + p[i].p_offset;
        printf("  %s: flags %u pages %ld of %ld paddr %ld align %ld begins %d\n", area_names[(v - BASE) / STEP], p[i].p_flags,
               (long)(p[i].p_filesz / PAGE), (long)(p[i].p_memsz / PAGE), (long)p[i].p_paddr, (long)p[i].p_align,
               p[i].p_filesz ? m[0] : -1);
        if (v == (unsigned long)at(SPARSE) && p[i].p_filesz)
            printf("  far away: %d %d\n", m[8000 * PAGE], m[100 * PAGE]);
        if (v == (unsigned long)at(FILE_DIRTY) && p[i].p_filesz)
            printf("  second page: %d %d\n", m[PAGE], m[PAGE + 10]);
    }
    printf("  ends where the last area does %d\n", end == (unsigned long)st.st_size);
    munmap(f, (size_t)st.st_size);
    close(fd);
}

static void set(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("%s: %s\n", path, strerrorname_np(errno));
    close(fd);
}

static void try_names(void)
{
    struct plan p = {.limit = RLIM_INFINITY, .sig = SIGQUIT};
    char host[65] = "", name[256];
    gethostname(host, sizeof(host));
    set("/proc/sys/kernel/core_uses_pid", "1");
    pid_t pid = run("core_uses_pid", &p);
    snprintf(name, sizeof(name), "core.%d", pid);
    printf("  %s\n", access(name, F_OK) ? "absent" : "there");
    set("/proc/sys/kernel/core_pattern", "c-%e-%p-%s-%u-%g-%%-%i-%z-%d-%h-%f-%c-%");
    pid = run("core_pattern", &p);
    snprintf(name, sizeof(name), "c-core_dump-%d-3-0-0-%%-%d--1-%s-core_dump-%lu-", pid, pid, host, (unsigned long)RLIM_INFINITY);
    printf("  %s\n", access(name, F_OK) ? "absent" : "there");
    set("/proc/sys/kernel/core_uses_pid", "0");
    set("/proc/sys/kernel/core_pattern", DIR "/deep/%e");
    run("no such directory", &p);
    set("/proc/sys/kernel/core_pattern", "");
    run("no name", &p);
    set("/proc/sys/kernel/core_pattern", "core");
    unlink("core");
    if (symlink("elsewhere", "core"))
        printf("no link\n");
    run("a link in its place", &p);
    struct stat st;
    printf("  the link is %s\n", lstat("core", &st) == 0 && S_ISREG(st.st_mode) ? "replaced" : "kept");
    unlink("core");
    if (mkdir("core", 0700))
        printf("no directory\n");
    run("a directory in its place", &p);
    rmdir("core");
}

int main(void)
{
    static char data[4 * PAGE];
    if ((mkdir(DIR, 0700) && errno != EEXIST) || chdir(DIR))
        return 1;
    memset(data, 'f', sizeof(data));
    int fd = open("data", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
        return 1;
    close(fd);
    struct plan p = {.limit = RLIM_INFINITY, .sig = SIGSEGV, .threads = 3};
    show_core("core", run("fault, four threads", &p));
    p = (struct plan){.limit = RLIM_INFINITY, .sig = SIGABRT, .filter = "0x7f"};
    show_core("core", run("abort, everything", &p));
    p.filter = "0";
    show_core("core", run("abort, nothing", &p));
    p.filter = "0x10";
    show_core("core", run("abort, headers", &p));
    unlink("core");
    const int sigs[] = {SIGQUIT, SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSYS, SIGXCPU, SIGXFSZ, SIGTERM, SIGUSR1, SIGKILL, SIGRTMAX};
    for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
        p = (struct plan){.limit = RLIM_INFINITY, .sig = sigs[i], .filter = "0"};
        run("signal", &p);
        printf("  %s\n", access("core", F_OK) ? "absent" : "there");
        unlink("core");
    }
    p = (struct plan){.limit = 0, .sig = SIGSEGV};
    run("no limit left", &p);
    p.limit = 4095;
    run("less than a page", &p);
    p.limit = 8192;
    run("two pages", &p);
    printf("  %s\n", access("core", F_OK) ? "absent" : "there");
    p = (struct plan){.limit = RLIM_INFINITY, .sig = SIGSEGV, .hidden = true};
    unlink("core");
    run("not dumpable", &p);
    printf("  %s\n", access("core", F_OK) ? "absent" : "there");
    try_names();
    return 0;
}
