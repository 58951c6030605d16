"""Challenge: what a registry wants to see before it answers (RFC 9110 §11.6.1, distribution-spec tokens)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

from ollapy.errors import Unauthorized

_PARAMETER = re.compile(r'\s*([A-Za-z_-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]*))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """The scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str) -> Self:
        """From a WWW-Authenticate header that holds one challenge."""
        scheme, _, rest = header.strip().partition(" ")
        found = {name.lower(): a or b for name, a, b in _PARAMETER.findall(rest)}
        return cls(scheme.lower(), found)

    @property
    def realm(self) -> str:
        """The URL that gives tokens."""
        if not self.parameters.get("realm"):
            raise Unauthorized("unauthorized: the registry names nobody to ask")
        return self.parameters["realm"]

    @property
    def query(self) -> list[tuple[str, str]]:
        """What to ask there: the service, and each scope by itself."""
        service = self.parameters.get("service")
        scopes = self.parameters.get("scope", "").split()
        return [
            *([("service", service)] if service else []),
            *(("scope", scope) for scope in scopes),
        ]
