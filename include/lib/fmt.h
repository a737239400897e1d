/* SPDX-License-Identifier: MIT */
/*
 * Formatting of text into memory, as snprintf does it, without floating point.
 *
 *   %[flags][width][.precision][hh|h|l|ll|z|t|j]conversion
 *
 *   flags        - 0 + space #
 *   width, precision: a number or *
 *   conversions  d i u x X o c s p %      s: NULL prints (null)      p: 0x and hex digits
 *
 * An unknown conversion is copied to the output as it stands.
 */
#ifndef LIB_FMT_H
#define LIB_FMT_H
#include <lib/types.h>

typedef __builtin_va_list fmt_va_list;
#define fmt_va_start(ap, last) __builtin_va_start(ap, last)
#define fmt_va_end(ap)         __builtin_va_end(ap)
#define fmt_va_arg(ap, type)   __builtin_va_arg(ap, type)
#define fmt_va_copy(dst, src)  __builtin_va_copy(dst, src)

/*
 * Write at most size bytes including a NUL (none when size is 0). Return the length without NUL
 * that the whole text would have: a result >= size means that the text was cut.
 */
int fmt_print(char *buf, size_t size, const char *fmt, ...) __printf_fn(3, 4);
int fmt_vprint(char *buf, size_t size, const char *fmt, fmt_va_list ap) __printf_fn(3, 0);

/*
 * Text that grows in a fixed buffer (the /proc and /sys files). Invariant: len <= size. What does
 * not fit is cut and sets overflow; the caller then retries with a larger buffer. No NUL is kept:
 * use len.
 *
 * A text of many records comes in parts: its writer begins at the record that cursor names (0: the first) and calls
 * seq_record() behind each. When the buffer is full the part ends with the last whole record and more is set; the
 * caller goes on with a seq that has this cursor. Only a single record that does not fit sets overflow.
 */
struct seq {
    char *buf;
    size_t size, len;
    bool overflow, more;
    int err; /* the reader gets this instead of the text */
    size_t whole; /* length of the records that are complete */
    u64 cursor;
};

static inline void seq_init(struct seq *s, char *buf, size_t size)
{
    *s = (struct seq){.buf = buf, .size = size};
}

static inline void seq_putc(struct seq *s, char c)
{
    if (likely(s->len < s->size))
        s->buf[s->len++] = c;
    else
        s->overflow = true;
}

void seq_printf(struct seq *s, const char *fmt, ...) __printf_fn(2, 3);
void seq_vprintf(struct seq *s, const char *fmt, fmt_va_list ap) __printf_fn(2, 0);
void seq_puts(struct seq *s, const char *text);
/* A record is complete; the next one is `next`. False when this part of the text ends here. */
bool seq_record(struct seq *s, u64 next);
/* n bytes as they are */
void seq_write(struct seq *s, const void *data, size_t n);
/*
 * Spaces until len is at least col; for the aligned columns of /proc/PID/maps, counted from the
 * start of the line.
 */
void seq_pad_to(struct seq *s, size_t line_start, size_t col);
/* prefix (may be NULL or ""), then v in decimal */
void seq_put_dec(struct seq *s, const char *prefix, u64 v);
/* v to the right in a column of at least width characters */
void seq_put_dec_width(struct seq *s, u64 v, u32 width);
void seq_put_sdec(struct seq *s, const char *prefix, s64 v);
/* v in lower-case hex, at least width digits, zero-filled (width <= 16; 0 and 1 mean no filling) */
void seq_put_hex(struct seq *s, u64 v, u32 width);
#endif
