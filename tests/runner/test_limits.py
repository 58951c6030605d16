"""How many tokens a request may have."""

from __future__ import annotations

import pytest

from ollapy.runner.limits import context_length


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(None, 100), (0, 100), (-1, 100), (1, 4), (64, 64), (300, 200)],
)
def test_what_a_request_gets_of_what_it_wants(
    wanted: int | None, expected: int
) -> None:
    assert context_length(wanted, 100, 200) == expected
