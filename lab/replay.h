/* SPDX-License-Identifier: MIT */
/*
 * Replaying a program's references through the real memory manager: TLBs of the described machine, page tables that the core keeps,
 * its faults, its reclaim. Pages have no contents.
 *
 *   trace_ref ─ TLB ── hit ──> next
 *                └─ miss ── walk ── present ──> fill
 *                             └─ mm_fault() ── area missing ──> an anonymous area of AREA_BYTES is mapped there
 *
 * One replay at a time in a process: it is the hosted machine (host/machine.h).
 */
#ifndef LAB_REPLAY_H
#define LAB_REPLAY_H
#include "machine.h"
#include "tlb.h"

struct replay_counts {
    uint64_t tlb[NR_TLB_COUNTS];
    uint64_t walks;                       /* looks at the tables: TLB misses and first writes */
    uint64_t minor_faults, major_faults;
    uint64_t spaces, areas;               /* areas: as mapped here; the core joins neighbours */
    uint64_t pages, peak_pages;           /* resident now and at most, seen after faults */
    uint64_t table_bytes;                 /* of page tables, all spaces */
    uint64_t scanned, stolen, swapped_in, swapped_out;
    uint64_t cycles;                      /* by the machine's costs */
};

/* Boots the machine. 0, or -1 with a sentence in why. */
int replay_begin(const struct machine *m, char *why, size_t n);
/* Plays references. 0, or -1 with a sentence in why: an address beyond user space, too many spaces, out of memory. */
int replay_play(const struct trace_ref *refs, size_t count, char *why, size_t n);
void replay_read(struct replay_counts *out);
/* Ends the spaces and the machine. */
void replay_end(void);
#endif
