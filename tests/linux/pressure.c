/* SPDX-License-Identifier: MIT */
/* /proc/pressure: form of its lines, triggers and what they refuse, poll; averages and procs_blocked as far as they must move. */
#include "say.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static const char *const files[] = {"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory"};

static void form(const char *path)
{
    char text[512] = "", shape[512];
    int fd = open(path, O_RDONLY);
    struct stat st;
    fstat(fd, &st);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    printf("%s: mode %o, %s\n", path, st.st_mode, n > 0 ? "text" : "nothing");
    size_t k = 0;
    for (const char *p = text; *p; p++) /* every number is a 9 */
        if (*p >= '0' && *p <= '9') {
            const char *word = p;
            while (word > text && word[-1] != ' ' && word[-1] != '\n' && word[-1] != '=')
                word--;
            if (word > text && word[-1] == '=') {
                if (p == word || p[-1] == '.')
                    shape[k++] = '9';
            } else {
                shape[k++] = *p;
            }
        } else {
            shape[k++] = *p;
        }
    shape[k] = 0;
    printf("%s", shape);
    SAY(lseek(fd, 5, SEEK_SET));
    printf("%.5s\n", read(fd, text, 5) == 5 ? text : "");
    SAY(lseek(fd, 0, SEEK_END));
    SAY(lseek(fd, -1, SEEK_SET));
    close(fd);
}

static int try(const char *path, const char *words, size_t n)
{
    int fd = open(path, O_RDWR | O_NONBLOCK);
    if (fd < 0) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return -1;
    }
    ssize_t r = write(fd, words, n);
    printf("\"%s\" %zu = %s\n", words, n, r < 0 ? strerrorname_np(errno) : r == (ssize_t)n ? "all" : "part");
    return fd;
}

static const char *const lines[] = {
    "some 150000 1000000", "full 150000 1000000", "some 1 499999",       "some 1 10000001",  "some 1 10000000", "some 0 1000000",
    "some 1000001 1000000", "some 1000000 1000000", "none 1 1000000",    "some 1",           "some",            "",
    "somex 1 1000000",      "some1 1000000",        "some\t1 1000000",   "some  1  1000000", "some -1 1000000", "some +1 1000000",
    "some 0x10 1000000",    "some 1 1000000 junk",  "some 1 1000000junk", " some 1 1000000", "some 4294967297 1000000",
    "some 1 4295967296",    "SOME 1 1000000",       "some 1,1000000",     "some 1\n1000000", "full 1 2000000"};

static int spin(void)
{
    int pid = fork();
    if (!pid)
        for (;;)
            continue;
    return pid;
}

static void wait_for_cpu(void)
{
    int fd = open(files[0], O_RDWR | O_NONBLOCK), pids[8];
    struct pollfd p = {fd, POLLPRI, 0};
    SAY(write(fd, "some 100000 1000000", 20));
    SAY(write(fd, "some 100000 1000000", 20));
    for (int i = 0; i < 8; i++)
        pids[i] = spin();
    int r = poll(&p, 1, 30000);
    printf("spinning: %d %s\n", r, p.revents & POLLPRI ? "POLLPRI" : "nothing");
    for (int i = 0; i < 8; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0)
        continue;
    sleep(2);
    (void)poll(&p, 1, 0);
    p.revents = 0;
    r = poll(&p, 1, 2500);
    printf("calm: %s\n", r && p.revents & POLLERR ? "error" : "as it is");
    close(fd);
}

static void poll_without(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT, 0};
    int r = poll(&p, 1, 0);
    printf("no trigger: %d %#x\n", r, p.revents);
    close(fd);
}

static long stat_value(const char *name)
{
    char line[4096];
    long v = -1;
    FILE *f = fopen("/proc/stat", "r");
    while (fgets(line, sizeof(line), f))
        if (!strncmp(line, name, strlen(name)))
            v = atol(line + strlen(name));
    fclose(f);
    return v;
}

int main(void)
{
    for (unsigned i = 0; i < 3; i++)
        form(files[i]);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        close(try(files[2], lines[i], strlen(lines[i]) + 1));
    close(try(files[1], "some 1 1000000", 14)); /* the last byte is cut */
    close(try(files[1], "full 1 1000000", 3));
    close(try(files[0], "full 1 1000000", 15));
    char big[4096] = "some 1 1000000";
    close(try(files[1], big, sizeof(big)));
    SAY(open("/proc/pressure/irq", O_RDONLY));
    poll_without(files[2]);
    wait_for_cpu();
    SAY(stat_value("procs_blocked ") >= 0);
    fflush(stdout);
    if (!fork()) {
        setgid(65534);
        setuid(65534);
        close(try(files[2], "some 1 1000000", 15));
        close(try(files[2], "some 1 2000000", 15));
        close(try(files[2], "some 1 4000000", 15));
        close(try(files[2], "some 1 5000000", 15));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    return 0;
}
