"""A model's parameters: from the words of a Modelfile or the JSON of a request to values of the right types."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec

from ollapy.api import vllm
from ollapy.api.options import Options
from ollapy.errors import InvalidRequest
from ollapy.modelfile import Parameter

logger = logging.getLogger(__name__)

# Ollama took these once; a Modelfile may still have them.
_DEPRECATED = """
    penalize_newline low_vram f16_kv logits_all vocab_only use_mlock mirostat mirostat_tau mirostat_eta
"""
DEPRECATED = frozenset(_DEPRECATED.split())
_HINTS = {
    name: get_args(hint)[0]
    for kind in (Options, vllm.VllmOptions)
    for name, hint in get_type_hints(kind).items()
}
_WORDS = {n: str for n, hint in _HINTS.items() if get_origin(hint) is Literal}
# Lists of words or numbers, by what is in them; a Modelfile has no others.
_LISTS = {
    name: item
    for name, hint in _HINTS.items()
    if (item := next(iter(get_args(hint)), None)) in (str, float)
}
_TYPES = _HINTS | _LISTS | _WORDS | {vllm.ENGINE: str}
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")  # fmt: skip
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


def typed(parameters: Iterable[Parameter]) -> dict[str, object]:
    """The values of a Modelfile's parameters: those that are lists gather, of the others the last one counts."""
    values: dict[str, object] = {}
    lists: dict[str, list[object]] = {}
    for name, text in parameters:
        if name in DEPRECATED:
            logger.warning("parameter ignored name=%s: it is deprecated", name)
        elif name in _LISTS:
            parts = [text] if _LISTS[name] is str else text.split(",")
            lists.setdefault(name, []).extend(_value(name, part) for part in parts)
        else:
            values[name] = _value(name, text)
    return checked({**values, **lists})


def checked(parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters that there are, in their types; InvalidRequest where a value is of another."""
    if "adapters" in parameters:
        raise InvalidRequest(
            "'adapters' is an option of requests, a model has its own by ADAPTER"
        )
    options, rest = vllm.parse(parameters)
    values: dict[str, object] = msgspec.to_builtins(Options.parse(rest))
    if options is not None:
        values |= {vllm.ENGINE: vllm.VLLM, **options.given}
    return {name: _shortest(values[name]) for name in sorted(values)}


def _value(name: str, text: str) -> object:
    kind = _TYPES.get(name)
    if kind is None:
        near = get_close_matches(name, _TYPES, 1)
        meant = f", did you mean '{near[0]}'?" if near else ""
        raise InvalidRequest(f"unknown parameter '{name}'{meant}")
    if kind is str:
        return text
    if kind is bool and text in _TRUE + _FALSE:
        return text in _TRUE
    if kind is int and _INTEGER.fullmatch(text):
        return int(text)
    if kind is float and (number := _number(text)) is not None:
        return number
    raise InvalidRequest(f"invalid {kind.__name__} value [{text}]")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shortest(value: object) -> object:
    """As Go writes a number: 1.0 is 1, so that the same parameters have the same digest."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
