"""Custom tools, which OpenAI's models call with a text: a model here knows them as functions of one string. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ollapy.api.ollama import Tool, ToolCall
from ollapy.errors import InvalidRequest

from . import asked
from .told import arguments_of

_INPUT = "input"


def tool(given: Mapping[str, Any], where: str) -> Tool:
    """The function of a custom tool. What its input must be is in its description, a regular expression also holds."""
    description = given.get("description") or ""
    if not isinstance(description, str):
        raise InvalidRequest(f"{where}: the description must be a string")
    schema = {"type": "string"}
    if grammar := _grammar(given.get("format"), where):
        syntax, definition = grammar
        description += f"\n\nThe input is of this {syntax} grammar:\n{definition}"
        if syntax == "regex":
            schema["pattern"] = f"^(?:{definition})$"
    parameters = {
        "type": "object",
        "properties": {_INPUT: schema},
        "required": [_INPUT],
    }
    return asked.tool(given.get("name"), description.strip(), parameters, where)


def arguments(text: str | None) -> dict[str, Any]:
    """What the function was called with, of a custom tool's input."""
    return {_INPUT: text or ""}


def input_of(call: ToolCall) -> str:
    """The input of a custom tool; all arguments as JSON where the model gave it none."""
    text = call.function.arguments.get(_INPUT)
    return text if isinstance(text, str) else arguments_of(call)


def names(tools: Iterable[Mapping[str, Any]]) -> set[str]:
    """Which of the tools are custom; in a namespace they have its name before theirs."""
    found: set[str] = set()
    for given in tools:
        match given:
            case {"type": "custom", "custom": {"name": str(name)}}:
                found.add(name)
            case {"type": "custom", "name": str(name)}:
                found.add(name)
            case {"type": "namespace", "name": str(prefix), "tools": list(group)}:
                found |= {f"{prefix}.{name}" for name in names(group)}
    return found


def _grammar(format: Any, where: str) -> tuple[str, str] | None:
    """Its syntax and definition, which chats have one level deeper than responses."""
    match format:
        case None | {"type": "text"}:
            return None
        case {"type": "grammar", "grammar": dict(grammar)} | (
            {"type": "grammar"} as grammar
        ):
            syntax, definition = grammar.get("syntax"), grammar.get("definition")
            if syntax in ("lark", "regex") and isinstance(definition, str):
                return syntax, definition
    raise InvalidRequest(
        f'{where}: the format must be of type "text", or "grammar" with a definition in the syntax "lark" or "regex"'
    )
