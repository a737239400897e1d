/* SPDX-License-Identifier: MIT */
/*
 * Inside of tracing: what an event looks like. Records begin with struct trace_common; fields lie where Linux's compiler
 * puts them. In a print text "@g", "@r", "@w" stand for the tables of gfp flags, reclaim flags and reasons of write-back.
 */
#ifndef MM_OBS_TRACE_DESC_H
#define MM_OBS_TRACE_DESC_H
#include "trace_ring.h"

struct trace_field {
    const char *decl; /* "unsigned long pfn" */
    u16 offset, size;
    bool is_signed;
};
struct trace_desc {
    const char *print;
    const struct trace_field *fields;
    u32 nr_fields;
    void (*show)(struct seq *s, const void *record);
};
#define TRACE_FIELD(name, member, decl, is_signed)                                                 \
    {                                                                                              \
        decl, offsetof(struct record_##name, member), sizeof(((struct record_##name *)0)->member), \
            is_signed                                                                              \
    }
#define TRACE_DESC(name, print)                                                                    \
    const struct trace_desc trace_desc_##name = {print, fields_##name, ARRAY_SIZE(fields_##name),  \
                                                 show_##name};                                     \
    BUILD_ASSERT(sizeof(struct record_##name) <= TRACE_MAX_RECORD)

#define TRACE_DECLARE(system, name) extern const struct trace_desc trace_desc_##name;
TRACE_EVENTS(TRACE_DECLARE)
#undef TRACE_DECLARE

/* Names of bits, the composite ones first, as Linux's __print_flags(). */
struct trace_flag {
    u64 mask;
    const char *name;
};
extern const struct trace_flag trace_gfp_flags[], trace_reclaim_flags[];
extern const unsigned trace_nr_gfp_flags, trace_nr_reclaim_flags;
extern const char *const trace_wb_reasons[8];
void trace_put_gfp(struct seq *s, u64 linux_gfp);
void trace_put_reclaim(struct seq *s, u32 flags);
/* 16 hex digits that stand for the address. */
void trace_put_ptr(struct seq *s, const char *before, u64 p);
#endif
