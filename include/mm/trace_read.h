/* SPDX-License-Identifier: MIT */
/*
 * What the home needs to show trace events: switches, buffers, and a reader that puts the CPUs' events in order of time.
 */
#ifndef MM_TRACE_READ_H
#define MM_TRACE_READ_H
#include <lib/fmt.h>
#include <mm/trace.h>
#include <port/sched.h>

#define TRACE_COMM_LEN   16
#define TRACE_MAX_RECORD 192 /* bytes */
#define TRACE_DEFAULT_KB 1408

/* What the core asks the home about; unset ones leave zeros. */
struct trace_home {
    void (*comm)(char name[TRACE_COMM_LEN]); /* of the running thread */
    void (*file)(const struct address_space *m, u32 *major, u32 *minor, u64 *ino);
};
void trace_boot(const struct trace_home *home);

/* Names, and the file "format". The number is what "id" shows. */
const char *trace_event_name(enum trace_event e);
const char *trace_event_system(enum trace_event e);
unsigned trace_event_id(enum trace_event e);
void trace_format(struct seq *s, enum trace_event e);

/* Allocates the buffers with the first event. 0 or -ENOMEM. May sleep. */
int trace_event_enable(enum trace_event e, bool on);
static inline bool trace_event_enabled(enum trace_event e)
{
    return READ_ONCE(trace_enabled[e]);
}
bool trace_recording(void);
void trace_set_recording(bool on);

/* KiB of each CPU's ring; *allocated: whether it exists. set: 0, -EINVAL, -ENOMEM (nothing has changed); what is in them goes. */
u64 trace_buffer_kb(bool *allocated);
int trace_set_buffer_kb(u64 kb);
/* Events go, counts begin again. */
void trace_clear(void);
/* All events off, buffers freed. */
void trace_shutdown(void);

struct trace_counts {
    u64 entries; /* in the buffers */
    u64 overrun; /* overwritten before anybody took them */
};
void trace_count(struct trace_counts *out);

struct trace_record {
    u64 ns;
    u32 cpu, len;
    char comm[TRACE_COMM_LEN];
    u64 data[TRACE_MAX_RECORD / 8];
};
/* One reader's place in the rings. All zero: at the oldest event. */
struct trace_iter {
    u64 pos[NR_CPUS], seq[NR_CPUS];
    u32 generation;
    bool take; /* what was read goes out of the buffers */
    u64 lost;  /* with the last record: events of its CPU before it that this reader has missed */
};
/* The next event in order of time; false: there is none. Takes ring locks. */
bool trace_next(struct trace_iter *it, struct trace_record *out);
/* Is there an event for trace_next()? */
bool trace_pending(const struct trace_iter *it);
/* Those who wait for events of a reader that takes: woken with each event. */
extern struct waitq trace_waitq;
void trace_wait_begin(void);
void trace_wait_end(void);

/* NULL or the broken invariant of mm/obs/trace.c. */
const char *trace_validate(void);

/* A line of the file "trace", and what stands above all. */
void trace_line(struct seq *s, const struct trace_iter *it, const struct trace_record *r);
void trace_header(struct seq *s);
s32 trace_record_pid(const struct trace_record *r);
#endif
