"""Credentials: a name and a password, given with a request or kept by Docker and its relatives."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from ollapy.decoding import from_json

_MAX_CONFIG = 4 * 1024 * 1024
_DOCKER_HUB = ("docker.io", "https://index.docker.io/v1/")


class _Auth(msgspec.Struct):
    auth: str = ""


class _Config(msgspec.Struct):
    auths: dict[str, _Auth] = {}


@dataclass(frozen=True, slots=True)
class Credentials:
    """For HTTP's Basic scheme."""

    username: str
    password: str = field(repr=False)

    @classmethod
    def stored(cls, config: Path, host: str) -> Self | None:
        """Those of a host in Docker's `config.json`; None where there are none, or they cannot be read."""
        try:
            with config.open("rb") as file:
                found = from_json(file.read(_MAX_CONFIG), _Config)
            keys = (
                host,
                f"https://{host}",
                *(_DOCKER_HUB if host in _DOCKER_HUB else ()),
            )
            text = next(found.auths[key].auth for key in keys if key in found.auths)
            name, colon, password = base64.b64decode(text).decode().partition(":")
        except (
            OSError,
            ValueError,
            StopIteration,
            msgspec.DecodeError,
            binascii.Error,
        ):
            return None
        return cls(name, password) if colon else None

    @property
    def header(self) -> str:
        """The Authorization header."""
        text = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(text).decode()}"
