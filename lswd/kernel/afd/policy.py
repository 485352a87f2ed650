"""What programs may do on the network: ``System.network`` is "on", "loopback" or "off".

off       no socket can be made (WSAENETDOWN)
loopback  addresses of this machine only; "all addresses" of a server means 127.0.0.1 or ::1, and anything else is
          refused as a firewall does (WSAEACCES)
on        what the host lets its user do
"""

from __future__ import annotations

from lswd.kernel.afd.address import is_loopback, is_wildcard, loopback
from lswd.ntdef.status import STATUS_ACCESS_DENIED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.address import Address

ON = "on"
LOOPBACK = "loopback"
OFF = "off"
CHOICES = (ON, LOOPBACK, OFF)


def check_destination(network: str, address: Address) -> None:
    """
    Raises:
        NtError: STATUS_ACCESS_DENIED when a socket may not connect or send there.
    """
    if network == ON or (network == LOOPBACK and (is_loopback(address) or is_wildcard(address))):
        return
    raise NtError(STATUS_ACCESS_DENIED)


def local_address(network: str, address: Address, family: int) -> Address:
    """The address to bind to instead of ``address``.

    Raises:
        NtError: STATUS_ACCESS_DENIED.
    """
    if network == ON:
        return address
    if network == LOOPBACK and is_wildcard(address):
        return loopback(family, address[1])
    check_destination(network, address)
    return address
