"""Samplers on rows made up for the test; the native chain is llama.cpp's own."""

from __future__ import annotations

import ctypes
from collections import Counter
from typing import Any

import numpy as np
import pytest

from ollapy.api.options import SamplingParams
from ollapy.errors import RunnerError
from ollapy.llama.library import raw
from ollapy.llama.sampling import (
    _CANDIDATE,
    Candidates,
    Sampler,
    largest,
    logprobs,
    nucleus,
)

VOCABULARY = 5000


def row(**logits: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A row of low logits with a few high ones, named t0, t1, …"""
    values = np.full(VOCABULARY, -10.0, np.float32)
    for name, logit in logits.items():
        values[int(name[1:])] = logit
    return values


def drawn(
    count: int, values: Any, history: list[int] | None = None, **params: Any
) -> Counter[int]:
    candidates = Candidates(VOCABULARY)
    sampler = Sampler(SamplingParams(**{"seed": 1, **params}), candidates)
    counts = Counter(sampler.sample(values.copy(), history or []) for _ in range(count))
    sampler.close()
    return counts


def test_greedy_takes_the_likeliest() -> None:
    assert drawn(3, row(t7=1.0, t8=2.0), temperature=0.0) == {8: 3}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param({"top_k": 2}, {1: 0.5, 2: 0.5}, id="top-k"),
        pytest.param({"top_k": 0, "top_p": 0.6}, {1: 0.5, 2: 0.5}, id="top-p-over-all"),
        pytest.param(
            {"top_k": 40, "top_p": 1.0, "min_p": 0.5}, {1: 0.5, 2: 0.5}, id="min-p"
        ),
        pytest.param({"top_k": 1}, {1: 1.0}, id="top-k-one"),
    ],
)
def test_what_may_be_drawn(params: dict[str, Any], expected: dict[int, float]) -> None:
    """Two likely tokens of equal weight, one less likely, and thousands of unlikely ones."""
    counts = drawn(2000, row(t1=5.0, t2=5.0, t3=4.0), temperature=1.0, **params)

    assert set(counts) == set(expected)
    assert {t: n / 2000 for t, n in counts.items()} == pytest.approx(expected, abs=0.05)


def test_frequencies_follow_the_distribution() -> None:
    """Softmax of 3, 2, 1, 0 at temperature 2."""
    counts = drawn(
        4000, row(t0=3.0, t1=2.0, t2=1.0, t3=0.0), temperature=2.0, top_k=4, top_p=1.0
    )
    weights = np.exp(np.array([3.0, 2.0, 1.0, 0.0]) / 2.0)

    assert [counts[t] / 4000 for t in range(4)] == pytest.approx(
        weights / weights.sum(), abs=0.04
    )


@pytest.mark.parametrize(
    ("params", "history", "likeliest"),
    [
        pytest.param({}, [1, 1], 1, id="off"),
        pytest.param({"repeat_penalty": 2.0}, [1], 2, id="repeat"),
        pytest.param(
            {"repeat_penalty": 2.0, "repeat_last_n": 2},
            [1, 9, 9],
            1,
            id="outside-the-window",
        ),
        pytest.param(
            {"repeat_penalty": 2.0, "repeat_last_n": -1},
            [1] + [9] * 500,
            2,
            id="whole-context",
        ),
        pytest.param(
            {"repeat_penalty": 2.0, "repeat_last_n": 0}, [1], 1, id="window-off"
        ),
        pytest.param({"presence_penalty": 1.5}, [1], 2, id="presence"),
        pytest.param({"frequency_penalty": 0.6}, [1], 1, id="frequency-once"),
        pytest.param({"frequency_penalty": 0.6}, [1, 1], 2, id="frequency-twice"),
    ],
)
def test_penalties(params: dict[str, Any], history: list[int], likeliest: int) -> None:
    assert drawn(1, row(t1=4.0, t2=3.0), history, temperature=0.0, **params) == {
        likeliest: 1
    }


def test_a_repeated_token_below_zero_becomes_less_likely_too() -> None:
    values = np.full(VOCABULARY, -10.0, np.float32)
    values[1], values[2] = -1.0, -1.5

    assert drawn(1, values, [1], temperature=0.0, repeat_penalty=2.0) == {2: 1}


@pytest.mark.parametrize("k", [1, 40, 64, 500, VOCABULARY - 1])
def test_largest_is_a_superset_of_the_top_k(k: int) -> None:
    values = np.random.default_rng(5).normal(size=VOCABULARY).astype(np.float32)
    found = set(largest(values, k).tolist())

    assert found >= set(np.argsort(values)[-k:].tolist())


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 0.999, 0.99999])
@pytest.mark.parametrize("spread", [0.1, 2.0, 8.0])
def test_a_nucleus_is_the_smallest_that_has_the_probability(
    p: float, spread: float
) -> None:
    """From nearly flat, where it is most of the vocabulary, to one token that has it all."""
    values = (
        np.random.default_rng(9)
        .normal(scale=spread, size=VOCABULARY)
        .astype(np.float32)
    )
    chances = np.exp(values.astype(np.float64))
    chances = np.sort(chances / chances.sum())[::-1]
    needed = int(np.searchsorted(np.cumsum(chances), p)) + 1
    found = nucleus(values, p)

    assert len(found) == pytest.approx(needed, abs=2)
    assert set(found[: needed - 2].tolist()) <= set(
        np.argsort(-values)[:needed].tolist()
    )


def test_logprobs_are_a_log_softmax() -> None:
    values = row(t1=3.0, t2=2.0)
    own, top = logprobs(values, 2, 2)
    expected = values.astype(np.float64) - np.log(
        np.exp(values.astype(np.float64)).sum()
    )

    assert own == pytest.approx(expected[2], abs=1e-4)
    assert [token for token, _ in top] == [1, 2]


@pytest.mark.parametrize(
    "params", [{"temperature": 0.0}, {}, {"top_k": 0}, {"top_k": 0, "top_p": 1.0}]
)
def test_invalid_numbers_are_an_error(params: dict[str, Any]) -> None:
    """In the whole row or in one place of it; llama.cpp would abort on what is left of them."""
    one = row(t1=3.0)
    one[77] = np.nan
    for values in (np.full(VOCABULARY, np.nan, np.float32), one):
        with pytest.raises(RunnerError, match="invalid numbers"):
            drawn(1, values, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0.7, "top_k": 40, "top_p": 0.9},
        {"temperature": 1.3, "top_k": 0, "top_p": 0.8, "min_p": 0.02},
        {"temperature": 1.0, "top_k": 12, "top_p": 1.0, "typical_p": 0.7},
        {"temperature": 0.9, "top_k": 0, "top_p": 1.0, "min_p": 0.1},
        {
            "temperature": 0.8,
            "top_k": 30,
            "repeat_penalty": 1.3,
            "presence_penalty": 0.4,
            "frequency_penalty": 0.2,
        },
    ],
    ids=["default", "top-p-first", "typical", "min-p", "penalties"],
)
def test_the_distribution_is_that_of_llama_cpps_whole_chain(
    params: dict[str, Any],
) -> None:
    """The same tokens can be drawn, with the same probabilities."""
    values = np.random.default_rng(3).normal(0, 3, VOCABULARY).astype(np.float32)
    history = [int(t) for t in np.argsort(-values)[:40:2]] * 2
    expected = native(values, history, SamplingParams(**params))
    count = 4000
    counts = drawn(count, values, history, **params)

    assert set(counts) <= set(expected)
    for token, probability in expected.items():
        deviation = (probability * (1 - probability) / count) ** 0.5
        assert abs(counts[token] / count - probability) < 5 * deviation + 1e-3


def native(values: Any, history: list[int], params: SamplingParams) -> dict[int, float]:
    """Candidates and their probabilities after llama.cpp's own samplers on the whole vocabulary."""
    records = np.zeros(len(values), _CANDIDATE)
    records["id"], records["logit"] = np.arange(len(values)), values
    array = raw.llama_token_data_array(
        data=records.ctypes.data_as(raw.llama_token_data_array._fields_[0][1]),
        size=len(values),
        selected=-1,
        sorted=False,
    )
    chain = raw.llama_sampler_chain_init(raw.llama_sampler_chain_default_params())
    penalties = raw.llama_sampler_init_penalties(
        len(values),
        params.repeat_last_n,
        params.repeat_penalty,
        params.frequency_penalty,
        params.presence_penalty,
    )
    for token in history:
        raw.llama_sampler_accept(penalties, token)
    for sampler in (
        penalties,
        raw.llama_sampler_init_top_k(params.top_k),
        raw.llama_sampler_init_typical(params.typical_p, 1),
        raw.llama_sampler_init_top_p(params.top_p, 1),
        raw.llama_sampler_init_min_p(params.min_p, 1),
        raw.llama_sampler_init_temp(params.temperature),
        raw.llama_sampler_init_dist(0),
    ):
        raw.llama_sampler_chain_add(chain, sampler)
    raw.llama_sampler_apply(chain, ctypes.byref(array))
    left = records[: array.size]
    raw.llama_sampler_free(chain)
    return dict(zip(left["id"].tolist(), left["p"].tolist(), strict=True))


@pytest.mark.parametrize("params", [{"temperature": 0.0}, {"top_k": 5}, {"top_k": 0}])
def test_suppressed_tokens_are_never_drawn(params: dict[str, Any]) -> None:
    sampler = Sampler(
        SamplingParams(seed=1, **params), Candidates(VOCABULARY, suppressed=[7, 8])
    )
    drawn = {sampler.sample(row(t7=9.0, t8=8.0, t9=7.0), []) for _ in range(50)}
    sampler.close()

    assert drawn == {9}
