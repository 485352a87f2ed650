"""The Unix half of bcrypt (Wine 8): keys, by the package ``cryptography``.

Hashes, random numbers and the derivation of keys are done by the DLL itself.
"""

from __future__ import annotations

from lswd.unixlib.bcrypt import asymmetric, symmetric

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.unixlib import UnixFunction

FUNCTIONS: dict[int, UnixFunction] = {
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
