#!/bin/sh
# SPDX-License-Identifier: MIT
# Line and branch coverage of mm/ and lib/ by the hosted tests: coverage.sh PROGRAM...   (make coverage)
# The programs were built by clang with -fprofile-instr-generate -fcoverage-mapping. Writes $DIR/report.txt, prints its sums.
# COVER (default "mm") names the folder that is measured.

dir=${DIR:?}
for tool in llvm-profdata llvm-cov; do
    command -v $tool >/dev/null || { echo "coverage needs $tool: apt-get install llvm" >&2; exit 2; }
done
rm -rf "$dir/profiles"
mkdir -p "$dir/profiles"
LLVM_PROFILE_FILE="$dir/profiles/%p.profraw"
export LLVM_PROFILE_FILE
sh tests/run-hosted.sh "$@" >"$dir/tests.log" 2>&1
status=$?
tail -1 "$dir/tests.log"
llvm-profdata merge -o "$dir/all.profdata" "$dir"/profiles/*.profraw || exit 2
objects=$1
shift
for p in "$@"; do
    objects="$objects -object $p"
done
llvm-cov report $objects -instr-profile="$dir/all.profdata" "${COVER:-mm}" >"$dir/report.txt" || exit 2
# Columns: name, regions missed %, functions missed %, lines missed %, branches missed %.
awk 'NF == 13 && $1 != "Filename" { printf "%-32s lines %8s  branches %8s\n", $1, $10, $13 }' "$dir/report.txt"
exit $status
