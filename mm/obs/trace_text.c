/* SPDX-License-Identifier: MIT */
/* The texts of tracing: names, the files "format", the lines of "trace". */
#include <lib/string.h>
#include <port/cpu.h>
#include "trace_desc.h"

#define FIRST_ID 300

const struct trace_flag trace_gfp_flags[] = {
    {0x1c24ca, "GFP_TRANSHUGE"},
    {0x1c20ca, "GFP_TRANSHUGE_LIGHT"},
    {0x100cca, "GFP_HIGHUSER_MOVABLE"},
    {0x100cc2, "GFP_HIGHUSER"},
    {0x100cc0, "GFP_USER"},
    {0x400cc0, "GFP_KERNEL_ACCOUNT"},
    {0xcc0, "GFP_KERNEL"},
    {0xc40, "GFP_NOFS"},
    {0x820, "GFP_ATOMIC"},
    {0xc00, "GFP_NOIO"},
    {0x2800, "GFP_NOWAIT"},
    {0x1, "GFP_DMA"},
    {0x2, "__GFP_HIGHMEM"},
    {0x4, "GFP_DMA32"},
    {0x20, "__GFP_HIGH"},
    {0x40, "__GFP_IO"},
    {0x80, "__GFP_FS"},
    {0x2000, "__GFP_NOWARN"},
    {0x4000, "__GFP_RETRY_MAYFAIL"},
    {0x8000, "__GFP_NOFAIL"},
    {0x10000, "__GFP_NORETRY"},
    {0x40000, "__GFP_COMP"},
    {0x100, "__GFP_ZERO"},
    {0x80000, "__GFP_NOMEMALLOC"},
    {0x20000, "__GFP_MEMALLOC"},
    {0x100000, "__GFP_HARDWALL"},
    {0x200000, "__GFP_THISNODE"},
    {0x10, "__GFP_RECLAIMABLE"},
    {0x8, "__GFP_MOVABLE"},
    {0x400000, "__GFP_ACCOUNT"},
    {0x1000, "__GFP_WRITE"},
    {0xc00, "__GFP_RECLAIM"},
    {0x400, "__GFP_DIRECT_RECLAIM"},
    {0x800, "__GFP_KSWAPD_RECLAIM"},
};
const unsigned trace_nr_gfp_flags = ARRAY_SIZE(trace_gfp_flags);

const struct trace_flag trace_reclaim_flags[] = {
    {0x1, "RECLAIM_WB_ANON"}, {0x2, "RECLAIM_WB_FILE"},  {0x10, "RECLAIM_WB_MIXED"},
    {0x4, "RECLAIM_WB_SYNC"}, {0x8, "RECLAIM_WB_ASYNC"},
};
const unsigned trace_nr_reclaim_flags = ARRAY_SIZE(trace_reclaim_flags);

const char *const trace_wb_reasons[8] = {"background",    "vmscan",       "sync",
                                         "periodic",      "laptop_timer", "fs_free_space",
                                         "forker_thread", "foreign_flush"};

#define DESC_OF(system, name) [TRACE_##name] = &trace_desc_##name,
static const struct trace_desc *const descs[NR_TRACE_EVENTS] = {TRACE_EVENTS(DESC_OF)};
#undef DESC_OF
#define NAME_OF(system, name) [TRACE_##name] = #name,
static const char *const names[NR_TRACE_EVENTS] = {TRACE_EVENTS(NAME_OF)};
#undef NAME_OF
#define SYSTEM_OF(system, name) [TRACE_##name] = #system,
static const char *const systems[NR_TRACE_EVENTS] = {TRACE_EVENTS(SYSTEM_OF)};
#undef SYSTEM_OF

const char *trace_event_name(enum trace_event e)
{
    return names[e];
}
const char *trace_event_system(enum trace_event e)
{
    return systems[e];
}
unsigned trace_event_id(enum trace_event e)
{
    return FIRST_ID + e;
}

/* ---- parts of lines ---- */

static void put_flags(struct seq *s, u64 v, const struct trace_flag *f, unsigned n,
                      const char *none)
{
    bool first = true;
    if (!v)
        seq_puts(s, none);
    for (unsigned i = 0; v && i < n; i++) {
        if ((v & f[i].mask) != f[i].mask)
            continue;
        v &= ~f[i].mask;
        seq_printf(s, "%s%s", first ? "" : "|", f[i].name);
        first = false;
    }
    if (v)
        seq_printf(s, "%s0x%lx", first ? "" : "|", v);
}

void trace_put_gfp(struct seq *s, u64 linux_gfp)
{
    put_flags(s, linux_gfp, trace_gfp_flags, trace_nr_gfp_flags, "none");
}

void trace_put_reclaim(struct seq *s, u32 flags)
{
    put_flags(s, flags, trace_reclaim_flags, trace_nr_reclaim_flags, "RECLAIM_WB_NONE");
}

void trace_put_ptr(struct seq *s, const char *before, u64 p)
{
    seq_printf(s, "%s%016lx", before, trace_hash_ptr(p));
}

/* ---- "format" ---- */

static void put_table(struct seq *s, const char *field, const struct trace_flag *f, unsigned n,
                      const char *none)
{
    seq_printf(s, "(REC->%s) ? __print_flags(REC->%s, \"|\"", field, field);
    for (unsigned i = 0; i < n; i++)
        seq_printf(s, ", {0x%lx, \"%s\"}", f[i].mask, f[i].name);
    seq_printf(s, ") : \"%s\"", none);
}

static void put_reasons(struct seq *s)
{
    seq_puts(s, "__print_symbolic(REC->reason");
    for (unsigned i = 0; i < ARRAY_SIZE(trace_wb_reasons); i++)
        seq_printf(s, ", { %u, \"%s\" }", i, trace_wb_reasons[i]);
    seq_putc(s, ')');
}

static void put_print(struct seq *s, const char *p)
{
    for (; *p; p++) {
        if (*p != '@') {
            seq_putc(s, *p);
            continue;
        }
        p++;
        if (*p == 'g')
            put_table(s, "gfp_flags", trace_gfp_flags, trace_nr_gfp_flags, "none");
        else if (*p == 'r')
            put_table(s, "reclaim_flags", trace_reclaim_flags, trace_nr_reclaim_flags,
                      "RECLAIM_WB_NONE");
        else
            put_reasons(s);
    }
}

static void put_field(struct seq *s, const struct trace_field *f)
{
    seq_printf(s, "\tfield:%s;\toffset:%u;\tsize:%u;\tsigned:%d;\n", f->decl, f->offset, f->size,
               f->is_signed);
}

void trace_format(struct seq *s, enum trace_event e)
{
    static const struct trace_field common[] = {
        {"unsigned short common_type", 0, 2, false},
        {"unsigned char common_flags", 2, 1, false},
        {"unsigned char common_preempt_count", 3, 1, false},
        {"int common_pid", 4, 4, true},
    };
    const struct trace_desc *d = descs[e];
    seq_printf(s, "name: %s\nID: %u\nformat:\n", names[e], trace_event_id(e));
    for (unsigned i = 0; i < ARRAY_SIZE(common); i++)
        put_field(s, &common[i]);
    seq_putc(s, '\n');
    for (unsigned i = 0; i < d->nr_fields; i++)
        put_field(s, &d->fields[i]);
    seq_puts(s, "\nprint fmt: ");
    put_print(s, d->print);
    seq_putc(s, '\n');
}

/* ---- "trace" ---- */

s32 trace_record_pid(const struct trace_record *r)
{
    return ((const struct trace_common *)r->data)->pid;
}

void trace_header(struct seq *s)
{
    struct trace_counts n;
    trace_count(&n);
    seq_printf(s, "# tracer: nop\n#\n# entries-in-buffer/entries-written: %lu/%lu   #P:%u\n#\n",
               n.entries, n.entries + n.overrun, cpumask_weight(cpu_online_mask()));
    seq_puts(s, "#                                _-----=> irqs-off/BH-disabled\n"
                "#                               / _----=> need-resched\n"
                "#                              | / _---=> hardirq/softirq\n"
                "#                              || / _--=> preempt-depth\n"
                "#                              ||| / _-=> migrate-disable\n"
                "#                              |||| /     delay\n"
                "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
                "#              | |         |   |||||     |         |\n");
}

void trace_line(struct seq *s, const struct trace_iter *it, const struct trace_record *r)
{
    const struct trace_common *c = (const void *)r->data;
    unsigned e = c->type - FIRST_ID;
    if (it->lost)
        seq_printf(s, "CPU:%u [LOST %lu EVENTS]\n", r->cpu, it->lost);
    u64 us = (r->ns + 500) / 1000;
    seq_printf(s, "%16.16s-%-7d [%03u] ..... %5lu.%06lu: %s: ", r->comm[0] ? r->comm : "<...>",
               c->pid, r->cpu, us / 1000000, us % 1000000, names[e]);
    descs[e]->show(s, r->data);
    seq_putc(s, '\n');
}
