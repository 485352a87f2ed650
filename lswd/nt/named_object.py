"""Creating and opening named objects: what every NtCreate* and NtOpen* of the object manager has in common.

Source: Microsoft "OBJECT_ATTRIBUTES structure", "Object Names"; [MS-ERREF] for the statuses.
"""

from __future__ import annotations

from lswd.kernel.handle import OBJ_CASE_INSENSITIVE, OBJ_INHERIT, OBJ_OPENIF, OBJ_OPENLINK, OBJ_PERMANENT
from lswd.kernel.namespace import Directory, SymbolicLink
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_EXISTS,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.object import KernelObject
    from lswd.nt.declare import Call, ObjectAttributes, Out


def create_object(
    call: Call,
    handle: Out[int],
    attributes: ObjectAttributes | None,
    access: int,
    kind: type[KernelObject],
    factory: Callable[[], KernelObject],
) -> int:
    """Create an object, named or not, and a handle to it.

    Args:
        handle: receives the new handle.
        kind: the type an object that already has the name must be of (OBJ_OPENIF).
        factory: makes the object; called only when there is none of that name yet.

    Returns:
        STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS with a handle to the object that has the name (OBJ_OPENIF).

    Raises:
        NtError: STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_TYPE_MISMATCH, STATUS_OBJECT_NAME_INVALID,
            STATUS_PRIVILEGE_NOT_HELD (OBJ_PERMANENT), and what ``Namespace.walk`` and ``factory`` raise.
    """
    handle.set(0)  # NT leaves it as it was when it fails; Wine's kernelbase returns it regardless
    flags = attributes.attributes if attributes is not None else 0
    inherit = bool(flags & OBJ_INHERIT)
    handles = call.process.handles
    if attributes is None or not attributes.name:
        if attributes is not None and attributes.root is not None:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        handle.set(handles.add(factory(), access, inherit=inherit))
        return STATUS_SUCCESS
    if flags & OBJ_PERMANENT:
        raise NtError(STATUS_PRIVILEGE_NOT_HELD)
    follow = kind is not SymbolicLink and not flags & OBJ_OPENLINK
    found, rest = call.process.system.namespace.walk(
        attributes.name, attributes.root, follow_last=follow, case_sensitive=not flags & OBJ_CASE_INSENSITIVE
    )
    if not rest:
        if not flags & OBJ_OPENIF:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if not isinstance(found, kind):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        handle.set(handles.add(found, access, inherit=inherit))
        return STATUS_OBJECT_NAME_EXISTS
    if not isinstance(found, Directory):
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
    obj = factory()
    found.insert(rest, obj)
    try:
        value = handles.add(obj, access, inherit=inherit)
    except NtError:
        obj.on_last_handle()
        raise
    handle.set(value)
    return STATUS_SUCCESS


def open_object(
    call: Call, handle: Out[int], attributes: ObjectAttributes | None, access: int, kind: type[KernelObject]
) -> int:
    """Open an object by its name.

    Returns:
        STATUS_SUCCESS.

    Raises:
        NtError: STATUS_INVALID_PARAMETER (no attributes), STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH,
            and what ``Namespace.walk`` raises.
    """
    handle.set(0)  # NT leaves it as it was when it fails; Wine's kernelbase returns it regardless
    if attributes is None:
        raise NtError(STATUS_INVALID_PARAMETER)
    flags = attributes.attributes
    found, rest = call.process.system.namespace.walk(
        attributes.name,
        attributes.root,
        follow_last=kind is not SymbolicLink and not flags & OBJ_OPENLINK,
        case_sensitive=not flags & OBJ_CASE_INSENSITIVE,
    )
    if rest:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    if not isinstance(found, kind):
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
    handle.set(call.process.handles.add(found, access, inherit=bool(flags & OBJ_INHERIT)))
    return STATUS_SUCCESS
