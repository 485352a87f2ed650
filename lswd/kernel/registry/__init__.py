"""The registry: NT's configuration manager.

The tree a guest sees is three layers merged key by key: *seeds* (what a fresh Windows holds, declared in ``seeds/`` and
never stored), the *store* (an SQLite file that holds only what differs from the seeds) and volatile keys (memory).

    registry  Registry: names to keys, creating keys, links, the 32-bit view
    key       Key: what a handle refers to; values, enumeration, deletion, renaming, notification
    node      the layers merged, and kept in step with other processes
    store     the file, its transactions, and what other processes did to it
    snapshot  the file's contents without SQLite, for a fast launch
    seed      the form seeds are declared in
    values    value types and their bytes
"""

from lswd.kernel.registry.key import Key, KeyInfo
from lswd.kernel.registry.registry import Registry
from lswd.kernel.registry.store import RegistryError
from lswd.kernel.registry.values import Value
from lswd.kernel.registry.watch import Watch

__all__ = ["Key", "KeyInfo", "Registry", "RegistryError", "Value", "Watch"]
