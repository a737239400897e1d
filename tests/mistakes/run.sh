#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes one mistake after the other in a copy of the tree, and asks whether the tests notice.
#
#   tests/mistakes/run.sh [NN...]      all of them, or those whose patch begins with NN
#
# A mistake is a patch, tests/mistakes/NN-name.patch. Above the diff it says
#   What:  in words
#   Test:  asan PROGRAM               a hosted test program, built with AddressSanitizer and UBSan
#          points PROGRAM [PAIR]      the same with a scheduling point at each atomic operation; one pair of operations
#          guest PATTERN              ./pagoda test PATTERN
# in the order in which they are tried; the first that fails has found it. If none does, all other hosted tests are tried.
# Before the first mistake the tests of an unchanged copy must pass: those that are named (NOCHECK=1 leaves that out).
#
#   DIR      where the copy and its builds live (build/mistakes); kept, so that a second run builds little
#   TIMEOUT  seconds for one test program (300); one that takes longer has found nothing
#   JOBS     of make (2)
#   QUICK    not empty: the named tests only
# The last line is the score; status 0 when every mistake was found.

cd "$(dirname "$0")/../.." || exit 2
dir=$(mkdir -p "${DIR:-build/mistakes}" && cd "${DIR:-build/mistakes}" && pwd) || exit 2
tree=$dir/tree
log=$dir/log
limit=${TIMEOUT:-300}
jobs=${JOBS:-2}

# The copy keeps the times of its files, so that make builds what changed.
mkdir -p "$tree"
for f in $(git ls-files -co --exclude-standard -- include lib mm host tests arch kernel cli user Makefile pagoda .clang-format) ; do
    [ -f "$f" ] || continue
    if ! cmp -s "$f" "$tree/$f"; then
        mkdir -p "$tree/$(dirname "$f")"
        old=$([ -f "$tree/$f" ] && echo y)
        cp -p "$f" "$tree/$f"
        [ -z "$old" ] || touch "$tree/$f"
    fi
done
(cd "$tree" && find include lib mm host tests arch kernel cli user -type f) | while read -r f; do
    [ -f "$f" ] || rm -f "$tree/$f"
done

# build KIND PROGRAM: prints nothing unless it fails
build() {
    case $1 in
    asan) make -s -C "$tree" -j"$jobs" "build/host-asan/$2" ;;
    points) make -s -C "$tree" -j"$jobs" SAN=points "build/host-points/$2" ;;
    guest) make -s -C "$tree" -j"$jobs" all guest ;;
    esac >"$dir/build.log" 2>&1
}

# try KIND PROGRAM [PAIR]: 0 when it passes, 1 when it fails, 2 when it does not build
try() {
    kind=$1
    program=$2
    shift 2
    build "$kind" "$program" || return 2
    case $kind in
    guest) (cd "$tree" && timeout 900 ./pagoda test --guest "$program") >"$log" 2>&1 </dev/null ;;
    *)
        if [ $# -gt 0 ]; then
            PAGODA_PAIR="$*" timeout "$limit" "$tree/build/host-$kind/$program" >"$log" 2>&1 </dev/null
        else
            timeout "$limit" "$tree/build/host-$kind/$program" >"$log" 2>&1 </dev/null
        fi
        ;;
    esac
    case $? in
    0) return 0 ;;
    124) return 0 ;; # too slow on this machine: it has found nothing
    *) return 1 ;;
    esac
}

# tests PATCH: one test in a line
tests() {
    sed -n 's/^Test:  *//p' "$1"
}

rm -rf "$dir/patches"
mkdir "$dir/patches"
cp tests/mistakes/[0-9]*.patch "$dir/patches/"
patches=
for p in "$dir"/patches/*.patch; do
    n=$(basename "$p")
    if [ $# -eq 0 ]; then
        patches="$patches $p"
    else
        for want; do
            case $n in "$want"*) patches="$patches $p" ;; esac
        done
    fi
done

if [ -z "${NOCHECK:-}" ]; then
    for p in $patches; do tests "$p"; done | sort -u >"$dir/named"
    while read -r test; do
        # shellcheck disable=SC2086
        if ! try $test; then
            echo "without a mistake: $test fails or does not build:"
            tail -n 20 "$log" "$dir/build.log"
            exit 2
        fi
    done <"$dir/named"
fi

found=0
total=0
missed=
printf '%-34s %-52s %6s\n' mistake 'found by' seconds
for p in $patches; do
    name=$(basename "$p" .patch)
    total=$((total + 1))
    if ! patch -s -f -p1 -d "$tree" --dry-run <"$p" >/dev/null 2>&1; then
        printf '%-34s %s\n' "$name" 'DOES NOT APPLY'
        missed="$missed $name"
        continue
    fi
    patch -s -f -p1 -d "$tree" --no-backup-if-mismatch <"$p" >/dev/null
    start=$(date +%s)
    by=
    broken=
    tests "$p" >"$dir/list"
    while read -r test; do
        # shellcheck disable=SC2086
        try $test
        case $? in
        1) by=$test ;;
        2) broken=1 ;;
        esac
        [ -z "$by$broken" ] || break
    done <"$dir/list"
    if [ -z "$by$broken${QUICK:-}" ]; then
        for t in $(cd "$tree" && find tests -name 'test_*.c' -not -path 'tests/guest/*' -not -path 'tests/linux/*' | sort); do
            try asan "${t%.c}" || { by="asan ${t%.c}"; break; }
        done
    fi
    end=$(date +%s)
    patch -s -f -R -p1 -d "$tree" --no-backup-if-mismatch <"$p" >/dev/null
    if [ -n "$broken" ]; then
        printf '%-34s %s\n' "$name" 'DOES NOT BUILD'
        missed="$missed $name"
    elif [ -z "$by" ]; then
        printf '%-34s %-52s %6d\n' "$name" 'NOT FOUND' $((end - start))
        missed="$missed $name"
    else
        found=$((found + 1))
        printf '%-34s %-52s %6d\n' "$name" "$by" $((end - start))
    fi
done
[ -z "$missed" ] || echo "missed:$missed"
echo "$found of $total mistakes found"
[ "$found" -eq "$total" ]
