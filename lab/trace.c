/* SPDX-License-Identifier: MIT */
/*
 * Opening a trace, telling formats apart, and what the formats share.
 *
 *   open: --format; else first bytes that can be nothing else, the end of the name, first bytes that may be
 *   read: what is left of a range of pages, else the format's next records
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "trace_internal.h"

#define PAGE_SHIFT 12

static const struct format *const formats[] = {
    &format_native, &format_drmemtrace, &format_lackey, &format_perf, &format_msr, &format_csv, &format_oracle, &format_lis, &format_lirs, &format_txt,
};
#define NR_FORMATS (sizeof(formats) / sizeof(formats[0]))

const char *trace_format_name(unsigned i)
{
    return i < NR_FORMATS ? formats[i]->name : NULL;
}
const char *trace_format_about(unsigned i)
{
    return i < NR_FORMATS ? formats[i]->about : NULL;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n >= m && !strncasecmp(s + n - m, end, m);
}

static const struct format *by_name(const char *name)
{
    for (unsigned i = 0; i < NR_FORMATS; i++)
        if (!strcasecmp(formats[i]->name, name))
            return formats[i];
    return NULL;
}

static const struct format *by_suffix(const char *path)
{
    size_t n = strlen(path);
    for (const char *const *z = (const char *const[]){".gz", ".zst", ".zstd", NULL}; *z; z++)
        if (ends_with(path, n, *z)) {
            n -= strlen(*z);
            break;
        }
    for (unsigned i = 0; i < NR_FORMATS; i++)
        for (const char *const *s = formats[i]->suffixes; s && *s; s++)
            if (ends_with(path, n, *s))
                return formats[i];
    return NULL;
}

static const struct format *by_head(const unsigned char *head, size_t n, bool weak)
{
    for (unsigned i = 0; i < NR_FORMATS; i++)
        if (formats[i]->looks && formats[i]->weak == weak && formats[i]->looks(head, n))
            return formats[i];
    return NULL;
}

static const struct format *find_format(const char *path, const unsigned char *head, size_t n)
{
    const struct format *f = by_head(head, n, false);
    if (!f)
        f = by_suffix(path);
    return f ? f : by_head(head, n, true);
}

static struct trace *start(struct input *in, const char *path, const struct trace_options *options, char *why, size_t n)
{
    struct trace *t = calloc(1, sizeof(*t));
    size_t got;
    if (!t) {
        snprintf(why, n, "%s: out of memory", path);
        input_close(in);
        return NULL;
    }
    t->in = in;
    t->options.header = -1;
    if (options)
        t->options = *options;
    const unsigned char *head = input_peek(in, 4096, &got);
    const char *asked = t->options.format;
    t->format = asked ? by_name(asked) : find_format(path, head, got);
    if (!t->format && asked)
        snprintf(why, n, "no format '%s'; `pagoda replay --formats` lists them", asked);
    else if (!t->format)
        snprintf(why, n, "%s: its form is not known from its name or its first bytes; say --format NAME (`pagoda replay --formats`)",
                 input_name(in));
    if (t->format)
        t->shift = t->format->objects ? 0 : PAGE_SHIFT;
    if (t->format && (!t->format->begin || !t->format->begin(t)))
        return t;
    if (t->format)
        snprintf(why, n, "%s", t->error);
    trace_close(t);
    return NULL;
}

struct trace *trace_open(const char *path, const struct trace_options *options, char *why, size_t n)
{
    const char *reason = "";
    struct input *in = input_open(path, &reason);
    if (in)
        return start(in, path, options, why, n);
    snprintf(why, n, "%s: cannot be opened: %s", path, reason);
    return NULL;
}

struct trace *trace_of_bytes(const char *name, const void *bytes, size_t len, const struct trace_options *options, char *why, size_t n)
{
    struct input *in = input_of_bytes(name, bytes, len);
    if (in)
        return start(in, name, options, why, n);
    snprintf(why, n, "%s: out of memory", name);
    return NULL;
}

void trace_close(struct trace *t)
{
    if (!t)
        return;
    input_close(t->in);
    free(t);
}

const char *trace_error(const struct trace *t)
{
    return t->error;
}
const char *trace_form(const struct trace *t)
{
    return t->format->name;
}
const char *trace_name(const struct trace *t)
{
    return input_name(t->in);
}
uint64_t trace_offset(const struct trace *t)
{
    return input_offset(t->in);
}
unsigned trace_page_shift(const struct trace *t)
{
    return t->shift;
}
void trace_progress(const struct trace *t, uint64_t *done, uint64_t *size)
{
    input_progress(t->in, done, size);
}

int trace_fail(struct trace *t, const char *fmt, ...)
{
    va_list ap;
    t->failed = true;
    int k = snprintf(t->error, sizeof(t->error), "%s: at byte %llu: ", input_name(t->in), (unsigned long long)t->record);
    va_start(ap, fmt);
    if (k > 0 && (size_t)k < sizeof(t->error))
        vsnprintf(t->error + k, sizeof(t->error) - (size_t)k, fmt, ap);
    va_end(ap);
    return -1;
}

int trace_next_line(struct trace *t, char **line, size_t *len)
{
    t->record = input_offset(t->in);
    int r = input_line(t->in, line, len);
    return r < 0 ? trace_fail(t, "%s", input_error(t->in)) : r;
}

int trace_bytes(struct trace *t, void *out, size_t n)
{
    t->record = input_offset(t->in);
    int r = input_bytes(t->in, out, n);
    return r < 0 ? trace_fail(t, "%s", input_error(t->in)) : r;
}

long trace_lines(struct trace *t, struct trace_ref *out, size_t n,
                 int (*read)(struct trace *t, char *line, size_t len, struct trace_ref *out))
{
    size_t done = 0, len;
    char *line;
    while (done < n) {
        int r = trace_next_line(t, &line, &len);
        if (r <= 0)
            return done && !r ? (long)done : r;
        r = read(t, line, len, out + done);
        if (r < 0)
            return -1;
        done += (size_t)r;
    }
    return (long)done;
}

bool trace_number(char **p, uint64_t *out)
{
    char *s = *p;
    uint64_t v = 0;
    while (*s == ' ' || *s == '\t')
        s++;
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    char *first = s += hex ? 2 : 0;
    for (;; s++) {
        unsigned d = (unsigned)(*s - '0');
        if (d > 9) {
            d = (unsigned)((*s | 32) - 'a') + 10;
            if (!hex || d < 10 || d > 15)
                break;
        }
        if (__builtin_mul_overflow(v, hex ? 16u : 10u, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *p = s;
    *out = v;
    return s != first;
}

/* One page of the range that is under way. */
static void next_of_range(struct trace *t, struct trace_ref *out)
{
    uint64_t page = 1u << PAGE_SHIFT, here = page - (t->range.addr & (page - 1));
    *out = t->range;
    out->size = (uint32_t)(t->range_left < here ? t->range_left : here);
    t->range_left -= out->size;
    t->range.addr += out->size;
}

long trace_range(struct trace *t, struct trace_ref *out, struct trace_ref first, uint64_t bytes)
{
    if (!bytes || first.addr + bytes < first.addr)
        return trace_fail(t, "a request for %llu bytes from %#llx on", (unsigned long long)bytes, (unsigned long long)first.addr);
    t->range = first;
    t->range_left = bytes;
    next_of_range(t, out);
    return 1;
}

long trace_read(struct trace *t, struct trace_ref *out, size_t n)
{
    size_t done = 0;
    while (done < n && t->range_left)
        next_of_range(t, out + done++);
    if (done || t->failed)
        return done ? (long)done : -1;
    return t->format->read(t, out, n);
}
