"""Who waits for whose prompt."""

from __future__ import annotations

import itertools

from ollapy.api.adapters import Adapter
from ollapy.api.options import SamplingParams
from ollapy.engine.following import Leader, leader
from ollapy.engine.sequence import Sequence

_ids = itertools.count()


def sequence(*tokens: int, num_computed: int = 0) -> Sequence:
    one = Sequence(next(_ids), list(tokens), SamplingParams(), 256)
    one.num_computed = num_computed
    return one


def test_whoever_reads_what_it_begins_with_is_followed() -> None:
    reader = sequence(*range(40), 1)

    assert leader(sequence(*range(40), 2), [reader]) == Leader(reader, 40)
    assert leader(sequence(*range(40)), [reader]) == Leader(reader, 39)


def test_too_little_in_common_is_not_worth_it() -> None:
    assert leader(sequence(*range(15), 2, 3), [sequence(*range(40))]) is None


def test_what_is_read_already_is_not_waited_for() -> None:
    prompt = sequence(*range(20), 7, 8, 9)

    assert leader(prompt, [sequence(*range(40), num_computed=20)]) is None
    assert leader(prompt, [sequence(*range(40), num_computed=39)]) is None


def test_an_answer_that_begins_alike_is_not_waited_for() -> None:
    """Of another only the prompt is sure to be read before this one could read it."""
    reader = sequence(*range(20))
    reader.tokens += range(20, 40)
    reader.num_computed = 2

    assert leader(sequence(*range(40)), [reader]) == Leader(reader, 20)


def test_with_other_adapters_nothing_is_shared() -> None:
    reader = sequence(*range(40))
    reader.adapters = (Adapter("a", "/a", 1, 1.0),)

    assert leader(sequence(*range(40)), [reader]) is None
