/* SPDX-License-Identifier: MIT */
/* The server's part of a game: files, the first actor, the last words, and what to do when an actor dies; guest.h. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILL_END 0x7ffff8000000ul
#define STUCK_MS 60000
#define PATH     "/dev/shm/mmfuzz.file"

struct ctl *ctl;

/* Room between the system's own areas above the anchor. */
static struct gap {
    unsigned long from, end;
} gaps[32];
static unsigned nr_gaps;

static void add_gap(unsigned long from, unsigned long end)
{
    if (from < end && nr_gaps < sizeof(gaps) / sizeof(gaps[0]))
        gaps[nr_gaps++] = (struct gap){from, end};
}

static void find_gaps(void)
{
    static char text[16384];
    size_t len = home_text(HOME_MAPS, text, sizeof(text) - 1);
    uint64_t at = FUZZ_ANCHOR;

    text[len] = '\0';
    for (char *line = text; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned long from, end;
        if (sscanf(line, "%lx-%lx", &from, &end) != 2 || end <= FUZZ_ANCHOR || from >= FILL_END)
            continue;
        add_gap(at, from);
        at = end;
    }
    add_gap(at, FILL_END);
}

/*
 * mmap without an address must not find room in the gaps, whose sizes differ. Shared, so that nothing merges; new for each game, as
 * one can get at them with a length too long.
 */
static void fill_gaps(void)
{
    for (unsigned i = 0; i < nr_gaps; i++)
        mmap((void *)gaps[i].from, gaps[i].end - gaps[i].from, PROT_NONE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void guest_init(void)
{
    void *p = mmap((void *)CTL_ADDR, sizeof(*ctl), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (p != (void *)CTL_ADDR) {
        perror("mmfuzz: shared page");
        exit(2);
    }
    ctl = p;
    fuzz_out = ctl->out;
    fuzz_out_len = &ctl->out_len;
    fuzz_out_room = OUT_ROOM;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    find_gaps();
}

static void fill_file(int fd, unsigned pages)
{
    static unsigned char page[FUZZ_PAGE];

    for (unsigned i = 0; i < pages; i++) {
        memset(page, (int)(i + 1), sizeof(page));
        if (pwrite(fd, page, sizeof(page), (off_t)(i * FUZZ_PAGE)) != sizeof(page))
            perror("mmfuzz: a file of the game");
    }
}

static void open_files(void)
{
    unlink(PATH);
    ctl->fd[FILE_RW] = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0666);
    fchmod(ctl->fd[FILE_RW], 0666);
    fill_file(ctl->fd[FILE_RW], 60);
    ctl->fd[FILE_RO] = open(PATH, O_RDONLY);
    ctl->fd[FILE_WO] = open(PATH, O_WRONLY);
    ctl->fd[FILE_APPEND] = open(PATH, O_RDWR | O_APPEND);
    ctl->fd[FILE_MEMFD] = memfd_create("plain", 0);
    ctl->fd[FILE_SEALABLE] = memfd_create("sealable", MFD_ALLOW_SEALING);
    ctl->fd[FILE_ZERO] = open("/dev/zero", O_RDWR);
    ctl->fd[FILE_NONE] = -1;
    fill_file(ctl->fd[FILE_MEMFD], 8);
    if (ftruncate(ctl->fd[FILE_MEMFD], 48 * FUZZ_PAGE) ||
        ftruncate(ctl->fd[FILE_SEALABLE], 32 * FUZZ_PAGE + 100))
        perror("mmfuzz: ftruncate");
}

static void close_files(void)
{
    for (unsigned i = 0; i < FUZZ_FILES; i++)
        if (ctl->fd[i] >= 0)
            close(ctl->fd[i]);
    unlink(PATH);
}

/* Odd seeds play as nobody in particular. */
static _Noreturn void first_actor(void)
{
    static struct fuzz f;
    const struct rlimit memlock = {64 << 10, 1 << 20};

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    fuzz_begin(&f, ctl->seed);
    f.privileged = !(ctl->seed & 1);
    f.verbose = ctl->verbose;
    if (!f.privileged && (setrlimit(RLIMIT_MEMLOCK, &memlock) || setgroups(0, NULL) ||
                          setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
        _exit(3);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    ctl->pid[0] = (int)syscall(SYS_getpid);
    guest_catch_signals();
    f.brk0 = (syscall(SYS_brk, 0) + FUZZ_PAGE - 1) & ~(FUZZ_PAGE - 1);
    syscall(SYS_brk, f.brk0);
    guest_act(&f);
}

static void reap(unsigned who)
{
    if (ctl->pid[who] < 0)
        return;
    kill(ctl->pid[who], SIGKILL);
    while (waitpid(ctl->pid[who], NULL, 0) < 0 && errno == EINTR)
        ;
    ctl->pid[who] = -1;
}

/* An actor that ended by itself ends the game. */
static bool someone_died(void)
{
    for (unsigned i = 0; i < FUZZ_ACTORS; i++) {
        int status;
        if (ctl->pid[i] >= 0 && waitpid(ctl->pid[i], &status, WNOHANG) == ctl->pid[i]) {
            ctl->pid[i] = -1;
            fuzz_say("\np%u died at step %u: status %x\n", i, ctl->next, status);
            return true;
        }
    }
    return false;
}

/* Until the turn comes back; false when it never will. */
static bool serve(void)
{
    unsigned waited = 0, last = 0;

    for (;;) {
        unsigned now = __atomic_load_n(&ctl->turn, __ATOMIC_ACQUIRE);
        if (now == SERVER && !ctl->request)
            return true;
        if (now == SERVER) {
            reap(ctl->request - 1);
            ctl->request = 0;
            guest_pass_turn(ctl->requester);
            continue;
        }
        guest_futex_wait(&ctl->turn, now, 200);
        if (__atomic_load_n(&ctl->turn, __ATOMIC_ACQUIRE) != now)
            continue;
        if (someone_died())
            return false;
        waited = ctl->next == last ? waited + 200 : 0;
        last = ctl->next;
        if (waited > STUCK_MS) {
            fuzz_say("\nstuck at step %u\n", last);
            return false;
        }
    }
}

static void remove_segments(void)
{
    struct shmid_ds ds;
    int last = shmctl(0, SHM_INFO, &ds);

    for (int i = 0; i <= last; i++) {
        int id = shmctl(i, SHM_STAT, &ds);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
    }
}

void guest_game(uint64_t seed)
{
    ctl->seed = seed;
    ctl->next = ctl->request = ctl->ready = 0;
    ctl->ending = false;
    ctl->out_len = 0;
    ctl->turn = 0;
    for (unsigned i = 0; i < FUZZ_ACTORS; i++)
        ctl->pid[i] = -1;
    fill_gaps();
    open_files();
    pid_t pid = fork();
    if (!pid)
        first_actor();
    ctl->pid[0] = pid;
    bool good = serve();
    ctl->ending = true;
    for (unsigned i = 0; i < FUZZ_ACTORS && good; i++) {
        if (ctl->pid[i] < 0)
            continue;
        guest_pass_turn(i);
        good = serve();
    }
    for (unsigned i = 0; i < FUZZ_ACTORS; i++)
        reap(i);
    close_files();
    remove_segments();
}
