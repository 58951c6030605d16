"""Url: where a request goes, parsed so strictly that no two readers can differ about the host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

from ollapy.errors import RemoteError

from .failures import shown

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http or https URL; `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str  # path and query

    @classmethod
    def parse(cls, text: str) -> Self:
        """RemoteError for whatever is not plainly `scheme://host[:port]/…`."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _refused(text) from None
        plain = not _FORBIDDEN.search(text) and text.isascii()
        # an `@` in either place is read as the end of credentials by somebody
        if not plain or "@" in parts.netloc + parts.fragment or not _is_host(host):
            raise _refused(text)
        if parts.scheme not in _PORTS or port == 0:
            raise _refused(text)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], target)

    def join(self, location: str) -> Self:
        """Where a redirect from here leads."""
        location = quote(location.encode("latin-1", "replace"), safe=_ASCII)
        if location.startswith("//") or _FORBIDDEN.search(location):
            raise _refused(location)
        return type(self).parse(urljoin(str(self), location))

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be equal for credentials to be sent."""
        return (self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """`host` or `host:port`, as in a Host header and in sentences."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


_ASCII = "".join(map(chr, range(0x80)))


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        return "%" not in host and bool(IPv6Address(host))
    except AddressValueError:
        return False


def _refused(text: str) -> RemoteError:
    # credentials may stand before an `@`, and in a query
    safe = shown(text.split("?")[0].rpartition("@")[2])
    return RemoteError(f"refused to go to {safe!r}: not a plain http or https address")
