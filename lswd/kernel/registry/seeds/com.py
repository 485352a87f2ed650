"""COM's own classes and interfaces: what calling an object in another apartment takes.

An interface names the class that makes its proxies, which is in one of two DLLs.
Source: Microsoft "Interface key", "CLSID key", "InprocServer32"; identifiers: the headers objidl.h, oleidl.h, oaidl.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey

_SYSTEM = "C:\\windows\\system32\\"
_PROXIES = 0x320
# Classes by the first part of their identifier.
_OLE32 = {
    0x300: "StdOleLink", 0x303: "FileMoniker", 0x304: "ItemMoniker", 0x305: "AntiMoniker", 0x306: "PointerMoniker",
    0x309: "CompositeMoniker", 0x30B: "DfMarshal", 0x31A: "ClassMoniker", _PROXIES: "PSFactoryBuffer",
    0x327: "ObjrefMoniker", 0x2E005: "Component Categories Manager",
}  # fmt: skip
_OLEAUT32 = {
    0x2F: "CLSID_RecordInfo", 0x20420: "PSDispatch", 0x20421: "PSEnumVariant", 0x20422: "PSTypeInfo",
    0x20423: "PSTypeLib", 0x20424: "PSOAInterface", 0x20425: "PSTypeComp",
}  # fmt: skip
# Interfaces: name, and how many methods it has with IUnknown's.
_INTERFACES = {
    0x01: ("IClassFactory", 5), 0x0A: ("ILockBytes", 10), 0x0B: ("IStorage", 18), 0x0C: ("IStream", 14),
    0x0D: ("IEnumSTATSTG", 7), 0x0E: ("IBindCtx", 13), 0x0F: ("IMoniker", 23), 0x10: ("IRunningObjectTable", 10),
    0x12: ("IRootStorage", 4), 0x22: ("ISurrogate", 5), 0x30: ("ISynchronize", 6), 0x100: ("IEnumUnknown", 7),
    0x101: ("IEnumString", 7), 0x102: ("IEnumMoniker", 7), 0x103: ("IEnumFORMATETC", 7), 0x104: ("IEnumOLEVERB", 7),
    0x105: ("IEnumSTATDATA", 7), 0x109: ("IPersistStream", 8), 0x10A: ("IPersistStorage", 10),
    0x10B: ("IPersistFile", 9), 0x10C: ("IPersist", 4), 0x10D: ("IViewObject", 9), 0x10E: ("IDataObject", 12),
    0x10F: ("IAdviseSink", 8), 0x112: ("IOleObject", 24), 0x113: ("IOleInPlaceObject", 9), 0x114: ("IOleWindow", 5),
    0x115: ("IOleInPlaceUIWindow", 9), 0x116: ("IOleInPlaceFrame", 15), 0x117: ("IOleInPlaceActiveObject", 10),
    0x118: ("IOleClientSite", 9), 0x119: ("IOleInPlaceSite", 15), 0x11A: ("IParseDisplayName", 4),
    0x11B: ("IOleContainer", 6), 0x11C: ("IOleItemContainer", 9), 0x11D: ("IOleLink", 14), 0x11E: ("IOleCache", 8),
    0x122: ("IDropTarget", 7), 0x125: ("IAdviseSink2", 9), 0x126: ("IRunnableObject", 8), 0x127: ("IViewObject2", 10),
    0x128: ("IOleCache2", 10), 0x129: ("IOleCacheControl", 5), 0x12A: ("IContinue", 4), 0x131: ("IRemUnknown", 6),
    0x140: ("IClassActivator", 4), 0x142: ("IRemUnknown2", 7),
}  # fmt: skip
# Those of automation, which have proxies of their own.
_AUTOMATION = {
    0x2E: ("ITypeFactory", 4, 0x20420), 0x20400: ("IDispatch", 7, 0x20420), 0x20401: ("ITypeInfo", 22, 0x20422),
    0x20402: ("ITypeLib", 13, 0x20423), 0x20403: ("ITypeComp", 5, 0x20425), 0x20404: ("IEnumVARIANT", 7, 0x20421),
    0x20411: ("ITypeLib2", 17, 0x20420), 0x20412: ("ITypeInfo2", 37, 0x20420),
}  # fmt: skip


def identifier(first: int) -> str:
    """The GUID of COM's own that begins so."""
    return f"{{{first:08X}-0000-0000-C000-000000000046}}"


def plant(key: SeedKey, *, below: str = "") -> None:
    """Fill in HKEY_CLASSES_ROOT's part. ``below``: where in it, for 32-bit programs."""
    interfaces = {number: (*told, _PROXIES) for number, told in _INTERFACES.items()} | _AUTOMATION
    for number, (name, methods, proxies) in interfaces.items():
        path = f"{below}Interface\\{identifier(number)}"
        key.plant({
            path: {"": name},
            f"{path}\\NumMethods": {"": str(methods)},
            f"{path}\\ProxyStubClsid32": {"": identifier(proxies)},
        })
    for dll, classes in (("ole32.dll", _OLE32), ("oleaut32.dll", _OLEAUT32)):
        for number, name in classes.items():
            path = f"{below}CLSID\\{identifier(number)}"
            key.plant({path: {"": name}, f"{path}\\InprocServer32": {"": _SYSTEM + dll, "ThreadingModel": "Both"}})
