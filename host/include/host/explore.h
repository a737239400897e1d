/* SPDX-License-Identifier: MIT */
/*
 * Every schedule of a few small operations with at most so many preemptions.
 *
 * A test describes one run: it starts a machine, sets a scene, and calls host_explore_together() with two or three threads,
 * each on a CPU of its own. host_explore() repeats this run for one schedule after the other:
 *
 *   choice   who goes on                    alternatives
 *   may      the thread that runs           another CPU instead, before an access: a preemption
 *   must     the next CPU round the circle  any other, when the thread blocks or spins: free of charge
 *
 * A schedule is the list of the choices that were decided otherwise, "12:2,40:1": at the 12th choice CPU 2 goes on, ... All
 * schedules of up to `bound` preemptions are run, each from a fresh machine.
 *
 * In the build with scheduling points at atomic operations (make check-points) preemptions are placed only where they matter:
 * before an access to a word that another of the threads has used, too, one of the two writing. Elsewhere a preemption could as
 * well come a little later. The words are learned while exploring; the enumeration is repeated until no new one appears. In other
 * builds the points are those of locks, waits and ports, and all of them are tried.
 */
#ifndef HOST_EXPLORE_H
#define HOST_EXPLORE_H
#include <lib/types.h>

struct mm;

struct explore_thread {
    struct mm *mm;         /* loaded while it runs; the thread has its own reference. NULL: none */
    void (*prepare)(void); /* alone, before; may be NULL */
    void (*run)(void);     /* together with the others */
    void (*after)(void);   /* alone, after; may be NULL */
};
#define EXPLORE_MAX_THREADS 3

/* Runs the threads on CPUs 1, 2, 3 of a machine that has that many, is quiet, and was started with never_switch. */
void host_explore_together(const struct explore_thread *threads, u32 n);

struct explore_result {
    u64 schedules;      /* run with the final set of words */
    u64 runs;           /* all, with those that taught new words */
    u32 longest;        /* choices of the longest run */
    u32 words;          /* that several threads use */
    char schedule[128]; /* the last one run: the one that failed */
    const char *failure;
};
/* once(arg): one run, NULL or what was wrong. bound: preemptions. */
void host_explore(const char *(*once)(void *arg), void *arg, u32 bound, struct explore_result *r);
/* One schedule, as printed. */
void host_explore_repeat(const char *(*once)(void *arg), void *arg, const char *schedule,
                         struct explore_result *r);
/* Called before each run with the schedule that begins; may be NULL. */
extern void (*host_explore_begins)(const struct explore_result *r);

/* ---- for host/ ---- */
extern bool host_exploring; /* the threads of host_explore_together() run */
#define HOST_STAY     0xffffffffu
#define HOST_ANYTHING ((const void *)8) /* an access that always matters */
/* An access by the running thread. wants: may a preemption come before it? NULL: an unknown word. */
bool host_explore_wants(const void *obj, bool write);
u32 host_explore_may(const u8 *cpus, u32 n, const void *obj, bool write);
u32 host_explore_must(const u8 *cpus, u32 n);
void host_explore_record(const void *obj, bool write);
/* Called before each write of the core, in the build with points only (host/points.c). NULL: nobody asks. */
extern void (*host_on_write)(const void *p);
/* Is p in the memory of the machine, or in its memory map? */
bool host_in_machine(const void *p);
static inline void host_explore_note(const void *obj, bool write)
{
    if (unlikely(host_exploring))
        host_explore_record(obj, write);
}
#endif
