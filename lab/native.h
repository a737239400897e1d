/* SPDX-License-Identifier: MIT */
/*
 * The native form of a trace: runs per page. What it keeps and what it drops:
 *
 *   kept     each change of page of the instruction stream and of the data stream, in order, with kind, address space and CPU; how often
 *            and by which kinds the two current pages were used until the next change, and which was used last;
 *            references that lie in two pages
 *   dropped  addresses within a page, sizes, and the exact interleaving of uses of the two current pages
 *
 * So the counters of every translation buffer are the same (the current page of a stream is the first of its set, and using it again
 * changes nothing), and LRU's misses for two frames and more.
 *
 *   file    "PAGODATR" version=1 page_shift 6*0, then records to the end
 *   START   0x80 | space? 0x20 | cpu? 0x10 | two pages 0x08 | kind      [space] [cpu] page
 *   MORE    0x40 | last was data 0x20 | mask of kinds                   [count of each kind in the mask]
 *   numbers are LEB128; page is the zigzag difference to the last page of the same stream
 */
#ifndef LAB_NATIVE_H
#define LAB_NATIVE_H
#include <stdio.h>
#include "trace.h"

#define NATIVE_MAGIC   "PAGODATR"
#define NATIVE_VERSION 1
#define NATIVE_HEADER  16

enum { NATIVE_START = 0x80, NATIVE_MORE = 0x40, NATIVE_SPACE = 0x20, NATIVE_CPU = 0x10, NATIVE_TWO = 0x08, NATIVE_DATA_LAST = 0x20 };

struct native_writer {
    FILE *f;
    unsigned shift;
    uint32_t space;
    uint16_t cpu;
    uint64_t page[2];             /* current page of the instruction and of the data stream */
    bool open[2];                 /* there is one */
    uint64_t more[NR_REF_KINDS];  /* uses since the last record */
    unsigned last;                /* stream of the last use */
    uint64_t bytes;
};

/* Begins a file; f stays the caller's. shift: 12, or 0 for objects. 0 or -errno. */
int native_begin(struct native_writer *w, FILE *f, unsigned shift);
/* 0 or -errno of the file. */
int native_write(struct native_writer *w, const struct trace_ref *refs, size_t n);
int native_end(struct native_writer *w);
#endif
