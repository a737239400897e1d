/* SPDX-License-Identifier: MIT */
/*
 * struct file: life, buffers, files without a path.
 *
 * F1. refs > 0 while a descriptor, a mapping or a system call uses the file. Memory is type-stable (SLAB_RCU).
 * F2. A file counts itself in inode->writecount and mount->writers while FMODE_WRITE is set on an inode with a path.
 */
#include "internal.h"
#include <mm/phys.h>
#include <kernel/poll.h>
#include <kernel/time.h>
#include <mm/vma.h>
#include <port/uaccess.h>
#include <lib/fmt.h>

static struct slab_cache *file_cache;
static struct superblock *anon_sb;
static u64 anon_ino;

struct timespec_k time_now(void)
{
    u64 ns = (u64)realtime_ns();
    return (struct timespec_k){(s64)(ns / 1000000000), (s64)(ns % 1000000000)};
}

/* The program file of an address space: referenced, and nobody may write to it. */
static void exe_get(void *exe)
{
    struct file *f = exe;
    __atomic_sub_fetch(&f->inode->writecount, 1, __ATOMIC_RELAXED);
    file_get(f);
}
static void exe_put(void *exe)
{
    file_allow_write(exe);
    file_put(exe);
}
u64 sysctl_file_max;

static const struct mm_home_ops home_ops = {exe_get, exe_put};

static const struct fs_type anon_type = {.name = "anon_inodefs"};

void file_boot(void)
{
    file_cache = slab_cache_create("filp", sizeof(struct file), 64, SLAB_RCU);
    mm_home_ops = &home_ops;
    anon_sb = sb_alloc(&anon_type, NULL, 0);
    if (!file_cache || !anon_sb)
        panic("no memory for files");
    /* A tenth of memory, without what is in use already and half as much again, at 1 KiB a file; as Linux has it. */
    u64 pages = phys_managed(), kept = min((pages - min(phys_free_all(), pages)) * 3 / 2, pages - 1);
    sysctl_file_max = max((pages - kept) * (PAGE_SIZE / 1024) / 10, 8192UL);
}

u64 file_count(void)
{
    return slab_in_use(file_cache);
}

/*
 * Are there as many files as /proc/sys/fs/file-max allows? Counting looks at every CPU, so it is done at each 64th file of a CPU, and
 * at all while there are too many.
 */
static bool too_many_files(void)
{
    static u32 opened[NR_CPUS];
    static bool over;
    if (likely(++opened[cpu_id()] & 63) && likely(!READ_ONCE(over)))
        return false;
    bool now = file_count() >= READ_ONCE(sysctl_file_max);
    WRITE_ONCE(over, now);
    return now && !capable(CAP_SYS_ADMIN);
}

struct file *file_alloc(void)
{
    if (unlikely(too_many_files()))
        return ERR_PTR(-ENFILE);
    struct file *f = slab_alloc(file_cache, GFP_KERNEL);
    if (!f)
        return ERR_PTR(-ENOMEM);
    /* refs last: a stale finder must not see a count before the rest is right */
    memset((char *)f + sizeof(f->refs), 0, sizeof(*f) - sizeof(f->refs));
    mutex_init(&f->pos_lock, RANK_NONE);
    list_init(&f->epolls);
    spin_init(&f->epoll_lock, RANK_KERNEL_LEAF);
    store_release(&f->refs, 1);
    return f;
}

struct file *file_get(struct file *f)
{
    __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
    return f;
}

static void file_last(struct file *f)
{
    struct inode *inode = f->inode;
    if (inode && !(f->mode & FMODE_PATH)) {
        if (f->dentry)
            notify_file(f, (f->mode & FMODE_WRITE) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
        if (inode->locks)
            locks_release(f);
        epoll_file_release(f);
        if (f->ops && f->ops->release)
            f->ops->release(f);
        if (f->mode & FMODE_MOUNT_WRITE) {
            __atomic_sub_fetch(&inode->writecount, 1, __ATOMIC_RELAXED);
            mount_drop_write(f->mount);
        }
    }
    if (f->dentry)
        dentry_put(f->dentry);
    inode_put(inode);
    if (f->mount)
        mount_put(f->mount);
    slab_free(file_cache, f);
}

void file_put(struct file *f)
{
    if (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0)
        file_last(f);
}

/* ---- buffers ---- */
u64 iobuf_piece(const struct iobuf *b, size_t off, size_t *n)
{
    if (!b->iov)
        return b->addr + off;
    for (u32 i = 0; i < b->nr_iov; i++) {
        if (off < b->iov[i].len) {
            *n = min(*n, b->iov[i].len - off);
            return b->iov[i].base + off;
        }
        off -= b->iov[i].len;
    }
    *n = 0;
    return 0;
}

size_t iobuf_put_part(const struct iobuf *b, size_t off, const void *src, size_t n)
{
    size_t done = 0, left = 0;
    while (done < n && !left) {
        size_t part = n - done;
        u64 addr = iobuf_piece(b, off + done, &part);
        if (!part)
            break;
        if (b->kernel)
            memcpy((void *)addr, (const char *)src + done, part);
        else
            left = copy_to_user(addr, (const char *)src + done, part);
        done += part - left;
    }
    return done;
}

size_t iobuf_get_part(const struct iobuf *b, size_t off, void *dst, size_t n)
{
    size_t done = 0, left = 0;
    while (done < n && !left) {
        size_t part = n - done;
        u64 addr = iobuf_piece(b, off + done, &part);
        if (!part)
            break;
        if (b->kernel)
            memcpy((char *)dst + done, (void *)addr, part);
        else
            left = copy_from_user((char *)dst + done, addr, part);
        done += part - left;
    }
    return done;
}

int iobuf_put(const struct iobuf *b, size_t off, const void *src, size_t n)
{
    return iobuf_put_part(b, off, src, n) == n ? 0 : -EFAULT;
}

int iobuf_get(const struct iobuf *b, size_t off, void *dst, size_t n)
{
    return iobuf_get_part(b, off, dst, n) == n ? 0 : -EFAULT;
}

/* ---- files without a path ---- */
static struct file *anon_file(struct inode *inode, struct dentry *d, const struct file_ops *ops,
                              void *priv, u32 flags)
{
    struct file *f = file_alloc();
    if (IS_ERR(f))
        return f;
    u32 acc = flags & O_ACCMODE;
    f->inode = inode_get(inode);
    f->dentry = dentry_get(d);
    f->ops = ops;
    f->priv = priv;
    f->flags = flags & ~O_CLOEXEC;
    f->mode = (acc != O_WRONLY ? FMODE_READ : 0) | (acc != O_RDONLY ? FMODE_WRITE : 0);
    if (ops->lseek == no_lseek || ops->lseek == noop_lseek)
        f->mode |= FMODE_STREAM;
    return f;
}

struct file *file_anon_inode(struct inode *inode, const char *name, const struct file_ops *ops,
                             void *priv, u32 flags)
{
    struct dentry *d = dentry_alloc(inode->sb, NULL, name, str_len(name));
    if (!d)
        return ERR_PTR(-ENOMEM);
    d->inode = inode_get(inode);
    struct file *f = anon_file(inode, d, ops, priv, flags);
    dentry_put(d);
    return f;
}

struct file *file_anon_mode(const char *name, u32 mode, const struct file_ops *ops, void *priv,
                            u32 flags)
{
    struct inode *inode = inode_alloc(anon_sb, mode, NULL, 0);
    if (!inode)
        return ERR_PTR(-ENOMEM);
    inode->fops = ops;
    inode->ino = __atomic_add_fetch(&anon_ino, 1, __ATOMIC_RELAXED);
    /* "pipe:[7]": the number is the inode's; other names stand as they are */
    char buf[64];
    const char *bracket = str_find(name, "[]");
    if (bracket)
        fmt_print(buf, sizeof(buf), "%.*s[%lu]", (int)(bracket - name), name, inode->ino);
    else
        str_copy(buf, name, sizeof(buf));
    struct file *f = file_anon_inode(inode, buf, ops, priv, flags);
    inode_put(inode);
    return f;
}

struct file *file_anon(const char *name, const struct file_ops *ops, void *priv, u32 flags)
{
    return file_anon_mode(name, 0600, ops, priv, flags);
}

struct file *file_anon_clone(struct file *f, const struct file_ops *ops, void *priv, u32 flags)
{
    return anon_file(f->inode, f->dentry, ops, priv, flags);
}

struct file *file_open_backing(struct inode *inode, u32 flags)
{
    struct file *f = file_alloc();
    if (IS_ERR(f))
        return f;
    u32 acc = flags & O_ACCMODE;
    f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOCTTY);
    f->mode = (acc != O_WRONLY ? FMODE_READ : 0) | (acc != O_RDONLY ? FMODE_WRITE : 0);
    int err = file_open_inode(f, inode);
    if (err) {
        slab_free(file_cache, f);
        return ERR_PTR(err);
    }
    return f;
}

/* ---- mappings ---- */
static void file_vma_open(struct vma *vma)
{
    file_get(vma->file);
}
static void file_vma_close(struct vma *vma)
{
    file_put(vma->file);
}
static struct file_ra_state *file_vma_readahead(struct vma *vma)
{
    return ((struct file *)vma->file)->ra;
}
static bool file_vma_may_look(struct vma *vma)
{
    struct file *f = vma->file;
    return cap_owner(f->inode) || !inode_permission(f->inode, W_OK);
}
static int file_vma_sync(struct vma *vma, u64 start, u64 end)
{
    struct file *f = vma->file;
    return f->ops->fsync ? vfs_fsync(f, start, end, false) : cache_sync(vma->mapping, start, end);
}
const struct vma_ops file_vma_ops = {
    .sync = file_vma_sync,
    .open = file_vma_open, .close = file_vma_close, .readahead = file_vma_readahead, .may_look = file_vma_may_look};

/* ---- the kernel's own reading and writing ---- */
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, u64 pos)
{
    struct iobuf b = {.kernel = true, .addr = (u64)(uptr)buf};
    size_t done = 0;
    while (done < n) {
        b.addr = (u64)(uptr)buf + done;
        ssize_t r = f->ops->read ? f->ops->read(f, &b, n - done, &pos) : -EINVAL;
        if (r < 0)
            return done ? (ssize_t)done : r;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, u64 pos)
{
    struct iobuf b = {.kernel = true};
    size_t done = 0;
    while (done < n) {
        b.addr = (u64)(uptr)buf + done;
        ssize_t r = f->ops->write ? f->ops->write(f, &b, n - done, &pos) : -EINVAL;
        if (r <= 0)
            return done ? (ssize_t)done : r;
        done += (size_t)r;
    }
    return (ssize_t)done;
}
