/* SPDX-License-Identifier: MIT */
/*
 * A machine by description: what a replay runs on. Read from an INI file and from --set, checked key by key.
 *
 *   [machine]
 *   memory = 16G         RAM
 *   mhz    = 3000        cycles of the costs per microsecond of virtual time
 *   [tlb]
 *   fetch  = 128x8       entries x ways, instructions
 *   data   = 64x4
 *   shared = 1536x12     second level
 *   [cost]               cycles
 *   reference = 1   shared = 7   walk = 30   minor = 1000   major = 300000
 */
#ifndef LAB_MACHINE_H
#define LAB_MACHINE_H
#include <stddef.h>
#include <stdint.h>

enum cost { COST_REFERENCE, COST_SHARED, COST_WALK, COST_MINOR, COST_MAJOR, NR_COSTS };

struct machine {
    char name[64];
    uint64_t memory, mhz;
    uint64_t cost[NR_COSTS];
    uint32_t fetch[2], data[2], shared[2]; /* entries, ways */
};

/* The machine without a description: 128x8, 64x4, 1536x12. */
void machine_default(struct machine *m);
/* "tlb.data=64x4": 0, or -1 with a sentence in why[0..n). */
int machine_set(struct machine *m, const char *assignment, char *why, size_t n);
/* Reads a description over what m holds. 0, or -1 with "FILE:LINE: ..." in why. */
int machine_read(struct machine *m, const char *path, char *why, size_t n);
/* "section.key  what it is" of the i-th key, NULL beyond the last. */
const char *machine_key(unsigned i);
const char *machine_key_about(unsigned i);
#endif
