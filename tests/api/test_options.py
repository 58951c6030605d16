from __future__ import annotations

from typing import Any

import pytest

from ollapy.api.options import Options, SamplingParams
from ollapy.errors import InvalidRequest


def test_defaults_are_ollamas() -> None:
    assert Options().sampling() == SamplingParams(
        temperature=0.8,
        top_k=40,
        top_p=0.9,
        min_p=0.0,
        typical_p=1.0,
        repeat_last_n=64,
        repeat_penalty=1.0,
    )


def test_later_layers_win_and_null_is_unset() -> None:
    """A model's PARAMETERs, then the request's options."""
    options = Options.parse(
        {"temperature": 0.1, "top_k": 5}, {"top_k": 7, "temperature": None}
    )

    assert (options.temperature, options.top_k) == (0.1, 7)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("num_ctx", "x", "integer"),
        ("num_ctx", True, "integer"),
        ("seed", [1], "integer"),
        ("temperature", "hot", "float32"),
        ("temperature", float("nan"), "float32"),
        ("temperature", float("inf"), "float32"),
        ("use_mmap", 1, "boolean"),
        ("stop", "END", "array"),
        ("stop", ["a", 1], "an array of strings"),
    ],
)
def test_the_wrong_type_is_refused_in_ollamas_words(
    name: str, value: Any, kind: str
) -> None:
    with pytest.raises(
        InvalidRequest, match=f'option "{name}" must be of (type )?{kind}'
    ):
        Options.parse({name: value})


def test_unknown_options_are_ignored_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Options.parse({"mirostat": 1, "rpc": "evil:1"}) == Options()
    assert "options ignored names=mirostat, rpc" in caplog.text


def test_very_many_unknown_options_are_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Options.parse({f"x{n}" * 100: n for n in range(9_999)}) == Options()
    (record,) = caplog.records
    assert len(record.getMessage()) < 2_000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": -1}, {"temperature": 0.0}),
        ({"temperature": 1e38}, {"temperature": 1e4}),
        ({"top_k": -5}, {"top_k": 0}),
        ({"top_k": 2**40}, {"top_k": 2**31 - 1}),
        ({"top_p": 2}, {"top_p": 1.0}),
        ({"min_p": -1}, {"min_p": 0.0}),
        ({"repeat_penalty": 0}, {"repeat_penalty": 0.01}),
        ({"repeat_last_n": -2}, {"repeat_last_n": -1}),
        ({"presence_penalty": 1e38}, {"presence_penalty": 100.0}),
        ({"top_k": 3.7}, {"top_k": 3}),
        ({"seed": -1}, {"seed": None}),
        ({"seed": 2**32 + 5}, {"seed": 5}),
        ({"num_predict": -1}, {"max_tokens": None}),
        ({"num_predict": -2}, {"max_tokens": None}),
        ({"num_predict": 0}, {"max_tokens": 0}),
        ({"num_predict": 10**12}, {"max_tokens": 2**31 - 1}),
        ({"num_predict": 10**400}, {"max_tokens": 2**31 - 1}),
        ({"temperature": 10**400}, {"temperature": 1e4}),
        ({"top_p": -(10**400)}, {"top_p": 0.0}),
        ({"stop": ["", "a"]}, {"stop": ("a",)}),
    ],
)
def test_absurd_values_are_brought_into_range(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    sampling = Options.parse(given).sampling()

    assert {name: getattr(sampling, name) for name in expected} == expected


@pytest.mark.parametrize("stops", [["x"] * 257, ["x" * 5000]])
def test_too_many_or_too_long_stop_strings(stops: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="at most 256 strings of 4096 bytes"):
        Options.parse({"stop": stops})
