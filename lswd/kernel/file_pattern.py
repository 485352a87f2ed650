"""Matching file names against NT wildcard expressions.

    *   any characters             <   any characters, up to the last dot of the name (DOS_STAR)
    ?   exactly one character      >   one character, or none before a dot or at the end (DOS_QM)
                                   "   a dot, or nothing at the end (DOS_DOT)

Source: FsRtlIsNameInExpression; [MS-FSA] 2.1.4.4 "Algorithm for Determining if a FileName Is in an Expression".
"""

from __future__ import annotations

from lswd.host.names import upcase

WILDCARDS = frozenset('*?<>"')
_ANY = frozenset("*<")
_TRANSLATED = frozenset('<>"')
# A name has 255 characters at most, so it is in no longer expression, but for some that are mostly of ">" and that
# nobody means. All of them would be looked at for each character of each name.
_MOST_PARTS = 1024


def has_wildcards(pattern: str) -> bool:
    """Does the pattern need matching, rather than being the name of one file?"""
    return not WILDCARDS.isdisjoint(pattern)


def from_dos(pattern: str) -> str:
    """The expression for a pattern as a user writes it, where ``*.*`` is everything and ``a.*`` finds ``a`` too.

    Windows does this translation in FindFirstFile; Wine's FindFirstFile leaves it to us. A pattern that has been
    translated already is returned as it is.
    """
    if pattern == "*.*":
        return "*"
    if not _TRANSLATED.isdisjoint(pattern):
        return pattern
    result: list[str] = []
    for char in pattern:
        if char == "." and result and result[-1] == "*":
            result[-1] = "<"
        elif char in "?*" and result and result[-1] == ".":
            result[-1] = '"'
        result.append(">" if char == "?" else char)
    return "".join(result)


class Pattern:
    """An expression prepared for matching many names, regardless of case."""

    __slots__ = ("_parts", "matches_all")

    def __init__(self, pattern: str) -> None:
        parts: list[str] = []
        for char in upcase(pattern):
            if char in _ANY and parts and parts[-1] in _ANY:
                # "<" adds nothing to "*" beside it, and neither does anything to itself.
                parts[-1] = min(char, parts[-1])
            else:
                parts.append(char)
        self._parts = "".join(parts)
        self.matches_all = self._parts in ("", "*")

    def matches(self, name: str) -> bool:
        """Is ``name`` in the expression?"""
        if self.matches_all:
            return True
        parts = self._parts
        if len(parts) > _MOST_PARTS:
            return False
        name = upcase(name)
        last_dot = name.rfind(".")
        # All places in the expression that what has been read of the name can have led to.
        states = {0}
        for at, char in enumerate(name):
            following: set[int] = set()
            for state in _without_reading(states, parts, char):
                if state == len(parts):
                    continue
                part = parts[state]
                if part == "*" or (part == "<" and at != last_dot):
                    following.add(state)
                elif part == char or part == "?" or (part == ">" and char != ".") or (part == '"' and char == "."):
                    following.add(state + 1)
            states = following
            if not states:
                return False
        return len(parts) in _without_reading(states, parts, "")


def _without_reading(states: set[int], parts: str, char: str) -> set[int]:
    """``states`` and what is reached from them before ``char`` ("" at the end of the name) is read."""
    skipped = {"": '*<>"', ".": "*<>"}.get(char, "*<")
    result = set(states)
    pending = list(states)
    while pending:
        state = pending.pop()
        if state < len(parts) and parts[state] in skipped and state + 1 not in result:
            result.add(state + 1)
            pending.append(state + 1)
    return result
