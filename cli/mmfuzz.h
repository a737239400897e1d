/* SPDX-License-Identifier: MIT */
/* `pagoda test --mmfuzz`: random games of memory calls under two kernels, compared line by line. */
#ifndef CLI_MMFUZZ_H
#define CLI_MMFUZZ_H

#include <stdbool.h>
#include <stddef.h>

struct mmfuzz_opts {
    unsigned long *seeds;
    size_t n;           /* of seeds */
    unsigned steps;     /* of each game */
    const char *kernel; /* the one that is compared with Linux */
    const char *keep;   /* only these steps, of one seed; NULL: all */
    unsigned shrink;    /* how many differing seeds are shrunk */
    bool in_turn;       /* one kernel after the other */
    bool verbose;       /* areas after every step in what is shown */
    int log;            /* where the report goes */
};

/* Seeds from "N", "FROM-TO", or a list of them with commas; false when it is none. */
bool mmfuzz_seeds(const char *text, struct mmfuzz_opts *o);
/* Number of seeds that differ; -1 when the games could not be played. */
int mmfuzz_run(const struct mmfuzz_opts *o);

#endif
