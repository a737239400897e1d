/* SPDX-License-Identifier: MIT */
/*
 * Formatting of text. See <lib/fmt.h>.
 *
 *   format --> parse_spec --> struct spec --> put_number / put_text --> struct out
 *
 * struct out counts every character and stores those that fit.
 */
#include <lib/fmt.h>
#include <lib/string.h>

struct out {
    char *buf;
    size_t size; /* room for characters */
    size_t len;  /* characters produced, stored or not */
};

struct spec {
    bool left, zero, plus, blank, alt;
    int width;     /* 0: none */
    int precision; /* -1: none */
    int length;    /* -2 hh, -1 h, 0 int, 1 long */
    char conv;
};

/* The decimal digits of v, ending just before end; returns the first. At most 20. */
static char *digits_dec(char *end, u64 v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return end;
}

static char *digits_pow2(char *end, u64 v, u32 shift, bool upper)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    do {
        *--end = set[v & ((1U << shift) - 1)];
        v >>= shift;
    } while (v);
    return end;
}

static void put_bytes(struct out *o, const char *s, size_t n)
{
    if (o->len < o->size)
        memcpy(o->buf + o->len, s, min(n, o->size - o->len));
    o->len += n;
}

static void put_fill(struct out *o, char c, ssize_t n)
{
    if (n <= 0)
        return;
    if (o->len < o->size)
        memset(o->buf + o->len, c, min((size_t)n, o->size - o->len));
    o->len += (size_t)n;
}

/* prefix (sign or 0x), zeros, body, and blanks up to the width. */
static void put_field(struct out *o, const struct spec *sp, const char *prefix, size_t zeros,
                      const char *body, size_t n)
{
    size_t plen = str_len(prefix);
    ssize_t pad = (ssize_t)sp->width - (ssize_t)(plen + zeros + n);
    if (!sp->left)
        put_fill(o, ' ', pad);
    put_bytes(o, prefix, plen);
    put_fill(o, '0', (ssize_t)zeros);
    put_bytes(o, body, n);
    if (sp->left)
        put_fill(o, ' ', pad);
}

static void put_number(struct out *o, const struct spec *sp, u64 v, const char *prefix)
{
    char buf[24], *end = buf + sizeof(buf), *p = end;
    if (v || sp->precision != 0) {
        if (sp->conv == 'x' || sp->conv == 'X' || sp->conv == 'p')
            p = digits_pow2(end, v, 4, sp->conv == 'X');
        else if (sp->conv == 'o')
            p = digits_pow2(end, v, 3, false);
        else
            p = digits_dec(end, v);
    }
    size_t n = (size_t)(end - p);
    ssize_t zeros = 0;
    if (sp->precision >= 0)
        zeros = sp->precision - (ssize_t)n;
    else if (sp->zero && !sp->left)
        zeros = sp->width - (ssize_t)(n + str_len(prefix));
    if (sp->conv == 'o' && sp->alt && zeros <= 0 && (n == 0 || *p != '0'))
        zeros = 1;
    put_field(o, sp, prefix, zeros > 0 ? (size_t)zeros : 0, p, n);
}

static void put_signed(struct out *o, const struct spec *sp, s64 v)
{
    const char *sign = v < 0 ? "-" : sp->plus ? "+" : sp->blank ? " " : "";
    put_number(o, sp, v < 0 ? -(u64)v : (u64)v, sign);
}

static void put_unsigned(struct out *o, const struct spec *sp, u64 v)
{
    const char *prefix = "";
    if (sp->alt && v && (sp->conv == 'x' || sp->conv == 'X'))
        prefix = sp->conv == 'x' ? "0x" : "0X";
    put_number(o, sp, v, prefix);
}

static void put_text(struct out *o, const struct spec *sp, const char *s)
{
    if (!s)
        s = "(null)";
    size_t n = sp->precision >= 0 ? str_nlen(s, (size_t)sp->precision) : str_len(s);
    put_field(o, sp, "", 0, s, n);
}

/* A non-negative number in the format; large ones stop growing. */
static int parse_int(const char **fmt)
{
    int v = 0;
    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        v = v < 100000 ? v * 10 + (**fmt - '0') : v;
    return v;
}

static const char *parse_flags(const char *fmt, struct spec *sp)
{
    for (;; fmt++) {
        if (*fmt == '-')
            sp->left = true;
        else if (*fmt == '0')
            sp->zero = true;
        else if (*fmt == '+')
            sp->plus = true;
        else if (*fmt == ' ')
            sp->blank = true;
        else if (*fmt == '#')
            sp->alt = true;
        else
            return fmt;
    }
}

static const char *parse_length(const char *fmt, struct spec *sp)
{
    if (fmt[0] == 'h') {
        sp->length = fmt[1] == 'h' ? -2 : -1;
        return fmt - sp->length;
    }
    if (fmt[0] == 'l' || fmt[0] == 'z' || fmt[0] == 't' || fmt[0] == 'j') {
        sp->length = 1;
        return fmt + (fmt[0] == 'l' && fmt[1] == 'l' ? 2 : 1);
    }
    return fmt;
}

/* A struct around the va_list, which may be an array and then cannot be passed on by address. */
struct args {
    fmt_va_list ap;
};

/* Parses what follows a %; * takes a number from the arguments. Returns the place behind it. */
static const char *parse_spec(const char *fmt, struct spec *sp, struct args *args)
{
    *sp = (struct spec){.precision = -1};
    fmt = parse_flags(fmt, sp);
    if (*fmt == '*') {
        sp->width = fmt_va_arg(args->ap, int);
        if (sp->width < 0) {
            sp->left = true;
            sp->width = sp->width == -2147483647 - 1 ? 0 : -sp->width;
        }
        fmt++;
    } else {
        sp->width = parse_int(&fmt);
    }
    if (*fmt == '.') {
        fmt++;
        if (*fmt == '*') {
            sp->precision = max(fmt_va_arg(args->ap, int), -1);
            fmt++;
        } else {
            sp->precision = parse_int(&fmt);
        }
    }
    fmt = parse_length(fmt, sp);
    sp->conv = *fmt;
    return *fmt ? fmt + 1 : fmt;
}

static s64 take_signed(const struct spec *sp, struct args *args)
{
    if (sp->length > 0)
        return fmt_va_arg(args->ap, long);
    int v = fmt_va_arg(args->ap, int);
    return sp->length == -2 ? (s8)v : sp->length == -1 ? (s16)v : v;
}

static u64 take_unsigned(const struct spec *sp, struct args *args)
{
    if (sp->length > 0)
        return fmt_va_arg(args->ap, u64);
    u32 v = fmt_va_arg(args->ap, u32);
    return sp->length == -2 ? (u8)v : sp->length == -1 ? (u16)v : v;
}

/* Formats one conversion; false when it is unknown. */
static bool put_conversion(struct out *o, const struct spec *sp, struct args *args)
{
    char c;
    switch (sp->conv) {
    case 'd':
    case 'i':
        put_signed(o, sp, take_signed(sp, args));
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_unsigned(o, sp, take_unsigned(sp, args));
        return true;
    case 'p':
        put_number(o, sp, (u64)(uptr)fmt_va_arg(args->ap, void *), "0x");
        return true;
    case 's':
        put_text(o, sp, fmt_va_arg(args->ap, const char *));
        return true;
    case 'c':
        c = (char)fmt_va_arg(args->ap, int);
        put_field(o, sp, "", 0, &c, 1);
        return true;
    case '%':
        put_bytes(o, "%", 1);
        return true;
    default:
        return false;
    }
}

static void format(struct out *o, const char *fmt, struct args *args)
{
    while (*fmt) {
        const char *text = fmt;
        while (*fmt && *fmt != '%')
            fmt++;
        put_bytes(o, text, (size_t)(fmt - text));
        if (!*fmt)
            break;
        struct spec sp;
        text = fmt;
        fmt = parse_spec(fmt + 1, &sp, args);
        if (!put_conversion(o, &sp, args))
            put_bytes(o, text, (size_t)(fmt - text));
    }
}

int fmt_vprint(char *buf, size_t size, const char *fmt, fmt_va_list ap)
{
    struct out o = {.buf = buf, .size = size ? size - 1 : 0};
    struct args args;
    fmt_va_copy(args.ap, ap);
    format(&o, fmt, &args);
    fmt_va_end(args.ap);
    if (size)
        buf[min(o.len, o.size)] = '\0';
    return (int)o.len;
}

int fmt_print(char *buf, size_t size, const char *fmt, ...)
{
    fmt_va_list ap;
    fmt_va_start(ap, fmt);
    int n = fmt_vprint(buf, size, fmt, ap);
    fmt_va_end(ap);
    return n;
}

void seq_vprintf(struct seq *s, const char *fmt, fmt_va_list ap)
{
    struct out o = {.buf = s->buf, .size = s->size, .len = s->len};
    struct args args;
    fmt_va_copy(args.ap, ap);
    format(&o, fmt, &args);
    fmt_va_end(args.ap);
    s->overflow |= o.len > s->size;
    s->len = min(o.len, s->size);
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
    fmt_va_list ap;
    fmt_va_start(ap, fmt);
    seq_vprintf(s, fmt, ap);
    fmt_va_end(ap);
}

bool seq_record(struct seq *s, u64 next)
{
    if (s->overflow) {
        s->more = s->whole;
        if (s->more) {
            s->len = s->whole;
            s->overflow = false;
        }
        return false;
    }
    s->whole = s->len;
    s->cursor = next;
    return true;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
    size_t room = s->size - s->len;
    if (n > room) {
        s->overflow = true;
        n = room;
    }
    if (n)
        memcpy(s->buf + s->len, data, n);
    s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
    seq_write(s, text, str_len(text));
}

void seq_pad_to(struct seq *s, size_t line_start, size_t col)
{
    while (s->len - line_start < col && s->len < s->size)
        s->buf[s->len++] = ' ';
    s->overflow |= s->len - line_start < col;
}

void seq_put_dec(struct seq *s, const char *prefix, u64 v)
{
    char buf[20], *end = buf + sizeof(buf), *p = digits_dec(end, v);
    if (prefix)
        seq_puts(s, prefix);
    seq_write(s, p, (size_t)(end - p));
}

void seq_put_dec_width(struct seq *s, u64 v, u32 width)
{
    char buf[40], *end = buf + sizeof(buf), *p = digits_dec(end, v);
    while ((u32)(end - p) < width && p > buf)
        *--p = ' ';
    seq_write(s, p, (size_t)(end - p));
}

void seq_put_sdec(struct seq *s, const char *prefix, s64 v)
{
    if (prefix)
        seq_puts(s, prefix);
    if (v < 0)
        seq_putc(s, '-');
    seq_put_dec(s, NULL, v < 0 ? -(u64)v : (u64)v);
}

void seq_put_hex(struct seq *s, u64 v, u32 width)
{
    char buf[16], *end = buf + sizeof(buf), *p = digits_pow2(end, v, 4, false);
    while ((u32)(end - p) < width && p > buf)
        *--p = '0';
    seq_write(s, p, (size_t)(end - p));
}
