/* SPDX-License-Identifier: MIT */
/*
 * Replacement policies for study: which of the pages in `frames` frames goes when another is wanted. A policy is fed with numbers of
 * pages (lab/pages.h) and counts misses; demand paging only, one page per miss.
 *
 * Each policy's rule, its parameters and where they come from stand at the head of its file (lab/policy_*.c).
 */
#ifndef LAB_POLICY_H
#define LAB_POLICY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;
struct policy_ops {
    const char *name, *about;
    /* Gets its own state besides the pages' nodes. 0 or -ENOMEM. May be NULL. */
    int (*init)(struct policy *p);
    void (*free)(struct policy *p); /* may be NULL */
    /* Plays n references; returns misses. All numbers are below the last policy_grow(). */
    uint64_t (*play)(struct policy *p, const uint32_t *page, size_t n);
    bool needs_future; /* policy_min_prepare() first */
};

/* NULL beyond the last. */
const struct policy_ops *policy_at(unsigned i);
/* By name, without regard to case; NULL: there is none. */
const struct policy_ops *policy_find(const char *name);

/* frames >= 1. NULL: out of memory. */
struct policy *policy_new(const struct policy_ops *ops, uint32_t frames);
void policy_free(struct policy *p);
/* Makes room for page numbers below n. 0 or -ENOMEM. */
int policy_grow(struct policy *p, uint32_t n);
/* Misses of these references. policy_grow() came first. */
uint64_t policy_play(struct policy *p, const uint32_t *page, size_t n);
/* Pages that are resident now. */
uint32_t policy_resident(const struct policy *p);

/* MIN: the whole string of references, which must stay until the policy is freed. 0 or -ENOMEM. Then play from its beginning. */
int policy_min_prepare(struct policy *p, const uint32_t *page, size_t n, uint32_t pages);

/* LRU for all sizes at once: misses[f] for f frames, f = 0..frames. */
struct lru_curve;
struct lru_curve *lru_curve_new(void);
void lru_curve_free(struct lru_curve *c);
int lru_curve_play(struct lru_curve *c, const uint32_t *page, size_t n, uint32_t pages); /* 0 or -ENOMEM */
uint64_t lru_curve_misses(const struct lru_curve *c, uint32_t frames);
#endif
