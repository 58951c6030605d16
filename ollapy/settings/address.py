"""Address: where the daemon listens and its clients connect."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

DEFAULT_PORT = 11434
_ADDRESS = re.compile(
    r"(?:(https?)://)?(\[[0-9a-fA-F:]*\]|[A-Za-z0-9_.-]*)(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the daemon listens and its clients connect."""

    host: str
    port: int
    scheme: str = "http"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host`, `:port`, `host:port`, `[v6]:port` or such a URL; ValueError for anything else."""
        match = _ADDRESS.fullmatch(text)
        port = int(match[3] or 0) if match else -1
        if match is None or not 0 <= port <= 65535:
            raise ValueError(text)
        scheme = match[1] or ""
        default = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
        port = port if match[3] else default
        return cls(
            match[2].strip("[]") or ("0.0.0.0" if match[3] else "127.0.0.1"),
            port,
            scheme or "http",
        )

    @property
    def target(self) -> str:
        """The host to connect to; a wildcard bind is reached over loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The base URL a client uses."""
        host = f"[{self.target}]" if ":" in self.target else self.target
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether a daemon started on this machine would answer there."""
        return self.scheme == "http" and self.host in (
            "localhost",
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "::",
        )

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can connect there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
