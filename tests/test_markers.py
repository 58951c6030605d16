from __future__ import annotations

import pytest

from ollapy.markers import split


@pytest.mark.parametrize(
    ("pending", "markers", "expected"),
    [
        pytest.param("abc", (), ("abc", None, ""), id="no-markers"),
        pytest.param("one STOP two", ("STOP",), ("one ", "STOP", " two"), id="whole"),
        pytest.param("one ST", ("STOP",), ("one ", None, "ST"), id="beginning-held"),
        pytest.param(
            "one STx", ("STOP",), ("one STx", None, ""), id="no-longer-possible"
        ),
        pytest.param(
            "a</b><c>", ("<c>", "</b>"), ("a", "</b>", "<c>"), id="first-of-several"
        ),
        pytest.param(
            "aab", ("ab", "aab"), ("", "aab", ""), id="earliest-beginning-wins"
        ),
        pytest.param("ab", ("a", "ab"), ("", "ab", ""), id="longest-at-one-place"),
        pytest.param("xaaa", ("aaaa",), ("x", None, "aaa"), id="longest-possible-held"),
    ],
)
def test_split(
    pending: str, markers: tuple[str, ...], expected: tuple[str, str | None, str]
) -> None:
    assert split(pending, markers) == expected
