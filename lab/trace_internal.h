/* SPDX-License-Identifier: MIT */
/* Between trace.c and the formats. */
#ifndef LAB_TRACE_INTERNAL_H
#define LAB_TRACE_INTERNAL_H
#include "input.h"
#include "trace.h"

struct format {
    const char *name, *about;
    bool objects;
    bool weak; /* what looks() likes may also be another format: the name comes first */
    const char *const *suffixes; /* of names, without .gz or .zst; NULL-terminated; may be NULL */
    bool (*looks)(const unsigned char *head, size_t n); /* do the first bytes look like it? may be NULL */
    /* Reads what stands before the first record. 0 or -1 (trace_fail). May be NULL. */
    int (*begin)(struct trace *t);
    /* Appends up to n references. As trace_read. */
    long (*read)(struct trace *t, struct trace_ref *out, size_t n);
    unsigned block;
};

struct trace {
    struct input *in;
    const struct format *format;
    struct trace_options options;
    unsigned shift;  /* trace_page_shift() */
    uint64_t record; /* offset of the record that is being read */
    /* A range of blocks or pages of which some were not given out yet. */
    struct trace_ref range;
    uint64_t range_left;
    uint64_t state[8]; /* the format's own */
    bool failed;
    char error[512];
};

/* Remembers "FILE: at byte N: ..." and returns -1. */
__attribute__((format(printf, 2, 3))) int trace_fail(struct trace *t, const char *fmt, ...);
/* input_line/input_bytes at the next record; -1 with the error set. */
int trace_next_line(struct trace *t, char **line, size_t *len);
int trace_bytes(struct trace *t, void *out, size_t n);
/* A request for `bytes` from addr on becomes references to each page of it, beginning with *out; 1. The rest follows by itself. */
long trace_range(struct trace *t, struct trace_ref *out, struct trace_ref first, uint64_t bytes);
/* Lines become references: read(t, line, len, out) makes one (1), none (0), or calls trace_fail (-1). As trace_read. */
long trace_lines(struct trace *t, struct trace_ref *out, size_t n,
                 int (*read)(struct trace *t, char *line, size_t len, struct trace_ref *out));
/* The n-byte number at p, little endian. */
static inline uint64_t trace_little(const unsigned char *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | p[n];
    return v;
}
/* A number, decimal or 0x..; blanks before it are skipped. False: there is none, or it is too large. *p goes behind it. */
bool trace_number(char **p, uint64_t *out);

extern const struct format format_lackey, format_txt, format_csv, format_msr, format_oracle, format_lis, format_lirs, format_native,
    format_drmemtrace, format_perf;
#endif
