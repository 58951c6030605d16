"""Values as JSON, as Go's encoder writes it: compact, with maps in the order of their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from .floats import json_float
from .text import encoded, whole
from .values import NilSlice, Struct, Words

# Escaped so that the text may stand inside of HTML and JavaScript.
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
    | {"\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def json_text(value: object) -> str:
    """The value's JSON; the fields of a struct keep their order."""
    match value:
        case str():
            return json.dumps(whole(value), ensure_ascii=False).translate(_ESCAPES)
        case None | NilSlice():
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return json_float(value)
        case Struct():
            return _object(value.json, value.json)
        case Words() if len(value) == 1:
            return json_text(value[0])
        case list():
            return f"[{','.join(map(json_text, value))}]"
        case dict():
            return _object(value, sorted(value, key=encoded))
    raise TypeError(f"a template cannot have a {type(value).__name__}")


def _object(value: Mapping[str, object], keys: Iterable[str]) -> str:
    pairs = (f"{json_text(key)}:{json_text(value[key])}" for key in keys)
    return f"{{{','.join(pairs)}}}"
