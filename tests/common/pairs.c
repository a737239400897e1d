/* SPDX-License-Identifier: MIT */
/* See pairs.h. Each pair is explored in a process of its own, so that a crash, too, ends with the line that repeats it. */
#define _GNU_SOURCE
#include "pairs.h"
#include <errno.h>
#include <port/log.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef HOST_POINTS
#define BOUND 2
#else
#define BOUND 0
#endif
#define PAIR_SECONDS 900 /* a schedule that never ends */

struct mm *space[3];
struct host_file *file;
u32 warm_pages, again_pages;

static const struct pair *pair;
static struct shared {
    struct explore_result r;
    char failure[300];
} *shared;

/* ---- what scenes use ---- */

void must(bool ok, const char *what)
{
    if (!ok)
        panic("%s", what);
}

void map_anon(u64 at, u64 pages)
{
    s64 r = host_mmap(at, pages * PAGE_SIZE, RW, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0);
    must(r == (s64)at, "map_anon");
}

void map_file(u64 at, u64 pages, bool is_shared, bool shmem)
{
    if (!file)
        file = host_file_new(4 * PAGE_SIZE, shmem);
    struct map_file mf = host_map_file(file);
    u64 kind = is_shared ? UAPI_MAP_SHARED : UAPI_MAP_PRIVATE;
    must(host_mmap(at, pages * PAGE_SIZE, RW, kind | UAPI_MAP_FIXED, &mf, 0) == (s64)at, "map_file");
}

void put(u64 at, u8 value)
{
    must(host_store_u8(at, value) == 0, "put: the store failed");
}

u8 get(u64 at)
{
    u8 v = 0;
    must(host_load_u8(at, &v) == 0, "get: the load failed");
    return v;
}

void fork_into(u32 child)
{
    int err;
    space[child] = host_fork(&err);
    must(space[child], "fork failed");
}

/* ---- one run ---- */

/* Memory that each CPU needs lies ready in its stacks: the way to more of it is the business of test_pairs_alloc. */
static void warm_up(void)
{
    u64 at = P(0x40000UL * (1 + cpu_id()));
    if (!host_current->mm)
        return;
    map_anon(at, 1);
    put(at, 1);
    must(host_munmap(at, PAGE_SIZE) == 0, "warm_up");
}

static void look(u32 pages)
{
    if (!host_current->mm)
        return;
    for (u32 i = 0; i < pages; i++) {
        u8 v;
        host_load_u8(P(i), &v);
    }
}

/* What a TLB still holds is used once more: the oracle of host/mmu.c knows what was flushed. */
static void look_again(void)
{
    look(again_pages);
}

static void prepare(void)
{
    warm_up();
    look(warm_pages);
}

static void take_down(void)
{
    host_mm_switch(NULL);
    for (u32 i = 0; i < ARRAY_SIZE(space); i++)
        if (space[i])
            host_mm_exit(space[i]);
    if (file) {
        const char *bad = mapping_validate(&file->mapping);
        if (bad)
            panic("%s", bad);
        host_file_put(file);
    }
    file = NULL;
}

static void play(void *arg)
{
    struct explore_thread t[EXPLORE_MAX_THREADS];
    u32 n = 0;
    space[0] = host_mm_new();
    host_mm_switch(space[0]);
    pair->scene();
    host_mm_switch(NULL);
    for (u32 i = 0; i < ARRAY_SIZE(space); i++)
        if (space[i])
            host_mm_unload_idle(space[i]);
    for (; n < EXPLORE_MAX_THREADS && pair->op[n].run; n++) {
        u32 s = pair->op[n].space;
        t[n] = (struct explore_thread){s == NO_SPACE ? NULL : space[s], prepare, pair->op[n].run, look_again};
    }
    host_explore_together(t, n);
    const char *bad = machine_validate();
    if (bad)
        panic("%s", bad);
    if (space[0])
        host_mm_switch(space[0]);
    if (pair->check)
        pair->check();
    take_down();
    bad = machine_left();
    if (bad)
        panic("%s", bad);
}

static const char *play_once(void *arg)
{
    const struct host_config cfg = {.seed = 1, .cpus = 4, .ram = 4UL << 20, .never_switch = true};
    machine_up_config(&cfg);
    sysctl_fork_share = pair->share;
    memset(space, 0, sizeof(space));
    warm_pages = again_pages = 4;
    const char *text = host_catch_panic(play, NULL);
    host_machine_stop();
    if (text && file)
        host_file_forget(file);
    file = NULL;
    return text;
}

/* ---- all of them ---- */

static void note_begin(const struct explore_result *r)
{
    shared->r = *r;
}

static void explore_in_child(const char *schedule, u32 bound)
{
    struct explore_result r;
    alarm(PAIR_SECONDS);
    host_explore_begins = note_begin;
    if (schedule)
        host_explore_repeat(play_once, NULL, schedule, &r);
    else
        host_explore(play_once, NULL, bound, &r);
    shared->r = r;
    snprintf(shared->failure, sizeof(shared->failure), "%s", r.failure ? r.failure : "");
    if (r.failure && getenv("PAGODA_LOG"))
        fprintf(stderr, "%s\n", host_log_text());
    fflush(NULL);
    _exit(r.failure ? 1 : 0);
}

static void explore_pair(void **state)
{
    const char *schedule = getenv("PAGODA_SCHEDULE"), *bound = getenv("PAGODA_BOUND");
    struct timespec t0, t1;
    pair = *state;
    shared->failure[0] = 0;
    snprintf(shared->failure, sizeof(shared->failure), "the process crashed");
    clock_gettime(CLOCK_MONOTONIC, &t0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        explore_in_child(schedule, bound ? (u32)atoi(bound) : BOUND);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    clock_gettime(CLOCK_MONOTONIC, &t1);
    if (status) {
        fprintf(stderr, "after %lu schedules: %s\n", shared->r.runs,
                WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "no end" : shared->failure);
        fprintf(stderr, "repeat with: PAGODA_PAIR='%s' PAGODA_SCHEDULE=%s %s\n", pair->name,
                shared->r.schedule[0] ? shared->r.schedule : "''", program_invocation_name);
        fail();
    }
    printf("  %lu schedules, %lu runs, %u choices, %u words, %.1f s\n", shared->r.schedules, shared->r.runs,
           shared->r.longest, shared->r.words,
           (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9);
}

int run_pairs(const struct pair *pairs, size_t n)
{
    const char *only = getenv("PAGODA_PAIR");
    struct CMUnitTest *tests = calloc(n, sizeof(*tests));
    size_t wanted = 0;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < n; i++)
        if (!only || strcmp(only, pairs[i].name) == 0)
            tests[wanted++] =
                (struct CMUnitTest){pairs[i].name, explore_pair, NULL, NULL, (void *)&pairs[i]};
    int failed = wanted ? _cmocka_run_group_tests("pairs", tests, wanted, NULL, NULL) : 1;
    free(tests);
    return failed;
}
