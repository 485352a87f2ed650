"""The userland's own network tools say what this host is like: ipconfig, netstat, ping, hostname."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from lswd.host.network.echo import EchoRequest

TIMEOUT_SECONDS = 60
PACKET_STATISTICS = "\tPackets: Sent = {0}, Received = {1}, Lost = {2} ({3}% loss)"


def may_ping() -> bool:
    """Does this host let its user?"""
    try:
        EchoRequest("127.0.0.1", b"").close()
    except OSError:
        return False
    return True


def tool(lswctl: list[str], name: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """The lines that a program of system32 prints."""
    command = [*lswctl, "launch", *options, f"C:\\windows\\system32\\{name}.exe", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    assert "not implemented" not in done.stderr
    return done.stdout.splitlines()


def test_ipconfig_knows_the_addresses_of_this_host(lswctl: list[str]) -> None:
    lines = tool(lswctl, "ipconfig", "/all")
    assert any(line.endswith(": 127.0.0.1") for line in lines)
    names = {line.removeprefix("Ethernet adapter ").strip() for line in lines if line.startswith("Ethernet adapter ")}
    assert names == {name for _, name in socket.if_nameindex()}


def test_netstat_lists_a_connection(lswctl: list[str]) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        lines = [line.split() for line in tool(lswctl, "netstat")]
        here, there = (f"127.0.0.1:{end[1]}" for end in (client.getsockname(), client.getpeername()))
    assert ["TCP", here, there, "ESTABLISHED"] in lines


def test_hostname_is_the_name_of_this_computer(lswctl: list[str]) -> None:
    (name,) = tool(lswctl, "hostname")
    assert os.uname().nodename.partition(".")[0].upper()[:15] == name.upper()


@pytest.mark.skipif(not may_ping(), reason="this host does not let its user send echo requests")
@pytest.mark.parametrize(("policy", "received"), [("on", 2), ("loopback", 2), ("off", 0)])
def test_ping_reaches_this_machine_unless_the_network_is_off(policy: str, received: int, lswctl: list[str]) -> None:
    lines = tool(lswctl, "ping", "-n", "2", "127.0.0.1", options=("--network", policy))
    assert received == sum(line.startswith("Reply from 127.0.0.1: bytes=32 time") for line in lines)
    assert PACKET_STATISTICS.format(2, received, 2 - received, 50 * (2 - received)) in lines


@pytest.mark.skipif(not may_ping(), reason="this host does not let its user send echo requests")
def test_ping_does_not_leave_this_machine_under_the_loopback_policy(lswctl: list[str]) -> None:
    lines = tool(lswctl, "ping", "-n", "1", "192.0.2.1", options=("--network", "loopback"))
    assert PACKET_STATISTICS.format(1, 0, 1, 100) in lines
