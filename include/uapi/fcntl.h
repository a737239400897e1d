/* SPDX-License-Identifier: MIT */
/* Linux's x86-64 numbers for opening, locking and naming files: fcntl.h, file.h, falloc.h, mount.h, openat2.h. */
#ifndef UAPI_FCNTL_H
#define UAPI_FCNTL_H

#define O_ACCMODE     00000003u
#define O_RDONLY      00000000u
#define O_WRONLY      00000001u
#define O_RDWR        00000002u
#define O_CREAT       00000100u
#define O_EXCL        00000200u
#define O_NOCTTY      00000400u
#define O_TRUNC       00001000u
#define O_APPEND      00002000u
#define O_NONBLOCK    00004000u
#define O_DSYNC       00010000u
#define O_ASYNC       00020000u
#define O_DIRECT      00040000u
#define O_LARGEFILE   00100000u
#define O_DIRECTORY   00200000u
#define O_NOFOLLOW    00400000u
#define O_NOATIME     01000000u
#define O_CLOEXEC     02000000u
#define O_SYNC        04010000u
#define O_PATH        010000000u
#define O_TMPFILE     020200000u /* holds O_DIRECTORY */
#define O_TMPFILE_BIT 020000000u

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_EACCESS          0x200u
#define AT_REMOVEDIR        0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT     0x800u
#define AT_EMPTY_PATH       0x1000u
#define AT_STATX_FORCE_SYNC 0x2000u
#define AT_STATX_DONT_SYNC  0x4000u
#define AT_RECURSIVE        0x8000u

#define RESOLVE_NO_XDEV       0x01u
#define RESOLVE_NO_MAGICLINKS 0x02u
#define RESOLVE_NO_SYMLINKS   0x04u
#define RESOLVE_BENEATH       0x08u
#define RESOLVE_IN_ROOT       0x10u
#define RESOLVE_CACHED        0x20u

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_SETSIG        10
#define F_GETSIG        11
#define F_SETOWN_EX     15
#define F_GETOWN_EX     16
#define F_OFD_GETLK     36
#define F_OFD_SETLK     37
#define F_OFD_SETLKW    38
#define F_SETLEASE      1024
#define F_GETLEASE      1025
#define F_NOTIFY        1026
#define F_DUPFD_QUERY   1027
#define F_CREATED_QUERY 1028
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define F_ADD_SEALS     1033
#define F_GET_SEALS     1034
#define FD_CLOEXEC      1u

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define F_SEAL_SEAL         0x01u
#define F_SEAL_SHRINK       0x02u
#define F_SEAL_GROW         0x04u
#define F_SEAL_WRITE        0x08u
#define F_SEAL_FUTURE_WRITE 0x10u
#define F_SEAL_EXEC         0x20u

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define FALLOC_FL_KEEP_SIZE      0x01
#define FALLOC_FL_PUNCH_HOLE     0x02
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_ZERO_RANGE     0x10
#define FALLOC_FL_INSERT_RANGE   0x20
#define FALLOC_FL_UNSHARE_RANGE  0x40

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

#define DT_UNKNOWN 0
#define DT_FIFO    1
#define DT_CHR     2
#define DT_DIR     4
#define DT_BLK     6
#define DT_REG     8
#define DT_LNK     10
#define DT_SOCK    12

#define R_OK 4
#define W_OK 2
#define X_OK 1

#define MS_RDONLY       1u
#define MS_NOSUID       2u
#define MS_NODEV        4u
#define MS_NOEXEC       8u
#define MS_SYNCHRONOUS  16u
#define MS_REMOUNT      32u
#define MS_MANDLOCK     64u
#define MS_DIRSYNC      128u
#define MS_NOSYMFOLLOW  256u
#define MS_NOATIME      1024u
#define MS_NODIRATIME   2048u
#define MS_BIND         4096u
#define MS_MOVE         8192u
#define MS_REC          16384u
#define MS_SILENT       32768u
#define MS_UNBINDABLE   (1u << 17)
#define MS_PRIVATE      (1u << 18)
#define MS_SLAVE        (1u << 19)
#define MS_SHARED       (1u << 20)
#define MS_RELATIME     (1u << 21)
#define MS_STRICTATIME  (1u << 24)
#define MS_LAZYTIME     (1u << 25)
#define MS_MGC_VAL      0xC0ED0000u
#define MS_MGC_MSK      0xffff0000u
#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define MNT_EXPIRE      4u
#define UMOUNT_NOFOLLOW 8u

#define GRND_NONBLOCK     1u
#define MFD_CLOEXEC       1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB       4u
#define MFD_NOEXEC_SEAL   8u
#define MFD_EXEC          16u

#define PATH_MAX 4096
#define NAME_MAX 255
#define IOV_MAX  1024
#endif
