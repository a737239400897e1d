/* SPDX-License-Identifier: MIT */
/*
 * Situations in which memory runs out: `oom [PATTERN]...` plays those whose name contains a pattern, one after the other. Run on
 * Linux and on Pagoda it must print the same: who was killed, in which order, for which reason, who ended by himself and why, that
 * the machine goes on and that memory is back.
 *
 * A situation has a cast. Holders take their memory first and keep it; then growers grow until they are killed or fail. All have
 * names by which the kernel's log speaks of them. This program cannot be killed (oom_score_adj -1000), and
 * its pages are locked: while it waits it must not be the one that finds no memory, because who asks decides (oom_kill_allocating_task).
 */
#include "oom_grow.h"
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <time.h>

#define CAST     8
#define SLACK_KB 6144
#define TIMEOUT  240

/* What is special about an actor. */
enum {
    STOPPED = 1,   /* SIGSTOP, when it holds its memory */
    TRACED = 2,    /* by the test, and stopped */
    NOBODY = 4,    /* user 65534 */
    BLOCKING = 8,  /* blocks and ignores all signals it can */
    IN_PIPE = 16,  /* asleep in read(2) */
    LEADERLESS = 32, /* the first thread has ended; a second one does it */
    IN_VFORK = 64, /* a child by vfork waits; the parent is the actor */
    SHARED = 128,  /* another process has its memory, by clone(CLONE_VM) */
    IDLE = 256,    /* nice 19 */
    FUTEX = 512,   /* asleep in futex(2) */
    MANY = 1024,   /* eight of them, of this name */
    LOW_LATE = 2048, /* its adj is set when it holds its memory */
};
struct actor {
    const char *name; /* NULL: the end */
    grow_fn *grow;
    unsigned mib; /* holders: what they take; 0: a grower */
    int adj, how;
};
struct situation {
    const char *name;
    const char *knob; /* "NAME=VALUE" of /proc/sys/vm */
    struct actor cast[CAST];
};
#include "oom_table.h"

/* ---- small things ---- */
static bool put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}
static long value_of(const char *path, const char *name)
{
    char line[256];
    long v = -1;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)))
            v = atol(line + strlen(name));
    if (f)
        fclose(f);
    return v;
}
static void set_adj(int adj)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", adj);
    if (!put("/proc/self/oom_score_adj", text))
        printf("no oom_score_adj\n");
}
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static void nap(void)
{
    usleep(20000);
}

/* ---- an actor ---- */
struct role {
    struct actor a;
    int ready, go; /* pipes: a byte when it holds its memory; end of file: growers may start */
};

static int sharer_main(void *arg)
{
    prctl(PR_SET_NAME, "sharer");
    for (;;)
        pause();
    return 0;
}

static void wait_for_ever(const struct actor *a)
{
    int fd[2];
    char c;
    if (a->how & IN_PIPE && !pipe(fd))
        for (;;)
            if (read(fd[0], &c, 1) < 0)
                continue;
    static int word;
    while (a->how & FUTEX)
        syscall(SYS_futex, &word, 0, 0, NULL);
    for (;;)
        pause();
}

static void *play(void *arg)
{
    struct role *r = arg;
    char c;
    int err = 0;
    prctl(PR_SET_NAME, r->a.name);
    if (r->a.mib)
        err = r->a.grow(r->a.mib);
    if (r->a.how & LOW_LATE)
        set_adj(r->a.adj);
    if (write(r->ready, "r", 1) != 1)
        _exit(99);
    if (r->a.mib && !err)
        wait_for_ever(&r->a);
    if (read(r->go, &c, 1) < 0)
        _exit(98);
    if (!r->a.mib)
        err = r->a.grow(0);
    _exit(err > 97 ? 97 : err);
}

static void become(struct role *r)
{
    static char stack[16384];
    int how = r->a.how;
    set_adj(how & LOW_LATE ? 0 : r->a.adj);
    prctl(PR_SET_NAME, r->a.name);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (how & NOBODY && (setgid(65534) || setuid(65534)))
        _exit(96);
    if (how & BLOCKING) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        for (int s = 1; s < 32; s++)
            signal(s, SIG_IGN);
    }
    if (how & IDLE)
        setpriority(PRIO_PROCESS, 0, 19);
    if (how & TRACED)
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    if (how & SHARED)
        clone(sharer_main, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    if (how & LEADERLESS) {
        pthread_t t;
        pthread_create(&t, NULL, play, r);
        syscall(SYS_exit, 0);
    }
    if (how & IN_VFORK) {
        pthread_t t;
        pthread_create(&t, NULL, play, r);
        if (!vfork()) {
            prctl(PR_SET_NAME, "vforked");
            for (;;)
                syscall(SYS_pause);
        }
        for (;;)
            pause();
    }
    play(r);
}

/* ---- the log ---- */
static int kmsg = -1;

static void log_begin(void)
{
    if (kmsg >= 0)
        close(kmsg);
    kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    lseek(kmsg, 0, SEEK_END);
}

/* " killed: a b+ (reason)": the names in order, those that follow themselves with a plus. */
static unsigned log_killed(char *out, size_t size)
{
    char rec[2048], last[32] = "";
    unsigned n = 0;
    size_t len = 0;
    bool plus = false;
    out[0] = 0;
    for (;;) {
        ssize_t got = read(kmsg, rec, sizeof(rec) - 1);
        if (got < 0 && errno == EPIPE)
            continue;
        if (got <= 0)
            break;
        rec[got] = 0;
        char *text = strchr(rec, ';'), *at = text ? strstr(text, ": Killed process ") : NULL;
        if (!at)
            continue;
        char name[32] = "";
        sscanf(at, ": Killed process %*d (%31[^)])", name);
        n++;
        if (!strcmp(name, "crowd"))
            continue;
        *at = 0;
        const char *why = strcmp(text + 1, "Out of memory") ? strchr(text, '(') : NULL;
        if (!strcmp(name, last)) {
            if (!plus)
                len += (size_t)snprintf(out + len, size - len, "+");
            plus = true;
        } else {
            len += (size_t)snprintf(out + len, size - len, " %s%s", name, why ? why : "");
            plus = false;
        }
        strcpy(last, name);
    }
    return n;
}

/* ---- a situation ---- */
struct running {
    pid_t pid;
    const struct actor *a;
    bool ended;
    int status;
};
static struct running run[64];
static unsigned nr_run;

static bool reap_some(void)
{
    int status;
    pid_t pid;
    bool any = false;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
        if (WIFSTOPPED(status))
            continue;
        for (unsigned i = 0; i < nr_run; i++)
            if (run[i].pid == pid) {
                run[i].ended = any = true;
                run[i].status = status;
            }
    }
    return any;
}

static bool growers_left(void)
{
    for (unsigned i = 0; i < nr_run; i++)
        if (!run[i].a->mib && !run[i].ended)
            return true;
    return false;
}

static bool start(const struct actor *a, int go_w, int go_r)
{
    int fd[2];
    char c;
    if (pipe(fd))
        return false;
    pid_t pid = fork();
    if (!pid) {
        close(fd[0]);
        close(go_w);
        static struct role r;
        r = (struct role){*a, fd[1], go_r};
        become(&r);
    }
    close(fd[1]);
    run[nr_run++] = (struct running){.pid = pid, .a = a};
    bool ok = read(fd[0], &c, 1) == 1;
    close(fd[0]);
    if (a->how & STOPPED)
        kill(pid, SIGSTOP);
    if (a->how & TRACED) {
        int status;
        kill(pid, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
    }
    return ok;
}

static bool memory_back(long before)
{
    for (double end = now() + 15; now() < end; nap()) {
        put("/proc/sys/vm/drop_caches", "3");
        if (value_of("/proc/meminfo", "MemAvailable:") >= before - SLACK_KB)
            return true;
    }
    return false;
}

/* Sets the situation's knob, or gives it back the value it had. */
static void set_knob(const char *knob, bool back)
{
    static long old;
    char path[128], value[32];
    if (!knob)
        return;
    snprintf(path, sizeof(path), "/proc/sys/vm/%.*s", (int)strcspn(knob, "="), knob);
    snprintf(value, sizeof(value), "%ld", back ? old : atol(knob + strcspn(knob, "=") + 1));
    if (!back)
        old = value_of(path, "");
    if (!put(path, value))
        printf("%s: no such knob\n", path);
}

static void print_ends(void)
{
    for (unsigned i = 0; i < nr_run; i++) {
        if (run[i].a->how & MANY || !run[i].ended || WIFSIGNALED(run[i].status))
            continue;
        int err = WEXITSTATUS(run[i].status);
        printf(" %s:%s", run[i].a->name, err ? strerrorname_np(err) : "done");
    }
}

static void clear_stage(void)
{
    for (unsigned i = 0; i < nr_run; i++)
        if (!run[i].ended)
            kill(run[i].pid, SIGKILL);
    kill(-1, SIGKILL); /* children of the cast */
    while (waitpid(-1, NULL, __WALL) > 0)
        continue;
}

static bool play_situation(const struct situation *s)
{
    char killed[512];
    int go[2];
    long before = value_of("/proc/meminfo", "MemAvailable:");
    long count = value_of("/proc/vmstat", "oom_kill ");
    bool ok = true;
    printf("%s:", s->name);
    fflush(stdout);
    log_begin();
    nr_run = 0;
    if (pipe(go))
        return false;
    set_knob(s->knob, false);
    for (const struct actor *a = s->cast; a < s->cast + CAST && a->name; a++)
        for (int i = 0; i < (a->how & MANY ? 8 : 1); i++)
            ok = start(a, go[1], go[0]) && ok;
    close(go[0]);
    close(go[1]);
    double end = now() + TIMEOUT;
    while (growers_left() && now() < end)
        if (!reap_some())
            nap();
    bool in_time = !growers_left();
    usleep(100000);
    reap_some();
    unsigned n = log_killed(killed, sizeof(killed));
    printf(" killed%s;", *killed ? killed : " nobody");
    print_ends();
    clear_stage();
    bool counted = false;
    for (int i = 0; i < 50 && !counted; i++, nap()) { /* some of a crowd may have gone since, or be on their way */
        n += log_killed(killed, sizeof(killed));
        counted = value_of("/proc/vmstat", "oom_kill ") - count == (long)n;
    }
    set_knob(s->knob, true);
    bool back = memory_back(before);
    printf("%s%s%s%s\n", ok ? "" : " (cast incomplete)", in_time ? "" : " (still growing)", counted ? "" : " (miscounted)",
           back ? "" : " (memory not back)");
    if (!back)
        fprintf(stderr, "%s: %ld kB were available, now %ld\n", s->name, before, value_of("/proc/meminfo", "MemAvailable:"));
    fflush(stdout);
    return ok && in_time && counted && back;
}

static bool wanted(const char *name, char **patterns)
{
    if (!*patterns)
        return true;
    for (; *patterns; patterns++)
        if (strstr(name, *patterns))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    unsigned played = 0, bad = 0;
    set_adj(-1000);
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        printf("no mlockall: %s\n", strerrorname_np(errno));
    setvbuf(stdout, NULL, _IONBF, 0);
    put("/proc/sys/vm/oom_dump_tasks", "1");
    put("/proc/sys/vm/overcommit_memory", "1");
    put("/proc/sys/kernel/threads-max", "200000");
    put("/proc/sys/kernel/pid_max", "300000");
    put("/proc/sys/kernel/shmall", "10000000");
    mkdir("/tmp/oom-small", 0700);
    mkdir("/tmp/oom-large", 0700);
    if (mount("none", "/tmp/oom-small", "tmpfs", 0, "size=8m") || mount("none", "/tmp/oom-large", "tmpfs", 0, "size=8g"))
        printf("no tmpfs: %s\n", strerrorname_np(errno));
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!wanted(table[i].name, argv + 1))
            continue;
        played++;
        bad += !play_situation(&table[i]);
    }
    umount("/tmp/oom-small");
    umount("/tmp/oom-large");
    printf("%u situations, %u bad\n", played, bad);
    return bad != 0;
}
