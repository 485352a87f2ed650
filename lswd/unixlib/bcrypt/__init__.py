"""The Unix half of bcrypt (Wine 8): keys, by the package ``cryptography``.

Hashes, random numbers and the derivation of keys are done by the DLL itself.
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_SUCCESS
from lswd.unixlib.bcrypt import asymmetric, symmetric

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction


def attach(thread: Thread, arguments: int) -> int:
    return STATUS_SUCCESS


FUNCTIONS: dict[int, UnixFunction] = {
    0: attach,
    1: attach,
    2: symmetric.forget,
    3: symmetric.set_auth_data,
    4: symmetric.encrypt,
    5: symmetric.decrypt,
    6: symmetric.get_tag,
    7: symmetric.forget,
    8: asymmetric.generate,
    9: asymmetric.decrypt,
    10: asymmetric.encrypt,
    11: asymmetric.duplicate,
    12: asymmetric.sign,
    13: asymmetric.verify,
    14: asymmetric.destroy,
    15: asymmetric.export,
    16: asymmetric.import_key,
}
