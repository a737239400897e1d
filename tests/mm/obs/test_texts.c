/* SPDX-License-Identifier: MIT */
/*
 * The texts of /proc: Linux's lines in Linux's order and form, and values that agree with each
 * other.
 */
#include "../../common/machine.h"
#include <mm/obs.h>
#include "linux_names.h"

static char text[256 << 10];

static const char *print(void (*fn)(struct seq *))
{
    struct seq s;
    seq_init(&s, text, sizeof(text) - 1);
    fn(&s);
    assert_false(s.overflow);
    assert_true(s.len > 0 && text[s.len - 1] == '\n');
    text[s.len] = 0;
    return text;
}

/* Copies the next line; false at the end. */
static bool next_line(const char **p, char *line, size_t size)
{
    if (!**p)
        return false;
    size_t n = strcspn(*p, "\n");
    assert_true(n < size);
    memcpy(line, *p, n);
    line[n] = 0;
    *p += n + 1;
    return true;
}

static void check_first_words(const char *p, const char *const *names, unsigned n)
{
    char line[400], word[100];
    for (unsigned i = 0; i < n; i++) {
        assert_true(next_line(&p, line, sizeof(line)));
        assert_int_equal(sscanf(line, "%99s", word), 1);
        assert_string_equal(word, names[i]);
    }
}

static u64 value_of(const char *p, const char *name)
{
    char line[400];
    size_t n = strlen(name);
    while (next_line(&p, line, sizeof(line)))
        if (!strncmp(line, name, n) && (line[n] == ' ' || line[n] == ':'))
            return strtoul(line + n + 1, NULL, 10);
    fail_msg("no line %s", name);
    return 0;
}

static unsigned count_lines(const char *p)
{
    unsigned n = 0;
    for (; *p; p++)
        n += *p == '\n';
    return n;
}

static void meminfo(void **state)
{
    char line[200];
    machine_up(64, 2, 1);
    const char *p = print(proc_text_meminfo);
    check_first_words(p, linux_meminfo, ARRAY_SIZE(linux_meminfo));
    assert_int_equal(count_lines(p), ARRAY_SIZE(linux_meminfo));
    while (next_line(&p, line, sizeof(line))) {
        bool wide = !strncmp(line, "Vmalloc", 7);
        assert_true(line[23] >= '0' && line[23] <= '9');
        if (strncmp(line, "HugePages_", 10))
            assert_string_equal(line + strlen(line) - 3, " kB");
        if (!wide && strncmp(line, "HugePages_", 10))
            assert_int_equal(strlen(line), 27);
    }
    p = text;
    assert_int_equal(value_of(p, "MemTotal"), phys_managed() * 4);
    assert_int_equal(value_of(p, "MemFree"), phys_free() * 4);
    assert_int_equal(value_of(p, "Slab"), value_of(p, "SReclaimable") + value_of(p, "SUnreclaim"));
    assert_true(value_of(p, "MemAvailable") < value_of(p, "MemTotal"));
    assert_true(value_of(p, "MemAvailable") > 0);
    assert_true(value_of(p, "Percpu") > 0);
    u64 free = value_of(p, "MemFree");
    struct page *page = alloc_pages(GFP_KERNEL, 8);
    assert_int_equal(value_of(print(proc_text_meminfo), "MemFree"), free - 1024);
    free_pages(page, 8);
    void *v = vmalloc(40000);
    assert_int_equal(value_of(print(proc_text_meminfo), "VmallocUsed"), 40);
    vfree(v);
    machine_down();
}

static void vmstat(void **state)
{
    char line[200], word[100], more;
    u64 n;
    machine_up(64, 2, 1);
    const char *p = print(proc_text_vmstat);
    check_first_words(p, linux_vmstat, ARRAY_SIZE(linux_vmstat));
    assert_int_equal(count_lines(p), ARRAY_SIZE(linux_vmstat));
    while (next_line(&p, line, sizeof(line)))
        assert_int_equal(sscanf(line, "%99s %lu%c", word, &n, &more), 2);
    p = text;
    assert_int_equal(value_of(p, "nr_free_pages"), phys_free());
    assert_true(value_of(p, "pgalloc_dma") + value_of(p, "pgalloc_dma32") > 0);
    assert_true(value_of(p, "numa_hit") > 0);
    assert_int_equal(value_of(p, "nr_slab_unreclaimable"), stat_sum(NR_SLAB_UNRECLAIMABLE));
    stat_event_add(PGMAJFAULT, 7);
    stat_node_add(0, NR_SHMEM, 5);
    p = print(proc_text_vmstat);
    assert_int_equal(value_of(p, "pgmajfault"), 7);
    assert_int_equal(value_of(p, "nr_shmem"), 5);
    stat_node_add(0, NR_SHMEM, -5);
    machine_down();
}

/* Names in the tables of mm/stat.h are those of the rows. */
static void names_agree(void **state)
{
    for (unsigned i = 0; i < vmstat_nr_event_rows; i++)
        if (vmstat_event_rows[i].source == VMSTAT_EVENT)
            assert_string_equal(vmstat_event_rows[i].name,
                                stat_event_name[vmstat_event_rows[i].item]);
    for (unsigned i = 0; i < vmstat_nr_node_rows; i++)
        if (vmstat_node_rows[i].source == VMSTAT_NODE)
            assert_string_equal(vmstat_node_rows[i].name, stat_node_name[vmstat_node_rows[i].item]);
}

static void two_nodes(void)
{
    struct host_config cfg = {.seed = 1, .cpus = 4, .nodes = 2, .nr_ranges = 2};
    cfg.ranges[0] = (struct mem_range){0, 48 << 20, 0, MEM_FREE};
    cfg.ranges[1] = (struct mem_range){48 << 20, 16 << 20, 1, MEM_FREE};
    cfg.cpu_node[2] = cfg.cpu_node[3] = 1;
    machine_up_config(&cfg);
}

static void zoneinfo(void **state)
{
    char line[400];
    two_nodes();
    const char *p = print(proc_text_zoneinfo);
    check_first_words(p, linux_zoneinfo, ARRAY_SIZE(linux_zoneinfo));
    unsigned zones = 0, cpus = 0, stats = 0;
    u64 free = 0, managed = 0, n;
    while (next_line(&p, line, sizeof(line))) {
        unsigned node;
        char name[20];
        zones += sscanf(line, "Node %u, zone %19s", &node, name) == 2;
        stats += !strcmp(line, "  per-node stats");
        cpus += !strncmp(line, "    cpu: ", 9);
        if (sscanf(line, "  pages free %lu", &n) == 1)
            free += n;
        if (sscanf(line, "        managed %lu", &n) == 1)
            managed += n;
        if (!strncmp(line, "        protection", 18)) {
            u64 r[5];
            assert_int_equal(sscanf(line, "        protection: (%lu, %lu, %lu, %lu, %lu)", &r[0],
                                    &r[1], &r[2], &r[3], &r[4]),
                             5);
        }
    }
    assert_int_equal(zones, 10);
    assert_int_equal(stats, 2);
    assert_int_equal(cpus, 3 * 4); /* three populated zones */
    assert_int_equal(free, phys_free());
    assert_int_equal(managed, phys_managed());
    machine_down();
}

static void buddyinfo(void **state)
{
    char line[400];
    two_nodes();
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    const char *p = print(proc_text_buddyinfo);
    u64 pages = 0;
    unsigned zones = 0;
    while (next_line(&p, line, sizeof(line))) {
        unsigned node;
        int at;
        char name[20];
        assert_int_equal(sscanf(line, "Node %u, zone %19s%n", &node, name, &at), 2);
        assert_int_equal(at, 21);
        for (unsigned o = 0; o <= MAX_ORDER; o++) {
            u64 n;
            int used;
            assert_int_equal(sscanf(line + at, "%lu%n", &n, &used), 1);
            assert_int_equal(used, 7);
            pages += n << o;
            at += used;
        }
        assert_string_equal(line + at, " ");
        zones++;
    }
    assert_int_equal(zones, 3);
    assert_int_equal(pages, phys_free());
    free_pages(page, 0);
    machine_down();
}

static void pagetypeinfo(void **state)
{
    char line[400];
    two_nodes();
    const char *p = print(proc_text_pagetypeinfo);
    u64 pages = 0, blocks = 0, n[11];
    unsigned rows = 0;
    while (next_line(&p, line, sizeof(line))) {
        unsigned node;
        char zone[20], type[20];
        if (sscanf(line,
                   "Node %u, zone %19[^,], type %19s %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu",
                   &node, zone, type, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8],
                   &n[9], &n[10]) == 14) {
            for (unsigned o = 0; o <= MAX_ORDER; o++)
                pages += n[o] << o;
            rows++;
        } else if (sscanf(line, "Node %u, zone %19s %lu %lu %lu %lu %lu", &node, zone, &n[0], &n[1],
                          &n[2], &n[3], &n[4]) == 7) {
            blocks += n[0] + n[1] + n[2];
            assert_int_equal(n[3] + n[4], 0);
        }
    }
    assert_int_equal(rows, 3 * 5);
    assert_int_equal(pages, phys_free());
    assert_int_equal(blocks, 64 / 2);
    machine_down();
}

static void slabinfo(void **state)
{
    char line[400], name[100];
    machine_up(64, 2, 1);
    void *p64[100];
    for (unsigned i = 0; i < 100; i++)
        p64[i] = kmalloc(64, GFP_KERNEL);
    const char *p = print(proc_text_slabinfo);
    assert_true(next_line(&p, line, sizeof(line)));
    assert_string_equal(line, "slabinfo - version: 2.1");
    assert_true(next_line(&p, line, sizeof(line)));
    u64 pages = 0;
    bool seen = false;
    while (next_line(&p, line, sizeof(line))) {
        u64 active, objs, size, per_slab, per_pages, active_slabs, slabs;
        unsigned t;
        assert_int_equal(
            sscanf(line, "%99s %lu %lu %lu %lu %lu : tunables %u %u %u : slabdata %lu %lu %u", name,
                   &active, &objs, &size, &per_slab, &per_pages, &t, &t, &t, &active_slabs, &slabs,
                   &t),
            12);
        assert_true(active <= objs && active_slabs <= slabs &&
                    size * per_slab <= per_pages * PAGE_SIZE);
        pages += slabs * per_pages;
        if (!strcmp(name, "kmalloc-64")) {
            seen = true;
            assert_true(active >= 100);
        }
    }
    assert_true(seen);
    assert_int_equal(pages, stat_sum(NR_SLAB_UNRECLAIMABLE) + stat_sum(NR_SLAB_RECLAIMABLE));
    for (unsigned i = 0; i < 100; i++)
        kfree(p64[i]);
    machine_down();
}

static void vmallocinfo(void **state)
{
    char line[400];
    machine_up(64, 2, 1);
    void *a = vmalloc(5000), *b = vmalloc(20 * PAGE_SIZE), *c = vmalloc(30 * PAGE_SIZE);
    vfree(b);
    const char *p = print(proc_text_vmallocinfo);
    u64 lo, hi, bytes, pages, on_node, last = 0;
    unsigned areas = 0, unpurged = 0;
    while (next_line(&p, line, sizeof(line))) {
        int at;
        assert_int_equal(sscanf(line, "0x%16lx-0x%16lx %lu %n", &lo, &hi, &bytes, &at), 3);
        assert_true(lo <= U32_MAX && hi <= U32_MAX);
        if (last)
            assert_int_equal(lo, last); /* areas lie side by side */
        last = hi;
        if (!strcmp(line + at, "unpurged vm_area")) {
            unpurged++;
            continue;
        }
        assert_int_equal(sscanf(line + at, "pages=%lu vmalloc N0=%lu", &pages, &on_node), 2);
        assert_int_equal(bytes, (pages + 1) * PAGE_SIZE);
        assert_int_equal(on_node, pages);
        areas++;
    }
    assert_int_equal(areas, 2);
    assert_int_equal(unpurged, 1);
    vfree(a);
    vfree(c);
    machine_down();
}

static void node_texts(void **state)
{
    char buf[16384];
    struct seq s;
    two_nodes();
    u64 total = 0, hit = 0;
    for (unsigned node = 0; node < 2; node++) {
        seq_init(&s, buf, sizeof(buf) - 1);
        sys_text_node_meminfo(&s, node);
        buf[s.len] = 0;
        assert_false(s.overflow);
        char name[40];
        snprintf(name, sizeof(name), "Node %u MemTotal", node);
        total += value_of(buf, name);
        assert_int_equal(count_lines(buf), 37);
        seq_init(&s, buf, sizeof(buf) - 1);
        sys_text_node_numastat(&s, node);
        buf[s.len] = 0;
        assert_int_equal(count_lines(buf), 6);
        hit += value_of(buf, "numa_hit");
        seq_init(&s, buf, sizeof(buf) - 1);
        sys_text_node_vmstat(&s, node);
        assert_false(s.overflow);
        buf[s.len] = 0;
        assert_int_equal(count_lines(buf),
                         vmstat_nr_zone_rows + vmstat_nr_numa_rows + vmstat_nr_node_rows);
    }
    assert_int_equal(total, phys_managed() * 4);
    assert_int_equal(hit, stat_event_sum(NUMA_HIT));
    machine_down();
}

/* A buffer that is too small is reported, not overrun. */
static void short_buffers(void **state)
{
    void (*const fns[])(struct seq *) = {
        proc_text_meminfo,      proc_text_vmstat,   proc_text_zoneinfo,   proc_text_buddyinfo,
        proc_text_pagetypeinfo, proc_text_slabinfo, proc_text_vmallocinfo};
    machine_up(64, 1, 1);
    void *v = vmalloc(100000);
    for (unsigned i = 0; i < ARRAY_SIZE(fns); i++) {
        char small[20];
        struct seq s;
        seq_init(&s, small, sizeof(small));
        fns[i](&s);
        assert_true(s.overflow && s.len <= sizeof(small));
    }
    vfree(v);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meminfo),     cmocka_unit_test(vmstat),
        cmocka_unit_test(names_agree), cmocka_unit_test(zoneinfo),
        cmocka_unit_test(buddyinfo),   cmocka_unit_test(pagetypeinfo),
        cmocka_unit_test(slabinfo),    cmocka_unit_test(vmallocinfo),
        cmocka_unit_test(node_texts),  cmocka_unit_test(short_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
