/* SPDX-License-Identifier: MIT */
/* An open file of /proc/PID shows the address space that it was opened on, whatever the process executes afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 16];

static void try_read(const char *what, int fd, off_t at)
{
    ssize_t n = pread(fd, text, 64, at);
    printf("%s: %s\n", what, n < 0 ? strerror(errno) : n ? "something" : "nothing");
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "environ", "auxv", "pagemap"};
    int fds[7], mem, go[2];
    char path[64], c, *word = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (argc > 1) { /* the second program: waits until the first has looked */
        *word = 'B';
        (void)!read(atoi(argv[1]), &c, 1);
        return *word != 'B';
    }
    *word = 'A';
    if (pipe(go))
        return 1;
    pid_t pid = fork();
    if (!pid) {
        char number[16];
        (void)!read(go[0], &c, 1);
        snprintf(number, sizeof(number), "%d", go[0]);
        execl("/proc/self/exe", argv[0], number, (char *)NULL);
        _exit(9);
    }
    for (int i = 0; i < 7; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
        fds[i] = open(path, O_RDONLY);
    }
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    mem = open(path, O_RDWR);
    for (int i = 0; i < 7; i++)
        try_read(names[i], fds[i], 0);
    printf("mem: %zd", pread(mem, &c, 1, 0x10000000));
    printf(" %c\n", c);
    (void)!write(go[1], "x", 1);
    for (int i = 0; i < 100; i++) { /* until the second program runs */
        char line[64];
        int fd;
        usleep(20000);
        snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
        fd = open(path, O_RDONLY);
        ssize_t n = read(fd, line, sizeof(line));
        close(fd);
        if (n > (ssize_t)strlen(argv[0]) + 1)
            break;
    }
    usleep(200000);
    for (int i = 0; i < 7; i++)
        if (strcmp(names[i], "smaps_rollup")) /* an error on Linux, an empty text here */
            try_read(names[i], fds[i], 0);
    printf("mem: read %zd", pread(mem, &c, 1, 0x10000000));
    printf(" write %zd\n", pwrite(mem, "C", 1, 0x10000000));
    (void)!write(go[1], "x", 1);
    int status;
    waitpid(pid, &status, 0);
    printf("second program: %x\n", status);
    return 0;
}
