"""Info: what the maker of a model may say about it that its files do not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ollapy.errors import InvalidRequest

logger = logging.getLogger(__name__)

_MAX_TEXT = 256


def configured(info: Mapping[str, object]) -> dict[str, object]:
    """The fields of the configuration that it sets; InvalidRequest in Ollama's words, unknown ones are logged."""
    found: dict[str, object] = {}
    for name, value in info.items():
        if name not in _FIELDS:
            logger.warning("info ignored name=%s", name[:80])
        elif value is not None:
            field, is_right, kind = _FIELDS[name]
            if not is_right(value):
                raise InvalidRequest(f'info field "{name}" must be {kind}')
            found[field] = value
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_TEXT = (_is_text, "a string")
_COUNT = (_is_count, "a non-negative integer")
_LIST = (_is_list, "a list of strings")

# By the name in a request: the configuration's field, what is right for it, and how that is said.
_FIELDS: dict[str, tuple[str, Callable[[object], bool], str]] = {
    "model_family": ("model_family", *_TEXT),
    "base_name": ("base_name", *_TEXT),
    "quantization_level": ("file_type", *_TEXT),
    "parameter_size": ("model_type", *_TEXT),
    "context_length": ("context_length", *_COUNT),
    "embedding_length": ("embedding_length", *_COUNT),
    "capabilities": ("capabilities", *_LIST),
}
