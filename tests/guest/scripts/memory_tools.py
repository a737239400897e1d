#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The usual tools look at memory, and their figures agree with /proc and with each other.

Prints one line for each check; a failed one says what two figures it compared. Ends with 1 if any failed."""
import mmap
import os
import re
import subprocess
import sys
import time

failures = 0


def check(what, a, b, slack=0):
    """Two figures of one thing, in the same unit, equal but for slack (things move between two looks)."""
    global failures
    if abs(a - b) <= slack:
        print("ok    " + what)
    else:
        failures += 1
        print("FAIL  %s: %s and %s differ by more than %s" % (what, a, b, slack))


def run(*command, **env):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C", **env))
    if r.returncode or r.stderr:
        global failures
        failures += 1
        print("FAIL  %s: status %d, %s" % (" ".join(command), r.returncode, r.stderr.strip()))
    return r.stdout


def table(path):
    """Lines 'Name: number ...' or 'name number' of a file."""
    out = {}
    for line in open(path):
        m = re.match(r"(\S+?):?\s+(-?\d+)", line)
        if m:
            out[m.group(1)] = int(m.group(2))
    return out


def meminfo():
    return table("/proc/meminfo")


MIB = 1 << 20
MOVES = 6 * 1024  # kB that may come and go between two looks
SHARES = 1536  # kB of libraries that the tool itself maps, too, while it looks

SUBJECT = """
import os, sys, time
keep = bytearray(%d)
for i in range(0, len(keep), 4096):
    keep[i] = 1
child = os.fork()
if not child:
    for i in range(0, len(keep) // 4, 4096):
        keep[i] = 2
open(sys.argv[1], "a").write("x")
while os.getppid() != 1:
    time.sleep(0.2)
""" % (48 * MIB)


def start_subject():
    """A process with 48 MiB and its child, which shares three quarters of them; both sleep."""
    flag = "/tmp/memory_tools.flag"
    if os.path.exists(flag):
        os.unlink(flag)
    p = subprocess.Popen([sys.executable, "-c", SUBJECT, flag])
    while not os.path.exists(flag) or os.path.getsize(flag) < 2:
        time.sleep(0.1)
    kids = open("/proc/%d/task/%d/children" % (p.pid, p.pid)).read().split() if os.path.exists(
        "/proc/%d/task/%d/children" % (p.pid, p.pid)) else []
    if not kids:
        kids = [d for d in os.listdir("/proc") if d.isdigit() and int(open("/proc/%s/stat" % d).read().rsplit(")")[1].split()[1]) == p.pid]
    time.sleep(0.5)
    return p, int(kids[0])


def whole_machine():
    m = meminfo()
    f = run("free", "-k").splitlines()[1].split()
    check("free: total", int(f[1]), m["MemTotal"])
    check("free: free", int(f[3]), m["MemFree"], MOVES)
    check("free: shared", int(f[4]), m["Shmem"], MOVES)
    check("free: buff/cache", int(f[5]), m["Buffers"] + m["Cached"] + m["SReclaimable"], MOVES)
    check("free: available", int(f[6]), m["MemAvailable"], MOVES)
    m = meminfo()
    v = run("vmstat").splitlines()[-1].split()
    check("vmstat: free", int(v[3]), m["MemFree"], MOVES)
    check("vmstat: buff and cache", int(v[4]) + int(v[5]), m["Buffers"] + m["Cached"] + m["SReclaimable"], MOVES)
    check("vmstat: us + sy + id + wa + st", sum(map(int, v[12:17])), 100, 2)
    s = {line.strip().split(" ", 1)[1].strip(): int(line.strip().split(" ", 1)[0]) for line in run("vmstat", "-s").splitlines() if line.strip()}
    check("vmstat -s: total", s["K total memory"], m["MemTotal"])
    check("vmstat -s: active + inactive", s["K active memory"] + s["K inactive memory"], m["Active"] + m["Inactive"], MOVES)
    top = run("top", "-b", "-n", "1")
    total = float(re.search(r"MiB Mem :\s*([\d.]+) total", top).group(1))
    check("top: total", total, m["MemTotal"] / 1024, 0.06)
    m = meminfo()
    check("meminfo: Active and Inactive are sums", m["Active"] + m["Inactive"],
          m["Active(anon)"] + m["Active(file)"] + m["Inactive(anon)"] + m["Inactive(file)"])
    check("meminfo: Slab is a sum", m["Slab"], m["SReclaimable"] + m["SUnreclaim"])
    z = table("/proc/vmstat")
    m = meminfo()
    for row, name in (("nr_free_pages", "MemFree"), ("nr_anon_pages", "AnonPages"), ("nr_mapped", "Mapped"),
                      ("nr_shmem", "Shmem"), ("nr_mlock", "Mlocked"), ("nr_page_table_pages", "PageTables")):
        check("vmstat %s and meminfo %s" % (row, name), z[row] * 4, m[name], MOVES)
    free = sum(int(w) << i for line in open("/proc/buddyinfo") for i, w in enumerate(line.split()[4:]))
    check("buddyinfo and meminfo MemFree", free * 4, meminfo()["MemFree"], MOVES)


def slabs():
    rows = [line.split() for line in open("/proc/slabinfo").read().splitlines()[2:]]
    text = run("slabtop", "-o")
    head = {}
    for line in text.splitlines()[:5]:
        m = re.match(r"\s*Active / Total (\w+) \(% used\)\s*:\s*([\d.]+)K? / ([\d.]+)K?", line)
        if m:
            head[m.group(1)] = float(m.group(3))
    objects = sum(int(r[2]) for r in rows)
    check("slabtop: objects", head["Objects"], objects, objects // 20 + 200)
    size = sum(int(r[2]) * int(r[3]) for r in rows) / 1024
    check("slabtop: size", head["Size"], size, size / 10 + 64)
    kb = sum(int(r[14]) * int(r[5]) * 4 for r in rows)
    check("slabinfo and meminfo Slab", kb, meminfo()["Slab"], 2048)


def one_process(pid):
    status, rollup = table("/proc/%d/status" % pid), table("/proc/%d/smaps_rollup" % pid)
    stat = open("/proc/%d/stat" % pid).read().rsplit(")")[1].split()
    statm = list(map(int, open("/proc/%d/statm" % pid).read().split()))
    smaps = {}
    for line in open("/proc/%d/smaps" % pid):
        m = re.match(r"(\w+):\s+(\d+) kB", line)
        if m:
            smaps[m.group(1)] = smaps.get(m.group(1), 0) + int(m.group(2))
    rss = status["VmRSS"]
    check("status: RssAnon + RssFile + RssShmem", status["RssAnon"] + status["RssFile"] + status["RssShmem"], rss)
    check("smaps: Rss", smaps["Rss"], rss)
    check("smaps_rollup: Rss", rollup["Rss"], rss)
    check("smaps_rollup: Pss and the areas'", rollup["Pss"], smaps["Pss"], len(open("/proc/%d/maps" % pid).readlines()))
    check("smaps_rollup: Pss is the sum of its kinds", rollup["Pss"], rollup["Pss_Anon"] + rollup["Pss_File"] + rollup["Pss_Shmem"], 3)
    check("smaps: shared + private", sum(smaps[k] for k in ("Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty")), rss)
    check("smaps: Size", smaps["Size"], status["VmSize"])
    check("statm: size", statm[0] * 4, status["VmSize"])
    check("statm: resident", statm[1] * 4, rss)
    check("statm: shared", statm[2] * 4, status["RssFile"] + status["RssShmem"])
    ps = list(map(int, run("ps", "-o", "rss=,vsz=,maj_flt=,min_flt=", "-p", str(pid)).split()))
    check("ps: rss", ps[0], rss)
    check("ps: vsz", ps[1], status["VmSize"])
    check("ps: maj_flt", ps[2], int(stat[9]))
    check("ps: min_flt", ps[3], int(stat[7]), 20)  # it wakes now and then
    row = [r for r in run("top", "-b", "-n", "1", "-p", str(pid)).splitlines() if r.split()[:1] == [str(pid)]][0].split()
    check("top: RES", int(row[5]), rss)
    check("top: VIRT", int(row[4]), status["VmSize"])
    lines = run("pmap", "-XX", str(pid)).splitlines()
    names, sums = lines[1].split(), lines[-1].split()
    total = dict(zip([n for n in names if n in smaps], map(int, [s for s in sums if s.isdigit()])))
    check("pmap -XX: Size", total["Size"], status["VmSize"])
    check("pmap -XX: Rss", total["Rss"], rss)
    check("pmap -XX: Pss", total["Pss"], smaps["Pss"], SHARES)
    check("pmap -XX: Anonymous", total["Anonymous"], status["RssAnon"])
    x = run("pmap", "-x", str(pid)).splitlines()[-1].split()
    check("pmap -x: total", int(x[2]), status["VmSize"])
    check("pmap -x: resident", int(x[3]), rss)
    smem = run("smem", "-H", "-P", "^" + re.escape(sys.executable) + " -c", "-c", "pid uss pss rss")
    mine = [r.split() for r in smem.splitlines() if r.split()[0] == str(pid)][0]
    check("smem: USS", int(mine[1]), smaps["Private_Clean"] + smaps["Private_Dirty"], SHARES)
    check("smem: PSS", int(mine[2]), smaps["Pss"], SHARES)
    check("smem: RSS", int(mine[3]), rss)
    return smaps, rss


def faults():
    before = table("/proc/vmstat")["pgfault"]
    sar = subprocess.Popen(["sar", "-B", "3", "1"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C"))
    time.sleep(1)
    keep = mmap.mmap(-1, 20 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        keep.madvise(mmap.MADV_NOHUGEPAGE)
    except OSError:
        pass  # there are no huge pages
    for i in range(0, len(keep), 4096):
        keep[i] = 1
    out = sar.communicate()[0]
    seen = table("/proc/vmstat")["pgfault"] - before
    average = [line for line in out.splitlines() if line.startswith("Average")][-1].split()
    got = float(average[3]) * 3
    check("sar -B: fault/s, beside vmstat's pgfault", got, seen, 2600)
    check("sar -B: at least the pages that were touched", min(got, 5120), 5120, 300)


def screen(pid, rss):
    run("tmux", "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "htop -p %d" % pid, TERM="xterm")
    text = ""
    for _ in range(60):
        time.sleep(0.5)
        text = run("tmux", "capture-pane", "-p")
        if re.search(r"^\s*%d root" % pid, text, re.M):
            break
    run("tmux", "kill-server")
    m = re.search(r"Mem\[.*?([\d.]+)([KMG])/([\d.]+)([KMG])\]", text)
    row = re.search(r"^\s*%d root\s+\d+\s+\d+\s+(\S+)\s+(\S+)" % pid, text, re.M)
    if not m or not row:
        global failures
        failures += 1
        print("FAIL  htop shows no memory or no process:\n" + text)
        return
    unit = {"K": 1, "M": 1024, "G": 1024 * 1024}

    def kb(word):
        return float(word[:-1]) * unit[word[-1]] if word[-1] in unit else int(word)

    check("htop: total", kb(m.group(3) + m.group(4)), meminfo()["MemTotal"], 1024)
    check("htop: RES", kb(row.group(2)), rss, 60)


def main():
    whole_machine()
    slabs()
    parent, child = start_subject()
    a, rss = one_process(parent.pid)
    b, _ = one_process(child)
    # 48 MiB once, and the 12 that the child wrote to once more
    check("Pss of both: each page counts once", a["Pss_Dirty"] + b["Pss_Dirty"], 60 * 1024, 12 * 1024)
    check("shared by both: 36 MiB", a["Shared_Dirty"], 36 * 1024, 8 * 1024)
    screen(parent.pid, rss)
    parent.kill()
    os.kill(child, 9)
    parent.wait()
    faults()
    print("%d failed" % failures)
    sys.exit(1 if failures else 0)


main()
