/* SPDX-License-Identifier: MIT */
/* One step of a game: who, what, and its line; fuzz.h. */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/syscall.h>

static const struct fuzz_op *const tables[] = {fuzz_map_ops, fuzz_advice_ops, fuzz_file_ops,
                                               fuzz_process_ops, fuzz_touch_ops};

static struct fuzz_rng rng_of(uint64_t seed, unsigned index)
{
    return (struct fuzz_rng){seed * 0xd1342543de82ef95ul + (index + 1ul) * 0xaf251af3b0f025b5ul};
}

unsigned fuzz_actor_of(uint64_t seed, unsigned index)
{
    struct fuzz f = {.rng = rng_of(seed, index)};
    uint64_t n = fuzz_pick(&f, 10);

    return n < FUZZ_ACTORS ? (unsigned)n : 0;
}

static const struct fuzz_op *pick_op(struct fuzz *f)
{
    uint64_t sum = 0, n;

    for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
        for (const struct fuzz_op *op = tables[t]; op->name; op++)
            sum += op->weight;
    n = fuzz_pick(f, sum);
    for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
        for (const struct fuzz_op *op = tables[t]; op->name; op++) {
            if (n < op->weight)
                return op;
            n -= op->weight;
        }
    return fuzz_map_ops;
}

void fuzz_begin(struct fuzz *f, uint64_t seed)
{
    f->seed = seed;
    for (unsigned i = 0; i < 4; i++)
        f->shm[i] = -1;
    /* A game begins with a window that is mostly mapped. */
    f->rng = rng_of(seed, ~0u - 1);
    for (uint64_t page = 0, n; page < FUZZ_PAGES; page += n) {
        uint64_t file = fuzz_pick(f, 10), at = FUZZ_BASE + page * FUZZ_PAGE;
        uint64_t flags = fuzz_chance(f, 70) ? MAP_PRIVATE | MAP_FIXED : MAP_SHARED | MAP_FIXED;
        n = 4 + fuzz_pick(f, 16);
        n = page + n > FUZZ_PAGES ? FUZZ_PAGES - page : n;
        if (file < 2 || file > 5)
            home_call(SYS_mmap, at, n * FUZZ_PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS,
                      ~0ul, 0);
        else if (file < 5)
            home_call(SYS_mmap, at, n * FUZZ_PAGE, PROT_READ | PROT_WRITE, flags,
                      (uint64_t)home_fd(file == 2 ? FILE_RW : FILE_MEMFD + (unsigned)file - 3),
                      page * FUZZ_PAGE);
    }
}

void fuzz_play(struct fuzz *f, unsigned index)
{
    f->index = index;
    f->rng = rng_of(f->seed, index);
    (void)fuzz_pick(f, 10);
    const struct fuzz_op *op = pick_op(f);

    fuzz_say("%u p%u %s", index, f->actor, op->name);
    if (fuzz_avoided(op->name))
        fuzz_say(" left out");
    else
        op->play(f);
    fuzz_maps(f, f->verbose || index % FUZZ_FULL == FUZZ_FULL - 1);
}

void fuzz_end(struct fuzz *f)
{
    fuzz_say("end p%u", f->actor);
    fuzz_maps(f, true);
    fuzz_smaps(f);
}

int64_t fuzz_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g)
{
    int64_t r = home_call(nr, a, b, c, d, e, g);

    fuzz_say_result(r);
    return r;
}

uint64_t fuzz_sum(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t sum = 0xcbf29ce484222325ul, word;

    for (; n >= 8; n -= 8, p += 8) {
        __builtin_memcpy(&word, p, 8);
        sum = (sum ^ word) * 0x100000001b3ul;
    }
    for (; n; n--)
        sum = (sum ^ *p++) * 0x100000001b3ul;
    return (sum ^ sum >> 32) & 0xffffffff;
}
