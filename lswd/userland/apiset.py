"""The API set schema: which DLL stands behind a contract name such as ``api-ms-win-core-file-l1-2-0``.

apisetschema.dll carries it in its section ``.apiset``; NT maps that into every process (PEB.ApiSetMap) and ntdll looks
names up in it. Here it serves to say which DLL a program lacks. Layout (version 6, Windows 10): API_SET_NAMESPACE and
its parts as ntdll's public symbols name them.
"""

from __future__ import annotations

from struct import error as struct_error
from struct import iter_unpack, unpack_from

SECTION = ".apiset"
VERSION = 6
_ENTRY_SIZE = 24
_VALUE_SIZE = 20
_MOST_ENTRIES = 0x10000
_MOST_VALUES = 64


def contract(name: str) -> str | None:
    """The part of a DLL name that the schema knows it by: lower case, up to the last hyphen; None if it is no contract.

    The number after the last hyphen is the contract's revision, and any revision leads to the same host.
    """
    lowered = name.lower()
    if not lowered.startswith(("api-", "ext-")):
        return None
    return lowered.removesuffix(".dll").rpartition("-")[0]


def parse(schema: bytes) -> dict[str, tuple[str, dict[str, str]]]:
    """Contract -> its host DLL ("" for a contract nobody implements), and other hosts for certain importing DLLs.

    Raises ValueError for a schema of another version or one that points outside of itself.
    """
    try:
        version, _, _, count, entries_at, _, _ = unpack_from("<7I", schema)
        if version != VERSION or count > _MOST_ENTRIES:
            raise ValueError(f"API set schema version {version} with {count} entries")
        result = {}
        entries = schema[entries_at : entries_at + _ENTRY_SIZE * count]
        if len(entries) != _ENTRY_SIZE * count:
            raise ValueError("truncated API set schema")
        for _, name_at, _, hashed_length, values_at, value_count in iter_unpack("<6I", entries):
            if value_count > _MOST_VALUES:
                raise ValueError("API set with too many hosts")
            host = ""
            exceptions = {}
            for index in range(value_count):
                at = values_at + _VALUE_SIZE * index
                _, importer_at, importer_length, host_at, host_length = unpack_from("<5I", schema, at)
                value = _text(schema, host_at, host_length)
                if importer_length:
                    exceptions[_text(schema, importer_at, importer_length).lower()] = value
                else:
                    host = value
            result[_text(schema, name_at, hashed_length).lower()] = (host, exceptions)
    except struct_error as error:
        raise ValueError("damaged API set schema") from error
    return result


def _text(schema: bytes, at: int, length: int) -> str:
    if length > 512 or at + length > len(schema):
        raise ValueError("API set schema points outside of itself")
    return schema[at : at + length].decode("utf-16-le")
