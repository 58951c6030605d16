"""Which tools a chat has, and whether the answer must call one. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.api.ollama import ChatRequest, Tool
from ollapy.daemon.asking import bounds
from ollapy.errors import InvalidRequest
from ollapy.runner.protocol import ToolChoice

_MAX_TOLD = 80


def choose(request: ChatRequest) -> tuple[list[Tool] | None, ToolChoice]:
    """The tools that the model is told of, none where it is to call none, and the choice among them."""
    tools = request.tools or []
    bounds.check("tools", tools, bounds.MAX_TOOLS)
    names = [_name(tool, number) for number, tool in enumerate(tools)]
    wanted = _wanted(request.tool_choice)
    is_parallel = request.parallel_tool_calls is not False
    if wanted == "none" or (not tools and wanted == "auto"):
        return None, ToolChoice()
    if wanted == "auto":
        return tools, ToolChoice(is_parallel=is_parallel)
    if not tools:
        raise InvalidRequest("tool_choice asks for a call, and there are no tools")
    if wanted == "required":
        return tools, ToolChoice(True, is_parallel=is_parallel)
    if wanted not in names:
        raise InvalidRequest(
            f'tool_choice names "{wanted[:80]}", which is none of the tools'
        )
    return tools, ToolChoice(True, wanted, is_parallel)


def _name(tool: Tool, number: int) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"tools[{number}] has no function with a name")
    return name


def _wanted(choice: Any) -> str:
    """`auto`, `none`, `required` or a tool's name, as a word or as OpenAI's object."""
    match choice:
        case None | "":
            return "auto"
        case "any":  # in other APIs' words
            return "required"
        case str():
            return choice
        case {"type": "function", "function": {"name": str(name)}} if name:
            return name
    text = msgspec.json.encode(choice).decode()
    told = text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]} …"
    raise InvalidRequest(
        f'invalid tool_choice: {told}; expected "auto", "none", "required" or the name of a tool'
    )
