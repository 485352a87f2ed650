"""Hooks: setting and removing them, and calling them.

Source: Microsoft "SetWindowsHookEx", "CallNextHookEx", "GetMsgProc", "CallWndProc", "CBTProc"; what is called back, and
its parameters: the type information of Wine's user32.
"""

from __future__ import annotations

from lswd.kernel.user_callback import UserMode
from lswd.kernel.window_hook import Hook, Hooks
from lswd.nt.declare import Call, syscall
from lswd.nt.user_failure import ERROR_INVALID_PARAMETER, failed
from lswd.nt.user_function import callback_code, user_function, user_structure
from lswd.nt.user_procedure import signed
from lswd.ntdef.types import BOOL, HANDLE, LONG, LONG_PTR, PVOID, ULONG, ULONG_PTR, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

WH_GETMESSAGE, WH_CALLWNDPROC, WH_CBT, WH_MAX = 3, 4, 5, 14
HC_ACTION, HCBT_CREATEWND, HCBT_DESTROYWND = 0, 3, 4
ERROR_INVALID_HOOK_FILTER, ERROR_INVALID_FILTER_PROC, ERROR_INVALID_HOOK_HANDLE = 1426, 1427, 1404
ERROR_HOOK_NEEDS_HMOD = 1428


class CWPSTRUCT(Struct):
    lParam: LONG_PTR
    wParam: ULONG_PTR
    message: ULONG
    hwnd: HANDLE


class CBT_CREATEWND(Struct):
    lpcs: PVOID
    hwndInsertAfter: HANDLE


async def call_hooks(
    thread: Thread, kind: int, code: int, first: int, second: int, user: UserMode | None = None
) -> int:
    """Have a thread's hooks of a kind see something; what the newest of them returns, 0 without any."""
    chain = thread.process.system.part(Hooks).chain(kind, thread)
    return await _run(thread, chain, code, first, second, user, unicode=True) if chain else 0


async def _run(
    thread: Thread, chain: list[Hook], code: int, first: int, second: int, user: UserMode | None, *, unicode: bool
) -> int:
    """Call the first of the chain. ``unicode``: texts of what it sees are."""
    hooks = thread.process.system.part(Hooks)
    hook = chain[0]
    structure = user_structure(thread.process, "win_hook_params")
    data = structure.pack(
        proc=hook.routine, handle=hook.handle, pid=thread.process.pid, tid=thread.tid, id=hook.kind, code=code,
        wparam=first, lparam=second, prev_unicode=unicode, next_unicode=not hook.ansi,
    )  # fmt: skip
    if "module" in structure.fields:  # an empty name; what came behind it would be taken for what lparam points to
        data = data[: structure.offset("module") + 2]
    running = hooks.running.setdefault(thread, [])
    running.append(hook)
    try:
        code_of = callback_code(thread.process, "CallWindowsHook")
        status, output = await (user or UserMode(thread)).call(code_of, data)
    finally:
        running.remove(hook)
        if not running:
            hooks.running.pop(thread, None)
    word = thread.process.space.word
    if len(output) < word:  # older userlands return it like a status
        return (status ^ 0x80000000) - 0x80000000
    return signed(output[:word], word)


async def see_sent(thread: Thread, hwnd: int, message: int, first: int, second: int, *, own: bool) -> None:
    """WH_CALLWNDPROC, before a window gets a sent message. ``own``: by its own thread."""
    if not thread.process.system.part(Hooks).chain(WH_CALLWNDPROC, thread):
        return
    word = thread.process.space.word
    user = UserMode(thread)
    bits = 8 * word
    signed_second = (second & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)
    told = CWPSTRUCT(lParam=signed_second, wParam=first & (1 << bits) - 1, message=message, hwnd=hwnd)
    at = user.push(told.pack(word))
    await call_hooks(thread, WH_CALLWNDPROC, HC_ACTION, int(own), at, user)


@syscall(partial="WH_GETMESSAGE, WH_CALLWNDPROC and WH_CBT of the own process see something, others nothing")
def NtUserSetWindowsHookEx(
    call: Call, inst: HANDLE, module: PVOID, tid: ULONG, kind: LONG, proc: PVOID, ansi: BOOL
) -> HANDLE:
    if not proc:
        return failed(call.thread, ERROR_INVALID_FILTER_PROC)
    if not -1 <= kind <= WH_MAX:
        return failed(call.thread, ERROR_INVALID_HOOK_FILTER)
    thread: Thread | None = None
    if tid:
        thread = call.process.find_thread(tid)
        if thread is None:
            return failed(call.thread, ERROR_INVALID_PARAMETER)
    elif not inst:
        return failed(call.thread, ERROR_HOOK_NEEDS_HMOD)
    hook = call.process.system.part(Hooks).add(kind, call.process, thread, proc, ansi=bool(ansi))
    return hook.handle if hook is not None else 0


@syscall
def NtUserUnhookWindowsHookEx(call: Call, handle: HANDLE) -> BOOL:
    hooks = call.process.system.part(Hooks)
    hook = hooks.find(handle)
    if hook is None or hook.process is not call.process:
        return failed(call.thread, ERROR_INVALID_HOOK_HANDLE)
    hooks.all.remove(hook)
    return 1


@user_function
def CallTwoParam_UnhookWindowsHook(call: Call, kind: int, routine: int) -> int:
    hooks = call.process.system.part(Hooks)
    kind = (kind & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    for hook in hooks.all:
        if hook.sees(kind, call.thread) and hook.routine == routine:
            hooks.all.remove(hook)
            return 1
    return failed(call.thread, ERROR_INVALID_HOOK_HANDLE)


@syscall
async def NtUserCallNextHookEx(
    call: Call, hook: HANDLE, code: LONG, wparam: ULONG_PTR, lparam: LONG_PTR
) -> LONG_PTR:
    """Whatever hook it names, the one that runs is meant."""
    hooks = call.process.system.part(Hooks)
    running = hooks.running.get(call.thread)
    if not running:
        return failed(call.thread, ERROR_INVALID_HOOK_HANDLE)
    current = running[-1]
    chain = hooks.chain(current.kind, call.thread)
    behind = chain[chain.index(current) + 1 :] if current in chain else []
    if not behind:
        return 0
    return await _run(call.thread, behind, code, wparam, lparam, None, unicode=not current.ansi)
