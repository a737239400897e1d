/* SPDX-License-Identifier: MIT */
/*
 * Games of memory calls under Linux and another kernel (tests/linux/mmfuzz), and what to do when they differ.
 *
 *   sums of many seeds ──differ──> text of both ──> the steps up to the first difference ──> shrink ──> report
 *
 * Linux's sums and texts are kept (fuzzcache.h), so a run with the same player asks Linux only for what is new and for shrinking.
 *
 * What may differ is listed with its reason in docs/LINUX.md, in the block named mmfuzz: words of the games that are left out in
 * both. Shrinking is delta debugging: a step that can be left out without the difference going away is.
 */
#include "mmfuzz.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzzcache.h"
#include "fuzzpair.h"
#include "paths.h"
#include "util.h"

#define CHUNK       20 /* seeds of one order */
#define MAX_SEEDS   10000000ul
#define SAY_MS      5000  /* between words of progress on a terminal */
#define SAY_LOG_MS  60000 /* and elsewhere */
#define MAX_STEPS   4096
#define SHOWN_LINES 30

struct hunt {
    const struct mmfuzz_opts *o;
    struct fuzz_pair pair;
    struct fuzz_cache cache;
    char *words; /* "-x WORD -x WORD ..." */
    char *bad;   /* "N, N, N": what differs */
    int64_t start, said;
    size_t played;
    unsigned differing;
};

bool mmfuzz_seeds(const char *text, struct mmfuzz_opts *o)
{
    o->seeds = NULL;
    for (o->n = 0;;) {
        char *end;
        unsigned long from = strtoul(text, &end, 10), to = from;
        if (!isdigit((unsigned char)*text))
            return false;
        if (*end == '-' && isdigit((unsigned char)end[1]))
            to = strtoul(end + 1, &end, 10);
        if (to < from || to - from >= MAX_SEEDS || o->n > MAX_SEEDS)
            return false;
        o->seeds = xrealloc(o->seeds, (o->n + (to - from) + 1) * sizeof(*o->seeds));
        while (from <= to)
            o->seeds[o->n++] = from++;
        if (*end != ',')
            return !*end;
        text = end + 1;
    }
}

/* The words of the block "mmfuzz" in docs/LINUX.md, the first of each line. */
static char *reasoned_words(void)
{
    char *path = path_source("docs/LINUX.md"), *text = file_read(path, NULL), *words = xstrdup(""),
         *save;
    bool inside = false;

    if (!text)
        die(EXIT_FAILED, "%s: %s", path, strerror(errno));
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strcmp(line, "```mmfuzz")) {
            inside = true;
        } else if (line[0] == '`') {
            inside = false;
        } else if (inside) {
            char *more = xasprintf("%s-x %.*s ", words, (int)strcspn(line, " "), line);
            free(words);
            words = more;
        }
    }
    free(path);
    free(text);
    return words;
}

static void say_progress(struct hunt *h)
{
    int64_t now = now_ms();
    bool tty = isatty(2);

    if (now - h->said < (tty ? SAY_MS : SAY_LOG_MS))
        return;
    h->said = now;
    dprintf(tty ? 2 : h->o->log, "  mmfuzz: %zu of %zu seeds, %.0f a minute, %u differ\n",
            h->played, h->o->n, (double)h->played * 60000 / (double)(now - h->start), h->differing);
}

/* One game on both sides; Linux's text of a whole game is kept. */
static bool order_game(struct hunt *h, unsigned long seed, const char *keep, bool verbose)
{
    char *line = xasprintf("%s%s%s%s %lu %u\n", h->words, verbose ? "-v " : "", keep ? "-k " : "",
                           keep ? keep : "", seed, h->o->steps);
    bool whole = !keep && !verbose;
    char *known = whole ? fuzz_cache_text(&h->cache, seed) : NULL;
    bool good =
        fuzz_pair_order(&h->pair, (const char *[SIDES]){known ? NULL : line, line}, NULL, NULL);
    const struct fuzz_guest *theirs = &h->pair.side[SIDE_LINUX];

    if (known)
        fuzz_pair_put(&h->pair, SIDE_LINUX, known);
    else if (whole && theirs->done)
        fuzz_cache_put_text(&h->cache, seed, theirs->text, theirs->len);
    free(known);
    free(line);
    return good;
}

/* ---- shrinking ---- */

static char *keep_list(const bool *keep, unsigned n)
{
    char *text = xstrdup("");

    for (unsigned i = 0, to; i < n; i = to + 1) {
        to = i;
        if (!keep[i])
            continue;
        while (to + 1 < n && keep[to + 1])
            to++;
        char *more = xasprintf("%s%s%u-%u", text, *text ? "," : "", i, to);
        free(text);
        text = more;
    }
    if (!*text) { /* no step at all is a list too */
        free(text);
        text = xasprintf("%u", MAX_STEPS);
    }
    return text;
}

/*
 * The number of the step in which the first differing line lies, plus one; n when the steps are the same and only the last words
 * differ, 0 when nothing does. The lines go to *a and *b.
 */
static unsigned first_difference(struct hunt *h, unsigned n, const char **at_a, const char **at_b)
{
    const char *a = h->pair.side[0].text, *b = h->pair.side[1].text;
    unsigned step = 0;

    for (bool ending = false; *a || *b;) {
        size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
        if (isdigit((unsigned char)*a))
            step = (unsigned)strtoul(a, NULL, 10);
        ending |= !strncmp(a, "end ", 4);
        *at_a = a;
        *at_b = b;
        if (la != lb || memcmp(a, b, la))
            return ending || step + 1 > n ? n : step + 1;
        a += la + (a[la] != '\0');
        b += lb + (b[lb] != '\0');
    }
    return 0;
}

/* A difference of steps must not turn into one of the last words, which has another cause. */
static bool still_differs(struct hunt *h, unsigned long seed, const bool *keep, unsigned n,
                          bool in_steps)
{
    const char *a, *b;
    char *list = keep_list(keep, n);
    bool good = order_game(h, seed, list, false);
    unsigned where = first_difference(h, ~0u, &a, &b);

    free(list);
    return !good || (where && (!in_steps || where != ~0u));
}

/* Leaves out runs of steps, halves first, single ones last, as long as the difference stays. */
static unsigned shrink(struct hunt *h, unsigned long seed, bool *keep, unsigned n, bool in_steps)
{
    unsigned left = n;
    bool trial[MAX_STEPS];

    for (unsigned size = n / 2 ? n / 2 : 1;; size = size / 2 ? size / 2 : 1) {
        bool some = false;
        for (unsigned from = 0; from < n;) {
            unsigned taken = 0, i = from;
            memcpy(trial, keep, sizeof(trial));
            for (; i < n && taken < size; i++) {
                taken += trial[i];
                trial[i] = false;
            }
            if (taken && still_differs(h, seed, trial, n, in_steps)) {
                memcpy(keep, trial, sizeof(trial));
                left -= taken;
                some = true;
            }
            from = i;
        }
        if (size == 1 && !some)
            return left;
    }
}

/* The lines of both, and where they part. */
static void show_both(struct hunt *h)
{
    const char *a = h->pair.side[0].text, *b = h->pair.side[1].text;
    int shown = 0;

    while ((*a || *b) && shown < SHOWN_LINES) {
        size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
        if (la == lb && !memcmp(a, b, la)) {
            dprintf(h->o->log, "    %.*s\n", (int)la, a);
        } else {
            dprintf(h->o->log, "  - %.*s\n  + %.*s\n", (int)la, a, (int)lb, b);
            shown++;
        }
        a += la + (a[la] != '\0');
        b += lb + (b[lb] != '\0');
        shown++;
    }
}

static void report(struct hunt *h, unsigned long seed)
{
    static bool keep[MAX_STEPS];
    unsigned n = h->o->steps, left;
    bool in_steps = false;
    const char *a = "", *b = "";

    dprintf(h->o->log, "  seed %lu differs", seed);
    if (!order_game(h, seed, h->o->keep, false)) {
        for (int i = 0; i < SIDES; i++)
            if (!h->pair.side[i].done)
                dprintf(h->o->log, "; %s does not get through it\n", h->pair.side[i].kernel);
    } else if (!strcmp(h->pair.side[0].text, h->pair.side[1].text)) {
        dprintf(h->o->log, ", but not when played alone\n");
        return;
    } else {
        n = first_difference(h, ~0u, &a, &b);
        in_steps = n != ~0u;
        n = in_steps ? n : h->o->steps;
        dprintf(h->o->log, " first here:\n  - %.*s\n  + %.*s\n", (int)strcspn(a, "\n"), a,
                (int)strcspn(b, "\n"), b);
    }
    memset(keep, 0, sizeof(keep));
    memset(keep, 1, n);
    left = n;
    if (!h->o->keep && h->differing <= h->o->shrink)
        left = shrink(h, seed, keep, n, in_steps);
    char *list = h->o->keep ? xstrdup(h->o->keep) : keep_list(keep, n);
    dprintf(h->o->log, "  %u steps are left (- Linux, + %s)\n", left,
            h->pair.side[SIDE_OTHER].kernel);
    if (h->differing <= h->o->shrink) {
        order_game(h, seed, list, h->o->verbose);
        show_both(h);
    }
    dprintf(h->o->log, "  again: ./pagoda test --mmfuzz %lu --steps %u --keep %s\n", seed,
            h->o->steps, list);
    free(list);
}

/* ---- many seeds ---- */

/* The line of a seed in an answer that has a line for each of them; NULL when the guest was lost before. */
static const char *sum_of(const char *text, unsigned long seed, size_t *len)
{
    char head[40];
    int n = snprintf(head, sizeof(head), "seed %lu ", seed);

    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        if (!strncmp(text, head, (size_t)n)) {
            *len = (size_t)(end - text);
            return text;
        }
    return NULL;
}

/* The order for those of n seeds whose sum is not kept (or for all); NULL when there is none. */
static char *order_sums(struct hunt *h, const unsigned long *seed, size_t n, bool all)
{
    char *list = xstrdup("");

    for (size_t i = 0; i < n; i++) {
        if (!all && fuzz_cache_sum(&h->cache, seed[i]))
            continue;
        char *more = xasprintf("%s%s%lu", list, *list ? "," : "", seed[i]);
        free(list);
        list = more;
    }
    char *line = *list ? xasprintf("%s-r %s %u\n", h->words, list, h->o->steps) : NULL;
    free(list);
    return line;
}

/* Plays n seeds on both sides. How many were answered: a guest that was lost leaves the rest for the next order. */
static size_t play_sums(struct hunt *h, const unsigned long *seed, size_t n, bool *differs)
{
    char *theirs = order_sums(h, seed, n, false), *other = order_sums(h, seed, n, true), *answer;
    size_t done;

    fuzz_pair_order(&h->pair, (const char *[SIDES]){theirs, other}, NULL, NULL);
    if (theirs)
        for (size_t i = 0, len; i < n; i++) {
            const char *line = sum_of(h->pair.side[SIDE_LINUX].text, seed[i], &len);
            if (line)
                fuzz_cache_put_sum(&h->cache, seed[i], line, len);
        }
    answer = xstrdup(h->pair.side[SIDE_OTHER].text);
    for (done = 0; done < n; done++) {
        size_t len = 0;
        const char *a = fuzz_cache_sum(&h->cache, seed[done]),
                   *b = sum_of(answer, seed[done], &len);
        differs[done] = !a || !b || strlen(a) != len || memcmp(a, b, len);
        if (!a || !b) {
            done++;
            break;
        }
    }
    free(answer);
    free(theirs);
    free(other);
    return done;
}

static void play_chunk(struct hunt *h)
{
    const unsigned long *seed = h->o->seeds + h->played;
    bool differs[CHUNK];
    size_t n = h->o->n - h->played < CHUNK ? h->o->n - h->played : CHUNK;

    n = play_sums(h, seed, n, differs);
    for (size_t i = 0; i < n; i++) {
        if (!differs[i])
            continue;
        char *more = xasprintf("%s%s%lu", h->bad, *h->bad ? "," : "", seed[i]);
        free(h->bad);
        h->bad = more;
        h->differing++;
        report(h, seed[i]);
    }
    h->played += n;
    say_progress(h);
}

int mmfuzz_run(const struct mmfuzz_opts *o)
{
    struct hunt h = {
        .o = o, .words = reasoned_words(), .bad = xstrdup(""), .start = now_ms(), .said = now_ms()};

    fuzz_cache_open(&h.cache, h.words, o->steps);
    fuzz_pair_init(&h.pair, o->kernel);
    h.pair.in_turn = o->in_turn;
    if (o->keep) {
        h.differing = 1;
        order_game(&h, o->seeds[0], o->keep, false);
        h.differing = strcmp(h.pair.side[0].text, h.pair.side[1].text) != 0;
        if (h.differing)
            report(&h, o->seeds[0]);
    }
    while (!o->keep && h.played < o->n)
        play_chunk(&h);
    int64_t ms = now_ms() - h.start;
    dprintf(o->log, "  mmfuzz: %zu seeds of %u steps in %.0f s, %u differ%s%s\n", o->n, o->steps,
            (double)ms / 1000, h.differing, *h.bad ? ": " : "", h.bad);
    fuzz_pair_end(&h.pair);
    fuzz_cache_close(&h.cache);
    free(h.words);
    free(h.bad);
    return (int)h.differing;
}
