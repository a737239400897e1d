/* SPDX-License-Identifier: MIT */
/*
 * A stream of bytes from a file or a pipe, plain, gzip or zstd: the first bytes tell which. Everything is read once and in order,
 * in memory that does not grow with the input, so a compressed bomb costs time only.
 */
#ifndef LAB_INPUT_H
#define LAB_INPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input;

/* The longest line that a text may have, with its end. */
#define INPUT_LINE_MAX 4096u

/* path, or "-" for standard input. NULL: *why says what is wrong (a static or per-thread text). */
struct input *input_open(const char *path, const char **why);
/* A stream over bytes that stay where they are, for tests. */
struct input *input_of_bytes(const char *name, const void *bytes, size_t n);
void input_close(struct input *in);

/* The name it was opened with, and how many (unpacked) bytes were given out so far. */
const char *input_name(const struct input *in);
uint64_t input_offset(const struct input *in);
/* Compressed bytes read so far and the file's size, 0 when that is not known: for progress. */
void input_progress(const struct input *in, uint64_t *done, uint64_t *size);

/* Looks at up to n (<= 4096) bytes without taking them; *got of them lie at the pointer. Fewer than n: the end is near. */
const unsigned char *input_peek(struct input *in, size_t n, size_t *got);
/* Takes exactly n bytes. 1; 0 at the end of the stream; -1: it ends in the middle, or could not be read (input_error). */
int input_bytes(struct input *in, void *out, size_t n);
/* Takes a line; *line is valid until the next call, without its end, NUL-terminated. Returns as input_bytes; -1 also when it is too long. */
int input_line(struct input *in, char **line, size_t *len);
/* Why the last call returned -1. */
const char *input_error(const struct input *in);
#endif
