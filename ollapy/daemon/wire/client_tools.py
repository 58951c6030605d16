"""Anthropic's tools that clients run: its models know by heart what they take, those here are told. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from ollapy.api.ollama import Tool
from ollapy.errors import Unsupported

from . import asked

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_EDITS = {
    "path": _TEXT,
    "view_range": {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2},
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _NUMBER,
    "insert_text": _TEXT,
}


class _Known(NamedTuple):
    name: str
    description: str
    properties: dict[str, Any]
    required: list[str]


def _commands(*names: str) -> dict[str, Any]:
    return {"command": {"type": "string", "enum": [*names]}}


_EDITOR = _Known(
    "str_replace_based_edit_tool",
    "View and edit text files: view (maybe the lines of view_range), create (with file_text), str_replace "
    "(the one old_str by new_str), insert (insert_text after the line insert_line).",
    {**_commands("view", "create", "str_replace", "insert"), **_EDITS},
    ["command", "path"],
)
# By the type without its date.
_KNOWN = {
    "bash": _Known(
        "bash",
        "Run a command in a bash session that stays open, or restart the session.",
        {"command": _TEXT, "restart": {"type": "boolean"}},
        [],
    ),
    "text_editor": _EDITOR,
    "memory": _Known(
        "memory",
        "Keep what is worth remembering in files below /memories: view, create (with file_text), str_replace "
        "(old_str by new_str), insert (insert_text after insert_line), delete, rename (old_path to new_path).",
        {
            **_commands("view", "create", "str_replace", "insert", "delete", "rename"),
            **_EDITS,
            "old_path": _TEXT,
            "new_path": _TEXT,
        },
        ["command"],
    ),
}


def tool(kind: str, name: str | None, where: str) -> Tool:
    """The tool of a type such as `bash_20250124`; Unsupported where nothing is known of it."""
    known = _KNOWN.get(kind.rpartition("_")[0])
    if known is None:
        raise Unsupported(
            f'{where}: tools of type "{kind[:40]}" run at Anthropic or are known to its models alone, leave it out'
        )
    parameters = {
        "type": "object",
        "properties": known.properties,
        "required": known.required,
    }
    return asked.tool(name or known.name, known.description, parameters, where)
