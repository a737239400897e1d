/* SPDX-License-Identifier: MIT */
/*
 * mmfuzz in a guest: plays games and prints their text or its sum; fuzz.h says what a game is.
 *
 *   mmfuzz [-x WORD]... [-v] [-k STEPS] SEED [COUNT]      the text of one game; STEPS as in 0-10,17
 *   mmfuzz [-x WORD]... -r SEEDS [COUNT]                  a line for each seed: "seed N SUM"; SEEDS as in 1-20,35
 *   mmfuzz -s                                             takes lines of these words from standard input; after each "done"
 */
#include "guest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#define STEPS     500
#define MAX_WORDS 256

static void print(const char *text, size_t n)
{
    while (n) {
        ssize_t did = write(1, text, n);
        if (did <= 0)
            exit(1);
        text += did;
        n -= (size_t)did;
    }
}

static void keep(const char *list)
{
    memset(ctl->keep, !list, sizeof(ctl->keep));
    while (list && isdigit((unsigned char)*list)) {
        char *end;
        unsigned long from = strtoul(list, &end, 10), to = from;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (; from <= to && from < MAX_STEPS; from++)
            ctl->keep[from] = true;
        list = *end == ',' ? end + 1 : end;
    }
}

static void sum(unsigned long seed)
{
    char line[80];

    guest_game(seed);
    int n =
        snprintf(line, sizeof(line), "seed %lu %08lx\n", seed, fuzz_sum(ctl->out, ctl->out_len));
    print(line, (size_t)n);
}

static void sums(const char *list)
{
    while (isdigit((unsigned char)*list)) {
        char *end;
        unsigned long from = strtoul(list, &end, 10), to = from;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (; from <= to; from++)
            sum(from);
        list = *end == ',' ? end + 1 : end;
    }
}

/* One order: 0, or 2 when it is none. */
static int obey(int argc, char **argv)
{
    const char *range = NULL;
    int c;

    keep(NULL);
    ctl->verbose = false;
    optind = 0;
    while ((c = getopt(argc, argv, "x:vk:r:")) != -1) {
        if (c == 'x')
            fuzz_avoid(optarg);
        else if (c == 'v')
            ctl->verbose = true;
        else if (c == 'k')
            keep(optarg);
        else if (c == 'r')
            range = optarg;
        else
            return 2;
    }
    const char *seed = range ? NULL : argv[optind++], *count = optind <= argc ? argv[optind] : NULL;
    ctl->count = count ? (unsigned)strtoul(count, NULL, 10) : STEPS;
    if (ctl->count > MAX_STEPS || (!range && !seed))
        return 2;
    if (range) {
        sums(range);
    } else {
        guest_game(strtoul(seed, NULL, 10));
        print(ctl->out, ctl->out_len);
    }
    return 0;
}

static int serve_orders(void)
{
    static char line[65536];
    static char room[4096];
    char *argv[MAX_WORDS];

    setvbuf(stdin, room, _IOFBF, sizeof(room)); /* the heap belongs to the games */
    while (fgets(line, sizeof(line), stdin)) {
        int argc = 1;
        argv[0] = "mmfuzz";
        for (char *word = strtok(line, " \n"); word && argc < MAX_WORDS - 1;
             word = strtok(NULL, " \n"))
            argv[argc++] = word;
        argv[argc] = NULL;
        if (argc > 1 && obey(argc, argv))
            print("bad order\n", 10);
        print("done\n", 5);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
        personality((unsigned long)personality(0xffffffff) | ADDR_NO_RANDOMIZE);
        execv("/proc/self/exe", argv);
        perror("mmfuzz: exec");
        return 2;
    }
    guest_init();
    if (argc > 1 && !strcmp(argv[1], "-s"))
        return serve_orders();
    if (argc < 2 || obey(argc, argv)) {
        fprintf(
            stderr,
            "usage: mmfuzz [-x WORD]... [-v] [-k STEPS] SEED [COUNT] | -r SEEDS [COUNT] | -s\n");
        return 2;
    }
    return 0;
}
