"""Report: what somebody who is asked for help wants to see, in one file and without secrets."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ollapy.client import Client
from ollapy.errors import OllapyError
from ollapy.settings import Settings
from ollapy.settings.file import File
from ollapy.settings.settings import explain
from ollapy.text import clean

from .finding import Finding

_NUM_LINES = 2000  # of the log
# What a request or its answer said; the rest of an entry is names and numbers.
_WORDS = ("request", "stop", "parse_error", "divergence")
_SECRET = re.compile(
    r"(?i)\b(?:(bearer|basic) +\S+|(?:hf|sk|gh[pousr]|ollapy)[_-][\w-]{8,})"
    r"|(?<=://)[^/@\s]+@"
)


def write(path: Path, findings: Iterable[Finding], settings: Settings) -> list[str]:
    """Make the file, which only its user may read; the names of what is in it. OSError where it cannot be made, or is there."""
    parts = dict(_parts(findings, settings))
    path.touch(0o600, exist_ok=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in parts.items():
            bundle.writestr(name, redacted(text))
    return [*parts]


def redacted(text: str) -> str:
    """Without keys and passwords, and without the name of the user where it is in a path."""
    return _SECRET.sub("(hidden)", text).replace(str(Path.home()), "~")


def _parts(findings: Iterable[Finding], settings: Settings) -> Iterator[tuple[str, str]]:  # fmt: skip
    yield "doctor.json", _json([*findings])
    yield "settings.json", _json(_told(settings.file))
    with Client(settings.address, settings.api_key) as client:
        try:
            yield "snapshot.json", _json(client.snapshot())
            yield "requests.json", _json([_numbers(e) for e in client.requests()])
        except OllapyError as exc:
            yield "daemon.txt", str(exc)
    log = settings.daemon_log
    if log.exists():
        lines = log.read_text(errors="replace").splitlines()[-_NUM_LINES:]
        yield "daemon.log", "\n".join(map(clean, lines))


def _told(file: File) -> dict[str, str]:
    return {
        found.setting.name: f"{found.shown} ({found.source})" for found in explain(file)
    }


def _numbers(entry: object) -> Any:
    return _without_words(msgspec.to_builtins(entry))


def _without_words(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: _without_words(v) for k, v in value.items() if k not in _WORDS}


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
