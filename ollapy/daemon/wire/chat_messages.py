"""Chat messages: a conversation in OpenAI's words, in Ollama's. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.api.openai import ContentPart, RequestMessage
from ollapy.errors import Unsupported

from . import asked

_ROLES = {"developer": "system", "function": "tool"}


def conversation(given: Sequence[RequestMessage]) -> list[Message]:
    """The conversation, each result under the name of the tool that was called."""
    names = {call.id: call.function.name for m in given for call in m.tool_calls or []}
    return [_message(m, m.name or names.get(m.tool_call_id)) for m in given]


def _message(given: RequestMessage, tool_name: str | None) -> Message:
    role = given.role.lower()
    parts = given.content if isinstance(given.content, list) else []
    texts = [given.content] if isinstance(given.content, str) else _texts(parts)
    calls = [
        ToolCall(
            FunctionCall(
                call.function.name, asked.arguments(call.function.arguments), index
            ),
            call.id or "",
        )
        for index, call in enumerate(given.tool_calls or [])
    ]
    role = _ROLES.get(role, role)
    return Message(
        role,
        "\n".join(texts),
        given.reasoning_content or given.reasoning,
        images=_images(parts) or None,
        tool_calls=calls or None,
        tool_name=tool_name if role == "tool" else None,
        tool_call_id=given.tool_call_id,
    )


def _texts(parts: list[ContentPart]) -> list[str]:
    for part in parts:
        if part.type not in ("text", "image_url", "refusal"):
            raise Unsupported(
                f'content of type "{part.type[:40]}" is not supported, only text and image_url are'
            )
    return [
        part.text or part.refusal or "" for part in parts if part.type != "image_url"
    ]


def _images(parts: list[ContentPart]) -> list[str]:
    urls = [part.image_url for part in parts if part.type == "image_url"]
    return [asked.image(url) for url in urls]
