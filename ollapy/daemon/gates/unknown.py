"""Fields of a request that mean nothing here: they are passed over, and the log names them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from ollapy.decoding import from_json

logger = logging.getLogger(__name__)

_MAX_TOLD = 16
_MAX_NAME = 80
# What clients send that says nothing of the answer: who asks, and how a service is to keep and bill it.
_ABOUT_THE_CALLER = {
    *("user", "metadata", "store", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention", "client_metadata"),
}


def tell(path: str, body: bytes, kind: type) -> None:
    """Log the fields of a body that decoded well and has more than the type."""
    known = _names(kind)
    if known is None:
        return
    given = from_json(body, dict[str, msgspec.Raw])
    _log(
        path,
        [n for n, value in given.items() if n not in known and bytes(value) != b"null"],
    )


def tell_names(path: str, names: Iterable[str], kind: type) -> None:
    """Log those of the names that the type has no field for."""
    _log(path, [name for name in names if name not in (_names(kind) or ())])


def _log(path: str, names: list[str]) -> None:
    if names:
        told = ", ".join(name[:_MAX_NAME] for name in names[:_MAX_TOLD])
        logger.warning("fields ignored path=%s names=%s", path, told)


@lru_cache(maxsize=128)
def _names(kind: Any) -> frozenset[str] | None:
    """The fields that need no word; None of a type that takes any."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return None
    fields = (field.encode_name for field in msgspec.structs.fields(kind))
    return frozenset({*fields, *_ABOUT_THE_CALLER})
