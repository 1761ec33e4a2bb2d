# What the runs of Windows programs share: a room with a prefix set to Windows 10, checks and figures. Sourced, after
# `name` is set, with the arguments BUILD [--builtin].
# The last line is "NAME: N passed, N failed"; lines "NAME: figure VALUE TEXT" are for the table of tests/apps/run.

build=$(cd "${1:?usage: run-$name BUILD [--builtin]}" && pwd) || exit 2
source=$(cd "$(dirname "$0")/../.." && pwd)
builtin=
[ "${2-}" != --builtin ] || builtin=--builtin
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ws2host
passed=0 failed=0

. "$source/tools/prefix.sh"

say()
{
    echo "$name: $*"
}

pass()
{
    passed=$((passed + 1))
    say "$*"
}

fail()
{
    failed=$((failed + 1))
    say "failed: $*"
}

# skip REASON: what the run needs is not to be had
skip()
{
    say "skipped: $*"
    exit 77
}

# need PROGRAM PACKAGE...: in pairs, programs of the host and the Debian packages that have them
need()
{
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || skip "$1 is not here: install Debian's $2, or all by tools/setup --apps"
        shift 2
    done
}

# fetch FOLDER PACKAGE@VERSION: a package of npm, unpacked into the cache; a rename makes it whole or absent
fetch()
{
    [ ! -d "$cache/$1" ] || return 0
    mkdir -p "$cache"
    (
        folder=$(mktemp -d "$cache/fetch.XXXXXX") && cd "$folder" || exit 1
        timeout 300 "$source/tools/fetch-package" "$2" >/dev/null 2>&1 && tar -xzf ./*.tgz && rm ./*.tgz && mv -- * "$cache/$1"
        status=$?
        rm -rf "$folder"
        exit $status
    ) || [ -d "$cache/$1" ] || skip "$2 cannot be fetched"
}

# fetch_jdk: sets jdk to the folder of the JDK for Windows that Bazel's package holds
fetch_jdk()
{
    jdk=$cache/jdk-11.0.2
    [ ! -d "$jdk" ] || return 0
    fetch bazel-2.1.0 @bazel/bazel-win32_x64@2.1.0
    rm -rf "$jdk.new"
    unzip -q "$cache/bazel-2.1.0/bazel-2.1.0-windows-x86_64.exe" 'embedded_tools/jdk/*' -d "$jdk.new" 2>/dev/null # of an archive behind a program
    mv "$jdk.new/embedded_tools/jdk" "$jdk" || skip "no JDK in Bazel's program"
    rm -rf "$jdk.new"
}

windows_path()
{
    echo "Z:${1//\//\\}"
}

free_port()
{
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo $port
}

# certificate [KEY CERTIFICATE]: of localhost, and the key, into $work/key.pem and $work/cert.pem
certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "${1-$work/key.pem}" -out "${2-$work/cert.pem}" -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
}

windows() # PROGRAM...
{
    "$build/tools/ws2run" $builtin "$@"
}

# own_network ARGUMENT...: the run again, with its arguments, in a network of its own, where that can be had. Called when all is fetched.
own_network()
{
    [ -z "${WS2HOST_TEST_NETWORK-}${asked_for_network-}" ] || return 0
    asked_for_network=1 exec "$source/tests/own-network" "$0" "$@"
}

# enter: makes the room, or ends the run
enter()
{
    work=$(mktemp -d "${TMPDIR:-/tmp}/ws2host-$name.XXXXXX")
    trap 'room_end "$work"' EXIT
    trap 'exit 130' INT TERM
    room_enter "$work"
    if ! timeout 120 "$build/tools/ws2run" --prepare ||
        ! timeout 60 "$build/tools/ws2run" $builtin reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null 2>&1
    then
        fail "prefix"
        finish
    fi
}

# check_table: nothing is left in the table, some moments after the last process has ended
check_table()
{
    [ -z "$builtin" ] || return 0
    local turn
    for turn in 1 2 3 4 5 6 7 8 9 10; do
        "$build/tools/ws2ctl" list >"$work/table" 2>&1
        grep -q '127\.0\.0\.1\|::1' "$work/table" || { pass "no socket is left"; return; }
        sleep 0.3
    done
    fail "sockets are left ($turn looks)"
    cat "$work/table"
}

finish()
{
    say "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# count_lines WANTED STATUS [TEXT [OF]]: a program's own checks, lines "ok TEXT" and "not ok TEXT", figures and "end" in
# $work/output; TEXT names the run, OF stands before its figures
count_lines()
{
    local good bad text=${3:+$3: }
    good=$(grep -c '^ok ' "$work/output")
    bad=$(grep -c '^not ok ' "$work/output")
    grep '^not ok ' "$work/output" | cut -c 1-600
    passed=$((passed + good)) failed=$((failed + bad))
    sed -n "s/^figure \([0-9.]*\) /$name: figure \1 ${4:+$4: }/p" "$work/output"
    say "$text$good of $1 checks, $bad failed"
    if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
        fail "${text}exit status $2 after: $(tail -n 1 "$work/output")"
        tail -n 5 "$work/errors"
    elif [ "$bad" -eq 0 ] && { [ "$good" -ne "$1" ] || ! tr -d '\r' <"$work/output" | grep -qx end; }; then
        fail "$text$good checks, not $1"
    fi
}

# family PID: all that it started
family()
{
    local one
    for one in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do echo "$one"; family "$one"; done
}

# killed PID URL: a server is killed under a load; what its clients have ends, and nothing is left of it
killed()
{
    local turn ended clients=
    for turn in $(seq 20); do
        (while curl -s --max-time 20 -o /dev/null "$2"; do :; done) &
        clients="$clients $!"
    done
    sleep 1
    kill -9 "$1"
    wait "$1" 2>/dev/null
    ended=0
    for turn in $clients; do ! wait "$turn" || ended=$((ended + 1)); done
    equal "killed under 20 clients, and all have ended" $ended 20
}

# --- HTTP servers ---

sum_of() # FILE
{
    sha256sum <"$1" | cut -d ' ' -f 1
}

# same TEXT FILE CURL-ARGUMENT...: what curl fetches is the file
same()
{
    local text=$1 file=$2 got
    shift 2
    got=$(curl -sS --max-time 60 "$@" 2>"$work/errors" | sha256sum | cut -d ' ' -f 1)
    if [ "$got" = "$(sum_of "$file")" ]; then pass "$text"; else fail "$text"; cat "$work/errors"; fi
}

# equal TEXT VALUE EXPECTED
equal()
{
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: $2, not $3"; fi
}

wait_for_port() # FILE PID: what a server says, "port N"
{
    local turn
    for turn in $(seq 150); do
        sed -n 's/^port \([0-9]*\).*/\1/p' "$1" 2>/dev/null | grep . && return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.2
    done
    echo "no port after $turn looks"
    return 1
}

wait_for_server() # URL PID
{
    local turn
    for turn in $(seq 150); do
        curl -s -k -o "$work/first" --max-time 2 "$1" && return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.2
    done
    fail "no server at $1 ($turn looks)"
    return 1
}

# load TEXT URL FILE CONNECTIONS: a figure
load()
{
    local rate
    if rate=$(timeout 60 node "$source/tests/apps/http_load.js" "$2" 3 "$4" "$(sum_of "$3")" 2>"$work/errors"); then
        pass "$1, $4 connections"
        say "figure $rate requests per second, $1, $4 connections"
    else
        fail "$1, $4 connections"
        tail -n 3 "$work/errors"
    fi
}

# many TEXT URL FILE COUNT: so many requests, each over a connection of its own, 20 at a time
many()
{
    local right
    # shellcheck disable=SC2016
    right=$(seq "$4" | URL=$2 xargs -P 20 -I{} sh -c 'curl -sS --max-time 30 "$URL" 2>/dev/null | sha256sum' |
        grep -c "^$(sum_of "$3")")
    equal "$1" "$right" "$4"
}

# the Go and Rust programs of today want a DLL that Wine 8 lacks
add_bcryptprimitives()
{
    [ ! -f "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ] || return 0
    cp "$build/tests/apps/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
}
