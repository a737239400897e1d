/* SPDX-License-Identifier: MIT */
/* The events of the page and slab allocators. */
#include <lib/string.h>
#include <mm/page.h>
#include <mm/phys_internal.h>
#include <mm/slab.h>
#include "trace_desc.h"

/* In a record, the frame number of a page that was not had. */
#define NO_PFN (~0UL)
#define CALLER ((u64)(uptr)__builtin_return_address(0))

/* The address of the page's descriptor. */
static void put_page(struct seq *s, u64 pfn)
{
    trace_put_ptr(s, "page=", pfn == NO_PFN ? 0 : (u64)(uptr)pfn_to_page(pfn));
    seq_printf(s, " pfn=0x%lx", pfn == NO_PFN ? 0 : pfn);
}

struct record_mm_page_alloc {
    struct trace_common common;
    u64 pfn;
    u32 order;
    u64 gfp_flags;
    s32 migratetype;
};
static const struct trace_field fields_mm_page_alloc[] = {
    TRACE_FIELD(mm_page_alloc, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_page_alloc, order, "unsigned int order", false),
    TRACE_FIELD(mm_page_alloc, gfp_flags, "unsigned long gfp_flags", false),
    TRACE_FIELD(mm_page_alloc, migratetype, "int migratetype", true),
};
static void show_mm_page_alloc(struct seq *s, const void *record)
{
    const struct record_mm_page_alloc *r = record;
    put_page(s, r->pfn);
    seq_printf(s, " order=%d migratetype=%d gfp_flags=", r->order, r->migratetype);
    trace_put_gfp(s, r->gfp_flags);
}
TRACE_DESC(
    mm_page_alloc,
    "\"page=%p pfn=0x%lx order=%d migratetype=%d gfp_flags=%s\", REC->pfn != -1UL ? REC->pfn : 0, "
    "REC->pfn != -1UL ? REC->pfn : 0, REC->order, REC->migratetype, @g");
void trace_emit_mm_page_alloc(const struct page *page, unsigned order, gfp_t gfp)
{
    struct record_mm_page_alloc r = {.pfn = page ? page_to_pfn(page) : NO_PFN,
                                     .order = order,
                                     .gfp_flags = gfp_linux(gfp),
                                     .migratetype = gfp_migrate_type(gfp)};
    trace_write(TRACE_mm_page_alloc, &r.common, sizeof(r));
}

struct record_mm_page_free {
    struct trace_common common;
    u64 pfn;
    u32 order;
};
static const struct trace_field fields_mm_page_free[] = {
    TRACE_FIELD(mm_page_free, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_page_free, order, "unsigned int order", false),
};
static void show_mm_page_free(struct seq *s, const void *record)
{
    const struct record_mm_page_free *r = record;
    put_page(s, r->pfn);
    seq_printf(s, " order=%d", r->order);
}
TRACE_DESC(mm_page_free, "\"page=%p pfn=0x%lx order=%d\", REC->pfn, REC->pfn, REC->order");
void trace_emit_mm_page_free(const struct page *page, unsigned order)
{
    struct record_mm_page_free r = {.pfn = page_to_pfn(page), .order = order};
    trace_write(TRACE_mm_page_free, &r.common, sizeof(r));
}

struct record_mm_page_free_batched {
    struct trace_common common;
    u64 pfn;
};
static const struct trace_field fields_mm_page_free_batched[] = {
    TRACE_FIELD(mm_page_free_batched, pfn, "unsigned long pfn", false),
};
static void show_mm_page_free_batched(struct seq *s, const void *record)
{
    const struct record_mm_page_free_batched *r = record;
    put_page(s, r->pfn);
    seq_puts(s, " order=0");
}
TRACE_DESC(mm_page_free_batched, "\"page=%p pfn=0x%lx order=0\", REC->pfn, REC->pfn");
void trace_emit_mm_page_free_batched(const struct page *page)
{
    struct record_mm_page_free_batched r = {.pfn = page_to_pfn(page)};
    trace_write(TRACE_mm_page_free_batched, &r.common, sizeof(r));
}

struct record_mm_page_pcpu_drain {
    struct trace_common common;
    u64 pfn;
    u32 order;
    s32 migratetype;
};
static const struct trace_field fields_mm_page_pcpu_drain[] = {
    TRACE_FIELD(mm_page_pcpu_drain, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_page_pcpu_drain, order, "unsigned int order", false),
    TRACE_FIELD(mm_page_pcpu_drain, migratetype, "int migratetype", true),
};
static void show_mm_page_pcpu_drain(struct seq *s, const void *record)
{
    const struct record_mm_page_pcpu_drain *r = record;
    put_page(s, r->pfn);
    seq_printf(s, " order=%d migratetype=%d", r->order, r->migratetype);
}
TRACE_DESC(mm_page_pcpu_drain, "\"page=%p pfn=0x%lx order=%d migratetype=%d\", REC->pfn, REC->pfn, "
                               "REC->order, REC->migratetype");
void trace_emit_mm_page_pcpu_drain(const struct page *page, unsigned order)
{
    const struct zone *z = &nodes[page_node(page)]->zone[page_zone_index(page)];
    struct record_mm_page_pcpu_drain r = {.pfn = page_to_pfn(page),
                                          .order = order,
                                          .migratetype = pageblock_type(z, page_to_pfn(page))};
    trace_write(TRACE_mm_page_pcpu_drain, &r.common, sizeof(r));
}

struct record_mm_page_alloc_zone_locked {
    struct trace_common common;
    u64 pfn;
    u32 order;
    s32 migratetype, percpu_refill;
};
static const struct trace_field fields_mm_page_alloc_zone_locked[] = {
    TRACE_FIELD(mm_page_alloc_zone_locked, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_page_alloc_zone_locked, order, "unsigned int order", false),
    TRACE_FIELD(mm_page_alloc_zone_locked, migratetype, "int migratetype", true),
    TRACE_FIELD(mm_page_alloc_zone_locked, percpu_refill, "int percpu_refill", true),
};
static void show_mm_page_alloc_zone_locked(struct seq *s, const void *record)
{
    const struct record_mm_page_alloc_zone_locked *r = record;
    put_page(s, r->pfn);
    seq_printf(s, " order=%u migratetype=%d percpu_refill=%d", r->order, r->migratetype,
               r->percpu_refill);
}
TRACE_DESC(mm_page_alloc_zone_locked,
           "\"page=%p pfn=0x%lx order=%u migratetype=%d percpu_refill=%d\", REC->pfn != -1UL ? "
           "REC->pfn : 0, "
           "REC->pfn != -1UL ? REC->pfn : 0, REC->order, REC->migratetype, REC->percpu_refill");
void trace_emit_mm_page_alloc_zone_locked(const struct page *page, unsigned order, int type,
                                          int refill)
{
    struct record_mm_page_alloc_zone_locked r = {.pfn = page ? page_to_pfn(page) : NO_PFN,
                                                 .order = order,
                                                 .migratetype = type,
                                                 .percpu_refill = refill};
    trace_write(TRACE_mm_page_alloc_zone_locked, &r.common, sizeof(r));
}

/* ---- slab ---- */

struct record_kmalloc {
    struct trace_common common;
    u64 call_site, ptr, bytes_req, bytes_alloc, gfp_flags;
    s32 node;
};
static const struct trace_field fields_kmalloc[] = {
    TRACE_FIELD(kmalloc, call_site, "unsigned long call_site", false),
    TRACE_FIELD(kmalloc, ptr, "const void * ptr", false),
    TRACE_FIELD(kmalloc, bytes_req, "size_t bytes_req", false),
    TRACE_FIELD(kmalloc, bytes_alloc, "size_t bytes_alloc", false),
    TRACE_FIELD(kmalloc, gfp_flags, "unsigned long gfp_flags", false),
    TRACE_FIELD(kmalloc, node, "int node", true),
};
static void put_alloc(struct seq *s, const struct record_kmalloc *r, bool accounted)
{
    seq_printf(s, "call_site=0x%lx", r->call_site);
    trace_put_ptr(s, " ptr=", r->ptr);
    seq_printf(s, " bytes_req=%lu bytes_alloc=%lu gfp_flags=", r->bytes_req, r->bytes_alloc);
    trace_put_gfp(s, r->gfp_flags);
    seq_printf(s, " node=%d accounted=%s", r->node, accounted ? "true" : "false");
}
static void show_kmalloc(struct seq *s, const void *record)
{
    const struct record_kmalloc *r = record;
    put_alloc(s, r, r->gfp_flags & 0x400000);
}
TRACE_DESC(kmalloc, "\"call_site=%pS ptr=%p bytes_req=%zu bytes_alloc=%zu gfp_flags=%s node=%d "
                    "accounted=%s\", (void "
                    "*)REC->call_site, REC->ptr, REC->bytes_req, REC->bytes_alloc, @g, REC->node, "
                    "(1 && (REC->gfp_flags & "
                    "0x400000)) ? \"true\" : \"false\"");
void trace_emit_kmalloc(const void *p, size_t size, size_t room, gfp_t gfp)
{
    struct record_kmalloc r = {.call_site = CALLER,
                               .ptr = (u64)(uptr)p,
                               .bytes_req = size,
                               .bytes_alloc = room,
                               .gfp_flags = gfp_linux(gfp),
                               .node = -1};
    trace_write(TRACE_kmalloc, &r.common, sizeof(r));
}

struct record_kmem_cache_alloc {
    struct record_kmalloc a;
};
BUILD_ASSERT(offsetof(struct record_kmalloc, node) == 48);
/* The byte behind node, in the padding of record_kmalloc. */
#define ACCOUNTED_AT 52
static const struct trace_field fields_kmem_cache_alloc[] = {
    TRACE_FIELD(kmalloc, call_site, "unsigned long call_site", false),
    TRACE_FIELD(kmalloc, ptr, "const void * ptr", false),
    TRACE_FIELD(kmalloc, bytes_req, "size_t bytes_req", false),
    TRACE_FIELD(kmalloc, bytes_alloc, "size_t bytes_alloc", false),
    TRACE_FIELD(kmalloc, gfp_flags, "unsigned long gfp_flags", false),
    TRACE_FIELD(kmalloc, node, "int node", true),
    {"bool accounted", ACCOUNTED_AT, 1, false},
};
static void show_kmem_cache_alloc(struct seq *s, const void *record)
{
    put_alloc(s, record, ((const u8 *)record)[ACCOUNTED_AT]);
}
TRACE_DESC(kmem_cache_alloc, "\"call_site=%pS ptr=%p bytes_req=%zu bytes_alloc=%zu gfp_flags=%s "
                             "node=%d accounted=%s\", (void "
                             "*)REC->call_site, REC->ptr, REC->bytes_req, REC->bytes_alloc, @g, "
                             "REC->node, REC->accounted ? \"true\" : \"false\"");
void trace_emit_kmem_cache_alloc(const struct slab_cache *c, const void *p, gfp_t gfp)
{
    struct record_kmem_cache_alloc r = {.a = {.call_site = CALLER,
                                              .ptr = (u64)(uptr)p,
                                              .bytes_req = c->size,
                                              .bytes_alloc = c->stride,
                                              .gfp_flags = gfp_linux(gfp),
                                              .node = -1}};
    ((u8 *)&r)[ACCOUNTED_AT] = !!(gfp & GFP_ACCOUNT);
    trace_write(TRACE_kmem_cache_alloc, &r.a.common, sizeof(r));
}

struct record_kfree {
    struct trace_common common;
    u64 call_site, ptr;
};
static const struct trace_field fields_kfree[] = {
    TRACE_FIELD(kfree, call_site, "unsigned long call_site", false),
    TRACE_FIELD(kfree, ptr, "const void * ptr", false),
};
static void show_kfree(struct seq *s, const void *record)
{
    const struct record_kfree *r = record;
    seq_printf(s, "call_site=0x%lx", r->call_site);
    trace_put_ptr(s, " ptr=", r->ptr);
}
TRACE_DESC(kfree, "\"call_site=%pS ptr=%p\", (void *)REC->call_site, REC->ptr");
/* The trace point stands in kfree(), which passes its own caller on. */
void trace_emit_kfree(const void *p, u64 caller)
{
    struct record_kfree r = {.call_site = caller, .ptr = (u64)(uptr)p};
    trace_write(TRACE_kfree, &r.common, sizeof(r));
}

struct record_kmem_cache_free {
    struct trace_common common;
    u64 call_site, ptr;
    u32 name_at; /* Linux's __data_loc: length << 16 | offset */
    char name[32];
};
static const struct trace_field fields_kmem_cache_free[] = {
    TRACE_FIELD(kmem_cache_free, call_site, "unsigned long call_site", false),
    TRACE_FIELD(kmem_cache_free, ptr, "const void * ptr", false),
    TRACE_FIELD(kmem_cache_free, name_at, "__data_loc char[] name", false),
};
static void show_kmem_cache_free(struct seq *s, const void *record)
{
    const struct record_kmem_cache_free *r = record;
    seq_printf(s, "call_site=0x%lx", r->call_site);
    trace_put_ptr(s, " ptr=", r->ptr);
    seq_printf(s, " name=%s", r->name);
}
TRACE_DESC(kmem_cache_free,
           "\"call_site=%pS ptr=%p name=%s\", (void *)REC->call_site, REC->ptr, __get_str(name)");
void trace_emit_kmem_cache_free(const struct slab_cache *c, const void *p)
{
    struct record_kmem_cache_free r = {.call_site = CALLER, .ptr = (u64)(uptr)p};
    str_copy(r.name, c->name, sizeof(r.name));
    r.name_at =
        (u32)(str_len(r.name) + 1) << 16 | (u32)offsetof(struct record_kmem_cache_free, name);
    trace_write(TRACE_kmem_cache_free, &r.common, sizeof(r));
}
