/* SPDX-License-Identifier: MIT */
/*
 * `pagoda bench`: boots build/user/bench as /init under each kernel, one after the other, from the
 * same initramfs with the same QEMU command and kernel command line, and lays the rows of both
 * consoles side by side.
 *
 * With -icount shift=0,sleep=off one instruction is one nanosecond of guest time, so a value does
 * not depend on the machine. transparent_hugepage=never: a row of faults is about pages of 4 KiB on
 * either side.
 */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accel.h"
#include "boottime.h"
#include "console.h"
#include "help.h"
#include "initramfs.h"
#include "paths.h"
#include "refkernel.h"
#include "util.h"
#include "vm.h"

#define APPEND "console=ttyS0 quiet panic=-1 mitigations=off transparent_hugepage=never"

struct bench_opts {
    const char *kernels, *rows, *accel;
    bool json, markdown, wall, boot, verbose, large;
    int timeout;
};

static void parse(int argc, char **argv, struct bench_opts *o)
{
    enum {
        OPT_KERNEL = 256,
        OPT_ROWS,
        OPT_JSON,
        OPT_MARKDOWN,
        OPT_WALL,
        OPT_TIMEOUT,
        OPT_ACCEL,
        OPT_LARGE,
        OPT_BOOT
    };
    static const struct option options[] = {
        {"kernel", required_argument, NULL, OPT_KERNEL},
        {"rows", required_argument, NULL, OPT_ROWS},
        {"json", no_argument, NULL, OPT_JSON},
        {"markdown", no_argument, NULL, OPT_MARKDOWN},
        {"wall", no_argument, NULL, OPT_WALL},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"large", no_argument, NULL, OPT_LARGE},
        {"accel", required_argument, NULL, OPT_ACCEL},
        {"verbose", no_argument, NULL, 'v'},
        {"boot", no_argument, NULL, OPT_BOOT},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *o = (struct bench_opts){.kernels = "pagoda,linux", .rows = "", .accel = "tcg", .timeout = 900};
    optind = 1;
    while ((c = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
        switch (c) {
        case OPT_KERNEL:
            o->kernels = optarg;
            break;
        case OPT_ROWS:
            o->rows = optarg;
            break;
        case OPT_JSON:
            o->json = true;
            break;
        case OPT_MARKDOWN:
            o->markdown = true;
            break;
        case OPT_WALL:
            o->wall = true;
            break;
        case OPT_LARGE:
            o->large = true;
            break;
        case OPT_BOOT:
            o->boot = true;
            break;
        case OPT_ACCEL:
            o->accel = optarg;
            break;
        case OPT_TIMEOUT:
            o->timeout = atoi(optarg);
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'h':
            fputs(help_bench, stdout);
            exit(EXIT_OK);
        default:
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc || o->timeout < 1)
        die(EXIT_USAGE, "`pagoda bench --help` lists the options");
}

/*
 * Rows that touch much memory have a guest of their own, so that the others run as they always did. Not run: when the machine
 * has not so much to spare, or when it takes long and nobody asked.
 */
static const struct large_row {
    const char *name, *memory;
    unsigned mib;      /* what user/bench/process.c says */
    uint8_t need_gib; /* free on this machine */
    bool on_request;
} large_rows[] = {
    {"fork+exit+wait, 4 GiB", "5G", 4096, 6, false},
    {"fork+exit+wait, 16 GiB", "18G", 16384, 19, true},
};

static unsigned available_gib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (unsigned)(kib >> 20);
}

/* rows and the memory that they touch: what user/bench.c reads as its first and second line. */
static char *write_initramfs(const char *pattern, unsigned mib)
{
    struct initramfs a;
    char *rows = xasprintf("%s\n%u\n", pattern, mib);
    char *program = path_build("user/bench"), *path = path_cache("bench.cpio");
    int err;

    initramfs_begin(&a);
    initramfs_dir(&a, "dev", 0755);
    initramfs_node(&a, "dev/console", S_IFCHR | 0600, 5, 1);
    initramfs_dir(&a, "tmp", 01777);
    initramfs_data(&a, "bench.rows", 0644, rows, strlen(rows));
    err = initramfs_file(&a, "init", 0755, program);
    if (err)
        die(EXIT_PAGODA, "%s: %s; `pagoda build` makes it", program, strerror(-err));
    err = initramfs_finish(&a, path);
    if (err)
        die(EXIT_PAGODA, "%s: %s", path, strerror(-err));
    free(program);
    free(rows);
    return path;
}

static struct bench_row *find_row(struct bench_table *t, const char *name)
{
    for (int i = 0; i < t->row_count; i++) {
        if (!strcmp(t->rows[i].name, name))
            return &t->rows[i];
    }
    if (t->row_count == BENCH_ROWS)
        die(EXIT_FAILED, "more than %d rows", BENCH_ROWS);
    struct bench_row *r = &t->rows[t->row_count++];
    snprintf(r->name, sizeof(r->name), "%s", name);
    for (int k = 0; k < BENCH_KERNELS; k++) {
        r->value[k] = -1;
        snprintf(r->reason[k], sizeof(r->reason[k]), "missing");
    }
    return r;
}

/* One line of the console; anything that is not exactly of the benchmark's form is the kernel's own
 * talk. */
static void take_line(struct bench_table *t, int kernel, const char *line, bool icount)
{
    char name[64], reason[64];
    unsigned long long value, tsc, ns;
    unsigned floor;
    struct bench_row *r;

    if (sscanf(line, "@row %63[^|] | %llu | %u", name, &value, &floor) == 3) {
        name[strlen(name) - 1] = '\0';
        r = find_row(t, name);
        r->value[kernel] = (int64_t)value;
        r->floor = floor;
    } else if (sscanf(line, "@fail %63[^|] | %63[^\n]", name, reason) == 2) {
        name[strlen(name) - 1] = '\0';
        r = find_row(t, name);
        snprintf(r->reason[kernel], sizeof(r->reason[kernel]), "%s", reason);
    } else if (sscanf(line, "@clock %llu %llu", &tsc, &ns) == 2) {
        if (icount && (ns < tsc / 100 * 98 || ns > tsc / 100 * 102))
            warn("%s: the clock disagrees with the instruction counter: %llu ns, %llu instructions",
                 t->kernels[kernel], ns, tsc);
    } else if (!strncmp(line, "@note ", 6)) {
        warn("%s: %s", t->kernels[kernel], line + 6);
    }
}

/* One guest, whose rows go to the table's last kernel. 0, or EXIT_FAILED after a message. */
static int bench_guest(const struct bench_opts *o, struct bench_table *t, const struct kernel_image *image_of,
                       unsigned mib, const char *memory)
{
    const struct kernel_image image = *image_of;
    struct words command = {0};
    char *out, *save = NULL, *initrd = write_initramfs(o->rows, mib);
    bool ended = false;
    int kernel = t->kernel_count - 1, status;

    struct vm vm = {.memory = memory,
                    .cpus = 1,
                    .machine = "q35",
                    .icount = !o->wall,
                    .kvm = o->wall && accel_is_kvm(o->accel),
                    .kernel = image.path,
                    .initrd = initrd,
                    .append = APPEND,
                    .port_fd = -1};
    vm.cpu = vm.kvm ? "host" : "max,-erms";
    vm_command(&vm, &command);
    if (o->verbose)
        words_print(2, &command);
    struct console_run run = {
        .command = &command, .timeout_ms = o->timeout * 1000, .until = "@end ", .echo = o->verbose};
    status = console_run(&run, &out);
    char *tail = xstrdup(strlen(out) > 2000 ? out + strlen(out) - 2000 : out);
    for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        take_line(t, kernel, line, !o->wall);
        ended |= !strncmp(line, "@end ", 5);
    }
    if (!ended)
        warn("%s did not finish (%s %d); its console ended with:\n%s", image.label,
             status == EXIT_TIMEOUT ? "time is up, status" : "status", status, tail);
    free(tail);
    free(out);
    free(initrd);
    return ended ? 0 : EXIT_FAILED;
}

static int bench_kernel(const struct bench_opts *o, struct bench_table *t, const char *spec)
{
    struct kernel_image image;
    int kernel = t->kernel_count++;

    kernel_find(spec, USE_BENCH, &image);
    t->kernels[kernel] = image.label;
    if (isatty(2))
        note("%s ...", image.label);
    int err = bench_guest(o, t, &image, 0, "1G");
    for (size_t i = 0; i < sizeof(large_rows) / sizeof(large_rows[0]); i++) {
        const struct large_row *l = &large_rows[i];
        unsigned have = available_gib();
        if (*o->rows && !strstr(l->name, o->rows))
            continue;
        struct bench_row *r = find_row(t, l->name);
        if (l->on_request && !o->large)
            snprintf(r->reason[kernel], sizeof(r->reason[kernel]), "skipped: --large runs it");
        else if (have < l->need_gib)
            snprintf(r->reason[kernel], sizeof(r->reason[kernel]), "skipped: needs %u GiB free, here are %u",
                     l->need_gib, have);
        else
            err |= bench_guest(o, t, &image, l->mib, l->memory);
    }
    return err;
}

int cmd_bench(int argc, char **argv)
{
    static struct bench_table table;
    struct bench_opts o;
    char *list, *save = NULL;
    int err = 0;

    parse(argc, argv, &o);
    if (o.boot)
        return boot_times(o.kernels, o.json, o.verbose);
    table.unit = o.wall ? "ns" : "instructions";
    list = xstrdup(o.kernels);
    for (char *spec = strtok_r(list, ",", &save); spec; spec = strtok_r(NULL, ",", &save)) {
        if (table.kernel_count == BENCH_KERNELS)
            die(EXIT_USAGE, "--kernel: at most %d", BENCH_KERNELS);
        err |= bench_kernel(&o, &table, spec);
    }
    if (!table.kernel_count)
        die(EXIT_USAGE, "--kernel: name at least one");
    if (o.json)
        bench_print_json(&table);
    else if (o.markdown)
        bench_print_markdown(&table);
    else
        bench_print_text(&table);
    free(list);
    return err;
}
