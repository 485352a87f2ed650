"""Registry links, and the view 32-bit programs have."""

from __future__ import annotations

import pytest

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.values import REG_LINK, REG_SZ, encode_text
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
)
from tests.unit.registry_trees import APPS, names, small_registry, status_of

LINK = "SymbolicLinkValue"


@pytest.fixture
def registry() -> Registry:
    return small_registry()


@pytest.fixture
def apps(registry: Registry) -> Key:
    return registry.open(APPS)


@pytest.fixture
def link(registry: Registry, apps: Key) -> Key:
    return registry.create("Link", apps, link=True)[0]


def point(link: Key, target: str) -> None:
    link.set_value(LINK, REG_LINK, encode_text(target))


def test_a_seeded_link_is_followed_on_the_way(registry: Registry) -> None:
    key = registry.open(r"\Registry\Machine\System\CurrentControlSet\Control")
    assert r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Control" == key.path()


def test_a_link_is_followed_at_the_end(registry: Registry) -> None:
    assert "ControlSet001" == registry.open(r"\Registry\Machine\System\CurrentControlSet").name


def test_a_link_itself_opens_when_asked_for(registry: Registry) -> None:
    key = registry.open(r"\Registry\Machine\System\CurrentControlSet", open_link=True)
    assert ("CurrentControlSet", True, REG_LINK) == (key.name, key.info().link, key.query_value(LINK).type)


def test_a_link_in_the_middle_is_followed_though_a_link_was_asked_for(registry: Registry) -> None:
    key = registry.open(r"\Registry\Machine\System\CurrentControlSet\Control", open_link=True)
    assert r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Control" == key.path()


def test_enumeration_shows_the_link_and_its_target(registry: Registry) -> None:
    assert ["ControlSet001", "CurrentControlSet"] == names(registry.open(r"\Registry\Machine\System"))


def test_a_new_link_leads_nowhere(registry: Registry, apps: Key, link: Key) -> None:
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.open("Link", apps))
    assert link is registry.open("Link", apps, open_link=True)


def test_a_link_leads_to_its_target(registry: Registry, apps: Key, link: Key) -> None:
    point(link, APPS + r"\Editor")
    assert "Editor" == registry.open("Link", apps).name
    assert "Recent" == registry.open(r"link\recent", apps).name


def test_a_link_may_point_to_a_link(registry: Registry, apps: Key, link: Key) -> None:
    point(link, r"\Registry\Machine\System\CurrentControlSet")
    assert r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Control" == registry.open(r"Link\Control", apps).path()


def test_names_relative_to_an_open_link_start_at_its_target(registry: Registry, link: Key) -> None:
    point(link, APPS + r"\Editor")
    assert "Recent" == registry.open("Recent", link).name
    assert APPS + r"\Editor\New" == "\\Registry\\Machine\\Software" + registry.create("New", link)[0].path()[26:]


def test_creating_through_a_link_creates_its_target(registry: Registry, apps: Key, link: Key) -> None:
    point(link, APPS + r"\Target")
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.open("Link", apps))
    key, created = registry.create("Link", apps)
    assert (True, "Target") == (created, key.name)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (APPS + r"\Nowhere", STATUS_OBJECT_NAME_NOT_FOUND),
        (APPS + r"\Link", STATUS_OBJECT_NAME_NOT_FOUND),
        (APPS + r"\Link\deeper", STATUS_OBJECT_NAME_NOT_FOUND),
        ("Editor", STATUS_OBJECT_NAME_NOT_FOUND),
        (APPS + "\\Editor\0", STATUS_OBJECT_NAME_NOT_FOUND),
        (r"\Device\Null", STATUS_OBJECT_PATH_NOT_FOUND),
    ],
)
def test_a_link_astray_is_an_error(registry: Registry, apps: Key, link: Key, target: str, status: int) -> None:
    point(link, target)
    assert status == status_of(lambda: registry.open("Link", apps))
    assert status == status_of(lambda: registry.open(r"Link\x", apps))


def test_a_link_that_grows_with_each_turn_ends(registry: Registry, apps: Key, link: Key) -> None:
    point(link, APPS + "\\Link" + "\\x" * 2000)
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.create("Link", apps))


def test_two_links_in_a_circle_are_an_error(registry: Registry, apps: Key, link: Key) -> None:
    other, _ = registry.create("Other", apps, link=True)
    point(link, APPS + r"\Other")
    point(other, APPS + r"\Link")
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.open("Link", apps))


def test_a_link_holds_its_target_and_nothing_else(link: Key) -> None:
    assert STATUS_ACCESS_DENIED == status_of(lambda: link.set_value("other", REG_LINK, b""))
    assert STATUS_ACCESS_DENIED == status_of(lambda: link.set_value(LINK, REG_SZ, b""))
    assert 0 == status_of(lambda: link.set_value("symboliclinkvalue", REG_LINK, b""))


@pytest.mark.parametrize("open_link", [False, True])
def test_a_link_is_not_made_where_a_key_is(registry: Registry, apps: Key, open_link: bool) -> None:
    action = lambda: registry.create("Editor", apps, link=True, open_link=open_link)  # noqa: E731
    assert STATUS_OBJECT_NAME_COLLISION == status_of(action)


def test_creating_opens_an_existing_link_when_asked_for(registry: Registry, apps: Key, link: Key) -> None:
    assert (link, False) == registry.create("Link", apps, open_link=True)


def test_deleting_a_link_leaves_its_target(registry: Registry, apps: Key, link: Key) -> None:
    point(link, APPS + r"\Editor")
    link.delete()
    assert ["Editor", "Player"] == names(apps)


def test_a_link_may_be_volatile(registry: Registry, apps: Key) -> None:
    link, _ = registry.create("Link", apps, link=True, volatile=True)
    point(link, APPS + r"\Editor")
    assert "Editor" == registry.open("Link", apps).name


# -- 32-bit view


def wow64_seed() -> SeedKey:
    root = SeedKey("REGISTRY")
    software = root.branch(r"MACHINE\SOFTWARE")
    software.plant({"Native": {}, "Shared": {}, r"Classes\CLSID": {}, r"Classes\.txt": {}})
    software.plant({r"Wow6432Node\Narrow": {}, r"Classes\Wow6432Node\CLSID\{1}": {}})
    software.plant_links(
        {
            r"Wow6432Node\Classes": r"\REGISTRY\MACHINE\SOFTWARE\Classes",
            r"Wow6432Node\Shared": r"\REGISTRY\MACHINE\SOFTWARE\Shared",
        }
    )
    root.branch(r"USER\S-1\SOFTWARE").plant({"Classes": {}, "Mine": {}})
    return root


@pytest.fixture
def wide() -> Registry:
    return Registry(None, wow64_seed)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (r"Software", r"SOFTWARE\Wow6432Node"),
        (r"Software\Narrow", r"SOFTWARE\Wow6432Node\Narrow"),
        (r"Software\Wow6432Node\Narrow", r"SOFTWARE\Wow6432Node\Narrow"),
        (r"Software\Shared", r"SOFTWARE\Shared"),
        (r"Software\Classes\.txt", r"SOFTWARE\Classes\.txt"),
        (r"Software\Classes\CLSID\{1}", r"SOFTWARE\Classes\Wow6432Node\CLSID\{1}"),
    ],
)
def test_a_32_bit_program_sees_its_own_software_key(wide: Registry, name: str, found: str) -> None:
    assert "\\REGISTRY\\MACHINE\\" + found == wide.open("\\Registry\\Machine\\" + name, view32=True).path()


def test_a_64_bit_program_sees_what_is_there(wide: Registry) -> None:
    assert ["Classes", "Native", "Shared", "Wow6432Node"] == names(wide.open(r"\Registry\Machine\Software"))


def test_what_only_64_bit_programs_have_is_hidden(wide: Registry) -> None:
    action = lambda: wide.open(r"\Registry\Machine\Software\Native", view32=True)  # noqa: E731
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(action)


def test_a_key_is_created_on_the_32_bit_side(wide: Registry) -> None:
    key, created = wide.create(r"\Registry\Machine\Software\New", view32=True)
    assert (True, r"\REGISTRY\MACHINE\SOFTWARE\Wow6432Node\New") == (created, key.path())


def test_the_users_own_software_key_is_the_same_for_both(wide: Registry) -> None:
    assert r"\REGISTRY\USER\S-1\SOFTWARE\Mine" == wide.open(r"\Registry\User\S-1\Software\Mine", view32=True).path()


def test_a_relative_name_is_redirected_too(wide: Registry) -> None:
    software = wide.open(r"\Registry\Machine\Software")
    assert r"\REGISTRY\MACHINE\SOFTWARE\Wow6432Node\Narrow" == wide.open("Narrow", software, view32=True).path()
