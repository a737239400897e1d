/* SPDX-License-Identifier: MIT */
/* The memory lines of /proc/PID/status, and /proc/PID/statm. */
#include <mm/obs_mm.h>
#include <mm/vma.h>

static u64 text_bytes(const struct mm *mm)
{
    u64 text = ALIGN_UP(mm->end_code, PAGE_SIZE) - ALIGN_DOWN(mm->start_code, PAGE_SIZE);
    return min(text, mm->exec_vm << PAGE_SHIFT);
}

static void put_kb(struct seq *s, const char *label, u64 bytes)
{
    seq_printf(s, "%s:\t%8lu kB\n", label, bytes >> 10);
}

void obs_status(struct seq *s, struct mm *mm)
{
    u64 anon = rss_sum(mm, RSS_ANON), file = rss_sum(mm, RSS_FILE), shmem = rss_sum(mm, RSS_SHMEM),
        rss = anon + file + shmem;
    u64 text = text_bytes(mm);
    put_kb(s, "VmPeak", max(mm->hiwater_vm, mm->total_vm) << PAGE_SHIFT);
    put_kb(s, "VmSize", mm->total_vm << PAGE_SHIFT);
    put_kb(s, "VmLck", mm->locked_vm << PAGE_SHIFT);
    put_kb(s, "VmPin", (u64)mm->pinned_vm << PAGE_SHIFT);
    put_kb(s, "VmHWM", max(mm->hiwater_rss, rss) << PAGE_SHIFT);
    put_kb(s, "VmRSS", rss << PAGE_SHIFT);
    put_kb(s, "RssAnon", anon << PAGE_SHIFT);
    put_kb(s, "RssFile", file << PAGE_SHIFT);
    put_kb(s, "RssShmem", shmem << PAGE_SHIFT);
    put_kb(s, "VmData", mm->data_vm << PAGE_SHIFT);
    put_kb(s, "VmStk", mm->stack_vm << PAGE_SHIFT);
    put_kb(s, "VmExe", text);
    put_kb(s, "VmLib", (mm->exec_vm << PAGE_SHIFT) - text);
    put_kb(s, "VmPTE", (u64)mm->pgtables_bytes);
    put_kb(s, "VmSwap", rss_sum(mm, RSS_SWAP) << PAGE_SHIFT);
    put_kb(s, "HugetlbPages", 0);
    seq_puts(s, "CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n");
}

void obs_statm(struct seq *s, struct mm *mm)
{
    u64 shared = rss_sum(mm, RSS_FILE) + rss_sum(mm, RSS_SHMEM);
    seq_put_dec(s, NULL, mm->total_vm);
    seq_put_dec(s, " ", shared + rss_sum(mm, RSS_ANON));
    seq_put_dec(s, " ", shared);
    seq_put_dec(s, " ",
                (ALIGN_UP(mm->end_code, PAGE_SIZE) - ALIGN_DOWN(mm->start_code, PAGE_SIZE)) >>
                    PAGE_SHIFT);
    seq_put_dec(s, " ", 0);
    seq_put_dec(s, " ", mm->data_vm + mm->stack_vm);
    seq_put_dec(s, " ", 0);
    seq_putc(s, '\n');
}
