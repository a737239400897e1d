/* SPDX-License-Identifier: MIT */
#include "guesttest.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "mkinitramfs.h"
#include "mmfuzz.h"
#include "paths.h"
#include "refkernel.h"
#include "vm.h"

struct result {
    char *out, *err;
    int status;
};

static char *slurp_fd(int fd)
{
    char *path = xasprintf("/proc/self/fd/%d", fd), *text = file_read(path, NULL);

    free(path);
    close(fd);
    return text ? text : xstrdup("");
}

/* Runs argv with `input` (NULL: empty) and keeps both outputs apart. */
static struct result run_apart(char *const argv[], const char *input)
{
    int in = memfd_create("in", 0), out = memfd_create("out", 0), err = memfd_create("err", 0),
        status;
    struct result r;

    if (in < 0 || out < 0 || err < 0 || (input && write(in, input, strlen(input)) < 0))
        die(EXIT_FAILED, "memfd: %s", strerror(errno));
    lseek(in, 0, SEEK_SET);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        close(in);
        close(out);
        close(err);
        execvp(argv[0], argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(in);
    r.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    r.out = slurp_fd(out);
    r.err = slurp_fd(err);
    return r;
}

/* An empty file of the given MiB for each disk of the case; their options go to w, their names to files. */
static void make_disks(const struct guest_case *c, struct words *w, struct words *files)
{
    for (size_t i = 0; i < c->disks.n; i++) {
        char *end, *path = path_build("tests/disk-XXXXXX");
        unsigned long mib = strtoul(c->disks.v[i], &end, 10);
        int fd = mkstemp(path);

        if (fd < 0 || ftruncate(fd, (off_t)mib << 20) < 0)
            die(EXIT_FAILED, "%s: %s", path, strerror(errno));
        close(fd);
        words_addf(w, "--disk=%s%s", path, end);
        words_add(files, path);
        free(path);
    }
}

static struct result run_guest(const struct guest_case *c, const char *kernel)
{
    struct words w = {0}, files = {0};
    char *self = path_self(), *programs = path_build("tests");
    struct result result;

    words_add(&w, self);
    words_add(&w, "run");
    words_addf(&w, "--kernel=%s", kernel);
    words_addf(&w, "--timeout=%d", c->timeout);
    words_addf(&w, "--env=PAGODA_TESTS=%s", programs);
    for (size_t i = 0; i < c->opts.n; i++)
        words_add(&w, c->opts.v[i]);
    make_disks(c, &w, &files);
    words_add(&w, "--");
    if (c->kind == CASE_RUN) {
        words_add(&w, "sh");
        words_add(&w, "-c");
    }
    words_add(&w, c->script);
    free(self);
    free(programs);
    result = run_apart(w.v, c->input);
    for (size_t i = 0; i < files.n; i++)
        unlink(files.v[i]);
    return result;
}

static int memory_file(const char *text)
{
    int fd = memfd_create("text", 0);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die(EXIT_FAILED, "memfd: %s", strerror(errno));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* As diff(1) shows it, the beginning only. */
static void show_difference(int log, const char *want, const char *got)
{
    int want_fd = memory_file(want), got_fd = memory_file(got);
    char *out = NULL;
    struct words w = {0};

    words_add(&w, "diff");
    words_add(&w, "-U1");
    words_add(&w, "--label=expected");
    words_add(&w, "--label=was");
    words_addf(&w, "/dev/fd/%d", want_fd);
    words_addf(&w, "/dev/fd/%d", got_fd);
    run_command(w.v, &out);
    dprintf(log, "  the output differs:\n%.3000s", out ? out : "");
    close(want_fd);
    close(got_fd);
    free(out);
}

static void show_errors(int log, const struct result *r)
{
    size_t err = strlen(r->err);

    if (err)
        dprintf(log, "  standard error:\n%s\n", err > 4000 ? r->err + err - 4000 : r->err);
}

static void show_result(int log, const struct result *r)
{
    size_t out = strlen(r->out);

    if (out)
        dprintf(log, "  output:\n%s\n", out > 3000 ? r->out + out - 3000 : r->out);
    show_errors(log, r);
}

/* Each expression must be found; lines count as lines for ^ and $. */
static bool matches(const struct guest_case *c, const char *text, int log)
{
    bool all = true;

    for (size_t i = 0; i < c->match.n; i++) {
        regex_t re;
        if (regcomp(&re, c->match.v[i], REG_EXTENDED | REG_NOSUB | REG_NEWLINE)) {
            dprintf(log, "  bad expression: %s\n", c->match.v[i]);
            return false;
        }
        if (regexec(&re, text, 0, NULL, 0)) {
            dprintf(log, "  not found: %s\n", c->match.v[i]);
            all = false;
        }
        regfree(&re);
    }
    return all;
}

static int judge(const struct guest_case *c, const struct result *r, const char *want,
                 int want_status, int log)
{
    bool good = true;

    if (want_status == STATUS_LIVES) {
        good = r->status != EXIT_TIMEOUT && r->status != EXIT_PAGODA;
        if (!good)
            dprintf(log, "  status %d: the guest did not live on\n", r->status);
    } else if (r->status != want_status) {
        dprintf(log, "  status %d, expected %d\n", r->status, want_status);
        good = false;
    }
    if (want && strcmp(want, r->out)) {
        show_difference(log, want, r->out);
        good = false;
    }
    good &= matches(c, r->out, log);
    if (!good && !want)
        show_result(log, r);
    else if (!good)
        show_errors(log, r);
    return good ? TEST_PASSED : TEST_FAILED;
}

/* The script finds this program in $PAGODA and the kernel to test in $PAGODA_KERNEL. */
static int test_host(const struct guest_case *c, const char *kernel, int log)
{
    char *const argv[] = {"timeout", xasprintf("%d", c->timeout), "sh", "-c", c->script, NULL};
    char *programs = path_build("tests"), *self = path_self();

    setenv("PAGODA", self, 1);
    setenv("PAGODA_TESTS", programs, 1);
    setenv("PAGODA_KERNEL", kernel, 1);
    free(programs);
    free(self);
    struct result r = run_apart(argv, c->input);
    return judge(c, &r, c->expect, c->status, log);
}

static int test_same(const struct guest_case *c, const char *kernel, int log)
{
    struct result linux_says = run_guest(c, "linux"), says = run_guest(c, kernel);

    if (linux_says.status >= EXIT_TIMEOUT) {
        dprintf(log, "  Linux itself did not run it: status %d\n", linux_says.status);
        show_result(log, &linux_says);
        return TEST_FAILED;
    }
    return judge(c, &says, linux_says.out, linux_says.status, log);
}

static int test_run(const struct guest_case *c, const char *kernel, int log)
{
    if (c->as_linux)
        return test_same(c, kernel, log);
    struct result guest = run_guest(c, kernel);
    char *const host_argv[] = {"sh", "-c", c->script, NULL};

    if (!c->as_host)
        return judge(c, &guest, c->expect, c->status, log);
    struct result host = run_apart(host_argv, c->input);
    return judge(c, &guest, host.out, host.status, log);
}

/* The archive at `path` as the case wants it: spoilt. */
static int spoil_initramfs(const char *path, const char *command)
{
    char *line = xasprintf("mv %s %s.good && (%s) <%s.good >%s", path, path, command, path, path);
    char *good = xasprintf("%s.good", path), *const argv[] = {"sh", "-c", line, NULL};
    int status = run_command(argv, NULL);

    unlink(good);
    free(good);
    free(line);
    return status;
}

/* The guest powers off by itself, QEMU ends with 0, and the console holds what is wanted. */
static int test_boot(const struct guest_case *c, const char *kernel, int log)
{
    struct kernel_image image;
    struct words w = {0};
    struct result r = {.err = xstrdup("")};
    char *initrd = xasprintf("/tmp/pagoda.boot.%d.cpio", (int)getpid());
    char *append = xasprintf("console=ttyS0 quiet panic=-1%s%s", c->append ? " " : "",
                             c->append ? c->append : "");
    int err = busybox_initramfs(initrd, c->script);

    if (err) {
        dprintf(log, "  busybox-static is not installed\n");
        return TEST_SKIPPED;
    }
    bool none = c->initrd && !strcmp(c->initrd, "none");
    if (c->initrd && !none && spoil_initramfs(initrd, c->initrd)) {
        dprintf(log, "  failed: %s\n", c->initrd);
        unlink(initrd);
        return TEST_FAILED;
    }
    kernel_find(kernel, USE_BENCH, &image);
    words_add(&w, vm_qemu());
    static const char *const fixed[] = {"-accel", "tcg", "-nographic", "-no-reboot"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        words_add(&w, fixed[i]);
    for (size_t i = 0; i < c->opts.n; i++)
        words_add(&w, c->opts.v[i]);
    words_add(&w, "-kernel");
    words_add(&w, image.path);
    if (!none) {
        words_add(&w, "-initrd");
        words_add(&w, initrd);
    }
    words_add(&w, "-append");
    words_add(&w, append);
    struct console_run run = {.command = &w, .timeout_ms = c->timeout * 1000};
    r.status = console_run(&run, &r.out);
    unlink(initrd);
    return judge(c, &r, NULL, c->status, log);
}

static int test_fuzz(const struct guest_case *c, const char *kernel, int log)
{
    struct mmfuzz_opts o = {.steps = 80, .kernel = kernel, .shrink = 1, .log = log};

    bool good = mmfuzz_seeds(c->script, &o) && !mmfuzz_run(&o);
    free(o.seeds);
    return good ? TEST_PASSED : TEST_FAILED;
}

int guest_test(const struct guest_case *c, const char *kernel, int log)
{
    for (size_t i = 0; i < c->needs.n; i++) {
        char *path = find_program(c->needs.v[i]);
        if (!path) {
            dprintf(log, "  %s is not installed\n", c->needs.v[i]);
            return TEST_SKIPPED;
        }
        free(path);
    }
    switch (c->kind) {
    case CASE_HOST:
        return test_host(c, kernel, log);
    case CASE_BOOT:
        return test_boot(c, kernel, log);
    case CASE_SAME:
        return test_same(c, kernel, log);
    case CASE_FUZZ:
        return test_fuzz(c, kernel, log);
    default:
        return test_run(c, kernel, log);
    }
}
