/* SPDX-License-Identifier: MIT */
/*
 * Traces of references to memory, files or objects, in any of the forms of lab/formats.c, as one stream of struct trace_ref.
 *
 *   file, pipe ── input.c ──> bytes ── format ──> trace_ref, trace_ref, ... ──> TLB, policies, the core
 *
 * A format is found by the first bytes, then by the end of the name, or is named. Errors name the file, the offset in it (unpacked),
 * what is wrong and what was expected.
 */
#ifndef LAB_TRACE_H
#define LAB_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ref_kind {
    REF_FETCH,  /* an instruction */
    REF_LOAD,
    REF_STORE,
    REF_MODIFY, /* loads and stores the same bytes */
    NR_REF_KINDS
};

/* One reference, or `count` in a row that only differ in what is inside the page. */
struct trace_ref {
    uint64_t addr;  /* byte address; in a trace of objects: the object's number */
    uint32_t size;  /* bytes, > 0 */
    uint32_t space; /* address space, disk or file */
    uint32_t count; /* > 0; 1 when it lies in two pages */
    uint16_t cpu;
    uint8_t kind;   /* enum ref_kind */
};

struct trace;
struct trace_options {
    const char *format; /* by name; NULL: found out */
    /* csv: columns from 1 on, 0: the format's own; header: 1 there is one, 0 none, -1: if the first line has no number there */
    unsigned id_column, size_column, kind_column;
    char delimiter; /* 0: comma, or what the header has */
    int header;
    unsigned block; /* bytes of a block where the trace counts blocks; 0: 512 for .lis and .lirs, 4096 for the others */
};

/* NULL on failure, with a whole sentence in why[0..n). options may be NULL. */
struct trace *trace_open(const char *path, const struct trace_options *options, char *why, size_t n);
/* Over bytes in memory that stay: for tests. */
struct trace *trace_of_bytes(const char *name, const void *bytes, size_t len, const struct trace_options *options, char *why, size_t n);
void trace_close(struct trace *t);
/* Up to n references. 0: the end. -1: trace_error() says why. */
long trace_read(struct trace *t, struct trace_ref *out, size_t n);
const char *trace_error(const struct trace *t);
const char *trace_form(const struct trace *t);
const char *trace_name(const struct trace *t);
/* Bytes read, unpacked. */
uint64_t trace_offset(const struct trace *t);
/* addr >> this is the page, or the object: 12, or 0 in a trace of objects (txt, csv, oracleGeneral). */
unsigned trace_page_shift(const struct trace *t);
void trace_progress(const struct trace *t, uint64_t *done, uint64_t *size);
/* "name  what it is" of the i-th format, NULL beyond the last. */
const char *trace_format_name(unsigned i);
const char *trace_format_about(unsigned i);
#endif
