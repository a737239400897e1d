/* SPDX-License-Identifier: MIT */
/*
 * The requests of ioctl_userfaultfd(2): arguments read and checked, results written back. What they do is in the other files.
 *
 * A request that stops half-way reports the bytes done in its structure and -EAGAIN, and wakes the sleepers of what was done.
 *
 * Locks: none here.
 */
#include <port/sched.h>
#include <port/uaccess.h>
#include "uffd_internal.h"

/* Any start, whole pages. */
static int check_bytes(const struct mm *mm, u64 start, u64 len)
{
    if (len & ~PAGE_MASK || !len || start >= mm->task_size)
        return -EINVAL;
    return len > mm->task_size - start ? -EINVAL : 0;
}

static int check_range(const struct mm *mm, u64 start, u64 len)
{
    return start & ~PAGE_MASK ? -EINVAL : check_bytes(mm, start, len);
}

static s64 api_refused(u64 arg, s64 err)
{
    struct uapi_uffd_api zero = {0};
    return copy_to_user(arg, &zero, sizeof(zero)) ? -EFAULT : err;
}

static s64 api(struct uffd *u, u64 arg, bool may_fork)
{
    struct uapi_uffd_api a;
    if (copy_from_user(&a, arg, sizeof(a)))
        return -EFAULT;
    u64 features = a.features;
    if (a.api != UAPI_UFFD_API)
        return api_refused(arg, -EINVAL);
    if (features & UAPI_UFFD_FEATURE_EVENT_FORK && !may_fork)
        return api_refused(arg, -EPERM);
    if (features & UAPI_UFFD_FEATURE_WP_ASYNC)
        features |= UAPI_UFFD_FEATURE_WP_UNPOPULATED;
    if (features & ~UAPI_UFFD_FEATURES)
        return api_refused(arg, -EINVAL);
    a.features = UAPI_UFFD_FEATURES;
    a.ioctls = UAPI_UFFD_API_IOCTLS;
    if (copy_to_user(arg, &a, sizeof(a)))
        return -EFAULT;
    u32 none = 0;
    if (!__atomic_compare_exchange_n(&u->features, &none, (u32)features | UFFD_INITIALIZED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return api_refused(arg, -EINVAL);
    return 0;
}

static s64 do_register(struct uffd *u, u64 arg)
{
    struct uapi_uffd_register r;
    u64 flags = 0, ioctls = UAPI_UFFD_RANGE_IOCTLS;
    if (copy_from_user(&r, arg, offsetof(struct uapi_uffd_register, ioctls)))
        return -EFAULT;
    if (!r.mode || r.mode & ~(UAPI_UFFD_REGISTER_MISSING | UAPI_UFFD_REGISTER_WP | UAPI_UFFD_REGISTER_MINOR))
        return -EINVAL;
    if (r.mode & UAPI_UFFD_REGISTER_MISSING)
        flags |= VM_UFFD_MISSING;
    if (r.mode & UAPI_UFFD_REGISTER_WP)
        flags |= VM_UFFD_WP;
    else
        ioctls &= ~(1UL << UAPI_UFFDIO_NR_WRITEPROTECT);
    if (r.mode & UAPI_UFFD_REGISTER_MINOR)
        flags |= VM_UFFD_MINOR;
    else
        ioctls &= ~(1UL << UAPI_UFFDIO_NR_CONTINUE);
    int err = check_range(u->mm, r.start, r.len);
    if (!err)
        err = uffd_register(u, r.start, r.len, flags);
    if (!err && copy_to_user(arg + offsetof(struct uapi_uffd_register, ioctls), &ioctls, sizeof(ioctls)))
        err = -EFAULT;
    return err;
}

static s64 do_range(struct uffd *u, u64 arg, bool wake)
{
    struct uapi_uffd_range r;
    if (copy_from_user(&r, arg, sizeof(r)))
        return -EFAULT;
    int err = check_range(u->mm, r.start, r.len);
    if (err || !wake)
        return err ? err : uffd_unregister(u, r.start, r.len);
    uffd_wake(u, r.start, r.len);
    return 0;
}

/* The end of a request that fills: result into the structure, sleepers woken. */
static s64 finish(struct uffd *u, u64 result_at, s64 r, u64 start, u64 len, bool wake)
{
    if (copy_to_user(result_at, &r, sizeof(r)))
        return -EFAULT;
    if (r < 0)
        return r;
    if (wake)
        uffd_wake(u, start, (u64)r);
    return (u64)r == len ? 0 : -EAGAIN;
}

static s64 do_copy(struct uffd *u, u64 arg)
{
    struct uapi_uffd_copy c;
    if (copy_from_user(&c, arg, offsetof(struct uapi_uffd_copy, done)))
        return -EFAULT;
    int err = check_bytes(u->mm, c.src, c.len);
    if (!err)
        err = check_range(u->mm, c.dst, c.len);
    if (!err && c.mode & ~(UAPI_UFFD_MODE_DONTWAKE | UAPI_UFFD_MODE_WP))
        err = -EINVAL;
    if (err)
        return err;
    s64 r = uffd_fill(u, UFFD_FILL_COPY, c.dst, c.src, c.len, c.mode & UAPI_UFFD_MODE_WP);
    if (r == -ESRCH)
        return r;
    return finish(u, arg + offsetof(struct uapi_uffd_copy, done), r, c.dst, c.len, !(c.mode & UAPI_UFFD_MODE_DONTWAKE));
}

static s64 do_move(struct uffd *u, u64 arg)
{
    struct uapi_uffd_copy m;
    if (copy_from_user(&m, arg, offsetof(struct uapi_uffd_copy, done)))
        return -EFAULT;
    if (u->mm != sched_mm())
        return -EINVAL;
    int err = check_range(u->mm, m.dst, m.len);
    if (!err)
        err = check_range(u->mm, m.src, m.len);
    if (!err && m.mode & ~(UAPI_UFFD_MOVE_DONTWAKE | UAPI_UFFD_MOVE_ALLOW_SRC_HOLES))
        err = -EINVAL;
    if (err)
        return err;
    s64 r = uffd_move(u, m.dst, m.src, m.len, m.mode & UAPI_UFFD_MOVE_ALLOW_SRC_HOLES);
    if (r == -ESRCH)
        return r;
    return finish(u, arg + offsetof(struct uapi_uffd_copy, done), r, m.dst, m.len, !(m.mode & UAPI_UFFD_MOVE_DONTWAKE));
}

static s64 do_fill(struct uffd *u, u64 arg, enum uffd_fill what)
{
    struct uapi_uffd_fill z;
    u64 modes = UAPI_UFFD_MODE_DONTWAKE | (what == UFFD_FILL_CONTINUE ? UAPI_UFFD_MODE_WP : 0);
    if (copy_from_user(&z, arg, offsetof(struct uapi_uffd_fill, done)))
        return -EFAULT;
    int err = check_range(u->mm, z.start, z.len);
    if (!err && z.mode & ~modes)
        err = -EINVAL;
    if (err)
        return err;
    s64 r = uffd_fill(u, what, z.start, 0, z.len, z.mode & UAPI_UFFD_MODE_WP);
    if (r == -ESRCH)
        return r;
    return finish(u, arg + offsetof(struct uapi_uffd_fill, done), r, z.start, z.len, !(z.mode & UAPI_UFFD_MODE_DONTWAKE));
}

static s64 do_write_protect(struct uffd *u, u64 arg)
{
    struct uapi_uffd_fill w;
    if (copy_from_user(&w, arg, offsetof(struct uapi_uffd_fill, done)))
        return -EFAULT;
    bool protect = w.mode & UAPI_UFFD_WRITEPROTECT_WP, dontwake = w.mode & UAPI_UFFD_WRITEPROTECT_DONTWAKE;
    int err = check_range(u->mm, w.start, w.len);
    if (!err && (w.mode & ~(UAPI_UFFD_WRITEPROTECT_WP | UAPI_UFFD_WRITEPROTECT_DONTWAKE) || (protect && dontwake)))
        err = -EINVAL;
    if (!err)
        err = uffd_write_protect(u, w.start, w.len, protect);
    if (!err && !protect && !dontwake)
        uffd_wake(u, w.start, w.len);
    return err;
}

s64 uffd_ioctl(struct uffd *u, u32 cmd, u64 arg, bool may_fork)
{
    if (cmd == UAPI_UFFDIO_API)
        return api(u, arg, may_fork);
    if (!READ_ONCE(u->features))
        return -EINVAL;
    switch (cmd) {
    case UAPI_UFFDIO_REGISTER:
        return do_register(u, arg);
    case UAPI_UFFDIO_UNREGISTER:
        return do_range(u, arg, false);
    case UAPI_UFFDIO_WAKE:
        return do_range(u, arg, true);
    default:
        break;
    }
    switch (cmd) {
    case UAPI_UFFDIO_WRITEPROTECT:
        return uffd_changing(u) ? -EAGAIN : do_write_protect(u, arg);
    case UAPI_UFFDIO_COPY:
        return uffd_changing(u) ? -EAGAIN : do_copy(u, arg);
    case UAPI_UFFDIO_MOVE:
        return uffd_changing(u) ? -EAGAIN : do_move(u, arg);
    case UAPI_UFFDIO_ZEROPAGE:
        return uffd_changing(u) ? -EAGAIN : do_fill(u, arg, UFFD_FILL_ZERO);
    case UAPI_UFFDIO_CONTINUE:
        return uffd_changing(u) ? -EAGAIN : do_fill(u, arg, UFFD_FILL_CONTINUE);
    case UAPI_UFFDIO_POISON:
        return uffd_changing(u) ? -EAGAIN : do_fill(u, arg, UFFD_FILL_POISON);
    default:
        return -EINVAL;
    }
}
