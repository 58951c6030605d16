"""Templates with the text or the error that Go's own text/template (1.26) has for them, one to a line of a file.

Where Go tells more than the line of an error (a column, a static type) the file has what is told here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ollapy.errors import InvalidRequest
from ollapy.gotemplate import Template

# What a template is given where its line in the file says nothing else.
DATA: dict[str, Any] = {
    "a": 1,
    "b": "two",
    "c": [10, 20, 30],
    "d": {"x": "y", "z": {"deep": "er"}},
    "t": True,
    "f": False,
    "n": None,
    "e": "",
    "z": 0,
    "fl": 1.5,
    "el": [],
    "em": {},
    "u": "héllo",
}
CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("conformance.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("topic", sorted({case["topic"] for case in CASES}))
def test_go_says_the_same(topic: str) -> None:
    for case in CASES:
        if case["topic"] == topic:
            expected = case.get("text"), case.get("error")
            assert _outcome(case) == expected, case["template"]


def test_the_table_is_not_empty() -> None:
    assert len(CASES) > 600


def _outcome(case: dict[str, Any]) -> tuple[str | None, str | None]:
    try:
        return Template.parse(case["template"]).execute(case.get("data", DATA)), None
    except InvalidRequest as exc:
        return None, str(exc).removeprefix("template error: ")
