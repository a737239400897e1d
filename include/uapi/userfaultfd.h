/* SPDX-License-Identifier: MIT */
/* userfaultfd(2) and ioctl_userfaultfd(2): Linux's numbers and layouts. */
#ifndef UAPI_USERFAULTFD_H
#define UAPI_USERFAULTFD_H
#include <lib/types.h>

#define UAPI_UFFD_API            0xaaUL
#define UAPI_UFFD_USER_MODE_ONLY 1u

#define UAPI_UFFD_FEATURE_PAGEFAULT_FLAG_WP   (1UL << 0)
#define UAPI_UFFD_FEATURE_EVENT_FORK          (1UL << 1)
#define UAPI_UFFD_FEATURE_EVENT_REMAP         (1UL << 2)
#define UAPI_UFFD_FEATURE_EVENT_REMOVE        (1UL << 3)
#define UAPI_UFFD_FEATURE_MISSING_HUGETLBFS   (1UL << 4)
#define UAPI_UFFD_FEATURE_MISSING_SHMEM       (1UL << 5)
#define UAPI_UFFD_FEATURE_EVENT_UNMAP         (1UL << 6)
#define UAPI_UFFD_FEATURE_SIGBUS              (1UL << 7)
#define UAPI_UFFD_FEATURE_THREAD_ID           (1UL << 8)
#define UAPI_UFFD_FEATURE_MINOR_HUGETLBFS     (1UL << 9)
#define UAPI_UFFD_FEATURE_MINOR_SHMEM         (1UL << 10)
#define UAPI_UFFD_FEATURE_EXACT_ADDRESS       (1UL << 11)
#define UAPI_UFFD_FEATURE_WP_HUGETLBFS_SHMEM  (1UL << 12)
#define UAPI_UFFD_FEATURE_WP_UNPOPULATED      (1UL << 13)
#define UAPI_UFFD_FEATURE_POISON              (1UL << 14)
#define UAPI_UFFD_FEATURE_WP_ASYNC            (1UL << 15)
#define UAPI_UFFD_FEATURE_MOVE                (1UL << 16)
#define UAPI_UFFD_FEATURES                    ((1UL << 17) - 1)

/* Numbers of the requests, which are also bits in the answers of API and REGISTER. */
#define UAPI_UFFDIO_NR_REGISTER     0
#define UAPI_UFFDIO_NR_UNREGISTER   1
#define UAPI_UFFDIO_NR_WAKE         2
#define UAPI_UFFDIO_NR_COPY         3
#define UAPI_UFFDIO_NR_ZEROPAGE     4
#define UAPI_UFFDIO_NR_MOVE         5
#define UAPI_UFFDIO_NR_WRITEPROTECT 6
#define UAPI_UFFDIO_NR_CONTINUE     7
#define UAPI_UFFDIO_NR_POISON       8
#define UAPI_UFFDIO_NR_API          0x3f
#define UAPI_UFFD_API_IOCTLS                                                                       \
    (1UL << UAPI_UFFDIO_NR_REGISTER | 1UL << UAPI_UFFDIO_NR_UNREGISTER | 1UL << UAPI_UFFDIO_NR_API)
#define UAPI_UFFD_RANGE_IOCTLS                                                                     \
    (1UL << UAPI_UFFDIO_NR_WAKE | 1UL << UAPI_UFFDIO_NR_COPY | 1UL << UAPI_UFFDIO_NR_ZEROPAGE |    \
     1UL << UAPI_UFFDIO_NR_MOVE | 1UL << UAPI_UFFDIO_NR_WRITEPROTECT |                             \
     1UL << UAPI_UFFDIO_NR_CONTINUE | 1UL << UAPI_UFFDIO_NR_POISON)

#define UAPI_USERFAULTFD_IOC_NEW 0xaa00u
#define UAPI_UFFDIO_REGISTER     0xc020aa00u
#define UAPI_UFFDIO_UNREGISTER   0x8010aa01u
#define UAPI_UFFDIO_WAKE         0x8010aa02u
#define UAPI_UFFDIO_COPY         0xc028aa03u
#define UAPI_UFFDIO_ZEROPAGE     0xc020aa04u
#define UAPI_UFFDIO_MOVE         0xc028aa05u
#define UAPI_UFFDIO_WRITEPROTECT 0xc018aa06u
#define UAPI_UFFDIO_CONTINUE     0xc020aa07u
#define UAPI_UFFDIO_POISON       0xc020aa08u
#define UAPI_UFFDIO_API          0xc018aa3fu

#define UAPI_UFFD_REGISTER_MISSING 1UL
#define UAPI_UFFD_REGISTER_WP      2UL
#define UAPI_UFFD_REGISTER_MINOR   4UL
/* COPY, CONTINUE: both; ZEROPAGE, POISON: DONTWAKE. */
#define UAPI_UFFD_MODE_DONTWAKE 1UL
#define UAPI_UFFD_MODE_WP       2UL
/* WRITEPROTECT has them the other way round. */
#define UAPI_UFFD_WRITEPROTECT_WP       1UL
#define UAPI_UFFD_WRITEPROTECT_DONTWAKE 2UL
#define UAPI_UFFD_MOVE_DONTWAKE         1UL
#define UAPI_UFFD_MOVE_ALLOW_SRC_HOLES  2UL

struct uapi_uffd_api {
    u64 api, features, ioctls;
};
struct uapi_uffd_range {
    u64 start, len;
};
struct uapi_uffd_register {
    u64 start, len, mode, ioctls;
};
/* ZEROPAGE, CONTINUE, POISON; WRITEPROTECT without done. */
struct uapi_uffd_fill {
    u64 start, len, mode;
    s64 done; /* bytes, or -errno */
};
/* COPY, MOVE. */
struct uapi_uffd_copy {
    u64 dst, src, len, mode;
    s64 done;
};

#define UAPI_UFFD_EVENT_PAGEFAULT 0x12
#define UAPI_UFFD_EVENT_FORK      0x13
#define UAPI_UFFD_EVENT_REMAP     0x14
#define UAPI_UFFD_EVENT_REMOVE    0x15
#define UAPI_UFFD_EVENT_UNMAP     0x16
#define UAPI_UFFD_PAGEFAULT_WRITE 1UL
#define UAPI_UFFD_PAGEFAULT_WP    2UL
#define UAPI_UFFD_PAGEFAULT_MINOR 4UL

struct uapi_uffd_msg {
    u8 event, reserved1;
    u16 reserved2;
    u32 reserved3;
    union {
        struct {
            u64 flags, address;
            u32 ptid;
        } pagefault;
        struct {
            u32 ufd;
        } fork;
        struct {
            u64 from, to, len;
        } remap;
        struct {
            u64 start, end;
        } remove;
        u64 words[3];
    };
};
BUILD_ASSERT(sizeof(struct uapi_uffd_msg) == 32);
#endif
