/* SPDX-License-Identifier: MIT */
/*
 * Forms of traces that other tools write.
 *
 *   lackey         valgrind --tool=lackey --trace-mem=yes      "I  04001090,3"  " L 1ffeffe7e,8"  " S ..."  " M ..."
 *   txt            a number of an object per line (libCacheSim txt)
 *   csv            columns with an object and perhaps a size (libCacheSim csv); a header is found
 *   msr            MSR Cambridge and other SNIA block traces: Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
 *   oracleGeneral  libCacheSim: 24 bytes each: u32 time, u64 object, u32 size, i64 next use
 *   lis            first block, number of blocks, ignored, request number (the ARC paper's traces)
 *   lirs           a block number per line; a line with * is a mark (the LIRS paper's traces)
 *
 * Sources: Valgrind manual 14 (Lackey); libCacheSim's trace readers' documentation; SNIA IOTTA's README of MSR Cambridge.
 */
#include <string.h>

#include "trace_internal.h"

/* ---- lackey ---- */

static int hex_digit(unsigned char c)
{
    unsigned d = c - '0';
    if (d <= 9)
        return (int)d;
    d = (c | 32u) - 'a';
    return d < 6 ? (int)d + 10 : -1;
}

/* "I  04001090,3", " L 1ffeffe7e,8": 1, 0 for valgrind's own talk, -1. */
static int lackey_line(const char *s, size_t len, struct trace_ref *r)
{
    static const uint8_t kinds[128] = {['L'] = REF_LOAD + 1, ['S'] = REF_STORE + 1, ['M'] = REF_MODIFY + 1};
    if (len >= 2 && ((s[0] == '=' && s[1] == '=') || (s[0] == '-' && s[1] == '-') || (s[0] == '*' && s[1] == '*')))
        return 0;
    if (len < 6 || s[2] != ' ')
        return len ? -1 : 0;
    if (s[0] == 'I' && s[1] == ' ')
        r->kind = REF_FETCH;
    else if (s[0] == ' ' && kinds[s[1] & 127])
        r->kind = kinds[s[1] & 127] - 1;
    else
        return -1;
    uint64_t a = 0;
    unsigned size = 0, digits = 0;
    const char *p = s + 3;
    for (int d; (d = hex_digit((unsigned char)*p)) >= 0; p++, digits++)
        a = a << 4 | (unsigned)d;
    if (!digits || digits > 16 || *p++ != ',' || *p < '0' || *p > '9')
        return -1;
    for (; *p >= '0' && *p <= '9' && size < 1u << 20; p++)
        size = size * 10 + (unsigned)(*p - '0');
    if (*p || !size || size > 1u << 20 || a + size < a)
        return -1;
    r->addr = a;
    r->size = size;
    r->count = 1;
    r->space = 0;
    r->cpu = 0;
    return 1;
}

static int lackey_one(struct trace *t, char *line, size_t len, struct trace_ref *out)
{
    int r = lackey_line(line, len, out);
    return r < 0 ? trace_fail(t, "'%.40s' is no line of lackey's --trace-mem (\"I  04001090,3\", \" L 1ffeffe7e,8\")", line) : r;
}

static long lackey_read(struct trace *t, struct trace_ref *out, size_t n)
{
    return trace_lines(t, out, n, lackey_one);
}

static bool lackey_looks(const unsigned char *head, size_t n)
{
    struct trace_ref r;
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        if (head[i] != '\n')
            continue;
        char line[80];
        size_t len = i - start < sizeof(line) - 1 ? i - start : sizeof(line) - 1;
        memcpy(line, head + start, len);
        line[len] = 0;
        if (len >= 10 && !memcmp(line, "==", 2) && strstr(line, "Lackey"))
            return true;
        int k = lackey_line(line, len, &r);
        if (k)
            return k > 0;
        start = i + 1;
    }
    return false;
}

const struct format format_lackey = {
    .name = "lackey",
    .about = "valgrind --tool=lackey --trace-mem=yes",
    .suffixes = (const char *const[]){".lackey", NULL},
    .looks = lackey_looks,
    .read = lackey_read,
};

/* ---- lines of numbers ---- */

static struct trace_ref object(uint64_t id)
{
    return (struct trace_ref){.addr = id, .size = 1, .count = 1, .kind = REF_LOAD};
}

/* An object's number; what is no number of that size gets one by its letters. */
static uint64_t object_id(const char *s, size_t len)
{
    char *p = (char *)s;
    uint64_t v, h = 0xcbf29ce484222325;
    if (trace_number(&p, &v) && p == s + len)
        return v;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
    return h;
}

static int txt_one(struct trace *t, char *line, size_t len, struct trace_ref *out)
{
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        line[--len] = 0;
    while (*line == ' ' || *line == '\t')
        line++, len--;
    if (!len || *line == '#')
        return 0;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] <= ' ' || line[i] == 127)
            return trace_fail(t, "'%.40s': one number or name of an object per line is wanted", line);
    *out = object(object_id(line, len));
    return 1;
}

static long txt_read(struct trace *t, struct trace_ref *out, size_t n)
{
    return trace_lines(t, out, n, txt_one);
}

static bool txt_looks(const unsigned char *head, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++) {
        if (head[i] >= '0' && head[i] <= '9')
            digits++;
        else if (head[i] != '\n' && head[i] != '\r' && head[i] != ' ')
            return false;
    }
    return digits;
}

const struct format format_txt = {
    .name = "txt",
    .about = "a number (or name) of an object per line",
    .objects = true,
    .weak = true,
    .suffixes = (const char *const[]){".txt", NULL},
    .looks = txt_looks,
    .read = txt_read,
};

static unsigned block_of(const struct trace *t)
{
    return t->options.block ? t->options.block : t->format->block;
}

static int lirs_one(struct trace *t, char *line, size_t len, struct trace_ref *out)
{
    uint64_t v;
    char *p = line;
    if (!*p || *p == '*')
        return 0;
    if (!trace_number(&p, &v) || (*p && *p != ' ' && *p != '\t'))
        return trace_fail(t, "'%.40s' is no block number", line);
    *out = object(v);
    return 1;
}

static long lirs_read(struct trace *t, struct trace_ref *out, size_t n)
{
    return trace_lines(t, out, n, lirs_one);
}

const struct format format_lirs = {
    .name = "lirs",
    .about = "a block number per line, lines with * are marks",
    .objects = true,
    .suffixes = (const char *const[]){".lirs", ".trc", NULL},
    .read = lirs_read,
};

static long lis_read(struct trace *t, struct trace_ref *out, size_t n)
{
    size_t len;
    char *line;
    uint64_t first, blocks, bytes, addr;
    for (;;) {
        int r = trace_next_line(t, &line, &len);
        if (r <= 0)
            return r;
        char *p = line;
        if (!*p)
            continue;
        if (!trace_number(&p, &first) || !trace_number(&p, &blocks))
            return trace_fail(t, "'%.40s' does not begin with a block and a number of blocks", line);
        if (__builtin_mul_overflow(first, block_of(t), &addr) || __builtin_mul_overflow(blocks, block_of(t), &bytes))
            return trace_fail(t, "blocks %llu and on lie beyond 2^64 bytes", (unsigned long long)first);
        return trace_range(t, out, (struct trace_ref){.addr = addr, .count = 1, .kind = REF_LOAD}, bytes);
    }
}

const struct format format_lis = {
    .name = "lis",
    .about = "first block, blocks, ignored, request (ARC's traces; --block 512)",
    .suffixes = (const char *const[]){".lis", NULL},
    .read = lis_read,
    .block = 512,
};

/* ---- columns ---- */

/* The i-th column (from 1) between delimiters; false when there are fewer. */
static bool column(const char *line, char delimiter, unsigned i, const char **s, size_t *len)
{
    const char *end;
    while (--i) {
        line = strchr(line, delimiter);
        if (!line)
            return false;
        line++;
    }
    end = strchr(line, delimiter);
    *s = line;
    *len = end ? (size_t)(end - line) : strlen(line);
    while (*len && **s == ' ')
        ++*s, --*len;
    return true;
}

static bool column_number(const char *line, char delimiter, unsigned i, uint64_t *v)
{
    const char *s;
    size_t len;
    if (!column(line, delimiter, i, &s, &len))
        return false;
    char *p = (char *)s;
    return trace_number(&p, v) && (*p == delimiter || !*p || *p == '.' || *p == ' ');
}

enum { CSV_DELIMITER, CSV_ID, CSV_KIND, CSV_STARTED };

static bool has_word(const char *s, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (len == strlen(*words) && !strncasecmp(s, *words, len))
            return true;
    return false;
}

/* Looks for the object's column by its name in the header. */
static void csv_header(struct trace *t, const char *line)
{
    static const char *const ids[] = {"obj_id", "obj", "object", "object_id", "id", "key", "lbn", "block", "page", "address", "addr", NULL};
    static const char *const kinds[] = {"op", "type", "kind", "operation", NULL};
    const char *s;
    size_t len;
    for (unsigned i = 1; column(line, (char)t->state[CSV_DELIMITER], i, &s, &len); i++) {
        if (!t->options.id_column && has_word(s, len, ids))
            t->state[CSV_ID] = i;
        if (!t->options.kind_column && has_word(s, len, kinds))
            t->state[CSV_KIND] = i;
    }
}

static char find_delimiter(const char *line)
{
    return strchr(line, ',') ? ',' : strchr(line, ';') ? ';' : strchr(line, '\t') ? '\t' : strchr(line, '|') ? '|' : ',';
}

/* Is the first line a header? */
static bool csv_first(struct trace *t, const char *line)
{
    uint64_t v;
    t->state[CSV_STARTED] = 1;
    t->state[CSV_DELIMITER] = (unsigned char)(t->options.delimiter ? t->options.delimiter : find_delimiter(line));
    t->state[CSV_KIND] = t->options.kind_column;
    t->state[CSV_ID] = t->options.id_column;
    bool header = t->options.header > 0;
    if (t->options.header < 0)
        header = !column_number(line, (char)t->state[CSV_DELIMITER], 1, &v) && !t->options.id_column;
    if (header)
        csv_header(t, line);
    if (!t->state[CSV_ID]) /* libCacheSim's order: time, object, size */
        t->state[CSV_ID] = strchr(line, (char)t->state[CSV_DELIMITER]) ? 2 : 1;
    return header;
}

static uint8_t kind_of_word(const char *s, size_t len)
{
    static const char *const writes[] = {"w", "write", "store", "set", "put", "ws", "wa", "was", "1", NULL};
    return has_word(s, len, writes) ? REF_STORE : REF_LOAD;
}

static int csv_one(struct trace *t, char *line, size_t len, struct trace_ref *out)
{
    size_t k;
    const char *s;
    if (!len || (!t->state[CSV_STARTED] && csv_first(t, line)))
        return 0;
    if (!column(line, (char)t->state[CSV_DELIMITER], (unsigned)t->state[CSV_ID], &s, &k) || !k)
        return trace_fail(t, "'%.40s' has no column %u; say --column N", line, (unsigned)t->state[CSV_ID]);
    *out = object(object_id(s, k));
    if (t->state[CSV_KIND] && column(line, (char)t->state[CSV_DELIMITER], (unsigned)t->state[CSV_KIND], &s, &k))
        out->kind = kind_of_word(s, k);
    return 1;
}

static long csv_read(struct trace *t, struct trace_ref *out, size_t n)
{
    return trace_lines(t, out, n, csv_one);
}

const struct format format_csv = {
    .name = "csv",
    .about = "columns of which one names an object (--column, or by the header)",
    .objects = true,
    .suffixes = (const char *const[]){".csv", NULL},
    .read = csv_read,
};

/* 128166372003061629,hm,1,Read,383496192,32768,413 */
static bool msr_looks(const unsigned char *head, size_t n)
{
    char line[256];
    const unsigned char *nl = memchr(head, '\n', n);
    size_t len = nl ? (size_t)(nl - head) : 0;
    const char *s;
    if (!len || len >= sizeof(line))
        return false;
    memcpy(line, head, len);
    line[len] = 0;
    return column(line, ',', 4, &s, &len) && has_word(s, len, (const char *const[]){"read", "write", "type", NULL}) && column(line, ',', 6, &s, &len);
}

static long msr_read(struct trace *t, struct trace_ref *out, size_t n)
{
    size_t len;
    char *line;
    const char *s;
    uint64_t disk, offset, bytes;
    for (;;) {
        int r = trace_next_line(t, &line, &len);
        if (r <= 0)
            return r;
        if (!len || (t->record == 0 && !column_number(line, ',', 5, &offset)))
            continue;
        if (!column_number(line, ',', 3, &disk) || !column_number(line, ',', 5, &offset) || !column_number(line, ',', 6, &bytes) ||
            !column(line, ',', 4, &s, &len) || disk > UINT32_MAX)
            return trace_fail(t, "'%.60s' is not Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime", line);
        if (!bytes)
            continue;
        struct trace_ref first = {.addr = offset, .count = 1, .kind = kind_of_word(s, len), .space = (uint32_t)disk};
        return trace_range(t, out, first, bytes);
    }
}

const struct format format_msr = {
    .name = "msr",
    .about = "MSR Cambridge and SNIA block traces in CSV",
    .suffixes = (const char *const[]){".msr", NULL},
    .looks = msr_looks,
    .read = msr_read,
};

/* ---- oracleGeneral ---- */

#define ORACLE_RECORD 24u

static long oracle_read(struct trace *t, struct trace_ref *out, size_t n)
{
    unsigned char b[ORACLE_RECORD];
    size_t done = 0;
    while (done < n) {
        int r = trace_bytes(t, b, sizeof(b));
        if (r <= 0)
            return done && !r ? (long)done : r;
        out[done++] = object(trace_little(b + 4, 8));
    }
    return (long)done;
}

const struct format format_oracle = {
    .name = "oracleGeneral",
    .about = "libCacheSim's oracleGeneral, 24 bytes a record",
    .objects = true,
    .suffixes = (const char *const[]){".oracleGeneral", ".oracleGeneral.bin", NULL},
    .read = oracle_read,
};
