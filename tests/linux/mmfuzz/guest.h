/* SPDX-License-Identifier: MIT */
/*
 * The guest's front end: the server, which survives every game, and the actors, processes that play one game in turns.
 *
 *   server ── fork ──> actor 0 ── clone(CLONE_PARENT) ──> actor 1, 2, 3: all are the server's children
 *
 * ctl->turn says who runs: an actor or the server. Nobody else does anything, so the text is a function of the seed.
 * The shared page lies above the anchor, where no game looks.
 */
#ifndef MMFUZZ_GUEST_H
#define MMFUZZ_GUEST_H
#include "fuzz.h"

#define CTL_ADDR  0x7ffff9000000ul
#define OUT_ROOM  (4ul << 20)
#define MAX_STEPS 4096
#define SERVER    FUZZ_ACTORS

struct ctl {
    unsigned turn; /* futex: an actor, or SERVER */
    unsigned next; /* step */
    unsigned count;
    unsigned request;   /* to the server: end actor request - 1 ... */
    unsigned requester; /* ... for this one */
    unsigned ready;     /* futex: forks that have begun */
    bool ending;        /* actors say their last words */
    bool verbose;
    int pid[FUZZ_ACTORS]; /* -1: none */
    int fd[FUZZ_FILES];
    uint64_t seed;
    size_t out_len;
    bool keep[MAX_STEPS];
    char out[OUT_ROOM];
};
extern struct ctl *ctl;

/* guest_home.c */
void guest_catch_signals(void);
void guest_futex_wait(unsigned *word, unsigned value, unsigned ms);
void guest_futex_wake(unsigned *word);
void guest_pass_turn(unsigned to);
/* Waits for turns of one actor until it is killed. */
_Noreturn void guest_act(struct fuzz *f);

/* guest_game.c: plays a game; its text is in ctl. */
void guest_game(uint64_t seed);
void guest_init(void);
#endif
