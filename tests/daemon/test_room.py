"""Which models go so that another fits, and what is free for it."""

from __future__ import annotations

import pytest

from ollapy.daemon.runners.room import Resident, leaving
from ollapy.daemon.runners.space import Space
from ollapy.names import Digest


def model(
    letter: str,
    size: int = 4,
    *,
    idle: float | None = 0.0,
    load: float = 1.0,
    pinned: bool = False,
) -> Resident:
    return Resident((Digest(letter * 64),), Space(size), load, idle, pinned)


def gone(need: int, free: int, *residents: Resident, max_loaded: int = 0) -> str | None:
    found = leaving(
        lambda space: need <= space.host, Space(free), residents, max_loaded=max_loaded
    )
    return None if found is None else "".join(r.loads[0].hex[0] for r in found)


@pytest.mark.parametrize(
    ("need", "free", "residents", "expected"),
    [
        (4, 4, [], ""),
        (4, 4, [model("a")], ""),
        (5, 4, [model("a")], "a"),
        (9, 4, [model("a")], None),
        (5, 4, [model("a", idle=None)], None),
        (5, 4, [model("a", idle=1), model("b", idle=99)], "b"),
        (5, 4, [model("a", load=30), model("b", load=1)], "b"),
        (5, 4, [model("a", size=100), model("b", size=1)], "a"),
        (5, 4, [model("a", idle=99, pinned=True), model("b", idle=0)], "b"),
        (9, 4, [model("a", idle=99, pinned=True), model("b", idle=0)], "ba"),
        # the small one would go first, and for nothing
        (9, 4, [model("a", size=1, idle=999), model("b", size=8)], "b"),
    ],
)
def test_who_goes(
    need: int, free: int, residents: list[Resident], expected: str | None
) -> None:
    found = gone(need, free, *residents)
    assert (found and sorted(found)) == (expected and sorted(expected))


def test_no_more_than_so_many_are_loaded_together() -> None:
    assert gone(1, 99, model("a"), max_loaded=2) == ""
    assert gone(1, 99, model("a"), max_loaded=1) == "a"
    assert gone(1, 99, model("a", idle=None), max_loaded=1) is None


def test_who_is_on_the_device_that_is_short_goes() -> None:
    a, b = (
        Resident((Digest(x * 64),), space, 1.0, idle, False)
        for x, space, idle in (
            ("a", Space(8), 99.0),
            ("b", Space(1, {"CUDA0": 6}), 1.0),
        )
    )
    found = leaving(
        lambda space: space.of("CUDA0") >= 8,
        Space(4, {"CUDA0": 3}),
        [a, b],
        max_loaded=0,
    )
    assert found == [b]
