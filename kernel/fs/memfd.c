/* SPDX-License-Identifier: MIT */
/* memfd_create and its seals: nameless files of the kernel's own tmpfs. */
#include "tmpfs/tmpfs.h"
#include "locks.h"
#include <kernel/syscall.h>
#include <port/uaccess.h>

#define NAME_MAX_MEMFD 249

u64 sysctl_memfd_noexec; /* what a file is without a word about it: 0 executable, 1 not; 2: no other is made */

SYSCALL(memfd_create)
{
    u32 flags = (u32)a1;
    char name[7 + NAME_MAX_MEMFD + 1] = "memfd:";
    if (flags & MFD_HUGETLB)
        return (flags & ~(MFD_HUGETLB | MFD_CLOEXEC | MFD_ALLOW_SEALING | 0xfc000000u))
                   ? -EINVAL
                   : -ENOENT; /* no pool of that size */
    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
        return -EINVAL;
    if ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL))
        return -EINVAL;
    if (!(flags & (MFD_EXEC | MFD_NOEXEC_SEAL)))
        flags |= sysctl_memfd_noexec ? MFD_NOEXEC_SEAL : MFD_EXEC;
    if (!(flags & MFD_NOEXEC_SEAL) && sysctl_memfd_noexec == 2)
        return -EACCES;
    ssize_t n = strncpy_from_user(name + 6, a0, NAME_MAX_MEMFD + 1);
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    struct inode *i =
        tmpfs_file_inode(tmpfs_kernel_sb(), S_IFREG | ((flags & MFD_NOEXEC_SEAL) ? 0666 : 0777));
    if (IS_ERR(i))
        return PTR_ERR(i);
    i->nlink = 0;
    u32 *seals = &tnode(i)->seals;
    if (flags & MFD_NOEXEC_SEAL)
        *seals = F_SEAL_EXEC;
    else if (flags & MFD_ALLOW_SEALING)
        *seals = 0;
    struct dentry *root = tmpfs_kernel_sb()->root;
    struct dentry *d = dentry_alloc(i->sb, root, name, str_len(name));
    struct file *f = d ? file_alloc() : ERR_PTR(-ENOMEM);
    if (IS_ERR(f)) {
        if (d)
            dentry_put(d);
        inode_put(i);
        return (int)PTR_ERR(f);
    }
    d->inode = i;
    dentry_delete(d);
    f->flags = O_RDWR | O_LARGEFILE;
    f->mode = FMODE_READ | FMODE_WRITE;
    f->dentry = d;
    int err = file_open_inode(f, i);
    int fd = err ? err : fd_alloc(f, (flags & MFD_CLOEXEC) ? FD_CLOEXEC : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

s64 memfd_fcntl(struct file *f, u32 cmd, u32 add)
{
    struct inode *i = f->inode;
    if (i->fops != &tmpfs_file_fops)
        return -EINVAL;
    struct tnode *t = tnode(i);
    if (cmd == F_GET_SEALS)
        return t->seals;
    if (!(f->mode & FMODE_WRITE))
        return -EPERM;
    if (add & ~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |
                F_SEAL_EXEC))
        return -EINVAL;
    s64 err = 0;
    mutex_lock(&i->lock);
    if (add & F_SEAL_EXEC && i->mode & 0111) /* what may run does not change any more */
        add |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    if (t->seals & F_SEAL_SEAL)
        err = -EPERM;
    else if ((add & F_SEAL_WRITE) && !(t->seals & F_SEAL_WRITE) &&
             READ_ONCE(i->mapping.i_mmap_writable) > 0)
        err = -EBUSY;
    else
        t->seals |= add;
    if (t->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        i->mapping.flags |= AS_SEALED;
    mutex_unlock(&i->lock);
    return err;
}
