from __future__ import annotations

import json

from ollapy.api import ndjson
from ollapy.api.ollama import GenerateResponse


def test_no_character_inside_a_record_splits_its_line() -> None:
    """httpx, and with it Ollama's Python client, splits lines at these too."""
    text = "a\u2028b\u2029c\x85d\ne\rf\x0bg\x0ch\x1ci 🦙 é"
    line = ndjson.line({"response": text})

    assert line.decode().splitlines() == [line.decode().removesuffix("\n")]
    assert json.loads(line) == {"response": text}


def test_fields_at_their_default_are_left_out() -> None:
    record = GenerateResponse(model="m", created_at="t", done=False, response="x")

    assert json.loads(ndjson.line(record)) == {
        "model": "m",
        "created_at": "t",
        "done": False,
        "response": "x",
    }
