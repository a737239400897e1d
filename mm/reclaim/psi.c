/* SPDX-License-Identifier: MIT */
/*
 * Pressure stall information: from what each CPU's tasks did to shares of the machine's time.
 *
 *   CPU 0   NONIDLE ████████████░░░░██████      psi_change: nanoseconds in each state, per CPU
 *           MEM_SOME    ████        ██
 *   CPU 1   ...
 *             │ psi_collect: the time since the last look, each CPU weighted by how long it was not idle
 *   totals  │ ns in each state
 *             │ every 2 s: share of the period, in percent, decays into three averages
 *   avg10, avg60, avg300
 *
 * A CPU that had nothing to do says nothing about pressure, so its weight is nil.
 *
 * Invariants
 *  S1. A state's total never shrinks, and grows by no more than the time that passed.
 *  S2. FULL implies SOME of the same resource; each implies NONIDLE (the home's, asserted in psi_change).
 *
 * Locks: psi_lock (mutex) guards totals, averages and triggers; struct psi_cpu has a writer of its own and is read under seq.
 */
#include <mm/psi.h>
#include <port/clock.h>
#include <port/log.h>

bool psi_disabled;
struct mutex psi_lock;
u64 psi_totals[NR_PSI_SHOWN];

static struct psi_cpu psi_cpus[NR_CPUS];

#define FIXED_SHIFT 11 /* averages are percent with 11 bits of fraction, like the load average's */
#define FIXED_ONE   (1UL << FIXED_SHIFT)
#define NR_AVGS     3
/* exp(-2/10), exp(-2/60), exp(-2/300) */
static const u64 decay[NR_AVGS] = {1677, 1981, 2034};

static struct {
    u64 seen[NR_CPUS][NR_PSI_STATES]; /* of each CPU at the last collection */
    u64 counted[NR_PSI_SHOWN];        /* of psi_totals, what the averages have taken in */
    u64 avg[NR_PSI_SHOWN][NR_AVGS];
    u64 last, next; /* averages were brought up to date; are due */
} psi;

void psi_change(unsigned cpu, u32 states, u64 now)
{
    struct psi_cpu *c = &psi_cpus[cpu];
    u32 before = c->states;
    u64 passed = now > c->since ? now - c->since : 0;
    ASSERT(!(states & ~(1u << PSI_NONIDLE)) || states & 1u << PSI_NONIDLE); /* S2 */
    WRITE_ONCE(c->seq, c->seq + 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    while (before) {
        unsigned s = (unsigned)__builtin_ctz(before);
        before &= before - 1;
        WRITE_ONCE(c->time[s], c->time[s] + passed);
    }
    WRITE_ONCE(c->states, states);
    WRITE_ONCE(c->since, c->since + passed);
    store_release(&c->seq, c->seq + 1);
}

/* Times of a CPU up to now, with the state that lasts. */
static void read_cpu(const struct psi_cpu *c, u64 now, u64 time[NR_PSI_STATES])
{
    u32 seq;
    do {
        while ((seq = load_acquire(&c->seq)) & 1)
            cpu_relax();
        u64 since = READ_ONCE(c->since);
        u32 states = READ_ONCE(c->states);
        for (unsigned s = 0; s < NR_PSI_STATES; s++) {
            time[s] = READ_ONCE(c->time[s]);
            if (states & 1u << s && now > since)
                time[s] += now - since;
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (READ_ONCE(c->seq) != seq);
}

/* psi_lock held. */
void psi_collect(u64 now)
{
    u64 sum[NR_PSI_SHOWN] = {0}, weights = 0;
    for (unsigned cpu = 0; cpu < cpu_nr_possible(); cpu++) {
        u64 time[NR_PSI_STATES], *seen = psi.seen[cpu];
        read_cpu(&psi_cpus[cpu], now, time);
        /* In units of 65 us the sums stay below 2^64 for a quarter of an hour of 64 CPUs. */
        u64 weight = (time[PSI_NONIDLE] - seen[PSI_NONIDLE]) >> 16;
        if (!weight)
            continue; /* what there was so short counts at the next look */
        for (unsigned s = 0; s < NR_PSI_SHOWN; s++)
            sum[s] += (time[s] - seen[s]) * weight;
        for (unsigned s = 0; s < NR_PSI_STATES; s++)
            seen[s] = time[s];
        weights += weight;
    }
    for (unsigned s = 0; weights && s < NR_PSI_SHOWN; s++)
        psi_totals[s] += sum[s] / weights;
}

/* One step of a decaying average towards percent, rounded up as long as it rises. */
static u64 step(u64 avg, u64 keep, u64 percent)
{
    u64 v = avg * keep + percent * (FIXED_ONE - keep);
    if (percent >= avg)
        v += FIXED_ONE - 1;
    return v >> FIXED_SHIFT;
}

/* keep to the n-th power, by squaring. */
static u64 power(u64 keep, u64 n)
{
    u64 r = FIXED_ONE;
    for (; n; n >>= 1) {
        if (n & 1)
            r = (r * keep + FIXED_ONE / 2) >> FIXED_SHIFT;
        keep = (keep * keep + FIXED_ONE / 2) >> FIXED_SHIFT;
    }
    return r;
}

/* psi_lock held. Periods in which nobody looked count as without pressure; the last one takes all that came since. */
static void update_averages(u64 now)
{
    u64 missed = (now - psi.next) / PSI_PERIOD_NS;
    u64 period = now - (psi.last + missed * PSI_PERIOD_NS);
    psi.next += (1 + missed) * PSI_PERIOD_NS;
    psi.last = now;
    for (unsigned s = 0; s < NR_PSI_SHOWN; s++) {
        u64 stalled = min(psi_totals[s] - psi.counted[s], period);
        u64 percent = (stalled * 100 / period) << FIXED_SHIFT;
        psi.counted[s] += stalled;
        for (unsigned a = 0; a < NR_AVGS; a++) {
            u64 avg = psi.avg[s][a];
            if (missed)
                avg = step(avg, power(decay[a], missed), 0);
            psi.avg[s][a] = step(avg, decay[a], percent);
        }
    }
}

/* psi_lock held. */
static bool bring_up_to_date(u64 now)
{
    bool due = now >= psi.next;
    psi_collect(now);
    if (due)
        update_averages(now);
    return due;
}

void psi_boot(u64 now)
{
    mutex_init(&psi_lock, RANK_NONE);
    psi.last = now;
    psi.next = now + PSI_PERIOD_NS;
    for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
        psi_cpus[cpu].since = now;
}

u64 psi_run(u64 now)
{
    mutex_lock(&psi_lock);
    bool averages = bring_up_to_date(now);
    u64 next = min(psi.next, psi_trigger_update(now, averages));
    mutex_unlock(&psi_lock);
    return next;
}

u64 psi_total(enum psi_state state, u64 now)
{
    mutex_lock(&psi_lock);
    psi_collect(now);
    u64 ns = psi_totals[state];
    mutex_unlock(&psi_lock);
    return ns / 1000;
}

static void show_line(struct seq *s, const char *word, const u64 avg[NR_AVGS], u64 total)
{
    static const char *const names[NR_AVGS] = {"avg10", "avg60", "avg300"};
    seq_puts(s, word);
    for (unsigned a = 0; a < NR_AVGS; a++)
        seq_printf(s, " %s=%lu.%02lu", names[a], avg[a] >> FIXED_SHIFT,
                   (avg[a] & (FIXED_ONE - 1)) * 100 >> FIXED_SHIFT);
    seq_printf(s, " total=%lu\n", total / 1000);
}

void psi_show(struct seq *s, enum psi_resource r, u64 now)
{
    static const u64 none[NR_AVGS];
    mutex_lock(&psi_lock);
    bring_up_to_date(now);
    unsigned some = 2 * (unsigned)r, full = some + 1;
    show_line(s, "some", psi.avg[some], psi_totals[some]);
    if (r == PSI_CPU) /* somebody of the whole machine always runs */
        show_line(s, "full", none, 0);
    else
        show_line(s, "full", psi.avg[full], psi_totals[full]);
    mutex_unlock(&psi_lock);
}
