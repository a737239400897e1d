/* SPDX-License-Identifier: MIT */
/* What is needed and what is there: one line per finding, worst first in colour, or all of it as
 * JSON. */
#include "doctor.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "accel.h"
#include "help.h"
#include "paths.h"
#include "refkernel.h"
#include "util.h"

enum verdict { GOOD, OPTIONAL_MISSING, NEEDED_MISSING };

struct finding {
    const char *name;
    enum verdict verdict;
    char *text;
};

static struct finding findings[32];
static size_t finding_count;

static void add(const char *name, enum verdict verdict, char *text)
{
    findings[finding_count++] = (struct finding){name, verdict, text};
}

static const struct tool {
    const char *name, *package, *use;
    bool needed;
} tools[] = {
    {"gcc", "gcc", "to build", true},
    {"make", "make", "to build", true},
    {"qemu-system-x86_64", "qemu-system-x86", "to boot guests", true},
    {"apt-get", "apt", "to fetch reference kernels", false},
    {"dpkg-deb", "dpkg", "to unpack reference kernels", false},
    {"xz", "xz-utils", "to unpack reference kernels", false},
    {"/bin/busybox", "busybox-static", "for boot tests", false},
    {"clang", "clang", "for the second compiler's build", false},
};

/* First line of PROGRAM --version. */
static char *version_of(const char *path)
{
    char *const argv[] = {(char *)path, "--version", NULL};
    char *out = NULL;

    if (run_command(argv, &out) || !out)
        return xstrdup(path);
    out[strcspn(out, "\n")] = '\0';
    return out;
}

static void check_tools(void)
{
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        const struct tool *t = &tools[i];
        char *path = find_program(t->name);
        if (path)
            add(t->name, GOOD, *t->name == '/' ? xstrdup(path) : version_of(path));
        else
            add(t->name, t->needed ? NEEDED_MISSING : OPTIONAL_MISSING,
                xasprintf("missing, %s: Debian package %s", t->use, t->package));
        free(path);
    }
    if (file_exists("/usr/include/cmocka.h"))
        add("cmocka", GOOD, xstrdup("/usr/include/cmocka.h"));
    else
        add("cmocka", OPTIONAL_MISSING,
            xstrdup("missing, for hosted tests: Debian package libcmocka-dev"));
}

static void check_kvm(bool probe)
{
    const char *why;
    char *qemu = find_program("qemu-system-x86_64");
    enum kvm_state state = qemu || !probe ? accel_kvm_state(probe && qemu, &why) : KVM_UNTRIED;

    if (!qemu)
        why = "no QEMU to try it with";
    add("kvm", state == KVM_WORKS ? GOOD : OPTIONAL_MISSING,
        xasprintf("%s; --accel auto uses %s", why,
                  state == KVM_WORKS     ? "it"
                  : state == KVM_UNTRIED ? "it if a probe guest runs"
                                         : "tcg"));
    free(qemu);
}

static void check_build(void)
{
    static const char *const parts[] = {"pagoda.elf", "user/init", "user/bench", "user/tour"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char *path = path_build(parts[i]);
        bool there = file_exists(path);
        add(parts[i], there ? GOOD : NEEDED_MISSING,
            there ? xstrdup(path) : xasprintf("not built: `pagoda build`"));
        free(path);
    }
}

static void check_cache(void)
{
    static const struct {
        const char *name, *series;
        enum kernel_use use;
    } kernels[] = {{"linux 6.12, run", "6.12", USE_RUN},
                   {"linux 6.12, bench", "6.12", USE_BENCH},
                   {"linux 6.1, bench", "6.1", USE_BENCH}};
    char *dir = path_cache("");
    struct statvfs fs;

    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        bool there = refkernel_cached(kernels[i].series, kernels[i].use);
        add(kernels[i].name, there ? GOOD : OPTIONAL_MISSING,
            xstrdup(there ? "in the cache" : "not fetched yet; fetched on first use"));
    }
    if (statvfs(dir, &fs) == 0)
        add("cache", GOOD,
            xasprintf("%s (%llu MiB free)", dir,
                      (unsigned long long)fs.f_bavail * fs.f_frsize >> 20));
    free(dir);
}

static void print_json(bool ok)
{
    static const char *const words[] = {"ok", "optional", "missing"};

    printf("{\"ok\": %s, \"findings\": [", ok ? "true" : "false");
    for (size_t i = 0; i < finding_count; i++) {
        printf("%s\n  {\"name\": \"%s\", \"state\": \"%s\", \"text\": \"", i ? "," : "",
               findings[i].name, words[findings[i].verdict]);
        for (const char *s = findings[i].text; *s; s++)
            printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
        printf("\"}");
    }
    printf("\n]}\n");
}

static void print_text(bool ok)
{
    static const char *const marks[] = {"ok", "--", "!!"};
    static const char *const colours[] = {C_GREEN, C_DIM, C_RED};

    for (size_t i = 0; i < finding_count; i++)
        printf("%s%s%s  %-20s %s\n", colour(1, colours[findings[i].verdict]),
               marks[findings[i].verdict], colour(1, C_OFF), findings[i].name, findings[i].text);
    puts(ok ? "Everything needed is here." : "Something needed is missing (!!).");
}

int cmd_doctor(int argc, char **argv)
{
    enum { OPT_JSON = 256, OPT_PROBE };
    static const struct option options[] = {{"json", no_argument, NULL, OPT_JSON},
                                            {"probe", no_argument, NULL, OPT_PROBE},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    bool json = false, probe = false, ok = true;
    int c;

    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case OPT_JSON:
            json = true;
            break;
        case OPT_PROBE:
            probe = true;
            break;
        case 'h':
            fputs(help_doctor, stdout);
            return EXIT_OK;
        default:
            return EXIT_USAGE;
        }
    }
    check_tools();
    check_kvm(probe);
    check_build();
    check_cache();
    for (size_t i = 0; i < finding_count; i++)
        ok &= findings[i].verdict != NEEDED_MISSING;
    if (json)
        print_json(ok);
    else
        print_text(ok);
    return ok ? EXIT_OK : EXIT_FAILED;
}
