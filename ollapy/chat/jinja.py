"""ChatTemplate: the Jinja template of a model file, rendered as its authors' library renders it.

A template is a program in data from anywhere. The sandbox keeps it from the interpreter; time and memory
are bounded by the process that it runs in (`ollapy.templating`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

from ollapy.errors import InvalidRequest
from ollapy.text import clean

_MAX_SOURCE = 256 * 1024
_MAX_SIZE = 16 * 1024 * 1024

_ERRORS = (
    *(
        jinja2.TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
    ),
    RecursionError,
)


class ChatTemplate:
    """A compiled template; rendering is thread-safe."""

    def __init__(self, source: str) -> None:
        if len(source) > _MAX_SOURCE:
            raise InvalidRequest(
                f"the chat template has {len(source)} characters, at most {_MAX_SOURCE} are read"
            )
        with _translated():
            self._template = _environment().from_string(source)

    def render(self, **variables: Any) -> str:
        """The template's text; InvalidRequest when it raises or writes too much.

        It may change the lists and mappings that it is given.
        """
        with _translated():
            text = self._template.render(**variables)
        if len(text) > _MAX_SIZE:
            raise InvalidRequest(
                f"the chat template wrote {len(text)} characters, at most {_MAX_SIZE} are taken"
            )
        return text


class _Generation(Extension):
    """`{% generation %}` marks what the model wrote, for training; here its body is just text."""

    tags = {"generation"}  # noqa: RUF012 - the base class declares it so

    def parse(self, parser: Parser) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> SandboxedEnvironment:
    # mutable, as some templates keep lists: what they are given was made for one rendering
    environment = SandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=_strftime_now
    )
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models were trained on it: no HTML escapes, unlike Jinja's own filter."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_listed,
    )


def _listed(value: object) -> list[object]:
    """What filters make is read as a list."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _raise_exception(message: object) -> NoReturn:
    raise jinja2.TemplateError(str(message))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _ERRORS as exc:
        raise InvalidRequest(
            f"the chat template failed: {clean(str(exc))[:200] or type(exc).__name__}"
        ) from exc
