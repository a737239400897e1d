/* SPDX-License-Identifier: MIT */
/*
 * `pagoda test`: the hosted tests through make, then the guest tests, as many at once as there are
 * processors. Each guest test runs in a process of this command's own that writes its log to a
 * memory file; results are printed as they come.
 */
#include "test.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "cases.h"
#include "guesttest.h"
#include "help.h"
#include "mmfuzz.h"
#include "paths.h"
#include "util.h"

struct test_opts {
    bool list, hosted, guest;
    const char *kernel, *pattern, *fuzz;
    long jobs;
    struct mmfuzz_opts games;
};

struct tally {
    int passed, failed, skipped;
};

struct job {
    pid_t pid;
    int log;
    int64_t start;
    const struct guest_case *c;
};

static void parse(int argc, char **argv, struct test_opts *o)
{
    enum {
        OPT_LIST = 256,
        OPT_HOSTED,
        OPT_GUEST,
        OPT_KERNEL,
        OPT_FUZZ,
        OPT_STEPS,
        OPT_KEEP,
        OPT_SHRINK
    };
    static const struct option options[] = {{"list", no_argument, NULL, OPT_LIST},
                                            {"hosted", no_argument, NULL, OPT_HOSTED},
                                            {"guest", no_argument, NULL, OPT_GUEST},
                                            {"kernel", required_argument, NULL, OPT_KERNEL},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"mmfuzz", required_argument, NULL, OPT_FUZZ},
                                            {"steps", required_argument, NULL, OPT_STEPS},
                                            {"keep", required_argument, NULL, OPT_KEEP},
                                            {"shrink", required_argument, NULL, OPT_SHRINK},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;

    *o = (struct test_opts){
        .hosted = true, .guest = true, .kernel = "pagoda", .jobs = sysconf(_SC_NPROCESSORS_ONLN)};
    o->games = (struct mmfuzz_opts){.steps = 500, .shrink = 3, .log = 1};
    optind = 1;
    while ((c = getopt_long(argc, argv, "j:hv", options, NULL)) != -1) {
        switch (c) {
        case OPT_LIST:
            o->list = true;
            break;
        case OPT_HOSTED:
            o->guest = false;
            break;
        case OPT_GUEST:
            o->hosted = false;
            break;
        case OPT_KERNEL:
            o->kernel = optarg;
            break;
        case 'j':
            o->jobs = atol(optarg);
            break;
        case OPT_FUZZ:
            o->fuzz = optarg;
            break;
        case OPT_STEPS:
            o->games.steps = (unsigned)atol(optarg);
            break;
        case OPT_KEEP:
            o->games.keep = optarg;
            break;
        case OPT_SHRINK:
            o->games.shrink = (unsigned)atol(optarg);
            break;
        case 'v':
            o->games.verbose = true;
            break;
        case 'h':
            fputs(help_test, stdout);
            exit(EXIT_OK);
        default:
            exit(EXIT_USAGE);
        }
    }
    o->pattern = optind < argc ? argv[optind] : NULL;
    if (optind + 1 < argc || (!o->hosted && !o->guest) || o->jobs < 1)
        die(EXIT_USAGE, "`pagoda test --help` explains the options");
    if (o->jobs > 16)
        o->jobs = 16;
    if (o->fuzz &&
        (!mmfuzz_seeds(o->fuzz, &o->games) || o->games.steps < 1 || o->games.steps > 4096))
        die(EXIT_USAGE, "--mmfuzz %s: seeds as in 7 or 1-20,35, of 1 to 4096 steps", o->fuzz);
    o->games.kernel = o->kernel;
    o->games.in_turn = o->jobs == 1;
}

/* `make check` in plain sight; its last words are "N passed, M failed". */
static void hosted_tests(const struct test_opts *o, struct tally *t)
{
    char *root = path_source("."), *line = NULL;
    size_t room = 0;
    int passed = 0, failed = 0, p, f, status;
    bool counted = false;

    if (o->pattern)
        setenv("PATTERN", o->pattern, 1);
    status = build_target("hosted");
    if (status) {
        printf("FAIL  hosted tests do not build\n");
        t->failed++;
        free(root);
        return;
    }
    char *command = xasprintf("make --no-print-directory -s -C '%s' check </dev/null 2>&1", root);
    FILE *out = popen(command, "r");
    while (out && getline(&line, &room, out) > 0) {
        fputs(line, stdout);
        if (sscanf(line, "%d passed, %d failed", &p, &f) == 2) {
            passed = p;
            failed = f;
            counted = true;
        }
    }
    status = out ? pclose(out) : -1;
    unsetenv("PATTERN");
    if (!counted || (status && !failed && !(o->pattern && !passed)))
        failed++;
    t->passed += passed;
    t->failed += failed;
    free(command);
    free(line);
    free(root);
}

static void start_job(struct job *j, const struct guest_case *c, const struct test_opts *o)
{
    *j = (struct job){.log = memfd_create("log", MFD_CLOEXEC), .start = now_ms(), .c = c};
    fflush(NULL);
    j->pid = fork();
    if (j->log < 0 || j->pid < 0)
        die(EXIT_FAILED, "cannot start a test: %s", strerror(errno));
    if (!j->pid)
        _exit(guest_test(c, o->kernel, j->log));
}

static void end_job(struct job *j, int status, struct tally *t)
{
    char *path = xasprintf("/proc/self/fd/%d", j->log), *log = file_read(path, NULL);
    double seconds = (double)(now_ms() - j->start) / 1000;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : TEST_FAILED;

    if (code == TEST_PASSED) {
        t->passed++;
        printf("%sok%s    %-50s %6.1f s\n", colour(1, C_GREEN), colour(1, C_OFF), j->c->name,
               seconds);
    } else if (code == TEST_SKIPPED) {
        t->skipped++;
        printf("%sskip%s  %-50s %s\n", colour(1, C_DIM), colour(1, C_OFF), j->c->name,
               log ? log + 2 : "");
    } else {
        t->failed++;
        printf("%sFAIL%s  %-50s %6.1f s\n%s", colour(1, C_RED), colour(1, C_OFF), j->c->name,
               seconds, log ? log : "");
    }
    fflush(stdout);
    close(j->log);
    free(path);
    free(log);
    j->pid = 0;
}

static void guest_tests(const struct test_opts *o, const struct case_list *list, struct tally *t)
{
    struct job jobs[16] = {0};
    size_t next = 0;
    int running = 0, status;

    for (;;) {
        for (long i = 0; i < o->jobs && next < list->n; i++) {
            while (next < list->n && o->pattern && !strstr(list->v[next].name, o->pattern))
                next++;
            if (!jobs[i].pid && next < list->n) {
                start_job(&jobs[i], &list->v[next++], o);
                running++;
            }
        }
        if (!running)
            return;
        pid_t pid = wait(&status);
        for (long i = 0; i < o->jobs; i++) {
            if (pid > 0 && jobs[i].pid == pid) {
                end_job(&jobs[i], status, t);
                running--;
            }
        }
    }
}

static void collect(struct case_list *list)
{
    char *table = path_source("tests/guest/cases"), *own = path_build("tests/guest"),
         *same = path_build("tests/linux");

    cases_read(list, table);
    cases_add_programs(list, CASE_PROGRAM, own, "guest");
    cases_add_programs(list, CASE_SAME, same, "linux");
    cases_add_fuzz(list);
    free(table);
    free(own);
    free(same);
}

int cmd_test(int argc, char **argv)
{
    struct test_opts o;
    struct tally t = {0};
    struct case_list list = {0};
    int64_t start = now_ms();

    parse(argc, argv, &o);
    setenv("PAGODA_ACCEL", "tcg", 0);
    if (o.list) {
        collect(&list);
        for (size_t i = 0; i < list.n; i++) {
            if (!o.pattern || strstr(list.v[i].name, o.pattern))
                puts(list.v[i].name);
        }
        return EXIT_OK;
    }
    if (o.fuzz) {
        if (build_target("fuzz"))
            die(EXIT_FAILED, "mmfuzz does not build");
        return mmfuzz_run(&o.games) ? EXIT_FAILED : EXIT_OK;
    }
    if (o.hosted)
        hosted_tests(&o, &t);
    if (o.guest) {
        if (build_target("guest"))
            die(EXIT_FAILED, "the guest tests do not build");
        collect(&list);
        guest_tests(&o, &list, &t);
    }
    if (t.skipped)
        printf("%d skipped, ", t.skipped);
    printf("%d passed, %d failed (%.0f s)\n", t.passed, t.failed,
           (double)(now_ms() - start) / 1000);
    if (!t.passed && !t.failed)
        warn("no test matches '%s'", o.pattern ? o.pattern : "");
    return t.failed || !t.passed ? EXIT_FAILED : EXIT_OK;
}
