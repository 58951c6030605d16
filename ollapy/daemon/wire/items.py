"""Items of OpenAI's Responses, and its tools, in the terms of Ollama's chats. Pure."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import groupby, islice
from typing import Any

import msgspec

from ollapy.api.ollama import FunctionCall, Message, Tool, ToolCall
from ollapy.api.openai_responses import (
    InputItem,
    InputPart,
    ResponseRequest,
    TextConfig,
)
from ollapy.daemon.asking import bounds
from ollapy.decoding import converted
from ollapy.errors import InvalidRequest, Unsupported

from . import asked, custom_tools, parts

logger = logging.getLogger(__name__)

_MAX_TOLD, _MAX_NAME = 16, 40
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
# What OpenAI's own tools left in a conversation, and those tools themselves.
_HOSTED = ("_call", "_call_output", "mcp_list_tools", "compaction", "_summary")


def conversation(body: ResponseRequest, past: Sequence[Message]) -> list[Message]:
    """The messages so far; the instructions are this request's own and not among them."""
    if isinstance(body.input, str):
        return [*past, Message("user", body.input)]
    return _joined(past, body.input or [])


def resolved(
    body: ResponseRequest, find: Callable[[str], dict[str, Any]]
) -> ResponseRequest:
    """The request with what its references mean, which `find` knows by their ids."""
    if not isinstance(body.input, list):
        return body
    bounds.check("input", body.input, bounds.MAX_MESSAGES)
    references = Counter(i.id for i in body.input if i.type == "item_reference")
    for name, count in references.most_common(1):
        if count > 1:  # a short request would be a conversation without end
            raise InvalidRequest(f"input refers to item '{(name or '')[:80]}' twice")
    given = [
        converted(find(item.id or ""), InputItem)
        if item.type == "item_reference"
        else item
        for item in body.input
    ]
    return msgspec.structs.replace(body, input=given)


def tools(body: ResponseRequest) -> list[Tool]:
    """The functions and custom tools; what would run at OpenAI, or clients run by heart, is left out, and the log says so."""
    bounds.check("tools", body.tools, bounds.MAX_TOOLS)
    leaves = _leaves(body.tools or [], "tools", "")
    given = [*islice(leaves, bounds.MAX_TOOLS + 1)]
    bounds.check("tools", given, bounds.MAX_TOOLS)
    found = [_tool(*leaf) for leaf in given]
    _tell_ignored("tools", {g["type"] for (g, *_), t in zip(given, found, strict=True) if t is None})  # fmt: skip
    return [tool for tool in found if tool is not None]


def text_format(config: TextConfig | None) -> Any:
    """What the text must be, as Ollama's `format`."""
    wanted = config.format if config else None
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return "json"
    if wanted.type != "json_schema" or wanted.schema is None:
        raise InvalidRequest(
            'text.format must be of type "text", "json_object", or "json_schema" with a schema'
        )
    return wanted.schema


def _joined(past: Sequence[Message], items: list[InputItem]) -> list[Message]:
    """The messages with the items after them; what an assistant said, thought and called at once is one."""
    found: list[Message] = []
    turns = groupby([*past, *_messages(past, items)], lambda message: message.role)
    for role, turn in turns:
        found += [_one([*turn])] if role == "assistant" else turn
    return found


def _messages(past: Sequence[Message], items: list[InputItem]) -> Iterator[Message]:
    """A message of each item that is more than a thought, which goes with the next."""
    names = {call.id: call.function.name for m in past for call in m.tool_calls or []}
    thought, ignored = "", set[str]()
    for item in items:
        match item.type or ("message" if item.role else None):
            case "message":
                yield msgspec.structs.replace(_message(item), thinking=thought or None)
                thought = ""
            case "reasoning":
                thought = (
                    item.encrypted_content
                    or _content(item.summary or item.content).text
                )
            case "function_call" | "custom_tool_call":
                yield msgspec.structs.replace(_call(item), thinking=thought or None)
                names[item.call_id or ""], thought = item.name or "", ""
            case "function_call_output" | "custom_tool_call_output":
                yield _result(item, names.get(item.call_id or ""))
            case None:
                raise InvalidRequest("input item missing required 'type' field")
            case str(kind) if kind.endswith(_HOSTED):
                ignored.add(kind)
            case kind:
                raise Unsupported(f'unknown input item type: "{kind[:80]}"')
    _tell_ignored("input items", ignored)


def _one(turn: list[Message]) -> Message:
    """All that an assistant said, thought and called before somebody else came."""
    return msgspec.structs.replace(
        turn[0],
        content="".join(message.content or "" for message in turn),
        thinking="".join(message.thinking or "" for message in turn) or None,
        tool_calls=[c for message in turn for c in message.tool_calls or []] or None,
    )


def _message(item: InputItem) -> Message:
    role = {"developer": "system"}.get(item.role or "", item.role or "user")
    content = _content(item.content)
    return Message(
        role, content.text, images=content.images, images_at=content.images_at
    )


def _call(item: InputItem) -> Message:
    if not item.name:
        raise InvalidRequest(f"an input item of type {item.type} has no name")
    arguments = (
        custom_tools.arguments(item.input)
        if item.type == "custom_tool_call"
        else asked.arguments(item.arguments)
    )
    call = ToolCall(FunctionCall(item.name, arguments), item.call_id or "")
    return Message("assistant", "", tool_calls=[call])


def _result(item: InputItem, name: str | None) -> Message:
    content = _content(item.output)
    return Message(
        "tool",
        content.text,
        images=content.images,
        images_at=content.images_at,
        tool_name=name,
        tool_call_id=item.call_id,
    )


def _content(given: str | list[InputPart] | None) -> parts.Content:
    return parts.content([given] if isinstance(given, str) else map(_part, given or ()))


def _part(part: InputPart) -> str | parts.Image:
    if part.type == "input_image":
        return parts.Image(asked.image(part.image_url))
    if part.type in (*_TEXTS, "refusal"):
        return part.text or part.refusal or ""
    raise Unsupported(
        f'content of type "{part.type[:80]}" is not supported, only texts and images are'
    )


def _leaves(
    tools: list[Any], where: str, prefix: str
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """The tools that are no group of others, each with its place, and the name of its group."""
    for index, given in enumerate(tools):
        place = f"{where}[{index}]"
        match given:
            case {"type": "namespace", "name": str(space), "tools": list(group)}:
                yield from _leaves(group, f"{place}.tools", space)
            case dict():
                yield given, place, prefix
            case _:
                raise InvalidRequest(f"{place} is no object")


def _tool(given: dict[str, Any], where: str, prefix: str) -> Tool | None:
    name = given.get("name")
    if prefix and isinstance(name, str):
        name = f"{prefix}.{name}"
    match given:
        case {"type": "function"}:
            description, parameters = given.get("description"), given.get("parameters")
            return asked.tool(
                name, description, parameters, where, strict=given.get("strict")
            )
        case {"type": "custom"}:
            return custom_tools.tool({**given, "name": name}, where)
        case {"type": str()}:
            return None
    raise InvalidRequest(f"{where} has no type")


def _tell_ignored(what: str, types: Set[str]) -> None:
    if types:
        told = ", ".join(sorted(name[:_MAX_NAME] for name in types)[:_MAX_TOLD])
        logger.warning("%s ignored, only OpenAI has them types=%s", what, told)
