"""What a batch is made of. The scheduler's tests drive the same with a prefix tree behind it."""

from __future__ import annotations

import itertools

from ollapy.api.options import SamplingParams
from ollapy.engine.composer import Composer
from ollapy.engine.media import placeholders
from ollapy.engine.sequence import Sequence
from tests.support.cells import Picture

_ids = itertools.count()


def composer(*, free: int = 1000, max_outputs: int = 4) -> Composer:
    return Composer(
        lambda count: min(free, count),
        max_batch=16,
        max_outputs=max_outputs,
        is_ready=lambda _: True,
    )


def running(num_pending: int, *, num_computed: int = 0, scored: bool = False) -> Sequence:  # fmt: skip
    number = next(_ids)
    params = SamplingParams(prompt_logprobs=0 if scored else None)
    one = Sequence(number, [number] * (num_computed + num_pending), params, 256)
    one.slot, one.num_computed, one.arrived_at = number, num_computed, 0.0
    return one


def counts(found: Composer, everybody: list[Sequence], room: int = 16) -> list[int]:
    """How many tokens of each are in the next batch."""
    batch = found.compose(everybody, room, 0.0)
    taken = {one.id: count for one, count in batch.parts}
    return [taken.get(one.id, 0) for one in everybody]


def test_who_generates_comes_first_and_then_the_shortest_prompt() -> None:
    everybody = [running(12), running(5), running(1, num_computed=9)]

    assert counts(composer(), everybody, room=8) == [3, 5, 1]
    assert counts(composer(), everybody) == [10, 5, 1], "a batch has 16 tokens"


def test_no_more_than_there_are_cells_for() -> None:
    everybody = [running(12), running(1, num_computed=9)]

    assert counts(composer(free=4), everybody) == [3, 1]
    assert counts(composer(free=0), everybody) == [0, 0]


def test_rows_of_a_scored_prompt_leave_one_for_everybody_else() -> None:
    everybody = [running(9, scored=True), running(3), running(1, num_computed=9)]

    assert counts(composer(max_outputs=8), everybody) == [3, 3, 1]


def test_text_and_media_take_turns() -> None:
    seeing, reading, picture = running(4), running(12), Picture(7, 3, 3)
    seeing.tokens[1:] = placeholders(picture)
    seeing.media, seeing.num_computed = {1: picture}, 1
    found, everybody = composer(), [seeing, reading]

    kinds = []
    for _ in range(3):
        batch = found.compose(everybody, 2, 0.0)
        kinds.append(batch.excerpt is not None)
        for one, count in batch.parts:
            one.num_computed += count

    assert kinds == [True, False, True]
