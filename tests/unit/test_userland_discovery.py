"""The userland is found where distributions put it, and its absence is explained in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lswd.userland.discovery import REQUIRED, UserlandError, find, find_i386

X64 = "x86_64-windows"
MULTIARCH = f"usr/lib/x86_64-linux-gnu/wine/{X64}"
STABLE = f"opt/wine-stable/lib64/wine/{X64}"
STAGING = f"opt/wine-staging/lib64/wine/{X64}"
DEVEL = f"opt/wine-devel/lib64/wine/{X64}"
NINE = f"opt/wine-9.21/lib/wine/{X64}"
FEDORA = f"usr/lib64/wine/{X64}"
ARCH = f"usr/lib/wine/{X64}"
IN_ORDER = [MULTIARCH, STABLE, STAGING, DEVEL, NINE, FEDORA, ARCH]


def make_userland(root: Path, path: str, *, without: str = "") -> str:
    directory = root / path
    directory.mkdir(parents=True)
    for name in REQUIRED:
        if name != without:
            (directory / name).touch()
    return str(directory)


def make_nls(root: Path, path: str = "usr/share/wine/nls") -> str:
    directory = root / path
    directory.mkdir(parents=True)
    (directory / "locale.nls").touch()
    return str(directory)


@pytest.mark.parametrize("place", IN_ORDER)
def test_each_layout_is_found(tmp_path: Path, place: str) -> None:
    expected = make_userland(tmp_path, place)
    nls = make_nls(tmp_path)
    userland = find({}, root=str(tmp_path))
    assert (expected, nls) == (userland.directory, userland.nls_directory)


def test_the_first_of_several_layouts_wins(tmp_path: Path) -> None:
    make_nls(tmp_path)
    found = []
    for place in reversed(IN_ORDER):
        make_userland(tmp_path, place)
        found.append(find({}, root=str(tmp_path)).directory)
    assert [str(tmp_path / place) for place in reversed(IN_ORDER)] == found


@pytest.mark.parametrize("lacking", REQUIRED)
def test_an_incomplete_layout_is_passed_over(tmp_path: Path, lacking: str) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, MULTIARCH, without=lacking)
    expected = make_userland(tmp_path, ARCH)
    assert expected == find({}, root=str(tmp_path)).directory


@pytest.mark.parametrize("outer", ["", "/", "/.."])
def test_the_environment_names_the_directory_or_its_parent(tmp_path: Path, outer: str) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, MULTIARCH)
    expected = make_userland(tmp_path, f"mine/{X64}")
    parent = {"LSW_USERLAND": f"{expected}/..{outer}/mine" if outer == "/.." else f"{tmp_path}/mine{outer}"}
    assert expected == find(parent, root=str(tmp_path)).directory
    assert expected == find({"LSW_USERLAND": expected + "/"}, root=str(tmp_path)).directory


def test_the_configuration_comes_before_the_environment(tmp_path: Path) -> None:
    make_nls(tmp_path)
    expected = make_userland(tmp_path, "configured")
    other = make_userland(tmp_path, "environment")
    assert expected == find({"LSW_USERLAND": other}, expected, root=str(tmp_path)).directory


def test_an_empty_choice_is_no_choice(tmp_path: Path) -> None:
    make_nls(tmp_path)
    expected = make_userland(tmp_path, MULTIARCH)
    assert expected == find({"LSW_USERLAND": ""}, "", root=str(tmp_path)).directory


def test_a_chosen_place_without_a_userland_is_an_error_even_if_another_exists(tmp_path: Path) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, MULTIARCH)
    chosen = make_userland(tmp_path, "mine", without="kernelbase.dll")
    with pytest.raises(UserlandError, match=r"^LSW_USERLAND: .*/mine has no kernelbase\.dll; it must be"):
        find({"LSW_USERLAND": chosen}, root=str(tmp_path))
    with pytest.raises(UserlandError, match=r"^userland: /nonexistent/wine is not a directory; it must be"):
        find({}, "/nonexistent/wine", root=str(tmp_path))


def test_a_wine_on_path_is_found_by_its_installation(tmp_path: Path) -> None:
    expected = make_userland(tmp_path, f"store/wine-9/lib/wine/{X64}")
    nls = make_nls(tmp_path, "store/wine-9/share/wine/nls")
    program = tmp_path / "store/wine-9/bin/wine"
    program.parent.mkdir()
    program.touch(0o755)
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/wine").symlink_to(program)
    userland = find({"PATH": f"relative:/nonexistent:{tmp_path}/profile"}, root=str(tmp_path))
    assert (expected, nls) == (userland.directory, userland.nls_directory)


@pytest.mark.parametrize(
    ("place", "nls"),
    [
        (STABLE, "opt/wine-stable/share/wine/nls"),
        (MULTIARCH, "usr/share/wine/nls"),
        (f"copy/{X64}", "copy/nls"),
        ("System32", "System32"),
    ],
)
def test_nls_tables_of_the_same_installation_come_first(tmp_path: Path, place: str, nls: str) -> None:
    directory = make_userland(tmp_path, place)
    if nls != "usr/share/wine/nls":
        make_nls(tmp_path)
    if nls == place:
        (tmp_path / nls / "locale.nls").touch()
    else:
        make_nls(tmp_path, nls)
    assert str(tmp_path / nls) == find({}, directory, root=str(tmp_path)).nls_directory


def test_a_userland_without_nls_tables_is_an_error_that_says_so(tmp_path: Path) -> None:
    make_userland(tmp_path, MULTIARCH)
    with pytest.raises(UserlandError, match=r"^the userland .* has no NLS tables \(locale\.nls is not in "):
        find({}, root=str(tmp_path))


@pytest.mark.parametrize(
    ("release", "advice"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n', "apt install libwine"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt install libwine"),
        ("ID=fedora\n", "dnf install wine-core"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install wine-core"),
        ("ID=arch\n", "pacman -S wine"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install wine"),
        ("garbage\n\0=\nID=unheard-of\n", "your distribution's Wine package"),
        (None, "your distribution's Wine package"),
    ],
)
def test_no_userland_says_what_was_searched_and_what_to_install(
    tmp_path: Path, release: str | None, advice: str
) -> None:
    if release is not None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/os-release").write_text(release)
    with pytest.raises(UserlandError) as caught:
        find({}, root=str(tmp_path))
    message = str(caught.value)
    assert "\n" not in message
    assert advice in message
    assert "LSW_USERLAND" in message
    for place in (MULTIARCH, STABLE, FEDORA, ARCH):
        assert str(tmp_path / place) in message


def test_a_32_bit_userland_is_found_beside_the_64_bit_one_or_where_packages_put_it(tmp_path: Path) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, STABLE)
    beside = find({}, root=str(tmp_path))
    places = [
        "home/.local/share/lsw/userland/i386-windows",
        "usr/lib/wine/i386-windows",
        "usr/lib/i386-linux-gnu/wine/i386-windows",
        "opt/wine-stable/lib64/wine/i386-windows",
    ]
    for place in places:  # each goes before those made so far
        directory = make_userland(tmp_path, place)
        found = find_i386({"HOME": f"{tmp_path}/home"}, beside, root=str(tmp_path))
        assert (directory, 4, beside.nls_directory) == (found.directory, found.word, found.nls_directory)
    data = make_userland(tmp_path, "data/lsw/userland/i386-windows")
    for place in places[1:]:
        (tmp_path / place / "ntdll.dll").unlink()
    environ = {"HOME": f"{tmp_path}/home", "XDG_DATA_HOME": f"{tmp_path}/data"}
    assert data == find_i386(environ, beside, root=str(tmp_path)).directory


def test_the_environment_may_name_the_32_bit_userland(tmp_path: Path) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, MULTIARCH)
    beside = find({}, root=str(tmp_path))
    chosen = make_userland(tmp_path, "mine/i386-windows")
    for value in (chosen, f"{tmp_path}/mine"):
        assert chosen == find_i386({"LSW_USERLAND_I386": value}, beside, root=str(tmp_path)).directory
    for value, problem in ((f"{tmp_path}/none", "is not a directory"), (str(tmp_path), "has no ntdll.dll")):
        with pytest.raises(UserlandError, match=problem):
            find_i386({"LSW_USERLAND_I386": value}, beside, root=str(tmp_path))


def test_without_a_32_bit_userland_one_line_says_what_to_install(tmp_path: Path) -> None:
    make_nls(tmp_path)
    make_userland(tmp_path, MULTIARCH)
    beside = find({}, root=str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=debian\n")
    with pytest.raises(UserlandError) as caught:
        find_i386({}, beside, root=str(tmp_path))
    assert "libwine:i386" in str(caught.value)
    assert "\n" not in str(caught.value)
