"""The layout of a structure that differs between userlands: see ``type_structures``, which finds it."""

from __future__ import annotations

from itertools import pairwise


class Structure:
    """The layout of a structure: its ``size``, and where each member lies, with how many bytes to the next."""

    __slots__ = ("fields", "size")

    def __init__(self, size: int, offsets: dict[str, int]) -> None:
        self.size = size
        order = [*sorted(set(offsets.values())), size]
        after = dict(pairwise(order))
        self.fields = {name: (at, after[at] - at) for name, at in offsets.items()}

    def pack(self, **values: int) -> bytes:
        """The structure with these numbers; a member that this version does not have is left out."""
        data = bytearray(self.size)
        for name, value in values.items():
            at, size = self.fields.get(name, (0, 0))
            data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        return bytes(data)

    def offset(self, name: str) -> int:
        """Where a member lies. Raises KeyError when there is none."""
        return self.fields[name][0]
