# SPDX-License-Identifier: MIT
# A 9P file that stays open is written back when it is old, and its writer is braked when there is too much. Prints "ok".
import os
import sys
import time


def meminfo(name):
    for line in open("/proc/meminfo"):
        if line.startswith(name + ":"):
            return int(line.split()[1])


def set_knob(name, value):
    with open("/proc/sys/vm/" + name, "w") as f:
        f.write(str(value))


set_knob("dirty_expire_centisecs", 100)
set_knob("dirty_writeback_centisecs", 50)
path = os.path.join(sys.argv[1], "pagoda-p9-writeback.%d" % os.getpid())
f = os.open(path, os.O_RDWR | os.O_CREAT)
os.unlink(path)
os.write(f, b"x" * 1000000)
assert meminfo("Dirty") >= 900, meminfo("Dirty")
begin = time.time()
while meminfo("Dirty") + meminfo("Writeback") > 100:
    assert time.time() - begin < 20, "never written back"
    time.sleep(0.1)
set_knob("dirty_expire_centisecs", 3000)
set_knob("dirty_background_bytes", 1 << 20)
set_knob("dirty_bytes", 2 << 20)
most = 0
for i in range(256):
    os.pwrite(f, b"y" * 65536, i * 65536)
    most = max(most, meminfo("Dirty"))
assert most <= 4096, most
assert os.pread(f, 65536, 100 * 65536) == b"y" * 65536
os.fsync(f)
print("ok")
