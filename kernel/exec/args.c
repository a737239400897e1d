/* SPDX-License-Identifier: MIT */
/*
 * Arguments: from the old program's memory into kernel pages, and from there onto the new stack.
 *
 *   pages     argv[0]\0 argv[1]\0 ... env[0]\0 ... file name\0          prefix: what "#!" puts before argv[1]
 *   stack     argc | argv.. 0 | envp.. 0 | auxv | 16 random bytes | "x86_64" | prefix | strings | 8 zero bytes    high
 */
#include "../proc/proc.h"
#include "exec.h"
#include <arch/uaccess.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <port/random.h>
#include <port/uaccess.h>

#define MAX_ARG_STRLEN (32 * PAGE_SIZE)
#define STACK_EXTRA    131072UL
#define PLATFORM       "x86_64"

enum {
    AT_NULL,
    AT_PHDR = 3,
    AT_PHENT,
    AT_PHNUM,
    AT_PAGESZ,
    AT_BASE,
    AT_FLAGS,
    AT_ENTRY,
    AT_UID = 11,
    AT_EUID,
    AT_GID,
    AT_EGID,
    AT_PLATFORM,
    AT_HWCAP,
    AT_CLKTCK,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_RSEQ_FEATURE_SIZE = 27,
    AT_RSEQ_ALIGN = 28,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51
};

static u64 room(struct exec_image *im, char **where)
{
    u64 index = im->args_len / PAGE_SIZE, off = im->args_len % PAGE_SIZE;
    if (index >= EXEC_MAX_PAGES)
        return 0;
    if (index == im->nr_pages) {
        im->page[index] = kmalloc(PAGE_SIZE, GFP_KERNEL);
        if (!im->page[index])
            return 0;
        im->nr_pages++;
    }
    *where = im->page[index] + off;
    return PAGE_SIZE - off;
}

static int put_kernel(struct exec_image *im, const char *s)
{
    size_t left = str_len(s) + 1;
    while (left) {
        char *to;
        u64 n = room(im, &to);
        if (!n)
            return im->args_len / PAGE_SIZE >= EXEC_MAX_PAGES ? -E2BIG : -ENOMEM;
        n = min(n, left);
        memcpy(to, s, n);
        s += n;
        left -= n;
        im->args_len += n;
    }
    return 0;
}

static int put_user_string(struct exec_image *im, u64 s)
{
    u64 len = 0;
    for (;;) {
        char *to;
        u64 n = room(im, &to);
        if (!n)
            return im->args_len / PAGE_SIZE >= EXEC_MAX_PAGES ? -E2BIG : -ENOMEM;
        ssize_t got = strncpy_from_user(to, s, n);
        if (got >= 0) {
            im->args_len += (u64)got + 1;
            return im->args_len > im->args_limit ? -E2BIG : 0;
        }
        if (got != -ENAMETOOLONG || copy_from_user(to, s, n))
            return -EFAULT;
        s += n;
        len += n;
        im->args_len += n;
        if (len > MAX_ARG_STRLEN || im->args_len > im->args_limit)
            return -E2BIG;
    }
}

/* A vector of strings, in user or kernel memory. */
static int put_vector(struct exec_image *im, u64 user, const char *const *kernel, u32 *count)
{
    for (u32 i = 0;; i++) {
        int err;
        if (kernel) {
            if (!kernel[i])
                return 0;
            err = put_kernel(im, kernel[i]);
        } else {
            u64 s;
            if (!user)
                return 0;
            if (get_user(s, user + 8UL * i))
                return -EFAULT;
            if (!s)
                return 0;
            err = put_user_string(im, s);
        }
        if (err)
            return err;
        if (++*count > 0x7fffffff / 16)
            return -E2BIG;
    }
}

int exec_args_copy(struct exec_image *im, u64 uargv, u64 uenvp, const char *const *kargv,
                   const char *const *kenvp)
{
    u64 limit = current_process()->rlim[RLIMIT_STACK].cur / 4;
    im->args_limit = min(max(limit, 32 * PAGE_SIZE), EXEC_MAX_PAGES * PAGE_SIZE);
    int err = put_vector(im, uargv, kargv, &im->argc);
    if (!err && im->argc == 0) { /* a program may rely on argv[0] */
        err = put_kernel(im, "");
        im->argc = 1;
    }
    if (!err)
        err = put_vector(im, uenvp, kenvp, &im->envc);
    im->exec_off = im->args_len;
    if (!err)
        err = put_kernel(im, im->filename);
    return err;
}

static size_t first_len(const struct exec_image *im)
{
    size_t n = 0;
    while (im->page[n / PAGE_SIZE][n % PAGE_SIZE])
        n++;
    return n + 1;
}

int exec_args_script(struct exec_image *im, const char *interp, const char *arg, const char *name)
{
    size_t li = str_len(interp) + 1, la = arg[0] ? str_len(arg) + 1 : 0;
    size_t ln = im->prefix
                    ? 0
                    : str_len(name) + 1; /* a nested one: the old prefix begins with its own name */
    char *p = kmalloc(li + la + ln + im->prefix_len, GFP_KERNEL);
    if (!p)
        return -ENOMEM;
    memcpy(p, interp, li);
    memcpy(p + li, arg, la);
    memcpy(p + li + la, im->prefix ? im->prefix : name, im->prefix ? im->prefix_len : ln);
    if (!im->prefix) {
        im->argv_skip = first_len(im);
        im->argc--;
        im->prefix_argc = 1;
    }
    im->prefix_argc += 1 + (la != 0);
    im->prefix_len += li + la + ln;
    kfree(im->prefix);
    im->prefix = p;
    return 0;
}

void exec_args_free(struct exec_image *im)
{
    for (u32 i = 0; i < im->nr_pages; i++)
        kfree(im->page[i]);
    kfree(im->prefix);
}

int exec_map_stack(struct exec_image *im)
{
    struct mm *mm = im->mm;
    u64 top = mm->start_stack;
    /* Linux's size: the pages of the strings, and the extra for tables and for growing, within the limit. */
    u64 strings = im->args_len - im->argv_skip + im->prefix_len + 8;
    u64 pointers = (im->argc + im->prefix_argc + im->envc + 64UL) * 8;
    u64 least = page_align_up(strings + pointers + 8192 + 64);
    u64 size = max(page_align_up(strings) + STACK_EXTRA, least);
    u64 limit = rlimit_cur(current_process(), RLIMIT_STACK);
    if (size > limit)
        size = max(page_align_down(limit), least);
    u64 flags =
        VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN | VM_ACCOUNT;
    if (im->plan.has_stack_header && im->plan.exec_stack)
        flags |= VM_EXEC;
    struct vma_request req = {.addr = top - size,
                              .len = size,
                              .flags = flags,
                              .pgoff = (top - size) >> PAGE_SHIFT,
                              .fixed = true};
    mmap_write_lock(mm);
    s64 at = vma_map(mm, &req);
    /* On Linux a stack is no area whose every page counts as written: it is given its rights anew. */
    int err = at < 0 ? (int)at : vma_set_flags(mm, top - size, top, 0, VM_SOFTDIRTY);
    mmap_write_unlock(mm);
    return err;
}

/* Copies pages [off, args_len) to the user's address. */
static int copy_pages(struct exec_image *im, u64 off, u64 to)
{
    while (off < im->args_len) {
        u64 in = off % PAGE_SIZE, n = min(PAGE_SIZE - in, im->args_len - off);
        if (copy_to_user(to, im->page[off / PAGE_SIZE] + in, n))
            return -EFAULT;
        off += n;
        to += n;
    }
    return 0;
}

struct table {
    u64 at; /* user address of the next word */
    u64 buf[64];
    u32 n;
    int err;
};
static void table_flush(struct table *t)
{
    if (t->n && copy_to_user(t->at, t->buf, t->n * 8UL))
        t->err = -EFAULT;
    t->at += t->n * 8UL;
    t->n = 0;
}
static void word(struct table *t, u64 v)
{
    t->buf[t->n++] = v;
    if (t->n == 64)
        table_flush(t);
}

/* Words for `count` strings that begin at page offset *off and lie in user memory at base + *off. */
static void string_words(struct table *t, struct exec_image *im, u64 *off, u64 base, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        word(t, base + *off);
        for (;;) {
            const char *p = im->page[*off / PAGE_SIZE] + *off % PAGE_SIZE;
            size_t n = PAGE_SIZE - *off % PAGE_SIZE, l = str_nlen(p, n);
            *off += l;
            if (l < n)
                break;
        }
        ++*off;
    }
}

static u32 fill_auxv(struct exec_image *im, u64 *v, u64 random, u64 platform, u64 execfn)
{
    const struct cred *c = current_task()->cred;
    u32 n = 0;
#define AUX(k, val) (v[n++] = (k), v[n++] = (val))
    if (current_task()->mm->vdso)
        AUX(AT_SYSINFO_EHDR, current_task()->mm->vdso);
    AUX(AT_HWCAP, cpu_feat.cap_1_edx);
    AUX(AT_PAGESZ, PAGE_SIZE);
    AUX(AT_CLKTCK, 100);
    AUX(AT_PHDR, im->phdr);
    AUX(AT_PHENT, ELF_PHDR_SIZE);
    AUX(AT_PHNUM, im->plan.head.phnum);
    AUX(AT_BASE, im->interp_base);
    AUX(AT_FLAGS, 0);
    AUX(AT_ENTRY, im->entry);
    AUX(AT_UID, c->uid);
    AUX(AT_EUID, c->euid);
    AUX(AT_GID, c->gid);
    AUX(AT_EGID, c->egid);
    AUX(AT_SECURE, c->uid != c->euid || c->gid != c->egid);
    AUX(AT_RANDOM, random);
    AUX(AT_HWCAP2, arch_hwcap2());
    AUX(AT_EXECFN, execfn);
    AUX(AT_PLATFORM, platform);
    AUX(AT_RSEQ_FEATURE_SIZE, 28);
    AUX(AT_RSEQ_ALIGN, 32);
    AUX(AT_MINSIGSTKSZ, arch_fpu_frame_size() + 440 + 128 + 64);
    AUX(AT_NULL, 0);
#undef AUX
    return n;
}

int exec_build_stack(struct exec_image *im)
{
    struct mm *mm = current_task()->mm;
    u64 top = mm->start_stack - 8;
    u64 strings = im->args_len - im->argv_skip;
    u64 args = top - strings;        /* user address of page offset argv_skip */
    u64 base = args - im->argv_skip; /* page offset o appears at base + o */
    u64 prefix = args - im->prefix_len;
    if (copy_pages(im, im->argv_skip, args) ||
        (im->prefix_len && copy_to_user(prefix, im->prefix, im->prefix_len)))
        return -EFAULT;
    mm->arg_start = prefix;
    u64 execfn = base + im->exec_off;

    u64 sp = prefix;
    if (im->randomize)
        sp -= random_u64() % 8192;
    sp = ALIGN_DOWN(sp, 16UL);
    u64 r[2] = {random_u64(), random_u64()};
    u64 platform = sp - sizeof(PLATFORM), random = platform - sizeof(r);
    if (copy_to_user(platform, PLATFORM, sizeof(PLATFORM)) || copy_to_user(random, r, sizeof(r)))
        return -EFAULT;
    sp = random;

    u64 aux[48];
    u32 naux = fill_auxv(im, aux, random, platform, execfn);
    memset(mm->saved_auxv, 0, sizeof(mm->saved_auxv));
    memcpy(mm->saved_auxv, aux, naux * 8UL);
    u32 argc = im->prefix_argc + im->argc;
    u64 words = 1 + argc + 1 + im->envc + 1 + naux;
    sp = ALIGN_DOWN(sp - words * 8, 16UL);

    struct table t = {.at = sp};
    word(&t, argc);
    u64 p = prefix;
    for (u32 i = 0; i < im->prefix_argc; i++) {
        word(&t, p);
        p += str_len(im->prefix + (p - prefix)) + 1;
    }
    u64 off = im->argv_skip;
    string_words(&t, im, &off, base, im->argc);
    word(&t, 0);
    mm->arg_end = mm->env_start = base + off;
    string_words(&t, im, &off, base, im->envc);
    word(&t, 0);
    mm->env_end = base + off;
    for (u32 i = 0; i < naux; i++)
        word(&t, aux[i]);
    table_flush(&t);
    mm->start_stack = sp;
    im->sp = sp;
    return t.err;
}
