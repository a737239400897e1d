#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs hosted test programs one after the other: run-hosted.sh PROGRAM...
#
#   PATTERN   run only the programs whose path matches this extended regular expression
#   TIMEOUT   seconds for each program (default 600)
#
# Each program's output is shown. The last line is "N passed, N failed", summed over the tests of all programs; a program
# that crashes, hangs or ends without a summary counts as one failed test; what a program skips itself is not counted. Status 0 only when something ran and all passed.

passed=0
failed=0
bad=
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

for program; do
    if [ -n "${PATTERN:-}" ] && ! printf '%s\n' "$program" | grep -Eq -e "$PATTERN"; then
        continue
    fi
    echo "== $program"
    timeout "${TIMEOUT:-600}" "$program" >"$log" 2>&1 </dev/null
    status=$?
    cat "$log"
    # cmocka's summary: "[  PASSED  ] 3 test(s)." and, if any, "[  FAILED  ] 1 test(s), listed below:"
    p=$(sed -n 's/^\[  PASSED  \] \([0-9][0-9]*\) test(s).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    f=$(sed -n 's/^\[  FAILED  \] \([0-9][0-9]*\) test(s).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    s=$(sed -n 's/^\[  SKIPPED \] \([0-9][0-9]*\) test(s).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then
        echo "== $program ended with status $status"
        f=1
    fi
    passed=$((passed + p))
    failed=$((failed + f))
    [ "$f" -eq 0 ] || bad="$bad $program"
done

[ -z "$bad" ] || echo "failed:$bad"
[ $((passed + failed)) -ne 0 ] || echo "no test program${PATTERN:+ matches $PATTERN}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ne 0 ]
