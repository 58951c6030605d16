"""KeyRing: the API keys of this machine's daemon, in a file of the user's own. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from enum import StrEnum
from pathlib import Path

import msgspec

from ollapy import private
from ollapy.decoding import from_json
from ollapy.errors import NotFound, OllapyError

PREFIX = "ollapy-"


class Scope(StrEnum):
    """What a key allows: to use the models that are here, or also to change what is here."""

    INFER = "infer"
    MANAGE = "manage"


class Key(msgspec.Struct, frozen=True):
    """A key without its secret; `created_at` is Unix time."""

    id: str
    name: str
    scope: Scope
    sha256: str
    created_at: float

    def allows(self, needed: Scope) -> bool:
        """Who may manage may also infer."""
        return self.scope in (needed, Scope.MANAGE)


class KeyRing:
    """The keys in a file, which is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._keys: list[Key] = []

    @property
    def keys(self) -> list[Key]:
        """All of them, oldest first; OllapyError where the file is not one of keys."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return []
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._keys, self._seen = self._read(), seen
        return self._keys

    def create(self, name: str, scope: Scope) -> str:
        """A new key's secret, which nobody can tell again."""
        # 256 random bits need no slow hash
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(4), name, scope, _hashed(secret), time.time())
        self._write([*self.keys, key])
        return secret

    def revoke(self, key_id: str) -> None:
        """Have a key open nothing any more; NotFound where there is none of that id."""
        kept = [key for key in self.keys if key.id != key_id]
        if len(kept) == len(self.keys):
            raise NotFound(f"there is no key '{key_id}', see `ollapy key list`")
        self._write(kept)

    def find(self, secret: str) -> Key | None:
        """The key of that secret, compared with all of them in the same time."""
        given = _hashed(secret)
        found = [key for key in self.keys if hmac.compare_digest(key.sha256, given)]
        return found[0] if found else None

    def _read(self) -> list[Key]:
        try:
            return from_json(self._path.read_bytes(), list[Key])
        except (OSError, msgspec.DecodeError) as exc:
            raise OllapyError(
                "the file of API keys cannot be read: make new ones with `ollapy key create` after removing it"
            ) from exc

    def _write(self, keys: list[Key]) -> None:
        private.replace(self._path, msgspec.json.encode(keys))


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
