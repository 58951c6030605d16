"""Server-sent events as they are on the wire."""

from __future__ import annotations

import json
from typing import Any

from tests.support.daemon import Daemon


def events(daemon: Daemon, path: str, **body: Any) -> list[tuple[str, Any]]:
    """Name and data of each event of a streamed answer, the data `[DONE]` as it is."""
    with daemon.http.stream("POST", path, json={"stream": True, **body}) as response:
        text = response.read().decode()
    assert response.status_code == 200, text
    assert response.headers["content-type"].startswith("text/event-stream")
    assert text.endswith("\n\n")
    return [_event(block) for block in text[:-2].split("\n\n")]


def _event(block: str) -> tuple[str, Any]:
    *names, data = block.split("\n")
    assert data.startswith("data: "), block
    assert all(name.startswith("event: ") for name in names), block
    text = data.removeprefix("data: ")
    name = names[0].removeprefix("event: ") if names else ""
    return name, text if text == "[DONE]" else json.loads(text)
