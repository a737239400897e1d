/* SPDX-License-Identifier: MIT */
/* Terminals by way of a pseudo terminal: line editing, modes, signals, sessions, hang-up. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "check.h"

static int master, slave;
static char slave_name[64];

static void open_pair(void)
{
    int unlock = 0;
    unsigned n;
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK(ioctl(master, TIOCGPTN, &n) == 0);
    sprintf(slave_name, "/dev/pts/%u", n);
    CHECK(open(slave_name, O_RDWR | O_NOCTTY) == -1 && errno == EIO); /* locked */
    CHECK(ioctl(master, TIOCSPTLCK, &unlock) == 0);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && isatty(slave));
    char name[64];
    CHECK(ttyname_r(slave, name, sizeof(name)) == 0 && !strcmp(name, slave_name));
}

/* What arrives at fd within a moment, as text. */
static const char *have(int fd)
{
    static char buf[4096];
    size_t n = 0;
    struct pollfd p = {fd, POLLIN, 0};
    while (n < sizeof(buf) - 1 && poll(&p, 1, 30) == 1 && (p.revents & POLLIN)) {
        ssize_t r = read(fd, buf + n, sizeof(buf) - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    buf[n] = 0;
    return buf;
}

static void type(const char *s)
{
    CHECK(write(master, s, strlen(s)) == (ssize_t)strlen(s));
}

static void expect(int fd, const char *want, int line)
{
    const char *got = have(fd);
    if (strcmp(got, want)) {
        printf("line %d: expected \"", line);
        for (; *want; want++)
            printf(*want < 32 ? "\\x%02x" : "%c", *want);
        printf("\", got \"");
        for (; *got; got++)
            printf(*got < 32 ? "\\x%02x" : "%c", *got);
        puts("\"");
        exit(1);
    }
}
#define EXPECT(fd, text) expect(fd, text, __LINE__)

static void line_editing(void)
{
    type("helo\x7flo\n");
    EXPECT(slave, "hello\n");
    EXPECT(master, "helo\b \blo\r\n");
    type("one two \x17six\n"); /* ^W */
    EXPECT(slave, "one six\n");
    have(master);
    type("gone\x15kept\n"); /* ^U */
    EXPECT(slave, "kept\n");
    EXPECT(master, "gone\b \b\b \b\b \b\b \bkept\r\n");
    type("a\tb\x7f\x7f.\n"); /* a tab is erased as wide as it was */
    EXPECT(slave, "a.\n");
    EXPECT(master, "a\tb\b \b\b\b\b\b\b\b\b.\r\n");
    type("\x16\x03x\n"); /* ^V makes ^C an ordinary character */
    EXPECT(slave, "\003x\n");
    EXPECT(master, "^\b^Cx\r\n");
    type("two\rlines\r");
    char buf[64];
    CHECK(read(slave, buf, 64) == 4 && read(slave, buf, 3) == 3 && read(slave, buf, 64) == 3);
    have(master);
    type("ab\x04");
    CHECK(read(slave, buf, 64) == 2);
    type("\x04");
    CHECK(read(slave, buf, 64) == 0);
    have(master);
    CHECK(write(slave, "x\ny\tz\n", 6) == 6);
    EXPECT(master, "x\r\ny\tz\r\n");
    struct pollfd p = {slave, POLLIN | POLLOUT, 0};
    type("part");
    CHECK(poll(&p, 1, 20) == 1 && p.revents == POLLOUT);
    type("\n");
    CHECK(poll(&p, 1, 1000) == 1 && p.revents == (POLLIN | POLLOUT));
    int n;
    CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 5);
    CHECK(tcflush(slave, TCIFLUSH) == 0 && ioctl(slave, FIONREAD, &n) == 0 && n == 0);
    have(master);
    puts("ok line editing");
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void raw_mode(void)
{
    struct termios t, old;
    char buf[64];
    CHECK(tcgetattr(slave, &old) == 0);
    CHECK((old.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == (ICANON | ECHO | ISIG | IEXTEN) &&
          old.c_cc[VINTR] == 3 && old.c_cc[VEOF] == 4);
    t = old;
    cfmakeraw(&t);
    t.c_cc[VMIN] = 3;
    t.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    type("ab");
    struct pollfd p = {slave, POLLIN, 0};
    CHECK(poll(&p, 1, 20) == 0); /* VMIN is not reached */
    type("\x03\r");
    CHECK(poll(&p, 1, 1000) == 1 && read(slave, buf, 64) == 4 && !memcmp(buf, "ab\x03\r", 4));
    EXPECT(master, "");
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    long t0 = now_ms();
    CHECK(read(slave, buf, 64) == 0 && now_ms() - t0 >= 95);
    t.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && read(slave, buf, 64) == 0);
    type("xyz");
    CHECK(poll(&p, 1, 1000) == 1 && read(slave, buf, 2) == 2 && read(slave, buf, 2) == 1);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    t.c_cc[VMIN] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && read(slave, buf, 2) == -1 && errno == EAGAIN);
    CHECK(fcntl(slave, F_SETFL, 0) == 0);
    CHECK(write(slave, "a\nb", 3) == 3);
    EXPECT(master, "a\nb");
    CHECK(tcsetattr(slave, TCSAFLUSH, &old) == 0);
    puts("ok raw mode");
}

static void flow(void)
{
    type("\x13"); /* ^S */
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    usleep(20000);
    CHECK(write(slave, "x", 1) == -1 && errno == EAGAIN);
    type("\x11"); /* ^Q */
    usleep(20000);
    CHECK(write(slave, "y", 1) == 1);
    EXPECT(master, "y");
    CHECK(fcntl(slave, F_SETFL, 0) == 0);
    puts("ok flow");
}

static volatile int got_sig;
static void on_sig(int sig)
{
    got_sig = sig;
}

static void wait_sig(int sig)
{
    for (int i = 0; i < 200 && got_sig != sig; i++)
        usleep(5000);
    if (got_sig != sig) {
        printf("signal %d did not come (last: %d)\n", sig, got_sig);
        exit(1);
    }
    got_sig = 0;
}

/* In a new session with the slave as its terminal. */
static int session(void)
{
    struct winsize w = {25, 80, 0, 0}, r;
    int fd, status, pgrp, sid;
    char buf[16];
    CHECK(setsid() == getpid());
    CHECK(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
    CHECK(ioctl(slave, TIOCGPGRP, &pgrp) == -1 && errno == ENOTTY);
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
    CHECK((fd = open("/dev/tty", O_RDWR)) >= 0 && isatty(fd));
    CHECK(tcgetpgrp(fd) == getpid() && ioctl(fd, TIOCGSID, &sid) == 0 && sid == getpid());
    struct sigaction sa = {.sa_handler = on_sig};
    int sigs[] = {SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGTTOU, SIGTTIN, SIGHUP, SIGCONT};
    for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
        sigaction(sigs[i], &sa, NULL);
    type("junk");
    EXPECT(master, "junk");
    type("\x03");
    wait_sig(SIGINT);
    EXPECT(master, "^C");
    type("\x1c");
    wait_sig(SIGQUIT);
    type("\x1a");
    wait_sig(SIGTSTP);
    have(master);
    CHECK(ioctl(slave, TIOCSWINSZ, &w) == 0);
    wait_sig(SIGWINCH);
    CHECK(ioctl(master, TIOCGWINSZ, &r) == 0 && r.ws_row == 25 && r.ws_col == 80);
    /* a background child that reads is stopped, its write passes unless TOSTOP */
    pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        signal(SIGTTIN, SIG_DFL);
        signal(SIGTTOU, SIG_DFL);
        signal(SIGCONT, SIG_DFL);
        CHECK(write(slave, "bg\n", 3) == 3);
        CHECK(read(slave, buf, 1) == 1 && buf[0] == 'r');
        struct termios t;
        CHECK(tcgetattr(slave, &t) == 0 && tcsetattr(slave, TCSANOW, &t) == 0);
        _exit(7);
    }
    setpgid(pid, pid);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
          WSTOPSIG(status) == SIGTTIN);
    EXPECT(master, "bg\r\n");
    CHECK(tcsetpgrp(fd, pid) == 0 && tcgetpgrp(fd) == pid);
    type("r\n");
    CHECK(kill(pid, SIGCONT) == 0);
    /* foreground now: the read and the change succeed */
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    /* now we are the background: taking the terminal back needs SIGTTOU out of the way */
    signal(SIGTTOU, SIG_IGN);
    CHECK(tcsetpgrp(fd, getpgrp()) == 0 && tcgetpgrp(fd) == getpgrp());
    CHECK(tcsetpgrp(fd, 12345) == -1 && (errno == ESRCH || errno == EPERM));
    have(master);
    /* the master goes: hang-up */
    close(master);
    wait_sig(SIGHUP);
    CHECK(read(slave, buf, 1) == 0 || errno == EIO);
    CHECK(write(slave, "x", 1) == -1 && errno == EIO);
    CHECK(open("/dev/tty", O_RDWR) == -1);
    CHECK(access(slave_name, F_OK) == -1);
    return 0;
}

static void sessions(void)
{
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(session());
    close(slave);
    close(master);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    puts("ok sessions");
}

static void ends(void)
{
    char buf[16];
    open_pair();
    CHECK(write(slave, "last", 4) == 4);
    close(slave);
    CHECK(read(master, buf, 16) == 4);
    CHECK(read(master, buf, 16) == -1 && errno == EIO);
    struct pollfd p = {master, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP));
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && write(slave, "x", 1) == 1 && read(master, buf, 16) == 1);
    int on = 1;
    CHECK(ioctl(master, TIOCPKT, &on) == 0 && write(slave, "pkt", 3) == 3);
    CHECK(read(master, buf, 16) == 4 && buf[0] == 0 && !memcmp(buf + 1, "pkt", 3));
    close(slave);
    close(master);
    puts("ok ends");
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    open_pair();
    line_editing();
    raw_mode();
    flow();
    sessions();
    ends();
    return 0;
}
