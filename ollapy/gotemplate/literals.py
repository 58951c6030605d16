"""Go's literals: strings, characters and numbers, from their text and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from .text import decoded, encoded

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_BACK = {text: f"\\{letter}" for letter, text in _ESCAPES.items() if letter not in "'"}
_ESCAPE = re.compile(
    r"""\\(?: (?P<octal>[0-7]{3}) | x(?P<byte>[0-9a-fA-F]{2})
      | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>[0-9a-fA-F]{8}) | (?P<letter>.?) )""",
    re.VERBOSE | re.DOTALL,
)
_MAX_LENGTH = 400  # of a number's text
_MAX_INT, _MIN_INT = 2**63 - 1, -(2**63)
_DIGITS = re.compile(
    r"""(?P<sign>[+-]?)
    (?: 0[xX](?P<hex>(?:_?[0-9a-fA-F])+) | 0[bB](?P<binary>(?:_?[01])+)
      | 0[oO]?(?P<octal>(?:_?[0-7])+) | (?P<decimal>0|[1-9](?:_?[0-9])*) )""",
    re.VERBOSE,
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def quote(text: str) -> str:
    """The text as a Go string literal."""
    return f'"{"".join(_escaped(text))}"'


def _escaped(text: str) -> Iterator[str]:
    for letter in text:
        code = ord(letter)
        if letter in _BACK:
            yield _BACK[letter]
        elif letter.isprintable():
            yield letter
        elif code < 0x80 or 0xDC80 <= code <= 0xDCFF:  # the latter is a byte of its own
            yield f"\\x{code & 0xFF:02x}"
        else:
            yield f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(literal: str) -> str:
    """The text of a literal in double quotes or backquotes; ValueError for an escape that Go has not."""
    body = literal[1:-1]
    if literal[0] == "`":
        return body.replace("\r", "")
    return _unescaped(body, other_quote="'")


def unquote_character(literal: str) -> int:
    """The code of a character in single quotes; ValueError where it is not one character."""
    body = literal[1:-1]
    byte = re.fullmatch(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3}))", body)
    if byte and byte[1]:
        return int(byte[1], 16)
    if byte and int(byte[2], 8) < 256:
        return int(byte[2], 8)
    text = "" if body == "'" else _unescaped(body, other_quote='"')
    if len(text) != 1:
        raise ValueError(
            f"malformed character constant: {literal}" if text else "invalid syntax"
        )
    return ord(text)


def _unescaped(body: str, *, other_quote: str) -> str:
    """The text with its escapes replaced; the other kind of quote needs none and may have none."""

    def replace(found: re.Match[str]) -> str:
        letter = found["letter"]
        if letter is not None:
            if letter not in _ESCAPES or letter == other_quote or not letter:
                raise ValueError("invalid syntax")
            return _ESCAPES[letter]
        byte = found["byte"] or found["octal"]
        if byte:
            return decoded(bytes([_byte(byte, 16 if found["byte"] else 8)]))
        return _character(int(found["short"] or found["long"], 16))

    text = _ESCAPE.sub(replace, body)
    return text if text.isascii() else decoded(encoded(text))


def _byte(digits: str, base: int) -> int:
    if (value := int(digits, base)) > 255:
        raise ValueError("invalid syntax")
    return value


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError("invalid syntax")
    return chr(code)


def number(text: str) -> int | float:
    """The value of a number's text; ValueError where Go sees none."""
    if len(text) > _MAX_LENGTH:
        return _overflow(text)
    if digits := _DIGITS.fullmatch(text):
        return _integer(digits, text)
    if _HEX_FLOAT.fullmatch(plain := text.replace("_", "")):
        return _hex_float(plain, text)
    if _FLOAT.fullmatch(text):
        if not any(letter in text for letter in ".eE"):  # 089: Go's own words
            return _overflow(text)
        return _finite(float(text), text)
    raise _illegal(text)


def _integer(digits: re.Match[str], text: str) -> int:
    kind = digits.lastgroup or "decimal"
    value = int(digits[kind].replace("_", ""), _BASES[kind])
    value = -value if digits["sign"] == "-" else value
    if not _MIN_INT <= value <= _MAX_INT:
        return _overflow(text)
    return value


def _overflow(text: str) -> int:
    raise ValueError(f"integer overflow: {quote(text)}")


def _hex_float(plain: str, text: str) -> float:
    try:
        return float.fromhex(plain)
    except (ValueError, OverflowError):
        raise _illegal(text) from None


def _finite(value: float, text: str) -> float:
    if not isfinite(value):
        raise _illegal(text)
    return value


def _illegal(text: str) -> ValueError:
    return ValueError(f"illegal number syntax: {quote(text)}")
