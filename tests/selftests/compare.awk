# SPDX-License-Identifier: MIT
# Two logs of one selftest, Linux's and Pagoda's, as one row of the table. A line "ok N TEXT" counts by its text without
# the number and behind the "[RUN] TEXT" before it, since a kernel with fewer cases numbers them otherwise, and without
# what differs from run to run. Cases of huge pages and of NUMA (migration) do not count.
function verdict(k,    s) {
    s = status[k] == 0 ? "pass" : status[k] == 4 ? "skip" : status[k] == 124 ? "time is up" : "fail"
    if (ok[k] + no[k] + skip[k] > 1) {
        s = s " (" ok[k] + 0 " ok"
        if (no[k]) s = s ", " no[k] " not"
        if (skip[k]) s = s ", " skip[k] " skipped"
        s = s ")"
    }
    return s
}
FNR == 1 { k++; run = "" }
/\[RUN\]/ { run = $0; labelled[k] = 1 }
/\[INFO\]/ && !labelled[k] { run = $0 }
{ sub(/\r$/, "") }
/^status [0-9]+$/ { status[k] = $2; next }
/^[ \t]*(ok|not ok) [0-9]/ {
    if ((run $0) ~ /THP|collapsing|[Pp]age migration|[Hh]ugetlb|[Hh]uge ?(zero)?page|hpage/) next
    line = run $0
    skipped = line ~ /# *SKIP/
    good = $0 ~ /^[ \t]*ok/
    sub(/(not )?ok [0-9]+ */, "", line)
    gsub(/Extra pages.*|0x[0-9a-f]+|[0-9]+\.[0-9]+|[0-9]+ *[mnu]?s/, "N", line)
    if (skipped) { skip[k]++; next }
    if (!good) { no[k]++; next }
    ok[k]++
    if (k == 1) want[line]++
    else have[line]++
}
/^Testing .*\.\.\. *(done|skipped|failed)/ { # uffd-unit-tests
    if (/hugetlb|move-pmd|minor-collapse/) next # huge pages
    line = $0
    sub(/\.\.\..*/, "", line)
    if (/ skipped/) { skip[k]++; next }
    if (/ failed/) { no[k]++; next }
    ok[k]++
    if (k == 1) want[line]++
    else have[line]++
}
END {
    for (line in want) if (have[line] < want[line]) lost += want[line] - have[line]
    note = status[1] == 0 && status[2] != 0 ? "worse" : lost ? "worse: " lost : ""
    printf "| `%s` | %s | %s | %s |\n", name, verdict(1), verdict(2), note
}
