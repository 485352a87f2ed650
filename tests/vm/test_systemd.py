"""The unit of lswd under a real systemd, which is process 1 of a machine of its own.

What is installed is systemd/, word for word, at the places where `make install` puts it. Only the command is another,
since the checkout is not to be changed for it: that of `make install`, with this process's interpreter and packages
bound to where the unit lets lswd see them.
"""

from __future__ import annotations

from pathlib import Path

from tests.vm.machine import ROOT

HERE = Path(__file__).resolve().parent
SYSTEMD = Path("/lib/systemd/systemd")
UNIT = ROOT / "systemd/lswd.service"

COMMAND = """#!/usr/local/lib/lsw/python/bin/{python} -IS
import sys

sys.path[:0] = ["/usr/local/lib/lsw/checkout", "/usr/local/lib/lsw/packages"]
from {module}.__main__ import {function}

sys.exit({function}())
"""

INSTALL = """set -e
lib=/usr/local/lib
mkdir -p $lib/lsw/python $lib/lsw/checkout $lib/lsw/packages $lib/systemd/system $lib/sysusers.d $lib/tmpfiles.d
mount --bind {base} $lib/lsw/python
mount --bind {root} $lib/lsw/checkout
mount --bind {packages} $lib/lsw/packages
install -D /run/exchange/lswd /run/exchange/lswctl /usr/local/bin
sed 's|@bindir@|/usr/local/bin|' {root}/systemd/lswd.service >$lib/systemd/system/lswd.service
cp {root}/systemd/sysusers.conf $lib/sysusers.d/lsw.conf
cp {root}/systemd/tmpfiles.conf $lib/tmpfiles.d/lsw.conf
# A Python that was built elsewhere finds its library. The engine: others need what this kernel does not have.
mkdir -p /run/systemd/system/lswd.service.d
cat >/run/systemd/system/lswd.service.d/here.conf <<END
[Service]
Environment=LD_LIBRARY_PATH=$lib/lsw/python/lib LSW_ENGINE=unicorn
END
until systemctl is-system-running --wait; do sleep 0.05; done
systemd-sysusers lsw.conf
systemd-tmpfiles --create lsw.conf
systemctl daemon-reload
systemctl enable --now lswd
"""
