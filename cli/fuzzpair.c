/* SPDX-License-Identifier: MIT */
/* Two guests under `pagoda run`, each with mmfuzz's server in it; fuzzpair.h. */
#include "fuzzpair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "paths.h"
#include "util.h"

#define FIRST_SILENCE_MS 240000 /* booting, on a busy machine */

void fuzz_pair_init(struct fuzz_pair *p, const char *kernel)
{
    *p = (struct fuzz_pair){.silence_ms = 120000};
    p->side[SIDE_LINUX].kernel = "linux";
    p->side[SIDE_OTHER].kernel = kernel;
    signal(SIGPIPE, SIG_IGN);
}

static void start(struct fuzz_guest *g)
{
    char *self = path_self(), *program = path_build("tests/mmfuzz"),
         *which = xasprintf("--kernel=%s", g->kernel);
    /* Linux on one processor: what its processors keep to themselves for a while would show. */
    bool alone = !strcmp(g->kernel, "linux");
    char *argv[] = {self, "run",   which, "-p", alone ? "1" : "2", "-m", "1G",
                    "--", program, "-s",  NULL};
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        die(EXIT_FAILED, "pipe: %s", strerror(errno));
    g->pid = fork();
    if (g->pid < 0)
        die(EXIT_FAILED, "fork: %s", strerror(errno));
    if (!g->pid) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execv(self, argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    g->to = in[1];
    g->from = out[0];
    free(self);
    free(program);
    free(which);
}

static void stop(struct fuzz_guest *g)
{
    if (!g->pid)
        return;
    close(g->to);
    close(g->from);
    for (int i = 0; i < 100 && g->pid; i++) { /* it ends by itself when its input does */
        if (waitpid(g->pid, NULL, WNOHANG) == g->pid)
            g->pid = 0;
        else
            usleep(50000);
    }
    if (g->pid) {
        kill(g->pid, SIGTERM);
        waitpid(g->pid, NULL, 0);
    }
    g->pid = 0;
}

/* What came; "done" on a line of its own ends the answer and is taken off. */
static void take(struct fuzz_guest *g)
{
    if (g->len + 65536 + 1 > g->room)
        g->text = xrealloc(g->text, g->room = g->room * 2 + 131072);
    ssize_t n = read(g->from, g->text + g->len, 65536);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        g->lost = true;
        return;
    }
    g->len += (size_t)n;
    g->text[g->len] = '\0';
    if (g->len >= 5 && !strcmp(g->text + g->len - 5, "done\n") &&
        (g->len == 5 || g->text[g->len - 6] == '\n')) {
        g->len -= 5;
        g->text[g->len] = '\0';
        g->done = true;
    }
}

static void send_line(struct fuzz_guest *g, const char *line)
{
    size_t n = strlen(line);

    if (!g->room)
        g->text = xrealloc(NULL, g->room = 131072);
    g->len = 0;
    g->text[0] = '\0';
    g->done = g->lost = false;
    if (!g->pid)
        start(g);
    while (n) {
        ssize_t did = write(g->to, line, n);
        if (did <= 0) {
            g->lost = true;
            return;
        }
        line += did;
        n -= (size_t)did;
    }
}

/* Waits until the sides of `mask` answered or were lost. */
static void listen(struct fuzz_pair *p, unsigned mask, const bool *fresh,
                   void (*progress)(struct fuzz_pair *p, void *arg), void *arg)
{
    int64_t heard[SIDES];
    bool silent[SIDES];

    for (int i = 0; i < SIDES; i++) {
        heard[i] = now_ms();
        silent[i] = fresh[i];
    }
    for (;;) {
        struct pollfd fds[SIDES];
        int waiting = 0;
        for (int i = 0; i < SIDES; i++) {
            struct fuzz_guest *g = &p->side[i];
            bool wait = mask >> i & 1 && !g->done && !g->lost;
            fds[i] = (struct pollfd){wait ? g->from : -1, POLLIN, 0};
            waiting += wait;
        }
        if (!waiting)
            return;
        poll(fds, SIDES, 1000);
        for (int i = 0; i < SIDES; i++) {
            struct fuzz_guest *g = &p->side[i];
            if (fds[i].fd >= 0 && fds[i].revents) {
                take(g);
                heard[i] = now_ms();
                silent[i] = false;
            } else if (fds[i].fd >= 0 &&
                       now_ms() - heard[i] > (silent[i] ? FIRST_SILENCE_MS : p->silence_ms)) {
                g->lost = true;
            }
        }
        if (progress)
            progress(p, arg);
    }
}

bool fuzz_pair_order(struct fuzz_pair *p, const char *const line[SIDES],
                     void (*progress)(struct fuzz_pair *p, void *arg), void *arg)
{
    bool fresh[SIDES], good = true;
    unsigned asked = 0;

    for (int i = 0; i < SIDES; i++) {
        fresh[i] = !p->side[i].pid;
        if (!line[i])
            continue;
        send_line(&p->side[i], line[i]);
        if (p->in_turn)
            listen(p, 1u << i, fresh, progress, arg);
        else
            asked |= 1u << i;
    }
    listen(p, asked, fresh, progress, arg);
    for (int i = 0; i < SIDES; i++) {
        good &= !line[i] || p->side[i].done;
        if (p->side[i].lost)
            stop(&p->side[i]);
    }
    return good;
}

void fuzz_pair_put(struct fuzz_pair *p, int side, const char *text)
{
    struct fuzz_guest *g = &p->side[side];

    g->len = strlen(text);
    if (g->len + 1 > g->room)
        g->text = xrealloc(g->text, g->room = g->len + 131072);
    memcpy(g->text, text, g->len + 1);
    g->done = true;
    g->lost = false;
}

void fuzz_pair_end(struct fuzz_pair *p)
{
    for (int i = 0; i < SIDES; i++) {
        stop(&p->side[i]);
        free(p->side[i].text);
        p->side[i].text = NULL;
        p->side[i].room = 0;
    }
}
