/* SPDX-License-Identifier: MIT */
/* `pagoda replay TRACE`: what a machine and its memory manager would have done with a program's references. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "machine.h"
#include "pages.h"
#include "replay.h"

#define OBJECTS_AT  0x100000000ul
#define OBJECTS_MAX (1u << 31)

static const char help[] =
    "Usage: pagoda replay TRACE [--machine NAME] [--set KEY=VALUE]... [--json]\n"
    "\n"
    "Plays a program's references to memory, from a file or '-', plain, gzip or zstd, on a machine: its\n"
    "translation buffers, and behind them Pagoda's own memory manager with its page tables, faults and\n"
    "reclaim. Nothing of the pages' contents is kept.\n"
    "\n"
    "  -m, --machine NAME     a known processor (--machines lists them), or a file that describes\n"
    "                         one (INI)\n"
    "  -s, --set KEY=VALUE    one key of it, as in tlb.data=64x4; may be repeated; --keys lists them\n"
    "      --json             for other programs\n"
    "%s"
    "\n"
    "  valgrind --tool=lackey --trace-mem=yes --log-file=ls.trace ls\n"
    "  pagoda replay ls.trace --set tlb.shared=2048x16\n";

/* The folder of known processors, lab/machines beside the build tree. */
static void machines_folder(char *path, size_t n)
{
    ssize_t k = readlink("/proc/self/exe", path, n - 1);
    path[k < 0 ? 0 : k] = 0;
    char *slash = strrchr(path, '/');
    size_t at = slash ? (size_t)(slash - path) : 0;
    snprintf(path + at, n - at, "/../lab/machines");
}

static int read_machine(struct machine *m, const char *name, char *why, size_t n)
{
    char path[4096 + 64];
    if (strchr(name, '/') || strchr(name, '.'))
        return machine_read(m, name, why, n);
    machines_folder(path, 4096);
    size_t at = strlen(path);
    snprintf(path + at, sizeof(path) - at, "/%.50s.ini", name);
    if (!access(path, R_OK))
        return machine_read(m, path, why, n);
    snprintf(why, n, "no machine '%s'; `pagoda replay --machines` lists them, and a file is named with its folder", name);
    return -1;
}

static void print_machines(void)
{
    char path[4096];
    struct dirent **files;
    machines_folder(path, sizeof(path));
    int n = scandir(path, &files, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char *dot = strstr(files[i]->d_name, ".ini");
        if (dot)
            printf("%.*s\n", (int)(dot - files[i]->d_name), files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
}

static void print_keys(void)
{
    for (unsigned i = 0; machine_key(i); i++)
        printf("%-16s %s\n", machine_key(i), machine_key_about(i));
}

/* Objects have no addresses: they get pages one after the other, in the order of their first use. */
static void give_addresses(struct page_numbers *numbers, struct trace_ref *refs, long n)
{
    for (long i = 0; i < n; i++) {
        uint32_t number = pages_number(numbers, refs[i].space, refs[i].addr);
        if (number == UINT32_MAX)
            lab_die(EXIT_FAILED, "more than %u objects, or out of memory", OBJECTS_MAX);
        refs[i].addr = OBJECTS_AT + (uint64_t)number * 4096;
        refs[i].space = 0;
    }
}

static void play(struct trace *t)
{
    static struct trace_ref refs[4096];
    struct page_numbers numbers;
    uint64_t done, size, total = 0;
    char why[256];
    long n;
    if (pages_init(&numbers, OBJECTS_MAX))
        lab_die(EXIT_FAILED, "out of memory");
    while ((n = trace_read(t, refs, sizeof(refs) / sizeof(refs[0]))) > 0) {
        if (!trace_page_shift(t))
            give_addresses(&numbers, refs, n);
        if (replay_play(refs, (size_t)n, why, sizeof(why)))
            lab_die(EXIT_FAILED, "%s: before byte %llu: %s", trace_name(t), (unsigned long long)trace_offset(t), why);
        total += (uint64_t)n;
        trace_progress(t, &done, &size);
        progress_line(total, done, size);
    }
    progress_end();
    pages_free(&numbers);
    if (n < 0)
        lab_die(EXIT_FAILED, "%s", trace_error(t));
}

static const char *const row_names[3] = {"fetch", "load", "store"};

struct row {
    const char *name, *words;
    uint64_t value;
};

static unsigned rows_of(const struct replay_counts *n, struct row *out)
{
    const struct row rows[] = {
        {"minor_faults", "faults without a device", n->minor_faults},
        {"major_faults", "faults that waited for one", n->major_faults},
        {"walks", "looks at the page tables", n->walks},
        {"resident_pages", "pages resident at the end", n->pages},
        {"peak_pages", "pages resident at most", n->peak_pages},
        {"table_bytes", "bytes of page tables", n->table_bytes},
        {"scanned", "pages that reclaim looked at", n->scanned},
        {"stolen", "pages that it freed", n->stolen},
        {"swapped_out", "pages written to swap", n->swapped_out},
        {"swapped_in", "pages read from it", n->swapped_in},
        {"spaces", "address spaces", n->spaces},
        {"cycles", "cycles, by the machine's costs", n->cycles},
    };
    memcpy(out, rows, sizeof(rows));
    return sizeof(rows) / sizeof(rows[0]);
}

static void print_text(const struct machine *m, const struct replay_counts *n)
{
    struct row row[16];
    unsigned rows = rows_of(n, row);
    const uint64_t *c = n->tlb;
    printf("%s: %llu MiB, TLB fetch %ux%u, data %ux%u, shared %ux%u\n\n%-8s %14s %12s %12s\n", m->name, (unsigned long long)(m->memory >> 20),
           m->fetch[0], m->fetch[1], m->data[0], m->data[1], m->shared[0], m->shared[1], "", "references", "L1 misses", "L2 misses");
    for (int i = 0; i < 3; i++)
        printf("%-8s %14llu %12llu %12llu\n", row_names[i], (unsigned long long)c[TLB_FETCHES + i], (unsigned long long)c[2 * i],
               (unsigned long long)c[2 * i + 1]);
    putchar('\n');
    for (unsigned i = 0; i < rows; i++)
        printf("%14llu  %s\n", (unsigned long long)row[i].value, row[i].words);
}

static void print_json(const struct machine *m, const struct replay_counts *n)
{
    struct row row[16];
    unsigned rows = rows_of(n, row);
    const uint64_t *c = n->tlb;
    printf("{\"machine\": \"%s\", \"memory\": %llu, \"tlb\": {", m->name, (unsigned long long)m->memory);
    for (int i = 0; i < 3; i++)
        printf("%s\"%s\": {\"references\": %llu, \"l1_misses\": %llu, \"l2_misses\": %llu}", i ? ", " : "", row_names[i],
               (unsigned long long)c[TLB_FETCHES + i], (unsigned long long)c[2 * i], (unsigned long long)c[2 * i + 1]);
    putchar('}');
    for (unsigned i = 0; i < rows; i++)
        printf(", \"%s\": %llu", row[i].name, (unsigned long long)row[i].value);
    puts("}");
}

int cmd_replay(int argc, char **argv)
{
    static const struct option options[] = {
        {"machine", required_argument, NULL, 'm'}, {"set", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'J'},
        {"keys", no_argument, NULL, 'k'},          {"machines", no_argument, NULL, 'M'}, {"help", no_argument, NULL, 'h'},      TRACE_LONG_OPTIONS,
        {0},
    };
    struct trace_options how = {.header = -1};
    struct machine machine;
    struct replay_counts counts;
    bool json = false;
    char why[512];

    machine_default(&machine);
    for (int c; (c = getopt_long(argc, argv, "m:s:h", options, NULL)) != -1;) {
        int wrong = 0;
        switch (c) {
        case 'm': wrong = read_machine(&machine, optarg, why, sizeof(why)); break;
        case 's': wrong = machine_set(&machine, optarg, why, sizeof(why)); break;
        case 'J': json = true; break;
        case 'k': print_keys(); return EXIT_OK;
        case 'M': print_machines(); return EXIT_OK;
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
    if (replay_begin(&machine, why, sizeof(why)))
        lab_die(EXIT_FAILED, "%s", why);
    play(t);
    replay_read(&counts);
    replay_end();
    (json ? print_json : print_text)(&machine, &counts);
    trace_close(t);
    return EXIT_OK;
}
