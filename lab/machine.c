/* SPDX-License-Identifier: MIT */
/* The keys of a description, each with its reader. Files are read by inih. */
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define MAX_TLB_ENTRIES (1u << 24)
#define MIN_MEMORY      (16ul << 20)
#define MAX_MEMORY      (64ul << 30)

/* "64x4": entries and ways. NULL or what is wrong. */
static const char *read_tlb(void *to, const char *s)
{
    uint32_t *shape = to;
    char *end;
    unsigned long entries = strtoul(s, &end, 10), ways = 0;
    if (end != s && *end == 'x')
        ways = strtoul(end + 1, &end, 10);
    if (*end || !ways || !entries)
        return "wants entries x ways, as in 64x4";
    if (entries > MAX_TLB_ENTRIES || ways > entries || entries % ways)
        return "wants a number of entries up to 2^24 that its ways divide";
    shape[0] = (uint32_t)entries;
    shape[1] = (uint32_t)ways;
    return NULL;
}

static const char *read_name(void *to, const char *s)
{
    if (strlen(s) >= sizeof(((struct machine *)0)->name))
        return "wants at most 63 bytes";
    strcpy(to, s);
    return NULL;
}

/* "64M": bytes. */
static const char *read_size(void *to, const char *s)
{
    char *end;
    unsigned long v = strtoul(s, &end, 10);
    static const char units[] = "KMGT";
    const char *unit = *end ? strchr(units, *end & ~32) : NULL;
    if (end == s || !v || (*end && (!unit || end[1])))
        return "wants a size, as in 64M";
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (v > UINT64_MAX >> shift || v << shift < MIN_MEMORY || v << shift > MAX_MEMORY)
        return "wants 16M to 64G";
    *(uint64_t *)to = v << shift & ~4095ul;
    return NULL;
}

static const char *read_number(void *to, const char *s)
{
    char *end;
    unsigned long v = strtoul(s, &end, 10);
    if (end == s || *end || *s == '-' || v > 1000000000)
        return "wants a number up to 10^9";
    *(uint64_t *)to = v;
    return NULL;
}

static const char *read_mhz(void *to, const char *s)
{
    const char *wrong = read_number(to, s);
    return wrong ? wrong : *(uint64_t *)to ? NULL : "wants a number from 1 on";
}

static const struct {
    const char *name, *about;
    size_t at;
    const char *(*read)(void *to, const char *s);
} keys[] = {
    {"machine.name", "for tables and reports", offsetof(struct machine, name), read_name},
    {"machine.memory", "RAM in bytes (16M to 64G)", offsetof(struct machine, memory), read_size},
    {"machine.mhz", "cycles a microsecond", offsetof(struct machine, mhz), read_mhz},
    {"tlb.fetch", "instructions, first level: entries x ways", offsetof(struct machine, fetch), read_tlb},
    {"tlb.data", "data, first level", offsetof(struct machine, data), read_tlb},
    {"tlb.shared", "second level, both", offsetof(struct machine, shared), read_tlb},
    {"cost.reference", "cycles of a reference", offsetof(struct machine, cost[COST_REFERENCE]), read_number},
    {"cost.shared", "of a hit in the second level", offsetof(struct machine, cost[COST_SHARED]), read_number},
    {"cost.walk", "of a walk of the page tables", offsetof(struct machine, cost[COST_WALK]), read_number},
    {"cost.minor", "of a fault without a device", offsetof(struct machine, cost[COST_MINOR]), read_number},
    {"cost.major", "of a fault that waits for one", offsetof(struct machine, cost[COST_MAJOR]), read_number},
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

const char *machine_key(unsigned i)
{
    return i < NR_KEYS ? keys[i].name : NULL;
}
const char *machine_key_about(unsigned i)
{
    return i < NR_KEYS ? keys[i].about : NULL;
}

void machine_default(struct machine *m)
{
    /* Costs: second-level hit and walk as Intel's Optimization Reference Manual gives them for Skylake (7; a walk that hits
     * the caches some 30); faults as docs/BENCHMARKS.md counts them; a fast disk of 100 us. */
    *m = (struct machine){.name = "default", .memory = 16ul << 30, .mhz = 3000, .fetch = {128, 8}, .data = {64, 4}, .shared = {1536, 12},
                          .cost = {1, 7, 30, 1000, 300000}};
}

/* 0 or -1, with the reason behind what why already holds. */
static int set(struct machine *m, const char *key, size_t key_len, const char *value, char *why, size_t n)
{
    for (unsigned i = 0; i < NR_KEYS; i++) {
        if (strlen(keys[i].name) != key_len || strncmp(keys[i].name, key, key_len))
            continue;
        const char *wrong = keys[i].read((char *)m + keys[i].at, value);
        if (wrong)
            snprintf(why, n, "%s %s, not '%s'", keys[i].name, wrong, value);
        return wrong ? -1 : 0;
    }
    snprintf(why, n, "a machine has no '%.*s'; `pagoda replay --keys` lists what it has", (int)key_len, key);
    return -1;
}

int machine_set(struct machine *m, const char *assignment, char *why, size_t n)
{
    const char *eq = strchr(assignment, '=');
    if (!eq) {
        snprintf(why, n, "'%s' is not KEY=VALUE", assignment);
        return -1;
    }
    return set(m, assignment, (size_t)(eq - assignment), eq + 1, why, n);
}

struct reading {
    struct machine *m;
    char text[256];
};

static int on_key(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *r = arg;
    char key[160];
    snprintf(key, sizeof(key), "%s.%s", section, name);
    return r->text[0] || !set(r->m, key, strlen(key), value, r->text, sizeof(r->text));
}

int machine_read(struct machine *m, const char *path, char *why, size_t n)
{
    struct reading r = {.m = m};
    int line = ini_parse(path, on_key, &r);
    if (!line)
        return 0;
    if (line < 0)
        snprintf(why, n, "%s: cannot be read", path);
    else
        snprintf(why, n, "%s:%d: %s", path, line, r.text[0] ? r.text : "neither [section] nor key = value");
    return -1;
}
