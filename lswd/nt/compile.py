"""A system call that is made often, as a Python function written for it: registers in, arguments to the handler.

The text of the function comes from the same declaration as the decoders (nt.declare), for one word size. What is the
same for all calls of a process is given to it when it is made. It does what ``Dispatcher.handler`` does in loops, in a
third of the time; making it takes as long as ten calls or more, so it is not worth it for the few calls of a launch.
"""

from __future__ import annotations

import struct

from lswd.kernel.thread import ThreadExit
from lswd.nt.declare import Cell, SystemCall, form_of
from lswd.ntdef.status import NtError
from lswd.ntdef.types import Scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeAlias

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.nt.declare import Call, Parameter

    Compiled: TypeAlias = Callable[[Call, int, int, int, int, int], int | None]

# Where arguments on the stack begin, by word size: behind the return address, and on x64 behind four home slots.
FIRST_STACK_ARGUMENT = {8: 0x28, 4: 4}
IN_REGISTERS = {8: 4, 4: 0}

_TEXT = """\
def {name}(call, r1, r2, r3, r4, stack):
    thread = call.thread
    thread.system_calls += 1
    process.current_thread = thread
    try:
{fetch}{make}
    except NtError as error:
        result = error.status
    except ThreadExit:
        return None
    except Exception as error:
        result = bug(thread, (r1, r2, r3, r4), stack, error)
    if thread.context_changed or thread.terminated or thread.suspend_count or thread.holders or process.ended:
        return leave(thread, result)
    return result
"""
_FETCH = """\
        at = stack + {first}
        page = readable.get(at >> 12)
        if page is not None and at & 0xFFF <= {most}:
            {names}, = unpack_from(memory, page + (at & 0xFFF))
        else:
            {names}, = unpack(read(at, {size}))
"""
_FAST = """\
        result = fast(call{raw})
        if result is None:
    {slow}
"""
_CALL = """\
        result = handler(call{names})
"""
_CALL_ASYNC = """\
        result = handler(call{names})
        if not isinstance(result, int):
            try:
                thread.pending = result, result.send(None)
                return None
            except StopIteration as done:
                result = done.value
"""
_HANDLE = """\
        entry = entries.get(r{n})
        if entry is not None and isinstance(entry.object, kind{n}){and_granted}:
            a{n} = entry.object
        else:
            a{n} = decode{n}(call, r{n})
"""
_CELL = """\
        if r{n} >> 12 not in writable or r{n} & 0xFFF > {most}:
            probe(r{n}, {size})
        a{n} = Cell(space, r{n}, form{n})
"""
_CELL_OR_NULL = """\
        a{n} = None
        if r{n}:
            if r{n} >> 12 not in writable or r{n} & 0xFFF > {most}:
                probe(r{n}, {size})
            a{n} = Cell(space, r{n}, form{n})
"""

_codes: dict[tuple[str, int], CodeType] = {}


def stack_format(parameters: list[Parameter], word: int) -> struct.Struct:
    """How the arguments on the stack lie there."""
    if word == 8:
        return struct.Struct(f"<{max(0, len(parameters) - 4)}Q")
    return struct.Struct("<" + "".join([p.code32 for p in parameters]))


def text(call: SystemCall, word: int) -> str:
    """The source of the function."""
    parameters = call.parameters
    count = len(parameters)
    on_stack = stack_format(parameters, word)
    fetch = ""
    if on_stack.size:
        names = ", ".join(f"r{n}" for n in range(IN_REGISTERS[word] + 1, count + 1))
        fetch = _FETCH.format(
            first=FIRST_STACK_ARGUMENT[word], most=0x1000 - on_stack.size, size=on_stack.size, names=names
        )
    arguments = "".join([_argument(p, n, word) for n, p in enumerate(parameters, 1)])
    names = "".join([f", a{n}" for n in range(1, count + 1)])
    make = _CALL_ASYNC if call.is_async else _CALL
    lines = (arguments + make.format(names=names)).rstrip()
    if call.fast is not None:
        raw = "".join([f", r{n}" for n in range(1, count + 1)])
        lines = _FAST.format(raw=raw, slow=lines.replace("\n", "\n    ")).rstrip()
    return _TEXT.format(name=call.name, fetch=fetch, make=lines)


def _argument(parameter: Parameter, n: int, word: int) -> str:
    """The lines that make argument ``n`` of a register's value."""
    kind = parameter.kind
    if parameter.direction == "scalar":
        return f"        a{n} = {_scalar(kind, f'r{n}')}\n"
    if parameter.direction == "handle" and not parameter.optional:
        access = parameter.access
        granted = f" and not {access:#x} & ~entry.access" if access else ""
        return _HANDLE.format(n=n, and_granted=granted)
    if parameter.direction == "cell":
        form = form_of(kind, word)
        lines = _CELL_OR_NULL if parameter.optional else _CELL
        return lines.format(n=n, most=form.most, size=form.size)
    if parameter.optional:
        return f"        a{n} = decode{n}(call, r{n}) if r{n} else None\n"
    return f"        a{n} = decode{n}(call, r{n})\n"


def _scalar(kind: Scalar, value: str) -> str:
    bits = 8 * kind.size(8)
    sign = 1 << (bits - 1)
    if kind.signed:
        return f"(({value} & {2 * sign - 1:#x}) ^ {sign:#x}) - {sign:#x}"
    return value if bits == 64 else f"{value} & {2 * sign - 1:#x}"


def compiled(
    call: SystemCall,
    process: Process,
    bug: Callable[[Thread, tuple[int, ...], int, Exception], int],
    leave: Callable[[Thread, int], int | None],
) -> Compiled:
    """The function for the threads of one process.

    Args:
        bug: called with the registers, the stack pointer and what the handler raised that no handler may raise.
        leave: called when the thread does not go on as usual.
    """
    space = process.space
    word = space.word
    code = _codes.get((call.name, word))
    if code is None:
        code = _codes[call.name, word] = compile(text(call, word), f"<{call.name}, {word}>", "exec")
    on_stack = stack_format(call.parameters, word)
    scope: dict[str, Any] = {
        "NtError": NtError, "ThreadExit": ThreadExit, "bug": bug, "Cell": Cell, "entries": process.handles.entries,
        "fast": call.fast, "handler": call.handler, "leave": leave, "memory": space.memory, "probe": space.probe_write,
        "process": process, "read": space.read, "readable": space.readable_pages, "space": space,
        "unpack": on_stack.unpack, "unpack_from": on_stack.unpack_from, "writable": space.writable_pages,
    }  # fmt: skip
    for n, parameter in enumerate(call.parameters, 1):
        scope[f"decode{n}"] = parameter.decode
        scope[f"kind{n}"] = parameter.kind
        if parameter.direction == "cell":
            scope[f"form{n}"] = form_of(parameter.kind, word)
    exec(code, scope)
    made: Compiled = scope[call.name]
    return made
