/* SPDX-License-Identifier: MIT */
/*
 * The cache holds, per series and flavour:  linux-6.12-generic/{vmlinuz,release,asked,*.ko}
 * linux-6.12-cloud/{vmlinuz,release}
 *
 * Fetching uses apt with a source list, lists and cache of its own inside the cache directory, so
 * that neither the system's package lists nor its installed packages change, and no privilege is
 * needed. Signatures are checked with Debian's archive key ring.
 */
#include "refkernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

#define KEY_RING "/usr/share/keyrings/debian-archive-keyring.gpg"
#define MIRROR   "http://deb.debian.org/debian-security bookworm-security main"

/* In the order they must be loaded; a series that lacks one, or has it built in, skips it. */
static const char *const modules[] = {
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_mmio",
    "netfs",
    "fscache",
    "9pnet",
    "9pnet_virtio",
    "9p",
    "overlay",
    "virtio_console",
    "virtio_blk",
    "rng-core",
    "virtio-rng",
};
#define MODULES (sizeof(modules) / sizeof(modules[0]))

static char *cache_dir(const char *series, enum kernel_use use)
{
    char *name = xasprintf("linux-%s-%s", series, use == USE_RUN ? "generic" : "cloud");
    char *dir = path_cache(name);

    free(name);
    return dir;
}

static char *inside(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

/* What unpack() is asked for, to tell a folder that was filled with a shorter list. */
static char *module_list(void)
{
    char *list = xstrdup("");

    for (size_t i = 0; i < MODULES; i++) {
        char *longer = xasprintf("%s%s\n", list, modules[i]);
        free(list);
        list = longer;
    }
    return list;
}

bool refkernel_cached(const char *series, enum kernel_use use)
{
    char *dir = cache_dir(series, use), *path = inside(dir, "release"), *asked = inside(dir, "asked");
    char *want = module_list(), *have = file_exists(asked) ? file_read(asked, NULL) : NULL;
    bool there = file_exists(path) && (use != USE_RUN || (have && !strcmp(have, want)));

    free(have);
    free(want);
    free(asked);
    free(path);
    free(dir);
    return there;
}

/* ---- fetching
 * ----------------------------------------------------------------------------------------------------
 */

static void apt_words(struct words *w, const char *program, const char *apt_dir)
{
    words_add(w, program);
    words_add(w, "-qq");
    words_addf(w, "-oDir::State=%s/state", apt_dir);
    words_add(w, "-oDir::State::status=/dev/null");
    words_addf(w, "-oDir::Cache=%s/cache", apt_dir);
    words_addf(w, "-oDir::Etc::sourcelist=%s/sources.list", apt_dir);
    words_add(w, "-oDir::Etc::sourceparts=/dev/null");
    words_add(w, "-oAPT::Architecture=amd64");
    words_add(w, "-oAPT::Sandbox::User=");
    words_add(w, "-oAcquire::Languages=none");
}

static char *must_run(struct words *w, const char *what)
{
    char *out = NULL;
    int status = run_command(w->v, &out);

    if (status)
        die(EXIT_PAGODA, "%s failed (status %d):\n%s", what, status, out ? out : "");
    return out;
}

static void prepare_apt(const char *apt_dir)
{
    static const char *const dirs[] = {"state/lists/partial", "cache/archives/partial"};
    char *list, *text;
    struct words w = {0};

    if (!file_exists(KEY_RING))
        die(EXIT_PAGODA, "%s is missing: install the package debian-archive-keyring", KEY_RING);
    for (size_t i = 0; i < 2; i++) {
        char *dir = inside(apt_dir, dirs[i]);
        int err = make_dirs(dir);
        if (err)
            die(EXIT_PAGODA, "%s: %s", dir, strerror(-err));
        free(dir);
    }
    list = inside(apt_dir, "sources.list");
    text = xasprintf("deb [arch=amd64 signed-by=%s] %s\n", KEY_RING, MIRROR);
    if (file_write(list, text, strlen(text)))
        die(EXIT_PAGODA, "cannot write %s", list);
    free(list);
    free(text);
    apt_words(&w, "apt-get", apt_dir);
    words_add(&w, "update");
    free(must_run(&w, "apt-get update for the reference kernel"));
}

/* The newest package of the series and flavour, or NULL. */
static char *newest_package(const char *apt_dir, const char *series, enum kernel_use use)
{
    char *prefix = xasprintf("linux-image-%s.", series), *best = NULL;
    const char *suffix = use == USE_RUN ? "-amd64" : "-cloud-amd64";
    struct words w = {0};

    apt_words(&w, "apt-cache", apt_dir);
    words_add(&w, "pkgnames");
    words_add(&w, prefix);
    char *out = must_run(&w, "apt-cache");
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
        size_t len = strlen(line), tail = strlen(suffix);
        if (strncmp(line, prefix, strlen(prefix)) || len < tail ||
            strcmp(line + len - tail, suffix))
            continue;
        if (use == USE_RUN && (strstr(line, "-cloud-") || strstr(line, "-rt-")))
            continue;
        if (!best || strverscmp(line, best) > 0) {
            free(best);
            best = xstrdup(line);
        }
    }
    free(out);
    free(prefix);
    return best;
}

static void unpack(const char *deb, const char *into)
{
    struct words w = {0};

    words_add(&w, "sh");
    words_add(&w, "-ec");
    /* 100 MB of drivers stay in the archive: only the image and a handful of modules come out; tar's complaint about
     * those the archive lacks is of no interest. */
    words_add(&w, "deb=$1 to=$2; shift 2\n"
                  "dpkg-deb --fsys-tarfile \"$deb\" | tar -x -C \"$to\" --wildcards --no-anchored "
                  "'vmlinuz-*' "
                  "\"$@\" 2>/dev/null || true\n"
                  "mv \"$to\"/boot/vmlinuz-* \"$to\"/vmlinuz\n"
                  "if [ -d \"$to\"/lib ]; then\n"
                  "  find \"$to\"/lib -name '*.ko.xz' -exec xz -d {} +\n"
                  "  find \"$to\"/lib -name '*.ko' -exec mv {} \"$to\" \\;\n"
                  "fi\n"
                  "rm -rf \"$to\"/boot \"$to\"/lib\n");
    words_add(&w, "unpack");
    words_add(&w, deb);
    words_add(&w, into);
    for (size_t i = 0; i < MODULES; i++)
        words_addf(&w, "%s.ko*", modules[i]);
    free(must_run(&w, "unpacking the reference kernel"));
}

/* The one file of a folder whose name ends with ".deb". */
static char *find_deb(const char *dir)
{
    DIR *d = opendir(dir);
    char *path = NULL;

    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n > 4 && !strcmp(e->d_name + n - 4, ".deb")) {
            free(path);
            path = inside(dir, e->d_name);
        }
    }
    if (d)
        closedir(d);
    return path;
}

/* "linux-image-6.12.117+deb12-amd64" -> "6.12.117", "linux-image-6.1.0-56-cloud-amd64" ->
 * "6.1.0-56" */
static char *release_of(const char *package)
{
    const char *from = package + strlen("linux-image-");

    return xasprintf("%.*s", (int)strspn(from, "0123456789.-") - (strchr(from, '+') ? 0 : 1), from);
}

static void fetch(const char *series, enum kernel_use use, const char *dir)
{
    char *apt_dir = path_cache("apt"), *work = xasprintf("%s.new", dir), *package, *deb, *path,
         *release, *asked;
    char *here = getcwd(NULL, 0);
    struct words w = {0}, rm = {0};

    note("fetching Debian's Linux %s (once; into %s)", series, dir);
    prepare_apt(apt_dir);
    package = newest_package(apt_dir, series, use);
    if (!package)
        die(EXIT_PAGODA, "no package linux-image-%s.* in %s", series, MIRROR);
    words_add(&rm, "rm");
    words_add(&rm, "-rf");
    words_add(&rm, work);
    run_command(rm.v, NULL);
    if (make_dirs(work) || chdir(work) < 0)
        die(EXIT_PAGODA, "%s: %s", work, strerror(errno));
    apt_words(&w, "apt-get", apt_dir);
    words_add(&w, "download");
    words_add(&w, package);
    free(must_run(&w, "apt-get download"));
    if (here && chdir(here) < 0)
        die(EXIT_PAGODA, "%s: %s", here, strerror(errno));
    deb = find_deb(work);
    if (!deb)
        die(EXIT_PAGODA, "apt-get download left no package in %s", work);
    unpack(deb, work);
    unlink(deb);
    path = inside(work, "asked");
    asked = module_list();
    if (file_write(path, asked, strlen(asked)))
        die(EXIT_PAGODA, "cannot write %s", path);
    free(path);
    free(asked);
    path = inside(work, "release");
    release = release_of(package);
    if (file_write(path, release, strlen(release)))
        die(EXIT_PAGODA, "cannot write %s", path);
    rm.v[2][strlen(rm.v[2]) - strlen(".new")] = '\0';
    run_command(rm.v, NULL);
    if (rename(work, dir) < 0)
        die(EXIT_PAGODA, "%s: %s", dir, strerror(errno));
    note("have Linux %s (%s)", release, package);
    free(apt_dir);
    free(work);
    free(package);
    free(deb);
    free(path);
    free(release);
    free(here);
}

/* ---- look-up
 * -----------------------------------------------------------------------------------------------------
 */

static void refkernel_find(const char *series, enum kernel_use use, struct kernel_image *out)
{
    char *dir = cache_dir(series, use), *lock_path = path_cache("lock"), *path, *release;
    int lock;

    if (!refkernel_cached(series, use)) {
        lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (lock < 0 || flock(lock, LOCK_EX) < 0)
            die(EXIT_PAGODA, "%s: %s", lock_path, strerror(errno));
        if (!refkernel_cached(series, use))
            fetch(series, use, dir);
        close(lock);
    }
    path = inside(dir, "release");
    release = file_read(path, NULL);
    out->label = xasprintf("Linux %s", release ? release : series);
    out->path = inside(dir, "vmlinuz");
    for (size_t i = 0; use == USE_RUN && i < MODULES; i++) {
        char *module = xasprintf("%s/%s.ko", dir, modules[i]);
        if (file_exists(module))
            words_add(&out->modules, module);
        free(module);
    }
    free(release);
    free(path);
    free(lock_path);
    free(dir);
}

void kernel_find(const char *spec, enum kernel_use use, struct kernel_image *out)
{
    *out = (struct kernel_image){0};
    if (!strcmp(spec, "pagoda")) {
        out->path = path_build("pagoda.elf");
        out->label = xstrdup("Pagoda");
        out->is_pagoda = true;
    } else if (!strcmp(spec, "linux")) {
        refkernel_find("6.12", use, out);
    } else if (!strncmp(spec, "linux-", 6)) {
        refkernel_find(spec + 6, use, out);
    } else {
        const char *name = strrchr(spec, '/');
        out->path = xstrdup(spec);
        out->label = xstrdup(name ? name + 1 : spec);
        out->is_pagoda = strstr(out->label, "pagoda") != NULL;
    }
    if (!file_exists(out->path))
        die(EXIT_PAGODA, "no kernel image at %s%s", out->path,
            out->is_pagoda ? "; `pagoda build` makes it" : "");
}
