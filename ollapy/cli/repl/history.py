"""History: what was typed in earlier sessions, in a file that only its user may read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from prompt_toolkit.history import History

from ollapy.decoding import from_json

_MAX_ENTRIES = 1000


class EntryHistory(History):
    """One JSON string a line, oldest first. Sessions at the same time append to the same file.

    `is_kept` is whether what is typed from now on is written to it.
    """

    def __init__(self, path: Path, *, is_kept: bool) -> None:
        super().__init__()
        self.is_kept = is_kept
        self._path = path
        self._problem = ""

    def load_history_strings(self) -> Iterable[str]:
        """Newest first, as prompt_toolkit wants them."""
        try:
            lines = self._path.read_bytes().splitlines()
            if len(lines) > 2 * _MAX_ENTRIES:
                lines = lines[-_MAX_ENTRIES:]
                self._replace(lines)
        except FileNotFoundError:
            return []
        except OSError as exc:
            self._give_up(exc)
            return []
        return [entry for line in reversed(lines) if (entry := _decode(line))]

    def store_string(self, string: str) -> None:
        """Append an entry; where that cannot be, no other is."""
        if not self.is_kept:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write(self._path, os.O_APPEND, msgspec.json.encode(string) + b"\n")
        except OSError as exc:
            self._give_up(exc)

    def _replace(self, lines: list[bytes]) -> None:
        fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
        self._write(fresh, os.O_TRUNC, b"".join(line + b"\n" for line in lines))
        fresh.replace(self._path)

    def _write(self, path: Path, how: int, data: bytes) -> None:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb"
        ) as file:
            path.chmod(0o600)
            file.write(data)

    def _give_up(self, exc: OSError) -> None:
        self.is_kept = False
        self._problem = f"what you type is not remembered: {self._path}: {exc.strerror}"

    def take_problem(self) -> str:
        """What has gone wrong and was not told yet; the prompt is on the line where it goes wrong."""
        told, self._problem = self._problem, ""
        return told


def _decode(line: bytes) -> str:
    try:
        return from_json(line, str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""  # half a line, of a disk that was full
