"""Calling: from a request's tools to what the model's calls are held to."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ollapy.api.ollama import Tool
from ollapy.chat.formats import Calls, Style
from ollapy.chat.sample import Part, Sample
from ollapy.chat.traits import Traits
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.grammar.calls import Calling, Function
from ollapy.grammar.schema import prepared

from .protocol import Chat

logger = logging.getLogger(__name__)

_ANY: dict[str, Any] = {"type": "object"}
# What a tool takes that names no parameters.
_NOTHING: dict[str, Any] = {"properties": {}}


def calling_of(message: Chat, traits: Traits, ends: tuple[str, ...]) -> Calling | None:
    """What the calls of an answer must be; None where there are none, or nothing is known of how they are written."""
    choice, found = message.tool_choice, _written(traits)
    if not message.tools:
        return None
    if found is None:
        if choice.is_required:
            raise Unsupported(
                "tool_choice cannot be enforced: this model's template does not show how its calls are written"
            )
        logger.info("tool calls not constrained id=%d", message.id)
        return None
    sample, form, before = found
    return Calling(
        sample=sample,
        form=form,
        before=before,
        ends=ends,
        functions=tuple(_functions(message.tools, choice.name)),
        is_required=choice.is_required,
        is_parallel=choice.is_parallel,
    )


def _written(traits: Traits) -> tuple[Sample, Calls, str] | None:
    """How calls are written, in what form, and what leads to one at the beginning of an answer."""
    form = traits.format
    if (headers := form.headers) is not None and headers.sample:
        before = headers.sample.lead.removesuffix(headers.called)
        return headers.sample, Calls(start=headers.called, style=Style.HEADED), before
    calls = form.calls[0] if form.calls else None
    if calls and traits.sample and calls.start in traits.sample.lead:
        return traits.sample, calls, ""
    if calls and calls.style in _USUAL and not traits.sample:
        return _USUAL[calls.style](calls), calls, ""
    return None


def _usual_json(calls: Calls) -> Sample:
    """How objects are written by those whose template only tells of them: in tags of their own, or in a list."""
    first = '{"name": "'
    between = f"}}{calls.end}\n{calls.start}{first}" if calls.end else f"}}, {first}"
    return Sample(
        lead=f"{calls.start}{'' if calls.end else '['}{first}",
        unit=((Part.NAME, ""), (Part.TEXT, '", "arguments": '), (Part.ARGUMENTS, "")),
        between=between,
        tail=f"}}{calls.end or ']'}",
    )


def _usual_python(calls: Calls) -> Sample:
    return Sample(
        lead=f"{calls.start}[",
        unit=((Part.NAME, ""), (Part.TEXT, "("), (Part.ARGUMENTS, "")),
        between="), ",
        tail=f")]{calls.end}",
    )


_USUAL = {Style.JSON: _usual_json, Style.PYTHON: _usual_python}


def _functions(tools: Iterable[Tool], only: str) -> Iterable[Function]:
    for tool in tools:
        function = tool["function"]
        if only in ("", function["name"]):
            yield _function(function)


def _function(function: dict[str, Any]) -> Function:
    """A tool whose arguments may be any object where its schema is out of bounds, unless it must be enforced."""
    name, is_strict = function["name"], function.get("strict") is True
    parameters = function.get("parameters") or _NOTHING
    try:
        if not isinstance(parameters, dict):
            raise InvalidRequest("parameters is no object")
        found = prepared({**_ANY, **parameters}, is_lenient=not is_strict)
    except InvalidRequest as exc:
        if is_strict:
            raise InvalidRequest(f"tool {name}: {exc}") from exc
        logger.warning("tool's arguments not constrained name=%s: %s", name[:80], exc)
        found = prepared(_ANY)
    return Function(name, found, is_strict)
