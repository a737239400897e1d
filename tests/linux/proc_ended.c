/* SPDX-License-Identifier: MIT */
/* Files of /proc/PID that were opened before: what they say after the process has become another program, and after it ended. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "say.h"

static const char *const names[] = {
    "maps", "smaps", "smaps_rollup", "numa_maps", "pagemap", "mem", "environ", "auxv", "cmdline", "status", "stat", "statm",
    "limits", "comm", "oom_score", "oom_score_adj", "coredump_filter", "personality", "wchan", "io", "timerslack_ns",
    "uid_map", "setgroups"};
#define NR ((int)(sizeof(names) / sizeof(names[0])))

static int fds[NR], refs;

static void look(const char *when)
{
    char text[64];

    printf("%s:\n", when);
    for (int i = 0; i < NR; i++) {
        errno = 0;
        ssize_t n = pread(fds[i], text, sizeof(text), 0);
        printf("  %s: %s\n", names[i], n > 0 ? "text" : n ? answer(n) : "empty");
    }
    SAY(write(refs, "4", 1));
}

int main(int argc, char **argv)
{
    char byte, path[64];
    int go[2], ready[2];

    if (argc > 1) {
        close(atoi(argv[1])); /* tells that it runs */
        pause();
    }
    if (pipe(go) || pipe(ready))
        return 1;
    pid_t pid = fork();
    if (!pid) {
        close(ready[0]);
        snprintf(path, sizeof(path), "%d", ready[1]);
        if (read(go[0], &byte, 1) == 1)
            execl("/proc/self/exe", "again", path, (char *)NULL);
        _exit(1);
    }
    close(ready[1]);
    for (int i = 0; i < NR; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
        fds[i] = open(path, O_RDONLY);
    }
    snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
    refs = open(path, O_WRONLY);
    look("as it was");
    if (write(go[1], "x", 1) != 1 || read(ready[0], &byte, 1))
        return 1;
    look("another program");
    kill(pid, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    look("a zombie");
    waitpid(pid, NULL, 0);
    look("gone");
    return 0;
}
