/* SPDX-License-Identifier: MIT */
/* Brings the file systems up: caches, types, the root tmpfs, devices, then the initramfs into the root. */
#include "internal.h"

/* The thread that boots gets a root and a working directory; programs inherit them. */
static int adopt_root(void)
{
    struct task *t = current_task();
    struct fs_struct *fs = fs_struct_alloc(), *old = t->fs;
    if (!fs)
        return -ENOMEM;
    store_release(&t->fs, fs);
    fs_struct_put(old);
    return 0;
}

static int mount_root(void)
{
    char none[1] = "";
    fs_register(&rootfs_type);
    struct superblock *sb = rootfs_type.mount(&rootfs_type, 0, "rootfs", none);
    if (IS_ERR(sb))
        return (int)PTR_ERR(sb);
    root_mount = mount_alloc(sb, sb->root, "rootfs", 0);
    if (!root_mount) {
        sb_put(sb);
        return -ENOMEM;
    }
    mount_ns_boot(root_mount);
    return adopt_root();
}

int fs_boot(const void *initrd, size_t size)
{
    mutex_init(&sb_list_lock, RANK_NONE);
    dcache_boot();
    inode_boot();
    file_boot();
    shrink_boot();
    tmpfs_register();
    devtmpfs_register();
    procfs_register();
    overlay_register();
    int err = mount_root();
    if (err)
        return err;
    memdev_register();
    userfaultfd_register();
    kmsg_register();
    initramfs_default();
    if (initrd && size)
        initramfs_unpack(initrd,
                         size); /* says what went wrong; the boot goes on with what there is */
    return 0;
}
