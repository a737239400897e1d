/* SPDX-License-Identifier: MIT */
/*
 * ptrace: events of fork, exec and exit; tracers that end; who may look into whom; kcmp and pidfd_getfd. The outputs under two
 * kernels must be the same.
 */
#include "trace.h"

static unsigned long variable = 77;

/* ---- events ---- */

static int thread_fn(void *arg)
{
    (void)arg;
    return 4;
}

static void forker(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    pid_t pid = fork();
    if (!pid)
        _exit(1);
    waitpid(pid, NULL, 0);
    pid = vfork();
    if (!pid)
        _exit(2);
    waitpid(pid, NULL, 0);
    pid = clone(thread_fn, stack + sizeof(stack), CLONE_VM | SIGUSR2, NULL);
    waitpid(pid, NULL, __WALL);
    execl("/proc/self/exe", "ptrace_calls", "exit", (char *)NULL);
    _exit(9);
}

static int signal_of(int status)
{
    int sig = WSTOPSIG(status);
    return status >> 16 || sig == SIGTRAP || sig == SIGSTOP ? 0 : sig;
}

/* Lets a child go on to its end. */
static void see_off(pid_t child, long how)
{
    for (;;) {
        int status = await(child, "child");
        if (!WIFSTOPPED(status))
            return;
        pt(how, child, 0, (unsigned long)signal_of(status));
    }
}

/* Lets pid go on until it ends; its children run while it stands in the event that tells of them. */
static void follow(pid_t pid, long how)
{
    pid_t child = 0;
    for (;;) {
        int status = await(pid, "parent"), event = status >> 16;
        unsigned long msg = 0;
        if (!WIFSTOPPED(status))
            return;
        if (event)
            pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg);
        if (event >= PTRACE_EVENT_FORK && event <= PTRACE_EVENT_CLONE)
            see_off(child = (pid_t)msg, how);
        else if (event == PTRACE_EVENT_EXIT)
            printf("message: status %lx\n", msg);
        else if (event)
            printf("message: parent %d child %d\n", msg == (unsigned long)pid, msg == (unsigned long)child);
        pt(how, pid, 0, (unsigned long)signal_of(status));
    }
}

static void try_events(void)
{
    printf("-- all events\n");
    pid_t pid = spawn(forker);
    await(pid, "forker");
    SAY(pt(PTRACE_SETOPTIONS, pid, 0,
           PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE |
               PTRACE_O_TRACEEXIT));
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    follow(pid, PTRACE_CONT);
    printf("-- no events\n");
    pid = spawn(forker);
    await(pid, "forker");
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    follow(pid, PTRACE_CONT);
    printf("-- seized, all events\n");
    pid = spawn(forker);
    await(pid, "forker");
    SAY(pt(PTRACE_DETACH, pid, 0, SIGSTOP));
    waitpid(pid, NULL, WUNTRACED);
    SAY(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT));
    await(pid, "stopped before");
    kill(pid, SIGCONT);
    SAY(pt(PTRACE_CONT, pid, 0, 0));
    follow(pid, PTRACE_CONT);
}

/* ---- the end of tracers and tracees ---- */

static int shared_pipe[2];
static pid_t victim;

static void tracer_dies(void)
{
    pt(PTRACE_SEIZE, victim, 0, PTRACE_O_EXITKILL);
    _exit(0);
}
static void tracer_leaves(void)
{
    pt(PTRACE_ATTACH, victim, 0, 0);
    waitpid(victim, NULL, __WALL);
    _exit(0);
}
static void tracer_reaps(void)
{
    int status;
    pt(PTRACE_SEIZE, victim, 0, 0);
    kill(victim, SIGTERM);
    waitpid(victim, &status, __WALL);
    show("tracer sees", status);
    pt(PTRACE_CONT, victim, 0, SIGTERM);
    if (write(shared_pipe[1], "x", 1) != 1)
        _exit(1);
    usleep(200000);
    waitpid(victim, &status, __WALL);
    show("tracer sees", status);
    fflush(stdout);
    _exit(0);
}

static void try_ends(void)
{
    int status;
    char c;
    victim = spawn(sleeper);
    pid_t tracer = spawn(tracer_dies);
    waitpid(tracer, NULL, 0);
    waitpid(victim, &status, 0);
    show("exitkill", status);
    victim = spawn(sleeper);
    tracer = spawn(tracer_leaves);
    waitpid(tracer, NULL, 0);
    usleep(50000);
    SAY(waitpid(victim, &status, WNOHANG));
    kill(victim, SIGTERM);
    waitpid(victim, &status, 0);
    show("left alone", status);
    if (pipe(shared_pipe))
        _exit(1);
    victim = spawn(sleeper);
    tracer = spawn(tracer_reaps);
    if (read(shared_pipe[0], &c, 1) != 1)
        _exit(1);
    SAY(waitpid(victim, &status, WNOHANG)); /* the tracer first */
    waitpid(tracer, NULL, 0);
    waitpid(victim, &status, 0);
    show("parent sees", status);
}

static void proc_line(pid_t pid, const char *key)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, key, strlen(key))) {
            if (!strcmp(key, "TracerPid"))
                printf("TracerPid is ours: %d\n", atoi(line + 10) == getpid());
            else
                printf("%s", line);
        }
    if (f)
        fclose(f);
}

static void try_proc(void)
{
    pid_t pid = spawn(sleeper);
    proc_line(pid, "TracerPid");
    pt(PTRACE_ATTACH, pid, 0, 0);
    await(pid, "attached");
    proc_line(pid, "TracerPid");
    proc_line(pid, "State");
    finish(pid);
}

/* ---- rights ---- */

static void as_nobody(void)
{
    char path[64];
    if (setgid(65534) || setuid(65534))
        _exit(1);
    struct iovec v = {&variable, 8};
    SAY(pt(PTRACE_ATTACH, victim, 0, 0));
    SAY(pt(PTRACE_SEIZE, victim, 0, 0));
    SAY(process_vm_readv(victim, &v, 1, &v, 1, 0));
    snprintf(path, sizeof(path), "/proc/%d/mem", victim);
    SAY(open(path, O_RDONLY));
    snprintf(path, sizeof(path), "/proc/%d/maps", victim);
    SAY(open(path, O_RDONLY));
    snprintf(path, sizeof(path), "/proc/%d/environ", victim);
    SAY(open(path, O_RDONLY));
    SAY(syscall(SYS_kcmp, victim, victim, 1, 0, 0));
    int fd = (int)syscall(SYS_pidfd_open, victim, 0);
    SAY(syscall(SYS_pidfd_getfd, fd, 1, 0));
    fflush(stdout);
    _exit(0);
}
static void nobody_sleeps(void)
{
    if (setgid(65534) || setuid(65534))
        _exit(1);
    sleeper();
}
static void nobody_dumpable(void)
{
    if (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
        _exit(1);
    sleeper();
}

static void try_rights(void)
{
    printf("-- root's process\n");
    victim = spawn(sleeper);
    waitpid(spawn(as_nobody), NULL, 0);
    finish(victim);
    printf("-- nobody's, not dumpable\n");
    victim = spawn(nobody_sleeps);
    usleep(50000);
    waitpid(spawn(as_nobody), NULL, 0);
    finish(victim);
    printf("-- nobody's, dumpable\n");
    victim = spawn(nobody_dumpable);
    usleep(50000);
    waitpid(spawn(as_nobody), NULL, 0);
    finish(victim);
    SAY(prctl(PR_GET_DUMPABLE));
    SAY(prctl(PR_SET_DUMPABLE, 2));
    SAY(prctl(PR_SET_DUMPABLE, 3));
    SAY(prctl(PR_SET_DUMPABLE, 0));
    SAY(prctl(PR_GET_DUMPABLE));
    SAY(prctl(PR_SET_DUMPABLE, 1));
    SAY(prctl(PR_SET_PTRACER, 0));
    SAY(prctl(PR_SET_PTRACER, -1));
    SAY(prctl(PR_SET_PTRACER, getpid()));
    SAY(prctl(PR_SET_PTRACER, 4000000));
}

static void try_kcmp(void)
{
    pid_t me = getpid(), pid = spawn(sleeper);
    SAY(syscall(SYS_kcmp, me, me, 0, 0, 0));
    SAY(syscall(SYS_kcmp, me, pid, 0, 1, 1));
    SAY(syscall(SYS_kcmp, me, me, 0, 1, 99));
    for (int kind = 1; kind < 7; kind++)
        printf("kind %d: the same %d, a child's %d\n", kind, syscall(SYS_kcmp, me, me, kind, 0, 0) == 0,
               syscall(SYS_kcmp, me, pid, kind, 0, 0) == 0);
    SAY(syscall(SYS_kcmp, me, me, 8, 0, 0));
    SAY(syscall(SYS_kcmp, me, 4000000, 1, 0, 0));
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    SAY(syscall(SYS_pidfd_getfd, fd, 99, 0));
    SAY(syscall(SYS_pidfd_getfd, fd, 1, 1));
    SAY(syscall(SYS_pidfd_getfd, 1, 1, 0));
    int copy = (int)syscall(SYS_pidfd_getfd, fd, 1, 0);
    SAY(syscall(SYS_kcmp, me, pid, 0, copy, 1));
    SAY(fcntl(copy, F_GETFD));
    close(copy);
    close(fd);
    finish(pid);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return 6; /* what the tracee of try_events() becomes */
    setvbuf(stdout, NULL, _IOLBF, 4096);
    try_events();
    try_ends();
    try_proc();
    try_rights();
    try_kcmp();
    return 0;
}
