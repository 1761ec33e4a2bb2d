# What the scripts here share: a room with a prefix and a server of its own, checks and counts. Sourced with $build set.
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source/tools/prefix.sh"
programs=$build/tests/robust
work=$(mktemp -d "${TMPDIR:-/tmp}/ws2host-robust.XXXXXX")
# prefix and server directory: spaces and more than ASCII in their paths
room="$work/a room $(printf '\303\244 \346\227\245\346\234\254')"
ours= # ids of what runs in the background
cleanup()
{
    # shellcheck disable=SC2086
    [ -z "$ours" ] || kill $ours 2>/dev/null
    room_end "$room"
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

passed=0 failed=0
check() # TEXT COMMAND...
{
    local text=$1
    shift
    if "$@"; then passed=$((passed + 1)); echo "robust: $text"
    else failed=$((failed + 1)); echo "robust: failed: $text"
    fi
}

# named NAME: ids of the room's processes with that name
named() { room_find "$room" "*:$1"; }

# soon SECONDS COMMAND...: until it is true
soon()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# table DESCRIPTORS TICKETS: of the whole prefix
table()
{
    local json
    json=$("$build/tools/ws2ctl" list --json 2>/dev/null)
    seen="$(grep -o '"descriptors": *[0-9]*' <<<"$json" | awk -F: '{ n += $2 } END { print n + 0 }') $(grep -c '"target":' <<<"$json")"
    [ "$seen" = "$1 $2" ]
}

lines() { [ "$(grep -c "$1" "$work/output" 2>/dev/null)" -ge "$2" ]; }
# what a server that nobody needs has gone
no_server() { [ -z "$(named ws2server)" ]; }
shared() { "$build/tools/ws2ctl" list --json 2>/dev/null | grep -c '"shared": *true'; }
table_shared() { [ "$(shared)" -ge $((connections * 2)) ]; }

# --- four processes with echo traffic, told by the stage file to come to rest (1), close (2) and end (3)
start_echo()
{
    : >"$work/stage"
    "$build/tools/ws2run" "$programs/echo.exe" 4 "$connections" "Z:$work/stage" </dev/null >"$work/output" 2>&1 &
    echo_program=$!
    ours="$ours $echo_program"
    check "4 processes with $connections connections each share sockets" soon 60 table_shared
}

end_echo()
{
    local expected=$((4 * connections * 2))
    echo 1 >"$work/stage"
    check "all come to rest" soon 30 lines 'at rest' 4
    check "counts right: $expected descriptors, no tickets" soon 10 table $expected 0
    echo "robust: table: $seen"
    echo 2 >"$work/stage"
    check "empty after the last closesocket" soon 20 table 0 0
    echo 3 >"$work/stage"
    wait $echo_program
    check "no wrong error, no byte lost" [ $? -eq 0 ]
    grep -a '^echo: [0-9]* blocks\|error\|ws2host:' "$work/output" | head -20
}

killed_servers=0
kill_server()
{
    local pid
    for pid in $(named ws2server); do kill -KILL "$pid" 2>/dev/null && killed_servers=$((killed_servers + 1)); done
}

stopped=0

# stop_for SECONDS PID...: they do not run for so long, and go on
stop_for()
{
    local seconds=$1 pid
    shift
    for pid; do kill -STOP "$pid" 2>/dev/null && stopped=$((stopped + 1)); done
    sleep "$seconds"
    for pid; do kill -CONT "$pid" 2>/dev/null; done
}

# --- processes to be killed, and the host program at the other end of their connections
start_churn()
{
    # in a shell of its own, which does not tell of its end
    (setsid "$build/tools/ws2run" "$programs/churn.exe" "$port" </dev/null >>"$work/churn" 2>&1 &)
}

start_peer()
{
    mkfifo "$work/peer" "$work/ask"
    "$programs/peer" <"$work/ask" >"$work/peer" &
    ours="$ours $!"
    exec 4>"$work/ask" 3<"$work/peer"
    read -r -t 10 port <&3
}
ask_peer() { echo >&4; read -r -t 10 accepted open <&3; }
peer_ended() { ask_peer; [ "$open" = 0 ]; }

killed=0
kill_one_churn()
{
    local pids
    mapfile -t pids < <(named churn.exe)
    [ ${#pids[@]} -gt 0 ] || { sleep 1; return; }
    kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null && killed=$((killed + 1))
    start_churn
}

# those that are just starting too
kill_all_churn()
{
    local i victim
    for i in 1 2 3 4 5 6; do
        for victim in $(named churn.exe) $(named start.exe); do kill -KILL "$victim" 2>/dev/null; done
        sleep 0.5
    done
}

robust_begin()
{
    room_enter "$room"
    "$build/tools/ws2run" --prepare || { echo "robust: no prefix"; echo "robust: 0 passed, 1 failed"; exit 1; }
}

robust_end()
{
    echo "robust: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
