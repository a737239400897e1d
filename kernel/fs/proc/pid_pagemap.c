/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/pagemap and clear_refs: the files around mm/obs/pagemap.c, pagemap_scan.c and clear_refs.c.
 *
 * An open pagemap shows the address space of the moment of open(), also after exec; when that is gone, nothing.
 */
#include "pfs.h"
#include <mm/obs_mm.h>
#include <mm/pagemap_scan.h>
#include <mm/vma.h>
#include <port/uaccess.h>

#define PAGEMAP_SCAN 0xc0606610u
#define WORD         sizeof(u64)

/* Words are made for what one table maps at a time. */
static ssize_t copy_words(struct mm *mm, const struct iobuf *b, size_t n, u64 *pos, u64 *words, bool show_pfn)
{
    ssize_t done = 0;
    u64 first = *pos / WORD, last = mm->task_size >> PAGE_SHIFT;
    while ((size_t)done < n && first < last && !fatal_signal_pending()) {
        u64 some = min(min((n - (size_t)done) / WORD, (u64)PT_ENTRIES - first % PT_ENTRIES), last - first);
        obs_pagemap(mm, first << PAGE_SHIFT, some, show_pfn, words);
        if (iobuf_put(b, (size_t)done, words, some * WORD))
            return -EFAULT;
        done += (ssize_t)(some * WORD);
        first += some;
    }
    *pos += (u64)done;
    return done;
}

static ssize_t pagemap_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    struct mm *mm = f->priv;
    if (!mm || !mm_try_get(mm))
        return 0;
    ssize_t done = 0;
    u64 *words = NULL;
    if (*pos % WORD || n % WORD)
        done = -EINVAL;
    else if (n && !(words = kmalloc(PAGE_SIZE, GFP_KERNEL)))
        done = -ENOMEM;
    else if (n)
        done = copy_words(mm, b, n, pos, words, f->scratch[0]);
    kfree(words);
    mm_put(mm);
    return done;
}

static int scan_flush(struct pagemap_scan *s, u64 *vec)
{
    if (copy_to_user(*vec, s->buf, s->used * sizeof(*s->buf)))
        return -EFAULT;
    *vec += s->used * sizeof(*s->buf);
    s->arg.vec_len -= s->used;
    s->room = min(s->room, s->arg.vec_len);
    s->used = 0;
    return 0;
}

/* Number of regions given, or -errno. */
static s64 scan(struct pagemap_scan *s, struct mm *mm)
{
    s64 regions = 0;
    int err = 0;
    u64 vec = s->arg.vec;
    for (u64 start = s->arg.start; start < s->arg.end; start = s->arg.walk_end) {
        if (fatal_signal_pending())
            return -EINTR;
        err = pagemap_scan_range(s, mm, start);
        s64 used = (s64)s->used;
        int fault = s->buf ? scan_flush(s, &vec) : 0;
        if (fault)
            err = fault;
        else
            regions += used;
        if (err != -ENOSPC || !s->arg.vec_len || s->found == s->arg.max_pages)
            break;
    }
    if (!s->arg.walk_end)
        s->arg.walk_end = s->arg.end;
    return err && err != -ENOSPC ? err : regions;
}

static bool user_range(u64 addr, u64 len)
{
    u64 limit = current_task()->mm->task_size;
    return len <= limit && addr <= limit - len;
}

static s64 scan_ioctl(struct mm *mm, u64 user_arg)
{
    struct pagemap_scan s = {0};
    if (copy_from_user(&s.arg, user_arg, sizeof(s.arg)))
        return -EFAULT;
    int err = pagemap_scan_check(&s.arg);
    if (err)
        return err;
    if (!user_range(s.arg.start, s.arg.end - s.arg.start))
        return -EFAULT;
    if (!s.arg.vec && s.arg.vec_len)
        return -EINVAL;
    u64 bytes = s.arg.vec_len > U64_MAX / sizeof(struct page_region) ? U64_MAX : s.arg.vec_len * sizeof(struct page_region);
    if (s.arg.vec && !user_range(s.arg.vec, bytes))
        return -EFAULT;
    s.arg.end = page_align_up(s.arg.end);
    s.arg.walk_end = 0;
    if (!s.arg.max_pages)
        s.arg.max_pages = U64_MAX;
    s.room = min(s.arg.vec_len, (u64)PAGEMAP_SCAN_BATCH);
    s.entries = kmalloc(PAGE_SIZE, GFP_KERNEL);
    s.buf = s.room ? kmalloc(s.room * sizeof(*s.buf), GFP_KERNEL) : NULL;
    s64 r = !s.entries || (s.room && !s.buf) ? -ENOMEM : scan(&s, mm);
    kfree(s.buf);
    kfree(s.entries);
    u64 where = user_arg + __builtin_offsetof(struct pm_scan_arg, walk_end);
    if (r != -ENOMEM && copy_to_user(where, &s.arg.walk_end, sizeof(s.arg.walk_end)))
        r = -EFAULT;
    return r;
}

static s64 pagemap_ioctl(struct file *f, u32 cmd, u64 arg)
{
    struct mm *mm = f->priv;
    if (cmd != PAGEMAP_SCAN)
        return -EINVAL;
    if (!mm || !mm_try_get(mm))
        return -EINVAL;
    s64 r = scan_ioctl(mm, arg);
    mm_put(mm);
    return r;
}

static const struct file_ops pagemap_fops = {
    .read = pagemap_read, .ioctl = pagemap_ioctl, .lseek = proc_mem_lseek, .release = pid_unpin_mm};

int pid_open_pagemap(struct file *f, struct pid_inode *pi)
{
    f->ops = &pagemap_fops;
    f->scratch[0] = capable(CAP_SYS_ADMIN); /* whether frame numbers are shown is decided by who opened it */
    pid_pin_mm(f, pi);
    return 0;
}

int pid_store_clear_refs(struct pid_inode *pi, const char *text, size_t n)
{
    s64 what;
    char first[14] = {0};
    const char *end;
    memcpy(first, text, min(n, sizeof(first) - 1));
    const char *from = first;
    while (*from == ' ' || (*from >= '\t' && *from <= '\r'))
        from++;
    if (str_parse_s64(from, 10, &what, &end))
        return -EINVAL;
    while (*end == ' ' || (*end >= '\t' && *end <= '\r'))
        end++;
    if (*end || what < 1 || what > 5)
        return -EINVAL;
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return 0;
    int err = mm_clear_refs(mm, (int)what);
    mm_put(mm);
    return err;
}
