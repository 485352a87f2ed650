#!/usr/bin/env bash
# Install what is missing: Debian or Ubuntu packages, then the virtual environment .venv.
#
#   setup/setup.sh run    what it takes to build and launch a program
#   setup/setup.sh test   that, and what the tests and benchmarks need besides
#
# Does nothing twice. Without root it says which packages to install. PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec 9<setup/setup.sh
flock 9  # two at once, as `make -j` may ask for, take turns

PYTHON=${PYTHON:-python3}
STAMP=.venv/setup.stamp

say() { printf 'setup: %s\n' "$@"; }
fail() { say "$@" >&2; exit 1; }
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; }
have_library() { have pkg-config && pkg-config --exists "$1"; }

# Whether the distribution has the package at all; as long as no package lists are there, nobody knows.
offered() {
    have apt-cache || return 1
    apt-cache show "$1" >/dev/null 2>&1 || ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null
}

# Debian keeps what creates virtual environments in a package of its own.
have_venv() { [ -x .venv/bin/python ] || "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }

have_userland() {
    local place
    [ -z "${LSW_USERLAND:-}" ] || return 0
    for place in /usr/lib/*/wine /usr/lib/wine /usr/lib64/wine /opt/wine*/lib/wine /opt/wine*/lib64/wine; do
        [ ! -e "$place/x86_64-windows/ntdll.dll" ] || return 0
    done
    return 1
}

# The packages whose contents are not there. Looking for the contents is fast, and right where they came another way
# (Python by pyenv, npm with another Node.js package, Wine from its own archive).
missing() {
    have "$PYTHON" || echo python3
    have_venv || echo python3-venv
    have_userland || echo libwine
    have x86_64-w64-mingw32-gcc || echo gcc-mingw-w64-x86-64
    [ "$1" = test ] || return 0
    have x86_64-w64-mingw32-g++ || echo g++-mingw-w64-x86-64
    have i686-w64-mingw32-gcc || echo gcc-mingw-w64-i686
    have i686-w64-mingw32-g++ || echo g++-mingw-w64-i686
    have nasm || echo nasm
    have npm || echo npm   # fetches real programs to test with
    have wine || echo wine # the reference that benchmarks compare with
    have systemd-analyze || echo systemd # checks the units
    [ -x /lib/systemd/systemd-udevd ] || echo udev
    have gcc || echo gcc
    [ -e /usr/include/stdio.h ] || echo libc6-dev
    # Tests on a real /dev/cuse, in a machine of their own.
    have linux.uml || ! offered user-mode-linux || echo user-mode-linux
    have insmod || echo kmod
    have busybox || echo busybox
    # libfuse, which the benchmark of /dev/lsw compares with.
    have pkg-config || echo pkg-config
    have_library fuse3 || echo libfuse3-dev
}

install_packages() {
    local packages as_root=()
    mapfile -t packages < <(missing "$1")
    [ ${#packages[@]} -gt 0 ] || return 0
    say "missing packages: ${packages[*]}"
    if ! have apt-get; then
        fail "this is no Debian or Ubuntu: install what your distribution calls these, then try again"
    fi
    if [ "$(id -u)" != 0 ]; then
        if ! have sudo || ! sudo -n true 2>/dev/null; then
            fail "installing them takes root. Run this as root (sudo), then try again:" \
                "    apt-get install --no-install-recommends ${packages[*]}"
        fi
        as_root=(sudo -n)
    fi
    say "installing them with apt-get, which may take some minutes"
    "${as_root[@]}" apt-get -qq update || say "apt-get update failed, trying with the package lists there are"
    mapfile -t packages < <(missing "$1") # with the lists there is more to know
    [ ${#packages[@]} -gt 0 ] || return 0
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends "${packages[@]}" >/dev/null ||
        fail "apt-get could not install ${packages[*]} (on Ubuntu they are in the component universe)"
    mapfile -t packages < <(missing "$1")
    [ ${#packages[@]} -eq 0 ] || fail "installed, and still not found: ${packages[*]}"
}

# What the virtual environment was made for: this directory, this interpreter, these requirements.
stamp() {
    printf '%s\n' "$PWD" "$(readlink -f .venv/bin/python)"
    sha256sum <pyproject.toml
}

install_venv() {
    if [ -x .venv/bin/python ] && [ "$(stamp)" = "$(cat "$STAMP" 2>/dev/null)" ]; then
        return
    fi
    # A moved checkout or another Python makes the old environment useless; new requirements do not.
    if [ ! -x .venv/bin/python ] || [ "$(stamp | head -n 2)" != "$(head -n 2 "$STAMP" 2>/dev/null)" ]; then
        "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
            fail "Python 3.11 or newer is needed; name one like this: make setup PYTHON=/usr/bin/python3.13"
        say "creating the virtual environment .venv with $("$PYTHON" --version)"
        "$PYTHON" -m venv --clear .venv || fail "$PYTHON cannot create virtual environments: is python3-venv installed?"
    fi
    say "installing Python packages into .venv (the requirements are in pyproject.toml)"
    # Recent versions of pip write start scripts that start faster.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
    stamp >"$STAMP"
}

case ${1:-} in
    run | test) ;;
    *) fail "usage: setup/setup.sh run|test" ;;
esac
install_packages "$1"
[ "$1" != test ] || setup/i386-userland.sh
install_venv
if [ "$1" = test ] && ! have linux.uml; then
    say "ATTENTION: there is no package user-mode-linux here, so nothing that needs a real /dev/cuse is tested"
fi
say "everything needed to $1 is there"
