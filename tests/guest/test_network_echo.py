"""A TCP echo between a guest and the host, both ways round, and between two guests.

A slice of what ``tests.guest.echo`` does in full.
"""

from __future__ import annotations

import os

from .echo import fnv, guest_as_client, guest_as_server, pattern, two_guests

SIZE = 2 << 20
TIMEOUT_SECONDS = 120


def test_a_guest_gets_back_what_it_sends_to_the_host(lswctl: list[str]) -> None:
    said, arrived = guest_as_client([*lswctl, "launch"], SIZE, dict(os.environ), TIMEOUT_SECONDS)
    assert f"the same came back: yes\n{SIZE} bytes, {fnv(arrived):016x}\n" == said
    assert pattern(SIZE) == arrived


def test_the_host_gets_back_what_it_sends_to_a_guest(lswctl: list[str]) -> None:
    data = pattern(SIZE)
    said, back = guest_as_server([*lswctl, "launch"], data, dict(os.environ), TIMEOUT_SECONDS)
    assert f"{SIZE} bytes, {fnv(data):016x}\n" == said
    assert data == back


def test_a_guest_gets_back_what_it_sends_to_a_process_it_has_started(lswctl: list[str]) -> None:
    line = f"{SIZE} bytes, {fnv(pattern(SIZE)):016x}\n"
    said = two_guests([*lswctl, "launch"], SIZE, dict(os.environ), TIMEOUT_SECONDS)
    assert f"the same came back: yes\n{line}{line}" == said
