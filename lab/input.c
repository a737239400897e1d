/* SPDX-License-Identifier: MIT */
/*
 *   file or pipe ──> raw[] ──(plain: the same bytes; gzip, zstd: unpacked)──> buf[pos..end) ──> lines, records
 *
 * Invariants
 *  I1. buf[pos..end) are the next bytes of the unpacked stream; offset is that of buf[pos].
 *  I2. buf holds INPUT_LINE_MAX bytes more than a refill brings, so that a line is never cut by the end of the buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "input.h"

#define RAW_SIZE  (256u << 10)
#define FILL_SIZE (256u << 10)
#define BUF_SIZE  (FILL_SIZE + INPUT_LINE_MAX)

enum packing { PLAIN, GZIP, ZSTD };

struct input {
    char *name;
    int fd; /* -1: raw holds all there is */
    enum packing packing;
    bool raw_end, end, frame_open; /* no more raw bytes; no more unpacked ones; inside a compressed frame */
    z_stream z;
    ZSTD_DStream *zd;
    const unsigned char *raw;
    unsigned char *raw_buf;
    size_t raw_pos, raw_len;
    uint64_t raw_done, file_size, offset;
    unsigned char *buf;
    size_t pos, len;
    char error[160];
};

static bool read_raw(struct input *in)
{
    if (in->raw_end)
        return false;
    ssize_t n;
    do
        n = read(in->fd, in->raw_buf, RAW_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        snprintf(in->error, sizeof(in->error), "cannot be read: %s", strerror(errno));
    in->raw_end = n <= 0;
    in->raw_pos = 0;
    in->raw_len = n > 0 ? (size_t)n : 0;
    in->raw_done += in->raw_len;
    return n > 0;
}

static size_t fill_plain(struct input *in, unsigned char *out, size_t room)
{
    if (in->raw_pos == in->raw_len && !read_raw(in))
        return 0;
    size_t n = in->raw_len - in->raw_pos < room ? in->raw_len - in->raw_pos : room;
    memcpy(out, in->raw + in->raw_pos, n);
    in->raw_pos += n;
    return n;
}

/* One call of the unpacker; false: it found damage. *made: bytes it gave. */
static bool unpack(struct input *in, unsigned char *out, size_t room, size_t *made)
{
    if (in->packing == GZIP) {
        in->z.next_in = (Bytef *)(in->raw + in->raw_pos);
        in->z.avail_in = (uInt)(in->raw_len - in->raw_pos);
        in->z.next_out = out;
        in->z.avail_out = (uInt)room;
        int r = inflate(&in->z, Z_NO_FLUSH);
        in->raw_pos = in->raw_len - in->z.avail_in;
        *made = room - in->z.avail_out;
        in->frame_open = r != Z_STREAM_END;
        if (r == Z_STREAM_END) /* another member may follow */
            return inflateReset(&in->z) == Z_OK;
        return r == Z_OK || r == Z_BUF_ERROR;
    }
    ZSTD_inBuffer src = {in->raw, in->raw_len, in->raw_pos};
    ZSTD_outBuffer dst = {out, room, 0};
    size_t r = ZSTD_decompressStream(in->zd, &dst, &src);
    in->raw_pos = src.pos;
    *made = dst.pos;
    in->frame_open = r != 0;
    return !ZSTD_isError(r);
}

static size_t fill_packed(struct input *in, unsigned char *out, size_t room)
{
    for (;;) {
        if (in->raw_pos == in->raw_len && !read_raw(in)) {
            if (in->frame_open && !in->error[0])
                snprintf(in->error, sizeof(in->error), "the compressed data ends too early");
            return 0;
        }
        size_t made;
        if (!unpack(in, out, room, &made)) {
            snprintf(in->error, sizeof(in->error), "the compressed data is damaged");
            in->raw_end = true;
            in->raw_pos = in->raw_len;
            in->frame_open = false;
            return 0;
        }
        if (made)
            return made;
    }
}

/* Makes more bytes available behind those that are; false at the end. */
static bool refill(struct input *in)
{
    if (in->end)
        return false;
    if (in->pos) {
        memmove(in->buf, in->buf + in->pos, in->len - in->pos);
        in->len -= in->pos;
        in->pos = 0;
    }
    size_t n = in->packing == PLAIN ? fill_plain(in, in->buf + in->len, BUF_SIZE - in->len)
                                    : fill_packed(in, in->buf + in->len, BUF_SIZE - in->len);
    in->len += n;
    in->end = !n;
    return n;
}

static void find_packing(struct input *in)
{
    const unsigned char *b = in->raw;
    if (in->raw_len >= 2 && b[0] == 0x1f && b[1] == 0x8b) {
        in->packing = GZIP;
        in->frame_open = inflateInit2(&in->z, 16 + MAX_WBITS) == Z_OK;
    } else if (in->raw_len >= 4 && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd) {
        in->packing = ZSTD;
        in->zd = ZSTD_createDStream();
        in->frame_open = in->zd != NULL;
    }
}

static struct input *input_new(const char *name)
{
    struct input *in = calloc(1, sizeof(*in));
    if (!in)
        return NULL;
    in->fd = -1;
    in->name = strdup(name);
    in->buf = malloc(BUF_SIZE + 1); /* a last line's NUL */
    in->raw_buf = malloc(RAW_SIZE);
    in->raw = in->raw_buf;
    if (in->name && in->buf && in->raw_buf)
        return in;
    input_close(in);
    return NULL;
}

struct input *input_open(const char *path, const char **why)
{
    struct stat st;
    struct input *in = input_new(path);
    if (!in) {
        *why = strerror(ENOMEM);
        return NULL;
    }
    in->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (in->fd < 0 || fstat(in->fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        *why = strerror(in->fd >= 0 && S_ISDIR(st.st_mode) ? EISDIR : errno);
        input_close(in);
        return NULL;
    }
    in->file_size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    read_raw(in);
    find_packing(in);
    return in;
}

struct input *input_of_bytes(const char *name, const void *bytes, size_t n)
{
    struct input *in = input_new(name);
    if (!in)
        return NULL;
    in->raw = bytes;
    in->raw_len = n;
    in->raw_done = in->file_size = n;
    in->raw_end = true;
    find_packing(in);
    return in;
}

void input_close(struct input *in)
{
    if (!in)
        return;
    if (in->packing == GZIP)
        inflateEnd(&in->z);
    ZSTD_freeDStream(in->zd);
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->raw_buf);
    free(in->buf);
    free(in->name);
    free(in);
}

const char *input_name(const struct input *in)
{
    return strcmp(in->name, "-") ? in->name : "standard input";
}

uint64_t input_offset(const struct input *in)
{
    return in->offset;
}

void input_progress(const struct input *in, uint64_t *done, uint64_t *size)
{
    *done = in->raw_done - (in->raw_len - in->raw_pos);
    *size = in->file_size;
}

const char *input_error(const struct input *in)
{
    return in->error[0] ? in->error : "ends in the middle of a record";
}

const unsigned char *input_peek(struct input *in, size_t n, size_t *got)
{
    while (in->len - in->pos < n && refill(in))
        ;
    *got = in->len - in->pos < n ? in->len - in->pos : n;
    return in->buf + in->pos;
}

int input_bytes(struct input *in, void *out, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (in->pos == in->len && !refill(in))
            return done || in->error[0] ? -1 : 0;
        size_t part = in->len - in->pos < n - done ? in->len - in->pos : n - done;
        memcpy((char *)out + done, in->buf + in->pos, part);
        in->pos += part;
        in->offset += part;
        done += part;
    }
    return 1;
}

int input_line(struct input *in, char **line, size_t *len)
{
    unsigned char *start, *nl;
    for (;;) {
        start = in->buf + in->pos;
        nl = memchr(start, '\n', in->len - in->pos);
        if (nl || in->len - in->pos >= INPUT_LINE_MAX)
            break;
        if (!refill(in))
            break;
    }
    start = in->buf + in->pos;
    size_t n = nl ? (size_t)(nl - start) : in->len - in->pos;
    if (n >= INPUT_LINE_MAX) {
        snprintf(in->error, sizeof(in->error), "a line of more than %u bytes: not a text", INPUT_LINE_MAX - 1);
        return -1;
    }
    if (!nl && (in->error[0] || !n))
        return in->error[0] ? -1 : 0;
    start[n] = 0;
    *line = (char *)start;
    *len = n && start[n - 1] == '\r' ? n - 1 : n;
    start[*len] = 0;
    in->pos += n + (nl != NULL);
    in->offset += n + (nl != NULL);
    return 1;
}
