/* SPDX-License-Identifier: MIT */
/* Small things every command needs: messages, strings, lists of words, files, child processes. */
#ifndef CLI_UTIL_H
#define CLI_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit codes of the command itself; `pagoda run` otherwise ends with CMD's. docs/man/pagoda.1 lists
 * them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TIMEOUT = 124, EXIT_PAGODA = 125 };

/* ---- messages, on standard error; coloured only when that is a terminal ---- */
__attribute__((format(printf, 2, 3), noreturn)) void die(int code, const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void warn(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);
/* "\033[...m" when `fd` is a terminal that wants colours, else "". */
const char *colour(int fd, const char *code);
#define C_BOLD  "1"
#define C_DIM   "2"
#define C_RED   "31"
#define C_GREEN "32"
#define C_CYAN  "36"
#define C_OFF   "0"

/* ---- memory; these never return NULL ---- */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

/* A list of words that ends with NULL, as execvp() wants it. */
struct words {
    char **v;
    size_t n;
};
void words_add(struct words *w, const char *word);
__attribute__((format(printf, 2, 3))) void words_addf(struct words *w, const char *fmt, ...);
/* Words printed so that a shell reads them back. */
void words_print(int fd, const struct words *w);

/* ---- files ---- */
/* Whole file with a NUL behind it, or NULL with errno. The caller frees it. */
char *file_read(const char *path, size_t *len);
int file_write(const char *path, const void *data, size_t len); /* 0/-errno, by rename */
int make_dirs(const char *path);                                /* mkdir -p; 0/-errno */
bool file_exists(const char *path);

/* ---- time and processes ---- */
int64_t now_ms(void); /* monotonic */
/* Path of a program in PATH, or NULL. The caller frees it. */
char *find_program(const char *name);
/* Runs argv with standard input from /dev/null; output goes to *out (whole, NUL-terminated) or,
 * with NULL, to our standard error. Returns the exit status, 128+n after a signal, or -errno. */
int run_command(char *const argv[], char **out);

#endif
