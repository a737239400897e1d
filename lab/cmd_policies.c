/* SPDX-License-Identifier: MIT */
/*
 * `pagoda policies TRACE`: misses of each policy at each size.
 *
 *   trace ── refs.c ──> numbers ──> jobs (policy, size), as many at a time as there are processors ──> table
 *
 * Jobs share nothing but the numbers, so the result does not depend on their order.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "policy.h"
#include "refs.h"

#define MAX_POLICIES 32u
#define MAX_SIZES    64u

static const char help[] =
    "Usage: pagoda policies TRACE [--sizes LIST] [--policies LIST] [--json | --csv]\n"
    "\n"
    "How many misses each replacement policy has on a trace, from a file or '-', plain, gzip or zstd.\n"
    "MIN is Belady's optimum, below which no policy can come.\n"
    "\n"
    "  -s, --sizes LIST       frames (1000), bytes (64M) or a share of the pages in the trace (10%%)\n"
    "                         (0.1%%,1%%,5%%,10%%,20%%,50%%)\n"
    "  -p, --policies LIST    some of them (all); --list names them\n"
    "      --ratio            miss ratios instead of misses\n"
    "      --json, --csv      for other programs\n"
    "  -j, --jobs N           at the same time (as many as there are processors)\n"
    "%s"
    "\n"
    "  pagoda policies web.oracleGeneral.zst --sizes 1%%,10%%\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-fd=9 ls 9>&1 >/dev/null | pagoda policies -\n";

struct job {
    const struct policy_ops *ops;
    uint32_t frames;
    uint64_t misses;
    bool failed;
};

static struct {
    struct refs refs;
    struct job job[MAX_POLICIES * MAX_SIZES];
    size_t jobs;
    atomic_size_t next;
} run;

static void play(struct job *j)
{
    struct policy *p = policy_new(j->ops, j->frames);
    const struct refs *r = &run.refs;
    j->failed = !p || policy_grow(p, r->pages) || (j->ops->needs_future && policy_min_prepare(p, r->page, r->n, r->pages));
    if (!j->failed)
        j->misses = policy_play(p, r->page, r->n);
    policy_free(p);
}

static void *worker(void *arg)
{
    for (size_t i; (i = atomic_fetch_add(&run.next, 1)) < run.jobs;)
        play(&run.job[i]);
    return NULL;
}

static void play_all(unsigned workers)
{
    pthread_t thread[64];
    unsigned n = 0;
    for (; n + 1 < workers && n < 64; n++)
        if (pthread_create(&thread[n], NULL, worker, NULL))
            break;
    worker(NULL);
    while (n)
        pthread_join(thread[--n], NULL);
}

enum form { TEXT, JSON, CSV };

static double ratio(uint64_t misses)
{
    return run.refs.n ? (double)misses / (double)run.refs.n : 0;
}

static void print_text(unsigned policies, unsigned sizes, bool ratios)
{
    printf("%llu references to %u pages\n\n%-14s", (unsigned long long)run.refs.n, run.refs.pages, "frames");
    for (unsigned s = 0; s < sizes; s++)
        printf(" %12u", run.job[s].frames);
    for (unsigned p = 0; p < policies; p++) {
        printf("\n%-14s", run.job[p * sizes].ops->name);
        for (unsigned s = 0; s < sizes; s++) {
            if (ratios)
                printf(" %12.6f", ratio(run.job[p * sizes + s].misses));
            else
                printf(" %12llu", (unsigned long long)run.job[p * sizes + s].misses);
        }
    }
    putchar('\n');
}

static void print_rows(bool json)
{
    if (json)
        printf("{\"references\": %llu, \"pages\": %u, \"results\": [", (unsigned long long)run.refs.n, run.refs.pages);
    else
        puts("policy,frames,misses,ratio");
    for (size_t i = 0; i < run.jobs; i++) {
        const struct job *j = &run.job[i];
        printf(json ? "%s\n  {\"policy\": \"%s\", \"frames\": %u, \"misses\": %llu, \"ratio\": %.9f}" : "%s%s,%u,%llu,%.9f\n",
               json && i ? "," : "", j->ops->name, j->frames, (unsigned long long)j->misses, ratio(j->misses));
    }
    if (json)
        puts("\n]}");
}

static unsigned split(char *list, char **out, unsigned most, const char *what)
{
    unsigned n = 0;
    for (char *s = strtok(list, ","); s; s = strtok(NULL, ",")) {
        if (n == most)
            lab_die(EXIT_USAGE, "more than %u %s", most, what);
        out[n++] = s;
    }
    if (!n)
        lab_die(EXIT_USAGE, "no %s given", what);
    return n;
}

static unsigned choose(char *list, const struct policy_ops **out)
{
    char *word[MAX_POLICIES];
    unsigned n = 0;
    if (!list) {
        while (policy_at(n)) {
            out[n] = policy_at(n);
            n++;
        }
        return n;
    }
    n = split(list, word, MAX_POLICIES, "policies");
    for (unsigned i = 0; i < n; i++) {
        out[i] = policy_find(word[i]);
        if (!out[i])
            lab_die(EXIT_USAGE, "no policy '%s'; `pagoda policies --list` names them", word[i]);
    }
    return n;
}

static void list_policies(void)
{
    for (unsigned i = 0; policy_at(i); i++)
        printf("%-14s %s\n", policy_at(i)->name, policy_at(i)->about);
}

static void load(const char *path, const struct trace_options *options)
{
    char why[512];
    struct trace *t = trace_open(path, options, why, sizeof(why));
    if (!t || refs_load(&run.refs, t, progress_line, why, sizeof(why)))
        lab_die(t || !options->format ? EXIT_FAILED : EXIT_USAGE, "%s", why);
    trace_close(t);
    progress_end();
    if (!run.refs.n)
        lab_die(EXIT_FAILED, "%s: not one reference in it", path);
}

int cmd_policies(int argc, char **argv)
{
    static const struct option options[] = {
        {"sizes", required_argument, NULL, 's'}, {"policies", required_argument, NULL, 'p'}, {"jobs", required_argument, NULL, 'j'},
        {"json", no_argument, NULL, 'J'},        {"csv", no_argument, NULL, 'C'},            {"ratio", no_argument, NULL, 'r'},
        {"list", no_argument, NULL, 'l'},        {"help", no_argument, NULL, 'h'},           TRACE_LONG_OPTIONS,
        {0},
    };
    static char default_sizes[] = "0.1%,1%,5%,10%,20%,50%";
    struct trace_options how = {.header = -1};
    const struct policy_ops *policy[MAX_POLICIES];
    char *sizes = default_sizes, *names = NULL, *word[MAX_SIZES];
    enum form form = TEXT;
    bool ratios = false;
    long workers = sysconf(_SC_NPROCESSORS_ONLN);

    for (int c; (c = getopt_long(argc, argv, "s:p:j:h", options, NULL)) != -1;) {
        switch (c) {
        case 's': sizes = optarg; break;
        case 'p': names = optarg; break;
        case 'j': workers = strtol(optarg, NULL, 10); break;
        case 'J': form = JSON; break;
        case 'C': form = CSV; break;
        case 'r': ratios = true; break;
        case 'l': list_policies(); return EXIT_OK;
        case 'h': printf(help, trace_option_help); return EXIT_OK;
        default:
            if (!trace_option(c, optarg, &how))
                lab_die(EXIT_USAGE, "`pagoda policies --help` lists the options");
        }
    }
    if (optind + 1 != argc)
        lab_die(EXIT_USAGE, "one trace is wanted, or '-'; see `pagoda policies --help`");
    if (workers < 1)
        lab_die(EXIT_USAGE, "--jobs wants a number from 1 on");
    unsigned policies = choose(names, policy), n = split(sizes, word, MAX_SIZES, "sizes");
    load(argv[optind], &how);
    for (unsigned p = 0; p < policies; p++)
        for (unsigned s = 0; s < n; s++) {
            uint64_t frames;
            if (!parse_frames(word[s], run.refs.pages, &frames))
                lab_die(EXIT_USAGE, "'%s' is no size: frames (1000), bytes (64M) or a share (10%%)", word[s]);
            run.job[run.jobs++] = (struct job){.ops = policy[p], .frames = (uint32_t)frames};
        }
    play_all((unsigned)workers);
    for (size_t i = 0; i < run.jobs; i++)
        if (run.job[i].failed)
            lab_die(EXIT_FAILED, "out of memory for %s with %u frames", run.job[i].ops->name, run.job[i].frames);
    if (form == TEXT)
        print_text(policies, n, ratios);
    else
        print_rows(form == JSON);
    refs_free(&run.refs);
    return EXIT_OK;
}
