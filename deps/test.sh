#!/bin/sh
# Runs the tests of both languages and ends with the line "N passed, M failed", summed over them.
#
#   sh deps/setup.sh sh deps/test.sh            every test
#   sh deps/setup.sh sh deps/test.sh views …    all Rust tests, and the named files of test/
#
# A language whose tests do not run to their end, or are none, counts as one failure at least.
set -u
cd "$(dirname -- "$0")/.." || exit 1
logs=.tools/log
mkdir -p "$logs"

# run NAME COMMAND...: shows the output and keeps it in NAME.log, the exit status in NAME.status.
run() {
    name=$1
    shift
    { "$@" 2>&1; echo $? > "$logs/$name.status"; } </dev/null | tee "$logs/$name.log"
}
julia_tests() {
    julia --project=. --startup-file=no deps/prepare.jl || return
    julia --project=. --startup-file=no -e 'import Pkg; Pkg.test(; test_args = ARGS)' -- "$@"
}

run rust cargo test --locked --workspace --no-fail-fast --manifest-path rust/Cargo.toml
run julia julia_tests "$@"

# tally NAME PATTERN: the sums of the two numbers in the lines that match, the second raised where the run broke off.
tally() {
    sed -n "s/$2/\1 \2/p" "$logs/$1.log" | awk -v status="$(cat "$logs/$1.status")" '
        { passed += $1; failed += $2 }
        END { if (!failed && (status != 0 || !passed)) failed = 1; print passed + 0, failed + 0 }'
}
set -- $(tally rust '^test result: [a-zA-Z]*\. \([0-9]*\) passed; \([0-9]*\) failed;.*') \
    $(tally julia '^Julia tests: \([0-9]*\) passed, \([0-9]*\) failed$')
[ "$2" = 0 ] || echo "Rust: $1 passed, $2 failed; see $logs/rust.log"
[ "$4" = 0 ] || echo "Julia: $3 passed, $4 failed; see $logs/julia.log"
echo "$(($1 + $3)) passed, $(($2 + $4)) failed"
[ $(($2 + $4)) = 0 ]
