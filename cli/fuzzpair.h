/* SPDX-License-Identifier: MIT */
/* Two guests that play mmfuzz, one under Pagoda and one under Linux, and take the same orders. */
#ifndef CLI_FUZZPAIR_H
#define CLI_FUZZPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fuzz_guest {
    const char *kernel;
    pid_t pid; /* 0: not running */
    int to, from;
    char *text; /* the answer so far, NUL-terminated */
    size_t len, room;
    bool done, lost; /* the answer is complete; the guest ended or fell silent before that */
};

enum { SIDE_LINUX, SIDE_OTHER, SIDES };

struct fuzz_pair {
    struct fuzz_guest side[SIDES];
    int silence_ms; /* a guest that says nothing for so long is lost */
    bool in_turn;   /* one guest after the other, not both at once */
};

/* Guests start at the first order and again at the next one after they were lost. */
void fuzz_pair_init(struct fuzz_pair *p, const char *kernel);
/* Sends each side its line, if it has one, and waits for the answers; progress(p, arg) is called whenever something came. A side
 * without a line keeps its text. True when all that were asked answered completely. */
bool fuzz_pair_order(struct fuzz_pair *p, const char *const line[SIDES],
                     void (*progress)(struct fuzz_pair *p, void *arg), void *arg);
/* Puts a text in the place of a side's answer. */
void fuzz_pair_put(struct fuzz_pair *p, int side, const char *text);
void fuzz_pair_end(struct fuzz_pair *p);

#endif
