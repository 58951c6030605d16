"""Choices of tools in OpenAI's words, of chats and of responses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ollapy.api.ollama import Tool
from ollapy.errors import InvalidRequest


def chosen(choice: Any, tools: Sequence[Tool]) -> tuple[Any, list[Tool]]:
    """The choice as a chat of Ollama's has it, and the tools that remain; of allowed ones the others do not."""
    match choice:
        case {"type": "allowed_tools", "allowed_tools": dict(allowed)} | (
            {"type": "allowed_tools"} as allowed
        ):
            return _allowed(allowed, tools)
        case {"type": "function" | "custom"} if name := _name(choice):
            return {"type": "function", "function": {"name": name}}, [*tools]
    return choice, [*tools]


def _allowed(allowed: dict[str, Any], tools: Sequence[Tool]) -> tuple[Any, list[Tool]]:
    mode, given = allowed.get("mode"), allowed.get("tools")
    if mode not in ("auto", "required") or not isinstance(given, list):
        raise InvalidRequest(
            'tool_choice of type "allowed_tools" takes a mode, "auto" or "required", and a list of tools'
        )
    wanted = {_name(tool) for tool in given}
    known = {tool["function"]["name"] for tool in tools}
    if strangers := wanted - known:
        told = sorted(str(name)[:80] for name in strangers)[0]
        raise InvalidRequest(f"tool_choice allows {told}, which is none of the tools")
    return mode, [tool for tool in tools if tool["function"]["name"] in wanted]


def _name(tool: Any) -> str | None:
    """The name of a tool that is referred to, which chats have one level deeper than responses."""
    match tool:
        case (
            {"type": "function", "function": {"name": str(name)}}
            | {"type": "custom", "custom": {"name": str(name)}}
            | {"type": "function" | "custom", "name": str(name)}
        ):
            return name
    return None
