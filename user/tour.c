/* SPDX-License-Identifier: MIT */
/*
 * The tour that `pagoda run` without a program gives: real programs, one after the other, and after
 * each what the memory system did for it, from wait4(2)'s resource usage, /proc/meminfo and
 * /proc/vmstat. Programs the machine lacks are skipped. It is an ordinary program and runs on any
 * Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 100 /* acts not begun by then are left out */
#define SHOW_LINES 6   /* of each program's output */
#define MIB        (1ul << 20)

static bool colours;
static double begun;

static const char *c(const char *code)
{
    return colours ? code : "";
}

#define BOLD  c("\033[1m")
#define DIM   c("\033[2m")
#define GREEN c("\033[32m")
#define RED   c("\033[31m")
#define OFF   c("\033[0m")

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The number behind a name at a line's start; -1 when the file or the name is not there. */
static long number_in(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "re");

    while (f && fgets(line, sizeof(line), f)) {
        size_t n = strlen(name);
        if (!strncmp(line, name, n) && (line[n] == ' ' || line[n] == ':')) {
            value = atol(line + n + 1);
            break;
        }
    }
    if (f)
        fclose(f);
    return value;
}

static long meminfo(const char *name)
{
    return number_in("/proc/meminfo", name);
}

static const char *grouped(long n)
{
    static char ring[8][32];
    static unsigned next;
    char digits[32], *out = ring[next++ % 8], *start = out;
    int len = snprintf(digits, sizeof(digits), "%ld", n < 0 ? -n : n);

    if (n < 0)
        *out++ = '-';
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return start;
}

struct snapshot {
    long free, anon, cached, tables;
};

static struct snapshot look(void)
{
    return (struct snapshot){meminfo("MemFree"), meminfo("AnonPages"), meminfo("Cached"),
                             meminfo("PageTables")};
}

static void report(const struct snapshot *before, const struct rusage *ru, double seconds)
{
    struct snapshot after = look();

    printf("  %s%.1f s; %s minor faults, %s major; peak %s KiB%s\n", GREEN, seconds,
           grouped(ru->ru_minflt), grouped(ru->ru_majflt), grouped(ru->ru_maxrss), OFF);
    printf("  %sfree %s -> %s KiB, page cache %s -> %s KiB, page tables %s KiB%s\n", DIM,
           grouped(before->free), grouped(after.free), grouped(before->cached),
           grouped(after.cached), grouped(after.tables), OFF);
}

static bool have_program(const char *name)
{
    const char *path = getenv("PATH");
    char full[512];

    for (path = path ? path : "/usr/bin:/bin"; *path;) {
        size_t n = strcspn(path, ":");
        snprintf(full, sizeof(full), "%.*s/%s", (int)n, path, name);
        if (access(full, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

/* The first lines of what the program says; the rest is counted. */
static void show_output(FILE *f)
{
    char *line = NULL;
    size_t room = 0;
    long lines = 0;

    while (getline(&line, &room, f) > 0) {
        if (lines++ < SHOW_LINES)
            printf("  | %s%s", line, strchr(line, '\n') ? "" : "\n");
    }
    if (lines > SHOW_LINES)
        printf("  | ... %s lines\n", grouped(lines));
    free(line);
}

static bool run_script(const char *shell, const char *script)
{
    struct snapshot before = look();
    struct rusage ru = {0};
    double start = now();
    int ends[2], status = 0;

    if (pipe(ends) < 0)
        return false;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execlp(shell, shell, "-c", script, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    if (f) {
        show_output(f);
        fclose(f);
    }
    if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
        return false;
    report(&before, &ru, now() - start);
    if (status)
        printf("  %sit ended with %s %d%s\n", RED, WIFSIGNALED(status) ? "signal" : "status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), OFF);
    return status == 0;
}

/* ---- fork, seen from inside
 * -------------------------------------------------------------------------------------- */

static long minor_faults(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return ru.ru_minflt;
}

static bool show_fork(void)
{
    const size_t len = 64 * MIB, page = 4096, some = 4 * MIB;
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long anon = meminfo("AnonPages"), faults = minor_faults();
    int status = 0;

    if (p == MAP_FAILED)
        return false;
    printf("  mapped %zu MiB: AnonPages %s KiB, nothing is there yet\n", len / MIB, grouped(anon));
    for (size_t i = 0; i < len; i += page)
        p[i] = 1;
    printf("  wrote one byte to each page: %s faults, AnonPages %s KiB\n",
           grouped(minor_faults() - faults), grouped(meminfo("AnonPages")));
    fflush(stdout);
    double start = now();
    pid_t pid = fork();
    if (!pid) {
        long before = meminfo("AnonPages");
        faults = minor_faults();
        for (size_t i = 0; i < some; i += page)
            p[i] = 2;
        printf("  the child wrote to %zu MiB of it: %s faults, %s KiB more\n", some / MIB,
               grouped(minor_faults() - faults), grouped(meminfo("AnonPages") - before));
        fflush(stdout);
        _exit(p[some] != 1);
    }
    double took = now() - start;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status || p[0] != 1)
        return false;
    printf("  fork itself took %.2f ms in the parent, whose bytes are untouched\n", took * 1e3);
    munmap(p, len);
    printf("  unmapped: AnonPages %s KiB\n", grouped(meminfo("AnonPages")));
    return true;
}

/* ---- the acts
 * ----------------------------------------------------------------------------------------------------
 */

static const struct act {
    const char *title, *needs, *script;
    bool (*inside)(void);
} acts[] = {
    {"A pipeline: four processes, each forked from the shell and replaced by its program", "bash",
     "for i in $(seq 1 2000); do echo $((i * i % 1009)); done | sort -n | uniq -c | sort -rn | "
     "head -3",
     NULL},
    {"fork copies nothing until somebody writes", NULL, NULL, show_fork},
    {"Python: threads, a hash, a megabyte of objects", "python3",
     "python3 -c 'import threading, hashlib, json\n"
     "out = {}\n"
     "def work(n): out[n] = hashlib.sha256(bytes(100000 * n)).hexdigest()[:16]\n"
     "ts = [threading.Thread(target=work, args=(i,)) for i in range(4)]\n"
     "[t.start() for t in ts]; [t.join() for t in ts]\n"
     "print(json.dumps(out, sort_keys=True)); print(sum(list(range(30000))))'",
     NULL},
    {"The compiler: hundreds of files mapped, a program written, and run", "gcc",
     "cd /tmp && echo 'int puts(const char *); int main(void) { return puts(\"compiled in here\") "
     "< 0; }' > tour.c && gcc -O1 "
     "-o tour tour.c && ./tour",
     NULL},
    {"A database on a file", "sqlite3",
     "rm -f /tmp/tour.db; sqlite3 /tmp/tour.db 'create table t(a integer primary key, b); with "
     "recursive n(i) as (select 1 union all select "
     "i + 1 from n where i < 3000) insert into t select i, hex(i * 7919) from n; select count(*), "
     "min(b), max(b) from t'",
     NULL},
    {"Perl: a hash of strings grows and goes", "perl",
     "perl -e 'my %h; $h{\"key $_\"} = \"v\" x 20 for 1..30000; print scalar(keys %h), \" "
     "keys\\n\"'",
     NULL},
    {"The page cache: the second reading of the same files", "tar",
     "tar cf - /usr/share/perl5 /usr/share/common-licenses 2>/dev/null | wc -c; tar cf - "
     "/usr/share/perl5 "
     "/usr/share/common-licenses 2>/dev/null | wc -c",
     NULL},
    {"What the machine says of itself", "sh",
     "free -k 2>/dev/null || head -4 /proc/meminfo; head -3 /proc/self/maps", NULL},
};

static void introduce(void)
{
    char line[256] = "";
    FILE *f = fopen("/proc/version", "re");

    if (f) {
        if (!fgets(line, sizeof(line), f))
            *line = '\0';
        fclose(f);
    }
    line[strcspn(line, "\n")] = '\0';
    printf("%s%s%s\n", BOLD, *line ? line : "(no /proc/version)", OFF);
    printf("%ld processors, %s KiB of memory, %s KiB free. Programs and files are the host's; "
           "writes stay in here.\n",
           sysconf(_SC_NPROCESSORS_ONLN), grouped(meminfo("MemTotal")),
           grouped(meminfo("MemFree")));
}

static void sum_up(int shown, int skipped, int failed)
{
    static const char *const counters[] = {"pgfault", "pgmajfault", "pgfree", "nr_anon_pages",
                                           "nr_file_pages"};

    printf("\n%s%d shown, %d skipped, %d failed in %.0f s.%s", BOLD, shown, skipped, failed,
           now() - begun, OFF);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        long value = number_in("/proc/vmstat", counters[i]);
        if (value >= 0)
            printf(" %s %s", counters[i], grouped(value));
    }
    printf("\nNext: `pagoda run -- CMD`, `pagoda shell`, `pagoda bench`; read docs/TOUR.md for the "
           "way of one store.\n");
}

int main(void)
{
    int shown = 0, skipped = 0, failed = 0;

    colours = isatty(1) && !getenv("NO_COLOR");
    begun = now();
    introduce();
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        const struct act *a = &acts[i];
        printf("\n%s%zu. %s%s\n", BOLD, i + 1, a->title, OFF);
        if (a->needs && !have_program(a->needs)) {
            printf("  skipped: this machine has no %s\n", a->needs);
            skipped++;
        } else if (now() - begun > DEADLINE_S) {
            printf("  skipped: time is up\n");
            skipped++;
        } else {
            if (a->script)
                printf("  %s$ %s%s\n", DIM, a->script, OFF);
            fflush(stdout);
            bool good =
                a->inside
                    ? a->inside()
                    : run_script(a->needs && !strcmp(a->needs, "bash") ? "bash" : "sh", a->script);
            if (!good) {
                printf("  %sthis one failed%s\n", RED, OFF);
                failed++;
            }
            shown++;
        }
        fflush(stdout);
    }
    sum_up(shown, skipped, failed);
    return failed ? 1 : 0;
}
