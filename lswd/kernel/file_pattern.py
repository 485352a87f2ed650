"""Matching file names against NT wildcard expressions.

    *   any characters             <   any characters, up to the last dot of the name (DOS_STAR)
    ?   exactly one character      >   one character, or none before a dot or at the end (DOS_QM)
                                   "   a dot, or nothing at the end (DOS_DOT)

Source: FsRtlIsNameInExpression; [MS-FSA] 2.1.4.4 "Algorithm for Determining if a FileName Is in an Expression".
"""

from __future__ import annotations

from lswd.host.names import upcase

WILDCARDS = frozenset('*?<>"')


def has_wildcards(pattern: str) -> bool:
    """Does the pattern need matching, rather than being the name of one file?"""
    return not WILDCARDS.isdisjoint(pattern)


class Pattern:
    """An expression prepared for matching many names, regardless of case."""

    __slots__ = ("_parts", "matches_all")

    def __init__(self, pattern: str) -> None:
        parts: list[str] = []
        for char in upcase(pattern):
            if not (char == "*" and parts and parts[-1] == "*"):
                parts.append(char)
        self._parts = "".join(parts)
        self.matches_all = self._parts in ("", "*")

    def matches(self, name: str) -> bool:
        """Is ``name`` in the expression?"""
        if self.matches_all:
            return True
        parts = self._parts
        end = len(parts)
        name = upcase(name)
        last_dot = name.rfind(".")
        # All places in the expression that what has been read of the name can have led to.
        states = _closure({0}, parts)
        for at, char in enumerate(name):
            following: set[int] = set()
            for state in states:
                if state == end:
                    continue
                part = parts[state]
                if part == "*":
                    following.add(state)
                elif part == "<":
                    # It takes the last dot only if there is none behind it, which there is not: so it stops there.
                    if at != last_dot:
                        following.add(state)
                    else:
                        following.add(state + 1)
                        following.add(state)
                elif part == ">":
                    if char != ".":
                        following.add(state + 1)
                    else:
                        following |= _past_question_marks(state, parts, char)
                elif part == "?" or part == char or (part == '"' and char == "."):
                    following.add(state + 1)
            states = _closure(following, parts)
            if not states:
                return False
        return any(_matches_nothing(parts[state:]) for state in states)


def _closure(states: set[int], parts: str) -> set[int]:
    """``states`` and those that are reached from them without a character."""
    result = set(states)
    pending = list(states)
    while pending:
        state = pending.pop()
        if state < len(parts) and parts[state] in "*<" and state + 1 not in result:
            result.add(state + 1)
            pending.append(state + 1)
    return result


def _past_question_marks(state: int, parts: str, char: str) -> set[int]:
    """Where a dot leads when the expression stands at a ``>``: past all of them, where it must match."""
    while state < len(parts) and parts[state] == ">":
        state += 1
    reached = set()
    for after in _closure({state}, parts):
        if after == len(parts):
            continue
        part = parts[after]
        if part in "*<":
            reached.add(after)
        elif part in ('"', "?", ".") or part == char:
            reached.add(after + 1)
    return reached


def _matches_nothing(rest: str) -> bool:
    return all(part in '*<>"' for part in rest)
