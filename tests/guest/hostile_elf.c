/* SPDX-License-Identifier: MIT */
/* Truncated and damaged programs: execve refuses them or they die; the kernel and the caller go on. */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

#define ROUNDS 400
#define VICTIM "/tmp/hostile_elf.victim"

static char *image;
static size_t image_len;

static void load_self(void)
{
    struct stat st;
    size_t have = 0;
    int fd = open("/proc/self/exe", O_RDONLY);

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    image_len = (size_t)st.st_size;
    image = malloc(image_len);
    CHECK(image);
    while (have < image_len) {
        ssize_t n = read(fd, image + have, image_len - have);
        CHECK(n > 0);
        have += (size_t)n;
    }
    close(fd);
}

/* The child's status: 200 when execve refused. */
static int run_victim(size_t len)
{
    char *const argv[] = {"victim", "victim", NULL}, *const envp[] = {NULL};
    size_t done = 0;
    int status, fd;

    unlink(VICTIM);
    fd = open(VICTIM, O_WRONLY | O_CREAT | O_EXCL, 0700);
    CHECK(fd >= 0);
    while (done < len) {
        ssize_t n = write(fd, image + done, len - done);
        CHECK(n > 0);
        done += (size_t)n;
    }
    close(fd);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        alarm(2); /* it outlives execve */
        execve(VICTIM, argv, envp);
        _exit(200);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

int main(int argc, char **argv)
{
    unsigned long random = 0x5eed;
    int refused = 0, died = 0, ran = 0;

    if (argc > 1 && !strcmp(argv[1], "victim"))
        return 0;
    load_self();
    CHECK(run_victim(image_len) == 0);

    static const size_t lengths[] = {0, 1, 4, 15, 16, 63, 64, 65, 100, 120, 1000, 4095, 4096, 5000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int status = run_victim(lengths[i]);
        CHECK(status != 0);
    }

    Elf64_Ehdr *eh = (Elf64_Ehdr *)image;
    size_t headers = sizeof(*eh) + eh->e_phnum * sizeof(Elf64_Phdr);
    for (int round = 0; round < ROUNDS; round++) {
        char saved[2048];
        CHECK(headers <= sizeof(saved));
        memcpy(saved, image, headers);
        for (unsigned long n = 1 + next_random(&random) % 4; n; n--) {
            size_t at = 4 + next_random(&random) % (headers - 4);
            unsigned long kind = next_random(&random) % 4;
            image[at] = kind == 0   ? (char)0xff
                        : kind == 1 ? 0
                        : kind == 2 ? (char)0x7f
                                    : (char)next_random(&random);
        }
        int status = run_victim(image_len);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 200)
            refused++;
        else if (WIFSIGNALED(status))
            died++;
        else
            ran++;
        memcpy(image, saved, headers);
    }
    CHECK(refused && refused + died + ran == ROUNDS);
    CHECK(run_victim(image_len) == 0);
    unlink(VICTIM);
    printf("%d refused, %d died, %d ran\n", refused, died, ran);
    return 0;
}
