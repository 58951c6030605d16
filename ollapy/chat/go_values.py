"""Messages and tools as Go templates see them: structs with Ollama's field names, printed as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ollapy.errors import InvalidRequest
from ollapy.gotemplate.values import JsonList, JsonMap, NilSlice, Struct, Words

_TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


class _Member(NamedTuple):
    """A field, its key in JSON, how it is read, and whether JSON has it also where nothing was given."""

    field: str
    key: str
    read: Callable[[Any], object]
    always: bool = False


def message(given: Mapping[str, Any]) -> Struct:
    """A turn of the conversation."""
    return _struct("api.Message", _MESSAGE, given)


def tools(given: Sequence[Mapping[str, Any]] | None) -> object:
    """The tools of a request."""
    return JsonList(map(_tool, given)) if given else NilSlice()


def _struct(name: str, members: Sequence[_Member], given: object) -> Struct:
    """What JSON has beside the members follows them as it is."""
    values = given if isinstance(given, dict) else {}
    fields = {m.field: m.read(values.get(m.key)) for m in members}
    json = {m.key: fields[m.field] for m in members if m.always or values.get(m.key)}
    known = {m.key for m in members}
    rest = {key: value for key, value in values.items() if key not in known}
    return Struct(name, fields, {**json, **rest})


def _text(given: Any) -> str:
    if given is None or isinstance(given, str):
        return given or ""
    raise InvalidRequest("a chat's texts must be strings")


def _list(given: Any) -> object:
    return given if isinstance(given, list) and given else NilSlice()


def _same(given: Any) -> object:
    return given


def _words(given: Any) -> Words:
    found = [given] if isinstance(given, str) else given
    return Words(found if isinstance(found, list) else ())


def _type(given: Any) -> str:
    return given if isinstance(given, str) and given else "object"


def _map(given: Any) -> JsonMap:
    return JsonMap(given) if isinstance(given, dict) else JsonMap()


def _calls(given: Any) -> object:
    if not given:
        return NilSlice()
    return JsonList(_call(index, call) for index, call in enumerate(given))


def _call(index: int, given: Mapping[str, Any]) -> Struct:
    function = {"index": index, **given["function"]}
    fields = {
        "ID": _text(given.get("id")),
        "Function": _struct("api.ToolCallFunction", _CALL_FUNCTION, function),
    }
    ids = {"id": fields["ID"]} if fields["ID"] else {}
    return Struct("api.ToolCall", fields, {**ids, "function": fields["Function"]})


def _tool(given: Mapping[str, Any]) -> Struct:
    return _struct("api.Tool", _TOOL, given)


def _function(given: Any) -> Struct:
    return _struct("api.ToolFunction", _FUNCTION, given)


def _parameters(given: Any) -> Struct:
    return _struct("api.ToolFunctionParameters", _PARAMETERS, given)


def _properties(given: Any) -> object:
    return JsonMap({key: _property(value) for key, value in _map(given).items()})


def _property(given: Any) -> Struct:
    found = _struct("api.ToolProperty", _PROPERTY, given)
    fields = {**found.fields, "ToTypeScriptType": _typescript(given)}
    return Struct(found.type_name, fields, found.json)


def _typescript(given: Any) -> str:
    """A property's type as TypeScript writes it."""
    schema = given if isinstance(given, dict) else {}
    if isinstance(choices := schema.get("anyOf"), list) and choices:
        return " | ".join(map(_typescript, choices))
    names = _words(schema.get("type"))
    return " | ".join(_TYPESCRIPT.get(str(name), "any") for name in names) or "any"


_MESSAGE = (
    _Member("Role", "role", _text, always=True),
    _Member("Content", "content", _text, always=True),
    _Member("Thinking", "thinking", _text),
    _Member("Images", "images", _list),
    _Member("ToolCalls", "tool_calls", _calls),
    _Member("ToolName", "tool_name", _text),
    _Member("ToolCallID", "tool_call_id", _text),
)
_CALL_FUNCTION = (
    _Member("Index", "index", _same, always=True),
    _Member("Name", "name", _text, always=True),
    _Member("Arguments", "arguments", _map, always=True),
)
_TOOL = (
    _Member("Type", "type", _text, always=True),
    _Member("Items", "items", _same),
    _Member("Function", "function", _function, always=True),
)
_FUNCTION = (
    _Member("Name", "name", _text, always=True),
    _Member("Description", "description", _text, always=True),
    _Member("Parameters", "parameters", _parameters, always=True),
)
_PARAMETERS = (
    _Member("Type", "type", _type, always=True),
    _Member("Defs", "$defs", _same),
    _Member("Items", "items", _same),
    _Member("Required", "required", _list),
    _Member("Properties", "properties", _properties, always=True),
)
_PROPERTY = (
    _Member("AnyOf", "anyOf", _list),
    _Member("Type", "type", _words),
    _Member("Items", "items", _same),
    _Member("Description", "description", _text),
    _Member("Enum", "enum", _list),
    _Member("Properties", "properties", _properties),
    _Member("Required", "required", _list),
)
