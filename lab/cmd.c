/* SPDX-License-Identifier: MIT */
/* What the laboratory's commands share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

#define FRAME 4096.0

const char trace_option_help[] =
    "      --format NAME      the trace's form, when its name and first bytes don't tell;\n"
    "                         --formats lists the forms\n"
    "      --column N         csv: the column that names the object\n"
    "      --block BYTES      size of a block where the trace counts blocks (lis: 512)\n";

void lab_die(int code, const char *fmt, ...)
{
    va_list ap;
    progress_end();
    fputs("pagoda: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(code);
}

static unsigned number_option(const char *name, const char *arg)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(arg, &end, 0);
    if (errno || *end || !*arg || !v || v > 1u << 30)
        lab_die(EXIT_USAGE, "--%s wants a number from 1 to 2^30, not '%s'", name, arg);
    return (unsigned)v;
}

bool trace_option(int c, const char *arg, struct trace_options *o)
{
    switch (c) {
    case TRACE_OPT:
        o->format = arg;
        return true;
    case TRACE_OPT + 1:
        o->id_column = number_option("column", arg);
        return true;
    case TRACE_OPT + 2:
        o->block = number_option("block", arg);
        return true;
    case TRACE_OPT + 3:
        for (unsigned i = 0; trace_format_name(i); i++)
            printf("%-14s %s\n", trace_format_name(i), trace_format_about(i));
        exit(EXIT_OK);
    }
    return false;
}

bool parse_frames(const char *s, uint64_t of, uint64_t *frames)
{
    char *end;
    errno = 0;
    double v = strtod(s, &end), n;
    if (end == s || errno || !(v > 0))
        return false;
    switch (*end) {
    case 0:
        n = v;
        break;
    case '%':
        n = v / 100 * (double)of;
        break;
    case 'k': case 'K':
        n = v * 1024 / FRAME;
        break;
    case 'm': case 'M':
        n = v * (1 << 20) / FRAME;
        break;
    case 'g': case 'G':
        n = v * (1 << 30) / FRAME;
        break;
    case 't': case 'T':
        n = v * 1099511627776.0 / FRAME;
        break;
    default:
        return false;
    }
    if ((*end && end[1] && strcmp(end + 1, "B") && strcmp(end + 1, "iB")) || n > 4294967295.0)
        return false;
    *frames = n < 1 ? 1 : (uint64_t)n;
    return true;
}

static bool line_shown;

void progress_line(uint64_t refs, uint64_t done, uint64_t size)
{
    static struct timespec last;
    struct timespec now;
    if (!isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < 200)
        return;
    last = now;
    line_shown = true;
    fprintf(stderr, "\r%.1f million references", (double)refs / 1e6);
    if (size)
        fprintf(stderr, ", %.0f %% of the file", 100.0 * (double)done / (double)size);
    fputs("\033[K", stderr);
}

void progress_end(void)
{
    if (line_shown)
        fputs("\r\033[K", stderr);
    line_shown = false;
}
