/* SPDX-License-Identifier: MIT */
/* The pages of the vDSO, and its data: constants of the clock, and the one word that changes, so
 * no lock is needed. */
#include <arch/setup.h>
#include <arch/timer.h>
#include <arch/vdso.h>
#include <lib/errno.h>
#include <mm/phys.h>

#define VDSO_TSC 1u
#define VDSO_CPU 2u

/* Offsets as in image.S. */
struct vdso_data {
    u64 base, mult;
    s64 wall;
    u32 flags;
};
BUILD_ASSERT(offsetof(struct vdso_data, mult) == 8);
BUILD_ASSERT(offsetof(struct vdso_data, wall) == 16);
BUILD_ASSERT(offsetof(struct vdso_data, flags) == 24);

extern const char vdso_image[], vdso_image_end[];
static struct page *pages[1 + VDSO_PAGES]; /* the data, and the code */
static s64 wall;

static struct vdso_data *data(void)
{
    return page_to_virt(pages[0]);
}

int vdso_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        pages[i] = alloc_page(GFP_KERNEL | GFP_ZERO);
        if (!pages[i])
            return -ENOMEM;
    }
    memcpy(page_to_virt(pages[1]), vdso_image, (size_t)(vdso_image_end - vdso_image));
    *data() = (struct vdso_data){
        .base = tsc_scale.base,
        .mult = tsc_scale.mult,
        .wall = wall,
        .flags = (clock_is_synchronised() ? VDSO_TSC : 0) | (cpu_feat.rdtscp ? VDSO_CPU : 0),
    };
    return 0;
}

struct page *vdso_page(u64 index)
{
    if (index >= VVAR_PAGES + VDSO_PAGES)
        return NULL;
    return index < VVAR_PAGES ? index ? NULL : pages[0] : pages[1 + index - VVAR_PAGES];
}

void vdso_set_wall(s64 offset_ns)
{
    wall = offset_ns;
    if (pages[0])
        WRITE_ONCE(data()->wall, offset_ns);
}

/* A CPU was found whose TSC lags: from now on programs ask the kernel. */
void vdso_stop_tsc(void)
{
    if (pages[0])
        __atomic_fetch_and(&data()->flags, ~VDSO_TSC, __ATOMIC_RELAXED);
}
