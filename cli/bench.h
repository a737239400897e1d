/* SPDX-License-Identifier: MIT */
/* `pagoda bench`. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stdint.h>

#define BENCH_ROWS    64
#define BENCH_KERNELS 4

/* One row of the table: per kernel a value in thousandths, or a reason why there is none. */
struct bench_row {
    char name[64];
    unsigned floor;
    int64_t value[BENCH_KERNELS]; /* -1: none */
    char reason[BENCH_KERNELS][80];
};

struct bench_table {
    const char *unit;             /* "instructions" or "ns" */
    char *kernels[BENCH_KERNELS]; /* labels */
    int kernel_count, row_count;
    struct bench_row rows[BENCH_ROWS];
};

int cmd_bench(int argc, char **argv);

/* cli/benchtab.c: the forms of the table, on standard output. The ratio is the first kernel's value
 * over the last's. */
void bench_print_text(const struct bench_table *t);
void bench_print_markdown(const struct bench_table *t);
void bench_print_json(const struct bench_table *t);

#endif
