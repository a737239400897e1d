/* SPDX-License-Identifier: MIT */
/*
 * The block "calls" of docs/TESTING.md keeps its word. A line is
 *
 *   CALL  SUBJECT  WORD WORD ...     flags and errors that tests/linux/SUBJECT.c exercises with CALL
 *   CALL  -        WORD: REASON      a documented one that does not occur
 *
 * A flag must stand in a statement that calls CALL; an error in one that begins E(ERROR, ...) and calls it. The subjects themselves
 * end with a failure when an E() gets another answer, on either kernel.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* `word` stands in [s, s + n), not as a part of a longer one; after: what must follow it, or 0. */
static bool has_word(const char *s, size_t n, const char *word, char after)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= n; i++)
        if (!memcmp(s + i, word, len) && (!i || !word_char(s[i - 1])) &&
            (after ? s[i + len] == after : !word_char(s[i + len])))
            return true;
    return false;
}

/* The call by its name, or by its number through syscall(). */
static bool calls(const char *s, size_t n, const char *call)
{
    char nr[64];
    snprintf(nr, sizeof(nr), "SYS_%s", call);
    return has_word(s, n, call, '(') || has_word(s, n, nr, 0) ||
           (!strcmp(call, "prlimit") && has_word(s, n, "SYS_prlimit64", 0));
}

static bool exercised(const char *text, const char *call, const char *word)
{
    bool error = word[0] == 'E' && isupper((unsigned char)word[1]);
    char begin[64];
    snprintf(begin, sizeof(begin), "E(%s,", word);
    for (const char *s = text; *s;) {
        size_t n = strcspn(s, ";");
        bool there = error ? strstr(s, begin) && strstr(s, begin) < s + n : has_word(s, n, word, 0);
        if (there && calls(s, n, call))
            return true;
        s += n + (s[n] == ';');
    }
    return false;
}

static size_t check_line(char *line, size_t *words)
{
    char path[128], *save, *call = strtok_r(line, " \n", &save), *subject = strtok_r(NULL, " \n", &save);
    size_t wrong = 0;
    if (!call || !subject)
        return 0;
    if (!strcmp(subject, "-")) {
        const char *colon = strchr(save, ':');
        ++*words;
        if (colon && strlen(colon) > 8)
            return 0;
        print_error("%s: a reason is missing\n", call);
        return 1;
    }
    snprintf(path, sizeof(path), "tests/linux/%s.c", subject);
    char *text = read_file(path);
    if (!text) {
        print_error("%s: there is no %s\n", call, path);
        return 1;
    }
    for (char *w; (w = strtok_r(NULL, " \n", &save)); ++*words) {
        if (exercised(text, call, w))
            continue;
        print_error("%s %s: not in %s\n", call, w, path);
        wrong++;
    }
    free(text);
    return wrong;
}

static void each_flag_and_error_has_its_subject(void **state)
{
    char *text = read_file("docs/TESTING.md"), *save;
    size_t words = 0, wrong = 0;
    bool inside = false;
    (void)state;
    assert_non_null(text);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strncmp(line, "```", 3))
            inside = !strncmp(line, "```calls", 8);
        else if (inside)
            wrong += check_line(line, &words);
    }
    free(text);
    assert_true(words > 220);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_flag_and_error_has_its_subject)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
