/* SPDX-License-Identifier: MIT */
/*
 * Bounded exhaustive schedules: host/explore.h says what they are.
 *
 *   stack of schedules ── take one ── run it, noting each choice ── for each choice behind its last deviation:
 *          ^                                                         every alternative that the bound allows
 *          └──────────────────────────── push ───────────────────────────┘
 *
 * Each schedule is reached once, as its own prefix plus one deviation. A choice's number counts all choices, also those at which
 * no preemption is worth while, so that a schedule means the same whatever has been learned about words.
 *
 * Invariants
 *  X1. Two runs of one schedule make the same choices up to its last deviation; if not, the run is not a function of the
 *      schedule and the exploration stops with a panic.
 *
 * Locks: none; fibers only.
 */
#include <host/explore.h>
#include <host/process.h>
#include <host/sched_internal.h>
#include <mm/page.h>
#include <port/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVIATIONS 8
#define MAX_CHOICES    (1u << 20) /* of one run: it would never end */
#define WORDS          (1u << 16)

struct deviation {
    u32 at;
    u32 cpu;
};
struct schedule {
    u32 n, cost;
    struct deviation d[MAX_DEVIATIONS];
};

struct choice {
    u64 cpus; /* that may go on */
    u64 word; /* about to be used, 0 = anything */
    u8 cpu, thread;
    bool must, write;
};

/* Who has used a word: a bit for each thread. */
struct word {
    u64 key;
    u32 readers, writers;
};

bool host_exploring;
void (*host_explore_begins)(const struct explore_result *r);

static struct choice *choices;
static u32 nr_choices, next_deviation;
static struct schedule current;
static struct word words[WORDS];
static u32 nr_words;
static bool learned;

static struct schedule *todo;
static size_t nr_todo, cap_todo;

/* ---- words ---- */

extern const char __executable_start[], end[]; /* the program's image, from the linker */

/* The same for the same word in every run: memory of the machine lies elsewhere each time. 0: a word of the host's heap, of
 * which nothing is known. */
static u64 word_of(const void *obj)
{
    u64 a = (u64)obj & ~7UL;
    u64 arena = a - (u64)host_arena, map = a - (u64)memmap;
    if (arena < host_machine.max_pfn << PAGE_SHIFT)
        return arena | 1UL << 60;
    if (map < host_machine.max_pfn * sizeof(struct page))
        return map | 1UL << 61;
    return obj >= (const void *)__executable_start && obj < (const void *)end ? a : 0;
}

bool host_in_machine(const void *p)
{
    u64 key = word_of(p);
    return key >> 60 && key >> 62 == 0;
}

static struct word *find_word(u64 key)
{
    u32 i = (u32)((key * 0x9e3779b97f4a7c15UL) >> 48) % WORDS;
    while (words[i].key && words[i].key != key)
        i = (i + 1) % WORDS;
    if (!words[i].key) {
        if (++nr_words > WORDS / 4 * 3)
            panic("explore: too many words");
        words[i].key = key;
    }
    return &words[i];
}

void host_explore_record(const void *obj, bool write)
{
    if (!obj || obj == HOST_ANYTHING)
        return;
    u64 key = word_of(obj);
    if (!key)
        return;
    struct word *w = find_word(key);
    u32 *set = write ? &w->writers : &w->readers, me = 1u << host_current->id % 32;
    if (*set & me)
        return;
    *set |= me;
    learned |= ((w->readers | w->writers) & ~me) && w->writers;
}

static bool conflicts(const struct choice *c)
{
    if (!c->word)
        return true;
    const struct word *w = find_word(c->word);
    u32 others = ~(1u << c->thread % 32);
    return (w->writers | (c->write ? w->readers : 0)) & others;
}

static u32 shared_words(void)
{
    u32 n = 0;
    for (u32 i = 0; i < WORDS; i++) {
        u32 all = words[i].readers | words[i].writers;
        n += words[i].writers && (all & (all - 1));
    }
    return n;
}

/* ---- choices ---- */

bool host_explore_wants(const void *obj, bool write)
{
    host_explore_record(obj, write);
#ifdef HOST_POINTS
    return obj != NULL;
#else
    return true;
#endif
}

static u32 decide(u64 cpus, u32 usual, bool must, u64 word, bool write)
{
    u32 at = nr_choices++;
    if (at == MAX_CHOICES)
        panic("no end after %u choices: two threads wait for each other", at);
    choices[at] = (struct choice){cpus, word, (u8)usual, (u8)host_current->id, must, write};
    if (next_deviation == current.n || current.d[next_deviation].at != at)
        return usual;
    u32 cpu = current.d[next_deviation++].cpu;
    if (!(cpus >> cpu & 1))
        panic("the schedule does not fit: cpu %u can't go on at choice %u", cpu, at);
    return cpu;
}

static u64 mask_of(const u8 *cpus, u32 n)
{
    u64 mask = 0;
    for (u32 i = 0; i < n; i++)
        mask |= 1UL << cpus[i];
    return mask;
}

u32 host_explore_may(const u8 *cpus, u32 n, const void *obj, bool write)
{
    u64 word = 0;
#ifdef HOST_POINTS
    if (obj != HOST_ANYTHING)
        word = word_of(obj);
#endif
    u32 cpu = decide(mask_of(cpus, n) | 1UL << host_current->cpu, host_current->cpu, false, word, write);
    return cpu == host_current->cpu ? HOST_STAY : cpu;
}

u32 host_explore_must(const u8 *cpus, u32 n)
{
    u32 usual = cpus[0];
    for (u32 i = n; i-- > 0;)
        if (cpus[i] > host_current->cpu)
            usual = cpus[i];
    return n == 1 ? usual : decide(mask_of(cpus, n), usual, true, 0, true);
}

/* ---- one run ---- */

struct gate {
    u32 nr, arrived;
    bool open;
    struct host_thread *main;
};
struct runner {
    const struct explore_thread *t;
    struct host_thread *thread;
    u32 cpu;
};
static struct gate start_gate, end_gate;
static struct runner runners[EXPLORE_MAX_THREADS];

static void gate_pass(struct gate *g)
{
    if (++g->arrived == g->nr) {
        host_exploring = false;
        host_unblock(g->main);
    }
    while (!g->open)
        host_block("waits at a gate", g);
}

/* By main: until all have come. */
static void gate_wait(struct gate *g)
{
    while (g->arrived < g->nr)
        host_block("waits for the others", g);
}

static void gate_open(struct gate *g)
{
    g->open = true;
    for (u32 i = 0; i < g->nr; i++)
        host_unblock(runners[i].thread);
}

static int runner_main(void *arg)
{
    const struct runner *r = arg;
    struct mm *mm = r->t->mm;
    if (mm)
        host_mm_switch(mm);
    if (r->t->prepare)
        r->t->prepare();
    gate_pass(&start_gate);
    r->t->run();
    gate_pass(&end_gate);
    if (r->t->after)
        r->t->after();
    if (host_current->mm) /* else it has left */
        host_mm_exit(mm);
    return 0;
}

void host_explore_together(const struct explore_thread *threads, u32 n)
{
    start_gate = end_gate = (struct gate){.nr = n, .main = host_current};
    for (u32 i = 0; i < n; i++) {
        runners[i] = (struct runner){.t = &threads[i], .cpu = i + 1};
        if (threads[i].mm)
            mm_get(threads[i].mm);
        char name[8] = {(char)('A' + i)};
        runners[i].thread = host_thread_start(runner_main, &runners[i], name, i + 1);
    }
    gate_wait(&start_gate);
    host_run_until_idle();
    gate_open(&start_gate);
    host_exploring = true;
    gate_wait(&end_gate);
    host_run_until_idle();
    gate_open(&end_gate);
    for (u32 i = 0; i < n; i++)
        host_thread_join(runners[i].thread);
}

/* ---- all of them ---- */

static void write_schedule(const struct schedule *s, struct explore_result *r)
{
    size_t n = 0;
    r->schedule[0] = 0;
    for (u32 i = 0; i < s->n; i++)
        n += (size_t)snprintf(r->schedule + n, sizeof(r->schedule) - n, "%s%u:%u", i ? "," : "",
                              s->d[i].at, s->d[i].cpu);
}

static bool run_one(const char *(*once)(void *arg), void *arg, const struct schedule *s,
                    struct explore_result *r)
{
    current = *s;
    nr_choices = next_deviation = 0;
    write_schedule(s, r);
    if (host_explore_begins)
        host_explore_begins(r);
    r->runs++;
    r->failure = once(arg);
    host_exploring = false;
    if (!r->failure && next_deviation != s->n)
        r->failure = "the schedule has choices that were not reached";
    r->longest = nr_choices > r->longest ? nr_choices : r->longest;
    return !r->failure;
}

static void push(const struct schedule *s)
{
    if (nr_todo == cap_todo) {
        cap_todo = cap_todo ? 2 * cap_todo : 1024;
        todo = realloc(todo, cap_todo * sizeof(*todo));
        if (!todo)
            abort();
    }
    todo[nr_todo++] = *s;
}

/* The schedules that differ from the one just run in one more place. */
static void push_alternatives(const struct schedule *s, u32 bound)
{
    u32 first = s->n ? s->d[s->n - 1].at + 1 : 0;
    for (u32 k = first; k < nr_choices; k++) {
        const struct choice *c = &choices[k];
        struct schedule more = *s;
        more.cost += !c->must;
        if (more.cost > bound || (!c->must && !conflicts(c)))
            continue;
        if (s->n == MAX_DEVIATIONS)
            panic("explore: a schedule of more than %u deviations", MAX_DEVIATIONS);
        more.n++;
        for (u32 cpu = 0; cpu < host_nr_cpus; cpu++) {
            if (cpu == c->cpu || !(c->cpus >> cpu & 1))
                continue;
            more.d[s->n] = (struct deviation){k, cpu};
            push(&more);
        }
    }
}

/* All schedules within the bound; true when none failed. */
static bool explore_pass(const char *(*once)(void *arg), void *arg, u32 bound, struct explore_result *r)
{
    const struct schedule none = {0};
    r->schedules = 0;
    learned = false;
    nr_todo = 0;
    push(&none);
    while (nr_todo) {
        struct schedule s = todo[--nr_todo];
        if (!run_one(once, arg, &s, r))
            return false;
        r->schedules++;
        push_alternatives(&s, bound);
    }
    return true;
}

static void forget(struct explore_result *r)
{
    memset(words, 0, sizeof(words));
    nr_words = 0;
    *r = (struct explore_result){0};
    if (!choices)
        choices = malloc(MAX_CHOICES * sizeof(*choices));
    if (!choices)
        abort();
}

void host_explore(const char *(*once)(void *arg), void *arg, u32 bound, struct explore_result *r)
{
    forget(r);
    for (u32 b = 0; b <= bound; b++)
        do {
            if (!explore_pass(once, arg, b, r))
                return;
        } while (learned);
    r->words = shared_words();
}

void host_explore_repeat(const char *(*once)(void *arg), void *arg, const char *schedule,
                         struct explore_result *r)
{
    struct schedule s = {0};
    forget(r);
    while (*schedule && s.n < MAX_DEVIATIONS) {
        char *end;
        s.d[s.n].at = (u32)strtoul(schedule, &end, 10);
        if (*end++ != ':')
            break;
        s.d[s.n++].cpu = (u32)strtoul(end, &end, 10);
        schedule = *end == ',' ? end + 1 : end;
    }
    run_one(once, arg, &s, r);
    r->schedules = 1;
}
