"""Brushes of the system's colours, which nobody deletes.

Source: Microsoft "GetSysColorBrush".
"""

from __future__ import annotations

from lswd.nt.declare import Call
from lswd.nt.user_display import CallOneParam_GetSysColor
from lswd.nt.user_function import user_function

_MOST = 31


@user_function
def CallOneParam_GetSysColorBrush(call: Call, index: int) -> int:
    from lswd.kernel.gdi.handle_table import gdi_handles
    from lswd.kernel.gdi.objects import BS_SOLID, Brush
    from lswd.nt.gdi_lookup import new_handle, shown

    if index >= _MOST:
        return 0
    handles = gdi_handles(call.process)
    known = handles.system_brushes.get(index)
    if known is None:
        made = Brush(BS_SOLID, CallOneParam_GetSysColor(call, index))
        made.system = True
        if not new_handle(call, made):
            return 0
        known = handles.system_brushes[index] = made.handle
    return shown(call, known)
