"""What the host says of its network: netlink's tables against the host's own files, resolv.conf, /proc."""

from __future__ import annotations

import fcntl
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lswd.host.network import echo, proc, resolver, state


def test_interfaces_are_those_that_the_host_lists() -> None:
    found = {each.index: each.name for each in state.interfaces()}
    assert dict(socket.if_nameindex()) == found


def test_the_loopback_has_its_addresses_and_no_other_way_leads_to_it() -> None:
    (loopback,) = [each for each in state.interfaces() if each.is_loopback]
    own = [each for each in state.addresses(socket.AF_INET) if each.index == loopback.index]
    assert (b"\x7f\0\0\x01", 8) in [(each.address, each.prefix) for each in own]
    assert {"rx_bytes", "tx_bytes"} <= set(loopback.counters)


def test_ipv6_addresses_are_those_of_the_host_s_own_list() -> None:
    path = Path("/proc/net/if_inet6")
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    found = {(each.address.hex(), each.index, each.prefix) for each in state.addresses(socket.AF_INET6)}
    assert {(words[0], int(words[1], 16), int(words[2], 16)) for words in lines} == found


def test_an_address_that_comes_is_told_of(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import select, subprocess\n"
        "from lswd.host.network.netlink import changed_families, subscribe_addresses\n"
        "told = subscribe_addresses()\n"
        "before = changed_families(told)\n"
        "for address in ('10.9.9.9/8', 'fd00::9/64'):\n"
        "    subprocess.run(['ip', 'address', 'add', address, 'dev', 'lo'], check=True)\n"
        "    select.select([told], [], [], 20)\n"
        "    print(sorted(map(int, changed_families(told))), before)\n"
    )
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("ip") is None or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs ip and a network namespace of its own")
    done = subprocess.run([*alone, sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert ("[2] set()\n[10] set()\n", "") == (done.stdout, done.stderr)


def test_routes_are_those_of_the_host_s_own_list() -> None:
    names = dict(socket.if_nameindex())
    lines = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    found = {(names[each.index], each.destination[::-1].hex(), each.gateway[::-1].hex()) for each in
             state.routes(socket.AF_INET)}
    assert {(words[0], words[1].lower(), words[2].lower()) for words in lines} == found


def test_a_listening_socket_is_among_the_connections() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 0), family=family) as listening:
            port = listening.getsockname()[1]
            (found,) = [each for each in proc.connections("tcp", family) if each.local == (host, port)]
            assert (10, listening.fileno() > 0) == (found.state, found.inode > 0)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_counters_have_names(family: int) -> None:
    assert proc.counters("Ip", family).get("InReceives", 0) >= 0
    assert "InDatagrams" in proc.counters("Udp", family)
    assert proc.counters("Tcp", family)["InSegs"] >= 0


def test_what_resolv_conf_says(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver nonsense\n"
                    "domain example.org\nsearch one.example two.example\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n")
    assert [
        (int(socket.AF_INET), bytes([192, 0, 2, 1])),
        (int(socket.AF_INET6), socket.inet_pton(socket.AF_INET6, "fe80::1")),
        (int(socket.AF_INET), bytes([192, 0, 2, 2])),
    ] == resolver.servers(str(path))
    assert ["one.example", "two.example"] == resolver.search_list(str(path))
    assert [(int(socket.AF_INET), bytes([127, 0, 0, 1]))] == resolver.servers(str(tmp_path / "none"))


def test_the_checksum_is_that_of_the_standard() -> None:
    assert 0x220D == echo._checksum(bytes.fromhex("0001f203f4f5f6f7"))  # RFC 1071, section 3
    assert 0xFFFF - 0x6162 - 0x6300 == echo._checksum(b"abc")


def test_answers_to_other_requests_are_none_of_ours() -> None:
    try:
        request = echo.EchoRequest("127.0.0.1", b"data", ttl=9)
    except OSError:
        pytest.skip("this host does not let its user send echo requests")
    request.close()
    sent = request._message
    packet = bytes([0x45]) + bytes(19) + sent
    assert request._is_answer(bytes([echo.ECHO_REPLY]) + sent[1:])
    assert request._is_answer(bytes([echo.TIME_EXCEEDED]) + bytes(7) + packet)
    another = sent[:6] + bytes([sent[6] ^ 1]) + sent[7:]
    for message in (sent, b"", bytes(3), bytes([echo.ECHO_REPLY]) + another[1:], bytes([echo.TIME_EXCEEDED]) + bytes(7),
                    bytes([echo.UNREACHABLE]) + bytes(7) + packet[:20] + another,
                    bytes([echo.UNREACHABLE]) + bytes(7) + packet[:24]):
        assert not request._is_answer(message)


def test_an_echo_request_may_have_a_high_descriptor() -> None:
    try:
        request = echo.EchoRequest("127.0.0.1", b"data")
    except OSError:
        pytest.skip("this host does not let its user send echo requests")
    low = request._socket
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], min(2048, most[1])), most[1]))
    try:
        request._socket = socket.socket(fileno=fcntl.fcntl(low.fileno(), fcntl.F_DUPFD_CLOEXEC, 1100))
        low.close()
        reply = request.ask(5)
    finally:
        request.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert reply is None or b"data" == reply.data
