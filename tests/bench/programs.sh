# What the cases share that measure a whole Windows program: both kinds of it are up at once, each in a room of its own,
# and asked in turn. Sourced with the arguments BUILD [ROUNDS]; results are lines "ws2host FIGURE" and "builtin FIGURE" on
# standard output.
builtin=
. "$(dirname "$0")/../apps/apps.sh"
rounds=${2:-3}
pids=

leave()
{
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill -9 $pids 2>/dev/null
    room_end "$work/ws2host"
    room_end "$work/builtin"
    rm -rf "$work"
}

# kind WHO: what is run from here on belongs to that room
kind()
{
    room_enter "$work/$1"
    builtin=
    [ "$1" = ws2host ] || builtin=--builtin
}

work=$(mktemp -d "${TMPDIR:-/tmp}/ws2host-$name.XXXXXX")
trap leave EXIT
trap 'exit 130' INT TERM
for who in ws2host builtin; do
    kind $who
    "$build/tools/ws2run" --prepare && windows reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null 2>&1 || exit 1
done
