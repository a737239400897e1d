/* SPDX-License-Identifier: MIT */
/* Partition tables: those that tools write, those with one field wrong, and noise, against a disk in memory. */
#include "../../lib/test.h"
#include <kernel/partition.h>
#include <lib/crc32.h>
#include <lib/rand.h>
#include <string.h>

#define SECTORS 4096u
#define MAX     15u

static u8 disk[SECTORS * SECTOR_SIZE];
static u32 reads, fail_from;

static int read_disk(void *ctx, u64 sector, void *buf, u32 n)
{
    assert_true(sector + n <= SECTORS);
    if (++reads >= fail_from)
        return -5;
    memcpy(buf, disk + sector * SECTOR_SIZE, n * SECTOR_SIZE);
    return 0;
}

static u32 scan(u32 block, struct partition *out)
{
    static u8 scratch[4096];
    reads = 0;
    u32 n = partition_scan(read_disk, NULL, SECTORS, block, scratch, out, MAX);
    assert_true(n <= MAX);
    for (u32 i = 0; i < n; i++)
        assert_true(out[i].sectors && out[i].start + out[i].sectors <= SECTORS && out[i].number);
    return n;
}

static void put(u8 *p, u64 v, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        p[i] = (u8)(v >> 8 * i);
}

static void entry(u64 sector, u32 slot, u8 type, u64 start, u64 sectors)
{
    u8 *e = disk + sector * SECTOR_SIZE + 446 + 16 * slot;
    e[4] = type;
    put(e + 8, start, 4);
    put(e + 12, sectors, 4);
    put(disk + sector * SECTOR_SIZE + 510, 0xaa55, 2);
}

static void begin(void)
{
    memset(disk, 0, sizeof(disk));
    fail_from = ~0u;
}

static void expect(const struct partition *got, u32 number, u64 start, u64 sectors)
{
    assert_int_equal(got->number, number);
    assert_int_equal(got->start, start);
    assert_int_equal(got->sectors, sectors);
}

static void no_table_no_partitions(void **state)
{
    struct partition p[MAX];
    begin();
    assert_int_equal(scan(512, p), 0);
    fail_from = 1;
    assert_int_equal(scan(512, p), 0);
}

static void mbr_with_a_chain(void **state)
{
    struct partition p[MAX];
    begin();
    entry(0, 0, 0x83, 64, 100);
    entry(0, 1, 0x05, 1000, 2000);
    entry(0, 3, 0x82, 3500, 10000); /* beyond the end: not believed */
    entry(1000, 0, 0x83, 10, 50);
    entry(1000, 1, 0x05, 500, 300);
    entry(1500, 0, 0x07, 20, 60);
    assert_int_equal(scan(512, p), 4);
    expect(&p[0], 1, 64, 100);
    expect(&p[1], 2, 1000, 2); /* room for a loader only, as on Linux */
    expect(&p[2], 5, 1010, 50);
    expect(&p[3], 6, 1520, 60);
}

static void a_chain_that_bites_its_tail_ends(void **state)
{
    struct partition p[MAX];
    begin();
    entry(0, 0, 0x0f, 1000, 2000);
    entry(1000, 0, 0x83, 10, 50);
    entry(1000, 1, 0x05, 500, 300);
    entry(1500, 0, 0x83, 20, 60);
    entry(1500, 1, 0x05, 500, 300); /* itself */
    assert_int_equal(scan(512, p), MAX);
    entry(1500, 1, 0x05, 0, 300); /* the first record */
    assert_int_equal(scan(512, p), 3);
}

static void a_boot_sector_is_no_table(void **state)
{
    struct partition p[MAX];
    begin();
    entry(0, 0, 0x83, 64, 100);
    disk[446] = 0x41;
    assert_int_equal(scan(512, p), 0);
}

/* Header at lba with its entries at table; block: sectors of 512 in a logical block. */
static u8 *gpt(u32 block, u64 lba, u64 table, u32 nr, u32 size)
{
    u8 *h = disk + lba * block * SECTOR_SIZE, *t = disk + table * block * SECTOR_SIZE;
    entry(0, 0, 0xee, 1, SECTORS - 1);
    memcpy(h, "EFI PART", 8);
    put(h + 12, 92, 4);
    put(h + 16, 0, 4);
    put(h + 24, lba, 8);
    put(h + 40, 40, 8);
    put(h + 48, SECTORS / block - 40, 8);
    put(h + 72, table, 8);
    put(h + 80, nr, 4);
    put(h + 84, size, 4);
    put(h + 88, crc32_update(0, t, (size_t)nr * size), 4);
    put(h + 16, crc32_update(0, h, 92), 4);
    return t;
}

static void gpt_entry(u8 *t, u64 first, u64 last)
{
    memset(t, 0x11, 32);
    put(t + 32, first, 8);
    put(t + 40, last, 8);
}

static void gpt_of_both_block_sizes(void **state)
{
    struct partition p[MAX];
    for (u32 block = 1; block <= 8; block *= 8) {
        begin();
        u8 *t = disk + 2 * block * SECTOR_SIZE;
        gpt_entry(t, 50, 99);
        gpt_entry(t + 128 * 6, 100, 100);
        gpt_entry(t + 128 * 7, 10, 100); /* outside what the header calls usable */
        gpt(block, 1, 2, 128, 128);
        assert_int_equal(scan(block * SECTOR_SIZE, p), 2);
        expect(&p[0], 1, 50 * block, 50 * block);
        expect(&p[1], 7, 100 * block, block);
    }
}

static void the_second_header_serves_when_the_first_is_bad(void **state)
{
    struct partition p[MAX];
    begin();
    u8 *t = disk + (SECTORS - 33) * SECTOR_SIZE;
    gpt_entry(t, 2000, 2009);
    gpt(1, SECTORS - 1, SECTORS - 33, 128, 128);
    gpt(1, 1, 2, 128, 128);
    disk[SECTOR_SIZE + 40] ^= 1; /* its check sum no longer fits */
    assert_int_equal(scan(512, p), 1);
    expect(&p[0], 1, 2000, 10);
    t[64] ^= 1; /* nor does that of the second one's entries */
    assert_int_equal(scan(512, p), 0);
}

/* Sound check sums around absurd values, and pure noise: nothing outside the disk is read, every answer lies within it. */
static void noise_is_survived(void **state)
{
    struct partition p[MAX];
    struct rand r;
    rand_init(&r, 7);
    for (u32 round = 0; round < 3000; round++) {
        begin();
        u32 block = round & 1 ? 1 : 8;
        for (u32 i = 0; i < 64; i++)
            entry(rand_next(&r) % 64, (u32)(rand_next(&r) % 4), (u8)(rand_next(&r) % 3 ? 5 : 0x83), rand_next(&r) % 5000, rand_next(&r) % 5000);
        if (rand_next(&r) % 2) {
            u8 *t = gpt(block, 1, 2, 4, 128), *h = disk + block * SECTOR_SIZE;
            for (u32 i = 0; i < 4; i++)
                gpt_entry(t + 128 * i, rand_next(&r) >> rand_next(&r) % 64, rand_next(&r) >> rand_next(&r) % 64);
            u32 field = 24 + 4 * (u32)(rand_next(&r) % 16);
            put(h + field, rand_next(&r) >> rand_next(&r) % 64, 4);
            put(h + 16, 0, 4);
            put(h + 16, crc32_update(0, h, 92), 4);
        }
        if (rand_next(&r) % 8 == 0)
            fail_from = (u32)(rand_next(&r) % 20);
        scan(block * SECTOR_SIZE, p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_table_no_partitions),
        cmocka_unit_test(mbr_with_a_chain),
        cmocka_unit_test(a_chain_that_bites_its_tail_ends),
        cmocka_unit_test(a_boot_sector_is_no_table),
        cmocka_unit_test(gpt_of_both_block_sizes),
        cmocka_unit_test(the_second_header_serves_when_the_first_is_bad),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
