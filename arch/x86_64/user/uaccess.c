/* SPDX-License-Identifier: MIT */
/*
 * Port: user memory. Contracts in <port/uaccess.h>, <arch/uaccess.h>.
 *
 * A range is refused when it begins in the kernel's half or its length would carry it there; what
 * lies between is found by the MMU: unmapped and non-canonical addresses fault and end in the
 * exception table.
 */
#include <arch/setup.h>
#include <arch/uaccess.h>
#include <port/uaccess.h>

size_t user_copy(void *dst, const void *src, size_t n);
size_t user_clear(void *dst, size_t n);

static inline bool range_ok(u64 addr, size_t n)
{
    return likely((s64)addr >= 0 && n <= (1UL << 63) - addr);
}

size_t copy_to_user(u64 dst, const void *src, size_t n)
{
    return range_ok(dst, n) ? user_copy((void *)dst, src, n) : n;
}

size_t copy_from_user(void *dst, u64 src, size_t n)
{
    return range_ok(src, n) ? user_copy(dst, (const void *)src, n) : n;
}

size_t clear_user(u64 dst, size_t n)
{
    return range_ok(dst, n) ? user_clear((void *)dst, n) : n;
}

/* Word by word while words are aligned (a word never crosses into a page that the string does not
 * reach). */
ssize_t strncpy_from_user(char *dst, u64 src, size_t max)
{
    size_t done = 0;
    while (done < max) {
        if (!((src + done) & 7) && max - done >= 8) {
            u64 word;
            if (get_user(word, src + done))
                return -EFAULT;
            u64 zeros = (word - 0x0101010101010101UL) & ~word & 0x8080808080808080UL;
            memcpy(dst + done, &word, 8);
            if (zeros)
                return (ssize_t)(done + (ffs_u64(zeros) >> 3));
            done += 8;
        } else {
            u8 byte;
            if (get_user(byte, src + done))
                return -EFAULT;
            dst[done] = (char)byte;
            if (!byte)
                return (ssize_t)done;
            done++;
        }
    }
    return -ENAMETOOLONG;
}

int user_cmpxchg_u32(u64 addr, u32 *old, u32 new_value)
{
    int err = 0;
    u32 found = *old;
    if (!user_addr_ok(addr) || addr & 3)
        return -EFAULT;
    __asm__ volatile(ASM_STAC "1: lock cmpxchgl %3, (%2)\n2:\n" ASM_CLAC
                              ".pushsection .text.fixup, \"ax\"\n3: movl %4, %0\n jmp 2b\n"
                              ".popsection\n" EX_TABLE("1b", "3b")
                     : "+r"(err), "+a"(found)
                     : "r"(addr), "r"(new_value), "i"(-EFAULT)
                     : "memory", "cc");
    *old = found;
    return err;
}

int user_futex_op(u64 addr, int op, u32 arg, u32 *old)
{
    u32 seen;
    if (addr & 3 || get_user(seen, addr))
        return -EFAULT;
    for (;;) {
        u32 next, expect = seen;
        switch (op) {
        case 0:
            next = arg;
            break;
        case 1:
            next = seen + arg;
            break;
        case 2:
            next = seen | arg;
            break;
        case 3:
            next = seen & ~arg;
            break;
        case 4:
            next = seen ^ arg;
            break;
        default:
            return -ENOSYS;
        }
        if (user_cmpxchg_u32(addr, &seen, next))
            return -EFAULT;
        if (seen == expect) {
            *old = expect;
            return 0;
        }
    }
}

/* ---- STAC and CLAC ---- */
extern const u64 stac_sites_start[], stac_sites_end[], clac_sites_start[], clac_sites_end[];

/* Writes through the direct map's early alias: the image itself is already read-only. */
static void patch(const u64 *from, const u64 *to, u8 last)
{
    for (; from < to; from++) {
        u8 *code = phys_to_virt(image_phys((void *)*from));
        code[0] = 0x0f;
        code[1] = 0x01;
        code[2] = last;
    }
}

void alternatives_init(void)
{
    if (!cpu_feat.smap)
        return;
    patch(stac_sites_start, stac_sites_end, 0xcb);
    patch(clac_sites_start, clac_sites_end, 0xca);
}
