/* SPDX-License-Identifier: MIT */
/* Who sees whose writes after fork: private and shared, anonymous and file, through generations. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

#define PAGES 64ul

static void set(char *p, char value)
{
    for (unsigned long i = 0; i < PAGES; i++)
        p[i * PAGE + i] = value;
}

static int all(const char *p, char value)
{
    for (unsigned long i = 0; i < PAGES; i++) {
        if (p[i * PAGE + i] != value)
            return 0;
    }
    return 1;
}

static void wait_good(pid_t pid)
{
    int status;

    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    int fd = open("/tmp/cow.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *anon =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *share =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
    char *file = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *file_share = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(anon != MAP_FAILED && share != MAP_FAILED && file != MAP_FAILED &&
          file_share != MAP_FAILED);

    set(anon, 'a');
    set(share, 'a');
    set(file_share, 'f');
    CHECK(all(file, 'f')); /* private pages not yet written show the file */
    set(file, 'p');
    CHECK(all(file_share, 'f'));
    for (int generation = 0; generation < 4; generation++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (!pid) {
            CHECK(all(anon, 'a') && all(file, 'p'));
            set(anon, 'c');
            set(file, 'c');
            set(share, (char)('0' + generation));
            set(file_share, (char)('0' + generation));
            pid_t grandchild = fork();
            CHECK(grandchild >= 0);
            if (!grandchild) {
                CHECK(all(anon, 'c') && all(file, 'c'));
                set(anon, 'g');
                _exit(0);
            }
            wait_good(grandchild);
            CHECK(all(anon, 'c'));
            _exit(0);
        }
        wait_good(pid);
        CHECK(all(anon, 'a') && all(file, 'p'));
        CHECK(all(share, (char)('0' + generation)) && all(file_share, (char)('0' + generation)));
    }
    char byte;
    CHECK(pread(fd, &byte, 1, 0) == 1 && byte == '3');
    CHECK(pwrite(fd, "w", 1, 0) == 1 && file_share[0] == 'w' && file[0] == 'p');
    unlink("/tmp/cow.file");
    return 0;
}
