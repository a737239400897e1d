/* SPDX-License-Identifier: MIT */
/* `pagoda replay TRACE`: what a machine's translation buffers would have done with a program's references. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "machine.h"
#include "tlb.h"

static const char help[] =
    "Usage: pagoda replay TRACE [--machine FILE] [--set KEY=VALUE]... [--json]\n"
    "\n"
    "Plays a program's references to memory, from a file or '-', plain, gzip or zstd, on the translation\n"
    "buffers of a machine, and counts what each level missed.\n"
    "\n"
    "  -m, --machine FILE     the machine's description (INI)\n"
    "  -s, --set KEY=VALUE    one key of it, as in tlb.data=64x4; may be repeated; --keys lists them\n"
    "      --json             for other programs\n"
    "%s"
    "\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-file=ls.trace ls\n"
    "  pagoda replay ls.trace --set tlb.shared=2048x16\n";

static void print_keys(void)
{
    for (unsigned i = 0; machine_key(i); i++)
        printf("%-14s %s\n", machine_key(i), machine_key_about(i));
}

static void play(struct tlb_pair *tlb, struct trace *t)
{
    static struct trace_ref refs[4096];
    uint64_t done, size, total = 0;
    long n;
    while ((n = trace_read(t, refs, sizeof(refs) / sizeof(refs[0]))) > 0) {
        tlb_pair_play(tlb, refs, (uint64_t)n);
        total += (uint64_t)n;
        trace_progress(t, &done, &size);
        progress_line(total, done, size);
    }
    progress_end();
    if (n < 0)
        lab_die(EXIT_FAILED, "%s", trace_error(t));
}

static const char *const row_names[3] = {"fetch", "load", "store"};

static void print_text(const struct machine *m, const uint64_t *c)
{
    printf("TLB of %s: fetch %ux%u, data %ux%u, shared %ux%u\n\n%-8s %14s %12s %12s\n", m->name, m->fetch[0], m->fetch[1], m->data[0],
           m->data[1], m->shared[0], m->shared[1], "", "references", "L1 misses", "L2 misses");
    for (int i = 0; i < 3; i++)
        printf("%-8s %14llu %12llu %12llu\n", row_names[i], (unsigned long long)c[TLB_FETCHES + i], (unsigned long long)c[2 * i],
               (unsigned long long)c[2 * i + 1]);
}

static void print_json(const struct machine *m, const uint64_t *c)
{
    printf("{\"machine\": \"%s\", \"tlb\": {", m->name);
    for (int i = 0; i < 3; i++)
        printf("%s\"%s\": {\"references\": %llu, \"l1_misses\": %llu, \"l2_misses\": %llu}", i ? ", " : "", row_names[i],
               (unsigned long long)c[TLB_FETCHES + i], (unsigned long long)c[2 * i], (unsigned long long)c[2 * i + 1]);
    puts("}}");
}

int cmd_replay(int argc, char **argv)
{
    static const struct option options[] = {
        {"machine", required_argument, NULL, 'm'}, {"set", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'J'},
        {"keys", no_argument, NULL, 'k'},          {"help", no_argument, NULL, 'h'},      TRACE_LONG_OPTIONS,
        {0},
    };
    struct trace_options how = {.header = -1};
    struct machine machine;
    struct tlb_pair tlb;
    bool json = false;
    char why[512];

    machine_default(&machine);
    for (int c; (c = getopt_long(argc, argv, "m:s:h", options, NULL)) != -1;) {
        int wrong = 0;
        switch (c) {
        case 'm': wrong = machine_read(&machine, optarg, why, sizeof(why)); break;
        case 's': wrong = machine_set(&machine, optarg, why, sizeof(why)); break;
        case 'J': json = true; break;
        case 'k': print_keys(); return EXIT_OK;
        case 'h': printf(help, trace_option_help); return EXIT_OK;
        default:
            if (!trace_option(c, optarg, &how))
                lab_die(EXIT_USAGE, "`pagoda replay --help` lists the options");
        }
        if (wrong)
            lab_die(EXIT_USAGE, "%s", why);
    }
    if (optind + 1 != argc)
        lab_die(EXIT_USAGE, "one trace is wanted, or '-'; see `pagoda replay --help`");
    struct trace *t = trace_open(argv[optind], &how, why, sizeof(why));
    if (!t)
        lab_die(EXIT_FAILED, "%s", why);
    if (!trace_page_shift(t))
        lab_die(EXIT_FAILED, "%s: a trace of objects has no addresses; `pagoda policies` plays it", argv[optind]);
    if (tlb_pair_init(&tlb, machine.fetch, machine.data, machine.shared))
        lab_die(EXIT_FAILED, "out of memory");
    play(&tlb, t);
    (json ? print_json : print_text)(&machine, tlb.count);
    tlb_pair_free(&tlb);
    trace_close(t);
    return EXIT_OK;
}
