# Prefixes of our own for tests and demonstrations: made once, copied cheaply, and ended without a trace. Sourced.
# A room is a folder with a prefix and a server directory of its own; whatever runs in it carries WS2HOST_DIR of that
# room in its environment, which is how its processes, and no others, are found at the end.

unset DISPLAY WAYLAND_DISPLAY
export WINEDEBUG="${WINEDEBUG--all}"

for prefix_wineserver in /usr/lib/wine/wineserver wineserver wineserver-stable; do
    command -v $prefix_wineserver >/dev/null && break
done

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

# room_end FOLDER: ends its processes, the prefix's server first, and removes it
room_end()
{
    if [ -d "$1/prefix" ]; then WINEPREFIX="$1/prefix" $prefix_wineserver -k >/dev/null 2>&1 || true; fi
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
    local library loader
    loader=$(readlink -f "$(command -v "${WINELOADER:-wine}")") || return 1
    # Debian's is a script
    for library in /usr/lib/wine/wine /usr/lib/wine/wine64; do
        case $loader in /usr/bin/*) [ ! -x $library ] || loader=$library ;; esac
    done
    mkdir -p "$1/lib" "$1/share"
    cp -as "$(readlink -f "${loader%/*}/../share/wine" || readlink -f "${loader%/*}/../../share/wine")" "$1/share/"
    case $loader in
        /usr/lib/wine/*)
            mkdir -p "$1/lib/x86_64-linux-gnu"
            cp -a /usr/lib/wine "$1/lib/"
            cp -as /usr/lib/x86_64-linux-gnu/wine "$1/lib/x86_64-linux-gnu/"
            library=$1/lib/x86_64-linux-gnu/wine
            loader=$1/lib/wine/${loader##*/} ;;
        *)
            cp -a "${loader%/*}" "$1/bin"
            cp -as "${loader%/*}/../lib/wine" "$1/lib/"
            library=$1/lib/wine
            loader=$1/bin/${loader##*/} ;;
    esac
    find "$library" -name 'ws2host*' -delete
    find "$library" -name ntdll.so | while read -r file; do cp --remove-destination "$(readlink -f "$file")" "$file"; done
    echo "$loader"
}
