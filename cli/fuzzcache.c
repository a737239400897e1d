/* SPDX-License-Identifier: MIT */
/* Linux's answers to mmfuzz's games, kept between runs; fuzzcache.h. */
#include "fuzzcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"
#include "refkernel.h"
#include "util.h"

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;

    while (n--)
        h = (h ^ *p++) * 0x100000001b3ul;
    return h;
}

static void remember(struct fuzz_cache *c, unsigned long seed, const char *line, size_t len)
{
    if (!(c->n & (c->n - 1))) { /* room for the next power of two */
        size_t room = c->n ? c->n * 2 : 1;
        c->line = xrealloc(c->line, room * sizeof(*c->line));
        c->seed = xrealloc(c->seed, room * sizeof(*c->seed));
    }
    c->seed[c->n] = seed;
    c->line[c->n++] = xasprintf("%.*s", (int)len, line);
}

static void load(struct fuzz_cache *c)
{
    char *path = xasprintf("%s.sums", c->stem), *text = file_read(path, NULL);

    for (const char *at = text, *end; at && (end = strchr(at, '\n')); at = end + 1)
        if (!strncmp(at, "seed ", 5) && end - at < 60)
            remember(c, strtoul(at + 5, NULL, 10), at, (size_t)(end - at));
    free(text);
    free(path);
}

void fuzz_cache_open(struct fuzz_cache *c, const char *words, unsigned steps)
{
    struct kernel_image image;
    char *player = path_build("tests/mmfuzz");
    size_t len;
    char *bytes = file_read(player, &len), *rest;
    uint64_t h = 0xcbf29ce484222325ul;

    if (!bytes)
        die(EXIT_FAILED, "%s: %s", player, strerror(errno));
    kernel_find("linux", USE_RUN, &image);
    rest = xasprintf("%s/%s/%u", image.label, words, steps);
    h = mix(mix(h, bytes, len), rest, strlen(rest));
    char *name = xasprintf("mmfuzz/%016lx", (unsigned long)h);
    *c = (struct fuzz_cache){.stem = path_cache(name)};
    load(c);
    free(name);
    free(rest);
    free(bytes);
    free(player);
}

const char *fuzz_cache_sum(const struct fuzz_cache *c, unsigned long seed)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->seed[i] == seed)
            return c->line[i];
    return NULL;
}

void fuzz_cache_put_sum(struct fuzz_cache *c, unsigned long seed, const char *line, size_t len)
{
    char *path = xasprintf("%s.sums", c->stem), *whole = xasprintf("%.*s\n", (int)len, line);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    remember(c, seed, line, len);
    if (fd < 0 || write(fd, whole, len + 1) != (ssize_t)len + 1)
        warn("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(whole);
    free(path);
}

char *fuzz_cache_text(const struct fuzz_cache *c, unsigned long seed)
{
    char *path = xasprintf("%s.%lu", c->stem, seed), *text = file_read(path, NULL);

    free(path);
    return text;
}

void fuzz_cache_put_text(const struct fuzz_cache *c, unsigned long seed, const char *text,
                         size_t len)
{
    char *path = xasprintf("%s.%lu", c->stem, seed);
    int err = file_write(path, text, len);

    if (err)
        warn("%s: %s", path, strerror(-err));
    free(path);
}

void fuzz_cache_close(struct fuzz_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->line[i]);
    free(c->line);
    free(c->seed);
    free(c->stem);
}
