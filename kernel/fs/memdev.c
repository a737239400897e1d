/* SPDX-License-Identifier: MIT */
/* The devices of major 1 that have no hardware: null, zero, full, random, urandom. */
#include "internal.h"
#include <mm/shmem.h>
#include <mm/sys.h>
#include <port/random.h>
#include <port/uaccess.h>
#include <uapi/mman.h>

static ssize_t null_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return 0;
}
static ssize_t sink_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return (ssize_t)n;
}
static ssize_t full_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return -ENOSPC;
}
static s64 null_lseek(struct file *f, s64 off, int whence)
{
    return (s64)(f->pos = 0);
}

static ssize_t zero_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    size_t done = 0;
    while (done < n) {
        size_t part = min(n - done, (size_t)65536);
        u64 at = iobuf_piece(b, done, &part);
        size_t left = 0;
        if (b->kernel)
            memset((void *)at, 0, part);
        else
            left = clear_user(at, part);
        done += part - left;
        if (left)
            return done ? (ssize_t)done : -EFAULT;
        if (done < n && signal_pending())
            break;
        sched_cond();
    }
    return (ssize_t)done;
}

/* Private mappings are anonymous memory, shared ones shared memory without a name; the offset means nothing to either, but stays. */
static int zero_mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset)
{
    *out = (struct map_file){.zero = true,
                             .ops = &file_vma_ops,
                             .file = f,
                             .readable = f->mode & FMODE_READ,
                             .writable = f->mode & FMODE_WRITE,
                             .executable = !(f->mount && (f->mount->flags & MS_NOEXEC)),
                             .max_size = PAGE_MASK};
    return 0;
}

static ssize_t random_rw(const struct iobuf *b, size_t n, bool out)
{
    u64 words[32];
    size_t done = 0;
    while (done < n) {
        size_t part = min(n - done, sizeof(words));
        for (size_t i = 0; out && i < DIV_ROUND_UP(part, 8); i++)
            words[i] = random_u64();
        size_t moved =
            out ? iobuf_put_part(b, done, words, part) : iobuf_get_part(b, done, words, part);
        done += moved;
        if (moved < part)
            return done ? (ssize_t)done : -EFAULT;
        if (done < n && signal_pending())
            break;
        sched_cond();
    }
    return (ssize_t)done;
}

static ssize_t random_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return random_rw(b, n, true);
}

/* What is written is looked at and adds nothing: the generator has its own sources. */
static ssize_t random_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return random_rw(b, n, false);
}

#define RNDGETENTCNT 0x80045200u
static s64 random_ioctl(struct file *f, u32 cmd, u64 arg)
{
    s32 bits = 256;
    if (cmd != RNDGETENTCNT)
        return -ENOTTY;
    return copy_to_user(arg, &bits, sizeof(bits)) ? -EFAULT : 0;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = sink_write, .lseek = null_lseek};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = sink_write, .lseek = null_lseek, .mmap = zero_mmap};
static const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .lseek = null_lseek};
static const struct file_ops random_ops = {
    .read = random_read, .write = random_write, .lseek = null_lseek, .ioctl = random_ioctl};

void memdev_register(void)
{
    dev_register("null", S_IFCHR | 0666, 1, 3, &null_ops, NULL);
    dev_register("zero", S_IFCHR | 0666, 1, 5, &zero_ops, NULL);
    dev_register("full", S_IFCHR | 0666, 1, 7, &full_ops, NULL);
    dev_register("random", S_IFCHR | 0666, 1, 8, &random_ops, NULL);
    dev_register("urandom", S_IFCHR | 0666, 1, 9, &random_ops, NULL);
}
