"""Which adapters are next: each goes on for a while, nobody waits for ever."""

from __future__ import annotations

import itertools
from collections import Counter

from ollapy.api.adapters import Adapter, AdapterSet
from ollapy.api.options import SamplingParams
from ollapy.engine.sequence import Sequence
from ollapy.engine.turns import Turns

_ids = itertools.count()
STEP = 0.04  # seconds


def wanting(adapters: AdapterSet, *, is_background: bool = False) -> Sequence:
    return Sequence(
        next(_ids),
        [1, 2],
        SamplingParams(),
        8,
        adapters=adapters,
        is_background=is_background,
    )


def one(name: str) -> AdapterSet:
    return (Adapter(name, f"/{name}", 1),)


def chosen(
    turns: Turns, running: list[Sequence], count: int, start: float = 0.0
) -> list[AdapterSet]:
    """The choices of so many steps."""
    return [turns.choose(running, start + step * STEP) for step in range(count)]


def test_who_is_alone_is_not_interrupted() -> None:
    assert set(chosen(Turns(), [wanting(one("a"))], 100)) == {one("a")}


def test_a_set_goes_on_for_some_steps_and_then_the_others_have_as_many() -> None:
    running = [wanting(()), wanting(one("a")), wanting(one("b")), wanting(())]

    turns = Turns()
    choices = chosen(turns, running, 90)

    lengths = [len(list(group)) for _, group in itertools.groupby(choices)]
    assert set(lengths) == {3}
    assert set(Counter(choices).values()) == {30}
    assert turns.num_sets == 3
    assert choices[0] != choices[3] != choices[6] != choices[0]


def test_a_newcomer_is_next() -> None:
    turns, old, new = Turns(), wanting(one("a")), wanting(one("b"))
    chosen(turns, [old], 10)

    assert turns.choose([old, new], 10 * STEP) == one("b")


def test_of_newcomers_who_came_first() -> None:
    turns, names = Turns(), "abc"
    running = [wanting(one(name)) for name in names]
    order = [
        turns.choose(running[: count + 1], count * 0.01) for count in range(len(names))
    ]
    order += chosen(turns, running, 20, 0.03)

    assert [key for key, _ in itertools.groupby(order)][:3] == [*map(one, names)]


def test_background_work_gets_little_but_something() -> None:
    running = [wanting(one("a")), wanting(one("b"), is_background=True)]

    counts = Counter(chosen(Turns(), running, 1000))

    assert 0.05 < counts[one("b")] / 1000 < 0.2


def test_who_wants_it_makes_a_set_urgent() -> None:
    """That somebody in the background wants the same does not matter."""
    running = [
        wanting(one("a")),
        wanting(one("b"), is_background=True),
        wanting(one("b")),
    ]

    assert Counter(chosen(Turns(), running, 300))[one("b")] == 150


def test_a_turn_that_is_of_no_use_ends() -> None:
    turns, running = Turns(), [wanting(one("a")), wanting(one("b"))]
    first = turns.choose(running, 0.0)

    turns.pass_on()

    assert turns.choose(running, 0.01) != first


def test_who_has_gone_is_forgotten() -> None:
    turns = Turns()
    for number in range(50):
        turns.choose([wanting(one(str(number)))], float(number))

    assert turns.num_sets == 1
    assert turns.choose([], 50.0) == one("49")
    assert turns.choose([wanting(one("0"))], 51.0) == one("0")
