"""Turns: messages under the names that templates use, in the shape that a template takes."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

import msgspec

from ollapy.api.ollama import Message, ToolCall

from .formats import Calls, Style
from .traits import Shape, Traits


def standing(tools: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What is the same for every request; the last two are what Firefunction calls tools and time."""
    return {
        "tools": tools or None,
        "functions": msgspec.json.format(msgspec.json.encode(tools or [])).decode(),
        "datetime": datetime.now().strftime("%B %d %Y"),
    }


def turns(messages: list[Message], traits: Traits) -> list[dict[str, Any]]:
    """The conversation as the template's variable `messages`."""
    if not traits.system:
        messages = _without_system(messages)
    if traits.shape.single_calls:
        messages = _one_by_one(messages)
    found = [_turn(message, traits) for message in messages]
    return [in_parts(turn) for turn in found] if traits.shape.content_parts else found


def in_parts(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn whose text is a part of its content."""
    text = turn.get("content")
    if not isinstance(text, str):
        return turn
    return {**turn, "content": [{"type": "text", "text": text}]}


def _without_system(messages: list[Message]) -> list[Message]:
    """System texts put before the first words of the user, for a model that was trained without any."""
    said = "\n\n".join(m.content or "" for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    first = next((i for i, m in enumerate(rest) if m.role == "user"), None)
    if not said or first is None:
        return rest
    text = f"{said}\n\n{rest[first].content or ''}"
    rest[first] = msgspec.structs.replace(rest[first], content=text)
    return rest


def _one_by_one(messages: list[Message]) -> list[Message]:
    """Each call in a turn of its own, with its result after it, for a template that takes no more at once."""
    found: list[Message] = []
    waiting: list[Message] = []  # turns whose results have not come yet
    for message in messages:
        if message.role == "tool" and waiting:
            ids = [turn.tool_calls[0].id for turn in waiting if turn.tool_calls]
            given = message.tool_call_id
            found += [waiting.pop(ids.index(given) if given in ids else 0), message]
            continue
        found += waiting
        waiting = _separated(message)
    return found + waiting


def _separated(message: Message) -> list[Message]:
    """A turn for each call; what was said goes with the first."""
    calls = message.tool_calls or []
    if len(calls) < 2:
        return [message]
    silent = msgspec.structs.replace(message, content=None, thinking=None)
    turns = [message, *[silent] * (len(calls) - 1)]
    pairs = zip(turns, calls, strict=True)
    return [msgspec.structs.replace(turn, tool_calls=[call]) for turn, call in pairs]


def _turn(message: Message, traits: Traits) -> dict[str, Any]:
    shape, content = traits.shape, message.content or ""
    found: dict[str, Any] = {"role": message.role, "content": content}
    if message.thinking and shape.thought_parts:
        found["content"] = _parts(message.thinking, content)
    elif message.thinking:
        found["reasoning_content"] = found["thinking"] = message.thinking
    if message.tool_calls and traits.writes_calls:
        found["tool_calls"] = [_call(call, shape) for call in message.tool_calls]
        if shape.null_content and not content:
            found["content"] = None
    elif message.tool_calls:
        found["content"] = content + write(traits.format.calls, message.tool_calls)
    if message.tool_name:
        found["name"] = found["tool_name"] = message.tool_name
    if message.tool_call_id:
        found["tool_call_id"] = _id(message.tool_call_id, shape)
    return found


def _parts(thought: str, content: str) -> list[dict[str, str]]:
    parts = [
        {"type": "thinking", "thinking": thought},
        {"type": "text", "text": content},
    ]
    return parts if content else parts[:1]


def _call(call: ToolCall, shape: Shape) -> dict[str, Any]:
    arguments: Any = call.function.arguments
    if shape.text_arguments:
        arguments = json.dumps(arguments, ensure_ascii=False)
    function = {"name": call.function.name, "arguments": arguments}
    return {"type": "function", "id": _id(call.id, shape), "function": function}


def _id(given: str, shape: Shape) -> str:
    """The identifier, or for templates that insist on nine letters and digits, ones that stand for it."""
    if not shape.short_ids or (len(given) == 9 and given.isalnum()):
        return given
    return hashlib.sha256(given.encode()).hexdigest()[:9]


def write(forms: tuple[Calls, ...], calls: list[ToolCall]) -> str:
    """Calls as a model writes them whose template leaves that to others."""
    form = forms[0] if forms else Calls(start="<tool_call>", end="</tool_call>")
    if form.style is Style.PYTHON:
        return f"{form.start}[{', '.join(map(_python, calls))}]{form.end}"
    objects = [
        {"name": call.function.name, "arguments": call.function.arguments}
        for call in calls
    ]
    return form.start + json.dumps(objects, ensure_ascii=False) + form.end


def _python(call: ToolCall) -> str:
    arguments = (f"{key}={value!r}" for key, value in call.function.arguments.items())
    return f"{call.function.name}({', '.join(arguments)})"
