/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* Values are thousandths: below a hundred one digit after the point says something, above it does
 * not. */
static const char *value_text(const struct bench_row *r, int kernel, char *buf, size_t room)
{
    int64_t v = r->value[kernel];
    char digits[32];
    size_t n, out = 0;

    if (v < 0)
        return "-";
    if (v < 100000) {
        snprintf(buf, room, "%.1f", (double)v / 1000);
        return buf;
    }
    n = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)((v + 500) / 1000));
    for (size_t i = 0; i < n && out + 2 < room; i++) {
        if (i && (n - i) % 3 == 0)
            buf[out++] = ',';
        buf[out++] = digits[i];
    }
    buf[out] = '\0';
    return buf;
}

/* First over last; below zero when either is missing. */
static double ratio(const struct bench_table *t, const struct bench_row *r)
{
    int64_t first = r->value[0], last = r->value[t->kernel_count - 1];

    return t->kernel_count < 2 || first < 0 || last <= 0 ? -1 : (double)first / (double)last;
}

static void print_reasons(const struct bench_table *t)
{
    for (int i = 0; i < t->row_count; i++) {
        for (int k = 0; k < t->kernel_count; k++) {
            if (t->rows[i].value[k] < 0)
                printf("%s: %s: %s\n", t->rows[i].name, t->kernels[k], t->rows[i].reason[k]);
        }
    }
}

void bench_print_text(const struct bench_table *t)
{
    char buf[32];

    printf("%s%-40s", colour(1, C_BOLD), t->unit);
    for (int k = 0; k < t->kernel_count; k++)
        printf(" %16s", t->kernels[k]);
    printf(" %7s %8s%s\n", t->kernel_count > 1 ? "ratio" : "", "floor", colour(1, C_OFF));
    for (int i = 0; i < t->row_count; i++) {
        const struct bench_row *r = &t->rows[i];
        double q = ratio(t, r);
        printf("%-40s", r->name);
        for (int k = 0; k < t->kernel_count; k++)
            printf(" %16s", value_text(r, k, buf, sizeof(buf)));
        if (q >= 0)
            printf(" %s%7.2f%s", colour(1, q <= 1 ? C_GREEN : C_RED), q, colour(1, C_OFF));
        else
            printf(" %7s", "");
        printf(" %8u\n", r->floor);
    }
    print_reasons(t);
}

void bench_print_markdown(const struct bench_table *t)
{
    char buf[32];

    printf("| %s |", t->unit);
    for (int k = 0; k < t->kernel_count; k++)
        printf(" %s |", t->kernels[k]);
    printf(" ratio | floor |\n|---|");
    for (int k = 0; k < t->kernel_count + 2; k++)
        printf("---:|");
    putchar('\n');
    for (int i = 0; i < t->row_count; i++) {
        const struct bench_row *r = &t->rows[i];
        double q = ratio(t, r);
        printf("| %s |", r->name);
        for (int k = 0; k < t->kernel_count; k++)
            printf(" %s |", value_text(r, k, buf, sizeof(buf)));
        if (q >= 0)
            printf(" %.2f |", q);
        else
            printf(" - |");
        printf(" %u |\n", r->floor);
    }
}

static void print_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if ((unsigned char)*s >= ' ')
            putchar(*s);
    }
    putchar('"');
}

void bench_print_json(const struct bench_table *t)
{
    printf("{\"unit\": \"%s\", \"kernels\": [", t->unit);
    for (int k = 0; k < t->kernel_count; k++) {
        printf("%s", k ? ", " : "");
        print_string(t->kernels[k]);
    }
    printf("], \"rows\": [");
    for (int i = 0; i < t->row_count; i++) {
        const struct bench_row *r = &t->rows[i];
        double q = ratio(t, r);
        printf("%s\n  {\"name\": ", i ? "," : "");
        print_string(r->name);
        printf(", \"values\": [");
        for (int k = 0; k < t->kernel_count; k++) {
            if (r->value[k] < 0)
                printf("%snull", k ? ", " : "");
            else
                printf("%s%.3f", k ? ", " : "", (double)r->value[k] / 1000);
        }
        printf("], \"ratio\": ");
        if (q >= 0)
            printf("%.4f", q);
        else
            printf("null");
        printf(", \"floor\": %u}", r->floor);
    }
    printf("\n]}\n");
}
