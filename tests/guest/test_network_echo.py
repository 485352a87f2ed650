"""A TCP echo of 64 MiB between a guest and the host, both ways round, and between two guests; over IPv4 and IPv6."""

from __future__ import annotations

import os

import pytest

from .echo import HOSTS, guest_as_client, guest_as_server, pattern, summary, two_guests

SIZE = 64 << 20
TIMEOUT_SECONDS = 200
VERSIONS = pytest.mark.parametrize("version", HOSTS, ids=lambda version: f"IPv{version}")


@VERSIONS
def test_a_guest_gets_back_what_it_sends_to_the_host(version: int, lswctl: list[str]) -> None:
    said, arrived = guest_as_client([*lswctl, "launch"], SIZE, dict(os.environ), TIMEOUT_SECONDS, version)
    assert f"the same came back: yes\n{summary(arrived)}" == said
    assert arrived == pattern(SIZE)


@VERSIONS
def test_the_host_gets_back_what_it_sends_to_a_guest(version: int, lswctl: list[str]) -> None:
    data = pattern(SIZE)
    said, back = guest_as_server([*lswctl, "launch"], data, dict(os.environ), TIMEOUT_SECONDS, version)
    assert summary(data) == said
    assert back == data


@VERSIONS
def test_a_guest_gets_back_what_it_sends_to_a_process_it_has_started(version: int, lswctl: list[str]) -> None:
    line = summary(pattern(SIZE))
    said = two_guests([*lswctl, "launch"], SIZE, dict(os.environ), TIMEOUT_SECONDS, version)
    assert f"the same came back: yes\n{line}{line}" == said
