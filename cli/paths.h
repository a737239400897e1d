/* SPDX-License-Identifier: MIT */
/* Where things are: the build tree this command was built in, its source tree, and the user's
 * cache. */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

/* Each returns a new string the caller frees. */
char *path_build(const char *name);  /* beside the running executable: build/NAME */
char *path_source(const char *name); /* the repository: NAME */
char *path_cache(
    const char *name); /* ${XDG_CACHE_HOME:-~/.cache}/pagoda/NAME; its folder exists on return */
char *path_self(void); /* the running executable */

#endif
