/* SPDX-License-Identifier: MIT */
/* Pictures of address spaces; see scene.h. */
#include "scene.h"

void scene_up(struct scene *s)
{
    machine_up(64, 2, 1);
    s->mm = host_mm_new();
    assert_non_null(s->mm);
    host_mm_switch(s->mm);
    s->file = host_file_new((SCENE_PAGES + 1) * PAGE_SIZE, false);
    s->shared = host_file_new((SCENE_PAGES + 1) * PAGE_SIZE, true);
}

void scene_down(struct scene *s)
{
    host_mm_exit(s->mm);
    host_file_put(s->file);
    host_file_put(s->shared);
    machine_down();
}

s64 scene_map(struct scene *s, char what, unsigned page, unsigned n)
{
    u64 addr = scene_addr(page), len = n * PAGE_SIZE, fixed = UAPI_MAP_FIXED;
    u64 rw = UAPI_PROT_READ | UAPI_PROT_WRITE, anon = UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | fixed;
    struct map_file f = host_map_file(what == 'S' ? s->shared : s->file);
    u64 offset = page * PAGE_SIZE + (what == 'G' ? PAGE_SIZE : 0);
    switch (what) {
    case 'A':
        return host_mmap(addr, len, rw, anon, NULL, 0);
    case 'R':
        return host_mmap(addr, len, UAPI_PROT_READ, anon, NULL, 0);
    case 'N':
        return host_mmap(addr, len, 0, anon, NULL, 0);
    case 'L':
        return host_mmap(addr, len, rw, anon | UAPI_MAP_LOCKED, NULL, 0);
    case 'F':
    case 'G':
        return host_mmap(addr, len, UAPI_PROT_READ, UAPI_MAP_PRIVATE | fixed, &f, offset);
    case 'S':
        return host_mmap(addr, len, rw, UAPI_MAP_SHARED | fixed, &f, offset);
    default:
        fail_msg("no such letter: %c", what);
        return -1;
    }
}

void scene_make(struct scene *s, const char *picture)
{
    unsigned page = 0;
    for (const char *p = picture; *p;) {
        unsigned n = 1;
        if (*p == '|') {
            p++;
            continue;
        }
        while (p[n] == *p)
            n++;
        if (*p != '.')
            assert_int_equal(scene_map(s, *p, page, n), scene_addr(page));
        page += n;
        p += n;
    }
    assert_scene(s, picture);
}

static char letter_of(const struct scene *s, const struct vma *v)
{
    u64 access = v->flags & VM_ACCESS;
    if (v->mapping == &s->shared->mapping)
        return 'S';
    if (v->mapping)
        return v->pgoff == (vma_start(v) - SCENE_BASE) >> PAGE_SHIFT ? 'F' : 'G';
    if (v->flags & VM_LOCKED)
        return 'L';
    return access == (VM_READ | VM_WRITE) ? 'A' : access == VM_READ ? 'R' : access ? '?' : 'N';
}

const char *scene_text(struct scene *s)
{
    static char text[4 * SCENE_PAGES];
    char *p = text;
    u64 at = SCENE_BASE;
    for (struct vma *v = vma_find(s->mm, SCENE_BASE); v; v = vma_next(v)) {
        if (vma_start(v) >= scene_addr(SCENE_PAGES))
            break;
        if (v->node.start == at && at != SCENE_BASE)
            *p++ = '|';
        for (; at < vma_start(v); at += PAGE_SIZE)
            *p++ = '.';
        for (; at < vma_end(v); at += PAGE_SIZE)
            *p++ = letter_of(s, v);
    }
    *p = 0;
    return text;
}
