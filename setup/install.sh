#!/usr/bin/env bash
# Install lswctl, lswd and what systemd needs to know, or remove them again.
#
#   DESTDIR=... prefix=/usr/local setup/install.sh install|uninstall
#
# Everything Python needs goes to PREFIX/lib/lsw, which nothing else uses: the two commands start the interpreter in
# isolation (-I) and without site-packages (-S). That keeps other people's modules out, and saves a fifth of its start.
# Where there is a C compiler, lswctl is client/lswrun.c, which starts the interpreter only for what it does not do itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

DESTDIR=${DESTDIR:-}
prefix=${prefix:-/usr/local}
lib=$prefix/lib/lsw

say() { printf 'install: %s\n' "$@"; }

# What is installed from systemd/, and where below PREFIX/lib.
files() {
    cat <<'END'
lswd.service systemd/system/lswd.service
lswd-user.service systemd/user/lswd-user.service
lswd-user.socket systemd/user/lswd-user.socket
modules-load.conf modules-load.d/lsw.conf
lsw.rules udev/rules.d/70-lsw.rules
sysusers.conf sysusers.d/lsw.conf
tmpfiles.conf tmpfiles.d/lsw.conf
END
}

command_file() { # NAME MODULE FUNCTION
    cat <<END
#!$python -IS
import sys

sys.path.insert(0, "$lib")
from $2.__main__ import $3

sys.exit($3())
END
}

compile() { # as make does: CC is a piece of shell, like "ccache gcc"
    sh -c "${CC:-cc}"' "$@"' compile "$@"
}

install_all() {
    python=$(readlink -f .venv/bin/python)
    rm -rf "$DESTDIR$lib"
    install -d "$DESTDIR$lib" "$DESTDIR$prefix/bin"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --target "$DESTDIR$lib" .
    rm -rf "$DESTDIR$lib/bin" build/lib build/bdist.*
    "$python" -I -m compileall -q -s "$DESTDIR" "$DESTDIR$lib" || say "some modules could not be compiled"
    command_file lswctl lswctl run >"$DESTDIR$lib/lswctl.py"
    command_file lswd lswd main >"$DESTDIR$prefix/bin/lswd"
    chmod 755 "$DESTDIR$lib/lswctl.py" "$DESTDIR$prefix/bin/lswd"
    rm -f "$DESTDIR$prefix/bin/lswctl" "$DESTDIR$prefix/bin/lswrun"
    if compile -O2 -pthread -Ilswd/ioctl "-DLSWCTL=\"$lib/lswctl.py\"" -o "$DESTDIR$prefix/bin/lswctl" client/lswrun.c; then
        ln -s lswctl "$DESTDIR$prefix/bin/lswrun"
    else
        say "no C compiler, so lswctl launch is slower and there is no lswrun; everything else is there"
        ln -s "$lib/lswctl.py" "$DESTDIR$prefix/bin/lswctl"
    fi
    files | while read -r source target; do
        install -d "$(dirname "$DESTDIR$prefix/lib/$target")"
        sed "s|@bindir@|$prefix/bin|g" "systemd/$source" >"$DESTDIR$prefix/lib/$target"
        chmod 644 "$DESTDIR$prefix/lib/$target"
    done
    say "installed to $DESTDIR$prefix"
    [ -n "$DESTDIR" ] || say "to serve everybody:  systemd-sysusers && systemctl daemon-reload && systemctl enable --now lswd" \
        "to serve yourself:   systemctl --user enable --now lswd-user.socket"
}

uninstall_all() {
    rm -rf "$DESTDIR$lib"
    rm -f "$DESTDIR$prefix/bin/lswctl" "$DESTDIR$prefix/bin/lswd" "$DESTDIR$prefix/bin/lswrun"
    files | while read -r _ target; do rm -f "$DESTDIR$prefix/lib/$target"; done
    say "removed from $DESTDIR$prefix (settings in /etc/lsw, the group lsw and users' prefixes stay)"
}

case ${1:-} in
    install) install_all ;;
    uninstall) uninstall_all ;;
    *) say "usage: setup/install.sh install|uninstall" >&2; exit 1 ;;
esac
