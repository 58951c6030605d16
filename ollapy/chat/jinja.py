"""ChatTemplate: the Jinja template of a model file, rendered as its authors' library renders it.

A template is a program in data from anywhere. The sandbox keeps it from the interpreter, a deadline
from running for ever, and guarded operators from building huge values in one go (methods are not
guarded: `center` and the like still can).
"""

from __future__ import annotations

import ctypes
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ollapy.errors import InvalidRequest
from ollapy.text import clean

MAX_SECONDS = 1.0
_MAX_SOURCE = 256 * 1024
_MAX_SIZE = 16 * 1024 * 1024
_WIDE_FORMAT = re.compile(r"%[^a-zA-Z%]*(?:\*|[0-9]{5})")

_ERRORS = (
    *(
        jinja2.TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
    ),
    *(RecursionError, MemoryError),
)


class TemplateTimeout(Exception):
    """The template has run for longer than it may."""


class ChatTemplate:
    """A compiled template; rendering is thread-safe."""

    def __init__(self, source: str) -> None:
        if len(source) > _MAX_SOURCE:
            raise InvalidRequest(
                f"the chat template has {len(source)} characters, at most {_MAX_SOURCE} are read"
            )
        self.source = source
        with _translated():
            self._template = _environment().from_string(source)

    def render(self, **variables: Any) -> str:
        """The template's text; InvalidRequest when it raises, is too slow or writes too much."""
        with _translated(), _deadline(MAX_SECONDS):
            text = self._template.render(**variables)
        if len(text) > _MAX_SIZE:
            raise InvalidRequest(
                f"the chat template wrote {len(text)} characters, at most {_MAX_SIZE} are taken"
            )
        return text


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with operators that refuse to build what would not fit."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if _is_huge(operator, left, right):
            raise InvalidRequest("the chat template computes a value that is too large")
        return super().call_binop(context, operator, left, right)


def _is_huge(operator: str, left: Any, right: Any) -> bool:
    match operator, left, right:
        case "**", int(), int():
            return left.bit_length() * right > 4096
        case "*", int(), int():
            return left.bit_length() + right.bit_length() > 4096
        case "*", int(), _ if hasattr(right, "__len__"):
            return left * len(right) > _MAX_SIZE
        case "*", _, int() if hasattr(left, "__len__"):
            return right * len(left) > _MAX_SIZE
        case "%", str(), _:
            return bool(_WIDE_FORMAT.search(left))
    return False


class _Generation(Extension):
    """`{% generation %}` marks what the model wrote, for training; here its body is just text."""

    tags = {"generation"}  # noqa: RUF012 - the base class declares it so

    def parse(self, parser: Parser) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> _Environment:
    environment = _Environment(
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
    )


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


def _raise_exception(message: object) -> NoReturn:
    raise jinja2.TemplateError(str(message))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TemplateTimeout:
        raise InvalidRequest(
            f"the chat template ran for more than {MAX_SECONDS:g} s"
        ) from None
    except _ERRORS as exc:
        raise InvalidRequest(
            f"the chat template failed: {clean(str(exc))[:200] or type(exc).__name__}"
        ) from exc


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TemplateTimeout in this thread if the block has not ended by then.

    The interpreter delivers it between two bytecodes, so one long operation in C is not cut short.
    """
    lock, active = threading.Lock(), True
    thread = ctypes.c_ulong(threading.get_ident())

    def expire() -> None:
        with lock:
            if active:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    thread, ctypes.py_object(TemplateTimeout)
                )

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            active = False
        timer.cancel()
