/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps.
 *
 *   start-end perms offset major:minor inode        name (from column 73)
 */
#include <mm/obs_mm.h>
#include <mm/shmem.h>
#include <mm/vma.h>

#define NAME_COLUMN 72

static void put_perms(struct seq *s, u64 flags)
{
    seq_putc(s, ' ');
    seq_putc(s, (flags & VM_READ) ? 'r' : '-');
    seq_putc(s, (flags & VM_WRITE) ? 'w' : '-');
    seq_putc(s, (flags & VM_EXEC) ? 'x' : '-');
    seq_putc(s, (flags & VM_MAYSHARE) ? 's' : 'p');
    seq_putc(s, ' ');
}

static const char *special_name(const struct vma *vma)
{
    const struct mm *mm = vma->mm;
    if (vma->ops && vma->ops->name) {
        const char *n = vma->ops->name((struct vma *)vma);
        if (n)
            return n;
    }
    if (vma->mapping || vma->file)
        return NULL;
    if (vma_start(vma) < mm->brk && vma_end(vma) > mm->start_brk)
        return "[heap]";
    if (vma_start(vma) <= mm->start_stack && vma_end(vma) >= mm->start_stack)
        return "[stack]";
    return NULL;
}

static void put_file_name(struct seq *s, const struct vma *vma, const struct obs_files *files, struct obs_last *last)
{
    size_t at = s->len;
    if (last->len) {
        seq_write(s, s->buf + last->name, last->len);
    } else {
        files->name(s, vma);
        last->len = s->len - at;
    }
    last->name = at;
}

void obs_vma_name(struct seq *s, const struct vma *vma, const struct obs_files *files, struct obs_last *last)
{
    const char *special = vma->file ? NULL : special_name(vma);
    if (vma->name && (vma->file || vma->mapping))
        seq_printf(s, "[anon_shmem:%s]", vma->name);
    else if (vma->file)
        put_file_name(s, vma, files, last);
    else if (special)
        seq_puts(s, special);
    else if (vma->name)
        seq_printf(s, "[anon:%s]", vma->name);
}

static bool has_name(const struct vma *vma)
{
    return vma->file || vma->name || special_name(vma);
}

void obs_vma_origin(const struct vma *vma, const struct obs_files *files, struct obs_last *last, struct obs_origin *o)
{
    *o = (struct obs_origin){0};
    if (vma->file) {
        if (vma->file != last->file) {
            *last = (struct obs_last){.file = vma->file};
            files->numbers(vma, &last->major, &last->minor, &last->ino);
        }
        *o = (struct obs_origin){last->major, last->minor, last->ino, vma->pgoff << PAGE_SHIFT};
    } else if (vma->mapping && vma->ops == &shmem_anon_vma_ops) {
        o->minor = 1; /* the kernel's own shared memory is the first file system */
        o->ino = ((const struct shmem_anon *)vma->priv)->inode;
        o->offset = vma->pgoff << PAGE_SHIFT;
    } else if (vma->mapping) {
        o->offset = vma->pgoff << PAGE_SHIFT; /* System V */
    }
}

void obs_vma_line(struct seq *s, const struct vma *vma, const struct obs_files *files, struct obs_last *last)
{
    size_t line = s->len;
    struct obs_origin o;
    obs_vma_origin(vma, files, last, &o);
    seq_put_hex(s, vma_start(vma), 8);
    seq_putc(s, '-');
    seq_put_hex(s, vma_end(vma), 8);
    put_perms(s, vma->flags);
    seq_put_hex(s, o.offset, 8);
    seq_putc(s, ' ');
    seq_put_hex(s, o.major, 2);
    seq_putc(s, ':');
    seq_put_hex(s, o.minor, 2);
    seq_put_dec(s, " ", o.ino);
    seq_putc(s, ' ');
    if (has_name(vma)) {
        seq_pad_to(s, line, NAME_COLUMN);
        seq_putc(s, ' ');
        obs_vma_name(s, vma, files, last);
    }
    seq_putc(s, '\n');
}

void obs_maps(struct seq *s, struct mm *mm, const struct obs_files *files)
{
    struct obs_last last = {0};
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, s->cursor); v; v = vma_next(v)) {
        obs_vma_line(s, v, files, &last);
        if (!seq_record(s, vma_end(v)))
            break;
    }
    mmap_read_unlock(mm);
}
