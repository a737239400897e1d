/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs: order, limits, atomicity, ends, polling. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static void basics(void)
{
    int p[2], n;
    char buf[8192];
    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "hello ", 6) == 6 && write(p[1], "world", 5) == 5);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 11);
    CHECK(read(p[0], buf, 3) == 3 && !memcmp(buf, "hel", 3));
    CHECK(read(p[0], buf, 100) == 8 && !memcmp(buf, "lo world", 8));
    CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(read(p[0], buf, 1) == -1 && errno == EAGAIN);
    CHECK(write(p[0], "x", 1) == -1 && errno == EBADF);
    CHECK(read(p[1], buf, 1) == -1 && errno == EBADF);
    CHECK(lseek(p[0], 0, SEEK_CUR) == -1 && errno == ESPIPE);
    close(p[1]);
    CHECK(read(p[0], buf, 1) == 0);
    close(p[0]);
    CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK((fcntl(p[0], F_GETFD) & FD_CLOEXEC) && (fcntl(p[1], F_GETFL) & O_NONBLOCK));
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
    close(p[1]);
    CHECK(pipe2(p, 12345678) == -1 && errno == EINVAL);
    puts("ok basics");
}

static void capacity(void)
{
    int p[2];
    char buf[4096] = {0};
    long total = 0, n;
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536);
    while ((n = write(p[1], buf, sizeof(buf))) > 0)
        total += n;
    CHECK(errno == EAGAIN && total == 65536);
    CHECK(write(p[1], buf, 1) == -1 && errno == EAGAIN);
    CHECK(read(p[0], buf, 4096) == 4096 && write(p[1], buf, 4096) == 4096);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 4096) == -1 && errno == EBUSY);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 200000) == 262144 && fcntl(p[0], F_GETPIPE_SZ) == 262144);
    for (total = 0; (n = write(p[1], buf, sizeof(buf))) > 0;)
        total += n;
    CHECK(total == 262144 - 65536);
    close(p[0]);
    close(p[1]);
    puts("ok capacity");
}

static void packets(void)
{
    int p[2];
    char buf[100];
    CHECK(pipe2(p, O_DIRECT) == 0);
    CHECK(write(p[1], "one", 3) == 3 && write(p[1], "three", 5) == 5);
    CHECK(read(p[0], buf, sizeof(buf)) == 3 && read(p[0], buf, 2) == 2);
    close(p[1]);
    CHECK(read(p[0], buf, sizeof(buf)) == 0); /* the rest of a packet is dropped */
    close(p[0]);
    puts("ok packets");
}

#define WRITERS 4
#define LINES   400
static int many[2];
static void *write_lines(void *arg)
{
    char line[1000];
    memset(line, 'a' + (int)(long)arg, sizeof(line));
    line[sizeof(line) - 1] = '\n';
    for (int i = 0; i < LINES; i++)
        CHECK(write(many[1], line, sizeof(line)) == sizeof(line));
    return NULL;
}

/* Writes of up to PIPE_BUF bytes are not mixed with each other. */
static void atomicity(void)
{
    pthread_t t[WRITERS];
    char line[1000];
    CHECK(pipe(many) == 0);
    for (long i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&t[i], NULL, write_lines, (void *)i) == 0);
    FILE *f = fdopen(many[0], "r");
    for (int i = 0; i < WRITERS * LINES; i++) {
        CHECK(fread(line, sizeof(line), 1, f) == 1);
        for (unsigned k = 0; k < sizeof(line) - 1; k++)
            CHECK(line[k] == line[0]);
        CHECK(line[sizeof(line) - 1] == '\n');
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(t[i], NULL);
    fclose(f);
    close(many[1]);
    puts("ok atomicity");
}

static void big_transfer(void)
{
    int p[2], status;
    enum { SIZE = 3000000 };
    static unsigned char buf[70001];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (!pid) {
        close(p[0]);
        for (int done = 0; done < SIZE;) {
            int n = SIZE - done < (int)sizeof(buf) ? SIZE - done : (int)sizeof(buf);
            for (int i = 0; i < n; i++)
                buf[i] = (unsigned char)((done + i) * 7 >> 3);
            CHECK(write(p[1], buf, n) == n);
            done += n;
        }
        _exit(0);
    }
    close(p[1]);
    long at = 0, n;
    while ((n = read(p[0], buf, 12345)) > 0) {
        for (long i = 0; i < n; i++)
            CHECK(buf[i] == (unsigned char)((at + i) * 7 >> 3));
        at += n;
    }
    CHECK(n == 0 && at == SIZE);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(p[0]);
    puts("ok transfer");
}

static void polling(void)
{
    int p[2];
    char buf[4096] = {0};
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    struct pollfd f[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    CHECK(poll(f, 2, 0) == 1 && f[0].revents == 0 && f[1].revents == POLLOUT);
    while (write(p[1], buf, sizeof(buf)) > 0)
        ;
    CHECK(poll(f, 2, 0) == 1 && f[0].revents == POLLIN && f[1].revents == 0);
    while (read(p[0], buf, sizeof(buf)) > 0)
        ;
    CHECK(poll(f, 1, 30) == 0);
    close(p[1]);
    CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLHUP);
    close(p[0]);
    CHECK(pipe(p) == 0);
    close(p[0]);
    f[1].fd = p[1];
    CHECK(poll(&f[1], 1, -1) == 1 && (f[1].revents & POLLERR));
    f[0].fd = p[0];
    CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLNVAL);
    close(p[1]);
    puts("ok polling");
}

/* A pipe without writers is opened once more by its name under /proc: it waits for nobody (shells' process substitution). */
static void reopened(void)
{
    int p[2];
    char path[40], buf[8];
    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "left", 4) == 4);
    close(p[1]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
    alarm(10);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, buf, 8) == 4 && !memcmp(buf, "left", 4) && read(fd, buf, 8) == 0);
    alarm(0);
    close(fd);
    close(p[0]);
    puts("ok reopened");
}

static void *open_writer(void *path)
{
    usleep(30000);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, "fifo", 4) == 4);
    close(fd);
    return NULL;
}

static void fifos(void)
{
    char path[] = "/tmp/fifo.test", buf[8];
    pthread_t t;
    unlink(path);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(open(path, O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
    int rd = open(path, O_RDONLY | O_NONBLOCK);
    CHECK(rd >= 0 && read(rd, buf, 1) == 0);
    struct pollfd f = {rd, POLLIN, 0};
    CHECK(poll(&f, 1, 0) == 0); /* nobody was there yet: no hang-up */
    int wr = open(path, O_WRONLY | O_NONBLOCK);
    CHECK(wr >= 0 && write(wr, "ab", 2) == 2 && read(rd, buf, 8) == 2);
    CHECK(read(rd, buf, 1) == -1 && errno == EAGAIN);
    close(wr);
    CHECK(poll(&f, 1, 0) == 1 && f.revents == POLLHUP);
    close(rd);
    CHECK(pthread_create(&t, NULL, open_writer, path) == 0);
    rd = open(path, O_RDONLY); /* waits for the writer */
    CHECK(rd >= 0 && read(rd, buf, 8) == 4 && !memcmp(buf, "fifo", 4) && read(rd, buf, 8) == 0);
    pthread_join(t, NULL);
    close(rd);
    unlink(path);
    puts("ok fifos");
}

static void splicing(void)
{
    int p[2], q[2];
    char buf[16];
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    CHECK(write(p[1], "teetime", 7) == 7);
    CHECK(tee(p[0], q[1], 3, 0) == 3);
    CHECK(read(q[0], buf, 16) == 3 && !memcmp(buf, "tee", 3));
    CHECK(splice(p[0], NULL, q[1], NULL, 100, 0) == 7);
    CHECK(read(q[0], buf, 16) == 7 && !memcmp(buf, "teetime", 7));
    puts("ok tee");
}

int main(void)
{
    basics();
    capacity();
    packets();
    atomicity();
    big_transfer();
    polling();
    reopened();
    fifos();
    splicing();
    return 0;
}
