/* SPDX-License-Identifier: MIT */
/*
 *   trace ──> numbers (lab/pages.c) ──> buffer ──> unlinked file in $TMPDIR ──> mapped, read-only
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pages.h"
#include "refs.h"

#define CHUNK (64u << 10)

struct writer {
    int fd;
    uint32_t n;
    uint64_t total;
    uint32_t buf[CHUNK];
};

static int open_temporary(void)
{
    const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/pagoda-refs-XXXXXX", dir) >= (int)sizeof(path))
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int flush(struct writer *w)
{
    const char *p = (const char *)w->buf;
    size_t left = w->n * sizeof(w->buf[0]);
    while (left) {
        ssize_t k = write(w->fd, p, left);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        p += k;
        left -= (size_t)k;
    }
    w->n = 0;
    return 0;
}

static int put(struct writer *w, uint32_t page, uint64_t count)
{
    w->total += count;
    while (count--) {
        w->buf[w->n++] = page;
        if (w->n == CHUNK && flush(w))
            return -1;
    }
    return 0;
}

/* Every page that the reference touches. -1: errno tells, or the pages are too many (ERANGE). */
static int take(struct refs *r, struct writer *w, struct page_numbers *numbers, const struct trace_ref *ref, unsigned shift)
{
    uint64_t first = ref->addr >> shift, last = shift ? (ref->addr + ref->size - 1) >> shift : first;
    r->by_kind[ref->kind] += ref->count;
    for (uint64_t p = first; p <= last; p++) {
        uint32_t number = pages_number(numbers, ref->space, p);
        if (number == UINT32_MAX) {
            errno = numbers->count >= numbers->limit ? ERANGE : ENOMEM;
            return -1;
        }
        if (put(w, number, ref->count))
            return -1;
    }
    return 0;
}

static int load(struct refs *r, struct trace *t, struct writer *w, struct page_numbers *numbers, refs_progress *progress)
{
    static struct trace_ref in[1024];
    unsigned shift = trace_page_shift(t);
    long k;
    for (uint64_t round = 0; (k = trace_read(t, in, 1024)) > 0; round++) {
        for (long i = 0; i < k; i++)
            if (take(r, w, numbers, in + i, shift))
                return -1;
        if (progress && round % 256 == 255) {
            uint64_t done, size;
            trace_progress(t, &done, &size);
            progress(w->total, done, size);
        }
    }
    return k < 0 ? -2 : flush(w);
}

int refs_load(struct refs *r, struct trace *t, refs_progress *progress, char *why, size_t n)
{
    struct page_numbers numbers = {0};
    struct writer *w = calloc(1, sizeof(*w));
    memset(r, 0, sizeof(*r));
    int err = -1;
    if (w)
        w->fd = open_temporary();
    if (w && w->fd >= 0 && !pages_init(&numbers, PAGES_MAX))
        err = load(r, t, w, &numbers, progress);
    if (err == -2)
        snprintf(why, n, "%s", trace_error(t));
    else if (err)
        snprintf(why, n, "the references can't be kept in %s: %s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp (set TMPDIR)",
                 errno == ERANGE ? "more than 2^31 distinct pages" : strerror(errno));
    if (!err && w->total) {
        void *map = mmap(NULL, w->total * sizeof(uint32_t), PROT_READ, MAP_PRIVATE, w->fd, 0);
        if (map == MAP_FAILED) {
            snprintf(why, n, "the references can't be mapped: %s", strerror(errno));
            err = -1;
        } else {
            r->page = map;
            r->n = w->total;
            r->pages = numbers.count;
        }
    }
    if (w && w->fd >= 0)
        close(w->fd);
    pages_free(&numbers);
    free(w);
    return err ? -1 : 0;
}

void refs_free(struct refs *r)
{
    if (r->n)
        munmap((void *)r->page, r->n * sizeof(uint32_t));
    memset(r, 0, sizeof(*r));
}
