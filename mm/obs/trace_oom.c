/* SPDX-License-Identifier: MIT */
/* The events of the OOM killer. */
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/oom.h>
#include <mm/phys.h>
#include "trace_desc.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

struct record_oom_score_adj_update {
    struct trace_common common;
    s32 pid;
    char comm[16];
    s16 oom_score_adj;
};
static const struct trace_field fields_oom_score_adj_update[] = {
    TRACE_FIELD(oom_score_adj_update, pid, "pid_t pid", true),
    TRACE_FIELD(oom_score_adj_update, comm, "char comm[16]", false),
    TRACE_FIELD(oom_score_adj_update, oom_score_adj, "short oom_score_adj", true),
};
static void show_oom_score_adj_update(struct seq *s, const void *record)
{
    const struct record_oom_score_adj_update *r = record;
    seq_printf(s, "pid=%d comm=%s oom_score_adj=%d", r->pid, r->comm, r->oom_score_adj);
}
TRACE_DESC(oom_score_adj_update,
           "\"pid=%d comm=%s oom_score_adj=%hd\", REC->pid, REC->comm, REC->oom_score_adj");
void trace_emit_oom_score_adj_update(s32 pid, const char *comm, s16 adj)
{
    struct record_oom_score_adj_update r = {.pid = pid, .oom_score_adj = adj};
    str_copy(r.comm, comm, sizeof(r.comm));
    trace_write(TRACE_oom_score_adj_update, &r.common, sizeof(r));
}

struct record_mark_victim {
    struct trace_common common;
    s32 pid;
    u32 comm_at; /* __data_loc: length << 16 | offset */
    u64 total_vm;
    u64 anon_rss;
    u64 file_rss;
    u64 shmem_rss;
    u32 uid;
    u64 pgtables;
    s16 oom_score_adj;
    char comm[16];
};
static const struct trace_field fields_mark_victim[] = {
    TRACE_FIELD(mark_victim, pid, "int pid", true),
    TRACE_FIELD(mark_victim, comm_at, "__data_loc char[] comm", false),
    TRACE_FIELD(mark_victim, total_vm, "unsigned long total_vm", false),
    TRACE_FIELD(mark_victim, anon_rss, "unsigned long anon_rss", false),
    TRACE_FIELD(mark_victim, file_rss, "unsigned long file_rss", false),
    TRACE_FIELD(mark_victim, shmem_rss, "unsigned long shmem_rss", false),
    TRACE_FIELD(mark_victim, uid, "uid_t uid", false),
    TRACE_FIELD(mark_victim, pgtables, "unsigned long pgtables", false),
    TRACE_FIELD(mark_victim, oom_score_adj, "short oom_score_adj", true),
};
static void show_mark_victim(struct seq *s, const void *record)
{
    const struct record_mark_victim *r = record;
    seq_printf(s,
               "pid=%d comm=%s total-vm=%lukB anon-rss=%lukB file-rss:%lukB shmem-rss:%lukB uid=%u "
               "pgtables=%lukB oom_score_adj=%d",
               r->pid, r->comm, r->total_vm, r->anon_rss, r->file_rss, r->shmem_rss, r->uid,
               r->pgtables, r->oom_score_adj);
}
TRACE_DESC(
    mark_victim,
    "\"pid=%d comm=%s total-vm=%lukB anon-rss=%lukB file-rss:%lukB shmem-rss:%lukB uid=%u "
    "pgtables=%lukB oom_score_adj=%hd\", REC->pid, __get_str(comm), REC->total_vm, REC->anon_rss, "
    "REC->file_rss, REC->shmem_rss, REC->uid, REC->pgtables, REC->oom_score_adj");
void trace_emit_mark_victim(const struct oom_task *t)
{
    struct record_mark_victim r = {.pid = t->pid,
                                   .comm_at =
                                       16 << 16 | (u32)offsetof(struct record_mark_victim, comm),
                                   .total_vm = t->mm->total_vm * KIB_PER_PAGE,
                                   .anon_rss = rss_sum(t->mm, RSS_ANON) * KIB_PER_PAGE,
                                   .file_rss = rss_sum(t->mm, RSS_FILE) * KIB_PER_PAGE,
                                   .shmem_rss = rss_sum(t->mm, RSS_SHMEM) * KIB_PER_PAGE,
                                   .uid = t->uid,
                                   .pgtables = (u64)READ_ONCE(t->mm->pgtables_bytes) >> 10,
                                   .oom_score_adj = t->adj};
    str_copy(r.comm, t->name, sizeof(r.comm));
    trace_write(TRACE_mark_victim, &r.common, sizeof(r));
}

static const char *const zone_names[] = {"DMA", "DMA32", "Normal", "Movable"};
struct record_reclaim_retry_zone {
    struct trace_common common;
    s32 node;
    s32 zone_idx;
    s32 order;
    u64 reclaimable;
    u64 available;
    u64 min_wmark;
    s32 no_progress_loops;
    u8 wmark_check;
};
static const struct trace_field fields_reclaim_retry_zone[] = {
    TRACE_FIELD(reclaim_retry_zone, node, "int node", true),
    TRACE_FIELD(reclaim_retry_zone, zone_idx, "int zone_idx", true),
    TRACE_FIELD(reclaim_retry_zone, order, "int order", true),
    TRACE_FIELD(reclaim_retry_zone, reclaimable, "unsigned long reclaimable", false),
    TRACE_FIELD(reclaim_retry_zone, available, "unsigned long available", false),
    TRACE_FIELD(reclaim_retry_zone, min_wmark, "unsigned long min_wmark", false),
    TRACE_FIELD(reclaim_retry_zone, no_progress_loops, "int no_progress_loops", true),
    TRACE_FIELD(reclaim_retry_zone, wmark_check, "bool wmark_check", false),
};
static void show_reclaim_retry_zone(struct seq *s, const void *record)
{
    const struct record_reclaim_retry_zone *r = record;
    seq_printf(s,
               "node=%d zone=%-8s order=%d reclaimable=%lu available=%lu min_wmark=%lu "
               "no_progress_loops=%d wmark_check=%d",
               r->node, zone_names[r->zone_idx], r->order, r->reclaimable, r->available,
               r->min_wmark, r->no_progress_loops, r->wmark_check);
}
TRACE_DESC(reclaim_retry_zone,
           "\"node=%d zone=%-8s order=%d reclaimable=%lu available=%lu min_wmark=%lu "
           "no_progress_loops=%d wmark_check=%d\", REC->node, "
           "__print_symbolic(REC->zone_idx, {0, \"DMA\"}, {1, \"DMA32\"}, {2, \"Normal\"}, {3, "
           "\"Movable\"}), REC->order, REC->reclaimable, "
           "REC->available, REC->min_wmark, REC->no_progress_loops, REC->wmark_check");
void trace_emit_reclaim_retry_zone(const struct zone *z, unsigned order, u64 reclaimable,
                                   u64 available, u64 min_wmark, int loops, bool ok)
{
    struct record_reclaim_retry_zone r = {.node = (s32)z->node,
                                          .zone_idx = (s32)z->index,
                                          .order = (s32)order,
                                          .reclaimable = reclaimable,
                                          .available = available,
                                          .min_wmark = min_wmark,
                                          .no_progress_loops = loops,
                                          .wmark_check = ok};
    trace_write(TRACE_reclaim_retry_zone, &r.common, sizeof(r));
}

struct record_wake_reaper {
    struct trace_common common;
    s32 pid;
};
static const struct trace_field fields_wake_reaper[] = {
    TRACE_FIELD(wake_reaper, pid, "int pid", true),
};
static void show_wake_reaper(struct seq *s, const void *record)
{
    const struct record_wake_reaper *r = record;
    seq_printf(s, "pid=%d", r->pid);
}
TRACE_DESC(wake_reaper, "\"pid=%d\", REC->pid");
void trace_emit_wake_reaper(s32 pid)
{
    struct record_wake_reaper r = {.pid = pid};
    trace_write(TRACE_wake_reaper, &r.common, sizeof(r));
}

struct record_start_task_reaping {
    struct trace_common common;
    s32 pid;
};
static const struct trace_field fields_start_task_reaping[] = {
    TRACE_FIELD(start_task_reaping, pid, "int pid", true),
};
static void show_start_task_reaping(struct seq *s, const void *record)
{
    const struct record_start_task_reaping *r = record;
    seq_printf(s, "pid=%d", r->pid);
}
TRACE_DESC(start_task_reaping, "\"pid=%d\", REC->pid");
void trace_emit_start_task_reaping(s32 pid)
{
    struct record_start_task_reaping r = {.pid = pid};
    trace_write(TRACE_start_task_reaping, &r.common, sizeof(r));
}

struct record_finish_task_reaping {
    struct trace_common common;
    s32 pid;
};
static const struct trace_field fields_finish_task_reaping[] = {
    TRACE_FIELD(finish_task_reaping, pid, "int pid", true),
};
static void show_finish_task_reaping(struct seq *s, const void *record)
{
    const struct record_finish_task_reaping *r = record;
    seq_printf(s, "pid=%d", r->pid);
}
TRACE_DESC(finish_task_reaping, "\"pid=%d\", REC->pid");
void trace_emit_finish_task_reaping(s32 pid)
{
    struct record_finish_task_reaping r = {.pid = pid};
    trace_write(TRACE_finish_task_reaping, &r.common, sizeof(r));
}
