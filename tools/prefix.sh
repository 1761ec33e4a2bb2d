# Prefixes of our own for tests and demonstrations: made once, copied cheaply, and ended without a trace. Sourced.
# A room is a folder with a prefix and a server directory of its own; whatever runs in it carries WS2HOST_DIR of that
# room in its environment, which is how its processes, and no others, are found at the end.

unset DISPLAY WAYLAND_DISPLAY
export WINEDEBUG="${WINEDEBUG--all}"

# build: the build folder, whose ws2ctl decides which loader that is
# shellcheck disable=SC2154
prefix_wineserver=$("$build/tools/ws2ctl" loader server)

# loader_version: as it tells it, "wine-8.0 (Debian ...)"
loader_version() { "$("$build/tools/ws2ctl" loader start)" --version 2>/dev/null; }

# room_enter FOLDER: what is started from here on belongs to that room
room_enter()
{
    mkdir -p "$1/server"
    chmod 700 "$1/server"
    export WINEPREFIX="$1/prefix" WS2HOST_DIR="$1/server"
}

# room_copy TEMPLATE FOLDER: a room like another whose prefix is at rest. The prefix's files are hard links, since
# nothing writes to one of them in place, except for the registry.
room_copy()
{
    mkdir -p "$2/prefix"
    cp -al "$1/prefix/drive_c" "$2/prefix/"
    find "$1/prefix" -mindepth 1 -maxdepth 1 ! -name drive_c -exec cp -a {} "$2/prefix/" \;
}

# room_processes FOLDER: the ids of what runs in a room
room_processes()
{
    grep -lszF "WS2HOST_DIR=$1/server" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid _; do
        [ "$pid" = $$ ] || [ "$pid" = "${BASHPID-}" ] || echo "$pid"
    done
}

# room_find FOLDER PATTERN: the ids of those whose PROGRAM:NAME, the path of its file and what the host calls it, is like that
room_find()
{
    local process
    for process in $(room_processes "$1"); do
        # shellcheck disable=SC2254
        case $(readlink "/proc/$process/exe" 2>/dev/null):$(cat "/proc/$process/comm" 2>/dev/null) in $2) echo "$process" ;; esac
    done
}

# sockets_of PROCESS: how many descriptors of sockets it has; none: there is no such process
sockets_of() { if [ -d "/proc/${1:-none}/fd" ]; then find "/proc/$1/fd" -lname 'socket:*' | wc -l; else echo none; fi; }

# room_end FOLDER: ends its processes, the prefix's server first, and removes it
room_end()
{
    if [ -d "$1/prefix" ]; then WINEPREFIX="$1/prefix" "$prefix_wineserver" -k >/dev/null 2>&1 || true; fi
    # By now they are ending by themselves; ws2server leaves soon after its last client, but nobody needs to wait.
    unset WS2HOST_DIR WINEPREFIX
    for signal in TERM TERM KILL; do
        pids=$(room_processes "$1")
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086
        kill -s $signal $pids 2>/dev/null || true
        sleep 0.2
    done
    rm -rf "$1" || { sleep 1; rm -rf "$1"; }
}

# loader_copy FOLDER: a tree with the loader that is installed here, as people keep one in a folder of their own: programs
# and what they find their folder by are copies, the rest links. Prints the loader's path.
loader_copy()
{
    local top loader server library folder
    # several folders under one top: the loader's, its server's and the libraries'
    loader=$("$build/tools/ws2ctl" loader program) && library=$("$build/tools/ws2ctl" loader library) || return 1
    server=$(readlink -f "$(command -v "$prefix_wineserver")")
    top=${loader%/*}
    while case $library/ in "$top"/*) false ;; esac || [ ! -d "$top/share/wine" ]; do top=${top%/*}; [ -n "$top" ] || return 1; done
    mkdir -p "$1/share"
    cp -as "$top/share/wine" "$1/share/"
    for folder in "$library" "$top"/lib/i386-linux-gnu/wine; do
        [ -d "$folder" ] || continue
        mkdir -p "$1${folder#"$top"}"
        cp -as "$folder/." "$1${folder#"$top"}/"
        find "$1${folder#"$top"}" -name 'ws2host*' -delete
        find "$1${folder#"$top"}" -name ntdll.so | while read -r file; do cp --remove-destination "$(readlink -f "$file")" "$file"; done
    done
    for folder in "${loader%/*}" "${server%/*}"; do
        mkdir -p "$1${folder#"$top"}"
        find "$folder" -maxdepth 1 -name 'wine*' -exec cp -a --remove-destination {} "$1${folder#"$top"}/" \;
    done
    echo "$1${loader#"$top"}"
}
