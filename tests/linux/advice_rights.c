/* SPDX-License-Identifier: MIT */
/* What rights have to say about advice: populating, dropping sealed memory, memory that may vanish. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE           4096UL
#define MAP_DROPPABLE_ 0x08
#define SYS_mseal_     462

#define SAY(call) printf("%s: %s\n", #call, (call) ? strerror(errno) : "ok")

static char *map(int pages, int prot, int type)
{
    return mmap(NULL, pages * PAGE, prot, type | MAP_ANONYMOUS, -1, 0);
}

static void populating(void)
{
    static const int prots[] = {PROT_NONE,
                                PROT_READ,
                                PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_EXEC,
                                PROT_READ | PROT_EXEC,
                                PROT_WRITE | PROT_EXEC};
    for (unsigned i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
        for (int type = MAP_SHARED; type <= MAP_PRIVATE; type++) {
            char *p = map(2, prots[i], type);
            printf("prot %d type %d\n", prots[i], type);
            SAY(madvise(p, PAGE, MADV_POPULATE_READ));
            SAY(madvise(p, PAGE, MADV_POPULATE_WRITE));
            munmap(p, 2 * PAGE);
        }
    }
}

static void sealed(void)
{
    int key = pkey_alloc(0, 0);

    printf("key: %s\n", key > 0 ? "yes" : "no");
    for (int write = 0; write < 2; write++) {
        char *p = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        *p = 1;
        SAY(pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, key));
        SAY(syscall(SYS_mseal_, p, PAGE, 0));
        pkey_set(key, write ? PKEY_DISABLE_WRITE : 0);
        SAY(madvise(p, PAGE, MADV_DONTNEED));
        SAY(madvise(p, PAGE, MADV_FREE));
        SAY(madvise(p, PAGE, MADV_DONTFORK));
        SAY(munmap(p, PAGE));
    }
}

static void may_vanish(void)
{
    char *p = map(16, PROT_READ | PROT_WRITE, MAP_DROPPABLE_);
    char *q = map(16, PROT_READ | PROT_WRITE, MAP_PRIVATE);

    memset(p, 'A', 16 * PAGE);
    memset(q, 'A', 16 * PAGE);
    for (int i = 0; i < 100 && memchr(p, 'A', 16 * PAGE); i++) {
        if (madvise(p, 16 * PAGE, MADV_PAGEOUT))
            perror("MADV_PAGEOUT");
        usleep(10000);
    }
    printf("droppable: %s\n", memchr(p, 'A', 16 * PAGE) ? "still there" : "gone");
    SAY(madvise(q, 16 * PAGE, MADV_PAGEOUT));
    printf("private: %s\n", memchr(q, 0, 16 * PAGE) ? "gone" : "still there");
    SAY(mlock(p, PAGE));
    SAY(madvise(p, PAGE, MADV_COLD));
    SAY(mlock(q, PAGE));
    SAY(madvise(q, PAGE, MADV_COLD));
}

/* A segment is a file to this advice, also where it is attached to be read only. */
static void segment(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
    char *p = shmat(id, NULL, SHM_RDONLY);
    SAY(madvise(p, PAGE, MADV_WIPEONFORK));
    SAY(madvise(p, PAGE, MADV_REMOVE));
    SAY(shmdt(p));
    SAY(shmctl(id, IPC_RMID, NULL));
}

int main(void)
{
    populating();
    sealed();
    segment();
    may_vanish();
    return 0;
}
