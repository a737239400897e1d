/* SPDX-License-Identifier: MIT */
/* vmsplice gives pages away, and secret memory has none to give: alone, and behind memory that has. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096UL

static void splice_it(const char *what, struct iovec *v, int n)
{
    int p[2];

    if (pipe(p))
        return;
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    long r = vmsplice(p[1], v, (unsigned long)n, 0);
    printf("%s: %ld %s\n", what, r, r < 0 ? strerror(errno) : "");
    close(p[0]);
    close(p[1]);
}

int main(void)
{
    int fd = (int)syscall(447, 0);

    if (fd < 0 || ftruncate(fd, 2 * PAGE))
        return 1;
    char *s = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *a = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    splice_it("secret, untouched", &(struct iovec){s, PAGE}, 1);
    memset(s, 's', 2 * PAGE);
    memset(a, 'a', 2 * PAGE);
    splice_it("secret", &(struct iovec){s, 2 * PAGE}, 1);
    splice_it("secret, a byte", &(struct iovec){s + 5, 1}, 1);
    splice_it("plain", &(struct iovec){a, 2 * PAGE}, 1);
    splice_it("plain, secret", (struct iovec[]){{a, PAGE}, {s, PAGE}}, 2);
    splice_it("secret, plain", (struct iovec[]){{s, PAGE}, {a, PAGE}}, 2);
    splice_it("nothing", NULL, 0);
    splice_it("bad vector", (struct iovec *)16, 1);
    splice_it("bad memory", &(struct iovec){(void *)16, 10}, 1);
    return 0;
}
