/* SPDX-License-Identifier: MIT */
/*
 * memfd_secret: files whose pages only those who map them can reach (AS_SECRET of mm/cache.h). They can be sized once, from 0, mapped
 * shared, and nothing else.
 */
#include "tmpfs/tmpfs.h"
#include <kernel/syscall.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <uapi/mman.h>

static const struct mapping_ops secret_mapping_ops;

static int secret_mmap(struct file *f, struct map_file *out, u64 len, u64 prot, u64 flags, u64 offset)
{
    u64 type = flags & UAPI_MAP_TYPE;
    if (type != UAPI_MAP_SHARED && type != UAPI_MAP_SHARED_VALIDATE)
        return -EINVAL;
    int err = generic_file_mmap(f, out, len, prot, flags, offset);
    out->executable = false; /* as on a noexec mount */
    out->vm_flags = VM_DONTDUMP;
    return err;
}

static int secret_setattr(struct inode *i, u32 valid, const struct kstat *st)
{
    if (valid & ATTR_SIZE) {
        if (i->mapping.size)
            return -EINVAL;
        i->mapping.size = st->size;
    }
    setattr_copy(i, valid, st);
    return 0;
}

static const struct file_ops secret_fops = {.mmap = secret_mmap, .lseek = no_lseek};
static const struct inode_ops secret_iops = {
    .getattr = tmpfs_getattr, .setattr = secret_setattr, .evict = tmpfs_evict};

static struct file *secret_file(void)
{
    struct inode *i = tmpfs_file_inode(tmpfs_kernel_sb(), S_IFREG | 0600);
    if (IS_ERR(i))
        return (struct file *)i;
    i->fops = &secret_fops;
    i->ops = &secret_iops;
    i->mapping.ops = &secret_mapping_ops;
    i->mapping.flags = AS_SECRET | AS_UNEVICTABLE;
    struct dentry *d = dentry_alloc(i->sb, tmpfs_kernel_sb()->root, "secretmem", 9);
    struct file *f = d ? file_alloc() : ERR_PTR(-ENOMEM);
    if (IS_ERR(f)) {
        if (d)
            dentry_put(d);
        inode_put(i);
        return f;
    }
    d->inode = i;
    dentry_delete(d);
    f->flags = O_RDWR | O_LARGEFILE;
    f->mode = FMODE_READ | FMODE_WRITE;
    f->dentry = d;
    int err = file_open_inode(f, i);
    if (err) {
        file_put(f);
        return ERR_PTR(err);
    }
    return f;
}

SYSCALL(memfd_secret)
{
    u32 flags = (u32)a0;
    if (flags & ~(u32)O_CLOEXEC)
        return -EINVAL;
    struct file *f = secret_file();
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_alloc(f, flags & O_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}
