"""What a person says of an answer, on the command line or in a session, as a request has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ollapy.api import thinking as api
from ollapy.errors import InvalidRequest

LEVELS: dict[str, bool | str] = {
    "true": True,
    "false": False,
    **{level: level for level in api.LEVELS},
}


def level_of(think: str) -> bool | int | str | None:
    """How much is to be thought: a level or a number of tokens; None for what means nothing."""
    if think in LEVELS:
        return LEVELS[think]
    return int(think) if think.isdecimal() and len(think) < 10 else None


def format_of(text: str) -> Any:
    """The form of an answer: `json`, or the JSON schema in a file."""
    if text == "json":
        return text
    try:
        schema = msgspec.json.decode(Path(text).expanduser().read_bytes())
    except OSError as exc:
        raise InvalidRequest(
            f"'{text}' is neither json nor a file with a JSON schema: {exc.strerror}"
        ) from exc
    except msgspec.DecodeError as exc:
        raise InvalidRequest(f"'{text}' is not JSON: {exc}") from exc
    if not isinstance(schema, dict):
        raise InvalidRequest(f"'{text}' is not a JSON schema: it has to be an object")
    return schema


def duration_of(text: str) -> float:
    """Seconds; InvalidRequest for what is no duration."""
    from ollapy.units import parse_duration

    try:
        return parse_duration(text)
    except InvalidRequest:
        raise InvalidRequest(f"{text!r} is not a duration such as 5m") from None


def pair_of(option: str) -> tuple[str, str]:
    """The name and the value of `NAME=VALUE`."""
    name, equals, value = option.partition("=")
    if not equals:
        raise InvalidRequest(f"'{option}' is not NAME=VALUE")
    return name, value


def options_of(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Options of the words for them, as the PARAMETER lines of a Modelfile have them."""
    from ollapy.create.parameters import typed
    from ollapy.modelfile import Parameter

    return typed(Parameter(name, value) for name, value in pairs)
