"""Asker: whose request is being answered. Set by the gate for all that the request starts."""

from __future__ import annotations

from contextvars import ContextVar

from ollapy.keys import Key, Scope

# None where no key is needed: everybody is the user of this machine
_key: ContextVar[Key | None] = ContextVar("asker", default=None)


def remember(key: Key) -> None:
    """The request that is being answered came with that key."""
    _key.set(key)


def asked_by() -> str:
    """The id of the key, empty for the user of this machine."""
    key = _key.get()
    return key.id if key else ""


def sees_all() -> bool:
    """Whether the asker may know that others ask something."""
    key = _key.get()
    return key is None or key.allows(Scope.MANAGE)
