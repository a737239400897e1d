/* SPDX-License-Identifier: MIT */
/*
 * Pressure stall information: which share of the time work waited for memory, for devices, for a CPU. Body in
 * mm/reclaim/psi.c, triggers in mm/reclaim/psi_trigger.c.
 *
 *   psi_memstall_enter/leave   around what a thread does only because memory is short: reclaim, reading back from swap what was
 *                              thrown out, waiting for a page that was evicted while it was in use (a refault)
 *   psi_change                 the home's scheduler says what the tasks of a CPU do from now on
 *   psi_run                    the home calls it when it asked to be called: averages, triggers
 *   psi_show                   /proc/pressure
 */
#ifndef MM_PSI_H
#define MM_PSI_H
#include <lib/fmt.h>
#include <lib/list.h>
#include <port/cpu.h>
#include <port/sched.h>

enum psi_resource { PSI_IO, PSI_MEM, PSI_CPU, NR_PSI_RESOURCES };

/*
 * What may be true of a CPU. SOME: a task waits for the resource. FULL: tasks do, and none that could run does anything else. A
 * resource's states are 2 * resource and the one behind it.
 */
enum psi_state {
    PSI_IO_SOME,
    PSI_IO_FULL,
    PSI_MEM_SOME,
    PSI_MEM_FULL,
    PSI_CPU_SOME,
    PSI_CPU_FULL, /* of a group of tasks only; never of the machine */
    NR_PSI_SHOWN,
    PSI_NONIDLE = NR_PSI_SHOWN, /* a task runs, wants to, or waits for one of the above */
    NR_PSI_STATES
};

/* Times of one CPU. Written by psi_change() only; read under seq. */
struct psi_cpu {
    u32 seq;                 /* odd while they are written */
    u32 states;              /* 1 << enum psi_state, since `since` */
    u64 since;               /* clock_ns */
    u64 time[NR_PSI_STATES]; /* ns until then */
} __aligned_to(64);

/* psi=0: nothing is counted. Set before psi_boot(). */
extern bool psi_disabled;

/*
 * From here to leave the current thread works, or sleeps, only because memory is short. Pairs nest: *token tells the inner
 * leave to do nothing. Any context that may take a run queue's lock, which comes behind all locks of the core.
 */
static inline void psi_memstall_enter(u64 *token)
{
    *token = psi_disabled || sched_set_memstall(true);
}
static inline void psi_memstall_leave(const u64 *token)
{
    if (!*token)
        sched_set_memstall(false);
}

/* From now (clock_ns) on these states hold on the CPU. One caller at a time for each CPU: its run queue's lock. */
void psi_change(unsigned cpu, u32 states, u64 now);

/* Starts the averages. Called once, before the first psi_run(). */
void psi_boot(u64 now);
/* Brings averages up to date, fires triggers. Returns when it wants to be called next. May sleep. */
u64 psi_run(u64 now);
/* "some avg10=... total=...\nfull ...\n". May sleep. */
void psi_show(struct seq *s, enum psi_resource r, u64 now);
/* Microseconds in a state so far, by the same sum. May sleep. */
u64 psi_total(enum psi_state state, u64 now);

/* ---- triggers: who waits for `threshold` of stall within `window` ---- */
struct psi_trigger;
/* Called when the time that psi_run() asked for last may have become earlier; may be NULL. Set once by the home. */
extern void (*psi_hurry)(void);
/*
 * Parses "some 150000 1000000" (microseconds) as write(2) brought it: the last byte of the 32 that are looked at ends the text.
 * Who is not privileged gets windows of whole 2 s. 0 and *out, -EINVAL or -ENOMEM. May sleep.
 */
int psi_trigger_alloc(const char *text, size_t n, enum psi_resource r, bool privileged,
                      struct psi_trigger **out);
/* Nobody waits on its queue any more. May sleep. */
void psi_trigger_free(struct psi_trigger *t);
/* The queue that is woken when it fires; has it fired since the last call? */
struct waitq *psi_trigger_waitq(struct psi_trigger *t);
bool psi_trigger_take(struct psi_trigger *t);

/* ---- inside ---- */
/* Totals of every state at the last collection, ns; psi_lock held. */
extern u64 psi_totals[NR_PSI_SHOWN];
extern struct mutex psi_lock;
#define PSI_PERIOD_NS 2000000000UL
void psi_collect(u64 now);
/* psi_lock held. Looks at all triggers, `averages` also at those of whole periods; when it wants to look next, U64_MAX: never. */
u64 psi_trigger_update(u64 now, bool averages);
#endif
