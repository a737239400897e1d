/* SPDX-License-Identifier: MIT */
/*
 * Forms of traces that tracers of running programs write.
 *
 *   drmemtrace  DynamoRIO: records of 12 bytes, u16 type, u16 size, u64 address, little endian; the first is a header (type 25)
 *   perf        lines of `perf script`: page faults (page-faults with their address, exceptions:page_fault_user and _kernel)
 *               and filemap:mm_filemap_* events, which name a page of a file; lines of other events are passed over
 *
 * Sources: DynamoRIO's documentation of drmemtrace (trace_type_t, trace_entry_t); perf-script(1); the events' format files.
 */
#include <string.h>

#include "trace_internal.h"

/* ---- drmemtrace ---- */

#define DR_RECORD 12u
enum {
    DR_READ = 0,
    DR_WRITE = 1,
    DR_PREFETCH_LAST = 9,
    DR_INSTR = 10,
    DR_INSTR_LAST = 16,
    DR_BUNDLE = 17,
    DR_THREAD = 22,
    DR_PID = 24,
    DR_HEADER = 25,
    DR_FOOTER = 26,
    DR_INSTR_MAYBE_FETCH = 30,
    DR_SYSENTER = 31,
    DR_PREFETCH_NEW = 32,
    DR_ENCODING = 47,
    DR_INSTR_TAKEN = 48,
    DR_INSTR_UNTAKEN = 49,
    DR_TYPES = 64,
};
enum { DR_PC, DR_SPACE, DR_LAST_STRING }; /* of trace.state */

static bool dr_looks(const unsigned char *head, size_t n)
{
    return n >= 2 * DR_RECORD && trace_little(head, 2) == DR_HEADER && trace_little(head + 4, 8) < 64 && trace_little(head + 12, 2) < DR_TYPES;
}

static struct trace_ref dr_ref(const struct trace *t, uint64_t addr, unsigned size, enum ref_kind kind)
{
    return (struct trace_ref){.addr = addr, .size = size ? size : 1, .count = 1, .kind = (uint8_t)kind, .space = (uint32_t)t->state[DR_SPACE]};
}

static bool dr_is_instruction(unsigned type)
{
    return (type >= DR_INSTR && type <= DR_INSTR_LAST) || type == DR_SYSENTER || type == DR_INSTR_TAKEN || type == DR_INSTR_UNTAKEN;
}

/* A bundle: the lengths of up to eight instructions that follow the last one. */
static long dr_bundle(struct trace *t, const unsigned char *b, struct trace_ref *out)
{
    unsigned n = (unsigned)trace_little(b + 2, 2);
    if (n > 8)
        return trace_fail(t, "a bundle of %u instructions", n);
    for (unsigned i = 0; i < n; i++) {
        out[i] = dr_ref(t, t->state[DR_PC], b[4 + i], REF_FETCH);
        t->state[DR_PC] += b[4 + i];
    }
    return n;
}

static long dr_record(struct trace *t, const unsigned char *b, struct trace_ref *out)
{
    unsigned type = (unsigned)trace_little(b, 2), size = (unsigned)trace_little(b + 2, 2);
    uint64_t addr = trace_little(b + 4, 8);
    if (type >= DR_TYPES)
        return trace_fail(t, "a record of type %u", type);
    if (type == DR_PID)
        t->state[DR_SPACE] = (uint32_t)addr;
    bool again = type == DR_INSTR_MAYBE_FETCH && addr == t->state[DR_LAST_STRING]; /* the same string instruction goes on */
    if (type != DR_READ && type != DR_WRITE && type != DR_ENCODING)
        t->state[DR_LAST_STRING] = type == DR_INSTR_MAYBE_FETCH ? addr : UINT64_MAX;
    if (type == DR_BUNDLE)
        return dr_bundle(t, b, out);
    bool fetch = dr_is_instruction(type) || (type == DR_INSTR_MAYBE_FETCH && !again);
    if (!fetch && type != DR_READ && type != DR_WRITE)
        return 0;
    if (addr + size < addr)
        return trace_fail(t, "%u bytes at %#llx", size, (unsigned long long)addr);
    out[0] = dr_ref(t, addr, size, fetch ? REF_FETCH : type == DR_READ ? REF_LOAD : REF_STORE);
    if (fetch)
        t->state[DR_PC] = addr + size;
    return 1;
}

static long dr_read(struct trace *t, struct trace_ref *out, size_t n)
{
    unsigned char b[DR_RECORD];
    struct trace_ref some[8];
    size_t done = 0;
    while (done < n) {
        long k = n - done < 8 ? (long)(n - done) : 8;
        if (k < 8 && done)
            break;
        int r = trace_bytes(t, b, sizeof(b));
        if (r <= 0)
            return done && !r ? (long)done : r;
        long made = dr_record(t, b, some);
        if (made < 0)
            return -1;
        if (made > k)
            return trace_fail(t, "room for 8 references is needed");
        memcpy(out + done, some, (size_t)made * sizeof(some[0]));
        done += (size_t)made;
    }
    return (long)done;
}

const struct format format_drmemtrace = {
    .name = "drmemtrace",
    .about = "DynamoRIO's memory traces",
    .suffixes = (const char *const[]){".drmemtrace", ".memtrace", NULL},
    .looks = dr_looks,
    .read = dr_read,
};

/* ---- perf script ---- */

/* "12345.678901:" */
static bool is_time(const char *s, size_t n)
{
    bool dot = false;
    if (n < 3 || s[n - 1] != ':' || s[0] < '0' || s[0] > '9')
        return false;
    for (size_t i = 0; i + 1 < n; i++) {
        if (s[i] == '.' && !dot)
            dot = true;
        else if (s[i] < '0' || s[i] > '9')
            return false;
    }
    return dot;
}

/* The word at or behind *s; false at the end. */
static bool word(const char **s, size_t *n)
{
    *s += strspn(*s, " \t");
    *n = strcspn(*s, " \t");
    return *n;
}

/* "address=0x7f..." or "ofs=4096": the number behind the name. */
static bool field(const char *line, const char *name, bool hex, uint64_t *v)
{
    const char *s = strstr(line, name);
    if (!s)
        return false;
    s += strlen(name);
    if (s[0] == '0' && s[1] == 'x')
        s += 2, hex = true;
    const char *first = s;
    *v = 0;
    for (; s - first < 17; s++) {
        unsigned d = (unsigned)(*s - '0');
        if (d > 9)
            d = hex ? (unsigned)((*s | 32) - 'a') + 10 : 99;
        if (d >= (hex ? 16u : 10u))
            break;
        *v = *v * (hex ? 16 : 10) + d;
    }
    return s != first && s - first < 17;
}

static struct trace_ref fault_ref(uint64_t addr, uint64_t pid, uint64_t error_code)
{
    enum ref_kind kind = error_code & 16 ? REF_FETCH : error_code & 2 ? REF_STORE : REF_LOAD;
    return (struct trace_ref){.addr = addr, .size = 1, .count = 1, .kind = (uint8_t)kind, .space = (uint32_t)pid};
}

/* What the event says: 1, 0 when it is none of ours, -1 when it lacks a field. */
static int perf_event(const char *event, size_t n, const char *rest, uint64_t pid, struct trace_ref *out)
{
    uint64_t a, b, ofs;
    char name[64];
    if (n >= sizeof(name))
        return 0;
    memcpy(name, event, n);
    name[n] = 0;
    if (strstr(name, "page_fault_user") || strstr(name, "page_fault_kernel")) {
        if (!field(rest, "address=", true, &a) || !field(rest, "error_code=", true, &b))
            return -1;
        *out = fault_ref(a, pid, b);
        return 1;
    }
    if (strstr(name, "page-faults") || strstr(name, "minor-faults") || strstr(name, "major-faults") || !strcmp(name, "faults:")) {
        rest += strspn(rest, " \t");
        if (!field(rest, "", true, &a))
            return -1;
        *out = fault_ref(a, pid, 0);
        return 1;
    }
    if (!strstr(name, "mm_filemap_"))
        return 0;
    if (!field(rest, "ino ", true, &b) || !field(rest, "ofs=", false, &ofs))
        return -1;
    *out = (struct trace_ref){.addr = ofs, .size = 1, .count = 1, .kind = REF_LOAD, .space = (uint32_t)(b ^ b >> 32) | 1u << 31};
    return 1;
}

/* "ls  1234 [001]  5.678901: exceptions:page_fault_user: address=0x..." */
static int perf_line(const char *line, struct trace_ref *out)
{
    const char *s = line;
    uint64_t pid = 0, v;
    size_t n;
    for (; word(&s, &n); s += n) {
        if (is_time(s, n)) {
            s += n;
            if (!word(&s, &n))
                return -1;
            const char *event = s;
            while (n && event[n - 1] != ':') { /* "1 page-faults:": a period stands before the name */
                s += n;
                if (!word(&s, &n))
                    return -1;
                event = s;
            }
            return perf_event(event, n, s + n, pid, out);
        }
        char *p = (char *)s;
        if (*s >= '0' && *s <= '9' && trace_number(&p, &v) && (p == s + n || *p == '/'))
            pid = v;
    }
    return -1;
}

static int perf_one(struct trace *t, char *line, size_t len, struct trace_ref *out)
{
    if (!len || *line == '#' || *line == '\t') /* call chains are indented by a tab */
        return 0;
    int r = perf_line(line, out);
    return r < 0 ? trace_fail(t, "'%.60s' is no line of perf script with a time, an event and its address", line) : r;
}

static long perf_read(struct trace *t, struct trace_ref *out, size_t n)
{
    return trace_lines(t, out, n, perf_one);
}

static bool perf_looks(const unsigned char *head, size_t n)
{
    char line[512];
    const unsigned char *nl;
    struct trace_ref r;
    for (; n && (nl = memchr(head, '\n', n)); n -= (size_t)(nl + 1 - head), head = nl + 1) {
        size_t len = (size_t)(nl - head);
        if (!len || *head == '#')
            continue;
        if (len >= sizeof(line))
            return false;
        memcpy(line, head, len);
        line[len] = 0;
        return !memchr(line, 0, len) && perf_line(line, &r) >= 0;
    }
    return false;
}

const struct format format_perf = {
    .name = "perf",
    .about = "perf script: page faults and mm_filemap events",
    .suffixes = (const char *const[]){".perf", NULL},
    .looks = perf_looks,
    .read = perf_read,
};
