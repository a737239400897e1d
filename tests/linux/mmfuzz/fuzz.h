/* SPDX-License-Identifier: MIT */
/*
 * mmfuzz: random games with an address space, the same in every home.
 *
 *   seed, index ── rng ── op table ── play ── home_call, home_read, home_write ── the system
 *                             │                        │
 *                             └── lines of text <──────┘ results, faults, checksums, maps
 *
 * A game is `count` steps from a seed. Step i draws all that it does from its own generator, seeded by (seed, i), so leaving
 * out some steps changes nothing about the words of the others: that is what shrinking needs. What a step finds (an address that
 * an earlier mmap returned, whether a process lives) is state of the game, and the same wherever the system answers the same.
 *
 * The places of a game, absolute, so that two kernels without address space randomisation print the same:
 *
 *   w  the window: FUZZ_PAGES pages around a 2 MiB boundary, where nearly everything happens
 *   h  the heap from the program break
 *   t  what mmap without an address returns: below FUZZ_ANCHOR, above which the front end leaves no hole
 *   l  addresses below 4 GiB: MAP_32BIT
 */
#ifndef MMFUZZ_FUZZ_H
#define MMFUZZ_FUZZ_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_PAGE    4096ul
#define FUZZ_PAGES   64ul
#define FUZZ_BASE    (0x100000200000ul - 32 * FUZZ_PAGE)
#define FUZZ_ANCHOR  0x7ffff0000000ul
#define FUZZ_TOP     0x7ffffffff000ul
#define FUZZ_SLOTS   8
#define FUZZ_ACTORS  4
#define FUZZ_FILES   8
#define FUZZ_SCRATCH (64ul << 10)
#define FUZZ_FULL    20 /* the whole list of areas is printed at every 20th step */

/* Files of a game; home_fd() knows their descriptors. The first four are one file. */
enum { FILE_RW, FILE_RO, FILE_WO, FILE_APPEND, FILE_MEMFD, FILE_SEALABLE, FILE_ZERO, FILE_NONE };

struct fuzz_rng {
    uint64_t s;
};

/* A process's view of the game. A fork copies it. */
struct fuzz {
    uint64_t seed;
    unsigned index; /* of the step being played */
    unsigned actor;
    struct fuzz_rng rng;
    uint64_t slot[FUZZ_SLOTS]; /* addresses that mmap and mremap returned */
    uint64_t brk0;             /* the program break at the start */
    int shm[4];                /* System V segments, -1: none */
    bool verbose;              /* the whole list after every step */
    bool privileged;
};

struct fuzz_op {
    const char *name;
    unsigned weight;
    void (*play)(struct fuzz *f);
};
extern const struct fuzz_op fuzz_map_ops[], fuzz_advice_ops[], fuzz_file_ops[], fuzz_process_ops[],
    fuzz_touch_ops[];

/* ---- drawing (rng.c) ---- */
uint64_t fuzz_pick(struct fuzz *f, uint64_t n); /* 0 .. n - 1 */
bool fuzz_chance(struct fuzz *f, unsigned percent);
uint64_t fuzz_addr(struct fuzz *f);      /* mostly page aligned and in the window */
uint64_t fuzz_len(struct fuzz *f);       /* mostly 1 to 12 pages */
uint64_t fuzz_small_len(struct fuzz *f); /* never too much to be populated */
uint64_t fuzz_prot(struct fuzz *f);
#define fuzz_one_of(f, array) ((array)[fuzz_pick(f, sizeof(array) / sizeof((array)[0]))])
/* Words that a run leaves out: "madvise.free", "mseal". */
void fuzz_avoid(const char *word);
bool fuzz_avoided(const char *word);

/* ---- printing (say.c) ---- */
__attribute__((format(printf, 1, 2))) void fuzz_say(const char *fmt, ...);
void fuzz_say_addr(const struct fuzz *f, uint64_t addr);
void fuzz_say_result(int64_t r);                      /* " = N" or " = ENAME" */
void fuzz_say_place(const struct fuzz *f, int64_t r); /* a result that is an address */
/* The text of the game so far; the front end provides the room. */
extern char *fuzz_out;
extern size_t *fuzz_out_len, fuzz_out_room;

/* ---- playing (play.c) ---- */
/* The actor of a step, before it is known who lives. */
unsigned fuzz_actor_of(uint64_t seed, unsigned index);
void fuzz_begin(struct fuzz *f, uint64_t seed);
void fuzz_play(struct fuzz *f, unsigned index);
void fuzz_end(struct fuzz *f); /* each live process's last words */
/* A call: its result, printed. */
int64_t fuzz_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g);
/* Sum over readable bytes of [at, at + n); stops at a fault. */
uint64_t fuzz_sum(const void *data, size_t n);

/* ---- the list of areas (maps.c) ---- */
void fuzz_maps(struct fuzz *f, bool full);
void fuzz_smaps(struct fuzz *f);

/* ---- what a home provides ---- */
struct home_fault {
    int sig, code;
    uint64_t addr;
};
enum home_text { HOME_MAPS, HOME_SMAPS, HOME_STATUS };
int64_t home_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g);
/* As the program would: false and *why when it got a signal. run: jumps to a return instruction at `at`. */
bool home_read(uint64_t at, void *to, size_t n, struct home_fault *why);
bool home_write(uint64_t at, const void *from, size_t n, struct home_fault *why);
bool home_run(uint64_t at, struct home_fault *why);
/* FUZZ_SCRATCH bytes that calls may read and write, and the player's way to them. */
uint64_t home_scratch(void);
void home_put(uint64_t at, const void *from, size_t n);
void home_get(void *to, uint64_t at, size_t n);
size_t home_text(enum home_text what, char *buf, size_t room);
/* Ends what the system put off: references that wait in lists of a CPU decide whether a page is taken over or copied. */
void home_settle(void);
int home_fd(unsigned file);
/* Process of an actor, or -1. */
int home_pid(unsigned actor);
/* A new actor, copy of the caller; returns in the caller only: its number, or -errno. */
int home_fork(struct fuzz *f);
/* Ends an actor other than the caller, its memory is gone on return: 0 or -errno. */
int home_end(struct fuzz *f, unsigned actor);
#endif
