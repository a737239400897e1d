/* SPDX-License-Identifier: MIT */
/*
 * run-init: the first program of the guest that `pagoda run -- CMD` boots.
 *
 *      orders ─ modules ─ mounts ─ chroot ─ fork CMD ─ relay until CMD ends ─ FRAME_EXIT ─ power off
 *
 * The orders (user/proto.h) come in the initramfs. CMD's streams are pipes, or one pseudo terminal
 * for those that are a terminal on the host; the relay carries them over the virtio-serial port
 * frame by frame.
 *
 * Invariants
 *  1. Nothing is ever written to the console while CMD runs, except by the kernel.
 *  2. FRAME_EXIT or FRAME_FAIL is the last frame; every byte CMD wrote has been sent by then.
 *  3. A stream never has more than FRAME_WINDOW unacknowledged bytes on the wire.
 *
 * docs/RUN.md lists what this program asks of a kernel.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct out_stream {
    int fd; /* -1 once it has ended */
    uint32_t credit;
};

static int port = -1;
static int child_in = -1; /* CMD's standard input: pipe or terminal master */
static int master = -1;
static struct out_stream outs[STREAM_COUNT] = {{-1, 0}, {-1, FRAME_WINDOW}, {-1, FRAME_WINDOW}};
static char in_buf[FRAME_WINDOW]; /* stdin bytes that CMD has not taken yet */
static size_t in_head, in_len;
static uint32_t in_owed; /* consumed, not yet handed back as credit */
static bool in_eof;
static pid_t child;
static volatile sig_atomic_t child_ended;

static void write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static void send_frame(enum frame_type type, int stream, const void *data, uint32_t len)
{
    static char buf[sizeof(struct frame) + FRAME_MAX];
    struct frame f = {.type = (uint8_t)type, .stream = (uint8_t)stream, .len = len};

    if (port < 0)
        return;
    memcpy(buf, &f, sizeof(f));
    memcpy(buf + sizeof(f), data, len);
    write_all(port, buf, sizeof(f) + len);
}

static void power_off(void)
{
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

void fail(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dprintf(2, "run-init: %s\n", text);
    send_frame(FRAME_FAIL, 0, text, (uint32_t)strlen(text));
    power_off();
    __builtin_unreachable();
}

/* ---- CMD
 * ------------------------------------------------------------------------------------------------------
 */

static void set_winsize(uint16_t rows, uint16_t cols)
{
    struct winsize ws = {.ws_row = rows, .ws_col = cols};

    if (master >= 0 && rows && cols)
        ioctl(master, TIOCSWINSZ, &ws);
}

static int open_terminal(void)
{
    int n = 0, zero = 0;
    char path[32];

    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) < 0 || ioctl(master, TIOCGPTN, &n) < 0)
        fail("no pseudo terminal: %s", strerror(errno));
    snprintf(path, sizeof(path), "/dev/pts/%d", n);
    int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        fail("%s: %s", path, strerror(errno));
    set_winsize((uint16_t)orders.rows, (uint16_t)orders.cols);
    return slave;
}

__attribute__((noreturn)) static void become_cmd(const int fds[STREAM_COUNT], int slave)
{
    sigset_t none;
    const char *path = NULL;

    setsid();
    if (slave >= 0)
        ioctl(slave, TIOCSCTTY, 0);
    for (int i = 0; i < STREAM_COUNT; i++)
        dup2(fds[i], i);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (orders.cwd && chdir(orders.cwd) < 0)
        dprintf(2, "pagoda: %s: %s; starting in /\n", orders.cwd, strerror(errno));
    for (char **e = orders.env; e && *e; e++) {
        if (!strncmp(*e, "PATH=", 5))
            path = *e + 5;
    }
    setenv("PATH", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execvpe(orders.args[0], orders.args, orders.env);
    int error = errno;
    dprintf(2, "pagoda: %s: %s\n", orders.args[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static void make_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        fail("pipe: %s", strerror(errno));
}

static void start_cmd(void)
{
    int cmd_end[STREAM_COUNT], ends[2];
    int slave = orders.tty ? open_terminal() : -1;

    for (int i = 0; i < STREAM_COUNT; i++) {
        if (orders.tty & 1u << i) {
            cmd_end[i] = slave;
            continue;
        }
        make_pipe(ends);
        cmd_end[i] = ends[i == STREAM_IN ? 0 : 1];
        if (i == STREAM_IN)
            child_in = ends[1];
        else
            outs[i].fd = ends[0];
    }
    if (child_in >= 0)
        fcntl(child_in, F_SETFL, O_NONBLOCK);
    else
        child_in = master;
    if (master >= 0) /* the terminal's output is stdout's if that is one, else stderr's */
        outs[orders.tty & 1u << STREAM_OUT ? STREAM_OUT : STREAM_ERR].fd = master;
    child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (!child)
        become_cmd(cmd_end, slave);
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (cmd_end[i] != slave)
            close(cmd_end[i]);
    }
    if (slave >= 0)
        close(slave);
}

/* ---- the relay
 * ------------------------------------------------------------------------------------------------
 */

static void close_input(void)
{
    static const char end_of_file = 4; /* what a terminal's user would type */

    if (child_in < 0)
        return;
    if (child_in == master)
        write_all(master, &end_of_file, 1);
    else
        close(child_in);
    child_in = -1;
}

static void on_frame(const struct frame *f, const char *data)
{
    uint32_t word = 0;

    if (f->len >= sizeof(word))
        memcpy(&word, data, sizeof(word));
    switch (f->type) {
    case FRAME_DATA:
        for (uint32_t i = 0; i < f->len && in_len < sizeof(in_buf); i++)
            in_buf[(in_head + in_len++) % sizeof(in_buf)] = data[i];
        break;
    case FRAME_EOF:
        if (f->stream == STREAM_IN) {
            in_eof = true;
        } else if (f->stream < STREAM_COUNT && outs[f->stream].fd >= 0) {
            if (outs[f->stream].fd != master)
                close(outs[f->stream].fd);
            outs[f->stream].fd = -1;
        }
        break;
    case FRAME_CREDIT:
        if (f->stream < STREAM_COUNT)
            outs[f->stream].credit += word;
        break;
    case FRAME_WINSIZE:
        set_winsize((uint16_t)word, (uint16_t)(word >> 16));
        break;
    case FRAME_SIGNAL:
        if (child > 0)
            kill(-child, (int)word);
        break;
    }
}

/* Take what the port has and handle the frames that are complete. */
static void read_port(void)
{
    static char buf[2 * (sizeof(struct frame) + FRAME_MAX)];
    static size_t have;
    size_t used = 0;
    ssize_t n = read(port, buf + have, sizeof(buf) - have);

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        power_off(); /* the host's side is gone */
    if (n > 0)
        have += (size_t)n;
    for (struct frame f; have - used >= sizeof(f); used += sizeof(f) + f.len) {
        memcpy(&f, buf + used, sizeof(f));
        if (f.len > FRAME_MAX)
            fail("a frame of %u bytes", f.len);
        if (have - used < sizeof(f) + f.len)
            break;
        on_frame(&f, buf + used + sizeof(f));
    }
    memmove(buf, buf + used, have - used);
    have -= used;
}

/* CMD's input takes what it can; the credit goes back in quarters of the window. */
static void feed_input(void)
{
    while (in_len && child_in >= 0) {
        size_t run = sizeof(in_buf) - in_head < in_len ? sizeof(in_buf) - in_head : in_len;
        ssize_t n = write(child_in, in_buf + in_head, run);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) { /* nobody reads any more: swallow the rest */
            if (child_in != master)
                close(child_in);
            child_in = -1;
            break;
        }
        in_head = (in_head + (size_t)n) % sizeof(in_buf);
        in_len -= (size_t)n;
        in_owed += (uint32_t)n;
    }
    if (child_in < 0) {
        in_owed += (uint32_t)in_len;
        in_len = 0;
    }
    if (in_owed >= FRAME_WINDOW / 4 || (in_owed && !in_len)) {
        send_frame(FRAME_CREDIT, STREAM_IN, &in_owed, sizeof(in_owed));
        in_owed = 0;
    }
    if (in_eof && !in_len)
        close_input();
}

static void drain_output(int stream)
{
    static char buf[FRAME_MAX];
    struct out_stream *o = &outs[stream];
    size_t room = o->credit < sizeof(buf) ? o->credit : sizeof(buf);
    ssize_t n = read(o->fd, buf, room);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) { /* a terminal master says EIO when its last slave is closed */
        if (o->fd != master)
            close(o->fd);
        o->fd = -1;
        return;
    }
    o->credit -= (uint32_t)n;
    send_frame(FRAME_DATA, stream, buf, (uint32_t)n);
}

static void on_sigchld(int sig)
{
    (void)sig;
    child_ended = 1;
}

/* Reap every child that has ended; true with *status set when CMD was among them. */
static bool reap(int *status)
{
    bool done = false;
    int st;

    child_ended = 0;
    for (pid_t pid; (pid = waitpid(-1, &st, WNOHANG)) > 0;) {
        if (pid == child) {
            *status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
            done = true;
        }
    }
    return done;
}

/* Carry the streams until CMD has ended and what it wrote has gone out; returns its status. */
static int relay(const sigset_t *open_mask)
{
    struct timespec no_wait = {0, 0};
    int status = 0;
    bool ended = false;

    for (;;) {
        struct pollfd p[2 + STREAM_COUNT] = {{.fd = port, .events = POLLIN}};
        int starved = 0;

        if (child_ended && reap(&status)) {
            ended = true;
            kill(-1, SIGKILL); /* what CMD left behind must not keep its streams open */
        }
        p[1] = (struct pollfd){.fd = in_len ? child_in : -1, .events = POLLOUT};
        for (int i = STREAM_OUT; i < STREAM_COUNT; i++) {
            starved += outs[i].fd >= 0 && !outs[i].credit;
            p[1 + i] = (struct pollfd){.fd = outs[i].credit ? outs[i].fd : -1, .events = POLLIN};
        }
        int n = ppoll(p, 1 + STREAM_COUNT, ended && !starved ? &no_wait : NULL, open_mask);
        if (n < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        if (n < 0)
            continue;
        bool moved = false;
        for (int i = STREAM_OUT; i < STREAM_COUNT; i++) {
            if (p[1 + i].fd >= 0 && p[1 + i].revents && outs[i].fd >= 0) {
                drain_output(i);
                moved = true;
            }
        }
        if (p[0].revents & (POLLIN | POLLHUP | POLLERR)) {
            read_port();
            moved = true;
        }
        feed_input();
        if (ended && !starved && !moved)
            return status;
    }
}

/* With no port, CMD has the console itself and its status is a line of text. */
static void run_on_console(void)
{
    int status = 0;

    child = fork();
    if (!child) {
        const int fds[STREAM_COUNT] = {0, 1, 2};
        become_cmd(fds, 0);
    }
    while (child > 0 && waitpid(-1, &status, 0) != child)
        ;
    dprintf(1, "pagoda: exit status %d\n",
            WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    power_off();
}

int main(void)
{
    sigset_t block, open_mask;
    struct sigaction chld = {.sa_handler = on_sigchld};

    if (getpid() != 1) {
        fprintf(stderr, "run-init is the first program of a guest; `pagoda run` starts it.\n");
        return 2;
    }
    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, "mode=755");
    read_orders();
    load_modules();
    if (!orders.console && (port = open_port()) < 0)
        fail("no virtio-serial port in /dev");
    if (orders.host)
        sethostname(orders.host, strlen(orders.host));
    enter_root();
    loopback_up();
    swap_on();
    if (orders.console)
        run_on_console();

    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &open_mask);
    sigaction(SIGCHLD, &chld, NULL);
    signal(SIGPIPE, SIG_IGN);
    uint32_t version = PROTO_VERSION;
    send_frame(FRAME_READY, 0, &version, sizeof(version));
    start_cmd();
    uint32_t status = (uint32_t)relay(&open_mask);
    sync();
    send_frame(FRAME_EXIT, 0, &status, sizeof(status));
    power_off();
}
