"""Sampler: one sequence's way from a row of logits to a token.

Penalties are written into the row; greedy is an argmax; otherwise the few tokens that top-k leaves
go through llama.cpp's own chain, in llama-server's order: top_k, typical_p, top_p, min_p, temperature.
"""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ollapy.api.options import SamplingParams
from ollapy.errors import InvalidNumbers, RunnerError

from .library import held, raw

_apply = held("llama_sampler_apply")
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_BLOCK = 64

Row = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class Candidates:
    """The buffer that a chain works on, shared by all samplers of the engine thread.

    `suppressed` tokens are never candidates.
    """

    def __init__(self, num_vocab: int, suppressed: Iterable[int] = ()) -> None:
        self.suppressed = np.array(list(suppressed), np.int64)
        self._records = np.zeros(num_vocab, _CANDIDATE)
        self._ids = np.arange(num_vocab, dtype=np.int32)
        self._array = raw.llama_token_data_array()
        self._array.data = self._records.ctypes.data_as(type(self._array.data))

    def choose(self, chain: Any, row: Row, ids: Ids | None) -> int:
        """The token that the chain selects among `ids` of the row, all of it where None."""
        count = len(row) if ids is None else len(ids)
        records = self._records[:count]
        records["id"] = self._ids if ids is None else ids
        records["logit"] = row if ids is None else row[ids]
        self._array.size, self._array.selected, self._array.sorted = count, -1, False
        _apply(chain, ctypes.byref(self._array))
        if not 0 <= self._array.selected < self._array.size:
            raise RunnerError("the sampler selected no token")
        return int(self._records["id"][self._array.selected])


class Sampler:
    """The sampling state of one sequence. Engine thread only; `close` frees the chain."""

    def __init__(self, params: SamplingParams, candidates: Candidates) -> None:
        self._params = params
        self._candidates = candidates
        self._biased = np.array(list(params.logit_bias), np.int64)
        self._biases = np.array(list(params.logit_bias.values()), np.float32)
        greedy = params.temperature == 0 or params.top_k == 1
        self._chain = None if greedy else _chain(params)

    def sample(self, row: Row, history: list[int]) -> int:
        """The next token after `history`. Edits the row in place."""
        self._penalize(row, history)
        if len(self._biased):
            row[self._biased] += self._biases
        if self._candidates.suppressed.size:
            row[self._candidates.suppressed] = -np.inf
        best = int(row.argmax())  # argmax finds a NaN wherever it is
        if not np.isfinite(row[best]):
            raise InvalidNumbers(
                "the model produced invalid numbers; its file, or its adapter's, may be damaged, pull it again"
            )
        return best if self._chain is None else self._choose(row)

    def _choose(self, row: Row) -> int:
        k, ids = self._params.top_k, None
        if 0 < k < len(row):
            ids = largest(row, k)
        elif _cuts_nucleus(self._params):
            ids = nucleus(row, self._params.top_p)
        return self._candidates.choose(self._chain, row, possible(row, ids))

    def _penalize(self, row: Row, history: list[int]) -> None:
        params = self._params
        off = (
            params.repeat_penalty == 1
            and params.presence_penalty == 0
            and params.frequency_penalty == 0
        )
        if off or params.repeat_last_n == 0:
            return
        recent = (
            history if params.repeat_last_n < 0 else history[-params.repeat_last_n :]
        )
        # what stands for pictures is no token
        said = [token for token in recent if token >= 0]
        ids, counts = np.unique(said, return_counts=True)
        logits = row[ids]
        logits = np.where(
            logits > 0, logits / params.repeat_penalty, logits * params.repeat_penalty
        )
        row[ids] = logits - counts * params.frequency_penalty - params.presence_penalty

    def close(self) -> None:
        """Free the native chain; a no-op the second time."""
        if self._chain is not None:
            raw.llama_sampler_free(self._chain)
        self._chain = None


def largest(row: Row, k: int) -> Ids:
    """Indices of at least the `k` largest entries, few more; exact, unsorted.

    The k-th largest of the block maxima is a lower bound of the k-th largest entry, and finding it
    reads the row once, where a partition of 128k entries costs milliseconds.
    """
    blocks = len(row) // _BLOCK
    if k >= blocks:
        return np.argpartition(row, len(row) - k)[len(row) - k :]
    maxima = row[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(1)
    threshold = np.partition(maxima, blocks - k)[blocks - k]
    # where fewer are possible at all, all of those
    return np.flatnonzero(row >= max(threshold, np.finfo(np.float32).min))


def possible(row: Row, ids: Ids | None) -> Ids | None:
    """Those of the indices, all where None, whose tokens may come at all; None where every one may.

    A chain's last sampler may fall on one of no probability, by rounding.
    """
    if ids is not None:
        return ids[np.isfinite(row[ids])]
    finite = np.flatnonzero(np.isfinite(row))
    return None if len(finite) == len(row) else finite


def nucleus(row: Row, p: float) -> Ids:
    """Indices of the likeliest entries that together have at least probability `p`: all of top-p.

    Without a top-k before it llama.cpp sorts the whole vocabulary for that, 11 ms with 128k tokens.
    """
    weights = np.exp(row - row.max())
    mass, count = p * float(weights.sum()), 64
    while True:
        ids = (
            largest(row, min(count, len(row) - 1))
            if count < len(row)
            else np.arange(len(row))
        )
        ids = ids[np.argsort(-row[ids])]
        reached = np.cumsum(weights[ids], dtype=np.float64)
        if reached[-1] >= mass or len(ids) == len(row):
            return ids[: int(np.searchsorted(reached, mass)) + 1]
        count *= 8


def _cuts_nucleus(params: SamplingParams) -> bool:
    """Whether top-p comes first in the chain, so that it can be done before it."""
    return params.top_k == 0 and params.top_p < 1 and params.typical_p >= 1


def logprobs(row: Row, token: int, count: int) -> tuple[float, list[tuple[int, float]]]:
    """The natural log-probability of `token`, and of the `count` likeliest tokens, best first."""
    top = float(row.max())
    normalizer = top + float(np.log(np.exp(row - top).sum()))
    ids: Iterable[int] = (
        ()
        if not count
        else sorted(largest(row, count).tolist(), key=lambda i: -row[i])[:count]
    )
    return float(row[token]) - normalizer, [
        (i, float(row[i]) - normalizer) for i in ids
    ]


def _chain(params: SamplingParams) -> Any:
    """llama.cpp's samplers in order, ending in the one that selects; never with a NULL among them."""
    seed = secrets.randbits(32) if params.seed is None else params.seed
    samplers = [raw.llama_sampler_init_top_k(params.top_k)] if params.top_k else []
    if params.typical_p < 1:
        samplers.append(raw.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1 and not _cuts_nucleus(params):
        samplers.append(raw.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0:
        samplers.append(raw.llama_sampler_init_min_p(params.min_p, 1))
    samplers += [
        raw.llama_sampler_init_temp(params.temperature),
        raw.llama_sampler_init_dist(seed),
    ]
    if not all(samplers):
        raise RunnerError("llama.cpp could not make a sampler")
    chain = raw.llama_sampler_chain_init(raw.llama_sampler_chain_default_params())
    for sampler in samplers:
        raw.llama_sampler_chain_add(chain, sampler)
    return chain
