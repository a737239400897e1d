/* SPDX-License-Identifier: MIT */
/*
 * Triggers of pressure: a program asks to be woken when tasks were stalled for `threshold` within `window`.
 *
 *              start                       now
 *   window 1 ───┤ stalled since start ······┤·······├ window 2 begins with what the first one had grown
 *               growth = that + the part of the last window's growth that still lies within a window's length
 *
 * It fires at most once per window; what would have fired earlier is remembered until then. Looked at ten times a window; those of
 * the unprivileged, whose windows are whole periods, when the averages are brought up to date.
 *
 * Invariants
 *  T1. 0 < threshold <= window, window <= PSI_WINDOW_MAX.
 *
 * Lock: psi_lock guards the list and all but `fired`, which is atomic.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/psi.h>
#include <mm/slab.h>
#include <port/clock.h>

#define US                 1000UL
#define PSI_WINDOW_MAX     (10000000 * US)
#define UPDATES_PER_WINDOW 10
#define UPDATE_MIN_NS      4000000UL
#define TEXT_MAX           32

struct psi_trigger {
    struct list_head link;
    enum psi_state state;
    bool with_averages;    /* looked at once a period */
    bool pending;          /* the threshold was passed, it has not fired for that yet */
    u32 fired;             /* since the last psi_trigger_take(): atomic */
    u64 threshold, window; /* ns */
    u64 start, start_total, last_growth;
    u64 seen_total; /* psi_totals when looked at last */
    u64 last_fired; /* clock_ns; 0: never */
    struct waitq wait;
};

void (*psi_hurry)(void);

static struct list_head triggers = {&triggers, &triggers};

/* Decimal digits as scanf's %u takes them: spaces before, anything behind. */
static bool number(const char **text, u64 *v)
{
    const char *p = *text;
    while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        p++;
    if (*p < '0' || *p > '9')
        return false;
    for (*v = 0; *p >= '0' && *p <= '9'; p++)
        *v = (*v * 10 + (u64)(*p - '0')) & U32_MAX;
    *text = p;
    return true;
}

static int parse(const char *given, size_t n, u64 *threshold, u64 *window, bool *full)
{
    char text[TEXT_MAX];
    const char *p = text;
    n = min(n, sizeof(text));
    if (!n)
        return -EINVAL;
    memcpy(text, given, n);
    text[n - 1] = 0;
    *full = str_starts(p, "full");
    if (!*full && !str_starts(p, "some"))
        return -EINVAL;
    p += 4;
    if (!number(&p, threshold) || !number(&p, window))
        return -EINVAL;
    return 0;
}

int psi_trigger_alloc(const char *text, size_t n, enum psi_resource r, bool privileged,
                      struct psi_trigger **out)
{
    u64 threshold, window;
    bool full;
    int err = parse(text, n, &threshold, &window, &full);
    if (err)
        return err;
    threshold *= US;
    window *= US;
    if (window > PSI_WINDOW_MAX || (!privileged && window % PSI_PERIOD_NS))
        return -EINVAL;
    if (!threshold || threshold > window)
        return -EINVAL;
    struct psi_trigger *t = kzalloc(sizeof(*t), GFP_KERNEL);
    if (!t)
        return -ENOMEM;
    t->state = 2 * (unsigned)r + full;
    t->threshold = threshold;
    t->window = window;
    t->with_averages = !privileged;
    waitq_init(&t->wait);

    mutex_lock(&psi_lock);
    t->start = clock_ns();
    psi_collect(t->start);
    t->start_total = t->seen_total = psi_totals[t->state];
    list_add_tail(&t->link, &triggers);
    mutex_unlock(&psi_lock);
    if (psi_hurry)
        psi_hurry();
    *out = t;
    return 0;
}

void psi_trigger_free(struct psi_trigger *t)
{
    mutex_lock(&psi_lock);
    list_unlink(&t->link);
    mutex_unlock(&psi_lock);
    kfree(t);
}

struct waitq *psi_trigger_waitq(struct psi_trigger *t)
{
    return &t->wait;
}

bool psi_trigger_take(struct psi_trigger *t)
{
    return __atomic_exchange_n(&t->fired, 0, __ATOMIC_ACQ_REL);
}

static u64 growth(struct psi_trigger *t, u64 now, u64 total)
{
    u64 passed = now - t->start, grown = total - t->start_total;
    if (passed > t->window) {
        t->start = now;
        t->start_total = total;
        t->last_growth = grown;
        return grown;
    }
    return grown + t->last_growth / US * ((t->window - passed) / US) / (t->window / US) *
                       US; /* T1: whole microseconds */
}

static void look_at(struct psi_trigger *t, u64 now)
{
    u64 total = psi_totals[t->state];
    if (total != t->seen_total) {
        t->seen_total = total;
        if (growth(t, now, total) >= t->threshold)
            t->pending = true;
    }
    if (!t->pending || (t->last_fired && now < t->last_fired + t->window))
        return;
    t->pending = false;
    t->last_fired = now;
    if (!__atomic_exchange_n(&t->fired, 1, __ATOMIC_ACQ_REL))
        waitq_wake_all(&t->wait);
}

u64 psi_trigger_update(u64 now, bool averages)
{
    u64 next = U64_MAX;
    struct psi_trigger *t;
    list_for_each_entry (t, &triggers, link) {
        if (!t->with_averages)
            next = min(next, now + max(t->window / UPDATES_PER_WINDOW, UPDATE_MIN_NS));
        else if (!averages)
            continue;
        look_at(t, now);
    }
    return next;
}
