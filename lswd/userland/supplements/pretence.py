"""Functions that do nothing and say that they have succeeded, or that there is no such function: Wine's stubs, known
by their code.

Such a function looks whether it is to say on the debug channel that it is a stub, and returns TRUE, or FALSE with
ERROR_CALL_NOT_IMPLEMENTED. Between its first instruction and its return there is nothing but that: no call, no memory
written except for saved registers and the last error. Whatever looks any different is taken for a function that does
something.
"""

from __future__ import annotations

CODE_SIZE = 96  # bytes of a function that are enough to tell

# What compilers put at the beginning: saved registers, room on the stack, arguments copied to registers, padding.
_ENTRY = {
    8: rb"(?:[\x50-\x57]|\x41[\x50-\x57]|\x48\x83\xec.|\x48\x81\xec.{4}|[\x40-\x4f]?\x89[\xc0-\xff]"
    rb"|\x48\x8d\xa4\x24\0{4})",
    4: rb"(?:[\x50-\x57]|\x8b[\xc0-\xff]|\x5d|\x8d\x4c\x24\x04|\x83\xe4\xf0|\xff\x71\xfc|\x83\xec.|\x81\xec.{4}"
    rb"|\x89[\xc0-\xff]|\x8b[\x41-\x7f].|\x8b[\x01\x09\x11\x19\x31\x39])",
}
_MAY_SPEAK = rb"\xf6\x05.{4}\x01\x75."  # test byte [the channel's flags], 1 (fixme); jne
_TRUE = rb"\xb8\x01\0\0\0"  # mov eax, 1
# mov eax, [the TEB]; mov [eax + LastErrorValue], ERROR_CALL_NOT_IMPLEMENTED; xor eax, eax
_NO_SUCH_FUNCTION = {
    8: rb"\x65\x48\x8b\x04\x25\x30\0\0\0\xc7\x40\x68\x78\0\0\0\x31\xc0",
    4: rb"\x64\xa1\x18\0\0\0\xc7\x40\x34\x78\0\0\0\x31\xc0",
}
_LEAVE = {
    8: rb"(?:\x48\x83\xc4.|\x48\x81\xc4.{4}|[\x58-\x5f]|\x41[\x58-\x5f])",
    4: rb"(?:\x8d\x65.|\x8d\x61\xfc|\x83\xc4.|[\x58-\x5f]|\xc9)",
}
_RETURN = {8: rb"\xc3", 4: rb"\xc2"}


def only_pretends(code: bytes, word: int) -> bool:
    """Does a function that begins with ``code`` only return, with TRUE or as one that is not implemented? ``word`` is
    its pointer size."""
    import re

    entry, leave = _ENTRY[word] + b"{0,24}", _LEAVE[word] + b"{0,10}"
    answer = b"(?:" + _TRUE + b"|" + _NO_SUCH_FUNCTION[word] + b")"
    pattern = entry + _MAY_SPEAK + leave + answer + leave + _RETURN[word]
    return re.match(pattern, code, re.DOTALL) is not None
