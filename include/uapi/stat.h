/* SPDX-License-Identifier: MIT */
/* Linux's x86-64 file modes and the layouts of stat, statx and statfs. */
#ifndef UAPI_STAT_H
#define UAPI_STAT_H
#include <lib/types.h>

#define S_IFMT      0170000u
#define S_IFSOCK    0140000u
#define S_IFLNK     0120000u
#define S_IFREG     0100000u
#define S_IFBLK     0060000u
#define S_IFDIR     0040000u
#define S_IFCHR     0020000u
#define S_IFIFO     0010000u
#define S_ISUID     0004000u
#define S_ISGID     0002000u
#define S_ISVTX     0001000u
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

struct uapi_timespec {
    s64 tv_sec, tv_nsec;
};

struct uapi_stat {
    u64 st_dev, st_ino, st_nlink;
    u32 st_mode, st_uid, st_gid, pad0;
    u64 st_rdev;
    s64 st_size, st_blksize, st_blocks;
    struct uapi_timespec st_atim, st_mtim, st_ctim;
    s64 unused[3];
};
BUILD_ASSERT(sizeof(struct uapi_stat) == 144);

struct uapi_statx_time {
    s64 tv_sec;
    u32 tv_nsec;
    s32 pad;
};
struct uapi_statx {
    u32 stx_mask, stx_blksize;
    u64 stx_attributes;
    u32 stx_nlink, stx_uid, stx_gid;
    u16 stx_mode, pad1;
    u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask;
    struct uapi_statx_time stx_atime, stx_btime, stx_ctime, stx_mtime;
    u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
    u64 stx_mnt_id;
    u32 stx_dio_mem_align, stx_dio_offset_align;
    u64 spare[12];
};
BUILD_ASSERT(sizeof(struct uapi_statx) == 256);
#define STATX_BASIC_STATS     0x7ffu
#define STATX_BTIME           0x800u
#define STATX_MNT_ID          0x1000u
#define STATX_RESERVED        0x80000000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u

struct uapi_statfs {
    s64 f_type, f_bsize;
    u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
    s32 f_fsid[2];
    s64 f_namelen, f_frsize, f_flags, f_spare[4];
};
BUILD_ASSERT(sizeof(struct uapi_statfs) == 120);
#define ST_RDONLY     0x0001
#define ST_NOSUID     0x0002
#define ST_NODEV      0x0004
#define ST_NOEXEC     0x0008
#define ST_VALID      0x0020
#define ST_NOATIME    0x0400
#define ST_NODIRATIME 0x0800
#define ST_RELATIME   0x1000

/* The kernel's own form of a device number: 12 bits major, 20 bits minor; stat() shows dev_user(). */
static inline u64 dev_make(u32 major, u32 minor)
{
    return (u64)major << 20 | minor;
}
static inline u32 dev_major(u64 dev)
{
    return (u32)(dev >> 20);
}
static inline u32 dev_minor(u64 dev)
{
    return (u32)dev & 0xfffff;
}
static inline u64 dev_user(u64 dev)
{
    u64 minor = dev_minor(dev), major = dev_major(dev);
    return (minor & 0xff) | major << 8 | (minor & ~0xffUL) << 12;
}
static inline u64 dev_from_user(u64 dev)
{
    return dev_make((u32)(dev >> 8) & 0xfff, (u32)((dev & 0xff) | ((dev >> 12) & 0xfff00)));
}
#endif
