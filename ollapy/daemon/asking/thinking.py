"""Thinking: whether, how hard and for how long a model is to think before it answers. Pure."""

from __future__ import annotations

import logging

from ollapy.api.ollama import InferenceRequest
from ollapy.api.options import Options
from ollapy.api.thinking import LEVELS
from ollapy.errors import InvalidRequest, Unsupported

logger = logging.getLogger(__name__)


def think(request: InferenceRequest, *, is_able: bool) -> bool | str | None:
    """Whether and how hard to think: on where the model is able, unless asked otherwise.

    A number is how many tokens the thought may have, and none of them is no thought.
    """
    wanted = request.think
    _check(wanted)
    if is_able:
        if wanted is None:
            return True
        return wanted if isinstance(wanted, str) else bool(wanted)
    if not wanted:
        return None
    if request.think_if_able:
        logger.warning("think ignored, the model cannot model=%s", request.model)
        return None
    raise Unsupported(f'"{request.model}" does not support thinking')


def budget(request: InferenceRequest, chosen: Options) -> int | None:
    """Tokens that the thought may have: the request's own, or the option's; a negative one is none."""
    most = request.think if type(request.think) is int else chosen.think_budget
    return most if most is not None and most >= 0 else None


def _check(wanted: object) -> None:
    if isinstance(wanted, str) and wanted not in LEVELS:
        raise InvalidRequest(
            f'invalid think value: "{wanted[:40]}" '
            '(must be "high", "medium", "low", "max", true, false, or a number of tokens)'
        )
    if wanted is not None and not isinstance(wanted, bool | str | int):
        raise InvalidRequest(
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false), or a number of tokens'
        )
    if type(wanted) is int and wanted < 0:
        raise InvalidRequest("think must not be a negative number of tokens")
