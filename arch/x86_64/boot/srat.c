/* SPDX-License-Identifier: MIT */
/* SRAT and SLIT: which node each CPU and each range of memory belongs to, and how far nodes are
 * apart. */
#include <arch/boot.h>
#include <arch/setup.h>
#include <lib/string.h>
#include <port/cpu.h>
#include <port/log.h>

static unsigned nr_nodes_found = 1;
static u32 domain_of[MAX_NODES]; /* node -> proximity domain */
static u8 cpu_node[NR_CPUS];
static u8 distance[MAX_NODES][MAX_NODES];

static u32 u32_at(const u8 *p)
{
    u32 v;
    memcpy(&v, p, 4);
    return v;
}

static u64 u64_at(const u8 *p)
{
    u64 v;
    memcpy(&v, p, 8);
    return v;
}

/* Nodes are numbered in the order in which domains with memory appear; ~0 when there are too
 * many. */
static u32 node_of_domain(u32 domain, bool make, unsigned *nr)
{
    for (unsigned i = 0; i < *nr; i++)
        if (domain_of[i] == domain)
            return i;
    if (!make || *nr == MAX_NODES)
        return ~0u;
    domain_of[*nr] = domain;
    return (*nr)++;
}

static void set_cpu(u32 apic_id, u32 domain, unsigned *nr)
{
    u32 node = node_of_domain(domain, false, nr);
    for (unsigned i = 0; i < cpu_possible && node != ~0u; i++)
        if (cpus[i].apic_id == apic_id)
            cpu_node[i] = (u8)node;
}

static void memory_entry(const u8 *e, unsigned *nr)
{
    if (e[0] != 1 || e[1] < 40 || !(u32_at(e + 28) & 1) || !u64_at(e + 16))
        return;
    u32 node = node_of_domain(u32_at(e + 2), true, nr);
    if (node != ~0u)
        memory_set_node(u64_at(e + 8), u64_at(e + 16), node);
}

static void cpu_entry(const u8 *e, unsigned *nr)
{
    if (e[0] == 0 && e[1] >= 16 && u32_at(e + 4) & 1)
        set_cpu(e[3], e[2] | e[9] << 8 | e[10] << 16 | (u32)e[11] << 24, nr);
    else if (e[0] == 2 && e[1] >= 24 && u32_at(e + 12) & 1)
        set_cpu(u32_at(e + 8), u32_at(e + 4), nr);
}

static void each_entry(const u8 *srat, void (*fn)(const u8 *e, unsigned *nr), unsigned *nr)
{
    const u8 *e = srat + 48, *end = srat + u32_at(srat + 4);
    for (; e + 2 <= end && e[1] >= 2 && e + e[1] <= end; e += e[1])
        fn(e, nr);
}

static void read_slit(void)
{
    const u8 *slit = acpi_find("SLIT", 0);
    u64 n = slit ? u64_at(slit + 36) : 0;
    for (unsigned i = 0; i < nr_nodes_found; i++)
        for (unsigned j = 0; j < nr_nodes_found; j++) {
            u64 a = domain_of[i], b = domain_of[j];
            bool known = a < n && b < n && n < 1024 && 44 + n * n <= u32_at(slit + 4);
            distance[i][j] = known ? slit[44 + a * n + b] : i == j ? 10 : 20;
        }
}

void srat_init(void)
{
    const u8 *srat = acpi_find("SRAT", 0);
    char value[8];
    unsigned nr = 0;
    bool off = cmdline_get("numa", value, sizeof(value)) && str_eq(value, "off");
    if (srat && !off) {
        each_entry(srat, memory_entry, &nr);
        each_entry(srat, cpu_entry, &nr);
    }
    nr_nodes_found = nr ? nr : 1;
    read_slit();
}

unsigned mem_nr_nodes(void)
{
    return nr_nodes_found;
}

unsigned mem_node_distance(unsigned from, unsigned to)
{
    return distance[from][to];
}

unsigned mem_cpu_node(unsigned cpu)
{
    return cpu_node[cpu];
}
