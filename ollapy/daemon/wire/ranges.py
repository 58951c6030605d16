"""The values that each API documents for its numbers; options of Ollama's, also in these APIs, are brought into range."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ollapy.errors import OutOfRange

Ranges = Mapping[str, tuple[float, float]]

OPENAI: Ranges = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
}
ANTHROPIC: Ranges = {
    "temperature": (0, 1),
    "top_p": (0, 1),
    "top_k": (0, 2**31 - 1),
}
MAX_BIAS = 100


def check(request: msgspec.Struct, ranges: Ranges) -> None:
    """OutOfRange for the first number that is not in its range."""
    for name, (low, high) in ranges.items():
        value = getattr(request, name, None)
        if value is not None and not low <= value <= high:
            raise OutOfRange(name, low, high)


def check_bias(given: Mapping[str, float] | None) -> None:
    """OutOfRange where one of the values is not."""
    if any(not -MAX_BIAS <= value <= MAX_BIAS for value in (given or {}).values()):
        raise OutOfRange("logit_bias", -MAX_BIAS, MAX_BIAS)
