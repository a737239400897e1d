/* SPDX-License-Identifier: MIT */
/*
 * Partition tables: GPT (UEFI 2.10, 5.3) and MBR with its chain of extended partitions. Whatever a disk says is checked: nothing
 * outside the disk is believed, chains end.
 *
 *   sector 0: MBR ── type 0xee ──> GPT header at block 1, or the second one at the disk's last block ── entries
 *               └─── types 5, f, 85 ──> chain of extended boot records: numbers from 5 on
 *
 * Pure but for the reader it is given; hosted test: tests/kernel/block/test_partition.c.
 */
#include <kernel/partition.h>
#include <lib/crc32.h>
#include <lib/string.h>

#define MBR_ENTRIES   446
#define CHAIN_MAX     100
#define GPT_ENTRY_MAX 1024

static u32 get16(const u8 *p)
{
    return p[0] | (u32)p[1] << 8;
}
static u32 get32(const u8 *p)
{
    return get16(p) | get16(p + 2) << 16;
}
static u64 get64(const u8 *p)
{
    return get32(p) | (u64)get32(p + 4) << 32;
}

struct scan {
    partition_read_fn *read;
    void *ctx;
    u64 disk; /* sectors */
    u32 block; /* sectors of 512 in a logical block */
    u8 *buf;
    struct partition *out;
    u32 max, found;
};

static void take(struct scan *s, u32 number, u64 start, u64 sectors)
{
    if (sectors && start < s->disk && sectors <= s->disk - start && s->found < s->max)
        s->out[s->found++] = (struct partition){number, start, sectors};
}

static bool is_extended(u8 type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

/* ---- MBR ---- */

static bool read_boot_record(struct scan *s, u64 sector)
{
    return sector < s->disk && !s->read(s->ctx, sector, s->buf, s->block) && get16(s->buf + 510) == 0xaa55;
}

/* Each record of the chain names one partition, relative to itself, and the next record, relative to the first. */
static void scan_chain(struct scan *s, u64 first, u64 length)
{
    u64 at = first;
    u32 number = 5;
    for (u32 i = 0; i < CHAIN_MAX && read_boot_record(s, at); i++) {
        const u8 *data = s->buf + MBR_ENTRIES, *link = data + 16;
        u64 start = at + (u64)get32(data + 8) * s->block, sectors = (u64)get32(data + 12) * s->block;
        if (data[4] && !is_extended(data[4]) && sectors && start >= first && start - first < length)
            take(s, number++, start, sectors);
        if (!is_extended(link[4]) || !get32(link + 12))
            return;
        at = first + (u64)get32(link + 8) * s->block;
        if (at == first)
            return;
    }
}

static void scan_mbr(struct scan *s)
{
    u8 table[64];
    memcpy(table, s->buf + MBR_ENTRIES, sizeof(table));
    for (u32 i = 0; i < 4; i++)
        if (table[16 * i] & 0x7f) /* neither active nor inactive: no table but a boot sector */
            return;
    for (u32 i = 0; i < 4; i++) {
        const u8 *e = table + 16 * i;
        u64 start = (u64)get32(e + 8) * s->block, sectors = (u64)get32(e + 12) * s->block;
        if (!e[4] || !sectors)
            continue;
        take(s, i + 1, start, is_extended(e[4]) ? min(sectors, 2ul) : sectors);
        if (is_extended(e[4]))
            scan_chain(s, start, sectors);
    }
}

/* ---- GPT ---- */

/* A sound header at the given block: where its entries are. */
struct gpt {
    u64 entries;
    u32 nr, size, crc;
    u64 first, last; /* usable blocks */
};

static bool read_header(struct scan *s, u64 lba, struct gpt *g)
{
    u64 blocks = s->disk / s->block;
    if (lba >= blocks || s->read(s->ctx, lba * s->block, s->buf, s->block))
        return false;
    u8 *h = s->buf;
    u32 size = get32(h + 12), crc = get32(h + 16);
    if (memcmp(h, "EFI PART", 8) || size < 92 || size > s->block * SECTOR_SIZE)
        return false;
    memset(h + 16, 0, 4);
    if (crc32_update(0, h, size) != crc || get64(h + 24) != lba)
        return false;
    *g = (struct gpt){get64(h + 72), get32(h + 80), get32(h + 84), get32(h + 88), get64(h + 40), get64(h + 48)};
    return g->size >= 128 && g->size <= 4096 && !(g->size & (g->size - 1)) && g->nr <= GPT_ENTRY_MAX && g->entries < blocks &&
           g->first <= g->last && g->last < blocks;
}

/* Calls take for each entry when the table's check sum is right: first pass sums, second takes. */
static bool scan_entries(struct scan *s, const struct gpt *g)
{
    u32 block_bytes = s->block * SECTOR_SIZE, crc = 0;
    for (u32 pass = 0; pass < 2; pass++) {
        u64 left = (u64)g->nr * g->size, lba = g->entries;
        u32 number = 1;
        for (; left; lba++) {
            u32 n = (u32)min(left, (u64)block_bytes);
            if ((lba + 1) * s->block > s->disk || s->read(s->ctx, lba * s->block, s->buf, s->block))
                return false;
            if (!pass)
                crc = crc32_update(crc, s->buf, n);
            for (u32 at = 0; pass && at + 128 <= n; at += g->size, number++) {
                const u8 *e = s->buf + at;
                u64 first = get64(e + 32), last = get64(e + 40);
                if ((get64(e) | get64(e + 8)) && first >= g->first && last <= g->last && first <= last)
                    take(s, number, first * s->block, (last - first + 1) * s->block);
            }
            left -= n;
        }
        if (!pass && crc != g->crc)
            return false;
    }
    return true;
}

static bool scan_gpt(struct scan *s)
{
    struct gpt g;
    return (read_header(s, 1, &g) && scan_entries(s, &g)) ||
           (read_header(s, s->disk / s->block - 1, &g) && scan_entries(s, &g));
}

u32 partition_scan(partition_read_fn *read, void *ctx, u64 disk_sectors, u32 block_size, void *scratch, struct partition *out, u32 max)
{
    struct scan s = {read, ctx, disk_sectors, block_size / SECTOR_SIZE, scratch, out, max, 0};
    if (disk_sectors < 2 * s.block || !read_boot_record(&s, 0))
        return 0;
    bool protective = false;
    for (u32 i = 0; i < 4; i++)
        protective |= s.buf[MBR_ENTRIES + 16 * i + 4] == 0xee;
    if (!protective)
        scan_mbr(&s);
    else if (!scan_gpt(&s))
        s.found = 0;
    return s.found;
}
