# SPDX-License-Identifier: MIT
# Block devices as files: vda (32 MiB, empty) and vdb (1 MiB, read-only). Prints "ok".
import errno
import fcntl
import mmap
import os
import resource
import struct
import time
import zlib

BLKRRPART, BLKFLSBUF, BLKDISCARD, BLKZEROOUT = 0x125F, 0x1261, 0x1277, 0x127F
SIZE = 32 << 20


def fails(number, call, *args):
    try:
        call(*args)
    except OSError as e:
        assert e.errno == number, (call, args, e)
        return
    raise AssertionError((call, args, "went through"))


def meminfo(name):
    for line in open("/proc/meminfo"):
        if line.startswith(name + ":"):
            return int(line.split()[1])


def pattern(block):
    return struct.pack("<Q", block * 0x9E3779B97F4A7C15 % 2**64) * 512


def io_counts():
    io = dict(line.split(":") for line in open("/proc/self/io"))
    u = resource.getrusage(resource.RUSAGE_SELF)
    assert int(io["write_bytes"]) // 512 == u.ru_oublock, (io, u)
    assert int(io["read_bytes"]) // 512 >= u.ru_inblock, (io, u) # with those of children
    return u.ru_inblock, u.ru_oublock


def reads_and_writes():
    f = os.open("/dev/vda", os.O_RDWR)
    read0, written0 = io_counts()
    pages = len(range(0, SIZE // 4096, 3))
    before = meminfo("Buffers")
    for block in range(0, SIZE // 4096, 3):
        assert os.pwrite(f, pattern(block), block * 4096) == 4096
    assert os.pwrite(f, b"x" * 100, 5000) == 100
    assert io_counts()[1] - written0 == (pages + 1) * 8, "a page counts when it becomes dirty"
    os.fsync(f)
    assert meminfo("Buffers") - before >= SIZE // 4096 // 3 * 4, "the cache of a device counts as Buffers"
    fcntl.ioctl(f, BLKFLSBUF, 0)
    assert meminfo("Buffers") < 64, "what is clean leaves on request"
    for block in range(0, SIZE // 4096, 3):
        assert os.pread(f, 4096, block * 4096) == pattern(block), block
    assert pages * 8 <= io_counts()[0] - read0 <= 2 * SIZE // 512, io_counts()
    assert os.pread(f, 102, 4999) == b"\0" + b"x" * 100 + b"\0"
    assert os.lseek(f, 0, os.SEEK_END) == SIZE
    assert os.read(f, 1) == b""
    fails(errno.ENOSPC, os.write, f, b"beyond")
    assert os.pwrite(f, b"y" * 4096, SIZE - 100) == 100, "up to the end"
    fails(errno.EINVAL, os.lseek, f, SIZE + 1, os.SEEK_SET)
    os.close(f)


def set_knob(name, value):
    f = os.open("/proc/sys/vm/" + name, os.O_WRONLY)
    try:
        os.write(f, str(value).encode())
    finally:
        os.close(f)


def grows_old():
    set_knob("dirty_expire_centisecs", 200)
    set_knob("dirty_writeback_centisecs", 20)
    time.sleep(1)  # the period that runs still is a long one on Linux
    f = os.open("/dev/vda", os.O_RDWR)
    os.pwrite(f, b"w" * (4 << 20), 1 << 20)
    assert meminfo("Dirty") >= 1024, meminfo("Dirty")  # Linux's counters may lag behind by some pages of each CPU
    for _ in range(100):
        time.sleep(0.1)
        if meminfo("Dirty") < 1024:
            break
    assert meminfo("Dirty") < 1024, "old pages are written by themselves"
    os.close(f)
    set_knob("dirty_bytes", 1 << 20)
    assert open("/proc/sys/vm/dirty_ratio").read() == "0\n"
    fails(errno.EINVAL, set_knob, "dirty_bytes", 4096)
    f = os.open("/dev/vda", os.O_RDWR)
    for block in range(16):
        os.pwrite(f, b"v" * (1 << 20), block << 20)
        assert meminfo("Dirty") <= 2048, "writers wait at the limit"
    os.close(f)
    set_knob("dirty_ratio", 20)


def mapped():
    f = os.open("/dev/vda", os.O_RDWR)
    m = mmap.mmap(f, 1 << 20)
    m[8192:8196] = b"mmap"
    assert os.pread(f, 4, 8192) == b"mmap", "one frame for all who map or read"
    m.flush()
    m.close()
    os.close(f)
    f = os.open("/dev/vda", os.O_RDONLY)
    assert os.pread(f, 4, 8192) == b"mmap", "the last close wrote it back and dropped it"
    os.close(f)


def ranges():
    f = os.open("/dev/vda", os.O_RDWR)
    os.pwrite(f, b"z" * 65536, 0)
    fcntl.ioctl(f, BLKZEROOUT, struct.pack("QQ", 4096, 8192))
    assert os.pread(f, 16384, 0) == b"z" * 4096 + b"\0" * 8192 + b"z" * 4096
    fcntl.ioctl(f, BLKDISCARD, struct.pack("QQ", 16384, 4096))
    assert os.pread(f, 4096, 20480) == b"z" * 4096
    fails(errno.EINVAL, fcntl.ioctl, f, BLKDISCARD, struct.pack("QQ", 1, 4096))
    fails(errno.EINVAL, fcntl.ioctl, f, BLKDISCARD, struct.pack("QQ", SIZE, 4096))
    r = os.open("/dev/vda", os.O_RDONLY)
    fails(errno.EBADF, fcntl.ioctl, r, BLKDISCARD, struct.pack("QQ", 0, 4096))
    os.close(r)
    os.close(f)


def rights():
    f = os.open("/dev/vdb", os.O_RDWR)
    fails(errno.EPERM, os.write, f, b"no")
    assert os.read(f, 4096) == b"\0" * 4096
    os.close(f)
    a = os.open("/dev/vda", os.O_RDONLY | os.O_EXCL)
    fails(errno.EBUSY, os.open, "/dev/vda", os.O_RDONLY | os.O_EXCL)
    os.close(a)
    os.close(os.open("/dev/vda", os.O_RDONLY | os.O_EXCL))


def entry(first, last):
    return b"\x11" * 32 + struct.pack("<QQ", first, last) + b"\0" * 80


def partitions():
    entries = (entry(2048, 4095) + entry(4096, 8191)).ljust(128 * 128, b"\0")

    def header(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, 1, SIZE // 512 - 1, 34, SIZE // 512 - 34,
                           b"g" * 16, 2, 128, 128, zlib.crc32(entries))

    mbr = b"\0" * 450 + b"\xee" + b"\0" * 3 + struct.pack("<II", 1, SIZE // 512 - 1) + b"\0" * 48 + b"\x55\xaa"
    f = os.open("/dev/vda", os.O_RDWR)
    os.pwrite(f, mbr + header(zlib.crc32(header(0))).ljust(512, b"\0") + entries, 0)
    os.fsync(f)
    fcntl.ioctl(f, BLKRRPART, 0)
    os.close(f)
    assert open("/sys/block/vda/vda2/size").read() == "4096\n"
    p = os.open("/dev/vda2", os.O_RDWR)
    assert os.lseek(p, 0, os.SEEK_END) == 4096 * 512
    os.pwrite(p, b"second", 0)
    f = os.open("/dev/vda", os.O_RDWR)
    fails(errno.EBUSY, fcntl.ioctl, f, BLKRRPART, 0)
    os.close(p)
    assert os.pread(f, 6, 4096 * 512) == b"second", "a partition is a part of its disk"
    os.pwrite(f, b"\0" * 512, 0)
    os.fsync(f)
    fcntl.ioctl(f, BLKRRPART, 0)
    os.close(f)
    fails(errno.ENOENT, os.open, "/dev/vda2", os.O_RDONLY)


reads_and_writes()
grows_old()
mapped()
ranges()
rights()
partitions()
assert meminfo("Buffers") == 0, "nobody has a device open"
print("ok")
