"""Ways to compute a model: tried on a real one, chosen for a reason, and no other answer for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ollapy.api.tuning import Trial, Tuning
from ollapy.errors import Busy
from ollapy.llama.context import open_context
from ollapy.llama.library import raw
from ollapy.llama.model import Model, open_model
from ollapy.runner.protocol import Load
from ollapy.runner.tuner import Tuner, best, pays
from tests.conftest import TINY

LOAD = Load([str(TINY)], 4096, 4096, 4, 512, 1)
TOKENS = [*range(40, 200)]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with open_model([TINY], on_progress=lambda _: None) as model:
        yield model


def trial(read: float, generated: float, **tuning: int) -> Trial:
    return Trial(Tuning(**tuning), read, generated)


def test_another_way_must_be_clearly_faster() -> None:
    usual = trial(100.0, 10.0, num_threads=4)
    a_little, much = trial(104.0, 1.0, num_threads=2), trial(120.0, 1.0, num_threads=8)

    assert best([usual, a_little], lambda t: t.read).num_threads == 4
    assert best([usual, a_little, much], lambda t: t.read).num_threads == 8
    assert best([usual, much], lambda t: t.generated).num_threads == 4
    assert pays(usual, trial(120.0, 10.0))
    assert not pays(usual, trial(120.0, 9.9))
    assert not pays(usual, trial(101.0, 10.1))
    assert not pays(usual)


def test_every_way_is_tried_and_one_of_them_chosen(model: Model) -> None:
    tuner = Tuner(model, LOAD, lambda: False)
    found = tuner.run([1, 2], [32])
    tried = [t.tuning for t in tuner.trials]

    assert Tuning(1, 1) in tried
    assert Tuning(2, 2) in tried
    assert any(tuning.flash_attention is False for tuning in tried)
    assert any(tuning.num_ubatch == 32 for tuning in tried)
    assert all(min(t.read, t.generated) > 0 for t in tuner.trials)
    assert found in tried
    assert 0 <= tuner.others <= 1
    assert {found.num_threads, found.num_prompt_threads} <= {1, 2}


def test_it_gives_way_at_once(model: Model) -> None:
    asked: list[bool] = []

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) > 20

    with pytest.raises(Busy, match="tune it when nobody does"):
        Tuner(model, LOAD, is_wanted).run([1, 2], [])
    assert len(asked) == 21


@pytest.mark.parametrize(
    "tuning",
    [Tuning(num_ubatch=16), Tuning(flash_attention=False), Tuning(num_ubatch=10**6)],
    ids=str,
)
def test_it_computes_the_same(model: Model, tuning: Tuning) -> None:
    logits = []
    for way in (Tuning(), tuning):
        opening = open_context(
            model, num_cells=512, max_sequences=1, num_batch=256, num_threads=1, tuning=way
        )  # fmt: skip
        with opening as context:
            context.use_threads(1, 2)
            count = len(TOKENS)
            context.decode(TOKENS, [*range(count)], [0] * count, [count - 1])
            logits.append(np.array(context.logits(1)[0]))
            assert raw.llama_n_ubatch(context.handle) == min(way.num_ubatch or 256, 256)  # fmt: skip
            assert raw.llama_n_threads(context.handle) == 1
            assert raw.llama_n_threads_batch(context.handle) == 2

    assert np.argmax(logits[0]) == np.argmax(logits[1])
    assert np.corrcoef(logits[0], logits[1])[0, 1] > 0.999, "but for rounding"
