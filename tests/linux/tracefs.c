/* SPDX-License-Identifier: MIT */
/* tracefs: texts and errors of its switches, fields of the events, events of what this program does, trace_pipe. */
#include "say.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static char text[4 << 20];

static const char *get(const char *name)
{
    int fd = open(name, O_RDONLY);
    size_t len = 0;
    ssize_t n;
    while (fd >= 0 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static const char *put(const char *name, const char *value, int flags)
{
    int fd = open(name, O_WRONLY | flags);
    ssize_t r = fd < 0 ? -1 : write(fd, value, strlen(value));
    int err = errno;
    if (fd >= 0)
        close(fd);
    return r < 0 ? strerrorname_np(err) : "0";
}

static void change(const char *name, const char *value)
{
    const char *r = put(name, value, O_TRUNC);
    printf("%s \"%s\" = %s\n", name, value, r);
}

/* The switches that follow from each other. */
static void show(void)
{
    static const char *const names[] = {"events/enable", "events/oom/enable",
                                        "events/oom/mark_victim/enable"};
    for (int i = 1; i < 3; i++)
        printf("  %s %s", names[i], get(names[i]));
    printf("  set_event has mark_victim: %d\n",
           strstr(get("set_event"), "oom:mark_victim\n") != NULL);
}

static void switches(void)
{
    static const char *const names[] = {"current_tracer", "tracing_on", "events/enable",
                                        "events/oom/mark_victim/filter", "events/oom/filter"};
    for (int i = 0; i < 5; i++)
        printf("%s: %s", names[i], get(names[i]));
    static const struct {
        const char *name, *value;
    } steps[] = {
        {"events/oom/mark_victim/enable", "1"},
        {"events/oom/mark_victim/enable", "2"},
        {"events/oom/enable", "1"},
        {"events/oom/mark_victim/enable", "0"},
        {"events/oom/enable", "x"},
        {"events/oom/enable", "0"},
        {"set_event", "oom:mark_victim"},
        {"set_event", "oom:*"},
        {"set_event", "mark_victim"},
        {"set_event", "nosuch:event"},
        {"set_event", "oom"},
        {"set_event", "*:mark_victim kmem:kfree"},
        {"events/oom/mark_victim/filter", "0"},
        {"events/oom/mark_victim/filter", "none"},
        {"current_tracer", "nop"},
        {"current_tracer", "nosuch"},
        {"trace_clock", "local"},
        {"trace_clock", "nosuch"},
        {"buffer_size_kb", "0"},
        {"tracing_on", "x"},
        {"set_event", ""},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        change(steps[i].name, steps[i].value);
        show();
    }
    printf("append: %s", put("set_event", "oom:mark_victim", O_APPEND));
    printf(" %s\n", put("set_event", "!oom:mark_victim", O_APPEND));
    show();
}

/* name, fields, and the print format up to its arguments */
static void format(const char *event)
{
    char name[128];
    snprintf(name, sizeof(name), "events/%s/format", event);
    char *save = NULL, *copy = strdup(get(name));
    printf("%s\n", event);
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *end = strstr(line, "\", ");
        if (!strncmp(line, "ID:", 3))
            continue;
        if (end && strstr(line, "print fmt"))
            *end = 0;
        printf("%s\n", line);
    }
    free(copy);
}

static void formats(void)
{
    static const char *const events[] = {"kmem/mm_page_pcpu_drain",
                                         "kmem/mm_page_alloc_zone_locked",
                                         "kmem/mm_page_alloc",
                                         "kmem/mm_page_free_batched",
                                         "kmem/mm_page_free",
                                         "kmem/kmem_cache_free",
                                         "kmem/kfree",
                                         "kmem/kmalloc",
                                         "kmem/kmem_cache_alloc",
                                         "vmscan/mm_vmscan_throttled",
                                         "vmscan/mm_vmscan_lru_shrink_active",
                                         "vmscan/mm_vmscan_lru_shrink_inactive",
                                         "vmscan/mm_vmscan_write_folio",
                                         "vmscan/mm_vmscan_lru_isolate",
                                         "vmscan/mm_shrink_slab_end",
                                         "vmscan/mm_shrink_slab_start",
                                         "vmscan/mm_vmscan_direct_reclaim_end",
                                         "vmscan/mm_vmscan_direct_reclaim_begin",
                                         "vmscan/mm_vmscan_wakeup_kswapd",
                                         "vmscan/mm_vmscan_kswapd_wake",
                                         "vmscan/mm_vmscan_kswapd_sleep",
                                         "oom/finish_task_reaping",
                                         "oom/start_task_reaping",
                                         "oom/wake_reaper",
                                         "oom/mark_victim",
                                         "oom/reclaim_retry_zone",
                                         "oom/oom_score_adj_update",
                                         "filemap/mm_filemap_add_to_page_cache",
                                         "filemap/mm_filemap_delete_from_page_cache",
                                         "writeback/balance_dirty_pages",
                                         "writeback/global_dirty_state",
                                         "writeback/writeback_pages_written",
                                         "writeback/writeback_written",
                                         "writeback/writeback_start",
                                         "writeback/writeback_dirty_folio"};
    const char *all = strdup(get("available_events"));
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        char line[96];
        snprintf(line, sizeof(line), "%s\n", events[i]);
        *strchr(line, '/') = ':';
        printf("available %d ", strstr(all, line) != NULL);
        format(events[i]);
    }
}

/* How many lines of this thread with these words are there? Says only whether there are any. */
static void expect(const char *event, const char *words)
{
    char who[64];
    int n = 0;
    snprintf(who, sizeof(who), "tracer-me-%d ", getpid());
    char *save = NULL, *copy = strdup(get("trace"));
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        n += strstr(line, who) && strstr(line, event) && strstr(line, words);
    printf("%s %s: %s\n", event, words, n ? "found" : "none");
    free(copy);
}

static void events(void)
{
    const size_t len = 64 << 10;
    char pid[64];
    put("set_event", "oom:oom_score_adj_update", O_TRUNC);
    put("set_event", "kmem:*", O_APPEND); /* Linux takes one word of each write */
    put("events/filemap/enable", "1", 0);
    put("tracing_on", "1", 0);
    put("trace", "", O_TRUNC);
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < len; i += 4096)
        p[i] = 1;
    munmap(p, len);
    put("/proc/self/oom_score_adj", "123", 0);
    close(open("/dev/null", O_RDONLY));
    sync();
    put("/proc/sys/vm/drop_caches", "1", 0);
    int fd = open("/proc/self/exe", O_RDONLY);
    char byte;
    if (lseek(fd, 100000, SEEK_SET) < 0 || read(fd, &byte, 1) != 1)
        printf("no program to read\n");
    close(fd);
    put("tracing_on", "0", 0);
    snprintf(pid, sizeof(pid), "pid=%d comm=tracer-me oom_score_adj=123", getpid());
    char *at = strstr(get("trace"), "oom_score_adj_update: ");
    printf("oom_score_adj_update: %s\n",
           at && !strncmp(at + 22, pid, strlen(pid)) ? "found" : "none");
    expect(": mm_page_alloc: page=", " order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|");
    expect(": mm_page_alloc: page=", "__GFP_ZERO");
    expect(": mm_page_free: page=", " order=0");
    expect(": mm_page_free_batched: page=", " order=0");
    expect(": kmem_cache_alloc: call_site=", "bytes_req=");
    expect(": kmem_cache_free: call_site=", " name=filp");
    expect(": kmalloc: call_site=", " accounted=false");
    expect(": kfree: call_site=", " ptr=");
    expect(": mm_filemap_delete_from_page_cache: dev ", " order=0");
    printf("head: %d\n",
           !strncmp(get("trace"), "# tracer: nop\n#\n# entries-in-buffer/entries-written: ", 53));
    puts(strchr(strstr(get("trace"), "#P:"), '\n') ? "" : "no end");
    char *from = strstr(text, "#P:"), *end = strstr(from, "#              | |         |");
    printf("%.*s\n", end ? (int)(end - from) : 0, from);
    put("/proc/self/oom_score_adj", "124", 0); /* not recorded */
    printf("after off: %d\n", strstr(get("trace"), "oom_score_adj=124") != NULL);
    put("trace", "", O_TRUNC);
    printf("emptied: %d\n",
           strstr(get("trace"), "entries-in-buffer/entries-written: 0/0 ") != NULL);
}

static void stream(void)
{
    put("set_event", "oom:oom_score_adj_update", O_TRUNC);
    put("tracing_on", "1", 0);
    int fd = open("trace_pipe", O_RDONLY | O_NONBLOCK);
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char line[512];
    ssize_t n = read(fd, line, sizeof(line));
    printf("empty: %zd %s, poll %d\n", n, n < 0 ? strerrorname_np(errno) : "", poll(&pfd, 1, 0));
    fflush(stdout);
    if (!fork()) {
        usleep(200000);
        put("/proc/self/oom_score_adj", "7", 0);
        _exit(0);
    }
    printf("poll %d\n", poll(&pfd, 1, 10000));
    n = read(fd, line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = 0;
    printf("read: %d\n", strstr(line, "oom_score_adj=7\n") != NULL);
    wait(NULL);
    n = read(fd, line, sizeof(line));
    printf("taken: %zd %s\n", n, n < 0 ? strerrorname_np(errno) : "");
    printf("left in trace: %d\n", strstr(get("trace"), "oom_score_adj=7") != NULL);
    fcntl(fd, F_SETFL, 0);
    fflush(stdout);
    if (!fork()) {
        usleep(200000);
        put("/proc/self/oom_score_adj", "8", 0);
        _exit(0);
    }
    n = read(fd, line, sizeof(line) - 1); /* waits */
    line[n > 0 ? n : 0] = 0;
    printf("waited: %d\n", strstr(line, "oom_score_adj=8\n") != NULL);
    wait(NULL);
    put("tracing_on", "0", 0);
    printf("off: %zd\n", read(fd, line, sizeof(line)));
    close(fd);
}

int main(void)
{
    struct statfs st;
    prctl(PR_SET_NAME, "tracer-me");
    if (chdir("/sys/kernel/tracing") || statfs(".", &st))
        return 1;
    printf("type %lx\n", (long)st.f_type);
    switches();
    formats();
    events();
    stream();
    return 0;
}
