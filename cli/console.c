/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 3000 /* after the last wanted line, for the guest to power off by itself */

static pid_t start(const struct words *command, int *from)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        die(EXIT_PAGODA, "pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        die(EXIT_PAGODA, "fork: %s", strerror(errno));
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execv(command->v[0], command->v);
        _exit(127);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

/* Whether a complete line of `text` begins with `word`. */
static bool has_line(const char *text, const char *word)
{
    for (const char *p = text; (p = strstr(p, word)); p++) {
        if ((p == text || p[-1] == '\n') && strchr(p, '\n'))
            return true;
    }
    return false;
}

/* Firmware clears the screen before it hands over: take out terminal sequences, and end the line
 * where the screen was cleared. */
static void strip_sequences(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from != '\033') {
            *to++ = *from;
            continue;
        }
        if (from[1] == '[') {
            const char *last = from + 2 + strspn(from + 2, "0123456789;?");
            if (*last == 'J')
                *to++ = '\n';
            from = *last ? last : last - 1;
        } else if (from[1]) {
            from++;
        }
    }
    *to = '\0';
}

int console_run(struct console_run *c, char **out)
{
    size_t have = 0, room = 65536, seen = 0;
    char *text = xrealloc(NULL, room + 1);
    int64_t until = now_ms() + c->timeout_ms;
    int from, status = 0;
    bool found = false, over = false;
    pid_t pid = start(c->command, &from);

    *text = '\0';
    while (!over && now_ms() < until) {
        struct pollfd p = {.fd = from, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0)
            continue;
        if (room - have < 4096)
            text = xrealloc(text, (room *= 2) + 1);
        ssize_t n = read(from, text + have, 4096);
        if (n <= 0) {
            over = true;
            break;
        }
        if (c->echo && write(2, text + have, (size_t)n) < 0)
            break;
        size_t kept = have;
        for (size_t i = have; i < have + (size_t)n; i++) {
            if (text[i] != '\r' && text[i])
                text[kept++] = text[i];
        }
        text[have = kept] = '\0';
        if (c->until && !found && has_line(text + seen, c->until)) {
            found = true;
            c->found_ms = now_ms();
            until = c->found_ms + GRACE_MS;
        }
        while (seen < have && !found) { /* complete lines need no second look */
            char *line = strchr(text + seen, '\n');
            if (!line)
                break;
            seen = (size_t)(line - text) + 1;
        }
    }
    close(from);
    if (!over)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    strip_sequences(text);
    *out = text;
    if (found)
        return 0;
    if (!over)
        return EXIT_TIMEOUT;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
