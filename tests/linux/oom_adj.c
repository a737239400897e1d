/* SPDX-License-Identifier: MIT */
/* /proc/PID/oom_score_adj, oom_adj and oom_score: texts, bounds, who may lower what, inheritance, sharers of memory. */
#include "say.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static char file[64];
static const char *path(int pid, const char *name)
{
    if (pid)
        snprintf(file, sizeof(file), "/proc/%d/%s", pid, name);
    else
        snprintf(file, sizeof(file), "/proc/self/%s", name);
    return file;
}
static const char *get(int pid, const char *name)
{
    static char text[4][64];
    static int turn;
    char *t = text[turn++ & 3];
    int fd = open(path(pid, name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, t, 63);
    t[n > 0 ? n - 1 : 0] = 0;
    close(fd);
    return t;
}
static int set(int pid, const char *name, const char *value)
{
    int fd = open(path(pid, name), O_WRONLY);
    int r = fd < 0 ? -1 : (int)write(fd, value, strlen(value)), err = errno;
    if (fd >= 0)
        close(fd);
    errno = err;
    return r < 0 ? -1 : 0;
}
static void both(const char *name, const char *value)
{
    int r = set(0, name, value);
    printf("%s \"%s\" = %s: adj %s, old adj %s\n", name, value, r ? strerrorname_np(errno) : "0", get(0, "oom_score_adj"),
           get(0, "oom_adj"));
}

static void as_nobody(void)
{
    if (setgroups(0, NULL) || setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
        _exit(1);
}
#define IN_CHILD(body)                                                                             \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        if (!fork()) {                                                                             \
            body;                                                                                  \
            fflush(stdout);                                                                        \
            _exit(0);                                                                              \
        }                                                                                          \
        wait(NULL);                                                                                \
    } while (0)

static void lower(void)
{
    as_nobody();
    both("oom_score_adj", "500");
    both("oom_score_adj", "100");
    both("oom_score_adj", "0");
    both("oom_score_adj", "-1");
    both("oom_score_adj", "300");
    both("oom_adj", "10");
    both("oom_adj", "3");
    both("oom_adj", "15");
    both("oom_score_adj", "0");
    IN_CHILD(both("oom_score_adj", "7"));
}

static int pause_for_ever(void *arg)
{
    for (;;)
        pause();
    return 0;
}

static void sharers(void)
{
    static char stack[2][8192];
    set(0, "oom_score_adj", "50");
    int shares = clone(pause_for_ever, stack[0] + 8192, CLONE_VM | SIGCHLD, NULL), copy = fork();
    if (!copy)
        pause_for_ever(NULL);
    SAY(set(0, "oom_score_adj", "60"));
    printf("I %s, who shares %s, who copied %s\n", get(0, "oom_score_adj"), get(shares, "oom_score_adj"),
           get(copy, "oom_score_adj"));
    SAY(set(shares, "oom_score_adj", "70"));
    printf("I %s, who shares %s, who copied %s\n", get(0, "oom_score_adj"), get(shares, "oom_score_adj"),
           get(copy, "oom_score_adj"));
    kill(shares, SIGKILL);
    kill(copy, SIGKILL);
    while (wait(NULL) > 0)
        continue;
}

/* A child by vfork that sets its own does not set its parent's. */
static void vforked(void)
{
    set(0, "oom_score_adj", "11");
    pid_t pid = vfork();
    if (!pid) {
        set(0, "oom_score_adj", "22");
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("after vfork: %s\n", get(0, "oom_score_adj"));
}

static int near(int a, int b)
{
    return a - b <= 20 && b - a <= 20; /* memory is counted in thousandths, cut */
}

static void scores(void)
{
    static const char *const adj[] = {"-1000", "-999", "-500", "-1", "0", "1", "250", "500", "999", "1000"};
    for (unsigned i = 0; i < sizeof(adj) / sizeof(adj[0]); i++) {
        SAY(set(0, "oom_score_adj", adj[i]));
        int score = atoi(get(0, "oom_score")), want = atoi(adj[i]) == -1000 ? 0 : (1000 + atoi(adj[i])) * 2 / 3;
        printf("adj %s: score %s\n", adj[i], near(score, want + 1) ? "as expected" : get(0, "oom_score"));
    }
    set(0, "oom_score_adj", "0");
}

int main(void)
{
    static const char *const texts[] = {"0",   "5",   "5\n",  " 7",    "7 ",    "\t8\n\n", "+9",   "-9",    "0x10", "010",
                                        "abc", "1a",  "1000", "1001",  "-1000", "-1001",   "\n",    "1 2",  "99999999999",
                                        "--1", "0"};
    static const char *const olds[] = {"15", "16", "-17", "-18", "14", "1", "-1", "-16", "8", "-8", "0"};
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        both("oom_score_adj", texts[i]);
    for (unsigned i = 0; i < sizeof(olds) / sizeof(olds[0]); i++)
        both("oom_adj", olds[i]);
    static const char *const news[] = {"1", "58", "59", "117", "500", "941", "942", "999", "1000", "-1", "-58", "-59", "-941", "-942", "-999"};
    for (unsigned i = 0; i < sizeof(news) / sizeof(news[0]); i++)
        both("oom_score_adj", news[i]);
    both("oom_score_adj", "0");
    scores();
    IN_CHILD(lower());
    both("oom_score_adj", "-500");
    IN_CHILD(lower(); both("oom_score_adj", "-500"); both("oom_score_adj", "-501"));
    both("oom_score_adj", "200");
    IN_CHILD(lower());
    IN_CHILD(sharers());
    IN_CHILD(vforked());
    return 0;
}
