"""The functions that templates call: Go's, and those that Ollama adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote_plus

from . import comparison, indexing
from .budget import Budget
from .errors import Refusal
from .formatting import format_parts
from .json_text import json_text
from .printing import print_parts
from .text import encoded
from .values import Struct, is_true, type_name

_HTML = str.maketrans(
    {'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
    | {"\0": "\ufffd"}
)
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}


@dataclass(frozen=True, slots=True)
class Function:
    """What is called, with a Budget and as many arguments as it takes; `most` is None for any number."""

    call: Callable[..., object]
    least: int
    most: int | None


def _print(budget: Budget, *values: object) -> str:
    return _joined(budget, print_parts(values))


def _println(budget: Budget, *values: object) -> str:
    parts = [part for value in values for part in (*print_parts([value]), " ")]
    return _joined(budget, [*parts[:-1], "\n"])


def _printf(budget: Budget, template: object, *values: object) -> str:
    if not isinstance(template, str):
        raise Refusal(
            f"wrong type for value; expected string; got {type_name(template)}"
        )
    budget.look(template)
    parts: list[str] = []
    for part in format_parts(template, values):
        budget.write(len(part))
        parts.append(part)
    return "".join(parts)


def _joined(budget: Budget, parts: list[str]) -> str:
    budget.write(sum(map(len, parts)))
    return "".join(parts)


def _escape(escaped: Callable[[str], str]) -> Callable[..., str]:
    def function(budget: Budget, *values: object) -> str:
        given = ("<no value>" if value is None else value for value in values)
        text = _print(budget, *given)
        budget.write(6 * len(text))
        return escaped(text)

    return function


def _js(text: str) -> str:
    return "".join(map(_js_character, text))


def _js_character(letter: str) -> str:
    if letter in _JS:
        return _JS[letter]
    if letter < " " or letter in "<>&=":
        return f"\\u{ord(letter):04X}"
    is_plain = letter <= "\x7f" or letter.isprintable()
    return letter if is_plain else f"\\u{ord(letter):04X}"


def _json(budget: Budget, value: object) -> str:
    return _joined(budget, [json_text(value)])


def _not(_budget: Budget, value: object) -> bool:
    return not is_true(value)


def _call(_budget: Budget, function: object, *_arguments: object) -> object:
    if function is None:
        raise Refusal("call of nil")
    raise Refusal(f"non-function of type {type_name(function)}")


def _current_date(_budget: Budget, *_format: object) -> str:
    return f"{datetime.now():%Y-%m-%d}"


def _yesterday_date(_budget: Budget, *_format: object) -> str:
    return f"{datetime.now() - timedelta(days=1):%Y-%m-%d}"


def _typescript_type(_budget: Budget, value: object) -> object:
    """A struct that is a tool's property has the answer; of other values there is nothing to say."""
    if isinstance(value, Struct):
        return value.fields.get("ToTypeScriptType", "any")
    return "any"


def _short_circuited(*_arguments: object) -> object:
    raise AssertionError("the arguments of this one are evaluated one by one")


# `and` and `or` stop at the argument that decides, so that whoever evaluates arguments has to know them.
SHORT_CIRCUIT = {"and": False, "or": True}

FUNCTIONS: Mapping[str, Function] = {
    **{name: Function(_short_circuited, 1, None) for name in SHORT_CIRCUIT},
    "call": Function(_call, 1, None),
    "eq": Function(comparison.equal, 1, None),
    "ge": Function(comparison.greater_or_equal, 2, 2),
    "gt": Function(comparison.greater, 2, 2),
    "html": Function(_escape(lambda text: text.translate(_HTML)), 0, None),
    "index": Function(indexing.index, 1, None),
    "js": Function(_escape(_js), 0, None),
    "le": Function(comparison.less_or_equal, 2, 2),
    "len": Function(indexing.count, 1, 1),
    "lt": Function(comparison.less, 2, 2),
    "ne": Function(comparison.not_equal, 2, 2),
    "not": Function(_not, 1, 1),
    "print": Function(_print, 0, None),
    "printf": Function(_printf, 1, None),
    "println": Function(_println, 0, None),
    "slice": Function(indexing.slice_of, 1, None),
    "urlquery": Function(_escape(lambda text: quote_plus(encoded(text))), 0, None),
    "currentDate": Function(_current_date, 0, None),
    "json": Function(_json, 1, 1),
    "toTypeScriptType": Function(_typescript_type, 1, 1),
    "yesterdayDate": Function(_yesterday_date, 0, None),
}
