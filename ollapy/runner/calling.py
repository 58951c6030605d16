"""Calling: from a request's tools to what the model's calls are held to."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from ollapy.api.ollama import Tool
from ollapy.chat.formats import Calls, Headers, Style
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
    return replace(
        found,
        ends=ends,
        functions=tuple(_functions(message.tools, choice.name)),
        is_required=choice.is_required,
        is_parallel=choice.is_parallel,
    )


def _written(traits: Traits) -> Calling | None:
    """How calls are written, of no tools yet."""
    form = traits.format
    if form.headers is not None:
        return _in_messages(form.headers, traits.sample)
    calls = form.calls[0] if form.calls else None
    if calls and traits.sample and calls.start in traits.sample.lead:
        return Calling(sample=traits.sample, form=calls)
    if calls and calls.style in _USUAL and not traits.sample:
        return Calling(sample=_USUAL[calls.style](calls), form=calls)
    return None


def _in_messages(headers: Headers, sample: Sample | None) -> Calling | None:
    """The same where calls are messages: known by what their headers have in common, or by the tag inside."""
    if headers.sample:
        before = headers.sample.lead.removesuffix(headers.called)
        form = Calls(start=headers.called, style=Style.HEADED)
        return Calling(sample=headers.sample, form=form, before=((Part.TEXT, before),))
    if sample and headers.calls:
        return _inside(headers.calls, sample)
    if sample and sample.between == headers.starts[0]:
        form = Calls(start=headers.starts[0], style=Style.HEADED)
        return Calling(sample=sample, form=form, text=headers.told)
    return None


def _inside(form: Calls, sample: Sample) -> Calling | None:
    """The call in a message, and its header as what comes before it."""
    for number, (part, words) in enumerate(sample.unit):
        before, found, rest = words.partition(form.start)
        if part is Part.TEXT and found:
            inner = msgspec.structs.replace(
                sample,
                lead=form.start + rest,
                unit=sample.unit[number + 1 :],
                between=None,
            )
            lead = (Part.TEXT, sample.lead)
            head = (lead, *sample.unit[:number], (Part.TEXT, before))
            return Calling(sample=inner, form=form, before=head)
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
