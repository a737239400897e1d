/* SPDX-License-Identifier: MIT */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *colour(int fd, const char *code)
{
    static char ring[8][12];
    static unsigned next;
    const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

    if (!isatty(fd) || (none && *none) || !term || !strcmp(term, "dumb"))
        return "";
    char *slot = ring[next++ % 8];
    snprintf(slot, sizeof(ring[0]), "\033[%sm", code);
    return slot;
}

static void message(const char *code, const char *fmt, va_list ap)
{
    char text[2048];

    vsnprintf(text, sizeof(text), fmt, ap);
    fprintf(stderr, "%spagoda:%s %s\n", colour(2, code), colour(2, C_OFF), text);
}

void die(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(C_RED, fmt, ap);
    va_end(ap);
    exit(code);
}

void warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(C_RED, fmt, ap);
    va_end(ap);
}

void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(C_CYAN, fmt, ap);
    va_end(ap);
}

void *xrealloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (!p)
        die(EXIT_PAGODA, "out of memory");
    return p;
}

char *xstrdup(const char *s)
{
    return strcpy(xrealloc(NULL, strlen(s) + 1), s);
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        die(EXIT_PAGODA, "out of memory");
    va_end(ap);
    return s;
}

static void words_push(struct words *w, char *owned)
{
    w->v = xrealloc(w->v, (w->n + 2) * sizeof(*w->v));
    w->v[w->n++] = owned;
    w->v[w->n] = NULL;
}

void words_add(struct words *w, const char *word)
{
    words_push(w, xstrdup(word));
}

void words_addf(struct words *w, const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        die(EXIT_PAGODA, "out of memory");
    va_end(ap);
    words_push(w, s);
}

void words_print(int fd, const struct words *w)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=.,:/@%";

    for (size_t i = 0; i < w->n; i++) {
        const char *s = w->v[i];
        const char *sep = i + 1 < w->n ? " " : "\n";
        if (*s && strspn(s, plain) == strlen(s)) {
            dprintf(fd, "%s%s", s, sep);
            continue;
        }
        dprintf(fd, "'");
        for (; *s; s++)
            dprintf(fd, *s == '\'' ? "'\\''" : "%c", *s);
        dprintf(fd, "'%s", sep);
    }
}

char *file_read(const char *path, size_t *len)
{
    size_t have = 0, room = 4096;
    char *buf;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    buf = xrealloc(NULL, room + 1);
    while ((n = read(fd, buf + have, room - have)) > 0) {
        have += (size_t)n;
        if (have == room)
            buf = xrealloc(buf, (room *= 2) + 1);
    }
    int error = errno;
    close(fd);
    if (n < 0) {
        free(buf);
        errno = error;
        return NULL;
    }
    buf[have] = '\0';
    if (len)
        *len = have;
    return buf;
}

int file_write(const char *path, const void *data, size_t len)
{
    char *tmp = xasprintf("%s.%d", path, (int)getpid());
    const char *p = data;
    int err = 0;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        err = -errno;
    while (!err && len) {
        ssize_t n = write(fd, p, len);
        if (n < 0) {
            err = -errno;
            break;
        }
        p += n;
        len -= (size_t)n;
    }
    if (fd >= 0 && close(fd) < 0 && !err)
        err = -errno;
    if (!err && rename(tmp, path) < 0)
        err = -errno;
    if (err && fd >= 0)
        unlink(tmp);
    free(tmp);
    return err;
}

int make_dirs(const char *path)
{
    char *p = xstrdup(path);
    int err = 0;

    for (char *s = p + 1; !err; s++) {
        char c = *s;
        if (c != '/' && c)
            continue;
        *s = '\0';
        if (mkdir(p, 0755) < 0 && errno != EEXIST)
            err = -errno;
        *s = c;
        if (!c)
            break;
    }
    free(p);
    return err;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

char *find_program(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    while (*path) {
        size_t n = strcspn(path, ":");
        char *p = xasprintf("%.*s/%s", n ? (int)n : 1, n ? path : ".", name);
        if (access(p, X_OK) == 0)
            return p;
        free(p);
        path += n + (path[n] == ':');
    }
    return NULL;
}

int run_command(char *const argv[], char **out)
{
    int ends[2] = {-1, -1}, status;
    size_t have = 0;
    pid_t pid;

    if (out && pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return -errno;
    if (!pid) {
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(out ? ends[1] : 2, 1);
        if (out)
            dup2(ends[1], 2);
        execvp(argv[0], argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (out) {
        size_t room = 4096;
        *out = xrealloc(NULL, room + 1);
        close(ends[1]);
        for (;;) {
            ssize_t n = read(ends[0], *out + have, room - have);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            have += (size_t)n;
            if (have == room)
                *out = xrealloc(*out, (room *= 2) + 1);
        }
        (*out)[have] = '\0';
        close(ends[0]);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
