/* SPDX-License-Identifier: MIT */
/*
 *      stdin ──► DATA 0 ─────────────┐            ┌───────────── console (QEMU's stdout), QEMU's
 * stderr stdout ◄── ring ◄── DATA 1 ◄── port socket │ last lines kept for a failure stderr ◄── ring
 * ◄── DATA 2 ◄──┘            ▼
 *
 * Invariants
 *  1. Descriptors 0, 1 and 2 are never made non-blocking: their file descriptions belong to others
 * too. A write follows a poll and is short enough not to wait.
 *  2. Credit goes back to the guest only for bytes that have left, so a ring never overflows.
 *  3. However the session ends, the terminal is as it was and QEMU is gone.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../user/proto.h"

#define CONSOLE_KEEP 16384
#define ESCAPE_KEY   0x1d /* Ctrl-], three times: end the guest */

struct ring {
    char buf[FRAME_WINDOW];
    size_t head, len;
    bool closed; /* nobody reads on this side */
};

static struct {
    struct session *s;
    pid_t qemu;
    int console, errors, signals;
    struct ring out[STREAM_COUNT];
    uint32_t in_credit;
    bool in_ended, ready, done, interrupted;
    int status;
    unsigned escapes;
    char log[CONSOLE_KEEP];
    size_t log_len;
    char *failure;
    char *queue; /* frames on their way to the port; bounded by stdin's credit */
    size_t queue_head, queue_len, queue_room;
} g;

/* ---- the terminal
 * ------------------------------------------------------------------------------------------------
 */

static struct termios saved;
static bool raw;

static void term_restore(void)
{
    if (raw)
        tcsetattr(0, TCSADRAIN, &saved);
    raw = false;
}

static void term_raw(unsigned tty)
{
    struct termios t;

    if (!(tty & 1u << STREAM_IN) || tcgetattr(0, &saved) < 0)
        return;
    t = saved;
    cfmakeraw(&t);
    if (!(tty & 1u << STREAM_OUT))
        t.c_oflag = saved.c_oflag;
    if (tcsetattr(0, TCSADRAIN, &t) == 0) {
        raw = true;
        atexit(term_restore);
    }
}

bool term_size(int fd, unsigned short *rows, unsigned short *cols)
{
    struct winsize ws;

    if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
        return false;
    *rows = ws.ws_row;
    *cols = ws.ws_col;
    return true;
}

/* ---- frames
 * ------------------------------------------------------------------------------------------------------
 */

/* Hand the queue to QEMU as far as it takes it without waiting: while it does not, the guest may
 * itself be waiting for us. */
static void flush_port(void)
{
    while (g.queue_head < g.queue_len) {
        ssize_t n = send(g.s->port_fd, g.queue + g.queue_head, g.queue_len - g.queue_head,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* full; or QEMU is gone, and its end will be noticed */
        g.queue_head += (size_t)n;
    }
    g.queue_head = g.queue_len = 0;
}

static void send_frame(enum frame_type type, int stream, const void *data, uint32_t len)
{
    struct frame f = {.type = (uint8_t)type, .stream = (uint8_t)stream, .len = len};
    size_t need = g.queue_len + sizeof(f) + len;

    if (need > g.queue_room)
        g.queue = xrealloc(g.queue, g.queue_room = need * 2);
    memcpy(g.queue + g.queue_len, &f, sizeof(f));
    memcpy(g.queue + g.queue_len + sizeof(f), data, len);
    g.queue_len = need;
    flush_port();
}

static void send_winsize(void)
{
    unsigned short size[2];

    for (int fd = 0; fd < STREAM_COUNT; fd++) {
        if (g.s->tty & 1u << fd && term_size(fd, &size[0], &size[1])) {
            send_frame(FRAME_WINSIZE, 0, size, sizeof(size));
            return;
        }
    }
}

static void on_frame(const struct frame *f, const char *data)
{
    uint32_t word = 0;

    if (f->len >= sizeof(word))
        memcpy(&word, data, sizeof(word));
    switch (f->type) {
    case FRAME_READY:
        if (word != PROTO_VERSION) {
            g.failure =
                xasprintf("the guest's run-init speaks version %u, not %u: run `pagoda build`",
                          word, PROTO_VERSION);
            g.done = true;
        }
        g.ready = true;
        g.in_credit = FRAME_WINDOW;
        term_raw(g.s->tty);
        send_winsize();
        break;
    case FRAME_DATA:
        if (f->stream < STREAM_COUNT) {
            struct ring *r = &g.out[f->stream];
            for (uint32_t i = 0; i < f->len && r->len < sizeof(r->buf); i++)
                r->buf[(r->head + r->len++) % sizeof(r->buf)] = data[i];
        }
        break;
    case FRAME_CREDIT:
        g.in_credit += word;
        break;
    case FRAME_EXIT:
        g.status = (int)word;
        g.done = true;
        break;
    case FRAME_FAIL:
        g.failure = xasprintf("the guest could not start the program: %.*s", (int)f->len, data);
        g.done = true;
        break;
    }
}

/* False when the port has closed. */
static bool read_port(void)
{
    static char buf[4 * (sizeof(struct frame) + FRAME_MAX)];
    static size_t have;
    size_t used = 0;
    ssize_t n = recv(g.s->port_fd, buf + have, sizeof(buf) - have, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        return false;
    if (n > 0)
        have += (size_t)n;
    for (struct frame f; have - used >= sizeof(f) && !g.done; used += sizeof(f) + f.len) {
        memcpy(&f, buf + used, sizeof(f));
        if (f.len > FRAME_MAX) {
            g.failure = xasprintf("the guest sent a frame of %u bytes", f.len);
            g.done = true;
            break;
        }
        if (have - used < sizeof(f) + f.len)
            break;
        on_frame(&f, buf + used + sizeof(f));
    }
    memmove(buf, buf + used, have - used);
    have -= used;
    return true;
}

/* ---- this side's streams
 * ----------------------------------------------------------------------------------------- */

/* Three Ctrl-] in a row end a guest that takes no keys any more. */
static bool escaped(const char *data, ssize_t n)
{
    if (!raw)
        return false;
    for (ssize_t i = 0; i < n; i++)
        g.escapes = data[i] == ESCAPE_KEY ? g.escapes + 1 : 0;
    return g.escapes >= 3;
}

static void read_stdin(void)
{
    char buf[FRAME_MAX];
    size_t room = g.in_credit < sizeof(buf) ? g.in_credit : sizeof(buf);
    ssize_t n = read(0, buf, room);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        g.in_ended = true;
        send_frame(FRAME_EOF, STREAM_IN, "", 0);
        return;
    }
    if (escaped(buf, n)) {
        g.failure = xstrdup("ended by Ctrl-] Ctrl-] Ctrl-]");
        g.done = true;
        return;
    }
    g.in_credit -= (uint32_t)n;
    send_frame(FRAME_DATA, STREAM_IN, buf, (uint32_t)n);
}

static void write_stream(int stream)
{
    struct ring *r = &g.out[stream];
    size_t run = sizeof(r->buf) - r->head < r->len ? sizeof(r->buf) - r->head : r->len;
    uint32_t gone;

    if (run > 4096)
        run = 4096; /* what a pipe that polls writable takes without waiting */
    ssize_t n = r->closed ? (ssize_t)r->len : write(stream, r->buf + r->head, run);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) { /* as SIGPIPE would tell CMD on the host */
        r->closed = true;
        send_frame(FRAME_EOF, stream, "", 0);
        n = (ssize_t)r->len;
    }
    r->head = (r->head + (size_t)n) % sizeof(r->buf);
    r->len -= (size_t)n;
    gone = (uint32_t)n;
    send_frame(FRAME_CREDIT, stream, &gone, sizeof(gone));
}

static bool read_console(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n <= 0)
        return n < 0 && errno == EINTR;
    if (g.s->verbose && write(2, buf, (size_t)n) < 0)
        g.s->verbose = false;
    if (g.log_len + (size_t)n > sizeof(g.log)) {
        size_t drop = g.log_len + (size_t)n - sizeof(g.log);
        memmove(g.log, g.log + drop, g.log_len - drop);
        g.log_len -= drop;
    }
    memcpy(g.log + g.log_len, buf, (size_t)n);
    g.log_len += (size_t)n;
    return true;
}

/* ---- QEMU
 * --------------------------------------------------------------------------------------------------------
 */

static void start_qemu(void)
{
    int con[2], err[2];

    if (pipe2(con, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        die(EXIT_PAGODA, "pipe: %s", strerror(errno));
    fflush(NULL);
    g.qemu = fork();
    if (g.qemu < 0)
        die(EXIT_PAGODA, "fork: %s", strerror(errno));
    if (!g.qemu) {
        sigset_t none;
        int null = open("/dev/null", O_RDONLY);
        setpgid(0, 0); /* the terminal's signals are for us to pass on */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(null, 0);
        dup2(con[1], 1);
        dup2(err[1], 2);
        if (g.s->guest_fd >= 0)
            fcntl(g.s->guest_fd, F_SETFD, 0);
        execv(g.s->command->v[0], g.s->command->v);
        dprintf(2, "%s: %s\n", g.s->command->v[0], strerror(errno));
        _exit(127);
    }
    close(con[1]);
    close(err[1]);
    close(g.s->guest_fd);
    g.console = con[0];
    g.errors = err[0];
}

static void stop_qemu(void)
{
    int status;

    if (g.qemu <= 0)
        return;
    kill(g.qemu, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(g.qemu, &status, WNOHANG) != 0)
            goto gone;
        poll(NULL, 0, i < 50 ? 2 : 20);
    }
    kill(g.qemu, SIGKILL);
    waitpid(g.qemu, &status, 0);
gone:
    g.qemu = 0;
}

static void on_signal(void)
{
    struct signalfd_siginfo info;
    uint32_t sig;

    if (read(g.signals, &info, sizeof(info)) != sizeof(info))
        return;
    sig = info.ssi_signo;
    if (sig == SIGWINCH) {
        send_winsize();
    } else if (sig != SIGCHLD) {
        if (!g.ready || g.interrupted) { /* nobody to tell, or told before */
            g.failure = xasprintf("ended by %s", strsignal((int)sig));
            g.status = 128 + (int)sig;
            g.done = true;
        }
        g.interrupted = sig == SIGINT || sig == SIGTERM;
        send_frame(FRAME_SIGNAL, 0, &sig, sizeof(sig));
    }
}

static int open_signals(void)
{
    static const int caught[] = {SIGCHLD, SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The last lines the guest's console and QEMU had to say. */
static void show_log(void)
{
    const char *from = g.log, *end = g.log + g.log_len;
    int lines = 0;

    for (const char *p = end; p > g.log && lines <= 25; p--) {
        if (p[-1] == '\n' && ++lines == 26)
            from = p;
    }
    if (g.s->verbose || from == end)
        return;
    fprintf(stderr, "%s--- the guest's last console lines ---%s\n", colour(2, C_DIM),
            colour(2, C_OFF));
    for (; from < end; from++) {
        if (*from != '\r')
            putc(*from, stderr);
    }
    if (end[-1] != '\n')
        putc('\n', stderr);
}

/* One turn of the loop; false when QEMU has ended. */
static bool turn(int64_t until)
{
    enum { PORT, CONSOLE, ERRORS, SIGNALS, IN, OUT, ERR, COUNT };
    int64_t left = until ? until - now_ms() : -1;
    struct pollfd p[COUNT] = {
        [PORT] = {.fd = g.s->port_fd, .events = POLLIN | (g.queue_len ? POLLOUT : 0)},
        [CONSOLE] = {.fd = g.console, .events = POLLIN},
        [ERRORS] = {.fd = g.errors, .events = POLLIN},
        [SIGNALS] = {.fd = g.signals, .events = POLLIN},
        [IN] = {.fd = g.ready && !g.in_ended && g.in_credit ? 0 : -1, .events = POLLIN},
        [OUT] = {.fd = g.out[STREAM_OUT].len ? 1 : -1, .events = POLLOUT},
        [ERR] = {.fd = g.out[STREAM_ERR].len ? 2 : -1, .events = POLLOUT},
    };

    if (poll(p, COUNT, left < 0 ? (until ? 0 : -1) : left > 60000 ? 60000 : (int)left) < 0)
        return errno == EINTR;
    if (p[CONSOLE].revents && !read_console(g.console)) {
        close(g.console);
        g.console = -1;
    }
    if (p[ERRORS].revents && !read_console(g.errors)) {
        close(g.errors);
        g.errors = -1;
    }
    if (p[SIGNALS].revents)
        on_signal();
    if (p[IN].revents)
        read_stdin();
    if (p[OUT].revents)
        write_stream(STREAM_OUT);
    if (p[ERR].revents)
        write_stream(STREAM_ERR);
    if (p[PORT].revents & POLLOUT)
        flush_port();
    if (p[PORT].revents & ~POLLOUT && !g.done && !read_port())
        return false;
    return g.console >= 0 || g.errors >= 0;
}

/* Write what is left, waiting as long as the readers do. */
static void flush_streams(void)
{
    for (int i = STREAM_OUT; i < STREAM_COUNT; i++) {
        while (g.out[i].len && !g.out[i].closed) {
            struct pollfd p = {.fd = i, .events = POLLOUT};
            if (poll(&p, 1, -1) > 0)
                write_stream(i);
        }
    }
}

int session_run(struct session *s)
{
    int64_t start = now_ms(), boot_until = start + s->boot_ms;
    int64_t until = s->limit_ms ? start + s->limit_ms : 0;
    bool alive = true;

    g.s = s;
    g.signals = open_signals();
    start_qemu();
    while (alive && !g.done) {
        int64_t now = now_ms(), next = g.ready ? until : boot_until;
        if (until && until < next)
            next = until;
        if (next && now >= next) {
            g.failure = g.ready ? xasprintf("time is up (%d s)", s->limit_ms / 1000)
                                : xasprintf("the guest did not come up within %d s",
                                            (int)(now - start) / 1000);
            g.status = EXIT_TIMEOUT;
            g.done = true;
            break;
        }
        alive = turn(next);
    }
    flush_streams();
    if (!g.done) { /* QEMU went before CMD's end was told: collect its last words */
        while ((g.console >= 0 && read_console(g.console)) ||
               (g.errors >= 0 && read_console(g.errors)))
            ;
        g.failure = xstrdup(g.ready ? "the guest ended before the program did"
                                    : "the guest ended before it came up");
    }
    stop_qemu();
    term_restore();
    if (!g.failure)
        return g.status;
    if (!s->quiet_failure)
        show_log();
    warn("%s", g.failure);
    return g.status ? g.status : EXIT_PAGODA;
}
