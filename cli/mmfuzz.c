/* SPDX-License-Identifier: MIT */
/*
 * Games of memory calls under Linux and another kernel (tests/linux/mmfuzz), and what to do when they differ.
 *
 *   sums of many seeds ──differ──> text of both ──> the steps up to the first difference ──> shrink ──> report
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

#include "fuzzpair.h"
#include "paths.h"
#include "util.h"

#define CHUNK       20 /* seeds of one order */
#define MAX_STEPS   4096
#define SHOWN_LINES 30

struct hunt {
    const struct mmfuzz_opts *o;
    struct fuzz_pair pair;
    char *words; /* "-x WORD -x WORD ..." */
    int64_t start, said;
    unsigned long chunk, played;
    unsigned differing;
};

bool mmfuzz_range(const char *text, struct mmfuzz_opts *o)
{
    char *end;

    o->from = o->to = strtoul(text, &end, 10);
    if (*end == '-' && isdigit((unsigned char)end[1]))
        o->to = strtoul(end + 1, &end, 10);
    return isdigit((unsigned char)*text) && !*end && o->from <= o->to;
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

static unsigned long lines_of(const struct fuzz_guest *g)
{
    unsigned long n = 0;

    for (const char *c = g->text; (c = strchr(c, '\n')); c++)
        n++;
    return n;
}

static void say_progress(struct fuzz_pair *p, void *arg)
{
    struct hunt *h = arg;
    int64_t now = now_ms();
    unsigned long a = lines_of(&p->side[0]), b = lines_of(&p->side[1]),
                  done = h->played + (a < b ? a : b);

    if (now - h->said < 5000 || !isatty(2))
        return;
    h->said = now;
    fprintf(stderr, "mmfuzz: %lu of %lu seeds, %.1f a second, %u differ\n", done,
            h->o->to - h->o->from + 1, (double)done * 1000 / (double)(now - h->start),
            h->differing);
}

static bool order_game(struct hunt *h, unsigned long seed, const char *keep, bool verbose)
{
    char *line = xasprintf("%s%s%s%s %lu %u\n", h->words, verbose ? "-v " : "", keep ? "-k " : "",
                           keep ? keep : "", seed, h->o->steps);
    bool good = fuzz_pair_order(&h->pair, line, NULL, NULL);

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

static void compare_sums(struct hunt *h, unsigned long from, unsigned long to)
{
    char *sums[SIDES], *at[SIDES];
    unsigned long seed;
    bool differs[CHUNK] = {0};

    for (int i = 0; i < SIDES; i++)
        at[i] = sums[i] = xstrdup(h->pair.side[i].text);
    for (seed = from; seed <= to; seed++) {
        size_t a = strcspn(at[0], "\n"), b = strcspn(at[1], "\n");
        differs[seed - from] = a != b || !a || memcmp(at[0], at[1], a);
        if (differs[seed - from] &&
            (!a || !b)) { /* a guest was lost here: the rest is played again */
            seed++;
            break;
        }
        at[0] += a + (at[0][a] != '\0');
        at[1] += b + (at[1][b] != '\0');
    }
    for (unsigned long s = from; s < seed; s++) {
        h->differing += differs[s - from];
        if (differs[s - from])
            report(h, s);
    }
    h->played += seed - from;
    for (int i = 0; i < SIDES; i++)
        free(sums[i]);
}

int mmfuzz_run(const struct mmfuzz_opts *o)
{
    struct hunt h = {.o = o, .words = reasoned_words(), .start = now_ms(), .said = now_ms()};

    fuzz_pair_init(&h.pair, o->kernel);
    if (o->keep) {
        h.differing = 1;
        order_game(&h, o->from, o->keep, false);
        h.differing = strcmp(h.pair.side[0].text, h.pair.side[1].text) != 0;
        if (h.differing)
            report(&h, o->from);
    }
    while (!o->keep && o->from + h.played <= o->to) {
        unsigned long from = o->from + h.played,
                      to = from + CHUNK - 1 < o->to ? from + CHUNK - 1 : o->to;
        char *line = xasprintf("%s-r %lu-%lu %u\n", h.words, from, to, o->steps);
        fuzz_pair_order(&h.pair, line, say_progress, &h);
        free(line);
        compare_sums(&h, from, to);
    }
    int64_t ms = now_ms() - h.start;
    dprintf(o->log, "  mmfuzz: %lu seeds of %u steps in %.0f s, %u differ\n", o->to - o->from + 1,
            o->steps, (double)ms / 1000, h.differing);
    fuzz_pair_end(&h.pair);
    free(h.words);
    return (int)h.differing;
}
