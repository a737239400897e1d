/* SPDX-License-Identifier: MIT */
/* The laboratory's commands and what they share: options of traces, sizes, words on standard error, progress. */
#ifndef LAB_CMD_H
#define LAB_CMD_H
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include "trace.h"

/* As the pagoda command's (docs/man/pagoda.1). */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_policies(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_convert(int argc, char **argv);

/* Long options that say how a trace is read; their codes begin at TRACE_OPT. */
#define TRACE_OPT 1000
#define TRACE_LONG_OPTIONS                                                                            \
    {"format", required_argument, NULL, TRACE_OPT}, {"column", required_argument, NULL, TRACE_OPT + 1}, \
        {"block", required_argument, NULL, TRACE_OPT + 2}, {"formats", no_argument, NULL, TRACE_OPT + 3}
/* True when c was one of them; may exit. */
bool trace_option(int c, const char *arg, struct trace_options *o);
extern const char trace_option_help[];

/* "pagoda: ..." on standard error and the end. */
__attribute__((format(printf, 2, 3), noreturn)) void lab_die(int code, const char *fmt, ...);
/* "12", "64M" (bytes: K, M, G, T), "5%": frames of 4 KiB, at least 1; of: what 100 % is. False: no such size. */
bool parse_frames(const char *s, uint64_t of, uint64_t *frames);
/* A line that is written over, on a terminal; nothing elsewhere. progress_end() wipes it. */
void progress_line(uint64_t refs, uint64_t done, uint64_t size);
void progress_end(void);
#endif
