/* SPDX-License-Identifier: MIT */
/* /proc/PID: what comes out of its address space: maps, smaps, mem, cmdline, environ, auxv. */
#include "pfs.h"
#include <mm/fault.h>
#include <mm/obs_mm.h>
#include <mm/phys.h>
#include <mm/vma.h>
#include <port/uaccess.h>

/* ---- names of mapped files ---- */
static void file_numbers(const struct vma *vma, u32 *major, u32 *minor, u64 *ino)
{
    struct file *f = vma->file;
    struct kstat st;
    if (vfs_getattr(f->inode, &st))
        return;
    *major = dev_major(st.dev);
    *minor = dev_minor(st.dev);
    *ino = st.ino;
}

static void file_name(struct seq *s, const struct vma *vma)
{
    char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
    ssize_t n = buf ? file_path(vma->file, buf, PATH_MAX) : -ENOMEM;
    for (ssize_t k = 0, from = 0; k <= n; k++) { /* in pieces between newlines */
        if (k < n && buf[k] != '\n')
            continue;
        seq_write(s, buf + from, (size_t)(k - from));
        if (k < n)
            seq_puts(s, "\\012");
        from = k + 1;
    }
    kfree(buf);
}
const struct obs_files pid_obs_files = {.numbers = file_numbers, .name = file_name};

void pid_show_maps(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return;
    obs_maps(s, mm, &pid_obs_files);
    mm_put(mm);
}
void pid_show_numa_maps(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return;
    obs_numa_maps(s, mm, &pid_obs_files);
    mm_put(mm);
}
void pid_show_smaps(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return;
    obs_smaps(s, mm, &pid_obs_files);
    mm_put(mm);
}
void pid_show_smaps_rollup(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm) { /* unlike in smaps, whose areas just end */
        s->err = -ESRCH;
        return;
    }
    obs_smaps_rollup(s, mm);
    mm_put(mm);
}
void pid_show_statm(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm) {
        seq_puts(s, "0 0 0 0 0 0 0\n");
        return;
    }
    obs_statm(s, mm);
    mm_put(mm);
}

/* ---- strings of the program's start ---- */
/* Appends [start,end) of mm, at most limit bytes. */
static void put_range(struct seq *s, struct mm *mm, u64 start, u64 end, u64 limit)
{
    char *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
    if (!buf)
        return;
    end = min(end, start + limit);
    while (start < end && !s->overflow) {
        size_t n = min(end - start, PAGE_SIZE), got = access_remote(mm, start, buf, n, FAULT_FORCE | FAULT_NO_WAIT);
        seq_write(s, buf, got);
        start += got;
        if (got < n)
            break;
    }
    kfree(buf);
}

void pid_show_cmdline(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return;
    u64 arg_start = mm->arg_start, arg_end = mm->arg_end, env_end = mm->env_end;
    u8 last = 0;
    if (arg_end > arg_start && env_end) {
        size_t from = s->len;
        put_range(s, mm, arg_start, arg_end, ~0UL >> 1);
        access_remote(mm, arg_end - 1, &last, 1, FAULT_FORCE | FAULT_NO_WAIT);
        if (last && s->len > from && mm->env_start == arg_end) {
            /* setproctitle: the arguments were overwritten beyond their end; the title ends at the first NUL */
            put_range(s, mm, arg_end, env_end, PAGE_SIZE);
            for (size_t k = from; k < s->len; k++) {
                if (!s->buf[k]) {
                    s->len = k + 1;
                    break;
                }
            }
        }
    }
    mm_put(mm);
}

void pid_show_environ(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pid_get_mm(pi);
    if (!mm)
        return;
    if (mm->env_end)
        put_range(s, mm, mm->env_start, mm->env_end, ~0UL >> 1);
    mm_put(mm);
}

/* The vector outlives the areas: an open file shows it after exec, too. */
void pid_show_auxv(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = pi->mm;
    if (!mm)
        return;
    size_t n = 0;
    do {
        n += 2;
    } while (n < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[n - 2]);
    seq_write(s, mm->saved_auxv, n * sizeof(u64));
}

/* ---- mem ---- */
static ssize_t mem_rw(struct file *f, const struct iobuf *b, size_t n, u64 *pos, bool write)
{
    struct mm *mm = f->priv && mm_try_get(f->priv) ? f->priv : NULL;
    char *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
    ssize_t done = 0;
    if (mm && !buf)
        done = -ENOMEM;
    while (mm && buf && (size_t)done < n) {
        size_t part = min(n - (size_t)done, PAGE_SIZE), got;
        if (write && iobuf_get(b, (size_t)done, buf, part)) {
            done = done ? done : -EFAULT;
            break;
        }
        got = access_remote(mm, *pos, buf, part, FAULT_FORCE | FAULT_NO_WAIT | (write ? FAULT_WRITE : 0));
        if (!got) {
            done = done ? done : -EIO;
            break;
        }
        if (!write && iobuf_put(b, (size_t)done, buf, got)) {
            done = done ? done : -EFAULT;
            break;
        }
        *pos += got;
        done += (ssize_t)got;
        if (fatal_signal_pending())
            break;
    }
    kfree(buf);
    if (mm)
        mm_put(mm);
    return done;
}
static ssize_t mem_read(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return mem_rw(f, b, n, pos, false);
}
static ssize_t mem_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    return mem_rw(f, b, n, pos, true);
}
/* Shows the address space of the moment of open(), also after exec. */
static const struct file_ops mem_fops = {
    .read = mem_read, .write = mem_write, .lseek = proc_mem_lseek, .release = pid_unpin_mm};

int pid_open_mem(struct file *f, struct pid_inode *pi)
{
    f->ops = &mem_fops;
    pid_pin_mm(f, pi);
    return 0;
}
