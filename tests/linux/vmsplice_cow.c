/* SPDX-License-Identifier: MIT */
/*
 * What a child put into a pipe with vmsplice() must not show it what its parent writes later, nor the other way round
 * (CVE-2020-29374 and its family): who wrote last, and what each of the others sees.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static int pipe_fd[2], to_parent[2], to_child[2];

static void send_byte(int fd)
{
    if (write(fd, "x", 1) != 1)
        _exit(9);
}

static void wait_byte(int fd)
{
    char c;
    if (read(fd, &c, 1) != 1)
        _exit(9);
}

static int splice_page(char *p)
{
    struct iovec v = {p, PAGE};
    return (int)vmsplice(pipe_fd[1], &v, 1, 0);
}

static int first_in_pipe(void)
{
    char buf[PAGE];
    return read(pipe_fd[0], buf, PAGE) == PAGE ? buf[0] : -1;
}

static void open_pipes(void)
{
    if (pipe(pipe_fd) || pipe(to_parent) || pipe(to_child))
        exit(2);
}

static void close_pipes(void)
{
    for (int i = 0; i < 2; i++) {
        close(pipe_fd[i]);
        close(to_parent[i]);
        close(to_child[i]);
    }
}

/* The child splices, unmaps and looks after the parent wrote. */
static void splice_in_child(char *p)
{
    open_pipes();
    memset(p, 1, PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        splice_page(p);
        munmap(p, PAGE);
        send_byte(to_parent[1]);
        wait_byte(to_child[0]);
        _exit(first_in_pipe());
    }
    wait_byte(to_parent[0]);
    memset(p, 2, PAGE);
    send_byte(to_child[1]);
    int status;
    waitpid(pid, &status, 0);
    printf("child spliced, parent wrote: pipe %d, parent %d\n", WEXITSTATUS(status), p[0]);
    close_pipes();
}

/* The parent splices before it forks, and unmaps; then the child writes. */
static void splice_before_fork(char *p)
{
    open_pipes();
    memset(p, 3, PAGE);
    splice_page(p);
    pid_t pid = fork();
    if (pid == 0) {
        wait_byte(to_child[0]);
        memset(p, 4, PAGE);
        _exit(p[0]);
    }
    munmap(p, PAGE);
    send_byte(to_child[1]);
    int status;
    waitpid(pid, &status, 0);
    printf("parent spliced, child wrote: pipe %d, child %d\n", first_in_pipe(), WEXITSTATUS(status));
    close_pipes();
}

static char *map(int flags)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (p == MAP_FAILED)
        exit(2);
    return p;
}

int main(void)
{
    char *p = map(MAP_PRIVATE | MAP_ANONYMOUS);
    splice_in_child(p);
    splice_before_fork(p);
    /* A few pages more, so that tables are shared at fork. */
    for (int i = 0; i < 64; i++)
        memset(map(MAP_PRIVATE | MAP_ANONYMOUS), i, PAGE);
    p = map(MAP_PRIVATE | MAP_ANONYMOUS);
    splice_in_child(p);
    splice_before_fork(p);
    return 0;
}
