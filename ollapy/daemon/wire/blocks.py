"""Blocks: a conversation in Anthropic's content blocks, in Ollama's messages. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from ollapy.api.anthropic import CountRequest, RequestBlock, RequestMessage, Source
from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.errors import InvalidRequest, Unsupported

from . import parts

logger = logging.getLogger(__name__)

# What Anthropic's own tools left in a conversation: nothing that a model here could use.
_MAX_TOLD, _MAX_NAME = 16, 40
_HOSTED = ("redacted_thinking", "server_tool_use", "mcp_tool_use", "_tool_result")


def system(body: CountRequest) -> list[Message]:
    """What the system says, in one message."""
    if not body.system:
        return []
    if isinstance(body.system, str):
        return [Message("system", body.system)]
    for block in body.system:
        if block.type != "text":
            raise Unsupported(
                f'system takes blocks of type "text" alone, not "{block.type[:40]}"'
            )
    return [Message("system", "\n\n".join(block.text or "" for block in body.system))]


def tell_ignored(given: Iterable[RequestMessage]) -> None:
    """Log what of the turns is passed over."""
    types = (t for turn in given for t in _types(turn.content))
    if hosted := {t[:_MAX_NAME] for t in types if t.endswith(_HOSTED)}:
        told = ", ".join(sorted(hosted)[:_MAX_TOLD])
        logger.warning("content ignored types=%s", told)


def _types(blocks: str | list[RequestBlock] | None) -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else ():
        yield block.type
        yield from _types(block.content)


def conversation(given: Iterable[RequestMessage]) -> Iterator[Message]:
    """The turns; results of tools come before what a user says beside them."""
    names: dict[str | None, str | None] = {}
    for turn in given:
        blocks = turn.content or []
        if isinstance(blocks, str):
            blocks = [RequestBlock("text", blocks)]
        names |= {block.id: block.name for block in blocks if block.type == "tool_use"}
        yield from (_result(b, names) for b in blocks if b.type == "tool_result")
        rest = [block for block in blocks if block.type != "tool_result"]
        if rest or not blocks:
            yield _message(turn.role, rest)


def _message(role: str, blocks: list[RequestBlock]) -> Message:
    calls = [
        ToolCall(FunctionCall(*_named(block), index), block.id or "")
        for index, block in enumerate(b for b in blocks if b.type == "tool_use")
    ]
    thoughts = [block.thinking or "" for block in blocks if block.type == "thinking"]
    content = parts.content(_parts(blocks))
    return Message(
        role,
        content.text,
        "\n".join(thoughts) or None,
        images=content.images,
        images_at=content.images_at,
        tool_calls=calls or None,
    )


def _named(block: RequestBlock) -> tuple[str, dict[str, Any]]:
    for field in ("id", "name"):
        if not getattr(block, field):
            raise InvalidRequest(f"tool_use block missing required '{field}' field")
    return block.name or "", block.input or {}


def _result(block: RequestBlock, names: dict[str | None, str | None]) -> Message:
    given = block.content or []
    if isinstance(given, str):
        given = [RequestBlock("text", given)]
    content = parts.content(_parts(given), lead="Error: " if block.is_error else "")
    return Message(
        "tool",
        content.text,
        images=content.images,
        images_at=content.images_at,
        tool_name=names.get(block.tool_use_id),
        tool_call_id=block.tool_use_id,
    )


def _parts(blocks: Iterable[RequestBlock]) -> Iterator[str | parts.Image]:
    for block in blocks:
        match block:
            case RequestBlock(type="text"):
                yield block.text or ""
            case RequestBlock(type="tool_reference"):
                yield block.tool_name or ""
            case RequestBlock(type="document" | "search_result"):
                yield from _document(block)
            case RequestBlock(type="image"):
                yield _image(block.source)
            case RequestBlock(type="thinking" | "tool_use"):
                pass
            case _ if block.type.endswith(_HOSTED):
                pass
            case _:
                raise Unsupported(
                    f'content of type "{block.type[:40]}" is not supported here'
                )


def _document(block: RequestBlock) -> Iterator[str | parts.Image]:
    """What is in it, after what is said of it."""
    about = [block.title, block.context]
    match block.source:
        case Source("text", data):
            content: str | list[RequestBlock] | None = data
        case Source("content"):
            content = block.source.content
        case str() | None if block.type == "search_result":
            about, content = [block.title, block.source], block.content
        case source:
            kind = source.type if isinstance(source, Source) else ""
            raise Unsupported(
                f'a {block.type} with a source of type "{kind[:40]}" is not supported here, send its text'
            )
    yield from filter(None, about)
    yield from [content] if isinstance(content, str) else _parts(content or ())


def _image(source: Source | str | None) -> parts.Image:
    if isinstance(source, Source) and source.type == "base64" and source.data:
        return parts.Image(source.data)
    kind = source.type if isinstance(source, Source) else ""
    raise Unsupported(
        f"invalid image source type: {kind[:40]}. Only base64 images are supported."
    )
