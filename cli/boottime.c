/* SPDX-License-Identifier: MIT */
/*
 * Wall-clock time, TCG, the lowest of ROUNDS runs; the kernels take turns, so that a busy moment of the machine does not fall on
 * one of them alone.
 */
#include "boottime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "console.h"
#include "initramfs.h"
#include "paths.h"
#include "refkernel.h"
#include "util.h"
#include "vm.h"

#define ROUNDS      5
#define MAX_KERNELS 4

static const char *const sizes[] = {"512M", "16G"};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static char *write_initramfs(void)
{
    struct initramfs a;
    char *program = path_build("user/up"), *path = path_cache("boot.cpio");
    int err;

    initramfs_begin(&a);
    initramfs_dir(&a, "dev", 0755);
    initramfs_node(&a, "dev/console", S_IFCHR | 0600, 5, 1);
    err = initramfs_file(&a, "init", 0755, program);
    if (!err)
        err = initramfs_finish(&a, path);
    if (err)
        die(EXIT_PAGODA, "%s: %s; `pagoda build` makes it", program, strerror(-err));
    free(program);
    return path;
}

/* Milliseconds, or -1. */
static int64_t boot_once(const struct kernel_image *k, const char *initrd, const char *memory,
                         bool verbose)
{
    struct words command = {0};
    char *out;
    int64_t start = now_ms();
    struct vm vm = {.memory = memory,
                    .cpus = 1,
                    .machine = "q35",
                    .kernel = k->path,
                    .initrd = initrd,
                    .append = "console=ttyS0 quiet panic=-1",
                    .port_fd = -1};

    vm_command(&vm, &command);
    struct console_run run = {
        .command = &command, .timeout_ms = 60000, .until = "@up", .echo = verbose};
    int status = console_run(&run, &out);
    if (status)
        warn("%s with %s did not come up; its console ended with:\n%s", k->label, memory,
             strlen(out) > 1000 ? out + strlen(out) - 1000 : out);
    free(out);
    return status ? -1 : run.found_ms - start;
}

static void print_json(const struct kernel_image *kernels, int count, int64_t best[][SIZES])
{
    printf("{\"unit\": \"ms\", \"rows\": [");
    for (int k = 0; k < count; k++) {
        for (size_t s = 0; s < SIZES; s++)
            printf("%s\n  {\"kernel\": \"%s\", \"memory\": \"%s\", \"ms\": %lld}",
                   k || s ? "," : "", kernels[k].label, sizes[s], (long long)best[k][s]);
    }
    printf("\n]}\n");
}

static void print_text(const struct kernel_image *kernels, int count, int64_t best[][SIZES])
{
    printf("%-28s", "ms from QEMU to /init");
    for (int k = 0; k < count; k++)
        printf(" %16s", kernels[k].label);
    printf("   ratio\n");
    for (size_t s = 0; s < SIZES; s++) {
        printf("%-28s", sizes[s]);
        for (int k = 0; k < count; k++)
            printf(" %16lld", (long long)best[k][s]);
        if (count > 1 && best[0][s] > 0 && best[count - 1][s] > 0)
            printf(" %7.2f", (double)best[0][s] / (double)best[count - 1][s]);
        putchar('\n');
    }
}

int boot_times(const char *names, bool json, bool verbose)
{
    struct kernel_image kernels[MAX_KERNELS];
    int64_t best[MAX_KERNELS][SIZES];
    char *list = xstrdup(names), *save = NULL, *initrd = write_initramfs();
    int count = 0, result = 0;

    memset(best, -1, sizeof(best));
    for (char *spec = strtok_r(list, ",", &save); spec && count < MAX_KERNELS;
         spec = strtok_r(NULL, ",", &save))
        kernel_find(spec, USE_BENCH, &kernels[count++]);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t s = 0; s < SIZES; s++) {
            for (int k = 0; k < count; k++) {
                if (round && best[k][s] < 0)
                    continue; /* it did not come up the first time either */
                int64_t ms = boot_once(&kernels[k], initrd, sizes[s], verbose);
                if (ms < 0)
                    result = EXIT_FAILED;
                if (ms >= 0 && (best[k][s] < 0 || ms < best[k][s]))
                    best[k][s] = ms;
            }
        }
    }
    if (json)
        print_json(kernels, count, best);
    else
        print_text(kernels, count, best);
    free(list);
    free(initrd);
    return result;
}
