/* SPDX-License-Identifier: MIT */
/* All validators, in the order of the ranks: what is built on top is looked at last. See mm/validate.h. */
#include <mm/lru.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/slab.h>
#include <mm/swap.h>
#include <mm/validate.h>
#include <mm/vma.h>

static const char *validate_spaces(void)
{
    const char *bad = NULL;
    struct mm *mm;
    list_for_each_entry (mm, &mm_list, list) {
        mmap_read_lock(mm);
        bad = vma_validate(mm);
        if (!bad)
            bad = pt_validate(mm);
        mmap_read_unlock(mm);
        if (bad)
            break;
    }
    return bad;
}

const char *mm_validate_all(void)
{
    const char *(*const all[])(void) = {phys_validate, slab_validate, lru_validate, validate_spaces,
                                        pt_validate_sharing, rmap_validate_all, swap_validate};
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        const char *bad = all[i]();
        if (bad)
            return bad;
    }
    return NULL;
}
