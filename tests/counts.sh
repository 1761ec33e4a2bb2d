# What the scripts of tests share: checks that are counted, and the last line of all. Sourced.
# shellcheck shell=bash

part=${0##*/run-} # the name in messages
passed=0 failed=0 context= # of what follows, in messages

# expect TEXT WANTED GOT
expect()
{
    if [ "$2" = "$3" ]; then passed=$((passed + 1))
    else failed=$((failed + 1)); printf '%s: failed: %s\n  wanted: %s\n  got:    %s\n' "$part" "${context:+$context, }$1" "$2" "$3"
    fi
}

# wait_for COMMAND...: until it succeeds, 20 s at most
wait_for() { for _ in $(seq 200); do "$@" && return 0; sleep 0.1; done; return 1; }

# counts: the last line; fails when a check did
counts() { echo "$part: $passed passed, $failed failed"; [ "$failed" -eq 0 ]; }
# give_up WHY: a script that cannot go on
give_up() { echo "$part: $*"; failed=$((failed + 1)); counts; exit 1; }
# skip WHY: nothing is counted
skip() { echo "$part: skipped: $*"; exit 77; }
