"""Chat messages: a conversation in OpenAI's words, in Ollama's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ollapy.api import openai
from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.api.openai import ContentPart, CustomText, FunctionText, RequestMessage
from ollapy.errors import InvalidRequest, Unsupported

from . import asked, custom_tools, parts

_ROLES = {"developer": "system", "function": "tool"}


def conversation(given: Sequence[RequestMessage]) -> list[Message]:
    """The conversation, each result under the name of the tool that was called."""
    calls = [call for message in given for call in message.tool_calls or []]
    names = {call.id: call.called.name for call in calls if call.called}
    return [_message(m, m.name or names.get(m.tool_call_id)) for m in given]


def _message(given: RequestMessage, tool_name: str | None) -> Message:
    role = given.role.lower()
    content = parts.content(
        [given.content]
        if isinstance(given.content, str)
        else map(_part, given.content or ())
    )
    calls = [
        ToolCall(FunctionCall(*_called(call), index), call.id or "")
        for index, call in enumerate(given.tool_calls or [])
    ]
    role = _ROLES.get(role, role)
    return Message(
        role,
        content.text,
        given.reasoning_content or given.reasoning,
        images=content.images,
        images_at=content.images_at,
        tool_calls=calls or None,
        tool_name=tool_name if role == "tool" else None,
        tool_call_id=given.tool_call_id,
    )


def _called(call: openai.ToolCall) -> tuple[str, dict[str, Any]]:
    match call.called:
        case FunctionText(name, arguments):
            return name, asked.arguments(arguments)
        case CustomText(name, text):
            return name, custom_tools.arguments(text)
    raise InvalidRequest("a tool call has neither a function nor a custom tool")


def _part(part: ContentPart) -> str | parts.Image:
    match part.type:
        case "text" | "refusal":
            return part.text or part.refusal or ""
        case "image_url":
            return parts.Image(asked.image(part.image_url))
        case "input_audio":
            return parts.Image(asked.audio(part.input_audio))
    raise Unsupported(
        f'content of type "{part.type[:40]}" is not supported, only text, image_url and input_audio are'
    )
