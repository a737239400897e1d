/* SPDX-License-Identifier: MIT */
/*
 * `pagoda trace -- CMD`: records a program's references.   `pagoda convert IN OUT`: from any form to one that is written here.
 *
 *   valgrind --tool=lackey CMD ── pipe ──> lackey's lines ──> native form
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "native.h"

#define LACKEY_FD 9 /* as in --log-fd below */

static const char trace_help[] =
    "Usage: pagoda trace [-o FILE] [--limit SIZE] -- CMD [ARG]...\n"
    "\n"
    "Runs CMD under valgrind's lackey and writes each change of page that its instructions and data make,\n"
    "with how often they were used between (the native form, lab/native.h). The status is CMD's.\n"
    "\n"
    "  -o, --output FILE      where to (pagoda.pgt)\n"
    "      --limit SIZE       end CMD when the file has this size: 500M, 2G (4G)\n"
    "\n"
    "  pagoda trace -o ls.pgt -- ls -l /\n"
    "  pagoda replay ls.pgt\n";

static const char convert_help[] =
    "Usage: pagoda convert [--to FORM] IN OUT\n"
    "\n"
    "Writes the trace IN, of any form that `pagoda replay --formats` lists, to OUT ('-': standard output).\n"
    "\n"
    "      --to FORM          native, txt (a page per line) or oracleGeneral (by OUT's name, else native)\n"
    "%s";

enum form { FORM_NATIVE, FORM_TXT, FORM_ORACLE };

/* ---- writers ---- */

struct out {
    enum form form;
    FILE *f;
    const char *name;
    struct native_writer native;
    uint64_t bytes;
    unsigned shift;
    uint32_t time;
};

static void out_begin(struct out *o, enum form form, const char *name, unsigned shift)
{
    *o = (struct out){.form = form, .name = name, .shift = shift};
    o->f = strcmp(name, "-") ? fopen(name, "we") : stdout;
    if (!o->f)
        lab_die(EXIT_FAILED, "%s: %s", name, strerror(errno));
    int err = form == FORM_NATIVE ? native_begin(&o->native, o->f, shift) : 0;
    if (err)
        lab_die(EXIT_FAILED, "%s: %s", name, strerror(-err));
}

/* 24 bytes: time, object, size, next use; the last is not known without the future and says so (-1). */
static size_t oracle_record(char *b, uint32_t time, uint64_t object)
{
    uint32_t size = 4096;
    int64_t next = -1;
    memcpy(b, &time, 4);
    memcpy(b + 4, &object, 8);
    memcpy(b + 12, &size, 4);
    memcpy(b + 16, &next, 8);
    return 24;
}

static int write_pages(struct out *o, const struct trace_ref *r)
{
    uint64_t first = r->addr >> o->shift, last = o->shift ? (r->addr + r->size - 1) >> o->shift : first;
    char b[32];
    for (uint32_t c = 0; c < r->count; c++)
        for (uint64_t p = first; p <= last; p++) {
            size_t n = o->form == FORM_TXT ? (size_t)snprintf(b, sizeof(b), "%llu\n", (unsigned long long)p) : oracle_record(b, o->time++, p);
            if (fwrite(b, 1, n, o->f) != n)
                return -(errno ? errno : EIO);
            o->bytes += n;
        }
    return 0;
}

static void out_write(struct out *o, const struct trace_ref *refs, size_t n)
{
    int err = 0;
    if (o->form == FORM_NATIVE) {
        err = native_write(&o->native, refs, n);
        o->bytes = o->native.bytes;
    }
    for (size_t i = 0; o->form != FORM_NATIVE && i < n && !err; i++)
        err = write_pages(o, refs + i);
    if (err)
        lab_die(EXIT_FAILED, "%s: %s", o->name, strerror(-err));
}

static void out_end(struct out *o)
{
    int err = o->form == FORM_NATIVE ? native_end(&o->native) : fflush(o->f) ? -errno : 0;
    if (err || (o->f != stdout && fclose(o->f)))
        lab_die(EXIT_FAILED, "%s: %s", o->name, strerror(err ? -err : errno));
}

/* ---- recording ---- */

static pid_t start_lackey(char **argv, int *fd)
{
    int ends[2];
    char **words = calloc(8, sizeof(*words));
    size_t n = 0;
    while (argv[n])
        n++;
    words = realloc(words, (n + 8) * sizeof(*words));
    if (!words || pipe2(ends, O_CLOEXEC))
        lab_die(EXIT_FAILED, "%s", strerror(errno));
    static char *const lackey[] = {"valgrind", "-q", "--tool=lackey", "--trace-mem=yes", "--log-fd=9"};
    memcpy(words, lackey, sizeof(lackey));
    memcpy(words + 5, argv, (n + 1) * sizeof(*words));
    pid_t pid = fork();
    if (pid < 0)
        lab_die(EXIT_FAILED, "%s", strerror(errno));
    if (!pid) {
        dup2(ends[1], LACKEY_FD);
        execvp(words[0], words);
        fprintf(stderr, "pagoda: valgrind: %s (Debian package valgrind)\n", strerror(errno));
        _exit(127);
    }
    free(words);
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

static uint64_t parse_bytes(const char *s)
{
    uint64_t frames;
    if (!s[0] || strchr(s, '%') || !strpbrk(s, "kKmMgGtT") || !parse_frames(s, 0, &frames))
        lab_die(EXIT_USAGE, "--limit wants a size, as 500M or 2G, not '%s'", s);
    return frames * 4096;
}

/* Copies t to o; false when limit bytes were reached. */
static bool copy(struct trace *t, struct out *o, uint64_t limit)
{
    static struct trace_ref refs[4096];
    uint64_t total = 0, done, size;
    long n;
    while ((n = trace_read(t, refs, sizeof(refs) / sizeof(refs[0]))) > 0) {
        out_write(o, refs, (size_t)n);
        total += (uint64_t)n;
        trace_progress(t, &done, &size);
        progress_line(total, done, size);
        if (o->bytes >= limit)
            return false;
    }
    progress_end();
    if (n < 0)
        lab_die(EXIT_FAILED, "%s", trace_error(t));
    return true;
}

int cmd_trace(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"limit", required_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *output = "pagoda.pgt";
    uint64_t limit = 4ull << 30;
    char path[32], why[512];
    struct trace_options how = {.format = "lackey", .header = -1};
    struct out o;
    int fd, status;

    for (int c; (c = getopt_long(argc, argv, "+o:h", options, NULL)) != -1;) {
        switch (c) {
        case 'o': output = optarg; break;
        case 'l': limit = parse_bytes(optarg); break;
        case 'h': fputs(trace_help, stdout); return EXIT_OK;
        default: lab_die(EXIT_USAGE, "`pagoda trace --help` lists the options");
        }
    }
    if (optind == argc)
        lab_die(EXIT_USAGE, "a program is wanted: pagoda trace -- CMD");
    out_begin(&o, FORM_NATIVE, output, 12);
    pid_t pid = start_lackey(argv + optind, &fd);
    snprintf(path, sizeof(path), "/dev/fd/%d", fd);
    struct trace *t = trace_open(path, &how, why, sizeof(why));
    if (!t)
        lab_die(EXIT_FAILED, "%s", why);
    bool whole = copy(t, &o, limit);
    if (!whole)
        kill(pid, SIGKILL);
    out_end(&o);
    trace_close(t);
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    progress_end();
    if (!whole) {
        fprintf(stderr, "pagoda: %s has reached its limit of %llu bytes; the program was ended there (--limit)\n", output,
                (unsigned long long)limit);
        return EXIT_OK;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- converting ---- */

static enum form form_of(const char *name, const char *asked)
{
    static const char *const names[] = {"native", "txt", "oracleGeneral"};
    for (int i = 0; asked && i < 3; i++)
        if (!strcmp(asked, names[i]))
            return (enum form)i;
    if (asked)
        lab_die(EXIT_USAGE, "--to wants native, txt or oracleGeneral, not '%s'", asked);
    return strstr(name, ".oracleGeneral") ? FORM_ORACLE : strstr(name, ".txt") ? FORM_TXT : FORM_NATIVE;
}

int cmd_convert(int argc, char **argv)
{
    static const struct option options[] = {
        {"to", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, TRACE_LONG_OPTIONS, {0}};
    struct trace_options how = {.header = -1};
    const char *to = NULL;
    char why[512];
    struct out o;

    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 't') {
            to = optarg;
        } else if (c == 'h') {
            printf(convert_help, trace_option_help);
            return EXIT_OK;
        } else if (!trace_option(c, optarg, &how)) {
            lab_die(EXIT_USAGE, "`pagoda convert --help` lists the options");
        }
    }
    if (optind + 2 != argc)
        lab_die(EXIT_USAGE, "a trace and where to write it are wanted; see `pagoda convert --help`");
    enum form form = form_of(argv[optind + 1], to);
    struct trace *t = trace_open(argv[optind], &how, why, sizeof(why));
    if (!t)
        lab_die(EXIT_FAILED, "%s", why);
    out_begin(&o, form, argv[optind + 1], trace_page_shift(t));
    copy(t, &o, UINT64_MAX);
    out_end(&o);
    trace_close(t);
    return EXIT_OK;
}
