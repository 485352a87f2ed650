"""What a 32-bit process means by system32, and what a 64-bit one does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from lswd.kernel.process import Process
from lswd.kernel.redirection import redirected


def process(word: int) -> Process:
    return cast(Process, SimpleNamespace(space=SimpleNamespace(word=word)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\windows\\system32\\a.dll", "C:\\windows\\syswow64\\a.dll"),
        ("c:\\WINDOWS\\System32\\sub\\a.dll", "C:\\windows\\syswow64\\sub\\a.dll"),
        ("C:\\windows\\system32", "C:\\windows\\syswow64"),
        ("C:\\windows\\system32\\", "C:\\windows\\syswow64\\"),
        ("C:\\windows\\system32\\drivers\\x.sys", "C:\\windows\\syswow64\\drivers\\x.sys"),
        ("C:\\windows\\system32\\drivers\\etc\\hosts", "C:\\windows\\system32\\drivers\\etc\\hosts"),
        ("C:\\windows\\system32\\Drivers\\ETC", "C:\\windows\\system32\\Drivers\\ETC"),
        ("C:\\windows\\sysnative\\a.dll", "C:\\windows\\system32\\a.dll"),
        ("C:\\windows\\sysnative", "C:\\windows\\system32"),
        ("C:\\windows\\system32x\\a.dll", "C:\\windows\\system32x\\a.dll"),
        ("C:\\windows\\sysnatives", "C:\\windows\\sysnatives"),
        ("C:\\windows\\syswow64\\a.dll", "C:\\windows\\syswow64\\a.dll"),
        ("D:\\windows\\system32\\a.dll", "D:\\windows\\system32\\a.dll"),
        ("C:\\", "C:\\"),
        ("", ""),
    ],
)
def test_a_32_bit_process_means_its_own_dlls(path: str, expected: str) -> None:
    assert expected == redirected(process(4), path)
    assert path == redirected(process(8), path)
