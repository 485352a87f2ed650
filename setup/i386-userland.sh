#!/usr/bin/env bash
# Fetch the DLLs that 32-bit programs run on: those of Debian's or Ubuntu's libwine for i386, unpacked below
# ~/.local/share/lsw, where they are looked for. Needs neither root nor a foreign architecture: apt is asked with lists of
# its own, and nothing of the system changes. Does nothing where such DLLs are installed. 95 MB to fetch, 550 MB on disk.
#
#   setup/i386-userland.sh [DIRECTORY]
set -euo pipefail

target=${1:-${XDG_DATA_HOME:-$HOME/.local/share}/lsw/userland/i386-windows}
say() { printf 'setup: %s\n' "$@"; }
fail() { say "$@" >&2; exit 1; }

zlib() { # user32 needs it, and on Debian it comes from another package
    find "$@" -name zlib1.dll -path '*i*86-*' 2>/dev/null | head -n 1
}

for place in "${LSW_USERLAND_I386:-/nowhere}" "$target" /usr/lib/i386-linux-gnu/wine/i386-windows \
    /usr/lib/wine/i386-windows /opt/wine-*/lib/wine/i386-windows; do
    [ ! -e "$place/ntdll.dll" ] || exit 0
done
for tool in apt-get dpkg-deb tar; do
    command -v "$tool" >/dev/null || fail "no $tool here: install your distribution's 32-bit Wine package instead"
done

mkdir -p "$(dirname "$target")"
scratch=$(mktemp -d "$(dirname "$target")/.fetching-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/lists/partial" "$scratch/archives/partial" "$scratch/packages" "$scratch/out"
apt=(apt-get -qq -o APT::Architecture=i386 -o APT::Architectures=i386 -o "Dir::State::lists=$scratch/lists"
    -o "Dir::Cache=$scratch" -o Acquire::Languages=none)
[ "$(id -u)" != 0 ] || apt+=(-o APT::Sandbox::User=root)

say "fetching the DLLs for 32-bit programs (95 MB) to $target"
"${apt[@]}" update 2>/dev/null || say "some package lists could not be fetched, trying with the others"
packages=(libwine:i386)
[ -n "$(zlib /usr/i686-w64-mingw32/lib /usr/lib/*/wine/i386-windows)" ] || packages+=(libz-mingw-w64)
(cd "$scratch/packages" && "${apt[@]}" download "${packages[@]}") ||
    fail "apt-get could not download ${packages[*]}: is there a network, and is libwine for i386 in your package sources?"
for package in "$scratch"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
        tar -x -C "$scratch/out" --wildcards './usr/*/i386-windows/*' './usr/i686-*/zlib1.dll' 2>/dev/null || true
done
dlls=$(dirname "$(find "$scratch/out" -path '*i386-windows/ntdll.dll')")
[ -e "$dlls/ntdll.dll" ] || fail "the package libwine for i386 has no DLLs in it"
[ -e "$dlls/zlib1.dll" ] || cp "$(zlib "$scratch/out" /usr/i686-w64-mingw32/lib /usr/lib/*/wine/i386-windows)" "$dlls/"
rm -rf "$target"
mv "$dlls" "$target"
say "32-bit programs can be launched now"
