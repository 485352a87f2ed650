"""GDI without a process: regions against sets of points, raster operations against their truth tables, formats there
and back, what a line's and an ellipse's points are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi import shapes
from lswd.kernel.gdi.dib import Format, default_colors, packed, unpacked
from lswd.kernel.gdi.pixels import Pixels
from lswd.kernel.gdi.raster import Pattern, Solid, draw, operation, uses_paint, uses_source, uses_target

BOXES = st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=6)


def points(bands: regions.Bands) -> set[tuple[int, int]]:
    return {
        (x, y)
        for top, bottom, walls in bands
        for y in range(top, bottom)
        for i in range(0, len(walls), 2)
        for x in range(walls[i], walls[i + 1])
    }


@given(BOXES, BOXES, st.sampled_from([regions.RGN_AND, regions.RGN_OR, regions.RGN_XOR, regions.RGN_DIFF]))
def test_regions_are_combined_as_sets_are(
    one: list[tuple[int, int, int, int]], other: list[tuple[int, int, int, int]], mode: int
) -> None:
    first, second = regions.union(one), regions.union(other)
    a, b = points(first), points(second)
    wanted = {regions.RGN_AND: a & b, regions.RGN_OR: a | b, regions.RGN_XOR: a ^ b, regions.RGN_DIFF: a - b}[mode]
    combined = regions.combine(first, second, mode)
    assert wanted == points(combined)
    assert combined == regions.combine(combined, combined, regions.RGN_OR)
    assert all(regions.contains(combined, x, y) == ((x, y) in wanted) for x in range(13) for y in range(13))


def test_a_narrow_ellipse_of_thousands_of_rows_has_all_of_them() -> None:
    bands = regions.round_rectangle(0, 0, 94, 32770, 94, 32770)
    assert 32769 == sum(bottom - top for top, bottom, _ in bands)


@pytest.mark.parametrize("code", range(256))
def test_a_raster_operation_is_its_truth_table(code: int) -> None:
    combine = operation(code)
    for index in range(8):
        pattern, source, target = index >> 2 & 1, index >> 1 & 1, index & 1
        assert code >> index & 1 == combine(pattern, source, target, 1)
    for uses, bit in ((uses_paint, 4), (uses_source, 2), (uses_target, 1)):
        differs = any((code >> i ^ code >> (i | bit)) & 1 for i in range(8) if not i & bit)
        assert differs == uses(code)


@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24, 32])
def test_runs_change_nothing_beside_them(bits: int) -> None:
    stride = (20 * bits + 31) // 32 * 4
    memory = bytearray(b"\xa5" * stride * 3)
    target = Pixels(Format(bits, default_colors(bits)), 20, 3, stride, memory)
    before = [target.get(x, 1, 1) for x in range(20)]
    draw(target, [(1, 2, (3, 11))], 0xF0, Solid(bits, 1).run)
    assert [*before[:3], *[1] * 8, *before[11:]] == [target.get(x, 1, 1) for x in range(20)]
    assert b"\xa5" * stride == memory[:stride] == memory[2 * stride :]


def test_a_pattern_repeats_from_its_origin() -> None:
    pattern = Pattern(8, 3, [0x010203, 0x040506], (1, 0))
    assert 0x0301020301 == pattern.run(0, 0, 5)
    assert 0x0506 == pattern.run(2, 3, 2)


@given(st.binary(min_size=1, max_size=40), st.sampled_from([1, 4, 8]))
def test_pixels_of_few_bits_are_packed_and_unpacked(data: bytes, bits: int) -> None:
    pixels = bytes([byte & (1 << bits) - 1 for byte in data])
    assert pixels == unpacked(packed(pixels, bits), bits, len(pixels))


@given(st.lists(st.integers(0, 0xFFFFFF), min_size=1, max_size=20))
def test_colors_survive_where_a_format_has_room(colors: list[int]) -> None:
    row = b"".join([color.to_bytes(4, "little") for color in colors])
    assert row == Format(24).decode(Format(24).encode(row), len(colors))
    small = Format(16, (), (0xF800, 0x7E0, 0x1F))
    once = small.decode(small.encode(row), len(colors))
    assert once == small.decode(small.encode(once), len(colors))


@given(st.integers(-30, 30), st.integers(-30, 30))
def test_a_line_has_a_point_for_each_step_and_not_its_last(dx: int, dy: int) -> None:
    box = (-100, -100, 100, 100)
    drawn = points(shapes.line((0, 0), (dx, dy), box))
    assert max(abs(dx), abs(dy)) == len(drawn)
    assert ((dx, dy) not in drawn) and ((0, 0) in drawn or not drawn)
    half = points(shapes.line((0, 0), (dx, dy), (-100, -100, 5, 3)))
    assert {(x, y) for x, y in drawn if x < 5 and y < 3} == {(x, y) for x, y in half if x < 5 and y < 3}
