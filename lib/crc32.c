/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 as gzip uses it, eight bytes a step.
 *
 * table[k][b] is the CRC of byte b followed by k zero bytes. A CRC is linear: the entry for b is
 * the exclusive or of the entries of b's bits, so eight constants make a table and the preprocessor
 * builds it.
 */
#include <lib/crc32.h>

#define BITSUM(i, k0, k1, k2, k3, k4, k5, k6, k7)                                                  \
    (((i)&1 ? k0 : 0U) ^ ((i)&2 ? k1 : 0U) ^ ((i)&4 ? k2 : 0U) ^ ((i)&8 ? k3 : 0U) ^               \
     ((i)&16 ? k4 : 0U) ^ ((i)&32 ? k5 : 0U) ^ ((i)&64 ? k6 : 0U) ^ ((i)&128 ? k7 : 0U))
#define ROW4(i, ...)                                                                               \
    BITSUM(i, __VA_ARGS__), BITSUM(i + 1, __VA_ARGS__), BITSUM(i + 2, __VA_ARGS__),                \
        BITSUM(i + 3, __VA_ARGS__)
#define ROW16(i, ...)                                                                              \
    ROW4(i, __VA_ARGS__), ROW4(i + 4, __VA_ARGS__), ROW4(i + 8, __VA_ARGS__),                      \
        ROW4(i + 12, __VA_ARGS__)
#define ROW64(i, ...)                                                                              \
    ROW16(i, __VA_ARGS__), ROW16(i + 16, __VA_ARGS__), ROW16(i + 32, __VA_ARGS__),                 \
        ROW16(i + 48, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        ROW64(0, __VA_ARGS__), ROW64(64, __VA_ARGS__), ROW64(128, __VA_ARGS__),                    \
            ROW64(192, __VA_ARGS__)                                                                \
    }

/* clang-format off */
static const u32 table[8][256] = {
    TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
          0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320),
    TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08,
          0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b),
    TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8,
          0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80),
    TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef,
          0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b),
    TABLE(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1,
          0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092),
    TABLE(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d,
          0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8),
    TABLE(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67,
          0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2),
    TABLE(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5,
          0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da),
};
/* clang-format on */

u32 crc32_update(u32 crc, const void *data, size_t n)
{
    const u8 *p = data;
    u32 c = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        u64 v;
        __builtin_memcpy(&v, p, 8);
        v ^= c;
        c = table[7][v & 255] ^ table[6][(v >> 8) & 255] ^ table[5][(v >> 16) & 255] ^
            table[4][(v >> 24) & 255] ^ table[3][(v >> 32) & 255] ^ table[2][(v >> 40) & 255] ^
            table[1][(v >> 48) & 255] ^ table[0][v >> 56];
    }
    while (n--)
        c = table[0][(c ^ *p++) & 255] ^ (c >> 8);
    return ~c;
}
