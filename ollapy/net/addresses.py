"""Which addresses may be connected to: what the outside says must never lead inside.

A chain of redirects that began at a public address stays on public ones. One that the user began inside may go
anywhere but to link-local addresses, where cloud machines keep their credentials.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

from ollapy.errors import RemoteError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = ipaddress.ip_address("fd00:ec2::254")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, in whatever form it is written."""
    found = _plain(address)
    return (
        found.is_global
        and not found.is_multicast
        and not found.is_reserved
        and not getattr(found, "is_site_local", False)
    )


def is_loopback(host: str) -> bool:
    """Whether a host is plainly this machine."""
    try:
        return _plain(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_metadata(address: str) -> bool:
    found = _plain(address)
    return found.is_link_local or found == _METADATA


def _plain(address: str) -> _Address:
    """The address that packets reach: IPv4 may be written inside of IPv6."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


class Trail:
    """Where one request has been so far."""

    def __init__(self, is_public: Callable[[str], bool] = is_public) -> None:
        self._is_public = is_public
        self._began_public: bool | None = None

    def allowed(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Those of the host's addresses that may be connected to; RemoteError if none."""
        if self._began_public is None:
            self._began_public = any(map(self._is_public, addresses))
        fine = [a for a in addresses if self._may_reach(a)]
        if not fine:
            raise RemoteError(f"refused to go to {host}: its address is not public")
        return fine

    def named(self, host: str) -> None:
        """Take a host that a proxy will look up."""
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:  # a name is taken for the internet's
            self._began_public = self._began_public is not False
        else:
            self.allowed(host, [address])

    def _may_reach(self, address: str) -> bool:
        if self._began_public:
            return self._is_public(address)
        return not _is_metadata(address)
