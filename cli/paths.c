/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

char *path_self(void)
{
    char buf[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

    if (n < 0)
        die(EXIT_PAGODA, "/proc/self/exe: %s", strerror(errno));
    buf[n] = '\0';
    return xstrdup(buf);
}

static char *above(char *path, int levels)
{
    for (char *slash; levels-- && (slash = strrchr(path, '/'));)
        *slash = '\0';
    return path;
}

static char *join(char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);

    free(dir);
    return path;
}

char *path_build(const char *name)
{
    return join(above(path_self(), 1), name);
}

char *path_source(const char *name)
{
    return join(above(path_self(), 2), name);
}

char *path_cache(const char *name)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *base, *path, *slash;
    int err;

    if (xdg && *xdg == '/')
        base = xasprintf("%s/pagoda", xdg);
    else
        base = xasprintf("%s/.cache/pagoda", home && *home == '/' ? home : "/tmp");
    path = join(base, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    err = make_dirs(path);
    if (err)
        die(EXIT_PAGODA, "%s: %s", path, strerror(-err));
    *slash = '/';
    return path;
}
