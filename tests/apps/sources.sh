# What the runs of programs from Debian's sources share. Sourced after apps.sh. They are built for Windows once, in the cache.

# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")

# apt FOLDER COMMAND...: apt-get with lists of its own in FOLDER, of the sources to the packages that the machine's own
# configuration names; the machine's lists stay as they are
apt()
{
    local folder=$1 options
    shift
    options="-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$folder/parts -o Dir::State::lists=$folder/lists
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::Cache::archives=$folder/archives -o APT::Sandbox::User="
    if [ ! -d "$folder/parts" ]; then
        mkdir -p "$folder/parts" "$folder/lists/partial" "$folder/archives/partial"
        cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
            awk -v suite="$release" 'BEGIN { RS = ""; ORS = "\n\n" } $0 ~ "(^|\n)Suites: *" suite { sub( /Types: [^\n]*/, "Types: deb deb-src" ); print }' \
                >"$folder/parts/a.sources"
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
            grep -E "^deb(-src)? .* $release" | sed 'p; s/^deb /deb-src /' | sort -u >"$folder/parts/b.list"
        # shellcheck disable=SC2086
        apt-get $options update || return 1
    fi
    # shellcheck disable=SC2086
    apt-get $options "$@"
}

# from_source PACKAGE NUMBER COMMAND...: sets programs to the folder of what COMMAND SOURCE FOLDER makes of Debian's source
# package, its patches applied; NUMBER is counted up when COMMAND changes. A rename makes the folder whole or absent.
from_source()
{
    local package=$1 number=$2 folder
    shift 2
    programs=$cache/$package-$release-$number
    [ ! -d "$programs" ] || return 0
    command -v apt-get >/dev/null || skip "$package is not here, nor apt-get to fetch it with"
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/fetch.XXXXXX")
    say "builds $package, once"
    (
        cd "$folder" && mkdir fetched source made && cd fetched || exit 1
        # a file that is not to be had may be one that is not needed, such as a signature
        apt "$folder/apt" --download-only source "$package"
        tar -xf "$(find . -name '*.orig.tar.*' ! -name '*.asc')" -C ../source --strip-components 1 || exit 1
        if [ -n "$(ls ./*.debian.tar.* 2>/dev/null)" ]; then
            tar -xf "$(find . -name '*.debian.tar.*')" -C ../source || exit 1
            cd ../source || exit 1
            { grep -v '^ *\(#\|$\)' debian/patches/series 2>/dev/null || true; } | while read -r one _; do
                patch -s -p1 <"debian/patches/$one" || exit 1
            done || exit 1
        fi
        "$@" "$folder/source" "$folder/made" && mv "$folder/made" "$programs"
    ) >"$cache/$package.log" 2>&1
    rm -rf "$folder"
    [ -d "$programs" ] || { tail -n 5 "$cache/$package.log"; skip "$package cannot be fetched or built ($cache/$package.log)"; }
    rm -f "$cache/$package.log"
}

# cross SOURCE FOLDER ARGUMENT...: CMake builds for Windows, the targets in the variable targets
cross()
{
    local from=$1 into=$2
    shift 2
    cat >"$into/windows.cmake" <<END
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
END
    # shellcheck disable=SC2086
    cmake -S "$from" -B "$into/build" -DCMAKE_TOOLCHAIN_FILE="$into/windows.cmake" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_EXE_LINKER_FLAGS="-static" "$@" &&
        nice make -C "$into/build" -j2 $targets
}

need_compilers()
{
    local needed
    for needed in cmake make patch x86_64-w64-mingw32-gcc x86_64-w64-mingw32-g++; do
        command -v $needed >/dev/null || skip "$needed is not here (tools/setup --apps installs it)"
    done
}
