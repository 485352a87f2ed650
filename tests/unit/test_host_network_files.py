"""The files of drivers\\etc: what is in them, and that nobody's own are touched."""

from __future__ import annotations

from pathlib import Path

from lswd.host.network_files import FILES, write_network_files


def test_services_name_a_port_and_a_protocol_once(tmp_path: Path) -> None:
    write_network_files(str(tmp_path))
    rows = [line.split() for line in (tmp_path / "services").read_text(encoding="ascii").splitlines()]
    ports = {(row[0], row[1].partition("/")[2]): int(row[1].partition("/")[0]) for row in rows}
    assert len(ports) == len(rows)
    assert 443 == ports["https", "tcp"]
    assert {"tcp", "udp"} == {protocol for _, protocol in ports}
    assert all(0 < port < 65536 for port in ports.values())


def test_protocols_have_a_number_and_an_alias(tmp_path: Path) -> None:
    write_network_files(str(tmp_path))
    rows = [line.split() for line in (tmp_path / "protocol").read_text(encoding="ascii").splitlines()]
    assert {3} == {len(row) for row in rows}
    assert {"tcp": "6", "udp": "17"}.items() <= {row[0]: row[1] for row in rows}.items()


def test_lines_end_as_windows_ends_them_and_existing_files_stay(tmp_path: Path) -> None:
    (tmp_path / "HOSTS").write_text("127.0.0.1 mine\n")
    write_network_files(str(tmp_path))
    write_network_files(str(tmp_path))
    assert sorted([*(FILES.keys() - {"hosts"}), "HOSTS"]) == sorted(path.name for path in tmp_path.iterdir())
    assert "127.0.0.1 mine\n" == (tmp_path / "HOSTS").read_text()
    assert b"loopback 127\r\n" == (tmp_path / "networks").read_bytes()
