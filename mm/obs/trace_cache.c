/* SPDX-License-Identifier: MIT */
/* The events of the page cache and of write-back. */
#include <lib/string.h>
#include <mm/cache.h>
#include <mm/stat.h>
#include <mm/writeback.h>
#include "trace_desc.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)
#define NS_PER_MS    1000000UL
#define ROOT_CGROUP  1 /* its inode number: what Linux shows without cgroups of its own */

/* Device numbers in records are Linux's dev_t. */
#define DEV_MAJOR(dev) ((dev) >> 20)
#define DEV_MINOR(dev) ((dev)&0xfffff)

static void file_of(const struct address_space *m, u32 *dev, u64 *ino)
{
    u32 major = 0, minor = 0;
    *ino = 0;
    if (trace_home.file)
        trace_home.file(m, &major, &minor, ino);
    *dev = major << 20 | minor;
}

static void copy_bdi(char name[32], const struct backing_dev *b)
{
    str_copy(name, b ? b->name : "(unknown)", 32);
}

struct record_mm_filemap_add_to_page_cache {
    struct trace_common common;
    u64 pfn;
    u64 i_ino;
    u64 index;
    u32 s_dev;
    u8 order;
};
static const struct trace_field fields_mm_filemap_add_to_page_cache[] = {
    TRACE_FIELD(mm_filemap_add_to_page_cache, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_filemap_add_to_page_cache, i_ino, "unsigned long i_ino", false),
    TRACE_FIELD(mm_filemap_add_to_page_cache, index, "unsigned long index", false),
    TRACE_FIELD(mm_filemap_add_to_page_cache, s_dev, "dev_t s_dev", false),
    TRACE_FIELD(mm_filemap_add_to_page_cache, order, "unsigned char order", false),
};
static void show_mm_filemap_add_to_page_cache(struct seq *s, const void *record)
{
    const struct record_mm_filemap_add_to_page_cache *r = record;
    seq_printf(s, "dev %u:%u ino %lx pfn=0x%lx ofs=%lu order=%u", DEV_MAJOR(r->s_dev),
               DEV_MINOR(r->s_dev), r->i_ino, r->pfn, r->index << PAGE_SHIFT, r->order);
}
TRACE_DESC(mm_filemap_add_to_page_cache,
           "\"dev %d:%d ino %lx pfn=0x%lx ofs=%lu order=%u\", ((unsigned int) ((REC->s_dev) >> "
           "20)), ((unsigned int) ((REC->s_dev) & ((1U << 20) - 1))), REC->i_ino, REC->pfn, "
           "REC->index << 12, REC->order");
void trace_emit_mm_filemap_add_to_page_cache(const struct address_space *m, const struct page *page)
{
    struct record_mm_filemap_add_to_page_cache r = {.pfn = page_to_pfn(page), .index = page->index};
    file_of(m, &r.s_dev, &r.i_ino);
    trace_write(TRACE_mm_filemap_add_to_page_cache, &r.common, sizeof(r));
}

struct record_mm_filemap_delete_from_page_cache {
    struct trace_common common;
    u64 pfn;
    u64 i_ino;
    u64 index;
    u32 s_dev;
    u8 order;
};
static const struct trace_field fields_mm_filemap_delete_from_page_cache[] = {
    TRACE_FIELD(mm_filemap_delete_from_page_cache, pfn, "unsigned long pfn", false),
    TRACE_FIELD(mm_filemap_delete_from_page_cache, i_ino, "unsigned long i_ino", false),
    TRACE_FIELD(mm_filemap_delete_from_page_cache, index, "unsigned long index", false),
    TRACE_FIELD(mm_filemap_delete_from_page_cache, s_dev, "dev_t s_dev", false),
    TRACE_FIELD(mm_filemap_delete_from_page_cache, order, "unsigned char order", false),
};
static void show_mm_filemap_delete_from_page_cache(struct seq *s, const void *record)
{
    const struct record_mm_filemap_delete_from_page_cache *r = record;
    seq_printf(s, "dev %u:%u ino %lx pfn=0x%lx ofs=%lu order=%u", DEV_MAJOR(r->s_dev),
               DEV_MINOR(r->s_dev), r->i_ino, r->pfn, r->index << PAGE_SHIFT, r->order);
}
TRACE_DESC(mm_filemap_delete_from_page_cache,
           "\"dev %d:%d ino %lx pfn=0x%lx ofs=%lu order=%u\", ((unsigned int) ((REC->s_dev) >> "
           "20)), ((unsigned int) ((REC->s_dev) & ((1U << 20) - 1))), REC->i_ino, REC->pfn, "
           "REC->index << 12, REC->order");
void trace_emit_mm_filemap_delete_from_page_cache(const struct address_space *m,
                                                  const struct page *page)
{
    struct record_mm_filemap_delete_from_page_cache r = {.pfn = page_to_pfn(page),
                                                         .index = page->index};
    file_of(m, &r.s_dev, &r.i_ino);
    trace_write(TRACE_mm_filemap_delete_from_page_cache, &r.common, sizeof(r));
}

struct record_writeback_dirty_folio {
    struct trace_common common;
    char name[32];
    u64 ino;
    u64 index;
};
static const struct trace_field fields_writeback_dirty_folio[] = {
    TRACE_FIELD(writeback_dirty_folio, name, "char name[32]", false),
    TRACE_FIELD(writeback_dirty_folio, ino, "ino_t ino", false),
    TRACE_FIELD(writeback_dirty_folio, index, "unsigned long index", false),
};
static void show_writeback_dirty_folio(struct seq *s, const void *record)
{
    const struct record_writeback_dirty_folio *r = record;
    seq_printf(s, "bdi %s: ino=%lu index=%lu", r->name, r->ino, r->index);
}
TRACE_DESC(writeback_dirty_folio,
           "\"bdi %s: ino=%lu index=%lu\", REC->name, (unsigned long)REC->ino, REC->index");
void trace_emit_writeback_dirty_folio(const struct address_space *m, const struct page *page)
{
    u32 dev;
    struct record_writeback_dirty_folio r = {.index = page->index};
    copy_bdi(r.name, m->bdi);
    file_of(m, &dev, &r.ino);
    trace_write(TRACE_writeback_dirty_folio, &r.common, sizeof(r));
}

/* writeback_start and writeback_written tell the same of a pass. */
struct record_writeback_work {
    struct trace_common common;
    char name[32];
    s64 nr_pages;
    u32 sb_dev;
    s32 sync_mode;
    s32 for_kupdate;
    s32 range_cyclic;
    s32 for_background;
    s32 reason;
    u64 cgroup_ino;
};
static const struct trace_field fields_writeback_work[] = {
    TRACE_FIELD(writeback_work, name, "char name[32]", false),
    TRACE_FIELD(writeback_work, nr_pages, "long nr_pages", true),
    TRACE_FIELD(writeback_work, sb_dev, "dev_t sb_dev", false),
    TRACE_FIELD(writeback_work, sync_mode, "int sync_mode", true),
    TRACE_FIELD(writeback_work, for_kupdate, "int for_kupdate", true),
    TRACE_FIELD(writeback_work, range_cyclic, "int range_cyclic", true),
    TRACE_FIELD(writeback_work, for_background, "int for_background", true),
    TRACE_FIELD(writeback_work, reason, "int reason", true),
    TRACE_FIELD(writeback_work, cgroup_ino, "ino_t cgroup_ino", false),
};
static void show_writeback_work(struct seq *s, const void *record)
{
    const struct record_writeback_work *r = record;
    seq_printf(s,
               "bdi %s: sb_dev %u:%u nr_pages=%ld sync_mode=%d kupdate=%d range_cyclic=%d "
               "background=%d reason=%s cgroup_ino=%lu",
               r->name, DEV_MAJOR(r->sb_dev), DEV_MINOR(r->sb_dev), r->nr_pages, r->sync_mode,
               r->for_kupdate, r->range_cyclic, r->for_background, trace_wb_reasons[r->reason],
               r->cgroup_ino);
}
#define WORK_PRINT \
    "\"bdi %s: sb_dev %d:%d nr_pages=%ld sync_mode=%d kupdate=%d " \
    "range_cyclic=%d background=%d reason=%s cgroup_ino=%lu\", " \
    "REC->name, ((unsigned int) ((REC->sb_dev) >> 20)), ((unsigned int) " \
    "((REC->sb_dev) & ((1U << 20) - 1))), REC->nr_pages, " \
    "REC->sync_mode, REC->for_kupdate, REC->range_cyclic, " \
    "REC->for_background, @w, (unsigned long)REC->cgroup_ino"
const struct trace_desc trace_desc_writeback_start = {WORK_PRINT, fields_writeback_work, ARRAY_SIZE(fields_writeback_work),
                                                      show_writeback_work};
const struct trace_desc trace_desc_writeback_written = {WORK_PRINT, fields_writeback_work, ARRAY_SIZE(fields_writeback_work),
                                                        show_writeback_work};
BUILD_ASSERT(sizeof(struct record_writeback_work) <= TRACE_MAX_RECORD);

static void emit_work(enum trace_event event, const struct backing_dev *b, s64 pages, enum trace_wb_reason why)
{
    struct record_writeback_work r = {.nr_pages = pages,
                                      .for_kupdate = why == TRACE_WB_PERIODIC,
                                      .range_cyclic = 1,
                                      .for_background = why == TRACE_WB_BACKGROUND,
                                      .reason = why,
                                      .cgroup_ino = ROOT_CGROUP};
    copy_bdi(r.name, b);
    trace_write(event, &r.common, sizeof(r));
}
void trace_emit_writeback_start(const struct backing_dev *b, s64 pages, enum trace_wb_reason why)
{
    emit_work(TRACE_writeback_start, b, pages, why);
}
void trace_emit_writeback_written(const struct backing_dev *b, s64 pages, enum trace_wb_reason why)
{
    emit_work(TRACE_writeback_written, b, pages, why);
}

struct record_writeback_pages_written {
    struct trace_common common;
    s64 pages;
};
static const struct trace_field fields_writeback_pages_written[] = {
    TRACE_FIELD(writeback_pages_written, pages, "long pages", true),
};
static void show_writeback_pages_written(struct seq *s, const void *record)
{
    const struct record_writeback_pages_written *r = record;
    seq_printf(s, "%ld", r->pages);
}
TRACE_DESC(writeback_pages_written, "\"%ld\", REC->pages");
void trace_emit_writeback_pages_written(u64 pages)
{
    struct record_writeback_pages_written r = {.pages = (s64)pages};
    trace_write(TRACE_writeback_pages_written, &r.common, sizeof(r));
}

struct record_global_dirty_state {
    struct trace_common common;
    u64 nr_dirty;
    u64 nr_writeback;
    u64 background_thresh;
    u64 dirty_thresh;
    u64 dirty_limit;
    u64 nr_dirtied;
    u64 nr_written;
};
static const struct trace_field fields_global_dirty_state[] = {
    TRACE_FIELD(global_dirty_state, nr_dirty, "unsigned long nr_dirty", false),
    TRACE_FIELD(global_dirty_state, nr_writeback, "unsigned long nr_writeback", false),
    TRACE_FIELD(global_dirty_state, background_thresh, "unsigned long background_thresh", false),
    TRACE_FIELD(global_dirty_state, dirty_thresh, "unsigned long dirty_thresh", false),
    TRACE_FIELD(global_dirty_state, dirty_limit, "unsigned long dirty_limit", false),
    TRACE_FIELD(global_dirty_state, nr_dirtied, "unsigned long nr_dirtied", false),
    TRACE_FIELD(global_dirty_state, nr_written, "unsigned long nr_written", false),
};
static void show_global_dirty_state(struct seq *s, const void *record)
{
    const struct record_global_dirty_state *r = record;
    seq_printf(s,
               "dirty=%lu writeback=%lu bg_thresh=%lu thresh=%lu limit=%lu dirtied=%lu written=%lu",
               r->nr_dirty, r->nr_writeback, r->background_thresh, r->dirty_thresh, r->dirty_limit,
               r->nr_dirtied, r->nr_written);
}
TRACE_DESC(global_dirty_state,
           "\"dirty=%lu writeback=%lu bg_thresh=%lu thresh=%lu limit=%lu dirtied=%lu "
           "written=%lu\", REC->nr_dirty, REC->nr_writeback, REC->background_thresh, "
           "REC->dirty_thresh, REC->dirty_limit, REC->nr_dirtied, REC->nr_written");
void trace_emit_global_dirty_state(u64 background, u64 limit)
{
    struct record_global_dirty_state r = {.nr_dirty = (u64)stat_sum(NR_FILE_DIRTY),
                                          .nr_writeback = (u64)stat_sum(NR_WRITEBACK),
                                          .background_thresh = background,
                                          .dirty_thresh = limit,
                                          .dirty_limit = limit,
                                          .nr_dirtied = (u64)stat_sum(NR_DIRTIED),
                                          .nr_written = (u64)stat_sum(NR_WRITTEN)};
    trace_write(TRACE_global_dirty_state, &r.common, sizeof(r));
}

struct record_balance_dirty_pages {
    struct trace_common common;
    char bdi[32];
    u64 limit;
    u64 setpoint;
    u64 dirty;
    u64 bdi_setpoint;
    u64 bdi_dirty;
    u64 dirty_ratelimit;
    u64 task_ratelimit;
    u32 dirtied;
    u32 dirtied_pause;
    u64 paused;
    s64 pause;
    u64 period;
    s64 think;
    u64 cgroup_ino;
};
static const struct trace_field fields_balance_dirty_pages[] = {
    TRACE_FIELD(balance_dirty_pages, bdi, "char bdi[32]", false),
    TRACE_FIELD(balance_dirty_pages, limit, "unsigned long limit", false),
    TRACE_FIELD(balance_dirty_pages, setpoint, "unsigned long setpoint", false),
    TRACE_FIELD(balance_dirty_pages, dirty, "unsigned long dirty", false),
    TRACE_FIELD(balance_dirty_pages, bdi_setpoint, "unsigned long bdi_setpoint", false),
    TRACE_FIELD(balance_dirty_pages, bdi_dirty, "unsigned long bdi_dirty", false),
    TRACE_FIELD(balance_dirty_pages, dirty_ratelimit, "unsigned long dirty_ratelimit", false),
    TRACE_FIELD(balance_dirty_pages, task_ratelimit, "unsigned long task_ratelimit", false),
    TRACE_FIELD(balance_dirty_pages, dirtied, "unsigned int dirtied", false),
    TRACE_FIELD(balance_dirty_pages, dirtied_pause, "unsigned int dirtied_pause", false),
    TRACE_FIELD(balance_dirty_pages, paused, "unsigned long paused", false),
    TRACE_FIELD(balance_dirty_pages, pause, "long pause", true),
    TRACE_FIELD(balance_dirty_pages, period, "unsigned long period", false),
    TRACE_FIELD(balance_dirty_pages, think, "long think", true),
    TRACE_FIELD(balance_dirty_pages, cgroup_ino, "ino_t cgroup_ino", false),
};
static void show_balance_dirty_pages(struct seq *s, const void *record)
{
    const struct record_balance_dirty_pages *r = record;
    seq_printf(s,
               "bdi %s: limit=%lu setpoint=%lu dirty=%lu bdi_setpoint=%lu bdi_dirty=%lu "
               "dirty_ratelimit=%lu task_ratelimit=%lu dirtied=%u dirtied_pause=%u paused=%lu "
               "pause=%ld period=%lu think=%ld cgroup_ino=%lu",
               r->bdi, r->limit, r->setpoint, r->dirty, r->bdi_setpoint, r->bdi_dirty,
               r->dirty_ratelimit, r->task_ratelimit, r->dirtied, r->dirtied_pause, r->paused,
               r->pause, r->period, r->think, r->cgroup_ino);
}
TRACE_DESC(
    balance_dirty_pages,
    "\"bdi %s: limit=%lu setpoint=%lu dirty=%lu bdi_setpoint=%lu bdi_dirty=%lu dirty_ratelimit=%lu "
    "task_ratelimit=%lu dirtied=%u dirtied_pause=%u paused=%lu pause=%ld period=%lu think=%ld "
    "cgroup_ino=%lu\", REC->bdi, REC->limit, REC->setpoint, REC->dirty, REC->bdi_setpoint, "
    "REC->bdi_dirty, REC->dirty_ratelimit, REC->task_ratelimit, REC->dirtied, REC->dirtied_pause, "
    "REC->paused, REC->pause, REC->period, REC->think, (unsigned long)REC->cgroup_ino");
void trace_emit_balance_dirty_pages(const struct backing_dev *b, u64 limit, u64 setpoint, u64 dirty,
                                    u64 rate, u64 dirtied, u64 pause_ns)
{
    struct record_balance_dirty_pages r = {.limit = limit,
                                           .setpoint = setpoint,
                                           .dirty = dirty,
                                           .bdi_setpoint = setpoint,
                                           .bdi_dirty = dirty,
                                           .dirty_ratelimit = rate * KIB_PER_PAGE,
                                           .task_ratelimit = dirtied * KIB_PER_PAGE * 1000 /
                                                             max(pause_ns / NS_PER_MS, 1UL),
                                           .dirtied = (u32)dirtied,
                                           .dirtied_pause = (u32)dirtied,
                                           .pause = (s64)(pause_ns / NS_PER_MS),
                                           .period = pause_ns / NS_PER_MS,
                                           .cgroup_ino = ROOT_CGROUP};
    copy_bdi(r.bdi, b);
    trace_write(TRACE_balance_dirty_pages, &r.common, sizeof(r));
}
