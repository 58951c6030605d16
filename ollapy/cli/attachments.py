"""Attachments: the files of pictures and sounds whose paths stand in a prompt."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

from ollapy.api.ollama import Message, ShowResponse
from ollapy.errors import InvalidRequest
from ollapy.media import MAX_BYTES, check

from .output import talk

# Where a path may begin, and where one of a file that a model is given may end.
_STARTS = re.compile(r"(?<![\w./\\~])(?:[A-Za-z]:)?(?:~|\.{1,2})?[/\\]")
_ENDS = re.compile(r"\.(?:jpe?g|png|gif|bmp|webp|wav|mp3|flac)(?!\w)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([ ()\[\]{}$&;'\"\\*?~])")
_MAX_PATH = 4096


def attached(text: str) -> Message:
    """What a user says, without the paths of files that are there, which are its images and named on stderr.

    A path may have spaces, with or without a backslash before each, and quotes around it. InvalidRequest where
    a file is none that a model can be given.
    """
    images, rest, end = [], "", 0
    for start, after, path in _paths(text):
        images.append(_encoded(path))
        rest, end = rest + text[end:start], after
    return Message("user", (rest + text[end:]).strip(), images=images or None)


def takes_files(shown: ShowResponse) -> bool:
    """Whether a model can be given any."""
    return not {"vision", "audio"}.isdisjoint(shown.capabilities)


def begins_with_file(text: str) -> bool:
    """Whether what looks like a command is a path."""
    first = next(_paths(text), None)
    return first is not None and not text[: first[0]].strip()


def _paths(text: str) -> Iterator[tuple[int, int, Path]]:
    """Where paths begin and end, with their quotes, and the files that they mean."""
    at = 0 if _ENDS.search(text) else len(text)
    while found := _STARTS.search(text, at):
        at = found.end()
        for end in _ENDS.finditer(text, found.start(), found.start() + _MAX_PATH):
            path = _file(text[found.start() : end.end()])
            if path is not None:
                yield *_with_quotes(text, found.start(), end.end()), path
                at = end.end()
                break


def _file(written: str) -> Path | None:
    for path in (_ESCAPED.sub(r"\1", written), written):
        try:
            if (found := Path(path).expanduser()).is_file():
                return found
        except (OSError, ValueError, RuntimeError):  # too long, a NUL, no such user
            continue
    return None


def _with_quotes(text: str, start: int, end: int) -> tuple[int, int]:
    quotes = (text[start - 1 : start], text[end : end + 1])
    is_quoted = quotes[0] == quotes[1] and quotes[0] in ("'", '"')
    return (start - 1, end + 1) if is_quoted else (start, end)


def _encoded(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidRequest(
                f"'{path}' has {size} bytes, at most {MAX_BYTES} are taken: make it smaller"
            )
        data = path.read_bytes()
    except OSError as exc:
        raise InvalidRequest(f"could not read '{path}': {exc.strerror}") from exc
    kind = check(data, f"'{path}'")
    talk(f"Added {'audio' if kind.is_sound else 'image'} '{path}'")
    return base64.b64encode(data).decode()
