#!/usr/bin/env bash
# Fetch another version of the userland than the one that is installed, to run the tests under: Wine 10 of Debian 13, for
# 64 and 32 bits, unpacked below build/userland. Needs no root: Debian's archive, as apt knows it, is asked with sources and
# lists of its own, and nothing of the system changes. 215 MB to fetch, 1.3 GB on disk. Does nothing when it is there.
#
#   setup/second-userland.sh [SUITE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=${1:-trixie}
target=$PWD/build/userland/$suite
say() { printf 'setup: %s\n' "$@"; }
fail() { say "$@" >&2; exit 1; }

[ ! -e "$target/x86_64-windows/ntdll.dll" ] || exit 0
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || fail "no $keyring here: install debian-archive-keyring"
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' | head -n 1)
[ -n "$archive" ] || fail "apt-get knows no archive of Debian: run apt-get update, on Debian"

mkdir -p "$(dirname "$target")"
scratch=$(mktemp -d "$(dirname "$target")/.fetching-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{lists/partial,archives/partial,packages,out,made}
echo "deb [signed-by=$keyring] $archive $suite main" >"$scratch/sources.list"
touch "$scratch/status"
apt=(apt-get -qq -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Architectures::=i386
    -o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::status=$scratch/status"
    -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch" -o Acquire::Languages=none)
[ "$(id -u)" != 0 ] || apt+=(-o APT::Sandbox::User=root)

say "fetching the userland of $suite (215 MB) to $target"
"${apt[@]}" update || fail "the package lists of $suite could not be fetched"
(cd "$scratch/packages" && "${apt[@]}" download libwine:amd64 libwine:i386 libz-mingw-w64) ||
    fail "apt-get could not download libwine for amd64 and i386 from $suite"
for package in "$scratch"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$scratch/out" --wildcards \
        './usr/*/x86_64-windows/*' './usr/*/i386-windows/*' './usr/share/wine/*' './usr/*/zlib1.dll' 2>/dev/null || true
done
made=$scratch/made
mv "$scratch/out/usr/lib/x86_64-linux-gnu/wine/x86_64-windows" "$scratch/out/usr/lib/i386-linux-gnu/wine/i386-windows" \
    "$made/"
cp "$scratch/out/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$made/x86_64-windows/"
cp "$scratch/out/usr/i686-w64-mingw32/lib/zlib1.dll" "$made/i386-windows/"
mv "$scratch/out/usr/share/wine/nls" "$made/"
cp "$scratch/out/usr/share/wine/wine.inf" "$made/" 2>/dev/null || true # says the version
rm -rf "$target"
mv "$made" "$target"
say "LSW_USERLAND=$target/x86_64-windows takes it"
