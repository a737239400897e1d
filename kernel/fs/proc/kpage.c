/* SPDX-License-Identifier: MIT */
/* /proc/kpageflags, kpagecount and kpagecgroup: a word for each frame, in the order of frame numbers. */
#include "pfs.h"
#include <mm/obs.h>

#define WORD sizeof(u64)

static ssize_t kpage_read(const struct iobuf *b, size_t n, u64 *pos, u64 (*word)(pfn_t))
{
    u64 pfn = *pos / WORD, end = obs_kpage_end();
    if (*pos % WORD || n % WORD)
        return -EINVAL;
    if (pfn >= end)
        return 0;
    n = min(n, (end - pfn) * WORD);
    u64 *words = kmalloc(PAGE_SIZE, GFP_KERNEL);
    if (!words)
        return -ENOMEM;
    size_t done = 0;
    ssize_t err = 0;
    while (done < n && !err && !fatal_signal_pending()) {
        u64 some = min((n - done) / WORD, (u64)PAGE_SIZE / WORD);
        for (u64 i = 0; i < some; i++)
            words[i] = word(pfn + i);
        if (iobuf_put(b, done, words, some * WORD))
            err = -EFAULT;
        done += some * WORD;
        pfn += some;
        sched_cond();
    }
    kfree(words);
    if (err)
        return err;
    *pos += done;
    return (ssize_t)done;
}

static ssize_t flags_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return kpage_read(b, n, pos, obs_kpageflags);
}
static ssize_t count_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return kpage_read(b, n, pos, obs_kpagecount);
}

/* The inode of the memory cgroup that a frame is charged to: there are none. */
static u64 no_cgroup(pfn_t pfn)
{
    return 0;
}
static ssize_t cgroup_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return kpage_read(b, n, pos, no_cgroup);
}

s64 proc_mem_lseek(struct file *f, s64 off, int whence)
{
    if (whence == SEEK_CUR)
        off += (s64)f->pos;
    else if (whence != SEEK_SET)
        return -EINVAL;
    f->pos = (u64)off;
    return off;
}

static const struct {
    const char *path;
    struct file_ops fops;
} files[] = {
    {"/proc/kpagecgroup", {.read = cgroup_read, .lseek = proc_mem_lseek}},
    {"/proc/kpagecount", {.read = count_read, .lseek = proc_mem_lseek}},
    {"/proc/kpageflags", {.read = flags_read, .lseek = proc_mem_lseek}},
};

void proc_kpage_register(void)
{
    for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
        struct pnode *n = pnode_make(files[k].path, S_IFREG | 0400);
        if (!n)
            panic("no memory for %s", files[k].path);
        n->fops = &files[k].fops;
    }
}
