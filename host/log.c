/* SPDX-License-Identifier: MIT */
/*
 * The log and the end of a run. A panic prints its message and the one line that repeats the run; a test that expects
 * one gets the message instead (host_catch_panic): the fiber on which it happened is left where it stands, and the main thread
 * goes on behind its setjmp. After that only host_machine_stop() makes sense.
 */
#define _GNU_SOURCE
#include <host/sched_internal.h>
#include <host/sanitizer.h>
#include <port/log.h>
#include <lib/fmt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <execinfo.h>
#include <errno.h>

#define RING 16384

static char ring[RING + 1];
static size_t ring_len;
static char message[1024];
static bool expecting;
static jmp_buf escape;

/* Keeps the newest lines: when the ring is full its older half goes. */
static void ring_put(const char *text)
{
    size_t n = strlen(text);
    if (n > RING / 2)
        n = RING / 2;
    if (ring_len + n > RING) {
        size_t drop = ring_len / 2;
        memmove(ring, ring + drop, ring_len - drop);
        ring_len -= drop;
    }
    memcpy(ring + ring_len, text, n);
    ring_len += n;
    ring[ring_len] = 0;
}

const char *host_log_text(void)
{
    return ring;
}

void log_print(int level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    host_sched_lock();
    ring_put(line);
    if (line[0] && line[strlen(line) - 1] != '\n')
        ring_put("\n");
    host_sched_unlock();
    if (host_machine.cfg.log)
        fprintf(stderr, "<%d>%s\n", level, line);
}

void host_panic_resume(void)
{
    if (host_current->id == 0)
        longjmp(escape, 1);
}

void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    if (expecting && !host_machine.crashed) {
        host_machine.crashed = true;
        if (host_current->id != 0) {
            struct host_thread *t = list_first_entry(&host_threads, struct host_thread, all);
            fiber_switch(host_current, t); /* does not come back */
        }
        longjmp(escape, 1);
    }
    fflush(stdout);
    fprintf(stderr, "panic: %s\n", message);
    if (host_current)
        fprintf(stderr, "  thread %u (%s) on cpu %u, event %lu\n", host_current->id,
                host_current->name, host_this_cpu, host_machine.events);
    if (ring_len)
        fprintf(stderr, "--- log ---\n%s-----------\n", ring);
    fprintf(stderr, "repeat with: PAGODA_SEED=%lu %s\n", host_machine.cfg.seed,
            program_invocation_name);
    void *frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
    abort();
}

const char *host_catch_panic(void (*fn)(void *), void *arg)
{
    if (host_machine.cfg.threads || host_current->id != 0)
        panic("host_catch_panic: only on the main fiber");
    expecting = true;
    if (setjmp(escape) == 0) {
        fn(arg);
        expecting = false;
        return NULL;
    }
    expecting = false;
    return message;
}
