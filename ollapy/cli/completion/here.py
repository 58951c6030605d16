"""The names of models on this machine: as a running daemon says, else as its store's folders do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from ollapy.names import BUILT_IN, TAG, ModelName
from ollapy.settings import Settings

_SECONDS = 0.5
_MAX_BYTES = 16_000_000


def stored() -> list[str]:
    """Of the models that are here."""
    settings = Settings.from_env()
    names = _asked(settings, "/api/tags")
    if names is None and settings.address.is_local:
        names = [BUILT_IN, *map(str, _manifests(settings.models / "manifests"))]
    return [*map(shortest, names or ())]


def running() -> list[str]:
    """Of the models that are loaded."""
    return [*map(shortest, _asked(Settings.from_env(), "/api/ps") or ())]


def shortest(name: str) -> str:
    """A name as it is mostly typed."""
    return name.removesuffix(f":{TAG}")


def _asked(settings: Settings, path: str) -> list[str] | None:
    """What the daemon names; None where none answers quickly."""
    import json

    address, headers = settings.address, {}
    if settings.api_key:
        headers["Authorization"] = f"Bearer {settings.api_key}"
    if address.scheme != "http":
        return None
    http = HTTPConnection(address.target, address.port, timeout=_SECONDS)
    try:
        with closing(http):
            http.request("GET", path, headers=headers)
            answer = http.getresponse()
            if answer.status != 200:
                return None
            said: dict[str, Any] = json.loads(answer.read(_MAX_BYTES))
            return [model["name"] for model in said["models"]]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None


def _manifests(folder: Path) -> Iterator[ModelName]:
    for file in folder.glob("*/*/*/*"):
        host, namespace, model, tag = file.relative_to(folder).parts
        yield ModelName(host, namespace, model, tag)
