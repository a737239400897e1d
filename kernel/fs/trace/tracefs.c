/* SPDX-License-Identifier: MIT */
/*
 * tracefs: the switches of tracing as files, under the names and with the texts of Linux 6.12.
 *
 *   tracing_on  set_event  available_events  events/{enable,SYSTEM/{enable,filter},SYSTEM/EVENT/{enable,filter,format,id}}
 *   trace  trace_pipe (stream.c)  buffer_size_kb  current_tracer  available_tracers  trace_clock  saved_cmdlines  README
 *
 * Locks: none; mm/obs/trace.c has its own.
 */
#include "tracefs.h"
#include <lib/string.h>
#include <port/cpu.h>

#define ROOT "/sys/kernel/tracing/"

/* ---- which events: a system or "*", an event or "*" ---- */

static bool name_is(const char *name, const char *word, size_t n)
{
    return (n == 1 && *word == '*') || (str_len(name) == n && memcmp(name, word, n) == 0);
}

/* Switches what "SYSTEM:EVENT", "SYSTEM:", "SYSTEM" or "EVENT" names. 0, -EINVAL: nothing, -ENOMEM. */
static int set_named(const char *word, size_t n, bool on)
{
    size_t colon = 0;
    int err = -EINVAL;
    while (colon < n && word[colon] != ':')
        colon++;
    const char *event = colon < n ? word + colon + 1 : word;
    size_t len = colon < n ? n - colon - 1 : n;
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++) {
        bool in_system = name_is(trace_event_system(e), word, colon);
        bool named = !len || name_is(trace_event_name(e), event, len);
        if (colon < n ? !(in_system && named) : !(in_system || named))
            continue;
        err = trace_event_enable(e, on);
        if (err)
            return err;
    }
    return err;
}

size_t trace_word(const char **p, const char **word)
{
    while (**p == ' ' || **p == '\n' || **p == '\t')
        ++*p;
    *word = *p;
    while (**p && **p != ' ' && **p != '\n' && **p != '\t')
        ++*p;
    return (size_t)(*p - *word);
}

static int store_set_event(const char *text, size_t n, void *arg)
{
    const char *word;
    size_t len;
    while ((len = trace_word(&text, &word))) {
        bool off = *word == '!';
        int err = set_named(word + off, len - off, !off);
        if (err)
            return err;
    }
    return 0;
}
static void show_set_event(struct seq *s, void *arg)
{
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++)
        if (trace_event_enabled(e))
            seq_printf(s, "%s:%s\n", trace_event_system(e), trace_event_name(e));
}
static void all_off(void)
{
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++)
        trace_event_enable(e, false);
}
static void show_available_events(struct seq *s, void *arg)
{
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++)
        seq_printf(s, "%s:%s\n", trace_event_system(e), trace_event_name(e));
}

/* ---- enable: of all (NULL), of a system, of an event ---- */

static int parse_switch(const char *text, bool *on)
{
    u64 v;
    const char *end;
    if (str_parse_u64(text, 10, &v, &end) || (*end && *end != '\n') || v > 1)
        return -EINVAL;
    *on = v;
    return 0;
}
static void show_system_enable(struct seq *s, void *system)
{
    bool some = false, all = true;
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++) {
        if (system && !str_eq(trace_event_system(e), system))
            continue;
        some |= trace_event_enabled(e);
        all &= trace_event_enabled(e);
    }
    seq_puts(s, !some ? "0\n" : all ? "1\n" : "X\n");
}
static int store_system_enable(const char *text, size_t n, void *system)
{
    bool on;
    if (parse_switch(text, &on))
        return -EINVAL;
    const char *word = system ? system : "*";
    return set_named(word, str_len(word), on);
}
static void show_enable(struct seq *s, void *arg)
{
    seq_puts(s, trace_event_enabled((enum trace_event)(uptr)arg) ? "1\n" : "0\n");
}
static int store_enable(const char *text, size_t n, void *arg)
{
    bool on;
    return parse_switch(text, &on) ? -EINVAL : trace_event_enable((enum trace_event)(uptr)arg, on);
}
static void show_format(struct seq *s, void *arg)
{
    trace_format(s, (enum trace_event)(uptr)arg);
}
static void show_id(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", trace_event_id((enum trace_event)(uptr)arg));
}
/* There are no filters: "0", which takes one away, is all that can be written. */
static void show_filter(struct seq *s, void *arg)
{
    seq_puts(s, "none\n");
}
static void show_system_filter(struct seq *s, void *arg)
{
    seq_puts(s, "### global filter ###\n"
                "# Use this to set filters for multiple events.\n"
                "# Only events with the given fields will be affected.\n"
                "# If no events are modified, an error message will be displayed here\n");
}
static int store_filter(const char *text, size_t n, void *arg)
{
    const char *word;
    return trace_word(&text, &word) == 1 && *word == '0' ? 0 : -EINVAL;
}

/* ---- the buffers ---- */

static void show_tracing_on(struct seq *s, void *arg)
{
    seq_puts(s, trace_recording() ? "1\n" : "0\n");
}
static int store_tracing_on(const char *text, size_t n, void *arg)
{
    u64 v;
    const char *end;
    if (str_parse_u64(text, 10, &v, &end) || (*end && *end != '\n'))
        return -EINVAL;
    trace_set_recording(v);
    return 0;
}
static void show_buffer_size(struct seq *s, void *cpus)
{
    bool allocated;
    u64 kb = trace_buffer_kb(&allocated), n = (u64)(uptr)cpus;
    if (allocated)
        seq_printf(s, "%lu\n", kb * n);
    else
        seq_printf(s, "%lu (expanded: %lu)\n", 7 * n,
                   kb * n); /* what Linux keeps before the first event */
}
static int store_buffer_size(const char *text, size_t n, void *arg)
{
    u64 kb;
    const char *end;
    if (str_parse_u64(text, 10, &kb, &end) || (*end && *end != '\n'))
        return -EINVAL;
    return trace_set_buffer_kb(kb);
}

/* The one of a list of names that is there: nothing else can be chosen. */
static void show_words(struct seq *s, void *text)
{
    seq_puts(s, text);
}
static int store_only(const char *text, size_t n, const char *only)
{
    const char *word;
    size_t len = trace_word(&text, &word);
    return len == str_len(only) && memcmp(word, only, len) == 0 ? 0 : -EINVAL;
}
static int store_tracer(const char *text, size_t n, void *arg)
{
    return store_only(text, n, "nop");
}
static int store_clock(const char *text, size_t n, void *arg)
{
    return store_only(text, n, "local");
}

/* Numbers and names of the threads in the buffers, the last name that each had. */
#define MAX_CMDLINES 128
struct cmdlines {
    struct trace_iter it;
    struct trace_record record;
    u32 n;
    struct {
        s32 pid;
        char comm[TRACE_COMM_LEN];
    } of[MAX_CMDLINES];
};
static void show_saved_cmdlines(struct seq *s, void *arg)
{
    struct cmdlines *c = kvmalloc(sizeof(*c), GFP_KERNEL);
    if (!c)
        return;
    memset(c, 0, sizeof(*c));
    while (trace_next(&c->it, &c->record)) {
        s32 pid = trace_record_pid(&c->record);
        u32 k = 0;
        while (k < c->n && c->of[k].pid != pid)
            k++;
        if (k == MAX_CMDLINES || !pid)
            continue;
        c->n = max(c->n, k + 1);
        c->of[k].pid = pid;
        memcpy(c->of[k].comm, c->record.comm, TRACE_COMM_LEN);
    }
    for (u32 k = 0; k < c->n; k++)
        seq_printf(s, "%d %s\n", c->of[k].pid, c->of[k].comm);
    kvfree(c);
}

static const char readme[] =
    "Events of memory management as text.\n\n"
    "  tracing_on         0: nothing is recorded, 1: what is switched on is\n"
    "  available_events   all events, SYSTEM:EVENT\n"
    "  set_event          those that are on; written: SYSTEM:EVENT, SYSTEM or EVENT, '*' for all, "
    "'!' before it: off\n"
    "  events/            switches of all, of a system, of an event; format: its fields\n"
    "  trace              what was recorded; emptied by: echo > trace\n"
    "  trace_pipe         the same, taken out of the buffers; waits for more\n"
    "  buffer_size_kb     of each CPU; the oldest events make room for new ones\n"
    "  trace_clock        local: nanoseconds since boot, the same on all CPUs\n";

/* ---- names ---- */

static const char *join(const char *a, const char *b, const char *c, const char *d)
{
    char path[160];
    fmt_print(path, sizeof(path), ROOT "%s%s%s%s", a, b, c, d);
    return kstrdup(path, GFP_KERNEL);
}

static void add(const char *path, u32 mode, void (*show)(struct seq *, void *),
                int (*store)(const char *, size_t, void *), u64 arg)
{
    struct proc_file f = {path, mode, show, store, (void *)(uptr)arg};
    if (path)
        proc_register(&f);
}

static void add_stream(const char *path, u32 mode, const struct file_ops *ops, void (*cut)(void))
{
    struct pnode *n = pnode_make(path, S_IFREG | mode);
    if (!n)
        return;
    n->fops = ops;
    n->cut = cut;
}

static void add_events(void)
{
    const char *last = "";
    pnode_make(ROOT "events", S_IFDIR | 0755);
    add(ROOT "events/enable", 0640, show_system_enable, store_system_enable, 0);
    for (unsigned e = 0; e < NR_TRACE_EVENTS; e++) {
        const char *system = trace_event_system(e), *name = trace_event_name(e);
        if (!str_eq(system, last)) {
            add(join("events/", system, "", "/enable"), 0640, show_system_enable,
                store_system_enable, (u64)(uptr)system);
            add(join("events/", system, "", "/filter"), 0640, show_system_filter, store_filter, 0);
            last = system;
        }
        char dir[96];
        fmt_print(dir, sizeof(dir), "events/%s/", system);
        add(join(dir, name, "", "/enable"), 0640, show_enable, store_enable, e);
        add(join(dir, name, "", "/filter"), 0640, show_filter, store_filter, e);
        add(join(dir, name, "", "/format"), 0440, show_format, NULL, e);
        add(join(dir, name, "", "/id"), 0440, show_id, NULL, e);
    }
}

static void comm_of_current(char name[TRACE_COMM_LEN])
{
    struct task *t = current_task();
    memcpy(name, t->comm, TRACE_COMM_LEN);
}

/* Shared anonymous memory has no inode of ours. */
static void file_of_mapping(const struct address_space *m, u32 *major, u32 *minor, u64 *ino)
{
    const struct inode *i = m->host;
    if (!i || &i->mapping != m)
        return;
    *major = dev_major(i->sb->dev);
    *minor = dev_minor(i->sb->dev);
    *ino = i->ino;
}

void tracefs_register(void)
{
    static const struct trace_home home = {.comm = comm_of_current, .file = file_of_mapping};
    u64 cpus = cpu_nr_possible();
    trace_boot(&home);
    add(ROOT "README", 0440, show_words, NULL, (u64)(uptr)readme);
    add(ROOT "available_events", 0440, show_available_events, NULL, 0);
    add(ROOT "available_tracers", 0440, show_words, NULL, (u64)(uptr) "nop\n");
    add(ROOT "buffer_size_kb", 0640, show_buffer_size, store_buffer_size, 1);
    add(ROOT "buffer_total_size_kb", 0440, show_buffer_size, NULL, cpus);
    add(ROOT "current_tracer", 0640, show_words, store_tracer, (u64)(uptr) "nop\n");
    add(ROOT "saved_cmdlines", 0440, show_saved_cmdlines, NULL, 0);
    add(ROOT "set_event", 0640, show_set_event, store_set_event, 0);
    add(ROOT "trace_clock", 0640, show_words, store_clock, (u64)(uptr) "[local]\n");
    add(ROOT "tracing_on", 0640, show_tracing_on, store_tracing_on, 0);
    add_stream(ROOT "trace", 0640, &trace_file_ops, trace_clear);
    add_stream(ROOT "trace_pipe", 0440, &trace_pipe_ops, NULL);
    struct pnode *n = pnode_make(ROOT "set_event", S_IFREG | 0640);
    if (n)
        n->cut = all_off;
    add_events();
}
