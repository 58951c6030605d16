"""The notations in which families of models write arguments that are no JSON objects."""

from __future__ import annotations

import json
import re
from typing import Any

from ollapy.chat.formats import Calls, Style
from ollapy.chat.sample import Sample, Tags

from .alternatives import Schema, properties_of, required_of
from .text import SPACE, escaped, quoted, spelled
from .values import Values, alternatives, either, is_free_text, is_text

_OF_TEXTS = {"pattern", "minLength", "maxLength", "format"}
_NAME = r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}"
_PLAIN = ("number", "boolean", "null")
_PYTHON_TEXT = (
    r"""/'([^'\\\x00-\x1f]|\\[nrbtf\\'"])*'|"([^"\\\x00-\x1f]|\\[nrbtf\\'"])*"/"""
)


def notation_of(
    prefix: str, root: Schema, sample: Sample, form: Calls
) -> Values | None:
    """The notation of a tool's arguments in calls like the sample; None where they are a JSON object."""
    if tags := sample.tags:
        nested = Elements(prefix, root, tags, form.item) if form.item else None
        return nested or Raw(prefix, root, tags)
    if form.style is Style.PYTHON:
        return Python(prefix, root)
    return Bare(prefix, root, form.extra[0]) if form.style is Style.GEMMA else None


class Raw(Values):
    """Each argument in tags, texts as they are, all else as JSON."""

    def __init__(self, prefix: str, root: Schema, tags: Tags) -> None:
        super().__init__(prefix, root)
        self._tags = tags

    def argument(self, key: str | None, schema: object) -> str:
        tags = self._tags
        if tags.text == tags.value or not isinstance(schema, dict):
            return self._tagged(key, schema, tags.text)
        listed = alternatives(schema) or [schema]
        texts, others = (
            [sub for sub in listed if is_text(sub) is flag] for flag in (True, False)
        )
        kinds = ((tags.text, texts), (tags.value, others))
        return either(
            self._tagged(key, {"anyOf": subs}, before) for before, subs in kinds if subs
        )

    def _tagged(self, key: str | None, schema: object, before: str) -> str:
        name = quoted(key) if key else f"/{_NAME}/"
        self._lead = before[len(before.rstrip()) :]
        value = self.value(schema, self._tags.end_of(key or ""))
        return self.rule(
            f"{spelled(self._tags.name)} {name} {spelled(before.rstrip())} {value}"
        )

    def choice(self, schemas: list[Any], end: str) -> str:
        """Any text where one of several takes that: what it is will be found out when it is read."""
        if any(map(is_free_text, schemas)):
            return self.text({}, end)
        return super().choice(schemas, end)

    def anything(self, end: str) -> str:
        return self.text({}, end)

    def constant(self, value: Any, end: str) -> str:
        if isinstance(value, str):
            return quoted(self._lead + value + end)
        return self.json({"const": value}, end)

    def boolean(self, end: str) -> str:
        return self.json({"type": "boolean"}, end)

    def json(self, schema: Any, end: str = "") -> str:
        return f"{SPACE} {super().json(schema)} {SPACE} {spelled(end.lstrip())}"

    def text(self, _schema: Schema, end: str) -> str:
        return self.rule(f"/(?s:.*){escaped(end.lstrip())}/", is_lazy=True)


class Elements(Raw):
    """The same with lists and objects in such tags again, all of which begin with a mark."""

    def __init__(self, prefix: str, root: Schema, tags: Tags, item: str) -> None:
        super().__init__(prefix, root, tags)
        self._mark = tags.end.partition("</")[0]
        self._item = item

    def argument(self, key: str | None, schema: object) -> str:
        if key:
            return super().argument(key, schema)
        opening, end = spelled(self._tags.name), self._tags.end_of("")
        return f'{opening} /{_NAME}/ ">" {self.anything(end)} /{_NAME}/'

    def anything(self, end: str) -> str:
        """Any text, with elements in it."""
        return f"{self._content()} {quoted(end.removeprefix(self._mark))}"

    def array(self, schema: Schema, end: str) -> str:
        item = self._element(self._item, schema.get("items"))
        return f"{item}{_times(schema)} {quoted(end)}"

    def mapping(self, schema: Schema, end: str) -> str:
        properties, required = properties_of(schema), required_of(schema)
        if not properties:
            return self.anything(end)
        items = [(self._element(k, s), k in required) for k, s in properties.items()]
        return f"{self.row(items)} {quoted(end)}"

    def _element(self, key: str, schema: object) -> str:
        value = self.value(schema, f"{self._mark}</{key}>")
        return self.rule(f"{quoted(f'{self._mark}<{key}>')} {value}")

    def _content(self) -> str:
        """Text and elements up to the mark that the end of theirs begins with."""
        text, name = self.text({}, self._mark), f"/{_NAME}/"
        inner = f'"<" {name} ">" %s "</" {name} ">"'
        return self.recursive("any", lambda rule: f"{text} ({inner % rule} {text})*")


class Python(Values):
    """`a='x', b=True`, with lists and objects as JSON, which Python reads but for such words."""

    separator = f'"," {SPACE}'
    _WORDS = (
        (True, ("True", "true")),
        (False, ("False", "false")),
        (None, ("None", "null")),
    )

    def argument(self, key: str | None, schema: object) -> str:
        name = quoted(f"{key}=") if key else f'/{_NAME}/ "="'
        return f"{name} {self.value(schema)}"

    def anything(self, end: str) -> str:
        words = [word for _, words in self._WORDS for word in words]
        return either([self.json({}), _PYTHON_TEXT, *map(quoted, words)])

    def constant(self, value: Any, end: str) -> str:
        if isinstance(value, str):
            double = json.dumps(value, ensure_ascii=False)
            single = double[1:-1].replace('\\"', '"').replace("'", "\\'")
            return either(map(quoted, (double, f"'{single}'")))
        words = next((words for known, words in self._WORDS if known is value), ())
        return either(map(quoted, words or [json.dumps(value)]))

    def text(self, schema: Schema, end: str) -> str:
        return self.json(schema) if _OF_TEXTS & schema.keys() else _PYTHON_TEXT


class Bare(Values):
    """`a:<|"|>x<|"|>,b:true`: JSON with other quotes around texts, and keys without any."""

    separator = '","'

    def __init__(self, prefix: str, root: Schema, quote: str) -> None:
        super().__init__(prefix, root)
        self._quote = quote

    def argument(self, key: str | None, schema: object) -> str:
        name = quoted(f"{self._key(key)}:") if key else f'/{_NAME}/ ":"'
        return f"{name} {self.value(schema)}"

    def anything(self, end: str) -> str:
        one_of = [self.text({}, ""), *(self.json({"type": kind}) for kind in _PLAIN)]
        return self.recursive("any", lambda rule: either([*one_of, *_nested(rule)]))

    def constant(self, value: Any, end: str) -> str:
        return quoted(self._spelled(value))

    def text(self, _schema: Schema, end: str) -> str:
        rest = self.rule(f"/(?s:.*){escaped(self._quote)}/", is_lazy=True)
        return f"{quoted(self._quote)} {rest}"

    def array(self, schema: Schema, end: str) -> str:
        item = self.rule(self.value(schema.get("items")))
        return f'"[" {_list(item, schema)} "]"'

    def mapping(self, schema: Schema, end: str) -> str:
        if not properties_of(schema):
            return f'"{{" {_pairs(self.anything(end))} "}}"'
        return f'"{{" {self.arguments(schema)} "}}"'

    def _key(self, key: str) -> str:
        return key if re.fullmatch(_NAME, key) else f"{self._quote}{key}{self._quote}"

    def _spelled(self, value: Any) -> str:
        match value:
            case str():
                return f"{self._quote}{value}{self._quote}"
            case list():
                return f"[{','.join(map(self._spelled, value))}]"
            case dict():
                pairs = (f"{self._key(k)}:{self._spelled(v)}" for k, v in value.items())
                return f"{{{','.join(pairs)}}}"
        return json.dumps(value)


def _nested(rule: str) -> tuple[str, str]:
    return f'"[" {_list(rule, {})} "]"', f'"{{" {_pairs(rule)} "}}"'


def _pairs(value: str) -> str:
    pair = f'/{_NAME}/ ":" {value}'
    return f'({pair} ("," {pair})*)?'


def _list(item: str, schema: Schema) -> str:
    """As many as a schema says, separated by commas."""
    low, high = _bounds(schema)
    if high == 0:
        return ""
    more = f"{max(low - 1, 0)},{'' if high is None else high - 1}"
    some = f'{item} ("," {item}){{{more}}}'
    return some if low else f"({some})?"


def _times(schema: Schema) -> str:
    low, high = _bounds(schema)
    return f"{{{low},{'' if high is None else high}}}"


def _bounds(schema: Schema) -> tuple[int, int | None]:
    low, high = schema.get("minItems"), schema.get("maxItems")
    return low if isinstance(low, int) else 0, high if isinstance(high, int) else None
