"""Native system calls on memory. Regions are names for addresses: the module never mapped them into anybody either."""

from __future__ import annotations

import errno

from lswd.ioctl.native.declare import NativeError, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.native.declare import Call, Result

_LARGEST = 1 << 32
_LARGEST_READ = 256


@native(0x18, "base (0: any), size, type, protect", partial="the memory is not mapped in the caller")
def NtAllocateVirtualMemory(call: Call) -> Result:
    base, size, _, protect = call.args[:4]
    if not 0 < size <= _LARGEST:
        raise NativeError(errno.ENOMEM)
    return call.holdings.add_region(call.tid, base, size, protect & 0xFFFF_FFFF)


@native(0x1E, "base, size, type")
def NtFreeVirtualMemory(call: Call) -> Result:
    call.holdings.regions.remove(call.holdings.find_region(call.tid, call.args[0]))
    return 0


@native(0x50, "base, size, protect")
def NtProtectVirtualMemory(call: Call) -> Result:
    region = call.holdings.find_region(call.tid, call.args[0])
    old, region.protect = region.protect, call.args[2] & 0xFFFF_FFFF
    return old


@native(0x3F, "thread (0: own), base, size", partial="only tells how much could be read")
def NtReadVirtualMemory(call: Call) -> Result:
    owner, address, size = call.args[:3]
    for region in reversed(call.holdings.regions):
        if region.tid == ((owner & 0xFFFF_FFFF) or call.tid) and region.base <= address < region.base + region.size:
            return min(size, _LARGEST_READ, region.base + region.size - address)
    raise NativeError(errno.EINVAL)
